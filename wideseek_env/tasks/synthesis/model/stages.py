"""The stages that ask a model, in one table, and the run that takes each task through them.

A task goes through all stages before the next one begins, as many at once as the server takes, so
that a run that ends early has whole tasks to show. What a stage decides follows from the replies
that are kept; nothing else is written while a run goes on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import fmean
from typing import NamedTuple

from wideseek_env.backends.http import together
from wideseek_env.records import Task
from wideseek_env.scoring.strict import score_strict
from wideseek_env.tasks.synthesis.fairness import Alike, unfair_wording, words_of
from wideseek_env.tasks.synthesis.model import prompts
from wideseek_env.tasks.synthesis.model.asking import Asker, Question, Reply, Unanswered
from wideseek_env.tasks.synthesis.model.grounds import Grounds, Made
from wideseek_env.tasks.synthesis.model.purse import CapReached
from wideseek_env.tasks.synthesis.model.readback import gives_gold, read_reading
from wideseek_env.tasks.synthesis.questions import Language, with_form

_MAX_REQUEST_CHARS = 1500
_ALIKE_WORDS = 0.9
"""Share of the runs of three words that two questions may have in common at most."""
_HAN = re.compile(r"[\u4e00-\u9fff]")
_QUOTED = re.compile("“[^”]*”|《[^》]*》")
_FENCE = re.compile(r"^```\w*\n|\n```$")
_LEAD_IN = re.compile(r"(?i)^(?:question|request|rewritten|问题|请求)\s*[:：]\s*")


@dataclass(frozen=True, slots=True)
class ModelRules:
    """What the model has to do for a task to stay."""

    attempts: int = 2
    """Wordings of a task that are tried until one is read back as its table."""
    keep_rules_wording: bool = False
    """Whether a task whose wording fails stays with the question made by rules."""
    paraphrase: bool = True
    """Whether the wording is said once more in another style."""
    max_from_memory: float = 0.3
    """Item F1 that the model may have without any page; 1: it is not asked."""
    num_answers: int = 2
    """Answers from the pages; 0: none."""
    min_agreement: float = 0.8
    """Mean item F1 that these answers must have."""
    max_page_chars: int = 60_000
    """Of pages that an answer is given from; a task that needs more is left out."""


class Dropped(Exception):
    """A task is left out, by a stage, for a reason."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(reason)
        self.stage, self.reason = stage, reason


@dataclass(frozen=True, slots=True)
class Kit:
    """What the stages work with."""

    asker: Asker
    rules: ModelRules
    grounds: Grounds
    pages: Mapping[str, str]
    """Text of pages, by URL."""
    notes: Counter[str]
    """What happened to tasks that stay."""

    async def ask(
        self, stage: str, task: Task, messages: prompts.Messages, warm: float = 0.0, sample: int = 0
    ) -> Reply:
        """Asks the model; see `Asker.ask`."""
        return await self.asker.ask(stage, task.id, Question(messages, warm, sample))

    async def reworded(self, task: Task, made: Made, reply: Reply) -> Task:
        """Returns the task with a question that is read back as its own table.

        Raises:
            Dropped: the wording is not usable, or not read so.
        """
        if not reply.whole:
            raise Dropped("wording", "reply cut off")
        request = _one_line(reply.text)
        reason = _unusable(request, task) or unfair_wording(task, request)
        if reason:
            raise Dropped("wording", reason)
        language = made_language(task)
        rng = Random(f"{task.id}|form")
        question = with_form(request, made.program, made.relation, rng, language=language)
        choices = self.grounds.choices(task, made)
        said = await self.ask("read-back", task, prompts.read_back(question, choices))
        try:
            same = gives_gold(read_reading(said.text), choices, task)
        except ValueError as error:
            raise Dropped("read-back", "read as nothing that can be executed") from error
        if not same:
            raise Dropped("read-back", "read as another table")
        about = {"request": request, "worded_by": self.asker.server.model}
        return replace(
            task,
            question=question,
            metadata={**task.metadata, "synthesis": task.metadata["synthesis"] | about},
        )


class Stage(NamedTuple):
    """One row of the table."""

    name: str
    what: str
    num_calls: Callable[[ModelRules], float]
    """Of one task that passes: for the plan."""
    work: Callable[[Kit, Task], Awaitable[Task]] | None = None
    """Returns the task, or raises `Dropped`; None: it is a part of others."""


async def _worded(kit: Kit, task: Task) -> Task:
    made, last = kit.grounds.of(task), Dropped("wording", "no attempt")
    for attempt in range(kit.rules.attempts):
        messages = prompts.word(made, made_language(task), f"{task.id}|{attempt}")
        reply = await kit.ask("wording", task, messages, 0.8, attempt)
        try:
            return await kit.reworded(task, made, reply)
        except Dropped as dropped:
            last = dropped
    if kit.rules.keep_rules_wording:
        kit.notes["keep the question made by rules"] += 1
        return task
    raise last


async def _paraphrased(kit: Kit, task: Task) -> Task:
    request = task.metadata["synthesis"].get("request")
    if not kit.rules.paraphrase or request is None:
        return task
    messages = prompts.rephrase(request, made_language(task), task.id)
    reply = await kit.ask("paraphrase", task, messages, 0.8)
    try:
        return await kit.reworded(task, kit.grounds.of(task), reply)
    except Dropped:
        kit.notes["keep the first wording, as the paraphrase means something else"] += 1
        return task


async def _unknown(kit: Kit, task: Task) -> Task:
    if kit.rules.max_from_memory < 1:
        reply = await kit.ask("from memory", task, prompts.from_memory(task.question))
        if score_strict(task, reply.text).item_f1 > kit.rules.max_from_memory:
            raise Dropped("from memory", "known by heart")
    return task


