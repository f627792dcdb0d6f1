"""The official mode's three questions, put to a real server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from judge_server import JudgeServer, Reply, chat, error_500, judge_at

from benchmarks.scorers.cheating_cells import CELL_CASES
from benchmarks.scorers.cheating_tables import TABLE_CASES
from wideseek_env.errors import ScoringError
from wideseek_env.records import Column, Score, Task
from wideseek_env.scoring import JudgedOfficialScorer, write_table
from wideseek_env.scoring.judge.official import score_official_judged
from wideseek_env.scoring.official.scorer import score_official
from wideseek_env.scoring.responses import Response, score_responses

NOW = datetime(2026, 11, 23)
NORM = ("norm_str",)
TASK = Task(
    "t",
    "",
    (
        Column("City", "exact_match", NORM),
        Column("Size", "llm_judge", NORM, "roughly the same size"),
        Column("Area", "exact_match", NORM),
    ),
    ("City",),
    (("New York", "big", "1"), ("Bern", "small", "2")),
)
HEADER = TASK.column_names


@pytest.fixture
async def server() -> AsyncIterator[JudgeServer]:
    async with JudgeServer() as running:
        yield running


async def _score(
    server: JudgeServer, rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER
) -> Score:
    async with judge_at(server, max_retries=0) as judge:
        return await JudgedOfficialScorer(judge, NOW)(TASK, write_table(header, rows))


def _row_figures(score: Score) -> tuple[float, float, float]:
    return score.success, score.row_precision, score.row_recall


async def test_key_of_another_spelling_is_mapped(server: JudgeServer) -> None:
    rows = [("NYC", "big", "1"), ("BERN*", "small", "2")]
    assert score_official(TASK, write_table(HEADER, rows), NOW).score.row_recall == 0.5
    assert _row_figures(await _score(server, rows)) == (1.0, 1.0, 1.0)
    # The rules read BERN* as Bern; every gold name can be chosen.
    assert server.asked == [
        {"names": {"0": {"name": "NYC"}}, "references": {"0": "Bern", "1": "New York"}}
    ]


async def test_key_that_stands_for_nothing_stays(server: JudgeServer) -> None:
    score = await _score(server, [("Ulm", "big", "1"), ("Bern", "small", "2")])
    assert _row_figures(score) == (0.0, 0.5, 0.5)


async def test_two_spellings_of_one_key_are_both_paid_as_in_widesearch(server: JudgeServer) -> None:
    score = await _score(server, [("New York", "big", "1"), ("NYC", "big", "1")])
    assert _row_figures(score) == (1.0, 1.0, 1.0)


async def test_columns_of_other_names_are_renamed(server: JudgeServer) -> None:
    header = ("Cities", "Size", "Area (km2)")
    score = await _score(server, TASK.gold, header)
    assert _row_figures(score) == (1.0, 1.0, 1.0)
    assert server.asked == [
        {
            "names": {"0": {"name": "area(km2)"}, "1": {"name": "cities"}},
            "references": {"0": "area", "1": "city"},
        }
    ]


async def test_columns_that_stay_unknown_or_become_one_score_zero(server: JudgeServer) -> None:
    for header in (("Cities", "Size", "Mayor"), ("Cities", "Size", "Country")):
        score = await _score(server, TASK.gold, header)
        assert (score.item_f1, score.parsed) == (0.0, True)
    assert len(server.bodies) == 2


async def test_llm_judge_cells_are_right_as_the_judge_finds(server: JudgeServer) -> None:
    score = await _score(server, [("New York", "Bulky", "1"), ("Bern", "tiny", "2")])
    assert (score.row_recall, score.item_recall) == (0.5, pytest.approx(5 / 6))
    # Both sides are asked about as the column's preprocessing leaves them.
    (asked,) = server.asked
    assert list(asked["pairs"].values()) == [
        {"answer": "bulky", "reference": "big"},
        {"answer": "tiny", "reference": "small"},
    ]
    assert "roughly the same size" in server.bodies[0]["messages"][0]["content"]


async def test_llm_judge_cells_of_mapped_rows_are_asked_about(server: JudgeServer) -> None:
    rows = [("Biel", "s", "2"), ("New York", "BIG", "1")]
    assert _row_figures(await _score(server, rows)) == (1.0, 1.0, 1.0)
    assert [list(asked) for asked in server.asked] == [["names", "references"], ["pairs"]]
    assert list(server.asked[1]["pairs"].values()) == [{"answer": "s", "reference": "small"}]


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        (TASK.gold, HEADER),
        ([("bern", "SMALL", "2"), ("Bern*", "small", "9")], HEADER),
        ([(*row, "x") for row in TASK.gold], (*HEADER, "Mayor")),
        ([row[:2] for row in TASK.gold], ("Town", "Size")),
    ],
    ids=["copy", "spelling", "column too many", "column too few"],
)
async def test_nothing_is_asked_when_rules_settle_it(
    server: JudgeServer, rows: Sequence[Sequence[str]], header: Sequence[str]
) -> None:
    score = await _score(server, rows, header)
    assert server.bodies == []
    assert score == score_official(TASK, write_table(header, rows), NOW).score


async def test_without_a_table_or_with_keys_compared_as_numbers_nothing_is_asked(
    server: JudgeServer,
) -> None:
    keyed = Task(
        "t", "", (Column("k", "number_near", NORM, 0.1), Column("v")), ("k",), (("1", "2"),)
    )
    async with judge_at(server) as judge:
        scorer = JudgedOfficialScorer(judge, NOW)
        assert (await scorer(TASK, None)).parsed is False
        assert (await scorer(TASK, "nothing found")).parsed is False
        assert (await scorer(keyed, write_table(("k", "v"), [("11", "2")]))).item_f1 == 0.0
    assert server.bodies == []


async def test_a_judge_that_finds_nothing_equal_changes_nothing(server: JudgeServer) -> None:
    async def deny(request: web.Request, body: dict[str, Any]) -> Reply:
        (asked,) = server.asked[-1:]
        if "pairs" in asked:
            return chat({"verdicts": dict.fromkeys(asked["pairs"], False)})
        return chat({"matches": dict.fromkeys(asked["names"])})

    server.otherwise = deny
    async with judge_at(server) as judge:
        for case in (*TABLE_CASES, *CELL_CASES):
            result = await score_official_judged(case.task, case.text, NOW, judge)
            assert result == score_official(case.task, case.text, NOW), case
    assert server.bodies


QUESTIONS = {
    "header": (("Cities", "Size", "Area"), TASK.gold),
    "key": (HEADER, [("NYC", "big", "1")]),
    "cell": (HEADER, [("Bern", "tiny", "2")]),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_judge_that_fails_is_no_score(server: JudgeServer, question: str) -> None:
    header, rows = QUESTIONS[question]
    server.script = [error_500]
    with pytest.raises(ScoringError, match="HTTP 500"):
        await _score(server, rows, header)
    server.script = []
    assert (await _score(server, rows, header)).parsed


async def test_second_run_asks_only_the_cache(server: JudgeServer, tmp_path: Path) -> None:
    answer = write_table(("Cities", "Size", "Area"), [("NYC", "b", "1"), ("Bern", "tiny", "2")])
    scores = []
    for num_requests in (3, 0):
        async with judge_at(server, cache=tmp_path / "verdicts.sqlite") as judge:
            scores.append(await JudgedOfficialScorer(judge, NOW)(TASK, answer))
            assert judge.usage.num_requests == num_requests
            assert (judge.usage.num_questions, judge.usage.num_accepted) == (4, 3)
    assert scores[0] == scores[1]
    assert scores[0].row_recall == 0.5


async def test_score_responses_one_judge_serves_both_modes(server: JudgeServer) -> None:
    answer = write_table(HEADER, [("NYC", "bulky", "1"), ("Bern", "small", "2")])
    responses = [Response("t", answer), Response("t", answer)]
    async with judge_at(server, max_retries=0) as judge:
        (line, _) = [
            scored async for scored in score_responses(responses, {"t": TASK}, now=NOW, judge=judge)
        ]
        assert {mode: score and score.success for mode, score in line.scores.items()} == {
            "official": 1.0,
            "strict": 1.0,
        }
    server.otherwise = error_500
    async with judge_at(server, max_retries=0) as judge:
        (line,) = [
            scored
            async for scored in score_responses(
                responses[:1], {"t": TASK}, scorers=["official"], now=NOW, judge=judge
            )
        ]
    assert line.scores == {"official": None}
    assert "official: judge m" in (line.error or "")
