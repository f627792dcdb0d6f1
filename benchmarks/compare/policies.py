"""The policies of ours that a benchmark can play; `entry_of` finds a user's own beside them.

| `--policies` | who plays |
|---|---|
| `fanout` | a row of `POLICIES`, or what an installed package calls so |
| `my_package.policies:Mine` | a policy of your own, or what makes one |
| `my_module:load:run/agent.pt` | what `my_module.load("run/agent.pt")` gives |
| `weights:run/weights.safetensors` | what `wideseek train discrete` or `train mappo` has learned |
| `sb3:run/model.zip` | a checkpoint of Stable-Baselines3, such as `wideseek train sb3` writes |
| `hf:FOLDER` | a language model on this machine, through transformers |
| `http://127.0.0.1:8000/v1` | the model of an OpenAI-compatible server; `#NAME` if it has several |
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_type_hints

from agents.learned import LearnedPolicy
from agents.learned.lm import tiny_model
from agents.learned.sb3 import sb3_policy
from agents.policy import Policy
from agents.scripted import CHEATERS, MakePolicy, reads
from agents.scripted import POLICIES as SCRIPTED
from benchmarks.compare.llm import LLM, is_model
from wideseek_env.plugins import resolve
from wideseek_env.records import Task
from wideseek_env.tasks.named import preset_named
from wideseek_env.worlds import PRESETS


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy of the table."""

    make: MakePolicy
    """Gets all tasks that the policy will be asked to play; only `oracle` may look at them."""
    usage: str
    """What it does, for `--list`."""
    team: Literal["alone", "team", "any"] = "any"
    """Whether it plays at width 0, at widths from 1, or at all."""
    reference: bool = False
    """Marks an end of the scale; drawn in grey."""
    sweep_depth: bool = False
    """Whether the depth sweep plays it, as a single agent."""
    max_folds: int = 0
    """Folds that it is allowed on one (sub)task; 0: it has no tool `fold`."""
    max_concurrent: int = 1
    """Episodes at once in one process; more helps where a policy waits, as for an engine."""
    presets: Collection[str] | None = None
    """Closed worlds whose questions it can read; None: all, and those about other pages."""
    reads: Callable[[str], bool] | None = None
    """Whether it can read a question, where it plays; None: any."""

    def plays(self, source: str, width: int) -> bool:
        """Tells whether it plays this source with this number of subagents."""
        fits = self.team == "any" or (self.team == "alone") == (width == 0)
        return fits and (self.presets is None or preset_named(source) in self.presets)


def entry_of(name: str) -> Entry:
    """Finds who plays under a name of the module's table.

    What has no row here is a class or function that makes a policy, or a policy. It plays at all
    widths and on all pages, unless it or what it makes has `team` and `presets`, as
    `DiscretePolicy`; it may also be an `Entry` that says so.

    Raises:
        ValueError: there is none, or it is no policy; the message says what was expected.
    """
    if is_model(name):
        return POLICIES[LLM]
    kind, _, file = name.partition(":")
    if kind in CHECKPOINTS:
        if not Path(file).is_file():
            raise ValueError(
                f"policies: expected a file after {kind}:, got {file!r}, which is none"
            )
        return Entry(
            lambda tasks: CHECKPOINTS[kind](file, name),
            f"learned, from {file}",
            team="team",
            presets=PRESETS,
        )
    module, _, rest = name.partition(":")
    attribute, has_argument, argument = rest.partition(":")
    found = resolve("policies", f"{module}:{attribute}" if has_argument else name, POLICIES)
    if isinstance(found, Entry):
        return found
    if not callable(found) and not hasattr(found, "begin"):
        raise ValueError(f"policies: expected a policy or what makes one in {name}, got {found!r}")
    made = get_type_hints(found).get("return") if inspect.isfunction(found) else found
    return Entry(
        partial(_own, found, (argument,) if has_argument else ()),
        (found.__doc__ or "your own").strip().split("\n")[0],
        team=getattr(made, "team", "any"),
        presets=getattr(made, "presets", None),
    )


def _own(found: Any, arguments: tuple[str, ...], tasks: Iterable[Task]) -> Policy:
    made: Policy = found(*arguments) if callable(found) else found
    return made


CHECKPOINTS: Mapping[str, Callable[[str, str], Policy]] = {
    "weights": lambda file, name: LearnedPolicy(Path(file), name),
    "sb3": sb3_policy,
}
"""Files of learned policies by what wrote them: makes a policy of a file and its name in tables."""


def _shipped_model(name: str, tasks: Iterable[Task]) -> Policy:
    return tiny_model(name)


def _needs_model(tasks: Iterable[Task]) -> Policy:
    raise ValueError("the policy llm is made by `LLMSettings.opened`")


POLICIES: Mapping[str, Entry] = {
    "solo": Entry(
        SCRIPTED["solo"],
        "one agent, page by page; reads questions of worlds and page tables",
        team="alone",
        sweep_depth=True,
        reads=reads,
    ),
    "solo_fold": Entry(
        SCRIPTED["solo_fold"],
        "one agent that folds its full context into notes and reads on; questions as solo",
        team="alone",
        sweep_depth=True,
        max_folds=80,
        reads=reads,
    ),
    "fanout": Entry(
        SCRIPTED["fanout"],
        "the lead splits, subagents read, the lead merges; questions as solo",
        team="team",
        reads=reads,
    ),
    "mappo": Entry(
        lambda tasks: LearnedPolicy(),
        "learned with MAPPO on the discrete interface",
        team="team",
        presets=PRESETS,
    ),
    "partial": Entry(
        SCRIPTED["partial"],
        "hands out a random part of the list; teacher of the next two",
        team="team",
        presets=("starter",),
    ),
    "hasty": Entry(
        SCRIPTED["hasty"],
        "hands out too little of the list; a teacher that is easily beaten",
        team="team",
        presets=("starter",),
    ),
    **{
        name: Entry(
            partial(_shipped_model, name),
            usage,
            team="team",
            max_concurrent=32,
            presets=("starter",),
        )
        for name, usage in (
            ("sft", "a language model of 0.9M parameters that imitates; needs the extra llm"),
            ("grpo", "the same model after multi-agent GRPO; needs the extra llm"),
        )
    },
    LLM: Entry(_needs_model, "a language model: --engine, --model", sweep_depth=True),
    "random": Entry(SCRIPTED["random"], "random valid calls: the floor", reference=True),
    "oracle": Entry(SCRIPTED["oracle"], "answers the gold: the ceiling", reference=True),
    **{
        name: Entry(SCRIPTED[name], "wants reward without the work", reference=True, reads=reads)
        for name in CHEATERS
    },
}
