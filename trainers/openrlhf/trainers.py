"""OpenRLHF's controllers, synchronous and asynchronous, with our generator and experience maker."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Sequence
from typing import Any

import ray
from openrlhf.trainer import ppo_trainer_async
from openrlhf.trainer.ppo_trainer import PPOTrainer
from openrlhf.trainer.ppo_trainer_async import GenerateSamplesActor, PPOTrainerAsync, TrainingActor
from openrlhf.trainer.ppo_utils.experience import Experience
from openrlhf.utils.logging_utils import init_logger
from ray.exceptions import RayActorError

from trainers.openrlhf.generator import TeamSamplesGenerator
from trainers.openrlhf.maker import TeamExperienceMaker
from trainers.openrlhf.settings import TeamSettings

logger = init_logger(__name__)

WATCH_S = 5.0
"""Seconds between two looks at the engines."""

# Ray replaces a decorated class by a handle; the class itself is what can be extended.
_Sync: Any = PPOTrainer.__ray_metadata__.modified_class
_Async: Any = PPOTrainerAsync.__ray_metadata__.modified_class
_Generating: Any = GenerateSamplesActor.__ray_metadata__.modified_class
_Training: Any = TrainingActor.__ray_metadata__.modified_class


def end_with(engines: Sequence[Any], workers: Sequence[Any]) -> None:
    """Ends the workers as soon as an engine has died, from whatever they wait for.

    Weights are sent to all engines together, so that the policy would wait for a dead one for ever;
    ended, it raises in the controller, and the run ends with its checkpoints behind it.

    Args:
        engines: vLLM's actors.
        workers: the policy's.
    """
    while True:
        try:
            ray.get([engine.get_num_unfinished_requests.remote() for engine in engines])
        except RayActorError as error:
            logger.error(f"a rollout worker has died, the run ends: {error}")
            for worker in workers:
                ray.kill(worker)
            return
        time.sleep(WATCH_S)


class TeamSteps:
    """The training half of a controller; goes before OpenRLHF's class."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        usual: Any = self.experience_maker  # type: ignore[has-type]
        self.experience_maker = TeamExperienceMaker(
            usual.actor_model_group,
            usual.critic_model_group,
            usual.reward_model_group,
            usual.initial_model_group,
            usual.kl_ctl,
            usual.strategy,
            usual.tokenizer,
        )
        self._numbers: dict[str, float] = {}
        workers = usual.actor_model_group._actor_handlers
        watched = (self.vllm_engines, workers)  # type: ignore[has-type]
        threading.Thread(target=end_with, args=watched, daemon=True).start()

    def train_step(
        self, rollout_samples: list[Experience], global_step: int
    ) -> tuple[dict[str, Any], int]:
        """Trains on the rows of a batch; a batch without any signal is left out, and counted."""
        rows, self._numbers = self.experience_maker.choose(rollout_samples)
        if not rows:
            logger.warning("no episode differs from the others on its task: a step without update")
            return {**self._numbers, "generated_samples": None}, global_step + 1
        told: tuple[dict[str, Any], int] = super().train_step(rows, global_step)  # type: ignore[misc]
        return told

    def save_logs_and_checkpoints(
        self,
        global_step: int,
        logs_dict: dict[str, Any] | None = None,
        client_states: dict[str, Any] | None = None,
    ) -> None:
        """Does what OpenRLHF does, and then adds the step's numbers to `metrics.jsonl`."""
        super().save_logs_and_checkpoints(global_step, logs_dict, client_states)  # type: ignore[misc]
        numbers = {
            name: round(float(value), 8)
            for name, value in (logs_dict or {}).items()
            if isinstance(value, (int, float)) and math.isfinite(value)
        }
        with TeamSettings.from_environment().folder("metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": global_step, **numbers}) + "\n")

    def _compute_rollout_stats(self, experiences: list[Experience]) -> dict[str, float]:
        """Returns means over episodes, where OpenRLHF's would be over rows."""
        tokens, gap, largest = 0, 0.0, 0.0
        for experience in experiences:
            weight = (experience.info["team_weight"] > 0).unsqueeze(1)
            trained = experience.action_mask.bool() & weight
            apart = experience.action_log_probs.float() - experience.rollout_log_probs.float()
            apart = apart.abs()[trained]
            tokens += apart.numel()
            gap += float(apart.sum())
            largest = max(largest, float(apart.max()) if apart.numel() else 0.0)
        return {
            **self._numbers,
            "rollout/tokens_trained": float(tokens),
            "rollout/logprob_gap": gap / tokens,
            "rollout/logprob_gap_max": largest,
        }


class TeamTrainer(TeamSteps, _Sync):  # type: ignore[misc]
    """Plays a batch, trains on it, plays the next."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        _with_teams(self)


class TeamTraining(TeamSteps, _Training):  # type: ignore[misc]
    """The training half of the asynchronous controller."""


class TeamGenerating(_Generating):  # type: ignore[misc]
    """The playing half of the asynchronous controller."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        _with_teams(self)


class TeamTrainerAsync(_Async):  # type: ignore[misc]
    """Plays the next batch while it trains on the last."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        ppo_trainer_async.GenerateSamplesActor = ray.remote(TeamGenerating)
        ppo_trainer_async.TrainingActor = ray.remote(TeamTraining)
        super().__init__(*args, **settings)


def _with_teams(playing: Any) -> None:
    """Gives what plays our generator, and the prompts as they are written, where it would shuffle.

    Args:
        playing: OpenRLHF's `PPOTrainer` or `GenerateSamplesActor`.
    """
    usual, shuffled = playing.samples_generator, playing.prompts_dataloader
    playing.prompts_dataloader = usual.strategy.setup_dataloader(
        shuffled.dataset, 1, True, False, shuffled.collate_fn, num_workers=shuffled.num_workers
    )
    playing.samples_generator = TeamSamplesGenerator(
        usual.strategy,
        playing.prompts_dataloader,
        usual.eval_dataloader,
        usual.tokenizer,
        usual.vllm_engines,
    )
