"""Shows why an answer scored what it did: gold table and answer side by side, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from wideseek_env.records import Score, Task
from wideseek_env.scoring.strict import NOTHING, Alignment, align, figures
from wideseek_env.scoring.tables import Table, read_table

Mark: TypeAlias = Literal["right", "wrong", "missing", "extra"]
"""right, wrong: a cell that both tables have; missing: a gold cell that the answer has not; extra:
a cell of the answer that nobody asked for."""

SIGNS: dict[Mark, str] = {"right": "✓", "wrong": "✗", "missing": "−", "extra": "+"}
_STYLES: dict[Mark, str] = {
    "right": "green",
    "wrong": "red",
    "missing": "yellow",
    "extra": "magenta",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of one of the two tables."""

    text: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class RowPair:
    """A gold row and the answer row that stands for it; either may be absent."""

    gold: tuple[Cell, ...] | None
    answer: tuple[Cell, ...] | None

    @property
    def whole(self) -> bool:
        """Whether both rows are there and every cell of them is right."""
        cells = (*(self.gold or ()), *(self.answer or ()))
        return bool(self.gold and self.answer) and all(cell.mark == "right" for cell in cells)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Both tables, aligned."""

    task: Task
    score: Score
    answer_text: str
    """The whole response."""
    answer_headers: tuple[str, ...]
    """Required columns in the task's order, then those that nobody asked for."""
    rows: tuple[RowPair, ...]
    """In the order of the gold table, then the answer's rows that stand for none."""
    num_repeated: int
    """Rows of the answer that say the same as one before them; they do not count."""

    @property
    def parsed(self) -> bool:
        """Whether the response holds a table."""
        return self.score.parsed


def explain(task: Task, answer: str, alignment: Alignment | None = None) -> Explanation:
    """Returns the two tables side by side, as strict mode sees them.

    Args:
        task: a wide task.
        answer: the response.
        alignment: of the answer's table, when a judge had its say; None: by rules alone.
    """
    table = read_table(answer, task.column_names)
    if table is None:
        rows = tuple(
            RowPair(tuple(Cell(cell, "missing") for cell in row), None) for row in task.gold
        )
        return Explanation(task, NOTHING, answer, (), rows, 0)
    alignment = alignment or align(task, table)
    extra = [i for i in range(len(table.header)) if i not in alignment.columns]
    return Explanation(
        task=task,
        score=figures(alignment),
        answer_text=answer,
        answer_headers=(
            *(
                column.name if index is None else table.header[index]
                for column, index in zip(task.columns, alignment.columns, strict=True)
            ),
            *(table.header[index] for index in extra),
        ),
        rows=tuple(_pair_rows(task, table, alignment, extra)),
        num_repeated=len(table.rows) - len(alignment.answer_rows),
    )


def _pair_rows(task: Task, table: Table, alignment: Alignment, extra: list[int]) -> list[RowPair]:
    correct = set(alignment.correct)
    answer_of = dict(alignment.pairs)
    paired = set(answer_of.values())

    def answer_cells(answer: int, gold: int | None) -> tuple[Cell, ...]:
        cells = []
        for column, index in enumerate(alignment.columns):
            if index is None:
                cells.append(Cell("", "missing"))
                continue
            mark: Mark = "extra" if gold is None else "wrong"
            if gold is not None and (gold, column) in correct:
                mark = "right"
            cells.append(Cell(table.rows[answer][index], mark))
        cells += [Cell(table.rows[answer][index], "extra") for index in extra]
        return tuple(cells)

    pairs = []
    for gold in alignment.gold_rows:
        answer = answer_of.get(gold)
        gold_cells = tuple(
            Cell(
                text,
                "right" if (gold, column) in correct
                else "missing" if answer is None or alignment.columns[column] is None
                else "wrong",
            )
            for column, text in enumerate(task.gold[gold])
        )  # fmt: skip
        pairs.append(RowPair(gold_cells, None if answer is None else answer_cells(answer, gold)))
    pairs += [
        RowPair(None, answer_cells(answer, None))
        for answer in alignment.answer_rows
        if answer not in paired
    ]
    return pairs


def print_explanation(explanation: Explanation, console: Console) -> None:
    """Prints both tables side by side; the signs say the same as the colours.

    On a narrow console each cell gets a line: its column, what gold says, what the answer says.
    """
    task, score = explanation.task, explanation.score
    console.print(Text(f"{task.id}: {task.question}"[:300], style="bold"))
    console.print(
        f"strict: item F1 {score.item_f1:.4f} (P {score.item_precision:.4f}, "
        f"R {score.item_recall:.4f}), row F1 {score.row_f1:.4f}, success {score.success:.0f}"
    )
    if not explanation.parsed:
        console.print(Text("no table in the response:", style="red"))
        console.print(Text(explanation.answer_text[:2000]))
        return
    console.print(f"[cyan]gold[/] │ answer: {_legend()}", highlight=False)
    wide_enough = console.width >= _MIN_CELL_WIDTH * (
        len(task.columns) + len(explanation.answer_headers)
    )
    console.print(_beside(explanation) if wide_enough else _cell_by_cell(explanation))
    if explanation.num_repeated:
        console.print(f"{explanation.num_repeated} repeated rows of the answer are not shown")


_MIN_CELL_WIDTH = 14
"""Below this width of a cell, each cell gets a line of its own."""


def _beside(explanation: Explanation) -> RichTable:
    """Returns both tables beside each other, a row on a line."""
    columns, headers = explanation.task.columns, explanation.answer_headers
    grid = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    grid.add_column("#", justify="right", style="dim", no_wrap=True)
    for column in columns:
        grid.add_column(Text(column.name), header_style="bold cyan", overflow="fold")
    grid.add_column("", no_wrap=True, style="dim")
    for name in headers:
        grid.add_column(Text(name), overflow="fold")
    for number, pair in enumerate(explanation.rows, 1):
        gold, answer = _texts(pair.gold, len(columns)), _texts(pair.answer, len(headers))
        grid.add_row(str(number), *gold, "│", *answer)
    return grid


def _cell_by_cell(explanation: Explanation) -> RichTable:
    """Returns one line for each cell: its column, what gold says, what the answer says."""
    names = [column.name for column in explanation.task.columns]
    names += explanation.answer_headers[len(names) :]
    grid = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    grid.add_column("#", justify="right", style="dim", no_wrap=True)
    grid.add_column("column", style="dim", overflow="fold", ratio=2)
    grid.add_column("gold", header_style="bold cyan", overflow="fold", ratio=3)
    grid.add_column("answer", overflow="fold", ratio=3)
    for number, pair in enumerate(explanation.rows, 1):
        golds, answers = _texts(pair.gold, len(names)), _texts(pair.answer, len(names))
        for index, name in enumerate(names):
            gold = golds[index] if index < len(golds) else ""
            grid.add_row(str(number) if index == 0 else "", Text(name), gold, answers[index])
        grid.add_section()
    return grid


def _texts(cells: tuple[Cell, ...] | None, width: int) -> list[RenderableType]:
    if cells is None:
        return [""] * width
    return [Text(f"{SIGNS[cell.mark]} {cell.text}", style=_STYLES[cell.mark]) for cell in cells]


def _legend() -> str:
    return "  ".join(f"[{_STYLES[mark]}]{sign} {mark}[/]" for mark, sign in SIGNS.items())
