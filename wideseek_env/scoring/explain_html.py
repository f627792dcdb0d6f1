"""An explanation as one HTML page that needs nothing else."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from wideseek_env.records import Column
from wideseek_env.scoring.explain import SIGNS, Explanation
from wideseek_env.scoring.numbers import Number
from wideseek_env.scoring.values import Value, read_value

_MEANINGS = {
    "right": "in both tables",
    "wrong": "differs",
    "missing": "gold that the answer lacks",
    "extra": "nobody asked for it",
}


def to_html(explanation: Explanation) -> str:
    """Makes the page: figures, then both tables side by side, cell by cell."""
    return _template().render(
        task=explanation.task,
        columns=explanation.task.columns,
        figures=_figures(explanation),
        parsed=explanation.parsed,
        answer_text=explanation.answer_text,
        answer_headers=explanation.answer_headers,
        rows=explanation.rows,
        num_repeated=explanation.num_repeated,
        signs=SIGNS,
        meanings=_MEANINGS,
        read_as=_read_as,
    )


@cache
def _template() -> Template:
    loader = PackageLoader("wideseek_env.scoring", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template("explain.html")


def _figures(explanation: Explanation) -> list[tuple[str, str]]:
    score = explanation.score
    num_answers = sum(pair.answer is not None for pair in explanation.rows)
    num_golds = sum(pair.gold is not None for pair in explanation.rows)
    return [
        ("item F1", f"{score.item_f1:.3f}"),
        ("item precision", f"{score.item_precision:.3f}"),
        ("item recall", f"{score.item_recall:.3f}"),
        ("row F1", f"{score.row_f1:.3f}"),
        ("success", f"{score.success:.0f}"),
        ("rows: gold / answer", f"{num_golds} / {num_answers}"),
    ]


def _read_as(text: str, column: Column) -> str:
    """Says how strict mode reads a cell."""
    return _describe(read_value(text, column))


def _describe(value: Value) -> str:
    if isinstance(value.form, Number):
        return f"number {value.form}"
    if value.kind == "date" and isinstance(value.form, tuple):
        return "date " + "-".join(f"{part:02}" for part in value.form if part)
    return "missing" if value.kind == "missing" else f"{value.kind} {value.form}"
