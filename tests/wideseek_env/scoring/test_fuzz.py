"""Whatever cells and answers hold: nothing raises, and the figures keep their promises."""

from __future__ import annotations

import math
from datetime import datetime
from operator import attrgetter
from typing import Any

from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.formats import FORMATS
from wideseek_env.records import METRICS, Column, Task
from wideseek_env.scoring import Table, score_strict, write_table
from wideseek_env.scoring.explain import explain
from wideseek_env.scoring.explain_html import to_html
from wideseek_env.scoring.official.scorer import score_official
from wideseek_env.scoring.strict import align, figures
from wideseek_env.scoring.values import read_value, same

NOW = datetime(2026, 11, 23, 0, 22)
RULES: tuple[dict[str, Any], ...] = (
    {},
    {"metric": "number_near", "preprocess": ("extract_number",), "criterion": 0.05},
    {"metric": "number_near", "preprocess": ("norm_str", "extract_number")},
    {"metric": "date_near", "preprocess": ("norm_date",)},
    {"preprocess": ("norm_str", "norm_date")},
    {"metric": "url_match", "preprocess": ()},
    {"metric": "in_match"},
    {"metric": "llm_judge", "criterion": "the same thing"},
)
PIECES = (
    *(
        "a",
        "A",
        "b",
        "é",
        "é",
        "ｂ",
        "中",
        "İ",
        "ß",
        "\u200b",
        "\ufeff",
        "\ud800",
        "\x00",
        "\u2028",
    ),
    *(
        "0",
        "1",
        "1.0",
        "007",
        "12",
        "5",
        "１２",
        "٣",
        "½",
        "²",
        "1e3",
        "1e999",
        "9" * 30,
        "-7",
        "(5)",
    ),
    *("1,000", "1.234,5", "12,34,567", "10-20", "3/4", "<5", "5+", "~", "±", "×10^6", "Ⅷ", "五万"),
    *("%", "$", "€", "USD", "km", "m", "ft", " in ", "kg", "million", "lakh", "亿", "minus ", "to"),
    *(
        "2020",
        "2020-01-02",
        "Jan",
        "5 January 2020",
        "2020年1月5日",
        "44 BC",
        "31/12/1999",
        "1990s",
    ),
    *("T00:00Z", "Sunday", "5 minutes ago", "tomorrow", "99999-99-99", "0000-00-00"),
    *("https://x.org/a", "www.x.org", "x.org/%E4", "http://[::1", "://", "[L](u)", "?a=1&b", "#f"),
    *("-", "--", "n/a", "nan", "NaT", "None", "null", "True", "inf", "未知", "*", "**", "`", "\\"),
    *("|", "｜", "<br>", "\n", "\r", "\t", " ", "  ", "&amp;", "&#1;", '"', "'", "not ", "no"),
)
CELLS = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
COLUMNS = st.lists(st.sampled_from(RULES), min_size=2, max_size=2).map(
    lambda rules: (Column("k"), Column("v", **rules[0]), Column("w (km)", **rules[1]))
)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5)
MARKUP = (
    *("| k | v | w (km) |", "|---|---|---|", "|", "\n", "```", "```markdown\n", "```json\n"),
    *("<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "}", "$", "The answer is: "),
    *("<tool_call>", "</tool_call>", '{"name": "search", "arguments": {', "<function=open>", "]"),
)
TEXTS = st.lists(st.sampled_from((*MARKUP, *MARKUP, *PIECES)), max_size=40).map("".join)


def _task(columns: tuple[Column, ...], gold: list[tuple[str, ...]]) -> Task:
    return Task("t", "", columns, ("k",), tuple(gold))


_figures = attrgetter(*METRICS)


