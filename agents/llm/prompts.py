"""What a model is told: system prompts by role and language, examples, and hints on budgets.

The texts are data; `system_prompt` and `turn_hint` choose among them. How to write a tool call is
not said here: that is the format's part (`wideseek_env/formats/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from agents.policy import EpisodeInfo
from wideseek_env.formats import ToolCallFormat
from wideseek_env.game.fold import max_chars_of_fold
from wideseek_env.game.limits import max_turns, may_seek
from wideseek_env.records import Role, ToolCall

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Texts:
    """All that is said in one language; braces are filled in by `system_prompt`."""

    lead: str
    """The lead of a team."""
    alone: str
    """The lead without subagents."""
    own_tools: str
    """Added for a lead that may search by itself as well."""
    subagent: str
    wide: str
    """How to hand in a table."""
    deep: str
    """How to hand in a short answer."""
    calls: str
    budget: str
    """Turns that the agent has, in all."""
    turns_left: str
    full: str
    """The context budget is nearly used up; what may be called then."""
    either: str
    """Joins two such calls."""
    folds: str
    """Added for an agent that may fold."""
    example_of: str
    example_text: str
    """What the example's first turn says before its call."""
    subtasks: tuple[str, ...]
    """The example's subtasks."""
    query: str
    """The example's search."""
    reader: str
    """System prompt of the model that sums up a page."""
    page: str
    """Request to sum up a page."""


TEXTS: Mapping[Language, Texts] = {
    "en": Texts(
        lead=(
            "You lead a team of {n} subagents that search a collection of pages for you. Split the "
            "question into subtasks that do not overlap and can be worked on at the same time, and "
            "hand them out with `delegate`, at most {n} at once. A subagent knows nothing but the "
            "text of its subtask: name in it what to find, which fields are wanted, and in which "
            "form. When the reports are back, check what is missing or contradictory, delegate "
            "again if it is worth it, and then hand in the whole result with `answer`. Write only "
            "what the reports support."
        ),
        alone=(
            "You answer a question from a collection of pages. Find pages with `search`, read them "
            "with `open`, and hand in the whole result with `answer`. Write only what the pages "
            "support."
        ),
        own_tools="You may also use `search` and `open` yourself, for what is quickly found.",
        subagent=(
            "You work on one subtask for a lead who cannot see what you read. Find pages with "
            "`search`, read them with `open` (long pages come in parts), and hand in what you "
            "found with `report`: every item that was asked for, with all its fields, short and "
            "complete. Say what you could not find. Do not guess."
        ),
        wide=(
            "The answer is one Markdown table with exactly these columns, in this order: "
            "{columns}. One row for each item; no two rows may agree in {keys}. Leave no item out, "
            "add no other columns, and leave a cell empty when nothing is known."
        ),
        deep="The answer is short: write it as \\boxed{...}, with nothing else inside.",
        calls="You may make up to {calls} calls in a turn; they run at the same time.",
        budget="You have {turns} turns.",
        turns_left="Turns left: {turns}.",
        full="Your context is nearly full: call {tools} now with what you have.",
        either="{} or {}",
        folds=(
            "Before your context is full, call `fold` with all that you will need, in at most "
            "{chars} characters: it replaces all that you have read and written, and you go on "
            "from it. You may do so {folds} times."
        ),
        example_of="An example of a good {what}:",
        example_text="The items fall into two groups, so two subagents can work side by side.",
        subtasks=(
            "List all lakes in the north of Ostra with name, area in km2 and depth in m.",
            "List all lakes in the south of Ostra with name, area in km2 and depth in m.",
        ),
        query="lakes in the north of Ostra list",
        reader=(
            "You read one page for a colleague. Write down everything on it that serves the goal, "
            "in short lines: names, numbers, dates and URLs exactly as they stand there. Add "
            "nothing. If the page has nothing on the goal, say so in one sentence."
        ),
        page="Goal: {goal}\n\nPage:\n{page}",
    ),
    "zh": Texts(
        lead=(
            "你带领 {n} 个子智能体，它们替你在一批网页中查找资料。请把问题拆成互不重叠、"
            "可以同时进行的子任务，用 `delegate` 分派，一次最多 {n} 个。"
            "子智能体只看得到自己那条子任务的文字，所以要写清楚找什么、需要哪些字段、用什么形式。报告回来后，检查有没有缺漏或矛盾，"
            "值得的话再次分派，最后用 `answer` 一次提交完整结果。只写报告能够支持的内容。"
        ),
        alone=(
            "你要根据一批网页回答问题。用 `search` 找网页，用 `open` 阅读，"
            "最后用 `answer` 提交完整结果。只写网页能够支持的内容。"
        ),
        own_tools="容易找到的内容，你也可以自己用 `search` 和 `open`。",
        subagent=(
            "你替一位负责人完成一个子任务，对方看不到你读过的内容。用 `search` 找网页，"
            "用 `open` 阅读（长网页分成几部分），"
            "最后用 `report` 提交找到的内容：要求的每一项及其全部字段，简短而完整。"
            "找不到的要说明，不要猜测。"
        ),
        wide=(
            "答案是一张 Markdown 表格，列必须恰好是以下各列，顺序一致：{columns}。每项一行，"
            "任意两行的 {keys} 不能相同。不要遗漏，不要增加其他列，未知的单元格留空。"
        ),
        deep="答案很短：写成 \\boxed{...}，里面不要有别的内容。",
        calls="每轮最多可以调用 {calls} 次工具，它们同时执行。",
        budget="你一共有 {turns} 轮。",
        turns_left="剩余轮数：{turns}。",
        full="你的上下文快满了：请立即用 {tools} 提交已有的内容。",
        either="{} 或 {}",
        folds=(
            "上下文将满之前，用 `fold` 写下今后需要的全部内容，最多 {chars} 个字符："
            "它会取代你读过和写过的一切，你由此继续。最多可以这样做 {folds} 次。"
        ),
        example_of="一个好的{what}示例：",
        example_text="这些条目可以分成两组，因此两个子智能体可以同时工作。",
        subtasks=(
            "列出奥斯特拉北部的所有湖泊，包括名称、面积（平方公里）和深度（米）。",
            "列出奥斯特拉南部的所有湖泊，包括名称、面积（平方公里）和深度（米）。",
        ),
        query="奥斯特拉北部 湖泊 列表",
        reader=(
            "你替同事阅读一个网页。请用简短的几行写下其中与目标有关的全部内容：名称、数字、日期和网址都照原样抄写。"
            "不要添加任何内容。如果网页与目标无关，用一句话说明。"
        ),
        page="目标：{goal}\n\n网页：\n{page}",
    ),
}


