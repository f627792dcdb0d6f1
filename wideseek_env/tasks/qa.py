"""Questions with one answer (ASearcher and the like): `question`, `answer`, one JSON line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from wideseek_env.errors import DataError
from wideseek_env.records import Column, Task
from wideseek_env.tasks.rows import load_rows


class _Row(msgspec.Struct):
    question: str
    answer: str | list[str]
    aug_answer: list[str] = []
    id: str | int = ""
    instance_id: str | int = ""
    language: str = "en"


def load_qa(
    path: Path | str, *, strict: bool = False, skipped: list[DataError] | None = None
) -> Iterator[Task]:
    """Yields one deep task for each line.

    Args:
        path: JSON lines, plain or `.gz`; `answer` is a text, or a list of texts that are all right.
        strict: whether a bad line stops the reading.
        skipped: takes the errors of the lines left out.

    Raises:
        DataError: the file cannot be read; or, when `strict`, a line holds no question.
    """
    stem = Path(path).name.partition(".")[0]

    def make(row: _Row, number: int) -> Task:
        answers = [row.answer] if isinstance(row.answer, str) else row.answer
        task_id = str(row.instance_id) or str(row.id) or f"{stem}_{number}"
        return make_deep_task(task_id, row.question, [*answers, *row.aug_answer], row.language)

    return load_rows(Path(path), _Row, make, strict=strict, skipped=skipped)


def make_deep_task(task_id: str, question: str, answers: Sequence[str], language: str) -> Task:
    """Returns a task with one answer; the answers after the first are as right as it.

    Raises:
        ValueError: there is no answer, or a blank one comes first.
    """
    if not answers or not answers[0].strip():
        raise ValueError(f"expected at least one answer, got {list(answers)!r}")
    gold, *others = dict.fromkeys(answers)
    return Task(
        id=task_id,
        question=question,
        columns=(Column("answer", "llm_judge"),),
        key_columns=("answer",),
        gold=((gold,),),
        kind="deep",
        language=language,
        aliases={gold: tuple(others)} if others else {},
    )
