"""A person plays one agent in the terminal; a policy plays the others.

A turn is a line: a tool and what it is asked, such as `search rivers of Varnia`. Several things at
once stand with `|` between them. A line that is no turn is answered here and costs nothing.
"""

from __future__ import annotations

import signal
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from agents.policy import EpisodeInfo, Player, Policy
from wideseek_env.game.episode import role_of
from wideseek_env.game.tools import tools_of
from wideseek_env.records import Decision, Observation, ToolCall

USAGES = {
    "search": "search WORDS            search the pages; `search A | B` searches twice in one turn",
    "open": "open N or URL           open a hit of the last search, or a page; `open 1 | 2`",
    "delegate": "delegate                hand the question to every subagent; they report back; "
    "`delegate TASK | TASK` hands out your own",
    "report": "report                  hand in your findings: lines follow, a single dot ends them",
    "answer": "answer                  hand in the table: lines follow, a single dot ends them",
    "wait": "wait                    let the others go on",
    "help": "help                    say this again",
    "quit": "quit                    end here, as Ctrl-D does; nothing is kept",
}
_LONG = ("report", "answer")


class Stopped(Exception):
    """The person has had enough: Ctrl-C, or the end of the input."""


@dataclass
class PersonPolicy:
    """Lets a person decide for one agent."""

    agent: str
    """`lead`, or a subagent."""
    others: Policy
    """Plays all other agents."""
    read: Callable[[str], str] = input
    """Shows a prompt and returns a line."""
    write: Callable[[str], None] = print
    name: str = "person"
    stopped: bool = False
    """Whether the person ended an episode before its end."""

    def begin(self, info: EpisodeInfo) -> _Person:
        """Returns the player of one episode."""
        return _Person(self, info, self.others.begin(info))


@dataclass
class _Person:
    policy: PersonPolicy
    info: EpisodeInfo
    others: Player
    hits: list[str] = field(default_factory=list)
    """URLs of the last search, by the number that the person saw."""

    async def decide(self, agent: str, observation: Observation) -> Decision:
        """Asks the person for one agent, and a policy for the others."""
        if agent != self.policy.agent:
            return await self.others.decide(agent, observation)
        self._show(observation)
        turn = observation.turn + 1
        prompt = f"\n{agent}, turn {turn} of {turn + observation.turns_left - 1}> "
        try:
            while True:
                calls = self._read_turn(self._ask(prompt))
                if calls is not None:
                    return Decision(calls)
        except (KeyboardInterrupt, EOFError) as error:
            self.policy.stopped = True
            raise Stopped("the person stopped") from error

    def _ask(self, prompt: str) -> str:
        """Reads a line; asyncio would keep Ctrl-C back until the line has ended."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return self.policy.read(prompt)
        finally:
            signal.signal(signal.SIGINT, before)

    def _show(self, observation: Observation) -> None:
        write = self.policy.write
        if observation.turn == 0:
            write(f"\nYou are the {self.policy.agent.replace('_', ' ')}.\n")
            write(printable(observation.text))
            write("\n" + self._help())
            return
        write("\n" + printable(observation.text))
        searched = [r.urls for r in observation.results if r.call and r.call.name == "search"]
        if any(searched):
            self.hits = [url for urls in searched for url in urls]
            write("\n" + "\n".join(f"{n}. {printable(url)}" for n, url in enumerate(self.hits, 1)))

    def _help(self) -> str:
        shown = [
            usage for tool, usage in USAGES.items() if tool in (*self._tools(), "help", "quit")
        ]
        return "\n".join([*shown, USAGES["wait"]] if self._waits() else shown)

    def _tools(self) -> list[str]:
        role = role_of(self.policy.agent)
        return list(tools_of(role, self.info.limits, self.info.n_subagents))

    def _waits(self) -> bool:
        return "delegate" in self._tools()

    def _read_turn(self, line: str) -> tuple[ToolCall, ...] | None:
        """Returns the calls that a line stands for; None when it is no turn, which is said."""
        name, _, rest = line.strip().partition(" ")
        rest, tools = rest.strip(), self._tools()
        if name in ("help", "?"):
            self.policy.write(self._help())
        elif name == "quit":
            raise EOFError
        elif name == "wait" and self._waits():
            return ()
        elif name not in tools:
            if name:
                known = ", ".join([*(tool for tool in tools if tool in USAGES), "help", "quit"])
                self.policy.write(f"expected one of {known}; got {name!r}")
        elif name in _LONG:
            text = self._lines(rest)
            if text.strip():
                return (ToolCall(name, {"text": text}),)
            self.policy.write(f"nothing was written, so there is nothing to {name}")
        elif name == "delegate":
            parts = _parts(rest) or [self.info.question] * self.info.n_subagents
            return (ToolCall(name, {"subtasks": parts}),)
        elif not _parts(rest):
            self.policy.write(f"usage: {USAGES.get(name, name)}")
        else:
            if name == "open":
                return tuple(ToolCall(name, {"url": self._url(part)}) for part in _parts(rest))
            return tuple(ToolCall(name, {"query": part}) for part in _parts(rest))
        return None

    def _url(self, part: str) -> str:
        at = int(part) - 1 if part.isascii() and part.isdigit() else -1
        return self.hits[at] if 0 <= at < len(self.hits) else part

    def _lines(self, first: str) -> str:
        """Returns a text of several lines: a single dot ends it, or the line that began it."""
        if first:
            return first
        lines: list[str] = []
        while (line := self._ask("")) != ".":
            lines.append(line)
        return "\n".join(lines)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def printable(text: str) -> str:
    """Returns a text without control characters: pages are strangers', and terminals obey."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf"))
