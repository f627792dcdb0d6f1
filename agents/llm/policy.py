"""The LLM policy: one conversation for each (sub)task, all turns written by an engine.

Lead and subagents share the weights and nothing else (with `subagent_engine` not even these). The
policy builds prompts, keeps token budgets and reads tool calls; the engine writes.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, TypeAlias

import tyro

from agents.llm.chat import Chat, MessageChat, TokenChat
from agents.llm.engines import Completion, ContextOverflow, Engine, Request
from agents.llm.foreign import harmless_for
from agents.llm.pages import schemas, sum_up, take_goals
from agents.llm.prompts import (
    Language,
    full_notice,
    language_of,
    reading_prompt,
    short_prompt,
    system_prompt,
    turn_hint,
)
from agents.policy import EpisodeInfo
from agents.tokens_file import check_tokens
from wideseek_env.errors import PolicyError
from wideseek_env.formats import get_format
from wideseek_env.game.episode import role_of
from wideseek_env.game.limits import max_turns
from wideseek_env.game.tools import Tool, tools_of
from wideseek_env.records import Decision, Observation, Role, ToolResult

Usage: TypeAlias = "defaultdict[str, float]"
"""Figures of one decision; kept in the record as `Decision.usage`."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost, in US dollars for a million of them."""

    prompt: Annotated[float, tyro.conf.arg(name="price-prompt")] = 0.0
    """Of tokens that are read."""
    cached: Annotated[float, tyro.conf.arg(name="price-cached")] = 0.0
    """Of tokens that are read and that the engine had computed before."""
    new: Annotated[float, tyro.conf.arg(name="price-new")] = 0.0
    """Of tokens that are written."""

    def __post_init__(self) -> None:
        if not all(0 <= price < math.inf for price in (self.prompt, self.cached, self.new)):
            raise ValueError(f"prices must be 0 or more, in dollars per million tokens, got {self}")

    def cost_usd(self, completion: Completion) -> float:
        """Adds up what one completion cost."""
        cached = completion.num_cached_tokens
        computed = completion.num_prompt_tokens - cached
        micro = computed * self.prompt + cached * self.cached
        return (micro + completion.num_new_tokens * self.new) / 1e6


@dataclass(frozen=True, slots=True)
class LLMConfig:
    """How a model plays."""

    format: str = "hermes"
    """Tool-call format: a name of `wideseek_env.formats.FORMATS`, or the path of another."""
    max_tokens: int = 4096
    """Most tokens of one turn, thinking included."""
    max_context_tokens: int = 32_768
    """Most tokens of one conversation, as the paper has it, or what the engine takes, if that is
    less; see `LLMPlayer` for how it ends."""
    temperature: float = 1.0
    """0 is greedy; 1 is what the objective assumes of rollouts."""
    top_p: float = 1.0
    """Samples among the most likely tokens of this total probability."""
    language: Literal["auto", "en", "zh"] = "auto"
    """Of the prompts; auto follows the task."""
    prompts: Literal["full", "short"] = "full"
    """short: role, width and columns alone, for models that are trained on the game."""
    few_shot: bool = False
    """Whether the system prompt ends with an example of a good turn."""
    budget_hints: bool = True
    """Whether every observation ends with the number of turns that are left."""
    summarize_min_chars: int | None = None
    """Opened pages at least this long are summed up by the model first; None: never."""
    prices: Prices = field(default_factory=Prices)
    """What its tokens cost, for the record."""

    def __post_init__(self) -> None:
        if not 1 <= self.max_tokens < self.max_context_tokens:
            raise ValueError(
                f"`max_tokens` must be at least 1 and less than `max_context_tokens` "
                f"({self.max_context_tokens}), got {self.max_tokens!r}"
            )
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"`temperature` must be 0 (greedy) or more, got {self.temperature!r}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"`top_p` must be above 0 and at most 1, got {self.top_p!r}")


class LLMPolicy:
    """A language model that plays all agents.

    Args:
        engine: writes the turns of all agents.
        config: how it plays.
        subagent_engine: writes the subagents' turns instead; for the paper's ablation.
        name: as tables and records show it.

    Raises:
        ValueError: the format needs a server that writes tool calls, and an engine is none.
    """

    def __init__(
        self,
        engine: Engine,
        config: LLMConfig | None = None,
        *,
        subagent_engine: Engine | None = None,
        name: str | None = None,
    ) -> None:
        self.config = config or LLMConfig()
        self.format = get_format(self.config.format)
        self.engines: dict[Role, Engine] = {"lead": engine, "subagent": subagent_engine or engine}
        self.name = name or "llm " + " + ".join(
            dict.fromkeys(e.name for e in self.engines.values())
        )
        self._numbers = itertools.count()
        for used in self.engines.values():
            if self.format.native_tools and used.tokenizer is not None:
                raise ValueError(
                    f"format {self.format.name!r} needs an engine that takes messages, "
                    f"{used.name!r} takes tokens; choose hermes or json"
                )

    def begin(self, info: EpisodeInfo) -> LLMPlayer:
        """Returns the player of one episode."""
        return LLMPlayer(self, info, str(next(self._numbers)))

    async def close(self) -> None:
        """Closes the engines."""
        for engine in dict.fromkeys(self.engines.values()):
            await engine.close()


