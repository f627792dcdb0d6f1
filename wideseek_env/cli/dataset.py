"""`wideseek dataset`: writes tasks as a data set that Hugging Face's `datasets` loads, with a card.

Nothing of theirs is needed to write one: it is JSON lines and a README whose head names the splits.
The lines are those of WideSeek-R1's data, so they are tasks for `load_tasks` as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import msgspec
from tyro.conf import Positional

from wideseek_env.cli.options import Count, OutFolder, Seed, check_values
from wideseek_env.errors import Interrupted
from wideseek_env.plugins import one_of
from wideseek_env.records import Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.outputs import as_wideseek_r1
from wideseek_env.worlds import PRESETS, Split, World
from wideseek_env.worlds.files import write_lines

_TASKS_EACH = 64
"""Of a world: more of one would repeat its names."""
_CARD = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train.jsonl
  - split: test
    path: data/test.jsonl
language: [{languages}]
task_categories: [question-answering, table-question-answering]
size_categories: [{size}]
tags: [information-seeking, multi-agent, synthetic]
---

# {title}

{num_train:,} training tasks and {num_test:,} held-out ones of broad information seeking: each asks
for a table, and has it. {origin}

| field | holds |
|---|---|
| `instance_id` | id of the task |
| `question` | what is asked, with the columns of the table |
| `answer` | the gold table, in Markdown |
| `unique_columns` | the columns that name a row |
| `evaluation` | WideSearch's rules of comparison for each column, as JSON text |
| `language`, `is_markdown` | of question and answer |

```python
from datasets import load_dataset

rows = load_dataset("{folder}")
```

Made by `{command}` of wideseek {version}; `wideseek_env.tasks.files.load_tasks` reads the files as
tasks.
"""


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """Writes tasks as a data set for Hugging Face's `datasets`: two splits and a card."""

    source: Positional[str]
    """A folder that `wideseek synthesize` wrote, or a preset of closed worlds."""
    out: OutFolder
    """Folder of the data set."""
    num_tasks: Count = 20_000
    """Training tasks of closed worlds, 64 of each world; a folder gives all it has."""
    num_test: Count = 500
    """Held-out tasks of closed worlds, whose names no training world has."""
    seed: Seed = 0
    """Of the first world."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.source not in PRESETS and not (Path(self.source) / "tasks.jsonl").is_file():
            raise ValueError(
                f"expected a folder with the tasks.jsonl of `wideseek synthesize`, or "
                f"{one_of(PRESETS, self.source)}"
            )


def run(options: DatasetOptions) -> int:
    """Writes the data set; returns the exit status."""
    folder = Path(options.source)
    if options.source in PRESETS:
        train = _of_worlds(options, "train", options.num_tasks)
        test = _of_worlds(options, "test", options.num_test)
        origin = (
            f"They are about closed, made-up worlds of the preset `{options.source}`; each world "
            "has up to 64 tasks, and the held-out worlds share no name with the others."
        )
    else:
        train, test = load_tasks(folder / "tasks.jsonl"), load_tasks(folder / "test.jsonl")
        card = folder / "card.md"
        origin = "They are made out of pages" + (
            f"; of these and of what was left out its own card tells:\n\n{card.read_text('utf-8')}"
            if card.is_file()
            else "."
        )
    counts: dict[str, int] = {}
    languages: set[str] = set()
    try:
        for split, tasks in (("train", train), ("test", test)):
            path = options.out / "data" / f"{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            counts[split] = write_lines(path, map(_row, _seen(tasks, languages)))
    except KeyboardInterrupt as error:
        raise Interrupted(f"{options.out} is not whole; the same command begins anew") from error
    (options.out / "README.md").write_text(_card(options, counts, languages, origin), "utf-8")
    print(f"wrote {counts['train']:,} training and {counts['test']:,} test tasks to {options.out}")
    return 0


def _of_worlds(options: DatasetOptions, split: Split, num_tasks: int) -> Iterator[Task]:
    num_worlds = -(-num_tasks // _TASKS_EACH)
    worlds = (World(options.source, seed=options.seed + i, split=split) for i in range(num_worlds))
    return islice(chain.from_iterable(world.tasks(_TASKS_EACH) for world in worlds), num_tasks)


def _seen(tasks: Iterable[Task], languages: set[str]) -> Iterator[Task]:
    for task in tasks:
        languages.add(task.language)
        yield task


def _row(task: Task) -> bytes:
    """Writes a task; `datasets` wants equal fields in all rows, so the rules become a text."""
    row = json.loads(as_wideseek_r1(task))
    row["evaluation"] = json.dumps(row["evaluation"], ensure_ascii=False)
    return msgspec.json.encode(row)


def _card(options: DatasetOptions, counts: dict[str, int], languages: set[str], origin: str) -> str:
    from wideseek_env.cli.commands import version_of  # noqa: PLC0415 - it imports this module

    total = sum(counts.values())
    size = next(
        (name for least, name in ((10_000, "10K<n<100K"), (1_000, "1K<n<10K")) if total >= least),
        "n<1K",
    )
    return _CARD.format(
        languages=", ".join(sorted(languages)),
        size=size if total < 100_000 else "100K<n<1M",
        title=f"Broad tasks: {Path(options.source).name}",
        num_train=counts["train"],
        num_test=counts["test"],
        origin=origin,
        folder=options.out.name,
        command=f"wideseek dataset {Path(options.source).name}",
        version=version_of(),
    )
