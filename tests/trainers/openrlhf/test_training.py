"""Whole runs: Ray, vLLM, DeepSpeed and OpenRLHF's own program, on this machine's CPU."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("openrlhf", reason="needs OpenRLHF: `make test-openrlhf`")

from launching import SMALL, START, Run, assert_right, trained

from trainers.openrlhf.prompts import Label
from trainers.openrlhf.settings import TeamSettings

pytestmark = [pytest.mark.openrlhf, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def grpo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("grpo")
    with pytest.MonkeyPatch.context() as patch:
        # As where somebody else's cluster runs: without --ray-address a run starts its own.
        patch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        return trained(out, *SMALL, "--data.max_samples", "8", "--save-episodes")


def test_grpo_takes_the_step_that_the_objective_says(grpo: Run) -> None:
    assert_right(grpo, 2)


def test_the_model_is_one_that_our_engines_load(grpo: Run) -> None:
    import torch

    from trainers.models import load_model

    (lm, tokenizer), (start, _) = load_model(str(grpo.out / "model")), load_model(str(START))
    assert tokenizer.decode(tokenizer.encode("a name")) == "a name"
    moved = [
        float((after - before).detach().abs().max())
        for after, before in zip(lm.parameters(), start.parameters(), strict=True)
    ]
    assert 0 < max(moved) < 0.1
    assert not any(torch.isnan(p).any() for p in lm.parameters())


async def test_and_that_plays(grpo: Run) -> None:
    from agents.llm.engines import make_engine
    from agents.llm.policy import LLMConfig, LLMPolicy
    from agents.rollout import Job, run_episode

    policy = LLMPolicy(
        make_engine("transformers", str(grpo.out / "model")),
        LLMConfig("json", prompts="short", max_tokens=320, max_context_tokens=2048),
    )
    assigned = TeamSettings(source="starter").tasks("train")[0]
    job = Job(assigned.task, assigned.backend, 2, assigned.limits)
    episode = await run_episode(job, policy)
    await policy.close()
    assert episode.valid
    assert episode.answer is not None


def test_episodes_are_kept_with_their_tokens(grpo: Run) -> None:
    from agents.episode_file import read_episodes

    (path,) = [p for p in (grpo.out / "episodes").glob("*.jsonl") if "tokens" not in p.name]
    episodes = list(read_episodes(path, tokens=True))
    assert len(episodes) == 32
    assert len({e.seed for e in episodes}) == 32
    assert all(t.turns[0].decision.tokens for e in episodes for t in e.trajectories)
    # Each step plays the next four prompts of the file, in whatever order they end.
    lines = (grpo.out / "prompts-train.jsonl").read_text("utf-8").splitlines()
    source = TeamSettings(source="worlds:starter:0-39", num_tasks=8).tasks("train")
    written = [source[Label.read(json.loads(line)["label"]).index].task.id for line in lines[:8]]
    for step in (0, 1):
        played = Counter(e.task.id for e in episodes[16 * step :][:16])
        assert played == dict.fromkeys(written[4 * step :][:4], 4)


def test_prompts_carry_no_gold(grpo: Run) -> None:
    text = (grpo.out / "prompts-train.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    assert {tuple(line) for line in lines} == {("input", "label", "datasource")}
    assert {Label.read(line["label"]).n_subagents for line in lines} == {2}


def test_leave_one_out_with_a_reference_on_two_ranks(tmp_path: Path) -> None:
    run = trained(
        tmp_path,
        *(*SMALL, "--data.max_samples", "8", "--algo.advantage.estimator", "rloo"),
        *("--algo.kl.use_loss", "--algo.kl.init_coef", "0.1", "--algo.kl.estimator", "k3"),
        *("--actor.num_gpus_per_node", "2", "--ref.num_gpus_per_node", "2"),
        *("--rollout.micro_batch_size", "4", "--train.micro_batch_size", "2"),
    )
    assert_right(run, 2)
    assert run.steps[0]["kl"] == 0
    assert run.steps[1]["kl"] > 0


def test_a_critic_for_teams(tmp_path: Path) -> None:
    run = trained(
        tmp_path,
        *(*SMALL, "--data.max_samples", "8", "--algo.advantage.estimator", "gae"),
        *("--algo.advantage.lambd", "0.95", "--critic.num_gpus_per_node", "1"),
        *("--critic.adam.lr", "1e-3", "--critic.lr_warmup_ratio", "0"),
    )
    assert_right(run, 2)
    assert all(step["audit/critic_difference"] < 0.01 for step in run.steps)
    first, second = run.steps
    assert second["critic_loss"] != first["critic_loss"]
    assert second["values"] > first["values"]  # rewards are positive, and values begin near 0


def test_packed_rows_in_dynamic_batches(tmp_path: Path) -> None:
    run = trained(
        tmp_path,
        *(*SMALL, "--data.max_samples", "8", "--ds.packing_samples"),
        *("--train.dynamic_batch_enable", "--train.max_tokens_per_gpu", "3000"),
    )
    assert_right(run, 2)


def test_asynchronous_training_with_dynamic_filtering(tmp_path: Path) -> None:
    run = trained(
        tmp_path,
        *(*SMALL, "--data.max_samples", "16", "--algo.advantage.estimator", "dr_grpo"),
        *("--train.async_enable", "--algo.dynamic_filtering_enable"),
        *("--algo.dynamic_filtering_range", "0.1", "1.05"),
    )
    # Episodes are a step old, and the policy has moved since: the gap is no error of the sampler.
    assert_right(run, len(run.steps), num_episodes=None, max_gap=0.1)
    assert run.steps[0]["rollout/logprob_gap"] < 1e-4
    assert all(step["rollout/num_episodes"] % 4 == 0 for step in run.steps)


def test_a_dead_engine_ends_the_run_and_the_next_one_goes_on(tmp_path: Path) -> None:
    flags = (*SMALL, "--data.max_samples", "16", "--ckpt.save_steps", "1")
    run = Run(tmp_path, *flags)
    run.wait_for(2)
    run.kill("CpuRollout")
    assert run.wait(300) != 0
    before = len(run.steps)
    assert 2 <= before < 4
    again = trained(tmp_path, *flags, "--ckpt.load_enable")
    assert_right(again, 4)
    assert again.steps[before]["actor_lr"] > 0  # the schedule goes on as well


@pytest.mark.parametrize(
    ("script", "nodes"),
    [
        (
            "qwen3-4b-8gpu",
            ["8 x policy on 0.2 GPU, 8 x reference on 0.2 GPU, 4 x vLLM engine"],
        ),
        (
            "qwen3-4b-multinode",
            ["8 x policy on 0.2 GPU, 8 x reference on 0.2 GPU"] * 2 + ["4 x vLLM engine"] * 2,
        ),
    ],
)
def test_a_rehearsal_places_every_worker(tmp_path: Path, script: str, nodes: list[str]) -> None:
    small = ("--source", "worlds:default:0-3", "--num-tasks", "64", "--eval-tasks", "4")
    run = Run(tmp_path, *small, "--dry-run", script=script)
    assert run.wait() == 0, run.log[-5000:]
    assert "data: 256 prompts, 2 optimiser steps" in run.log  # 128 prompts a step
    placed = [line.partition(": ")[2] for line in run.log.splitlines() if line.startswith("node ")]
    assert sorted(placed) == sorted(nodes)


def test_a_flag_that_teams_cannot_have_is_refused_before_anything_starts(tmp_path: Path) -> None:
    run = Run(tmp_path, "--ds.ring_attn_size", "2", "--actor.loss_agg_mode", "token-mean")
    assert run.wait() != 0
    assert "--ds.ring_attn_size must be 1, got 2" in run.log
    assert "--actor.loss_agg_mode must be seq-mean-token-mean" in run.log
    assert "Started a local Ray instance" not in run.log
