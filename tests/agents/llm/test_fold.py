"""The LLM policy folds: a new conversation on the same (sub)task, its tokens by segment."""

import asyncio
from dataclasses import replace

from tinyworld import GOLD_ANSWER, TASK, TinyBackend

from agents.llm.engines.echo import EchoEngine
from agents.llm.engines.replay import ReplayEngine
from agents.llm.policy import LLMConfig, LLMPolicy
from agents.llm.prompts import full_notice
from agents.rollout import Job, run_episode
from wideseek_env.backends import Page
from wideseek_env.formats import get_format
from wideseek_env.records import Episode, Limits, ToolCall, Trajectory

FOLDS = Limits(max_folds=2)
NOTES = "Alden 12 <|im_end|> still /Brook"


def call(name: str, **arguments: object) -> str:
    return get_format("hermes").render([ToolCall(name, arguments)])


def play(
    policy: LLMPolicy,
    limits: Limits = FOLDS,
    n_subagents: int = 0,
    backend: TinyBackend | None = None,
) -> Episode:
    job = Job(TASK, backend or TinyBackend(), n_subagents, limits, seed=3)
    return asyncio.run(run_episode(job, policy))


class LongPages(TinyBackend):
    async def open(self, url: str, part: int = 1) -> Page:
        return Page(url, url[1:], "word " * 1_000)


def lead_of(episode: Episode) -> Trajectory:
    return episode.trajectories[0]


def prompt_text(trajectory: Trajectory, turn: int) -> str:
    tokens = trajectory.turns[turn].decision.tokens
    assert tokens is not None
    return EchoEngine().tokenizer.decode(tokens.prompt_ids)


def folding(prompt: str) -> str:
    """Opens a page, folds, opens the other, answers; goes by what its prompt holds alone."""
    turns = prompt.count("<|im_start|>assistant") - 1
    if "You noted" not in prompt:
        return call("fold", text=NOTES) if turns else call("open", url="/Alden")
    return GOLD_ANSWER if turns else call("open", url="/Brook")


def test_a_fold_begins_a_conversation_that_has_the_task_and_the_folded_text_alone() -> None:
    episode = play(LLMPolicy(EchoEngine(folding)))
    assert episode.error is None
    lead = lead_of(episode)
    assert lead.segments == (range(2), range(2, 4))
    assert [r.status for t in lead.turns for r in t.results] == ["ok"] * 4
    begins = prompt_text(lead, 2)
    first = prompt_text(lead, 0)
    system = first[: first.index("user\n")]
    assert begins.startswith(system)
    assert "`fold`" in system
    assert TASK.question in begins
    assert "You noted:\nAlden 12" in begins
    assert "Length: 12 km" not in begins
    assert "Turns left: 8." in begins
    assert "<|im_end|> still" not in begins  # its own words open no turn either
    assert episode.score is not None
    assert episode.score.item_f1 == 1.0


def test_tokens_of_a_segment_are_its_whole_conversation_and_play_again_exactly() -> None:
    engine = EchoEngine(folding)
    episode = play(LLMPolicy(engine))
    prompts: list[tuple[int, ...]] = []

    class Watched(ReplayEngine):
        def _complete(self, request):
            prompts.append(request.prompt_ids)
            return super()._complete(request)

    again = play(LLMPolicy(Watched([episode], engine.tokenizer)))
    assert again.error is None
    assert [t.decision.tokens for t in lead_of(again).turns] == [
        t.decision.tokens for t in lead_of(episode).turns
    ]
    for segment in lead_of(episode).segments:
        ids: tuple[int, ...] = ()
        for number in segment:
            span = lead_of(episode).turns[number].decision.tokens
            assert span is not None
            assert prompts[number] == ids + span.prompt_ids
            ids += span.prompt_ids + span.ids


def test_each_segment_is_a_conversation_of_its_own_for_the_engine() -> None:
    names: list[str] = []

    class Named(EchoEngine):
        async def generate(self, requests):
            names.extend(request.conversation for request in requests)
            return await super().generate(requests)

    play(LLMPolicy(Named(folding)))
    assert [name.partition("/")[2] for name in names] == ["lead/0"] * 2 + ["lead/0+1"] * 2


def test_a_full_conversation_is_told_to_fold_and_goes_on_when_it_does() -> None:
    def filling(prompt: str) -> str:
        if "You noted" in prompt:
            return GOLD_ANSWER
        if full_notice("lead", "en", may_fold=True) in prompt:
            return call("fold", text="Alden 12")
        return call("open", url="/Brook")

    limits = replace(FOLDS, max_context_chars=1_000_000, max_lead_turns=60)
    config = LLMConfig(max_tokens=1_000, max_context_tokens=12_000)
    episode = play(LLMPolicy(EchoEngine(filling), config), limits, backend=LongPages())
    assert episode.error is None
    assert (episode.end, episode.num_folds) == ("answered", 1)


def test_a_subtask_folds_and_the_next_one_begins_without_it() -> None:
    def team(prompt: str) -> str:
        turns = prompt.count("<|im_start|>assistant") - 1
        if "You lead" in prompt:
            return (
                call("answer", text=GOLD_ANSWER)
                if turns > 1
                else call("delegate", subtasks=["Alden"])
            )
        if "You noted" in prompt:
            return call("report", text="7")
        return call("fold", text="Alden 12")

    episode = play(LLMPolicy(EchoEngine(team)), n_subagents=1)
    assert [len(t.segments) for t in episode.trajectories] == [1, 2, 2]
    assert "You noted" not in prompt_text(episode.trajectories[2], 0)


def test_without_folds_a_prompt_says_nothing_of_them() -> None:
    def first(limits: Limits) -> str:
        return prompt_text(lead_of(play(LLMPolicy(EchoEngine(folding)), limits)), 0)

    assert "fold" not in first(Limits())
    assert "You may do so 2 times" in first(FOLDS)
    assert full_notice("lead", "en") == (
        "Your context is nearly full: call `answer` now with what you have."
    )
