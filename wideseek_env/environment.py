"""The PettingZoo face of the game: `parallel_env`, and `env` for the AEC form.

| agents | `lead`, `subagent_0` ... `subagent_{n-1}`; all of them from reset to the end |
|---|---|
| action, `tools` | list of up to 5 tool calls `{"name", "arguments"}`; empty means wait |
| action, `text` | what a model wrote; tool calls are read out of it (`formats/hermes.py`) |
| `discrete` | `Discrete(K)` and `Dict(observation, action_mask)`; infos are numbers: docs/discrete.md |
| observation | `Dict(text)`: what this agent sees now; empty while it has nothing to decide |
| info | `active`, `turns_left`, `observation` (the record); at the end also `valid`, `end`, `error`, `score`, `reward_terms` |
| reward | 0.0 until the end, then the same for all: the sum of the reward terms (by default the strict item F1, in [0, 1]); NaN when the episode is invalid; `shaping` adds to it |
| terminated | the lead has answered |
| truncated | a budget has ended, or the episode is invalid |

A step runs the calls of all agents at the same time and waits for all. The lead that has delegated
is not active until the reports are there (`Limits.wait_for`: all, or how many); actions of agents
that are not active are ignored. An active agent without an action waits, which costs a turn, so
every episode ends.

`delegate` takes any number of subtasks: the first go to the free subagents, the rest is dropped and
counted in the answer ("No subagent is free for the other 2."). Only when none is free is the call
wrong.

With `Limits.max_folds` agents have the tool `fold` as well, which replaces all that an agent has read
by a text of its own; its next observation is then its whole context, and the record's `segment` one
more (`game/fold.py`).

Version history: v0, first version.
"""  # noqa: E501 - a table row is one line

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from wideseek_env.backends import Backend
from wideseek_env.discrete.interface import DiscreteInterface
from wideseek_env.game.episode import Game, agent_names
from wideseek_env.game.reward import RewardConfig
from wideseek_env.game.shaping import Shaper, Shaping
from wideseek_env.interfaces import Interface
from wideseek_env.interfaces.loop import LoopRunner
from wideseek_env.interfaces.render import render_game
from wideseek_env.interfaces.text import TextInterface, ToolsInterface
from wideseek_env.plugins import one_of
from wideseek_env.records import Decision, Episode, Limits, Observation, Task
from wideseek_env.scoring import Scorer
from wideseek_env.tasks.named import pick_source
from wideseek_env.tasks.source import NUM_TASKS, TaskSource

INTERFACES = ("tools", "text", "discrete")
_SEED_RANGE = 2**31


