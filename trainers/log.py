"""What a run says: one JSON line for each iteration, TensorBoard, and a live view in the terminal.

Numbers about episodes are computed here, from the records alone; trainers add those of their own.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from trainers.batch import went_wrong
from trainers.hacks import hack_metrics
from wideseek_env.plugins import require
from wideseek_env.records import Episode

BARS = " ▁▂▃▄▅▆▇█"


class Timer:
    """Adds up the seconds of each named phase of an iteration."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Times what runs inside, under a name."""
        start_s = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[f"seconds/{phase}"] += time.perf_counter() - start_s


def episode_metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    """Returns means over episodes; invalid ones are counted and are in no other number."""
    valid = [episode for episode in episodes if episode.score is not None]
    metrics = {"episodes/invalid": float(len(episodes) - len(valid))}
    if not valid:
        return metrics
    for name in sorted({name for episode in valid for name in episode.reward_terms}):
        metrics[f"reward/{name}"] = fmean(e.reward_terms.get(name, 0.0) for e in valid)
    trajectories = [t for e in valid for t in e.trajectories]
    turns = [turn for trajectory in trajectories for turn in trajectory.turns]
    written = [len(turn.decision.tokens.ids) if turn.decision.tokens else 0 for turn in turns]
    return {
        **metrics,
        "reward/total": fmean(e.reward for e in valid),
        "episodes/item_f1": fmean(e.score.item_f1 for e in valid if e.score),
        "episodes/row_f1": fmean(e.score.row_f1 for e in valid if e.score),
        "episodes/parsed": fmean(e.score.parsed for e in valid if e.score),
        "episodes/answered": fmean(e.answer is not None for e in valid),
        "episodes/answer_chars": fmean(len(e.answer or "") for e in valid),
        "episodes/width": fmean(e.width for e in valid),
        "episodes/subtasks": len(trajectories) / len(valid) - 1,
        "episodes/tool_calls": fmean(e.num_tool_calls for e in valid),
        "episodes/turns": fmean(e.num_turns for e in valid),
        "turns/wrong": fmean(map(went_wrong, turns)),
        **hack_metrics(valid),
        "turns/tokens": fmean(written),
        "turns/tokens_max": float(max(written)),
    }


class RunLog:
    """Writes the numbers of each iteration; a context manager.

    Args:
        folder: gets `metrics.jsonl` and TensorBoard's files; lines that a run wrote after its last
            checkpoint are dropped, as those iterations are done again.
        first_iteration: where the run starts or goes on.
        shown: names of the numbers in the terminal view.
        num_iterations: of the run, for the view.
    """

    def __init__(
        self, folder: Path, first_iteration: int, shown: Sequence[str], num_iterations: int
    ) -> None:
        tensorboard = require("torch.utils.tensorboard", "train")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "metrics.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        whole = [line for line in lines if line.endswith("}")]
        kept = [line for line in whole if json.loads(line)["iteration"] < first_iteration]
        part = path.with_name(path.name + ".part")
        part.write_text("".join(line + "\n" for line in kept), "utf-8")
        os.replace(part, path)  # whole or not at all: a kill here must not lose the run's numbers
        self._file = path.open("a", encoding="utf-8")
        self._board = tensorboard.SummaryWriter(
            str(folder / "tensorboard"), purge_step=first_iteration
        )
        self._history: dict[str, list[float]] = defaultdict(list)
        self._shown, self._num_iterations = shown, num_iterations
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False)

    def __enter__(self) -> RunLog:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()
        self._file.close()
        self._board.close()

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Adds the numbers of one iteration everywhere."""
        line = {name: round(float(value), 8) for name, value in metrics.items()}
        self._file.write(json.dumps({"iteration": iteration, **line}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.add_scalar(name, value, iteration)
            self._history[name].append(float(value))
        if self._console.is_terminal:
            self._live.update(self._table(iteration), refresh=True)
        else:
            names = [name for name in self._names() if name in metrics]
            numbers = "  ".join(f"{name.split('/')[1]} {metrics[name]:.4g}" for name in names)
            self._console.print(
                f"iteration {iteration + 1}/{self._num_iterations}  {numbers}", soft_wrap=True
            )

    def _names(self) -> list[str]:
        times = sorted(name for name in self._history if name.startswith("seconds/"))
        return [name for name in (*self._shown, *times) if name in self._history]

    def _table(self, iteration: int) -> Table:
        table = Table(title=f"iteration {iteration + 1} of {self._num_iterations}")
        for heading in ("", "now", "mean of 10", "all iterations"):
            table.add_column(
                heading, justify="left" if heading in ("", "all iterations") else "right"
            )
        for name in self._names():
            past = self._history[name]
            table.add_row(name, f"{past[-1]:.4g}", f"{fmean(past[-10:]):.4g}", sparkline(past, 40))
        return table


def sparkline(values: Sequence[float], width: int) -> str:
    """Returns values as a line of at most `width` bars, each the mean of as many in a row."""
    size = -(-len(values) // width)
    means = [fmean(values[i : i + size]) for i in range(0, len(values), size)]
    low, high = min(means), max(means)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] for value in means)
