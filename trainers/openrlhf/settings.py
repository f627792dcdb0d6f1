"""Our settings of a run under OpenRLHF: what is played, how a team is credited, where it runs.

They reach the rollout workers of every node as one environment variable, since OpenRLHF makes an
`AgentExecutor` without arguments.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

from agents.llm.policy import LLMConfig
from trainers.advantages import Aggregation
from wideseek_env.cli.options import Count, Natural, Seed, Share, check_values
from wideseek_env.game.reward import RewardConfig
from wideseek_env.records import Limits
from wideseek_env.tasks.named import SourceOptions, source_named
from wideseek_env.tasks.source import TaskSource
from wideseek_env.worlds import TaskKind

VARIABLE = "WIDESEEK_OPENRLHF"


@dataclass(frozen=True, kw_only=True)
class TeamSettings:
    """Trains lead and subagents with OpenRLHF; needs the extra openrlhf.

    These are the settings that OpenRLHF has no flag for. Its own flags have a dot in them, such as
    `--actor.model_name_or_path`, and are passed on as they are (docs/openrlhf.md).
    """

    out: str = "runs/openrlhf"
    """Folder for prompts, checkpoints, logs and the model; on all nodes the same one."""
    source: str = "worlds:starter:0-7"
    """Tasks that are trained on, such as `default`, `worlds:starter:0-999`, `corpus:DIR` or
    `file:tasks.jsonl`; on all nodes the same files."""
    backend: str | None = None
    """Where the tasks of a file are looked up: a folder of pages, or a backend's Python path."""
    tables: str | None = None
    """Folder of the gold tables, which a file in WideSearch's format needs."""
    num_tasks: Count | None = None
    """Tasks of each world, or drawn from a file; None: 64 of each world, and all of a file."""
    kind: TaskKind = "wide"
    """Of the tasks of closed worlds; hybrid is wide and deep in turn."""
    eval_source: str | None = None
    """Tasks of `--eval.steps`, from test worlds where they are worlds; None: no evaluation."""
    eval_tasks: Count = 32
    """Most tasks of an evaluation."""
    seed: Seed = 0
    """Of the drawn tasks, of their widths, and of what is sampled."""
    n_subagents: Natural = 8
    """Subagent slots of an episode; 0 trains a single agent."""
    random_width: bool = False
    """Draws the slots of each task from 1 to `n_subagents`, so that a model knows all widths."""
    max_lead_turns: Count | None = None
    """Turns of the lead; None: what the source's limits say."""
    max_subagent_turns: Count | None = None
    """Turns of a subagent on one subtask; None: what the source's limits say."""
    max_tool_calls: Natural | None = None
    """`search` and `open` calls of all agents together; None: what the source's limits say."""
    max_turn_tokens: Count = 4096
    """Longest turn; the longest conversation is OpenRLHF's `--data.max_len`."""
    reward: Literal["paper", "item_f1"] = "paper"
    """`paper` adds small terms for format, opening pages and length to the item F1."""
    format: Literal["hermes", "json"] = "hermes"
    """How tool calls are written; `json` takes fewer tokens, for tiny models."""
    prompts: Literal["full", "short"] = "full"
    """`short` says only what differs between episodes, to a model that learns the rest."""
    few_shot: bool = False
    """Whether the system prompt ends with an example of a good turn."""
    aggregation: Aggregation = "agent-mean"
    """How tokens are averaged: `agent-mean` is over episodes, an episode's agents, and an agent's
    tokens (the paper's); `sequence-mean` over trajectories; `token-mean` over tokens."""
    provenance: Share = 0.0
    """Part of a subagent's advantage that comes from the cells it supplied; 0 is the paper's."""
    save_episodes: bool = False
    """Keeps every episode that is played, in `OUT/episodes`."""
    audit: bool = False
    """Compares the gradient of every step with one that is computed independently in float32."""
    ray_address: str | None = None
    """A running cluster to join, such as `auto`; None: one is started on this machine."""
    cpu: bool = False
    """Runs without a GPU, slowly: for tests and tiny models."""
    cpu_bf16: bool = False
    """With `cpu`: computes in bfloat16, as on a GPU, and not in float32, which is exact."""
    dry_run: bool = False
    """Prepares the data, checks all flags, says where everything would run, and stops."""

    def __post_init__(self) -> None:
        check_values(self)
        if self.audit and (self.provenance or self.aggregation != "agent-mean"):
            raise ValueError(
                "--audit knows the paper's objective alone: no --aggregation, no --provenance"
            )

    def tasks(self, split: Literal["train", "eval"]) -> TaskSource:
        """Returns the tasks of a split; the same number is the same task in every process.

        Raises:
            ValueError: the source is unknown, or it is not said.
        """
        name = self.source if split == "train" else self.eval_source
        if name is None:
            raise ValueError("expected `eval_source` for an evaluation, got none")
        return source_named(
            name,
            SourceOptions(
                backend=self.backend,
                tables=self.tables,
                split="train" if split == "train" else "test",
                seed=self.seed,
                num_tasks=self.num_tasks,
                kind=self.kind,
            ),
        )

    def limits(self, given: Limits) -> Limits:
        """Returns the source's limits with those of the settings in their place.

        Nobody folds, as a row here is a whole trajectory (`rows.refuse_folds`).
        """
        names = ("max_lead_turns", "max_subagent_turns", "max_tool_calls")
        own = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(given, max_folds=0, **own)

    def llm(self, max_len: int, temperature: float, top_p: float) -> LLMConfig:
        """Returns how the model plays.

        Args:
            max_len: longest conversation.
            temperature: of sampling, in OpenRLHF's hands.
            top_p: as well.
        """
        return LLMConfig(
            format=self.format,
            prompts=self.prompts,
            few_shot=self.few_shot,
            max_tokens=min(self.max_turn_tokens, max_len - 1),
            max_context_tokens=max_len,
            temperature=temperature,
            top_p=top_p,
        )

    def reward_config(self) -> RewardConfig:
        """Returns the weights of the reward's terms."""
        return RewardConfig.paper() if self.reward == "paper" else RewardConfig()

    def folder(self, *parts: str) -> Path:
        """Returns a path in the run's folder."""
        return Path(self.out).absolute().joinpath(*parts)

    def to_environment(self) -> dict[str, str]:
        """Returns the variable that workers read."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> TeamSettings:
        """Returns the settings of the run that this process works for.

        Raises:
            RuntimeError: the variable is not set, so nobody started the run through our launcher.
        """
        text = os.environ.get(VARIABLE)
        if text is None:
            raise RuntimeError(
                f"expected the environment variable {VARIABLE}; start the run with "
                "`wideseek train openrlhf`, which hands it to all workers"
            )
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})
