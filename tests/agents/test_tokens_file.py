from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from agents.episode_file import EpisodeFile, read_episodes
from agents.tokens_file import join_tokens, read_tokens, split_tokens, tokens_path
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode
from wideseek_env.records import (
    Column,
    Decision,
    Episode,
    Limits,
    Score,
    Task,
    TokenSpan,
    Trajectory,
    Turn,
)

SPANS = (
    TokenSpan((1, 2, 3), (4, 151_000), (-0.1, -math.pi)),
    None,
    TokenSpan((), (7,), ()),
    TokenSpan((2**31 - 1,), (), ()),
)


def made(key: str, spans: tuple[TokenSpan | None, ...] = SPANS) -> Episode:
    turns = [Turn(Decision(text="a", tokens=span), (), 0.0, 0.0, 0.0, 0) for span in spans]
    return Episode(
        task=Task("t", "q", (Column("A"),), ("A",), (("x",),)),
        policy="p",
        seed=0,
        n_subagents=1,
        limits=Limits(),
        trajectories=(
            Trajectory("lead", "lead", "q", tuple(turns[:1]), "answered"),
            Trajectory("subagent_0", "subagent", "s", tuple(turns[1:]), "reported"),
        ),
        end="answered",
        answer="",
        score=Score(0, 0, 0, 0, 0, 0, 0),
        reward_terms={},
        provenance=(),
        seconds=0.0,
        metadata={"key": key},
    )


def test_join_gives_back_what_split_took_off() -> None:
    episode = made("k")
    bare, line = split_tokens(episode)
    assert line is not None
    assert all(turn.decision.tokens is None for t in bare.trajectories for turn in t.turns)
    assert b"151000" not in encode(bare)
    assert join_tokens(bare, line) == episode


def test_split_without_tokens_has_no_line() -> None:
    episode = made("k", (None, None))
    assert split_tokens(episode) == (episode, None)


def test_join_of_another_episode_is_refused() -> None:
    _, line = split_tokens(made("k", SPANS[:2]))
    assert line is not None
    with pytest.raises(DataError, match="not of one run"):
        join_tokens(made("k"), line)


def test_episode_file_keeps_tokens_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    episodes = [made("a"), made("b", (None, None)), made("c", SPANS[:1])]
    with EpisodeFile(path) as file:
        for episode in episodes:
            file.append(episode)
    assert list(read_episodes(path, tokens=True)) == episodes
    assert list(read_episodes(path)) == [split_tokens(episode)[0] for episode in episodes]
    assert list(read_tokens(tokens_path(path))) == ["a", "c"]


def test_episode_file_reopened_after_a_kill_drops_the_cut_tokens(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    with EpisodeFile(path) as file:
        file.append(made("a"))
    with tokens_path(path).open("ab") as tokens:
        tokens.write(b'{"key":"b","leng')
    again = replace(made("b"), seed=7)
    with EpisodeFile(path) as file:
        file.append(again)
    assert list(read_episodes(path, tokens=True)) == [made("a"), again]


def test_episode_played_again_has_its_new_tokens(tmp_path: Path) -> None:
    path = tmp_path / "episodes.jsonl"
    with EpisodeFile(path) as file:
        file.append(replace(made("a"), score=None))
    again = made("a", (TokenSpan((9,), (9,), (0.0,)),))
    with EpisodeFile(path) as file:
        file.append(again)
    assert list(read_episodes(path, tokens=True)) == [again]


def test_read_tokens_of_a_broken_file_says_which_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tokens.jsonl"
    path.write_bytes(b'{"key": "a"}\n{}\n')
    with pytest.raises(DataError, match="line 2"):
        read_tokens(path)
