from __future__ import annotations

import io
from html.parser import HTMLParser

import pytest
from rich.console import Console

from wideseek_env.records import Column, Task
from wideseek_env.scoring import score_strict, write_table
from wideseek_env.scoring.explain import Explanation, explain, print_explanation
from wideseek_env.scoring.explain_html import to_html

TASK = Task(
    "t <1>",
    "List & sort",
    (Column("k"), Column("v", "number_near", ("extract_number",))),
    ("k",),
    (("a", "1"), ("b", "5 million"), ("c", "3")),
)
ANSWER = write_table(
    ["v", "k", "note"], [("5,000,000", "B", "x"), ("9", "a", "<b>"), ("7", "z", ""), ("9", "a", "")]
)


def _marks(explanation: Explanation) -> list[tuple[str, str]]:
    return [
        (
            "".join(cell.mark[0] for cell in pair.gold or ()),
            "".join(cell.mark[0] for cell in pair.answer or ()),
        )
        for pair in explanation.rows
    ]


def test_explain_marks_every_cell_of_both_tables() -> None:
    explanation = explain(TASK, ANSWER)
    assert _marks(explanation) == [("rw", "rwe"), ("rr", "rre"), ("mm", ""), ("", "eee")]
    assert explanation.answer_headers == ("k", "v", "note")
    assert [cell.text for cell in explanation.rows[1].answer or ()] == ["B", "5,000,000", "x"]
    assert explanation.num_repeated == 1
    assert explanation.score == score_strict(TASK, ANSWER)


def test_explain_missing_column_is_marked_on_both_sides() -> None:
    explanation = explain(TASK, write_table(["k"], [("a",)]))
    assert _marks(explanation)[0] == ("rm", "rm")


def test_explain_without_a_table_shows_the_response() -> None:
    explanation = explain(TASK, "I <give> up")
    assert not explanation.parsed
    assert "I &lt;give&gt; up" in to_html(explanation)
    assert "I <give> up" in _printed(explanation, 100)


@pytest.mark.parametrize("width", [40, 200])
def test_print_explanation_holds_every_cell_and_sign_at_any_width(width: int) -> None:
    text = _printed(explain(TASK, ANSWER), width)
    for part in ("✓ B", "✗ 9", "− c", "+ z", "✓ 5,000,000", "<b>", "1 repeated"):
        assert part in text, part


def _printed(explanation: Explanation, width: int) -> str:
    out = io.StringIO()
    print_explanation(explanation, Console(file=out, width=width))
    return out.getvalue()


class _Cells(HTMLParser):
    """Collects (class, text, tooltip) of every body cell; raises on unbalanced tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "input"):
            self.open.append(tag)
        if tag == "td":
            known = dict(attrs)
            self.cells.append((known.get("class") or "", "", known.get("title") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["td"]:
            kind, text, title = self.cells[-1]
            self.cells[-1] = (kind, text + data, title)


def test_to_html_marks_cells_and_escapes_them() -> None:
    page = _Cells()
    page.feed(to_html(explain(TASK, ANSWER)))
    assert page.open == []
    assert ("right", "✓\N{NO-BREAK SPACE}5,000,000", "read as number 5000000") in page.cells
    assert ("wrong", "✗\N{NO-BREAK SPACE}9", "read as number 9") in page.cells
    assert ("extra", "+\N{NO-BREAK SPACE}<b>", "") in page.cells
    assert sum(kind.startswith("none") for kind, _, _ in page.cells) == 2
