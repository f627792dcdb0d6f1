"""The prompt data set of OpenRLHF, made from a task source: one line a task.

The prompt names the task, for logs alone; the label says which one is played and how wide. The
executor makes the task from its number, so no gold table leaves our hands, and twenty thousand
prompts are written without making a single world.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from trainers.openrlhf.settings import TeamSettings

Split = Literal["train", "eval"]


@dataclass(frozen=True, slots=True)
class Label:
    """What one prompt stands for."""

    split: Split
    index: int
    """Number of the task in its source."""
    n_subagents: int

    @property
    def text(self) -> str:
        """As it stands in the data set; equal for the episodes of one group alone."""
        return json.dumps([self.split, self.index, self.n_subagents])

    @classmethod
    def read(cls, text: str) -> Label:
        """Returns the label that a text stands for."""
        split, index, n_subagents = json.loads(text)
        return cls(split, index, n_subagents)


def write_prompts(settings: TeamSettings, split: Split) -> Path:
    """Writes the data set of a split into the run's folder and returns its path."""
    source = settings.tasks(split)
    number = len(source) if split == "train" else min(len(source), settings.eval_tasks)
    rng = np.random.default_rng((settings.seed, split == "eval"))
    widths = rng.integers(min(settings.n_subagents, 1), settings.n_subagents + 1, len(source))
    path = settings.folder(f"prompts-{split}.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        # As drawn: OpenRLHF's `--data.max_samples` takes the first lines, which would else be all
        # tasks of the first few worlds.
        for index in rng.permutation(len(source))[:number].tolist():
            width = int(widths[index]) if settings.random_width else settings.n_subagents
            label = Label(split, index, width)
            line = {
                "input": f"{source.name} {index}",
                "label": label.text,
                "datasource": split,
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path