@dataclass(slots=True)
class _Talk:
    """What one agent has before it while it works on one (sub)task, or on a segment of it."""

    role: Role
    prompt: str
    chat: Chat
    conversation: str
    context: int
    """Most tokens of the conversation."""
    reserve: int
    """Tokens without which no turn is begun."""
    turn: int = 0
    full: bool = False
    """Whether the agent was told that its context is nearly full."""
    segment: int = 0
    """Folds before this conversation began."""
    goals: dict[str, str] = field(default_factory=dict)


class LLMPlayer:
    """Plays one episode.

    A conversation ends when a turn of `max_tokens` (or of a quarter of the context, if that is
    less) no longer fits: what the last turn brought is cut to fit and the agent is told to finish;
    when it does not, its trajectory ends as `context_budget` and the episode goes on. A fold begins
    a conversation anew, with the system prompt, the (sub)task and the folded text.
    """

    def __init__(self, policy: LLMPolicy, info: EpisodeInfo, number: str) -> None:
        self._policy = policy
        self._config = policy.config
        self._info = info
        self._number = number
        asked = policy.config.language
        self._language: Language = language_of(info) if asked == "auto" else asked
        self._talks: dict[str, _Talk] = {}
        self._subtasks: Counter[str] = Counter()

    async def decide(self, agent: str, observation: Observation) -> Decision:
        """Lets the engine write the turn of `agent`; a first turn begins a new conversation.

        Raises:
            PolicyError: the engine cannot answer.
        """
        usage: Usage = defaultdict(float)
        try:
            talk = self._talks.get(agent)
            if talk is None or observation.turn == 0 or observation.segment > talk.segment:
                talk = self._talks[agent] = self._begin_talk(agent, observation)
                fits = self._room(talk) >= 1
            else:
                talk.turn = observation.turn
                results = await self._results(talk, observation, usage)
                fits = self._fit(talk, results, self._may_fold(talk))
            completion = await self._generate(talk, usage) if fits else None
        except ContextOverflow:
            completion = None
        if completion is None:
            return Decision(usage=dict(usage), context_full=True)
        tokens = talk.chat.add_turn(completion)
        usage["drift"] += int(tokens.drift)
        usage["retokenized"] += int(tokens.retokenized)
        usage["cut"] += int(completion.finish == "length")
        decision = self._policy.format.parse(completion.text, talk.role)
        calls = decision.calls
        if self._config.summarize_min_chars is not None:
            calls, talk.goals = take_goals(calls)
        return replace(decision, calls=calls, tokens=tokens.span, usage=dict(usage))

    def _begin_talk(self, agent: str, observation: Observation) -> _Talk:
        role = role_of(agent)
        before, text, segment = self._talks.get(agent), observation.text, observation.segment
        if segment == 0 or before is None:
            name, prompt = f"{self._number}/{agent}/{self._subtasks[agent]}", text
            self._subtasks[agent] += 1
        else:  # after a fold, on the same (sub)task
            name, prompt = f"{before.conversation.partition('+')[0]}+{segment}", before.prompt
            if self._config.budget_hints:
                text += f"\n\n{turn_hint(observation.turns_left, self._language)}"
        context = min(
            self._config.max_context_tokens,
            self._policy.engines[role].max_context_tokens or self._config.max_context_tokens,
        )
        return _Talk(
            role,
            prompt,
            chat=self._new_chat(role, self._system(role), text),
            conversation=name,
            context=context,
            reserve=min(self._config.max_tokens, context // 4),
            turn=observation.turn,
            segment=segment,
        )

    def _system(self, role: Role) -> str:
        tokenizer = self._policy.engines[role].tokenizer
        harmless = harmless_for(self._policy.format, tokenizer)
        info = replace(
            self._info,
            columns=tuple(map(harmless, self._info.columns)),
            key_columns=tuple(map(harmless, self._info.key_columns)),
        )
        if self._config.prompts == "short":
            return short_prompt(role, info)
        system = system_prompt(
            role,
            info,
            language=self._language,
            few_shot=self._config.few_shot,
            format=self._policy.format,
        )
        instructions = self._policy.format.instructions(schemas(*self._tools(role)))
        return f"{system}\n\n{instructions}" if instructions else system

    def _tools(self, role: Role) -> tuple[Iterable[Tool], bool]:
        tools = tools_of(role, self._info.limits, self._info.n_subagents)
        return tools.values(), self._config.summarize_min_chars is not None

    def _new_chat(self, role: Role, system: str, user: str) -> Chat:
        tokenizer = self._policy.engines[role].tokenizer
        if tokenizer is None:
            return MessageChat(self._policy.format, system, user)
        return TokenChat(tokenizer, self._policy.format, system, user)

    async def _results(
        self, talk: _Talk, observation: Observation, usage: Usage
    ) -> list[ToolResult]:
        """Prepares what the agent is shown: pages summed up if asked, and a hint on the budget."""
        results = list(observation.results)
        min_chars = self._config.summarize_min_chars
        if min_chars is not None:

            async def read(goal: str, page: str) -> str:
                return await self._read(talk, goal, page, usage)

            results = await sum_up(results, talk.goals, talk.prompt, min_chars, read)
        if self._config.budget_hints:
            hint = turn_hint(observation.turns_left, self._language)
            results.append(ToolResult(hint, "notice"))
        return results

    def _room(self, talk: _Talk) -> int:
        return talk.context - talk.chat.num_tokens

    def _may_fold(self, talk: _Talk) -> bool:
        limits = self._info.limits
        turns_left = max_turns(limits, talk.role) - talk.turn
        return talk.segment < limits.max_folds and turns_left > 1

    def _fit(self, talk: _Talk, results: Sequence[ToolResult], may_fold: bool) -> bool:
        """Adds the results to the conversation, cut if they must be; False when it is full."""
        talk.chat.show(results)
        if self._room(talk) >= talk.reserve:
            return True
        if talk.full:
            return False
        talk.full = True
        said = full_notice(talk.role, self._language, may_fold=may_fold)
        notice = ToolResult(said, "notice")
        for share in (0.5, 0.25, 0.1, 0.0):
            talk.chat.show([*(_cut(result, share) for result in results), notice])
            if self._room(talk) >= talk.reserve:
                return True
        return False

    async def _generate(self, talk: _Talk, usage: Usage) -> Completion:
        role = talk.role
        native = self._policy.format.native_tools
        request = Request(
            conversation=talk.conversation,
            prompt_ids=talk.chat.prompt_ids,
            messages=talk.chat.messages,
            tools=tuple(schemas(*self._tools(role))) if native else (),
            max_tokens=min(self._config.max_tokens, self._room(talk)),
            temperature=self._config.temperature,
            top_p=self._config.top_p,
            seed=turn_seed(self._info, talk.conversation, talk.turn),
        )
        return await self._ask(role, request, usage)

    async def _read(self, talk: _Talk, goal: str, page: str, usage: Usage) -> str:
        """Lets the model sum up a page; one that does not fit is cut."""
        system, user = reading_prompt(goal, page, self._language)
        chat = self._new_chat(talk.role, system, user)
        while page and chat.num_tokens + talk.reserve > talk.context:
            page = page[: len(page) // 2]
            system, user = reading_prompt(goal, page, self._language)
            chat = self._new_chat(talk.role, system, user)
        request = Request(
            conversation=f"{talk.conversation}/{hashlib.blake2b(user.encode()).hexdigest()[:8]}",
            prompt_ids=chat.prompt_ids,
            messages=chat.messages,
            max_tokens=talk.reserve,
            temperature=self._config.temperature,
            top_p=self._config.top_p,
            seed=turn_seed(self._info, talk.conversation + user, talk.turn),
        )
        usage["summaries"] += 1
        return (await self._ask(talk.role, request, usage)).text

    async def _ask(self, role: Role, request: Request, usage: Usage) -> Completion:
        started_s = time.perf_counter()
        (completion,) = await self._policy.engines[role].generate([request])
        _check(completion)
        usage["engine_s"] += time.perf_counter() - started_s
        usage["prompt_tokens"] += completion.num_prompt_tokens
        usage["cached_tokens"] += completion.num_cached_tokens
        usage["new_tokens"] += completion.num_new_tokens
        usage["cost_usd"] += self._config.prices.cost_usd(completion)
        return completion


def turn_seed(info: EpisodeInfo, conversation: str, turn: int) -> int:
    """Returns the seed of one turn: the same in every process, another for every turn.

    Args:
        info: of the episode.
        conversation: the agent's conversation; the part before the first slash counts episodes of
            this process and is left out.
        turn: of the agent.
    """
    within = conversation.partition("/")[2]
    key = f"{info.seed}|{info.task_id}|{within}|{turn}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") >> 1


def _check(completion: Completion) -> None:
    """Looks whether an engine gave what it should; a server may send anything.

    Raises:
        PolicyError: its text, ids or log-probabilities are none.
    """
    try:
        if not isinstance(completion.text, str):
            raise ValueError(f"expected a text, got {completion.text!r:.40}")
        check_tokens(completion.ids, completion.logprobs)
        check_tokens(completion.prompt_ids or ())
    except (TypeError, ValueError) as error:
        raise PolicyError(f"the engine's answer is none: {error}") from error


def _cut(result: ToolResult, share: float) -> ToolResult:
    if result.status == "notice":
        return result
    return replace(result, text=f"{result.text[: int(len(result.text) * share)]} [cut]")
