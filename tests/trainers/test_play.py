"""The stage: which tasks a step plays, in which order, and the same again; and all of it in one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from agents.scripted import POLICIES  # noqa: E402
from trainers import grpo, ppo, sft  # noqa: E402
from trainers.config import RunConfig  # noqa: E402
from trainers.model import Learner  # noqa: E402
from trainers.play import Stage, load, make_tiny, sampling_policy  # noqa: E402
from wideseek_env.errors import DataError  # noqa: E402
from wideseek_env.worlds import PRESETS  # noqa: E402

CONFIG = RunConfig(
    out="unused",
    model="none",
    num_worlds=2,
    num_tasks=3,
    tasks_per_step=2,
    group_size=2,
    n_subagents=3,
    random_width=True,
)


def keys(episodes):
    return [(e.task.id, e.seed, e.n_subagents) for e in episodes]


def test_stage_plays_every_task_once_in_a_pass_and_the_same_again():
    stage = Stage(CONFIG, POLICIES["random"])
    first_pass = [stage.play(step) for step in range(3)]
    counts = Counter(episode.task.id for step in first_pass for episode in step)
    assert sorted(counts.values()) == [2] * 6
    assert keys(stage.play(1)) == keys(first_pass[1])
    assert [e.answer for e in Stage(CONFIG, POLICIES["random"]).play(2)] == [
        e.answer for e in first_pass[2]
    ]
    second_pass = [{e.task.id for e in stage.play(step)} for step in (3, 4, 5)]
    assert second_pass != [{e.task.id for e in step} for step in first_pass]


def test_stage_groups_share_task_and_width_and_differ_in_seed():
    episodes = [e for step in range(6) for e in Stage(CONFIG, POLICIES["random"]).play(step)]
    for one, other in zip(episodes[::2], episodes[1::2], strict=True):
        assert (one.task.id, one.n_subagents) == (other.task.id, other.n_subagents)
        assert one.seed != other.seed
    assert {e.n_subagents for e in episodes} == {1, 2, 3}
    fixed = Stage(replace(CONFIG, random_width=False), POLICIES["random"]).play(0)
    assert {e.n_subagents for e in fixed} == {3}


def test_stage_without_subagents_gives_the_lead_the_turns_it_is_told_to():
    alone = replace(CONFIG, n_subagents=0)
    for turns, found in ((0, PRESETS["starter"].limits.max_lead_turns), (8, 8)):
        (episode, *_) = Stage(replace(alone, max_lead_turns=turns), POLICIES["solo"]).play(0)
        assert (episode.n_subagents, episode.limits.max_lead_turns) == (0, found)
    assert {turn.decision.calls[0].name for turn in episode.trajectories[0].turns} == {
        "search", "open", "answer",
    }  # fmt: skip


def test_stage_gives_the_rewards_that_were_asked_for():
    assert set(Stage(CONFIG, POLICIES["oracle"]).play(0)[0].reward_terms) > {"item_f1", "parsed"}
    bare = replace(CONFIG, reward="item_f1")
    assert Stage(bare, POLICIES["oracle"]).play(0)[0].reward_terms == {"item_f1": 1.0}


def test_stage_with_too_few_tasks_says_so():
    with pytest.raises(ValueError, match="`tasks_per_step` must be at most the 6 tasks"):
        Stage(replace(CONFIG, tasks_per_step=7), POLICIES["random"]).play(0)


def test_load_without_a_model_says_how_to_make_one(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="expected a model or a run with checkpoints"):
        load(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"python -m trainers\.sft --preset tiny --out runs/sft"):
        load("runs/sft")


def test_make_tiny_of_an_unknown_teacher_names_those_there_are(tmp_path):
    config = replace(CONFIG, out=str(tmp_path))
    with pytest.raises(ValueError, match="`teacher` must be one of random, solo, fanout"):
        make_tiny(config, "nobody")


def test_sampling_policy_in_bfloat16_follows_the_learner(tmp_path, monkeypatch):
    start = make_tiny(replace(CONFIG, out=str(tmp_path)), "fanout")
    lm, tokenizer = load(str(start))
    learner = Learner(lm, replace(CONFIG, max_new_tokens=64), tokenizer=tokenizer.hf)
    in_float32 = sampling_policy(learner, tokenizer)([])
    assert in_float32.engines["lead"].model is learner.lm
    monkeypatch.setattr(Learner, "bf16", True)
    current = sampling_policy(learner, tokenizer)
    with torch.no_grad():
        for parameter in learner.parameters:
            parameter.add_(0.125)
    sampler = current([]).engines["lead"].model
    assert sampler is not learner.lm
    for ours, theirs in zip(sampler.parameters(), learner.lm.parameters(), strict=True):
        assert torch.equal(ours, theirs.bfloat16())


SMALL = ["--preset", "tiny", "--num-worlds", "1", "--num-tasks", "8", "--device", "cpu"]


def numbers(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.train
def test_tiny_model_goes_from_scratch_through_sft_to_grpo_and_ppo(tmp_path):
    start = tmp_path / "sft"
    step = ["--tasks-per-step", "2", "--n-subagents", "2"]
    assert sft.main([*SMALL, *step, "--out", str(start), "--num-steps", "6"]) == 0
    lines = numbers(start)
    assert lines[-1]["sft/loss"] < lines[0]["sft/loss"] - 0.3
    again = make_tiny(sft.SFTConfig(out=str(start), model="tiny"), "fanout")
    assert again == start / "start"

    step += ["--group-size", "2", "--max-new-tokens", "48", "--num-steps", "2"]
    for name, main in (("grpo", grpo.main), ("ppo", ppo.main)):
        out = tmp_path / name
        assert main([*SMALL, *step, "--out", str(out), "--model", str(start)]) == 0
        lines = numbers(out)
        assert [line["step"] for line in lines] == [0, 1]
        assert all(line["episodes/invalid"] == 0 for line in lines)
        assert load(str(out))[0].config.vocab_size == 768
    # A model that has hardly learnt anything answers nothing: all rewards are equal, or PPO learns
    # from turns that failed.
    assert numbers(tmp_path / "ppo")[0]["policy/drift_max"] < 1e-3


def train_through_engine(out, start):
    """GRPO on a reward that an untrained model can earn: tokens of the vocabulary's first half."""
    settings = {
        **grpo.PRESETS["tiny"],
        **{"num_worlds": 1, "num_tasks": 8, "tasks_per_step": 1, "n_subagents": 1},
        **{"lr": 1e-2, "warmup_steps": 0, "updates_per_epoch": 4, "num_steps": 5},
        **{"out": str(out), "model": str(start), "device": "cpu", "max_new_tokens": 16},
    }
    config = grpo.GRPOConfig(**settings)
    lm, tokenizer = load(config.model)
    learner = Learner(lm, config, tokenizer=tokenizer.hf)
    stage = Stage(config, sampling_policy(learner, tokenizer))

    def play(step):
        return [rewarded(episode) for episode in stage.play(step)]

    grpo.train(config, learner, play)
    return [
        {name: value for name, value in line.items() if not name.startswith("seconds/")}
        for line in numbers(out)
    ]


def rewarded(episode):
    turns = [turn for trajectory in episode.trajectories for turn in trajectory.turns]
    ids = [i for turn in turns for i in turn.decision.tokens.ids]
    terms = {"first_half": sum(i < 384 for i in ids) / len(ids)}
    return replace(episode, reward_terms=terms, answer="", end="answered")


@pytest.mark.train
def test_grpo_through_the_engine_learns_and_repeats_to_the_bit(tmp_path):
    config = sft.SFTConfig(**{**sft.PRESETS["tiny"], "out": str(tmp_path), "num_worlds": 1})
    start = make_tiny(replace(config, num_tasks=64), "fanout")
    lines = train_through_engine(tmp_path / "a", start)
    rewards = [line["reward/total"] for line in lines]
    assert rewards[-1] > rewards[0] + 0.04
    assert max(line["policy/drift_max"] for line in lines) < 1e-3
    # The sampler rounds by who shared a batch with whom; the trainer does not.
    again = train_through_engine(tmp_path / "b", start)
    for line in (*lines, *again):
        del line["policy/drift"], line["policy/drift_max"]
    assert again == lines