class WideSeekEnv(ParallelEnv[str, Any, Any]):
    """A PettingZoo parallel environment over `Game`; see the module's table.

    Args:
        n_subagents: slots beside the lead, from 0; with 0 the lead searches and opens by itself.
        interface: "tools", "text" or "discrete".
        preset: difficulty of the closed worlds, a name from `wideseek_env.worlds.PRESETS`.
        split: "train" or "test"; their worlds share no entity name.
        world_seed: which world, or several, such as `range(1000)`: train on many, or a policy
            learns the names of one by heart.
        num_tasks: of each world, or of own tasks (a draw); None: 64, or all own tasks.
        tasks: own tasks instead of a world's; then `backend` is needed as well.
        backend: where search and open get their answers, or the text that `backend_named` takes.
        source: tasks with all that belongs to them, or the text that `source_named` takes, instead
            of `tasks` and `backend` or a world.
        limits: budgets; by default those of the source's first task.
        scorer: scores the answer; strict by default.
        reward: weights of the reward terms.
        shaping: rewards beside those of the end; None: no others.
        strict_actions: discrete: whether an illegal action raises; else it is a counted no-op.
        render_mode: None or "ansi".
        max_cycles: steps after which an episode is truncated; None is no bound.

    Raises:
        ValueError: an argument is out of range; the message lists what is allowed.
        TypeError: an argument is of another type.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "wideseek_v0",
        "render_modes": ["ansi"],
        "render_fps": 1,  # Gymnasium warns without; a text has no frames
        "is_parallelizable": True,
    }

    def __init__(
        self,
        n_subagents: int = 8,
        *,
        interface: str = "tools",
        preset: str = "default",
        split: Literal["train", "test"] = "train",
        world_seed: int | Sequence[int] = 0,
        num_tasks: int | None = None,
        tasks: Iterable[Task] | None = None,
        backend: Backend | str | None = None,
        source: TaskSource | str | None = None,
        limits: Limits | None = None,
        scorer: Scorer | None = None,
        reward: RewardConfig | None = None,
        shaping: Shaping | None = None,
        strict_actions: bool = False,
        render_mode: str | None = None,
        max_cycles: int | None = None,
    ) -> None:
        _check_arguments(n_subagents, interface, render_mode, max_cycles)
        _check_types(limits, scorer, reward, shaping)
        self.source = pick_source(
            source,
            tasks,
            backend,
            preset=preset,
            split=split,
            world_seed=world_seed,
            num_tasks=num_tasks,
        )
        """Where the tasks of episodes are drawn from."""
        self._limits = limits or self.source[0].limits
        self._interface = _make_interface(
            interface, n_subagents, self._limits, self.source, strict_actions
        )
        self._scorer = scorer
        self._reward = reward
        self._shaper = Shaper(shaping) if shaping else None
        self._max_steps = max_cycles
        self._rng = np.random.default_rng()
        self._loop = LoopRunner()
        self._game: Game | None = None
        self._num_steps = 0
        self.render_mode = render_mode
        self.possible_agents = list(agent_names(n_subagents))
        self.agents: list[str] = []
        self.episode: Episode | None = None
        """The record of the last episode; None while one runs."""
        self.state_space = self._interface.state_space
        self.observation_spaces = {a: self.observation_space(a) for a in self.possible_agents}
        """The spaces by agent, for libraries that ask for them so; EPyMARL does."""
        self.action_spaces = {a: self.action_space(a) for a in self.possible_agents}

    @property
    def game(self) -> Game:
        """The game that runs, or ran last.

        Raises:
            RuntimeError: there is none yet; call `reset`.
        """
        if self._game is None:
            raise RuntimeError("no episode has begun; call `reset` first")
        return self._game

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's observation space."""
        return self._interface.observation_space(agent)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Returns the agent's action space."""
        return self._interface.action_space(agent)

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begins an episode and returns observations and infos of all agents.

        Args:
            seed: of the choice of tasks from here on; None goes on with the present generator.
            options: `task_id` plays that task; `n_subagents` plays with fewer slots (the others
                stay idle). Other keys are ignored.

        Raises:
            ValueError: a known option has a value that is not allowed.
        """
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        options = options or {}
        slots = _checked_slots(options.get("n_subagents"), len(self.possible_agents) - 1)
        drawn = int(self._rng.integers(_SEED_RANGE))
        task_id = options.get("task_id")
        source = self.source
        chosen = source[drawn % len(source)] if task_id is None else source.find(task_id)
        self._game = Game(
            chosen.task,
            chosen.backend,
            slots,
            limits=self._limits,
            scorer=self._scorer,
            reward=self._reward,
            seed=drawn,
        )
        self._interface.begin(self._game)
        if self._shaper is not None:
            self._shaper.begin(self._game)
        self._num_steps = 0
        self.agents = list(self.possible_agents)
        self.episode = None
        return self._look()

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Carries out the actions of all active agents at the same time.

        Args:
            actions: agent to action; None or a missing agent waits.

        Raises:
            RuntimeError: no episode runs; call `reset`.
            ValueError: an action is for an agent that does not exist.
        """
        game = self.game
        if not self.agents:
            raise RuntimeError("the episode is over; call `reset` first")
        for name in actions:
            if name not in self.possible_agents:
                raise ValueError(f"expected actions of {one_of(self.possible_agents, str(name))}")
        decisions = {}
        for agent in game.agents:
            if game.pending(agent) is not None:
                action = actions.get(agent)
                decided = Decision() if action is None else self._interface.decide(agent, action)
                decisions[agent] = decided
        self._num_steps += 1
        try:
            self.episode = self._loop.run(self._act(game, decisions))
        except BaseException:  # a bug in a backend, or Ctrl-C: this episode cannot go on
            game.cancel()
            self.agents = []
            raise
        observations, infos = self._look()
        rewards = dict.fromkeys(self.possible_agents, 0.0)
        if self.episode is not None:
            reward = self.episode.reward if self.episode.valid else float("nan")
            rewards = dict.fromkeys(self.possible_agents, reward)
            self.agents = []
        if self._shaper is not None:
            rewards = self._shaper.shape(rewards, game, self.episode)
        terminated = game.end == "answered"
        agents = self.possible_agents
        return (
            observations,
            rewards,
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, game.over and not terminated),
            infos,
        )

    def state(self) -> Any:
        """Returns the global state: all texts, or with `discrete` an array."""
        return self._interface.state()

    def render(self) -> str | None:
        """Returns the state of the game as text when `render_mode` is "ansi", else None."""
        if self.render_mode is None or self._game is None:
            return None
        return render_game(self._game, self.episode)

    def close(self) -> None:
        """Frees what the environment holds; it can be reset again."""
        self._loop.close()
        self.agents = []

    async def _act(self, game: Game, decisions: Mapping[str, Decision]) -> Episode | None:
        """Carries out the decisions; returns the episode when they have ended it."""
        acts = (game.act(agent, decision) for agent, decision in decisions.items())
        # gather waits for all even when one has failed: no agent's tools outlive the step.
        for outcome in await asyncio.gather(*acts, return_exceptions=True):
            if outcome is not None:
                raise outcome
        if self._max_steps is not None and self._num_steps >= self._max_steps:
            game.expire()
        return await game.record() if game.over else None

    def _look(self) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        pending = {agent: self._pending(agent) for agent in self.possible_agents}
        observations = {a: self._interface.observe(a, o) for a, o in pending.items()}
        infos = {a: self._interface.info(a, o, self.episode) for a, o in pending.items()}
        return observations, infos

    def _pending(self, agent: str) -> Observation | None:
        game = self._game
        return game.pending(agent) if game is not None and agent in game.agents else None


