"""Mistakes in the settings are told in one sentence that lists what is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.compare.llm import LLMSettings
from benchmarks.compare.policies import POLICIES
from benchmarks.compare.settings import GridCell, Settings
from wideseek_env.worlds import PRESETS

QUICK = Settings()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": ("oracel",)}, "policies: expected one of solo, .*got 'oracel'.*mean oracle"),
        ({"policies": ()}, "--policies"),
        ({"sources": ("easy", "medium")}, "sources: expected one of starter, .*got 'medium'"),
        ({"widths": (0, -1)}, "--widths: expected at least 0 and at most 256, got -1"),
        ({"widths": ()}, "--widths: expected at least one"),
        ({"widths": (1, 2, 1)}, "--widths: expected each value once, got 1 twice"),
        ({"depths": (0,)}, "--depths: expected at least 1"),
        ({"num_tasks": 0}, "--num-tasks: expected at least 1"),
        ({"num_trials": 0}, "--num-trials: expected at least 1"),
        ({"seed": -1}, "--seed"),
        ({"budget": 0}, "--budget: expected at least 1"),
        ({"sources": ()}, "--sources: expected at least one"),
    ],
)
def test_settings_mistake_is_named_with_what_is_allowed(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(QUICK, **changes)


def test_settings_no_policy_plays_at_the_widths_is_told():
    with pytest.raises(ValueError, match="no policy of fanout plays at widths 0"):
        Settings(policies=("fanout",), widths=(0,)).check_playable()


def test_cells_each_policy_at_the_widths_it_plays_then_the_depth_sweep():
    settings = Settings(
        policies=("solo", "fanout"), widths=(0, 1, 4), depths=(5, 10), sources=("easy",)
    )
    assert settings.left_out() == ()
    assert settings.cells() == (
        GridCell("easy", "solo", 0),
        GridCell("easy", "fanout", 1),
        GridCell("easy", "fanout", 4),
        GridCell("easy", "solo", 0, 5),
        GridCell("easy", "solo", 0, 10),
    )


def test_from_json_gives_the_settings_back():
    settings = replace(QUICK, widths=(0, 3), budget=None)
    assert Settings.from_json(settings.to_json()) == settings


def test_difference_names_the_first_setting_that_differs():
    assert QUICK.difference(QUICK.to_json()) is None
    other = replace(QUICK, budget=7).to_json()
    assert QUICK.difference(other) == f"`budget` was 7 and is now {QUICK.budget}"


def test_a_server_at_another_address_is_no_other_run_but_another_model_is():
    def asking(**how):
        return Settings(policies=("llm",), llm=LLMSettings(**{"model": "m", **how}))

    before = asking(base_url="http://127.0.0.1:1/v1").to_json()
    moved = asking(base_url="http://127.0.0.1:2/v1", max_retries=1, max_concurrent=2)
    assert moved.difference(before) is None
    assert "'model': 'm'" in asking(model="other").difference(before)


def test_policies_have_one_for_each_kind_of_team():
    assert {entry.team for entry in POLICIES.values()} == {"alone", "team", "any"}


def test_policies_that_read_worlds_alone_sit_out_a_corpus(tmp_path):
    settings = replace(
        QUICK, policies=("fanout", "mappo"), widths=(2,), sources=(f"corpus:{tmp_path}",)
    )
    assert {cell.policy for cell in settings.cells()} == {"fanout"}
    assert settings.left_out() == ("mappo",)


def test_policies_of_one_preset_play_there_alone_and_are_told_of_elsewhere():
    settings = replace(QUICK, policies=("fanout", "grpo"), sources=("starter", "easy"), widths=(2,))
    played = {(cell.source, cell.policy) for cell in settings.cells()}
    assert played == {("starter", "fanout"), ("easy", "fanout"), ("starter", "grpo")}
    assert replace(settings, sources=("easy",)).left_out() == ("grpo",)
    with pytest.raises(ValueError, match="no policy of grpo plays at widths 2 on easy"):
        replace(settings, policies=("grpo",), sources=("easy",)).check_playable()


def test_every_preset_that_a_policy_names_exists():
    named = [preset for entry in POLICIES.values() for preset in entry.presets or ()]
    assert "starter" in named
    assert set(named) <= set(PRESETS)