def language_of(info: EpisodeInfo) -> Language:
    """Returns the language to speak on a task: Chinese on Chinese ones, English on all others."""
    return "zh" if info.language.startswith("zh") else "en"


def system_prompt(
    role: Role, info: EpisodeInfo, *, language: Language, few_shot: bool, format: ToolCallFormat
) -> str:
    """Writes what an agent is told once, without how to write a call."""
    texts = TEXTS[language]
    limits = info.limits
    if role == "subagent":
        parts = [texts.subagent]
    elif info.n_subagents == 0:
        parts = [texts.alone]
    else:
        parts = [texts.lead.format(n=info.n_subagents)]
        if limits.lead_tools:
            parts.append(texts.own_tools)
    if role == "lead" and info.kind == "deep":
        parts.append(texts.deep)
    elif role == "lead":
        columns, keys = " | ".join(info.columns), ", ".join(info.key_columns)
        parts.append(texts.wide.format(columns=columns, keys=keys or columns))
    parts.append(texts.budget.format(turns=max_turns(limits, role)))
    if may_seek(limits, role, info.n_subagents):
        parts.append(texts.calls.format(calls=limits.max_calls_per_turn))
    if limits.max_folds:
        chars = max_chars_of_fold(limits)
        parts.append(texts.folds.format(chars=chars, folds=limits.max_folds))
    if few_shot:
        parts.append(_example(role, info, texts, format))
    return "\n\n".join(parts)


def short_prompt(role: Role, info: EpisodeInfo) -> str:
    """Returns the least that an agent cannot know otherwise, in the fewest tokens."""
    folds = f" folds {info.limits.max_folds}" if info.limits.max_folds else ""
    if role == "subagent":
        return f"subagent{folds}"
    columns = "" if info.kind == "deep" else f" | {' | '.join(info.columns)}"
    return f"lead {info.n_subagents}{folds}{columns}"


def turn_hint(turns_left: int, language: Language) -> str:
    """Returns the sentence that tells an agent how many decisions it has left."""
    return TEXTS[language].turns_left.format(turns=turns_left)


def full_notice(role: Role, language: Language, *, may_fold: bool = False) -> str:
    """Returns the sentence that tells an agent to finish or fold, as its context is nearly full."""
    texts = TEXTS[language]
    tools = "`answer`" if role == "lead" else "`report`"
    if may_fold:
        tools = texts.either.format("`fold`", tools)
    return texts.full.format(tools=tools)


def reading_prompt(goal: str, page: str, language: Language) -> tuple[str, str]:
    """Returns system prompt and request for the model that sums up a page."""
    texts = TEXTS[language]
    return texts.reader, texts.page.format(goal=goal, page=page)


def _example(role: Role, info: EpisodeInfo, texts: Texts, format: ToolCallFormat) -> str:
    """Returns one good turn; of another world than any task, so that nothing can be copied."""
    if role == "lead" and info.n_subagents > 0:
        tool, said = "delegate", f"{texts.example_text}\n"
        call = ToolCall("delegate", {"subtasks": list(texts.subtasks[: info.n_subagents])})
    else:
        tool, said = "search", ""
        call = ToolCall("search", {"query": texts.query})
    title = texts.example_of.format(what=f"`{tool}`")
    return f"{title}\n{said}{format.render([call])}"
