"""An explanation as one HTML page that needs nothing else."""

from __future__ import annotations

from html import escape

from wideseek_env.scoring.explain import SIGNS, Cell, Explanation, RowPair
from wideseek_env.scoring.values import Number, Value, read_value

_STYLE = """
:root { --fg:#1f2328; --muted:#656d76; --line:#d8dee4; --bg:#fff; --head:#f6f8fa;
  --right:#dafbe1; --wrong:#ffdcd7; --missing:#fff3c4; --extra:#eadcff; }
@media (prefers-color-scheme: dark) { :root { --fg:#e6edf3; --muted:#8d96a0; --line:#30363d;
  --bg:#0d1117; --head:#161b22; --right:#12361f; --wrong:#54201b; --missing:#4a3a0a;
  --extra:#37245c; } }
* { box-sizing:border-box }
body { margin:0; padding:24px 28px; background:var(--bg); color:var(--fg);
  font:14px/1.45 system-ui,"Segoe UI",Roboto,"Noto Sans","Noto Sans CJK SC",sans-serif }
h1 { font-size:18px; margin:0 0 6px }
.question { color:var(--muted); max-width:110ch; margin:0 0 16px; white-space:pre-wrap;
  max-height:7.5em; overflow:auto }
.figures { display:flex; flex-wrap:wrap; gap:10px; margin:0 0 14px }
.figure { border:1px solid var(--line); border-radius:8px; padding:7px 14px; min-width:104px }
.figure b { display:block; font-size:20px; font-variant-numeric:tabular-nums }
.figure span { color:var(--muted); font-size:12px }
.legend { display:flex; flex-wrap:wrap; gap:14px; align-items:center; margin:0 0 10px;
  font-size:13px }
.key { padding:1px 8px; border-radius:4px }
.right { background:var(--right) } .wrong { background:var(--wrong) }
.missing { background:var(--missing) } .extra { background:var(--extra) }
.frame { overflow:auto; max-height:calc(100vh - 60px); border:1px solid var(--line);
  border-radius:8px }
table { border-collapse:separate; border-spacing:0; width:100%; font-size:13px }
th,td { text-align:left; vertical-align:top; padding:4px 8px; min-width:9ch; max-width:28ch;
  border-bottom:1px solid var(--line); border-right:1px solid var(--line);
  overflow-wrap:break-word; white-space:pre-wrap }
thead th { position:sticky; background:var(--head); z-index:2; top:0; height:30px }
thead tr + tr th { top:30px }
th.number, td.number { min-width:0; white-space:nowrap; position:sticky; left:0;
  background:var(--head); color:var(--muted);
  text-align:right; z-index:1; font-variant-numeric:tabular-nums }
thead th.number { z-index:3 }
.first { border-left:3px solid var(--muted) }
td.none { background:repeating-linear-gradient(135deg,transparent 0 6px,var(--head) 6px 12px) }
th small { display:block; font-weight:400; color:var(--muted) }
.faults-only tr.whole { display:none }
pre { white-space:pre-wrap; border:1px solid var(--line); border-radius:8px; padding:12px }
"""
_MEANINGS = {
    "right": "in both tables",
    "wrong": "differs",
    "missing": "gold that the answer lacks",
    "extra": "nobody asked for it",
}


def to_html(explanation: Explanation) -> str:
    """Returns the page: figures, then both tables side by side, cell by cell."""
    task = explanation.task
    body = _tables(explanation) if explanation.parsed else _no_table(explanation)
    return (
        "<!doctype html>\n"
        f'<html lang="{escape(task.language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(task.id)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(task.id)}</h1>"
        f'<p class="question">{escape(task.question)}</p>{_figures(explanation)}{body}'
        "</body></html>\n"
    )


