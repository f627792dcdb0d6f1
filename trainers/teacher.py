"""A scripted policy that plays through the model's own conversation, so that its turns have tokens.

The teacher decides, its calls are written in the model's tool-call format, and `LLMPolicy` reads
them back as if the model had written them: prompts, budgets and cuts are those of later play.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.llm.engines import Completion, Request
from agents.llm.policy import LLMConfig, LLMPlayer, LLMPolicy
from agents.llm.tokenizers import Tokenizer
from agents.policy import EpisodeInfo, Player, Policy
from wideseek_env.formats import get_format
from wideseek_env.records import Decision, Observation


class TeacherPolicy:
    """Plays like `teacher`, in tokens; log-probabilities are unknown.

    Args:
        teacher: decides.
        tokenizer: of the model that will learn.
        config: how that model plays.
    """

    def __init__(self, teacher: Policy, tokenizer: Tokenizer, config: LLMConfig) -> None:
        self.name = f"{teacher.name} in tokens"
        self._teacher = teacher
        self._tokenizer = tokenizer
        self._config = config

    def begin(self, info: EpisodeInfo) -> _TeacherPlayer:
        """Returns the player of one episode."""
        pen = _Pen(self._tokenizer)
        student = LLMPolicy(pen, self._config).begin(info)
        return _TeacherPlayer(self._teacher.begin(info), student, pen, self._config.format)


class _Pen:
    """An engine that writes what it was told to write for an agent."""

    name = "teacher"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer: Tokenizer | None = tokenizer
        self.max_context_tokens: int | None = None
        self.next: dict[str, str] = {}

    async def generate(self, requests: Sequence[Request]) -> list[Completion]:
        return [self._complete(request) for request in requests]

    async def close(self) -> None:
        """Does nothing: there is nothing to free."""

    def _complete(self, request: Request) -> Completion:
        if self.tokenizer is None:
            raise TypeError("a teacher writes tokens and needs a tokenizer, got None")
        agent = request.conversation.split("/")[1]
        text = self.next.pop(agent)
        ids = (*self.tokenizer.encode(text), min(self.tokenizer.stop_ids))
        return Completion(text, ids, num_new_tokens=len(ids), prompt_ids=request.prompt_ids)


class _TeacherPlayer:
    def __init__(self, teacher: Player, student: LLMPlayer, pen: _Pen, format: str) -> None:
        self._teacher = teacher
        self._student = student
        self._pen = pen
        self._format = get_format(format)

    async def decide(self, agent: str, observation: Observation) -> Decision:
        scripted = await self._teacher.decide(agent, observation)
        self._pen.next[agent] = self._format.render(scripted.calls)
        decision = await self._student.decide(agent, observation)
        return replace(decision, calls=scripted.calls) if decision.tokens else decision
