"""A policy that plays recorded episodes again, decision by decision, without any model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from agents.policy import EpisodeInfo, public_id
from wideseek_env.errors import PolicyError
from wideseek_env.records import Decision, Episode, Limits, Observation, ToolResult, Trajectory


class ReplayPolicy:
    """Makes the recorded decisions of every agent, tokens and figures included.

    With the same tasks, backend and limits the game then gives the same results, so two records
    differ in their times alone; a recorded episode is found by task, seed, slots and limits.

    Args:
        episodes: of any policy; the name of the first one's policy is taken over.

    Raises:
        ValueError: there are none.
    """

    def __init__(self, episodes: Iterable[Episode]) -> None:
        self._episodes: dict[tuple[str, int, int, Limits], list[Episode]] = defaultdict(list)
        names = []
        for episode in episodes:
            key = (public_id(episode.task), episode.seed, episode.n_subagents, episode.limits)
            self._episodes[key].append(episode)
            names.append(episode.policy)
        if not names:
            raise ValueError("`episodes` must hold at least one episode to replay")
        self.name = names[0]

    def begin(self, info: EpisodeInfo) -> ReplayPlayer:
        """Returns the player of a recorded episode; of several with one key, the next one.

        Raises:
            PolicyError: none is left.
        """
        recorded = self._episodes[info.task_id, info.seed, info.n_subagents, info.limits]
        if not recorded:
            raise PolicyError(
                f"no recorded episode is left of {info.question[:80]!r}, seed {info.seed}, "
                f"{info.n_subagents} subagents; replay the tasks, seeds, width and limits of the "
                "record"
            )
        return ReplayPlayer(recorded.pop(0))


class ReplayPlayer:
    """Plays one recorded episode."""

    def __init__(self, episode: Episode) -> None:
        self._ahead: dict[str, list[Trajectory]] = defaultdict(list)
        for trajectory in episode.trajectories:
            self._ahead[trajectory.agent].append(trajectory)
        self._now: dict[str, Trajectory] = {}

    async def decide(self, agent: str, observation: Observation) -> Decision:
        """Returns the recorded decision.

        Raises:
            PolicyError: the game went another way than the recorded one.
        """
        if observation.turn == 0:
            if not self._ahead[agent]:
                raise PolicyError(f"the record has no further (sub)task for {agent}")
            self._now[agent] = self._ahead[agent].pop(0)
            if observation.text != self._now[agent].prompt:
                raise PolicyError(
                    f"{agent} was asked {observation.text[:80]!r}, in the record "
                    f"{self._now[agent].prompt[:80]!r}"
                )
        turns = self._now[agent].turns
        if observation.turn >= len(turns):
            raise PolicyError(f"the record ends before turn {observation.turn} of {agent}")
        if observation.turn:
            self._compare(agent, observation, turns[observation.turn - 1].results)
        return turns[observation.turn].decision

    @staticmethod
    def _compare(agent: str, observation: Observation, recorded: tuple[ToolResult, ...]) -> None:
        seen = [result.text for result in observation.results]
        if seen != [result.text for result in recorded]:
            raise PolicyError(
                f"{agent} sees something else than in the record before turn {observation.turn}; "
                "replay with the pages and limits of the record"
            )