@given(columns=COLUMNS, gold=ROWS, answer=ROWS, order=st.randoms())
@settings(max_examples=examples(100), deadline=None)
def test_strict_figures_lie_between_0_and_1_and_gold_is_1(
    columns: tuple[Column, ...], gold: list, answer: list, order: Any
) -> None:
    task = _task(columns, gold)
    assert _figures(score_strict(task, write_table(task.column_names, gold))) == (1.0,) * 7
    score = figures(align(task, Table(task.column_names, tuple(answer))))
    assert all(0.0 <= figure <= 1.0 for figure in _figures(score))
    order.shuffle(gold)
    order.shuffle(answer)
    mixed = figures(align(_task(columns, gold), Table(task.column_names, tuple(answer))))
    assert _figures(mixed) == _figures(score)


@given(columns=COLUMNS, gold=ROWS, answer=ROWS, row=ROWS, data=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_strict_wrong_row_never_raises_and_correcting_a_cell_never_lowers(
    columns: tuple[Column, ...], gold: list, answer: list, row: list, data: st.DataObject
) -> None:
    task = _task(columns, gold)

    def aligned(rows: list) -> Any:
        return align(task, Table(task.column_names, tuple(map(tuple, rows))))

    alignment = aligned(answer)
    before = figures(alignment).item_f1
    assert figures(aligned([*answer, ("no such key", *row[0][1:])])).item_f1 <= before
    wrong = [
        (g, a, c) for g, a in alignment.pairs for c in (1, 2) if (g, c) not in alignment.correct
    ]
    if wrong:
        g, a, c = data.draw(st.sampled_from(wrong))
        corrected = [list(cells) for cells in answer]
        corrected[a][c] = gold[g][c]
        after = aligned(corrected)
        if len(after.answer_rows) == len(alignment.answer_rows):  # else two rows say the same now
            assert figures(after).item_f1 >= before - 1e-12


@given(rules=st.sampled_from(RULES), first=CELLS, second=CELLS)
@settings(max_examples=examples(200), deadline=None)
def test_cells_are_equal_to_themselves_and_both_ways_alike(
    rules: dict[str, Any], first: str, second: str
) -> None:
    column = Column("w (km)", **rules)
    mine, other = read_value(first, column), read_value(second, column)
    assert same(mine, mine, column)
    # Part of a text, a vaguer date and a share of the gold number are rules of one side.
    if rules in RULES[:1] + RULES[2:3] + RULES[5:6]:
        assert same(mine, other, column) == same(other, mine, column)


@given(columns=COLUMNS, gold=ROWS, answer=ROWS, text=TEXTS)
@settings(max_examples=examples(60), deadline=None)
def test_official_scorer_gives_figures_or_says_what_raises(
    columns: tuple[Column, ...], gold: list, answer: list, text: str
) -> None:
    task = _task(columns, gold)
    table = write_table(task.column_names, answer)
    for response in (f"```markdown\n{table}\n```", table, text):
        result = score_official(task, response, NOW)
        assert all(math.isfinite(figure) and figure >= 0 for figure in _figures(result.score))
        if result.error is not None:
            assert _figures(result.score) == (0.0,) * 7


@given(
    text=TEXTS, name=st.sampled_from(sorted(FORMATS)), role=st.sampled_from(["lead", "subagent"])
)
@settings(max_examples=examples(100), deadline=None)
def test_tool_calls_are_read_from_any_text(text: str, name: str, role: Any) -> None:
    decision = FORMATS[name].parse(text, role)
    assert (decision.error is None) == bool(decision.calls)


@given(columns=COLUMNS, gold=ROWS, text=TEXTS)
@settings(max_examples=examples(60), deadline=None)
def test_any_text_is_scored_and_explained(
    columns: tuple[Column, ...], gold: list, text: str
) -> None:
    task = _task(columns, gold)
    score = score_strict(task, text)
    assert all(0.0 <= figure <= 1.0 for figure in _figures(score))
    assert to_html(explain(task, text)).strip()
    deep = Task("d", "", columns[:1], ("k",), (gold[0][:1],), kind="deep")
    assert 0.0 <= score_strict(deep, text).item_f1 <= 1.0
