"""Tasks: every source holds its cell, columns are compared by type, budgets want many agents."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
from webreader import web_of

from wideseek_env.jsonlines import decode_task, encode
from wideseek_env.worlds import PRESETS, World

_MONTHS = [datetime.date(2000, month, 1).strftime("%B") for month in range(1, 13)]
_FACTORS = [Decimal(x) for x in ("1", "1000", "0.001", "100", "0.01", "60", "1000000")]


def _spellings(cell: str, aliases: tuple[str, ...]) -> set[str]:
    """Returns ways to write a gold cell, worked out here and not by the code under test."""
    if cell == "":
        return {"unknown", "not known"}
    found = {cell, *aliases}
    if cell.isdigit():
        for factor in _FACTORS:
            number = (Decimal(cell) * factor).normalize()
            found |= {f"{number:f}", f"{number:,f}"}
    if match := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", cell):
        day = datetime.date(*map(int, match.groups()))
        month = _MONTHS[day.month - 1]
        found |= {
            f"{day.day} {month} {day.year}",
            f"{month} {day.day}, {day.year}",
            f"{day.day} {month[:3]} {day.year}",
        }
    return found


@pytest.mark.parametrize("preset", list(PRESETS))
def test_sources_hold_their_cell_in_some_format(preset):
    web = web_of(preset)
    for task in web.world.tasks(30, seed=1, kind="hybrid"):
        assert len(task.sources) == len(task.gold)
        for cells, sources in zip(task.gold, task.sources, strict=True):
            assert len(sources) == len(cells)
            for cell, urls in zip(cells, sources, strict=True):
                assert urls, "each cell has a source"
                spellings = _spellings(cell, task.aliases.get(cell, ()))
                for url in urls:
                    assert any(spelling in web.text(url) for spelling in spellings), (cell, url)


def test_columns_are_compared_by_the_type_of_their_attribute():
    seen = set()
    for task in World("default").tasks(80):
        for index, column in enumerate(task.columns):
            cells = [row[index] for row in task.gold]
            how = (column.metric, column.preprocess, column.criterion)
            seen.add(how)
            if how == ("number_near", ("extract_number",), 0.0):
                assert all(cell.isdigit() for cell in cells)
            elif how == ("date_near", ("norm_date",), None):
                assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", cell) for cell in cells)
                assert column.name.endswith("(YYYY-MM-DD)")
            else:
                assert how == ("exact_match", ("norm_str",), None)
        assert task.key_columns == task.column_names[:1]
    assert len(seen) == 3


def test_tasks_survive_their_json_line():
    for task in World("hard").tasks(10, kind="hybrid"):
        assert decode_task(encode(task)) == task


def test_aliases_are_given_for_names_that_pages_write_in_another_way():
    tasks = list(World("hard").tasks(20))
    aliases = {name: other for task in tasks for name, other in task.aliases.items()}
    assert aliases
    assert all(other and name not in other for name, other in aliases.items())


def test_unknown_values_are_empty_cells_and_the_question_says_so():
    tasks = list(World("missing").tasks(40))
    empty = sum(cell == "" for task in tasks for row in task.gold for cell in row)
    cells = sum(len(task.columns) * len(task.gold) for task in tasks)
    assert 0.02 < empty / cells < 0.15
    assert all("Leave a cell empty" in task.question for task in tasks)
    assert all(row[0] for task in tasks for row in task.gold)


def test_metadata_tells_what_the_task_is():
    task = next(World("hops", seed=3, split="test").tasks(1))
    assert {key: task.metadata[key] for key in ("preset", "seed", "split")} == {
        "preset": "hops",
        "seed": 3,
        "split": "test",
    }
    assert task.metadata["rows"] == len(task.gold)


async def test_default_budget_is_too_small_for_one_agent_and_enough_for_eight():
    world = World("default", split="test", num_pages=1)
    backend, limits = world.backend(), world.preset.limits
    for task in world.tasks(20):
        region = next(
            m.region for m in world._kept.values() if m.region.name == task.metadata["region"]
        )
        # to check all conditions somebody must open the page of every thing of the kind
        pages = [await backend.open(e.url) for e in region.entities[task.metadata["domain"]]]
        assert all(page.num_parts == 1 for page in pages)
        chars = sum(len(page.text) for page in pages)
        assert 40 <= len(pages) <= 66
        assert chars > 5 * limits.max_context_chars, "a perfect single agent sees a fifth at most"
        # enumerate, check twice, answer: two rounds of eight contexts, a third of each spare
        assert limits.max_lead_turns == 4
        assert chars < 2 * 8 * limits.max_context_chars * 2 / 3


async def test_starter_pages_fit_a_context_of_512_tokens():
    world = World("starter")
    backend = world.backend()
    for page in world.pages():
        shown = await backend.open(page.url)
        assert len(shown.text) <= 160
        assert shown.num_parts == 1
    assert all(len(task.question) <= 130 for task in world.tasks(50))
    assert world.preset.limits.max_context_chars <= 512 * 2.5