def parallel_env(n_subagents: int = 8, **settings: Any) -> WideSeekEnv:
    """Returns the parallel environment; see `WideSeekEnv` for the settings.

    Examples:
        >>> import wideseek_env
        >>> env = wideseek_env.parallel_env(n_subagents=2, preset="starter")
        >>> observations, infos = env.reset(seed=0)
        >>> infos["lead"]["active"], infos["subagent_0"]["active"]
        (True, False)
    """
    return WideSeekEnv(n_subagents, **settings)


def env(n_subagents: int = 8, **settings: Any) -> AECEnv[str, Any, Any]:
    """Returns the AEC form of the environment; see `WideSeekEnv` for the settings."""
    return parallel_to_aec(parallel_env(n_subagents, **settings))


def _make_interface(
    name: str, n_subagents: int, limits: Limits, source: TaskSource, strict_actions: bool
) -> Interface:
    if name == "tools":
        return ToolsInterface(n_subagents, limits, _words(source))
    if name == "discrete":
        return DiscreteInterface(n_subagents, limits, strict_actions=strict_actions)
    return TextInterface(n_subagents)


def _words(source: TaskSource) -> tuple[str, ...]:
    """Returns words of the first questions, for random calls; never of the gold tables."""
    questions = (chosen.task.question for chosen in islice(source, NUM_TASKS))
    words = {word.strip(".,:;?()\"'") for question in questions for word in question.split()}
    return tuple(sorted(word for word in words if len(word) > 3)) or ("list",)


def _check_arguments(
    n_subagents: int, interface: str, render_mode: str | None, max_cycles: int | None
) -> None:
    if isinstance(n_subagents, bool) or not isinstance(n_subagents, int) or n_subagents < 0:
        raise ValueError(f"`n_subagents` must be an int from 0, got {n_subagents!r}")
    if interface not in INTERFACES:
        raise ValueError(f"`interface` must be one of {', '.join(INTERFACES)}, got {interface!r}")
    if render_mode not in (None, "ansi"):
        raise ValueError(f"`render_mode` must be None or 'ansi', got {render_mode!r}")
    if max_cycles is not None and max_cycles < 1:
        raise ValueError(f"`max_cycles` must be at least 1 or None, got {max_cycles!r}")


def _check_types(
    limits: Limits | None,
    scorer: Scorer | None,
    reward: RewardConfig | None,
    shaping: Shaping | None,
) -> None:
    given = {"limits": limits, "reward": reward, "shaping": shaping}
    for kind, (name, value) in zip((Limits, RewardConfig, Shaping), given.items(), strict=True):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"`{name}` must be a `{kind.__name__}` or None, got {value!r}")
    if scorer is not None and not callable(scorer):
        raise TypeError(
            f"`scorer` must be None or a scorer such as wideseek_env.scoring.StrictScorer(), got "
            f"{scorer!r}"
        )


def _checked_slots(wanted: Any, most: int) -> int:
    if wanted is None:
        return most
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 <= wanted <= most:
        raise ValueError(f"option `n_subagents` must be an int from 0 to {most}, got {wanted!r}")
    return wanted
