"""The prompt data set of OpenRLHF, made from a task source: one line a task.

The prompt names the task, for logs alone; the label says which one is played and how wide. The
executor makes the task from its number, so no gold table leaves our hands, and twenty thousand
prompts are written without making a single world.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from trainers.draw import Draw
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


def write_prompts(settings: TeamSettings, split: Split, tasks_per_iteration: int) -> Path:
    """Writes the data set of a split into the run's folder and returns its path.

    The lines are in the order in which `train grpo` plays its first pass, and are read in it, so
    that OpenRLHF's `--data.max_samples` takes tasks of many worlds.

    Args:
        settings: ours.
        split: which tasks.
        tasks_per_iteration: OpenRLHF's `--rollout.batch_size`.
    """
    source = settings.tasks(split)
    draw = Draw(
        num_tasks=len(source),
        tasks_per_iteration=tasks_per_iteration,
        n_subagents=settings.n_subagents,
        random_width=settings.random_width,
        seed=settings.seed,
    )
    number = None if split == "train" else settings.eval_tasks
    path = settings.folder(f"prompts-{split}.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for index, n_subagents in islice(draw.first_pass(), number):
            line = {
                "input": f"{source.name} {index}",
                "label": Label(split, index, n_subagents).text,
                "datasource": split,
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return path
