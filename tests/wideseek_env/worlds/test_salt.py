"""A secret salt: worlds that cannot be made again from what is published."""

from __future__ import annotations

from wideseek_env import World
from wideseek_env.tasks.source import TaskSource


def words(world: World) -> set[str]:
    """The titles of all pages, most of which are names of things."""
    return {page.title for page in world.pages()}


def test_salted_world_has_other_pages_and_answers_than_the_plain_one_of_its_seed() -> None:
    plain, salted = World("starter", seed=3), World("starter", seed=3, salt="secret")
    for other in (plain, World("starter", seed=3, salt="other")):
        shared = words(other) & words(salted)  # short names meet by chance
        assert len(shared) < 0.1 * len(words(salted))
    golds = [[task.gold for task in world.tasks(8)] for world in (plain, salted)]
    assert all(one != other for one, other in zip(*golds, strict=True))


def test_same_salt_makes_the_same_world() -> None:
    first, second = (World("starter", seed=3, salt="secret") for _ in range(2))
    assert list(first.tasks(5)) == list(second.tasks(5))
    assert list(first.pages()) == list(second.pages())


def test_ids_tell_salts_apart_and_not_the_salt() -> None:
    ids = {next(World("starter", salt=salt).tasks(1)).id for salt in ("", "secret", "other")}
    assert len(ids) == 3
    assert not any("secret" in name for name in ids)
    assert "starter-train-0-wide-0-0" in ids


def test_sources_of_one_seed_and_two_salts_share_no_world() -> None:
    plain, salted = (TaskSource.world("starter", num_tasks=3, salt=s) for s in ("", "secret"))
    many = TaskSource.worlds("starter", range(2), tasks_each=3, salt="secret")
    assert plain[0].task.gold != salted[0].task.gold
    assert plain[0].backend is not salted[0].backend
    assert salted.name != plain.name
    assert "secret" not in salted.name
    assert many[0].task == salted[0].task
