"""The answers of a run as WideSearch's own pipeline reads them, for who wants its word on them.

A line has `instance_id`, `response` and `trial_idx`; `wideseek score` reads it too.
WideSearch's own script looks for one file for each answer, so its tasks get these as well.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from agents.episode_file import read_episodes
from benchmarks.compare.llm import LLM, is_model
from benchmarks.compare.run_folder import EPISODES, RunInfo, write_whole
from benchmarks.compare.settings import GridCell
from benchmarks.compare.summary import cell_of


def write_responses(folder: Path) -> list[Path]:
    """Writes a file for each grid cell that a language model played; returns what it wrote.

    For tasks in WideSearch's format a folder beside it holds each answer alone, under the name that
    WideSearch's `run_infer_and_eval_batching.py` gives to it. Invalid episodes have no line:
    nothing was answered there, neither right nor wrong.

    Raises:
        DataError: the run's episodes cannot be read.
    """
    rows: dict[GridCell, list[_Row]] = {}
    for episode in read_episodes(folder / EPISODES):
        cell = cell_of(episode)
        if is_model(cell.policy) and episode.valid:
            row = _Row(episode.task.id, episode.answer or "", episode.metadata["trial"])
            rows.setdefault(cell, []).append(row)
    is_widesearch = bool(rows) and RunInfo.read(folder).settings.tables is not None
    paths = []
    for cell, answers in rows.items():
        depth = "" if cell.depth is None else f"_depth{cell.depth}"
        model = "" if cell.policy == LLM else f"{_file_name(cell.policy)}_"
        alone = folder / "responses" / f"{model}{_file_name(cell.source)}_width{cell.width}{depth}"
        paths.append(alone.with_name(f"{alone.name}.jsonl"))
        paths[-1].parent.mkdir(exist_ok=True)
        _write(paths[-1], answers)
        if is_widesearch:
            alone.mkdir(exist_ok=True)
            for row in answers:
                name = f"{model or f'{LLM}_'}{row.instance_id}_{row.trial_idx}_response.jsonl"
                _write(alone / name, [row])
            paths.append(alone)
    return paths


def _file_name(source: str) -> str:
    return re.sub(r"[^\w.-]+", "_", source)


class _Row(msgspec.Struct):
    instance_id: str
    response: str
    trial_idx: int


def _write(path: Path, rows: list[_Row]) -> None:
    write_whole(path, b"".join(msgspec.json.encode(row) + b"\n" for row in rows).decode())
