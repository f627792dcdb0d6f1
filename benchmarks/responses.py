"""The answers of a run as WideSearch's own pipeline reads them, for who wants its word on them.

A line has `instance_id`, `response` and `trial_idx`; `python -m wideseek_env score` reads it too.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from agents.episode_file import read_episodes
from benchmarks.llm import LLM
from benchmarks.run_folder import EPISODES, write_whole
from benchmarks.settings import Cell
from benchmarks.summary import cell_of


def write_responses(folder: Path) -> list[Path]:
    """Writes a file for each grid cell that a language model played; returns them.

    Invalid episodes have no line: nothing was answered there, neither right nor wrong.

    Raises:
        DataError: the run's episodes cannot be read.
    """
    lines: dict[Cell, list[bytes]] = {}
    for episode in read_episodes(folder / EPISODES):
        cell = cell_of(episode)
        if cell.policy == LLM and episode.valid:
            row = {
                "instance_id": episode.task.id,
                "response": episode.answer or "",
                "trial_idx": episode.metadata["trial"],
            }
            lines.setdefault(cell, []).append(msgspec.json.encode(row))
    paths = []
    for cell, rows in lines.items():
        depth = "" if cell.depth is None else f"_depth{cell.depth}"
        path = folder / "responses" / f"{cell.preset}_width{cell.width}{depth}.jsonl"
        path.parent.mkdir(exist_ok=True)
        write_whole(path, b"\n".join([*rows, b""]).decode())
        paths.append(path)
    return paths
