"""What Ray costs, and whether it loses anything: `wideseek speed cluster`.

Scripted agents play the same episodes in worker processes and on actors of a local Ray cluster. The
start of either is left out: time runs from the first episode that is kept to the last. Then a
policy ends its process in the middle of a run, and what was kept is held against the run before.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.table import Table

from agents.evaluate import Exam
from agents.policy import EpisodeInfo, Player
from agents.ray_run import joined, play_on_ray
from agents.run import OnEpisode, Part, play_in_workers
from agents.scripted import FanoutPolicy
from benchmarks.speed.targets import print_targets
from wideseek_env.cli.commands import run_command
from wideseek_env.cli.options import Count, check_values
from wideseek_env.cli.terminal import console as results_console
from wideseek_env.cli.terminal import print_table
from wideseek_env.records import Episode
from wideseek_env.tasks.source import TaskSource

_TASKS = 40
Play = Callable[[OnEpisode], None]


class DiesOnce(FanoutPolicy):
    """Ends its process at the fifth task, unless the mark is there that it did.

    Args:
        mark: a file.
    """

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self._mark = mark
        self._num_begun = 0

    def begin(self, info: EpisodeInfo) -> Player:
        """Begins an episode, or ends everything."""
        self._num_begun += 1
        if self._num_begun == 5 and not self._mark.exists():
            self._mark.touch()
            os._exit(1)
        return super().begin(info)


def exam(num_episodes: int) -> Exam:
    """Makes the episodes: wide tasks of one world, for a team of four."""
    source = TaskSource.worlds("starter", (0,), tasks_each=_TASKS)
    return Exam(source, 4, num_trials=-(-num_episodes // _TASKS))


def rate_of(play: Play) -> tuple[float, list[Episode]]:
    """Plays; gives the episodes a second, and the episodes."""
    kept, at_s = list[Episode](), list[float]()

    def keep(episode: Episode) -> None:
        kept.append(episode)
        at_s.append(time.perf_counter())

    play(keep)
    first = len(kept) // 5  # by then every process has made its world
    return (len(kept) - 1 - first) / (at_s[-1] - at_s[first]), kept


def what_was_played(episodes: list[Episode]) -> list[tuple[str, str | None, float]]:
    """Gives key, answer and score of each episode, in order of the keys."""
    return sorted(
        (str(e.metadata["key"]), e.answer, e.score.item_f1 if e.score else -1.0) for e in episodes
    )


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Measures what a Ray cluster on this machine costs beside worker processes.

    Ends with status 1 when a target is missed.
    """

    num_episodes: Count = 1_200
    """Episodes of each run."""
    num_rounds: Count = 3
    """Runs of each kind, in turn; the quickest counts, as others on the machine only slow it."""
    num_actors: Count = 2
    """Actors and processes, each on a core."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: ClusterOptions) -> int:
    """Prints the comparison; returns 0 when every target is reached, else 1."""
    num = options.num_actors
    part = Part([exam(options.num_episodes)], FanoutPolicy, max_concurrent=1)
    ways: dict[str, Play] = {
        f"{num} worker processes": lambda keep: play_in_workers([part], frozenset(), keep, num),
        "1 actor": lambda keep: play_on_ray([part], frozenset(), keep, num_actors=1),
        f"{num} actors": lambda keep: play_on_ray([part], frozenset(), keep, num_actors=num),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    played: list[Episode] = []
    with joined(num_cpus=num), tempfile.TemporaryDirectory() as folder:
        for _ in range(options.num_rounds):
            for name, play in ways.items():
                rate, played = rate_of(play)
                rates[name].append(rate)
        mortal = Part(part.exams, partial(DiesOnce, Path(folder) / "mark"), max_concurrent=1)
        _, again = rate_of(lambda keep: play_on_ray([mortal], frozenset(), keep, num_actors=num))
        is_same = (Path(folder) / "mark").exists() and what_was_played(again) == what_was_played(
            played
        )
    workers, one, many = (max(rates[name]) for name in ways)
    overhead_ms = 1000 * num * (1 / many - 1 / workers)
    table = Table(
        title=f"{len(played)} episodes of fanout at width 4, world starter; best of "
        f"{options.num_rounds}",
        title_justify="left",
    )
    for header in ("way", "episodes/s", "ms of an actor for an episode"):
        table.add_column(header, justify="left" if header == "way" else "right")
    for name, rate, size in zip(ways, (workers, one, many), (num, 1, num), strict=True):
        table.add_row(name, f"{rate:.0f}", f"{1000 * size / rate:.2f}")
    console = results_console()
    print_table(console, table)
    targets = {
        f"Ray adds less than 1 ms to an episode: {overhead_ms:+.2f} ms": overhead_ms < 1,
        f"{num} actors play {many / one:.2f} times what one plays": many / one > 0.8 * num,
        "an actor killed in mid-run: the same episodes, each once": is_same,
    }
    return 0 if print_targets(console, targets) else 1


if __name__ == "__main__":
    sys.exit(run_command("speed cluster"))