def _figures(explanation: Explanation) -> str:
    score = explanation.score
    num_answers = sum(pair.answer is not None for pair in explanation.rows)
    num_golds = sum(pair.gold is not None for pair in explanation.rows)
    shown = [
        ("item F1", f"{score.item_f1:.3f}"),
        ("item precision", f"{score.item_precision:.3f}"),
        ("item recall", f"{score.item_recall:.3f}"),
        ("row F1", f"{score.row_f1:.3f}"),
        ("success", f"{score.success:.0f}"),
        ("rows: gold / answer", f"{num_golds} / {num_answers}"),
    ]
    boxes = "".join(
        f'<div class="figure"><b>{value}</b><span>{name}</span></div>' for name, value in shown
    )
    return f'<div class="figures">{boxes}</div>'


def _no_table(explanation: Explanation) -> str:
    return f"<p>The response holds no table:</p><pre>{escape(explanation.answer_text)}</pre>"


def _tables(explanation: Explanation) -> str:
    columns = explanation.task.columns
    num_gold, num_answer = len(columns), len(explanation.answer_headers)
    legend = "".join(
        f'<span><span class="key {mark}">{sign} {mark}</span> {_MEANINGS[mark]}</span>'
        for mark, sign in SIGNS.items()
    )
    repeated = (
        f"<p>{explanation.num_repeated} repeated rows of the answer are not shown.</p>"
        if explanation.num_repeated
        else ""
    )
    gold_heads = "".join(
        f"<th>{escape(column.name)}<small>"
        f"{'key' if column.name in explanation.task.key_columns else escape(column.metric)}"
        "</small></th>"
        for column in columns
    )
    answer_heads = "".join(
        f"<th{_first(i)}>{escape(name)}"
        f"<small>{'' if i < num_gold else 'not asked for'}</small></th>"
        for i, name in enumerate(explanation.answer_headers)
    )
    rows = "".join(
        _row(explanation, pair, number) for number, pair in enumerate(explanation.rows, 1)
    )
    return (
        f'<div class="legend">{legend}<label><input type="checkbox" onchange="document.'
        "getElementById('tables').classList.toggle('faults-only', this.checked)\"> only rows with "
        f'faults</label></div>{repeated}<div class="frame"><table id="tables"><thead>'
        f'<tr><th class="number"></th><th colspan="{num_gold}">Gold</th>'
        f'<th class="first" colspan="{num_answer}">Answer</th></tr>'
        f'<tr><th class="number">#</th>{gold_heads}{answer_heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(explanation: Explanation, pair: RowPair, number: int) -> str:
    cells = (*(pair.gold or ()), *(pair.answer or ()))
    whole = pair.gold and pair.answer and all(cell.mark == "right" for cell in cells)
    num_gold, num_answer = len(explanation.task.columns), len(explanation.answer_headers)
    return (
        f'<tr class="{"whole" if whole else "fault"}"><td class="number">{number}</td>'
        f"{_half(explanation, pair.gold, num_gold, is_answer=False)}"
        f"{_half(explanation, pair.answer, num_answer, is_answer=True)}</tr>"
    )


def _half(
    explanation: Explanation, cells: tuple[Cell, ...] | None, width: int, *, is_answer: bool
) -> str:
    if cells is None:
        first = " first" if is_answer else ""
        return f'<td class="none{first}" colspan="{width}"></td>'
    return "".join(
        f'<td class="{cell.mark}{" first" if is_answer and i == 0 else ""}"'
        f"{_read_as(explanation, cell, i)}>{SIGNS[cell.mark]}&nbsp;{escape(cell.text)}</td>"
        for i, cell in enumerate(cells)
    )


def _first(index: int) -> str:
    return ' class="first"' if index == 0 else ""


def _read_as(explanation: Explanation, cell: Cell, index: int) -> str:
    """Returns a tooltip that says how strict mode reads a cell."""
    columns = explanation.task.columns
    if index >= len(columns):
        return ""
    return f' title="read as {escape(_describe(read_value(cell.text, columns[index])))}"'


def _describe(value: Value) -> str:
    if isinstance(value.form, Number):
        return f"number {value.form.size:f} {value.form.unit}".strip()
    if value.kind == "date" and isinstance(value.form, tuple):
        return "date " + "-".join(f"{part:02}" for part in value.form if part)
    return "missing" if value.kind == "missing" else f"{value.kind} {value.form}"
