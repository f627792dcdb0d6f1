"""Worlds: the same in every process, as large as they say, with disjoint splits."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys

import pytest

from wideseek_env.worlds import PRESETS, World
from wideseek_env.worlds.presets import Preset

_DIGEST = """
import hashlib
from wideseek_env.jsonlines import encode
from wideseek_env.worlds import World
digest = hashlib.sha256()
for preset in ("starter", "hard"):
    world = World(preset, seed=4, split="test")
    for page in world.pages():
        digest.update(f"{page.url}{page.title}{page.html}".encode())
    for task in world.tasks(30, seed=2, kind="hybrid"):
        digest.update(encode(task))
print(digest.hexdigest())
"""


def test_world_in_two_processes_with_different_hash_seeds_is_the_same():
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", _DIGEST],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in ("1", "2")
    ]
    digests = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 65


@pytest.mark.parametrize("preset", list(PRESETS))
def test_pages_are_as_many_as_announced_with_different_urls_and_links_that_lead_somewhere(preset):
    world = World(preset)
    pages = {page.url: page for page in world.pages()}
    assert len(pages) == world.num_pages == sum(1 for _ in world.pages())
    targets = {link for page in pages.values() for link in re.findall(r'href="([^"]+)"', page.html)}
    assert targets - {"/style.css"} <= pages.keys()
    # every page but portals and first pages of lists in compact worlds can be reached by links
    assert len(pages.keys() - targets) <= 20


def test_num_pages_gives_whole_regions_and_at_least_so_many():
    one = World("easy", num_pages=1)
    assert len(list(one.pages())) == one.num_pages
    world = World("easy", num_pages=1000)
    assert 1000 <= world.num_pages < 1000 + one.num_pages
    first = itertools.islice(world.pages(), one.num_pages)
    assert list(first) == list(one.pages()), "a larger world goes on where a smaller one ends"


def test_pages_of_a_million_come_one_region_at_a_time():
    world = World("default", num_pages=1_000_000)
    assert world.num_pages >= 1_000_000
    for _ in itertools.islice(world.pages(), 7_000):
        pass
    assert len(world._kept) <= 8


def _names(world: World) -> set[str]:
    """Returns every capitalised word of titles and facts, save those of the language."""
    words: set[str] = set()
    for page in world.pages():
        words |= set(re.findall(r"\b[A-Z][a-z]{3,}\b", re.sub("<[^>]+>", " ", str(page.html))))
    return words


@pytest.mark.parametrize("preset", ["starter", "hard"])
def test_train_and_test_worlds_share_no_name(preset):
    def names(seed: int, split: str) -> set[str]:
        region = World(preset, seed, split, num_pages=1)._region(0).region
        found = {region.name, *region.provinces}
        for entity in region.by_name.values():
            found |= {entity.name, *entity.aliases}
            found |= {v for v in entity.values.values() if isinstance(v, str) and v.istitle()}
        return found

    train = names(0, "train") | names(1, "train")
    test = names(0, "test") | names(1, "test")
    assert len(train) > 150
    assert not train & test
    # not only whole names: no made-up word occurs on both sides, aliases and people included
    language = _names(World(preset, 7, "train", 1)) & _names(World(preset, 8, "test", 1))
    assert len(language) < 250, "words of headings and sentences only"
    assert not language & train


def test_other_seed_gives_another_world_and_other_tasks():
    assert next(World("easy", 0).pages()) != next(World("easy", 1).pages())
    world = World("easy")
    assert [t.gold for t in world.tasks(5)] != [t.gold for t in world.tasks(5, seed=1)]
    assert list(world.tasks(5)) == list(World("easy").tasks(5))


def test_tasks_do_not_depend_on_how_many_are_asked_for():
    world = World("easy")
    assert list(world.tasks(3)) == list(world.tasks(20))[:3]


@pytest.mark.parametrize("preset", list(PRESETS))
def test_tasks_are_different_and_within_the_knobs(preset):
    world, knobs = World(preset), PRESETS[preset]
    tasks = list(world.tasks(60))
    assert len({task.id for task in tasks}) == 60
    assert len({(task.column_names, task.gold) for task in tasks}) == 60
    for task in tasks:
        assert knobs.rows[0] <= len(task.gold) <= knobs.rows[1]
        assert knobs.columns[0] <= len(task.columns) <= knobs.columns[1]
        assert knobs.conditions[0] <= task.metadata["conditions"] or "among" in task.question
        assert task.question.endswith(f": {', '.join(task.column_names)}.")
        assert len({row[0] for row in task.gold}) == len(task.gold), "the key is unique"
        assert task.metadata["rows"] == len(task.gold)


def test_hybrid_tasks_are_wide_and_deep_in_turn():
    kinds = [task.kind for task in World("easy").tasks(6, kind="hybrid")]
    assert kinds == ["wide", "deep"] * 3
    for task in World("hops").tasks(20, kind="deep"):
        assert len(task.gold) == len(task.columns) == 1
        assert task.gold[0][0]
        assert 2 <= task.metadata["hops"] <= 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "gentle"}, "starter, easy, default"),
        ({"preset": None}, "starter, easy, default"),
        ({"split": "dev"}, "train, test"),
        ({"num_pages": 0}, "at least 1, got 0"),
    ],
)
def test_world_wrong_argument_raises(arguments, message):
    with pytest.raises(ValueError, match=message):
        World(**arguments)


def test_tasks_wrong_argument_raises():
    with pytest.raises(ValueError, match="wide, deep, hybrid"):
        World("starter").tasks(1, kind="narrow")
    with pytest.raises(ValueError, match="at least 0, got -1"):
        World("starter").tasks(-1)


def test_tasks_impossible_preset_raises_and_names_the_knob():
    knobs = Preset("own", PRESETS["easy"].limits, sizes=(3,) * 10, rows=(30, 40))
    with pytest.raises(ValueError, match="`rows` in \\(30, 40\\)"):
        list(World(knobs).tasks(1))
    knobs = Preset("own", PRESETS["easy"].limits, attributes=2, conditions=(9, 9))
    with pytest.raises(ValueError, match="or change `sizes` or `conditions`"):
        list(World(knobs).tasks(1))


def test_world_larger_than_its_names_raises():
    with pytest.raises(ValueError, match="words for 'test' worlds are used up; ask for fewer"):
        World("starter", split="test", num_pages=1_000_000)


async def test_backend_finds_every_list_page_by_its_title():
    world = World("default", split="test", num_pages=1)
    backend = world.backend()
    titles = [page.title for page in world.pages() if page.title.startswith("List of")]
    for title in titles[::3]:
        hits = await backend.search(title, 3)
        assert title in [hit.title for hit in hits]


async def test_backend_finds_things_by_name_and_by_relation():
    world = World("default", split="test", num_pages=1)
    backend, region = world.backend(), world._region(0).region
    bridges = region.entities["bridge"]
    for entity in bridges[:30]:
        hits = await backend.search(entity.name, 3)
        assert entity.url in [hit.url for hit in hits]
    for entity in bridges:
        river = region.by_name[entity.values["river"]]
        names = " ".join([river.name, *river.aliases])
        hits = await backend.search(f"bridge that crosses the river {names}", 20)
        assert entity.url in [hit.url for hit in hits]
