"""Tells what the stages will do and about cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from wideseek_env.records import Task
from wideseek_env.scoring.tables import write_table
from wideseek_env.tasks.synthesis.model import prompts
from wideseek_env.tasks.synthesis.model.asking import Question, size_of_prompt
from wideseek_env.tasks.synthesis.model.run import Material, ModelPlan
from wideseek_env.tasks.synthesis.model.stages import STAGES, made_language, shown_pages

_NUM_PRICED = 40
"""Tasks whose prompts are made, and stand for all."""
_BYTES_PER_TOKEN = 3.5
_REPLY_TOKENS = {"wording": 80, "read-back": 120, "paraphrase": 80}
"""Of stages whose replies are of one length; others answer with a table."""


def plan_text(material: Material, plan: ModelPlan) -> str:
    """Writes which stages there are, how often they ask, and the price.

    Args:
        material: tasks that would go through them, and the pages of those that are `priced`.
        plan: who is asked, and for what.
    """
    tasks, some = material.tasks, priced(material.tasks)
    lines = [f"{len(tasks):,} tasks would go to {plan.server.model}; if each stage passes all:"]
    total, num_tokens = 0.0, 0.0
    table = fmean(len(write_table(t.column_names, t.gold).encode()) for t in some)
    for stage in STAGES:
        num = len(tasks) * stage.num_calls(plan.rules)
        if not num:
            continue
        sizes = [_prompt_bytes(stage.name, task, material, plan) for task in some]
        prompt = fmean(sizes) / _BYTES_PER_TOKEN
        reply = _REPLY_TOKENS.get(stage.name, table / _BYTES_PER_TOKEN)
        cost = plan.prices.of(int(num * prompt), int(num * reply))
        total, num_tokens = total + cost, num_tokens + num * (prompt + reply)
        lines.append(
            f"  {stage.name}: {stage.what}; {num:,.0f} calls of about {prompt:,.0f} and "
            f"{reply:,.0f} tokens, {cost:.2f}"
        )
    return "\n".join(
        [
            *lines,
            f"Price about {total:.2f}, for {num_tokens:,.0f} tokens; what a model thinks, and "
            "second wordings of tasks whose first one fails, come on top.",
        ]
    )


def priced(tasks: Sequence[Task]) -> Sequence[Task]:
    """Returns the tasks whose prompts are made."""
    return tasks[:: -(-len(tasks) // _NUM_PRICED)]


def _prompt_bytes(name: str, task: Task, material: Material, plan: ModelPlan) -> int:
    grounds = material.grounds
    made = grounds.of(task)
    if name == "wording":
        messages = prompts.word(made, made_language(task), task.id)
    elif name == "read-back":
        messages = prompts.read_back(task.question, grounds.choices(task, made))
    elif name == "paraphrase":
        messages = prompts.rephrase(task.question, made_language(task), task.id)
    elif name == "from memory":
        messages = prompts.from_memory(task.question)
    else:
        shown = shown_pages(task, grounds, material.pages, plan.rules.max_page_chars)
        messages = prompts.answer(task.question, shown or [])
    return size_of_prompt(Question(messages))
