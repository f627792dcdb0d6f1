"""What of OpenRLHF a team can be trained with: flags that we set, and flags that we refuse.

Every refusal says why. The flags are OpenRLHF's own, by their dotted names.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainers.openrlhf.settings import TeamSettings

ESTIMATORS = ("group_norm", "dr_grpo", "rloo", "gae")
EXECUTOR = Path(__file__).with_name("executor.py")


def batch_of(flags: Sequence[str]) -> tuple[int, int]:
    """Returns tasks of a rollout batch, and episodes of each, as OpenRLHF's flags have them."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--rollout.batch_size", type=int, default=1024)
    parser.add_argument("--rollout.n_samples_per_prompt", type=int, default=1)
    num_tasks, num_each = vars(parser.parse_known_args(flags)[0]).values()
    return num_tasks, num_each


def with_defaults(settings: TeamSettings, flags: Sequence[str]) -> list[str]:
    """Returns OpenRLHF's flags with those that a team needs, where they were not given.

    Args:
        settings: of the run; its prompts are written already.
        flags: as the user gave them.
    """
    episodes = math.prod(batch_of(flags))
    defaults = {
        "--train.agent_func_path": str(EXECUTOR),
        "--data.prompt_dataset": str(settings.folder("prompts-train.jsonl")),
        "--data.input_key": "input",
        "--data.label_key": "label",
        "--train.batch_size": str(episodes),
        "--actor.loss_agg_mode": "seq-mean-token-mean",
        "--algo.advantage.is_correction_level": "token",
        "--algo.advantage.is_correction_mode": "clip",
        "--algo.advantage.is_correction_threshold": "0 2",
        "--ckpt.path": str(settings.folder("checkpoints")),
        "--ckpt.output_dir": str(settings.folder("model")),
        "--logger.tensorboard_dir": str(settings.folder("tensorboard")),
    }
    if settings.eval_source is not None:
        defaults["--eval.dataset"] = str(settings.folder("prompts-eval.jsonl"))
    names = {flag.partition("=")[0] for flag in flags}
    told = list(flags)
    for name, value in defaults.items():
        if name not in names:
            told += [name, *value.split(" ")] if name.endswith("threshold") else [name, value]
    return told


def check(args: Mapping[str, Any]) -> None:
    """Looks through OpenRLHF's arguments, by their dotted names.

    Raises:
        ValueError: teams cannot be trained with one of them; the message says why.
    """
    problems = [problem for problem in map(_problem, [args] * len(_RULES), _RULES) if problem]
    episodes = args["rollout.batch_size"] * args["rollout.n_samples_per_prompt"]
    if args["train.batch_size"] != episodes:
        problems.append(
            f"--train.batch_size must be {episodes}, the episodes of a rollout batch: one step is "
            f"taken on each, got {args['train.batch_size']}; leave it out"
        )
    if problems:
        raise ValueError("\n".join(problems))


def _problem(args: Mapping[str, Any], rule: tuple[str, tuple[Any, ...], str]) -> str | None:
    name, allowed, why = rule
    if args[name] in allowed:
        return None
    words = " or ".join(str(value) for value in allowed)
    return f"--{name} must be {words}, got {args[name]}: {why}"


_RULES: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    (
        "algo.advantage.estimator",
        ESTIMATORS,
        "the others compare rows, or all episodes of a batch, and not those of one task",
    ),
    (
        "actor.loss_agg_mode",
        ("seq-mean-token-mean",),
        "rows are weighted by team; how tokens are averaged is our --aggregation",
    ),
    (
        "train.agent_func_path",
        (str(EXECUTOR),),
        "episodes are played by our executor",
    ),
    (
        "reward.overlong_buffer_len",
        (None,),
        "a row's length would change the reward of the lead alone; see our --reward",
    ),
    (
        "reward.stop_properly_penalty_coef",
        (None,),
        "the episode's reward knows who was cut off; see our --reward",
    ),
    ("reward.remote_url", (None,), "the reward is the environment's"),
    (
        "data.apply_chat_template",
        (False,),
        "prompts are made by the LLM policy, turn by turn; the data set names tasks",
    ),
    ("ds.ring_attn_size", (1,), "it needs flash attention on GPUs, where this was never run"),
    ("ds.tensor_parallel_size", (1,), "it needs GPUs, where this was never run"),
    ("data.max_images_per_prompt", (0,), "the game has no images"),
)
