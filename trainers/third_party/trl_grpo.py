"""TRL's `GRPOTrainer` on whole teams: the game as its `rollout_func`.

    wideseek train trl --trainer grpo --preset tiny --model agents/learned/lm/sft --out runs/trl

TRL trains one row for each prompt, compares the rewards of `num_generations` rows of one prompt,
and averages over rows. A team has a row for each conversation, and episodes have different numbers
of them. So a group gets room for all rows of its episodes; what TRL is told as the reward of a row
is what the row counts in the objective of `trainers/grpo.py`, advantage and weight in one, which
the clipped loss allows, as it is homogeneous in them; and the rows that are left over, of which no
token trains, take the reward that makes the mean of the group 0, so that TRL's comparison takes
nothing away. An agent alone is a team of one row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trainers.grpo import GRPOConfig
from trainers.openrlhf.rows import TeamRow, credit, team_rows
from trainers.third_party.trl_rollouts import common_settings, rows_per_group
from wideseek_env.plugins import require
from wideseek_env.records import Episode


class TeamRollout:
    """Plays an iteration as TRL's `rollout_func`.

    Args:
        play: gives the episodes of an iteration, G of each task, played by the trainer's model.
        config: how rows are credited, and how many fill a group.
        changed: called before each iteration, as the model has other weights since the last.
    """

    def __init__(
        self,
        play: Callable[[int], list[Episode]],
        config: GRPOConfig,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._play, self._config, self._changed = play, config, changed

    def __call__(self, prompts: Sequence[Any], trainer: Any) -> dict[str, list[Any]]:
        """Returns a row for each prompt; TRL hands `credit` and `team` on to the reward functions.

        Raises:
            ValueError: the episodes of a task have more rows than there is room for.
        """
        model = trainer.accelerator.unwrap_model(trainer.model)
        self._changed()
        model.eval()
        try:
            episodes = self._play(trainer.state.global_step)
        finally:
            model.train()
        return self.rows_of(episodes, len(prompts))

    def rows_of(self, episodes: Sequence[Episode], num_rows: int) -> dict[str, list[Any]]:
        """Returns the rows of whole groups, filled up to `num_rows`."""
        config = self._config
        rows = [
            row
            for number, episode in enumerate(episodes)
            for row in team_rows(episode, episode_id=str(number), group=episode.task.id)
        ]
        told = credit(
            rows,
            baseline=config.baseline,
            aggregation=config.aggregation,
            provenance=config.provenance,
        )
        credits = told.advantages * told.weights * num_rows
        filled: dict[str, list[Any]] = {
            name: [] for name in ("prompt_ids", "completion_ids", "logprobs", "env_mask", *REWARDS)
        }
        size, names = rows_per_group(config), dict.fromkeys(row.group for row in rows)
        for name in [*names, *[""] * (num_rows // size - len(names))]:
            own = [n for n, row in enumerate(rows) if row.group == name and row.ids]
            num_left = size - len(own)
            if num_left < 1:
                raise ValueError(
                    f"expected at most {size - 1} rows in the {config.group_size} episodes of "
                    f"task {name!r}, got {len(own)}; let the lead take fewer turns "
                    "(`max_lead_turns`), or train with `wideseek train grpo`"
                )
            rest = -float(credits[own].sum()) / num_left
            told_of = [(rows[number], float(credits[number])) for number in own]
            for row, counts in [*told_of, *[(EMPTY, rest)] * num_left]:
                _add(filled, row, counts)
        return filled


EMPTY = TeamRow("", "", "", "lead", [0, 0], [False, False], [0.0, 0.0])
REWARDS = ("credit", "team")


def _add(filled: dict[str, list[Any]], row: TeamRow, credit: float) -> None:
    # What is before the first token that trains may be called the prompt.
    begin = max(row.mask.index(True), 1) if any(row.mask) else len(row.ids) - 1
    filled["prompt_ids"].append(row.ids[:begin])
    filled["completion_ids"].append(row.ids[begin:])
    filled["env_mask"].append([int(trains) for trains in row.mask[begin:]])
    filled["logprobs"].append(row.logprobs[begin:])
    filled["credit"].append(credit)
    filled["team"].append(row.reward)


def credit_of_row(*, credit: list[float], **_: Any) -> list[float]:
    """Gives TRL what each row counts: its reward function."""
    return credit


def team_reward(*, team: list[float | None], **_: Any) -> list[float | None]:
    """Gives TRL the rewards of the episodes, on the lead's rows, for its log alone."""
    return team


def trainer_of(
    config: GRPOConfig, play: Callable[[int], list[Episode]], lm: Any, tokenizer: Any, **more: Any
) -> Any:
    """Returns TRL's trainer.

    Args:
        config: settings.
        play: see `TeamRollout`.
        lm: the model, which plays and learns.
        tokenizer: that of transformers.
        **more: for `TeamRollout`.
    """
    trl, datasets = require("trl", "trl"), require("datasets", "trl")
    settings = {
        **common_settings(config),
        "num_generations": rows_per_group(config),
        "per_device_train_batch_size": rows_per_group(config),
        "gradient_accumulation_steps": config.tasks_per_iteration,
        "gradient_checkpointing": config.activation_checkpointing,
        "loss_type": "grpo",
        "scale_rewards": "none",
        "reward_weights": [1.0, 0.0],
        "delta": config.dual_clip or None,
    }
    tasks = [{"prompt": f"task {number}"} for number in range(config.tasks_per_iteration)]
    return trl.GRPOTrainer(
        model=lm,
        reward_funcs=[credit_of_row, team_reward],
        args=trl.GRPOConfig(**settings),
        train_dataset=datasets.Dataset.from_list(tasks),
        processing_class=tokenizer,
        rollout_func=TeamRollout(play, config, **more),
    )
