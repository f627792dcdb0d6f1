"""The collector: which tasks an iteration plays, and the same again; and all of it in one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs torch, `pip install -e .[train]`")
pytest.importorskip("tensorboard", reason="needs TensorBoard, `pip install -e .[train]`")

from agents.evaluate import ALONE_TURNS  # noqa: E402
from agents.scripted import POLICIES  # noqa: E402
from tests.smallcorpus import NUM_TASKS, write_corpus  # noqa: E402
from trainers import grpo, sft  # noqa: E402
from trainers.batch import flat, micro_batches, rows_of  # noqa: E402
from trainers.collector import Collector, held_out_scores  # noqa: E402
from trainers.config import RunConfig  # noqa: E402
from trainers.model import Learner  # noqa: E402
from trainers.models import load_model, make_tiny  # noqa: E402
from trainers.policies import sampling_policy  # noqa: E402
from wideseek_env.cli.commands import run_command  # noqa: E402
from wideseek_env.errors import DataError  # noqa: E402
from wideseek_env.tasks.source import TaskSource  # noqa: E402

CONFIG = RunConfig(
    out="unused",
    model="none",
    source="worlds:starter:0-1",
    num_tasks=3,
    tasks_per_iteration=2,
    group_size=2,
    n_subagents=3,
    random_width=True,
)


def keys(episodes):
    return [(e.task.id, e.seed, e.n_subagents) for e in episodes]


def test_collector_plays_every_task_once_in_a_pass_and_the_same_again():
    collector = Collector(CONFIG, POLICIES["random"])
    first_pass = [collector.collect(iteration) for iteration in range(3)]
    counts = Counter(episode.task.id for iteration in first_pass for episode in iteration)
    assert sorted(counts.values()) == [2] * 6
    assert keys(collector.collect(1)) == keys(first_pass[1])
    assert [e.answer for e in Collector(CONFIG, POLICIES["random"]).collect(2)] == [
        e.answer for e in first_pass[2]
    ]
    second_pass = [{e.task.id for e in collector.collect(iteration)} for iteration in (3, 4, 5)]
    assert second_pass != [{e.task.id for e in iteration} for iteration in first_pass]


def test_collector_groups_share_task_and_width_and_differ_in_seed():
    episodes = [
        e
        for iteration in range(6)
        for e in Collector(CONFIG, POLICIES["random"]).collect(iteration)
    ]
    for one, other in zip(episodes[::2], episodes[1::2], strict=True):
        assert (one.task.id, one.n_subagents) == (other.task.id, other.n_subagents)
        assert one.seed != other.seed
    assert {e.n_subagents for e in episodes} == {1, 2, 3}
    fixed = Collector(replace(CONFIG, random_width=False), POLICIES["random"]).collect(0)
    assert {e.n_subagents for e in fixed} == {3}


def test_collector_without_subagents_gives_the_lead_the_turns_it_is_told_to():
    alone = replace(CONFIG, n_subagents=0)
    for turns, found in ((None, ALONE_TURNS), (8, 8)):
        (episode, *_) = Collector(replace(alone, max_lead_turns=turns), POLICIES["solo"]).collect(0)
        assert (episode.n_subagents, episode.limits.max_lead_turns) == (0, found)
    assert {turn.decision.calls[0].name for turn in episode.trajectories[0].turns} == {
        "search", "open", "answer",
    }  # fmt: skip


def test_collector_gives_the_rewards_that_were_asked_for():
    assert set(Collector(CONFIG, POLICIES["oracle"]).collect(0)[0].reward_terms) > {
        "item_f1",
        "parsed",
    }
    bare = replace(CONFIG, reward="item_f1")
    assert Collector(bare, POLICIES["oracle"]).collect(0)[0].reward_terms == {"item_f1": 1.0}


def test_collector_scores_as_it_is_told_to():
    config = replace(CONFIG, source="worlds:conflict:0", reward="item_f1")
    strict = Collector(config, POLICIES["fanout"]).collect(0)
    own = replace(config, scorer="examples.scorer:whole_rows")
    for one, other in zip(strict, Collector(own, POLICIES["fanout"]).collect(0), strict=True):
        assert one.answer == other.answer
        assert other.reward == other.score.row_f1 == one.score.row_f1
    assert any(one.reward != one.score.row_f1 for one in strict)
    with pytest.raises(ValueError, match="scorers: expected one of official, strict"):
        replace(config, scorer="stric")


def test_collector_with_too_few_tasks_says_so():
    with pytest.raises(ValueError, match="`tasks_per_iteration` must be at most the 6 tasks"):
        Collector(replace(CONFIG, tasks_per_iteration=7), POLICIES["random"]).collect(0)


def test_load_without_a_model_says_how_to_make_one(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="expected a model or a run with checkpoints"):
        load_model(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="wideseek train sft --preset tiny --out runs/sft"):
        load_model("runs/sft")


def test_make_tiny_of_an_unknown_teacher_names_those_there_are(tmp_path):
    config = replace(CONFIG, out=str(tmp_path))
    with pytest.raises(
        ValueError, match="`teacher` must be one of random, solo, solo_fold, fanout"
    ):
        make_tiny(config, "nobody")


def test_sampling_policy_in_bfloat16_follows_the_learner(tmp_path):
    start = make_tiny(replace(CONFIG, out=str(tmp_path)), "fanout")
    lm, tokenizer = load_model(str(start))
    config = replace(CONFIG, max_new_tokens=64)
    learner = Learner(lm, config, tokenizer=tokenizer.hf)
    in_float32 = sampling_policy(learner, tokenizer)([])
    assert in_float32.engines["lead"].model is learner.lm  # so small a model gains nothing
    learner = Learner(lm, replace(config, bf16="on"), tokenizer=tokenizer.hf)
    current = sampling_policy(learner, tokenizer)
    with torch.no_grad():
        for parameter in learner.parameters:
            parameter.add_(0.125)
    sampler = current([]).engines["lead"].model
    assert sampler is not learner.lm
    learnt = learner.lm.state_dict()
    rounded = {name for name, w in sampler.state_dict().items() if w.dtype == torch.bfloat16}
    assert {name for name in learnt if "proj" in name or "head" in name} == rounded
    for name, weight in sampler.state_dict().items():
        assert torch.equal(weight, learnt[name].to(weight.dtype))


def test_bfloat16_sampler_and_learner_differ_by_rounding_alone(tmp_path):
    start = make_tiny(replace(CONFIG, out=str(tmp_path)), "fanout")
    lm, tokenizer = load_model(str(start))
    config = replace(CONFIG, bf16="on", max_new_tokens=64)
    learner = Learner(lm, config, tokenizer=tokenizer.hf)
    episodes = Collector(config, sampling_policy(learner, tokenizer)).collect(0)
    rows = rows_of(episodes)
    sampler = flat([row.logprobs for row in rows], rows, "cpu")
    ours, start = torch.zeros_like(sampler), torch.zeros_like(sampler)
    batches = micro_batches(rows, range(len(rows)), 4096, "cpu")
    learner.logprobs(batches, ours)
    assert 0 < (ours - sampler).abs().mean() < 2e-3
    learner.reference_logprobs(batches, start)
    assert torch.equal(start, ours)  # the frozen start is rounded once, and gives the same


def test_collector_plays_other_pages_than_worlds(tmp_path):
    folder = write_corpus(tmp_path / "pages", tasks=True)
    config = replace(CONFIG, source=f"corpus:{folder}", tasks_per_iteration=NUM_TASKS)
    episodes = Collector(config, POLICIES["oracle"]).collect(0)
    assert len({e.task.id for e in episodes}) == NUM_TASKS
    named = replace(config, source=f"file:{folder / 'tasks.jsonl'}", backend=str(folder))
    again = Collector(named, POLICIES["oracle"]).collect(0)
    assert keys(again) == keys(episodes)
    assert {e.score.item_f1 for e in again} == {1.0}


def test_held_out_scores_are_of_test_worlds_and_count_what_is_invalid():
    seen = []

    class Broken:
        name = "broken"

        def begin(self, info):
            raise KeyError("no such weights")

    def policy(tasks):
        seen.append(tasks)
        return POLICIES["oracle"](tasks) if len(seen) == 1 else Broken()

    scores = held_out_scores(replace(CONFIG, eval_every=2, eval_tasks=3), policy)
    assert scores(0) == {}
    assert scores(1)["eval/episodes/item_f1"] == 1.0
    assert scores(3) == {"eval/episodes/invalid": 3.0}
    assert {task.metadata["split"] for task in seen[0]} == {"test"}
    assert len({task.metadata["seed"] for task in seen[0]}) == 3
    assert held_out_scores(CONFIG, policy)(1) == {}


def test_engine_that_reads_folders_plays_with_the_weights_as_they_are_now(tmp_path):
    start = make_tiny(replace(CONFIG, out=str(tmp_path)), "fanout")
    config = replace(CONFIG, out=str(tmp_path), max_new_tokens=24)
    lm, tokenizer = load_model(str(start))
    learner = Learner(lm, config, tokenizer=tokenizer.hf)
    path = "agents.llm.engines.transformers:TransformersEngine"
    elsewhere = Learner(lm, replace(config, engine=path), tokenizer=tokenizer.hf)
    collectors = [
        Collector(config, sampling_policy(who, tokenizer)) for who in (learner, elsewhere)
    ]
    written = []
    for iteration in range(2):
        here, there = (tokens(c.collect(iteration)) for c in collectors)
        assert here == there
        written.append(here)
        with torch.no_grad():
            for parameter in learner.parameters:
                parameter.mul_(0.5)
    assert written[0] != written[1]


def tokens(episodes):
    return [
        [turn.decision.tokens.ids for t in episode.trajectories for turn in t.turns]
        for episode in episodes
    ]


def test_engine_that_cannot_take_weights_is_refused(tmp_path):
    start = make_tiny(replace(CONFIG, out=str(tmp_path)), "fanout")
    lm, tokenizer = load_model(str(start))
    config = replace(CONFIG, out=str(tmp_path), engine="openai")
    current = sampling_policy(Learner(lm, config, tokenizer=tokenizer.hf), tokenizer)
    with pytest.raises(ValueError, match="expected one with `load_weights`, such as vllm"):
        current([])


ROOT = Path(__file__).parents[2]
SMALL = ["--preset", "tiny", "--source", "worlds:starter:0", "--num-tasks", "8", "--device", "cpu"]


def numbers(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.train
def test_tiny_model_goes_from_scratch_through_sft_to_grpo_and_ppo(tmp_path):
    start = tmp_path / "sft"
    sizes = ["--tasks-per-iteration", "2", "--n-subagents", "2"]
    words = [*SMALL, *sizes, "--out", str(start), "--num-iterations", "6"]
    assert run_command("train sft", words) == 0
    lines = numbers(start)
    assert lines[-1]["sft/loss"] < lines[0]["sft/loss"] - 0.3
    again = make_tiny(sft.SFTConfig(out=str(start), model="tiny"), "fanout")
    assert again == start / "start"

    sizes += ["--group-size", "2", "--max-new-tokens", "48", "--num-iterations", "2"]
    for name in ("grpo", "ppo"):
        out = tmp_path / name
        words = [*SMALL, *sizes, "--out", str(out), "--model", str(start)]
        assert run_command(f"train {name}", words) == 0
        lines = numbers(out)
        assert [line["iteration"] for line in lines] == [0, 1]
        assert all(line["episodes/invalid"] == 0 for line in lines)
        assert load_model(str(out))[0].config.vocab_size == 768
    # A model that has hardly learnt anything answers nothing: all rewards are equal, or PPO learns
    # from turns that failed.
    assert numbers(tmp_path / "ppo")[0]["policy/drift_max"] < 1e-3


@pytest.mark.train
@pytest.mark.parametrize("by", ["command line", "python"])
def test_folder_of_pages_with_its_tasks_can_be_trained_on(tmp_path, by):
    folder = write_corpus(tmp_path / "pages", tasks=True)
    start = make_tiny(replace(CONFIG, out=str(tmp_path), format="json", prompts="short"), "fanout")
    settings = {
        "out": str(tmp_path / "grpo"),
        "model": str(start),
        "source": f"file:{folder / 'tasks.jsonl'}",
        "backend": str(folder),
        "eval_every": 2,
        "eval_source": f"corpus:{folder}",
        "eval_tasks": 3,
        "num_iterations": 2,
        "tasks_per_iteration": 2,
        "group_size": 2,
        "n_subagents": 1,
        "max_new_tokens": 24,
        "device": "cpu",
    }
    if by == "command line":
        flags = [[f"--{name.replace('_', '-')}", str(v)] for name, v in settings.items()]
        words = ["--preset", "tiny", *[text for flag in flags for text in flag]]
        assert run_command("train grpo", words) == 0
    else:
        config = grpo.GRPOConfig(**{**grpo.PRESETS["tiny"], **settings})
        lm, tokenizer = load_model(config.model)
        learner = Learner(lm, config, tokenizer=tokenizer.hf)
        policy = sampling_policy(learner, tokenizer)
        source = TaskSource.corpus(folder)
        scores = held_out_scores(config, policy)
        grpo.train(config, learner, Collector(config, policy, source).collect, scores)
    lines = numbers(tmp_path / "grpo")
    assert [line["iteration"] for line in lines] == [0, 1]
    assert all(line["episodes/invalid"] == 0 for line in lines)
    assert all(line["turns/tokens"] > 1 for line in lines)
    assert lines[1]["eval/episodes/invalid"] == 0
    assert "eval/episodes/item_f1" in lines[1]
    assert "eval/episodes/item_f1" not in lines[0]


def train_through_engine(out, start):
    """GRPO on a reward that an untrained model can earn: tokens of the vocabulary's first half."""
    settings = {
        **grpo.PRESETS["tiny"],
        **{"source": "worlds:starter:0", "num_tasks": 8, "tasks_per_iteration": 1},
        **{
            "n_subagents": 1,
            "lr": 1e-2,
            "warmup_steps": 0,
            "updates_per_epoch": 4,
            "num_iterations": 5,
        },
        **{"out": str(out), "model": str(start), "device": "cpu", "max_new_tokens": 16},
    }
    config = grpo.GRPOConfig(**settings)
    lm, tokenizer = load_model(config.model)
    learner = Learner(lm, config, tokenizer=tokenizer.hf)
    collector = Collector(config, sampling_policy(learner, tokenizer))

    def play(iteration):
        return [rewarded(episode) for episode in collector.collect(iteration)]

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
    config = sft.SFTConfig(
        **{**sft.PRESETS["tiny"], "out": str(tmp_path), "source": "worlds:starter:0"}
    )
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


@pytest.mark.train
def test_ctrl_c_ends_the_iteration_with_a_checkpoint_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "sft"
    words = [*SMALL, "--tasks-per-iteration", "1", "--n-subagents", "1", "--num-iterations", "400"]
    command = [sys.executable, "-m", "trainers.sft", *words, "--out", str(out)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    for line in process.stdout:
        if line.startswith("iteration 2/"):
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in error
    done = len(numbers(out))
    assert f"a checkpoint after iteration {done}; the same command goes on" in error
    words[-1] = str(done + 1)
    assert run_command("train sft", [*words, "--out", str(out)]) == 0
    assert [line["iteration"] for line in numbers(out)] == list(range(done + 1))
