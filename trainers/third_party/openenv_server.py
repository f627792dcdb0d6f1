"""An OpenEnv server: the whole team behind one WebSocket, a step of everybody at a time.

    wideseek openenv --port 8000

OpenEnv knows one agent, so an action holds what each agent does, and an observation what each sees:
a step of PettingZoo's parallel API over the wire. Each session has an environment of its own; tasks
are drawn by `reset(seed=…)` or named by `reset(task_id=…)`. Needs the extra `openenv`.
"""

from __future__ import annotations

import math
import sys
from functools import partial
from typing import Any

from trainers.third_party.options import OpenEnvOptions
from wideseek_env.cli.commands import run_command
from wideseek_env.environment import WideSeekEnv
from wideseek_env.plugins import MissingExtra

if __name__ == "__main__":  # first, as --help needs no library, and its lack is a sentence
    sys.exit(run_command("openenv"))

try:
    from openenv.core.env_server.http_server import create_app
    from openenv.core.env_server.interfaces import Environment
    from openenv.core.env_server.types import Action, ConcurrencyConfig, Observation, State
except ImportError as error:
    raise MissingExtra("OpenEnv is needed: pip install 'wideseek[openenv]'") from error


class TeamAction(Action):
    """What every agent does; those that are missing wait."""

    actions: dict[str, Any]
    """Agent to a text with tool calls, or to the number of a move; as the interface has it."""


class TeamObservation(Observation):
    """What every agent sees; `reward` is the team's, which everybody gets."""

    observations: dict[str, Any]
    """Agent to its observation: `{"text": …}`, or features and mask."""
    active: list[str]
    """Agents that have something to decide."""
    truncated: bool = False
    """Whether a budget ended the episode, or it could not be scored."""
    score: dict[str, float] | None = None
    """At the end: item F1 and others; None when it could not be scored."""


class WideSeekServerEnv(Environment[TeamAction, TeamObservation, State]):
    """One session.

    Args:
        **settings: of `WideSeekEnv`; `interface` is "text" or "discrete".
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._env = WideSeekEnv(**settings)
        self._state = State()

    @property
    def state(self) -> State:
        """Which episode it is, and how many steps it has had."""
        return self._state

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> TeamObservation:
        """Begins an episode; `task_id` and `n_subagents` are those of `WideSeekEnv.reset`."""
        observations, infos = self._env.reset(seed, options)
        self._state = State(episode_id=episode_id, step_count=0)
        return _told(observations, infos)

    def step(self, action: TeamAction, timeout_s: float | None = None, **_: Any) -> TeamObservation:
        """Carries out the actions of all agents at the same time."""
        seen, rewards, _, truncations, infos = self._env.step(action.actions)
        self._state.step_count += 1
        told = _told(seen, infos)
        told.done = not self._env.agents
        told.truncated = truncations["lead"]
        told.reward = None if math.isnan(rewards["lead"]) else rewards["lead"]
        if self._env.episode is not None and self._env.episode.score is not None:
            score = self._env.episode.score
            told.score = {"item_f1": score.item_f1, "row_f1": score.row_f1}
        return told

    def close(self) -> None:
        """Frees what the session holds."""
        self._env.close()


def _told(observations: dict[str, Any], infos: dict[str, Any]) -> TeamObservation:
    plain = {
        agent: {key: getattr(value, "tolist", lambda v=value: v)() for key, value in seen.items()}
        for agent, seen in observations.items()
    }
    active = [agent for agent, info in infos.items() if info["active"]]
    return TeamObservation(observations=plain, active=active, reward=0.0)


def make_app(num_sessions: int = 64, idle_s: float = 900.0, **settings: Any) -> Any:
    """Makes the server's app.

    Args:
        num_sessions: most at once.
        idle_s: a session that says nothing for so long is closed.
        **settings: of `WideSeekEnv`.
    """
    settings = {"interface": "text", **settings}
    bounds = ConcurrencyConfig(max_concurrent_envs=num_sessions, session_timeout=idle_s)
    return create_app(
        partial(WideSeekServerEnv, **settings),
        TeamAction,
        TeamObservation,
        env_name="wideseek",
        concurrency_config=bounds,
    )


def run(options: OpenEnvOptions) -> int:
    """Serves until it is stopped; returns the exit status."""
    import uvicorn  # noqa: PLC0415 - OpenEnv brings it

    settings = {name: getattr(options, name) for name in ("n_subagents", "preset", "split")}
    app = make_app(**settings, interface=options.interface)
    uvicorn.run(app, host=options.host, port=options.port)
    return 0
