from __future__ import annotations

import pytest

from wideseek_env.records import Column
from wideseek_env.scoring import Table, score_table

GOLD = "| city | people |\n|---|---|\n| Bern | 134,794 |\n| Chur | 38,293 |"
ANSWER = "| City | People |\n|---|---|\n| BERN | 135000 |"


def test_score_table_gold_as_text_rows_and_table_are_the_same() -> None:
    rows = [{"city": "Bern", "people": "134,794"}, {"city": "Chur", "people": "38,293"}]
    table = Table(("city", "people"), (("Bern", "134,794"), ("Chur", "38,293")))
    scores = [score_table(ANSWER, gold) for gold in (GOLD, rows, table)]
    assert scores[0] == scores[1] == scores[2]
    assert scores[0].correct == ((0, 0),)


def test_score_table_columns_and_keys_can_be_stated() -> None:
    people = Column("people", "number_near", ("extract_number",), 0.05)
    assert score_table(ANSWER, GOLD, columns=[people]).row_recall == 0.5
    assert score_table(ANSWER, GOLD, key_columns=["people"]).item_recall == 0.0
    assert score_table("| city | people |\n|---|---|\n| Coire | 38293 |", GOLD,
                       aliases={"Chur": ("Coire",)}).row_recall == 0.5  # fmt: skip


def test_score_table_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="area"):
        score_table(ANSWER, GOLD, key_columns=["area"])
    with pytest.raises(ValueError, match="Markdown table"):
        score_table(ANSWER, "none")
    with pytest.raises(ValueError, match="at least one row"):
        score_table(ANSWER, [])
