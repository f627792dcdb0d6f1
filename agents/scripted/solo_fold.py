"""`solo_fold`: one agent that keeps notes, folds them when its context is full, and reads on.

It reads as `solo` does. What it knows after a fold is what its notes say: they are read back from
the text that the game shows it, and nothing else is kept. The notes have the rows that are done,
what is still to be read, and of what is begun the lines of pages that the question needs.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.policy import EpisodeInfo
from agents.scripted.gathering import Gathering
from agents.scripted.messages import Form, Report
from agents.scripted.notebook import Reading, Thing
from agents.scripted.script import Calls, Script, ScriptPlayer, answer, has_tools
from agents.scripted.solo import answer_text, solo_lead, subagent
from wideseek_env.game.fold import max_chars_of_fold
from wideseek_env.reading.pages import Link
from wideseek_env.reading.question import ParsedQuestion, parse_question
from wideseek_env.records import Observation, ToolCall

_PAGES_HAVE = re.compile(r"Pages have (\d{1,6}) characters\.")


class SoloFoldPolicy:
    """One agent, sequential, that turns and calls hold back but no context."""

    name = "solo_fold"

    def begin(self, info: EpisodeInfo) -> ScriptPlayer:
        """Returns the player of one episode."""
        return ScriptPlayer(info, solo_fold_lead, subagent)


def solo_fold_lead(info: EpisodeInfo, observation: Observation) -> Script:
    """Reads and folds until nothing is left to do; as `solo` where it may not fold."""
    question = parse_question(info.question)
    if question is None or not has_tools(info) or not info.limits.max_folds:
        yield from solo_lead(info, observation)
        return
    rows = yield from _read_on(info, question, observation)
    yield answer(answer_text(info, Form(question).answer(rows)))


def _read_on(
    info: EpisodeInfo, question: ParsedQuestion, observation: Observation
) -> Generator[Calls, Observation, Sequence[tuple[str, ...]]]:
    """Returns the rows that meet all conditions, by segment after segment."""
    limits, notes = info.limits, Notes()
    while True:
        gathering = Gathering(
            question,
            targets=list(notes.targets) or None,
            thorough=True,
            max_calls=limits.max_calls_per_turn,
            max_chars=limits.max_context_chars - len(observation.text),
            whole=True,
            page_chars=notes.page_chars,
        )
        for excerpt in notes.excerpts:
            gathering.notebook.read(excerpt)
        segment, observation = observation.segment, (yield from gathering.work(observation))
        rows = notes.rows + tuple(map(Form(question).write, gathering.rows()))
        notes = Notes.on(gathering, notes)
        turns_left = limits.max_lead_turns - observation.turn
        goes_on = gathering.full and gathering.num_calls > 0 and turns_left > 2
        if not (goes_on and notes.targets):
            return rows
        observation = yield (ToolCall("fold", {"text": notes.text(max_chars_of_fold(limits))}),)
        if observation.segment == segment:
            return rows  # there was none left
        notes = Notes.read(observation.results[0].body)


@dataclass(frozen=True, slots=True)
class Notes:
    """What is written down before a fold."""

    rows: tuple[tuple[str, ...], ...] = ()
    """Of things that nothing is left to be read about, cells as `Form` orders them."""
    targets: tuple[Link, ...] = ()
    """What is not read, or not to its end."""
    excerpts: tuple[str, ...] = ()
    """Pages about things that are begun, or related to such, less all that is not needed."""
    page_chars: tuple[int, ...] = ()
    """How long pages may be."""

    @classmethod
    def on(cls, gathering: Gathering, before: Notes) -> Notes:
        """Takes down what one segment brought to the notes that it began with."""
        form, needs = Form(gathering.question), gathering.needs
        rows, begun, unread = [*before.rows], list[Thing](), list[Link]()
        for target, thing in gathering.things():
            if thing is None:
                unread.append(target)
            elif needs.ruled_out(thing):
                continue
            elif any(True for _ in needs.leads(thing)) or any(
                True for _ in needs.second_pages(thing)
            ):
                begun.append(thing)
            elif gathering.question.matches(needs.known(thing)):
                rows.append(form.write(needs.known(thing)))
        names = {thing.name for _, thing in gathering.things() if thing}
        related = [t for t in gathering.notebook.things.values() if t.name not in names]
        labels = {label for fact in gathering.question.facts for label in fact.at}
        return cls(
            tuple(rows),
            (*(Link(thing.name, next(iter(thing.pages))) for thing in begun), *unread),
            tuple(
                excerpt
                for thing in (*begun, *reversed(related))
                for excerpt in excerpts_of(thing, labels, gathering.question.region)
            ),
            tuple(sorted(gathering.page_chars)[-1:]),
        )

    def text(self, max_chars: int) -> str:
        """Returns the notes as the agent writes them; excerpts that do not fit are left out."""
        said = [Report(self.rows, self.targets).text()]
        said += [f"Pages have {chars} characters." for chars in self.page_chars]
        left = max_chars - len("\n\n".join(said))
        for excerpt in self.excerpts:
            left -= len(excerpt) + 2
            if left < 0:
                break
            said.append(excerpt)
        return "\n\n".join(said)[:max_chars]

    @classmethod
    def read(cls, text: str) -> Notes:
        """Reads back what `text` wrote."""
        first, *rest = text.split("\n\n")
        report = Report.read(first)
        lengths = (_PAGES_HAVE.fullmatch(part) for part in rest[:1])
        page_chars = tuple(int(found[1]) for found in lengths if found)
        return cls(report.rows, report.unread, tuple(rest[len(page_chars) :]), page_chars)


def excerpts_of(thing: Thing, labels: Iterable[str], region: str) -> Iterator[str]:
    """Yields each page about a thing, cut down to what counts, so that it still reads as a page.

    Args:
        thing: what was read about.
        labels: facts that are wanted.
        region: where it is.
    """
    wanted = {label: found for label in labels if (found := _reading(thing, label))}
    for number, (url, date) in enumerate(thing.pages.items()):
        facts = [
            f"{label} | {_write(found)}" for label, found in wanted.items() if found.url == url
        ]
        if number and not facts:
            continue
        lines = [f"{thing.name} | {url} | part 1 of 1", f"{thing.name}: {thing.noun} in {region}."]
        if number == 0 and thing.alias:
            lines.append(f"{thing.name} is also known as {thing.alias}.")
        if date:
            lines.append(f"Updated {date}")
        if number == 0:
            lines += [f"[{title}]({other})" for other, title in thing.unread.items()]
        yield "\n".join(lines + facts)


def _reading(thing: Thing, label: str) -> Reading | None:
    """Returns the newest reading of the value that counts."""
    value = thing.value(label)
    same = (r for r in thing.facts.get(label, ()) if value and r.value.text == value.text)
    return max(same, key=lambda reading: reading.date, default=None)


def _write(reading: Reading) -> str:
    text = reading.value.text.replace("|", "\\|")
    return f"[{text}]({reading.value.url})" if reading.value.url else text