async def _answered(kit: Kit, task: Task) -> Task:
    if not kit.rules.num_answers:
        return task
    pages = shown_pages(task, kit.grounds, kit.pages, kit.rules.max_page_chars)
    if pages is None:
        raise Dropped("answers", "pages too long to be shown")
    messages = prompts.answer(task.question, pages)
    scores = []
    for sample in range(kit.rules.num_answers):
        reply = await kit.ask("answers", task, messages, 0.7, sample)
        scores.append(score_strict(task, reply.text).item_f1)
    if fmean(scores) < kit.rules.min_agreement:
        raise Dropped("answers", "answers differ from the gold table")
    return task


STAGES = (
    Stage("wording", "puts the program into words", lambda rules: 1, _worded),
    Stage(
        "read-back",
        "reads the program back; executing it must give the same table",
        lambda rules: 1 + rules.paraphrase,
    ),
    Stage(
        "paraphrase",
        "says it in another style, read back likewise",
        lambda rules: rules.paraphrase,
        _paraphrased,
    ),
    Stage(
        "from memory",
        "without pages the model must score low",
        lambda rules: rules.max_from_memory < 1,
        _unknown,
    ),
    Stage(
        "answers",
        "answers from the pages must agree with the gold table",
        lambda rules: rules.num_answers,
        _answered,
    ),
)
ALIKE = "alike"
"""The last stage, which asks nobody: nearly the same question twice."""


def made_language(task: Task) -> Language:
    """Returns the language of a made task."""
    return "zh" if task.language == "zh" else "en"


def shown_pages(
    task: Task, grounds: Grounds, pages: Mapping[str, str], max_chars: int
) -> list[str] | None:
    """Picks the pages that a task is answered from: its sources, and others of its relations.

    Args:
        task: what is asked.
        grounds: what it was made from.
        pages: text, by URL.
        max_chars: of all pages; None when its sources alone have more.
    """
    needed = {url for row in task.sources for urls in row for url in urls}
    others = [url for part in grounds.of(task).parts for url in part.urls]
    rng = Random(task.id)
    rng.shuffle(others)
    shown = sorted(needed)
    left = max_chars - sum(len(pages[url]) for url in shown)
    if left < 0:
        return None
    for url in dict.fromkeys(others):
        if url not in needed and len(pages[url]) <= left:
            left -= len(pages[url])
            shown.append(url)
    rng.shuffle(shown)
    return [pages[url] for url in shown]


class Outcome(NamedTuple):
    """What became of a task."""

    task: Task
    stage: str = ""
    """That left it out; empty: it stays."""
    reason: str = ""
    unanswered: bool = False
    """Whether it was left out for want of a reply: the next run asks again."""


class ModelRun:
    """Takes tasks through the stages.

    Args:
        kit: what the stages work with.
        advance: called with `what=`, `count=`, `total=`, `note=` as each task ends.
    """

    def __init__(self, kit: Kit, advance: Callable[..., None] = lambda **_: None) -> None:
        self._kit, self._advance = kit, advance
        self.is_capped = False
        """Whether the run ended because a cap was reached."""

    async def outcomes(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Returns what became of each task that was begun, in their order.

        Raises:
            WideSeekError: the server refuses all requests, or has not answered for long.
        """
        found: dict[int, Outcome] = {}
        queue = iter(enumerate(tasks))
        num = self._kit.asker.server.concurrency
        await together(self._work(queue, found, len(tasks)) for _ in range(num))
        return _without_alike([found[index] for index in sorted(found)])

    async def _work(
        self, queue: Iterator[tuple[int, Task]], found: dict[int, Outcome], total: int
    ) -> None:
        for index, task in queue:
            if self.is_capped:
                return
            try:
                found[index] = await self._judged(task)
            except CapReached:
                self.is_capped = True
                return
            self._advance(what="worded", count=1, total=total, note=self._note(found))

    async def _judged(self, task: Task) -> Outcome:
        at = task
        for stage in STAGES:
            if stage.work is not None:
                try:
                    at = await stage.work(self._kit, at)
                except Dropped as dropped:
                    return Outcome(at, dropped.stage, dropped.reason)
                except Unanswered as error:
                    return Outcome(at, stage.name, str(error), unanswered=True)
        return Outcome(at)

    def _note(self, found: Mapping[int, Outcome]) -> str:
        lost = Counter(each.stage for each in found.values())
        left, said = len(found), []
        for stage in STAGES:
            left -= lost[stage.name]
            said.append(f"{stage.name} {left:,}")
        purse = self._kit.asker.purse
        return f"{', '.join(said)}; {purse.tokens:,} tokens, cost {purse.cost:.2f}"


def _without_alike(outcomes: Sequence[Outcome]) -> list[Outcome]:
    alike = Alike(_ALIKE_WORDS)

    def judged(outcome: Outcome) -> Outcome:
        about = outcome.task.metadata["synthesis"]
        words = words_of(about.get("request", outcome.task.question))
        runs = {" ".join(words[i : i + 3]) for i in range(len(words))}
        if not outcome.stage and alike.seen(runs):
            return outcome._replace(stage=ALIKE, reason="nearly the question of another")
        return outcome

    return list(map(judged, outcomes))


def _one_line(text: str) -> str:
    text = _LEAD_IN.sub("", _FENCE.sub("", text.strip()).strip())
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return " ".join(text.split())


def _unusable(request: str, task: Task) -> str | None:
    if not request or len(request) > _MAX_REQUEST_CHARS or "|" in request:
        return "no question of one to three sentences"
    own_words = _QUOTED.sub("", request)
    num_han = len(_HAN.findall(own_words))
    if (num_han < 5) if task.language == "zh" else (2 * num_han > len(own_words)):
        return "in another language"
    return None
