"""TRL's `AsyncGRPOTrainer` on whole teams: a second engine over the rows of `trainers/openrlhf`.

    wideseek train trl --preset tiny --model agents/learned/lm/sft --out runs/trl

TRL takes samples that carry their own advantage, so a team needs no change of it: a rollout worker
of ours (`trl_rollouts.py`) plays the episodes of an iteration, and a weight transfer of ours hands
the trained weights to the model that plays. One iteration is one batch of episodes, filled up to an
equal number of rows; as TRL fetches a batch before it trains on the last, episodes are one
iteration old.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agents.evaluate import limits_for
from agents.llm.policy import LLMPolicy
from trainers.config import preset_of
from trainers.grpo import PRESETS, GRPOConfig, GRPOOptions
from trainers.openrlhf.rows import refuse_folds
from trainers.third_party import trl_grpo
from trainers.third_party.trl_rollouts import (
    TeamRollouts,
    common_settings,
    rows_per_iteration,
)
from wideseek_env.cli.commands import run_command
from wideseek_env.plugins import require
from wideseek_env.records import Episode


class TeamWeights:
    """Hands the trained weights to the model that plays; TRL's `weight_transfer`.

    Args:
        lm: the model that plays.
        changed: called when it has new weights.
    """

    def __init__(self, lm: Any, changed: Callable[[], None]) -> None:
        self._lm, self._changed = lm, changed

    def send_weights(self, iterator: Iterator[tuple[str, Any]]) -> None:
        """Copies all weights."""
        own = dict(self._lm.named_parameters())
        for name, weight in iterator:
            own[name].data.copy_(weight)
        self._changed()

    def init_weight_transfer(self) -> None:
        """Needs nothing."""

    pause = resume = destroy = init_weight_transfer


def trainer_of(
    config: GRPOConfig, play: Callable[[int], list[Episode]], lm: Any, changed: Callable[[], None]
) -> Any:
    """Returns TRL's trainer.

    Args:
        config: settings; `model` is a folder or a name.
        play: gives the episodes of an iteration, played by `lm`.
        lm: gets the trained weights.
        changed: called when it has got them.

    Raises:
        ValueError: the settings ask for what TRL does not do.
    """
    settings = settings_of(config)
    trl = require("trl.experimental.async_grpo", "trl")
    worker = require("trl.experimental.async_grpo.async_rollout_worker", "trl")
    datasets = require("datasets", "trl")
    if lm.device.type != "cuda":
        from trainers.third_party.trl_cpu import do_without_gpu  # noqa: PLC0415

        do_without_gpu()
    return trl.AsyncGRPOTrainer(
        config.model,
        args=trl.AsyncGRPOConfig(**settings),
        train_dataset=datasets.Dataset.from_list([{"prompt": "played by the rollout worker"}]),
        rollout_worker=TeamRollouts(play, config, worker.RolloutSample),
        weight_transfer=TeamWeights(lm, changed),
    )


@dataclass(frozen=True, kw_only=True)
class TRLOptions(GRPOOptions):
    """Trains lead and subagents with TRL's GRPO; needs the extra trl.

    The settings are those of `train grpo`, without a KL and with one update an iteration.
    """

    trainer: Literal["async", "grpo"] = "async"
    """TRL's experimental asynchronous trainer, or its GRPOTrainer, which plays and learns in turn
    and needs no FlashAttention."""

    @classmethod
    def defaults(cls, words: Sequence[str]) -> TRLOptions:
        """Gives what counts where no flag is given."""
        name = preset_of(words, PRESETS)
        settings = PRESETS[name] if name else {}
        return cls(preset=name, config=GRPOConfig(**{**settings, "kl_weight": 0.0}))


def run(options: TRLOptions) -> int:
    """Trains from the command line; returns the exit status."""
    require("trl", "trl")
    from agents.llm.engines.transformers import TransformersEngine  # noqa: PLC0415 - heavy
    from trainers.collector import Collector, source_of  # noqa: PLC0415
    from trainers.models import load_model  # noqa: PLC0415
    from trainers.policies import llm_config  # noqa: PLC0415

    config = options.config
    source = source_of(config)  # a wrong name is found before the model is loaded
    refuse_folds(limits_for(config.n_subagents, source[0].limits, max_folds=config.max_folds))
    lm, tokenizer = load_model(config.model)
    engine = TransformersEngine(lm, tokenizer=tokenizer)
    policy = LLMPolicy(engine, llm_config(config, lm))
    collect = Collector(config, lambda tasks: policy, source).collect
    if options.trainer == "grpo":
        changed = engine.forget_prefixes
        trainer = trl_grpo.trainer_of(config, collect, lm, tokenizer.hf, changed=changed)
    else:
        trainer = trainer_of(config, collect, lm, engine.forget_prefixes)
    trainer.train()
    trainer.save_model(config.out)
    return 0


def settings_of(config: GRPOConfig) -> dict[str, Any]:
    """Returns a configuration in TRL's words."""
    return {
        **common_settings(config),
        "per_device_train_batch_size": rows_per_iteration(config),
        "gradient_accumulation_steps": 1,
        "token_budget": 0,  # batches are counted in rows: all of an iteration in one
        "weight_sync_steps": 1,
        "dtype": "float32",
    }


if __name__ == "__main__":
    sys.exit(run_command("train trl"))
