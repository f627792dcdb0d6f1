"""One agent's conversation: what the engine is sent next, token by token.

`TokenChat` never makes ids from text twice. The next prompt is the last prompt, the ids that were
sampled, and the ids of what the template writes after an assistant's turn, so the prefix is stable
whatever the template does to history (Qwen3's drops thinking from earlier turns when it renders a
chat again; here it stays, as the model saw it). `MessageChat` is for servers that take messages:
there the server renders, and what it drops or changes is counted as drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from agents.llm.engines import Completion
from agents.llm.foreign import Harmless, harmless_for
from agents.llm.tokenizers import Tokenizer
from wideseek_env.formats import ToolCallFormat
from wideseek_env.formats.reading import visible
from wideseek_env.records import TokenSpan, ToolResult

_MARK = "WIDESEEK_TURN"
"""Stands for the assistant's turn when the template is asked what follows one."""
_CHARS_PER_TOKEN = 3.0
"""Where only the server knows the tokens; on the low side, to stay within budgets."""


class TurnTokens(NamedTuple):
    """What is known of a turn's tokens."""

    span: TokenSpan | None
    """None: the server did not tell them, or they do not continue what went before."""
    drift: bool
    """Whether the engine read another prompt than the one that the turns before make up."""
    retokenized: bool
    """Whether encoding the turn's text again would have given other ids; nobody does so here."""


class Chat(Protocol):
    """What an agent has read and written on one (sub)task."""

    @property
    def num_tokens(self) -> int:
        """Tokens of the next prompt; an estimate where only the server knows them."""
        ...

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The next prompt as ids, or nothing."""
        ...

    @property
    def messages(self) -> tuple[dict[str, Any], ...]:
        """The next prompt as messages, or nothing."""
        ...

    def show(self, results: Sequence[ToolResult]) -> None:
        """Adds what the last turn brought; called again before a turn, it replaces it."""
        ...

    def add_turn(self, completion: Completion) -> TurnTokens:
        """Adds what the engine wrote."""
        ...


class TokenChat:
    """A conversation in ids.

    Args:
        tokenizer: with the model's chat template.
        format: how turns and answers are worded; one whose tools are told in the system prompt.
        system: the system prompt; trusted.
        user: the first observation; foreign.
    """

    messages: tuple[dict[str, Any], ...] = ()

    def __init__(
        self, tokenizer: Tokenizer, format: ToolCallFormat, system: str, user: str
    ) -> None:
        self._tokenizer = tokenizer
        self._format = format
        self._harmless = harmless_for(format, tokenizer)
        self._ids: list[int] = []
        """All that was in a prompt or sampled, up to the last turn."""
        opening = _opening(system, self._harmless(user))
        self._new = tokenizer.encode(tokenizer.render(opening))
        """Ids that are in the next prompt for the first time."""

    @property
    def num_tokens(self) -> int:
        """Tokens of the next prompt."""
        return len(self._ids) + len(self._new)

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The next prompt."""
        return (*self._ids, *self._new)

    def show(self, results: Sequence[ToolResult]) -> None:
        """Adds what the last turn brought, as the template writes it after a turn."""
        shown = _shown(results, self._harmless)
        # The template is asked about a short chat with a mark in it, and only what follows the
        # mark is used: what it does to the turns before does not matter.
        said = self._format.messages(_MARK, shown)
        rendered = self._tokenizer.render([{"role": "user", "content": "?"}, *said])
        _, mark, after = rendered.partition(_MARK)
        if not mark:
            raise ValueError("the chat template does not render an assistant's content as it is")
        ids = self._tokenizer.encode(after)
        if self._ids and ids and self._ids[-1] == ids[0] and ids[0] in self._tokenizer.stop_ids:
            ids = ids[1:]  # the model ended its turn itself; a turn that was cut is closed here
        self._new = ids

    def add_turn(self, completion: Completion) -> TurnTokens:
        """Adds the sampled ids; drift is an engine that read another prompt than it was sent."""
        drifted = completion.prompt_ids is not None and completion.prompt_ids != self.prompt_ids
        span = TokenSpan(tuple(self._new), completion.ids, completion.logprobs)
        self._ids += self._new
        self._ids += completion.ids
        self._new = []
        text = self._tokenizer.decode(completion.ids)
        other = tuple(self._tokenizer.encode(text)) != completion.ids
        return TurnTokens(None if drifted else span, drifted, other)


class MessageChat:
    """A conversation in messages; the server makes the tokens.

    Args:
        format: how turns and answers are worded.
        system: the system prompt; trusted.
        user: the first observation; foreign.
    """

    prompt_ids: tuple[int, ...] = ()

    def __init__(self, format: ToolCallFormat, system: str, user: str) -> None:
        self._format = format
        self._harmless = harmless_for(format, None)
        self._messages = _opening(system, self._harmless(user))
        self._new: list[dict[str, Any]] = []
        self._text = ""
        self._read = 0
        """Tokens up to the last turn, as the server counted them."""
        self._ids: tuple[int, ...] = ()
        """Prompt and turn as the server last told them."""
        self._exact = True

    @property
    def num_tokens(self) -> int:
        """Tokens of the next prompt: the server's count, and an estimate for what is new."""
        new = self._new if self._read else self._messages
        chars = sum(len(str(message["content"])) for message in new)
        return self._read + int(chars / _CHARS_PER_TOKEN)

    @property
    def messages(self) -> tuple[dict[str, Any], ...]:
        """The next prompt."""
        return (*self._messages, *self._new)

    def show(self, results: Sequence[ToolResult]) -> None:
        """Adds the last turn and what it brought."""
        turn, *answers = self._format.messages(self._text, _shown(results, self._harmless))
        if isinstance(turn.get("content"), str):
            turn["content"] = visible(turn["content"])  # as templates do; nobody pays for it twice
        self._new = [turn, *answers]

    def add_turn(self, completion: Completion) -> TurnTokens:
        """Adds the turn; drift is a prompt that does not begin with all that went before.

        After drift the turns no longer form one sequence of tokens, so no more spans are given.
        """
        self._messages += self._new
        self._new = []
        self._text = completion.text
        self._read = completion.num_prompt_tokens + completion.num_new_tokens
        if completion.prompt_ids is None or not completion.ids:
            return TurnTokens(None, drift=False, retokenized=False)
        before, self._ids = self._ids, completion.prompt_ids + completion.ids
        drifted = completion.prompt_ids[: len(before)] != before
        self._exact = self._exact and not drifted
        if not self._exact:
            return TurnTokens(None, drifted, retokenized=False)
        new = completion.prompt_ids[len(before) :]
        span = TokenSpan(new, completion.ids, completion.logprobs)
        return TurnTokens(span, drifted, retokenized=False)


def _opening(system: str, user: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _shown(results: Sequence[ToolResult], harmless: Harmless) -> list[ToolResult]:
    """Makes results harmless, save the format's own words on a turn that it could not read.

    Those have an example in the format's tags, and nothing in them is of others.
    """
    return [
        result
        if result.status == "wrong" and result.call is None
        else replace(result, text=harmless(result.text))
        for result in results
    ]
