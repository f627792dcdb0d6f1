"""Rewards beside those of the end: cost of calls, a potential, credit by provenance.

All are off by default, because each changes what is learned or how fast. They are made from what
happened and from the task's sources; nothing of them is in any observation.
"""

from __future__ import annotations

from dataclasses import dataclass

from wideseek_env.game.episode import LEAD, Game
from wideseek_env.records import Episode, Trajectory


@dataclass(frozen=True, slots=True)
class Shaping:
    """Weights of the further rewards."""

    call_cost: float = 0.0
    """Taken from everybody's reward for each `search` or `open` that a tool answered. Changes which
    policies are best: fewer calls for a little less F1."""
    potential: float = 0.0
    """Weight of the potential: the share of gold cells of which a source was opened, in [0, 1]. The
    reward of a step is `gamma * after - before`, and the potential after the end is 0, so the best
    policies stay the best (Ng et al. 1999); learning gets an earlier signal. It needs tasks that
    know their sources; for others it is 0."""
    gamma: float = 1.0
    """Discount of the learner, for `potential`."""
    provenance: float = 0.0
    """From 0 to 1: how much of the final reward of subagents goes by the correct cells that each
    supplied. At 1, a subagent's reward is the team's, times its share of the cells, times the
    number of subagents that worked; the mean over these stays the team's reward. The lead's reward
    is the team's in any case."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.provenance <= 1.0:
            raise ValueError(f"`provenance` must be from 0 to 1, got {self.provenance!r}")
        if not 0.0 < self.gamma <= 1.0:
            raise ValueError(f"`gamma` must be above 0 and at most 1, got {self.gamma!r}")


class Shaper:
    """Adds the further rewards to an environment's, step by step.

    Args:
        weights: of the rewards.
    """

    def __init__(self, weights: Shaping) -> None:
        self._weights = weights
        self._num_calls = 0
        self._potential = 0.0

    def begin(self, game: Game) -> None:
        """Gets ready for a new episode."""
        self._num_calls = 0
        self._potential = 0.0

    def shape(
        self, rewards: dict[str, float], game: Game, episode: Episode | None
    ) -> dict[str, float]:
        """Returns a step's rewards with the further ones added.

        Args:
            rewards: agent to reward, as the rules give it.
            game: after the step.
            episode: its record, once it has ended.
        """
        weights = self._weights
        if weights.provenance and episode is not None and episode.valid:
            rewards = _by_provenance(rewards, episode, weights.provenance)
        trajectories = game.trajectories()
        num_calls, opened = _calls_and_pages(trajectories)
        added = -weights.call_cost * (num_calls - self._num_calls)
        if weights.potential:
            after = 0.0 if game.over else weights.potential * _share_seen(game, opened)
            added += weights.gamma * after - self._potential
            self._potential = after
        self._num_calls = num_calls
        return {agent: reward + added for agent, reward in rewards.items()}


def _by_provenance(rewards: dict[str, float], episode: Episode, part: float) -> dict[str, float]:
    """Returns the final rewards, of which `part` goes by the cells that each subagent supplied."""
    credit = dict.fromkeys(rewards, 0.0)
    for cell in episode.provenance:
        agents = {episode.trajectories[index].agent for index in cell.trajectories} - {LEAD}
        for agent in agents:
            credit[agent] += 1.0 / len(agents)
    worked = {t.agent for t in episode.trajectories if t.role == "subagent"}
    total = sum(credit.values())
    if not total:
        return rewards
    return {
        agent: reward if agent not in worked
        else (1.0 - part) * reward + part * reward * len(worked) * credit[agent] / total
        for agent, reward in rewards.items()
    }  # fmt: skip


def _calls_and_pages(trajectories: tuple[Trajectory, ...]) -> tuple[int, set[str]]:
    """Returns how many calls the tools answered so far, and the URLs that were opened."""
    num, opened = 0, set[str]()
    for trajectory in trajectories:
        for turn in trajectory.turns:
            for result in turn.results:
                if result.call is not None and result.call.informs:
                    num += result.status in ("ok", "failed")
                    if result.status == "ok" and result.call.name == "open":
                        opened.update(result.urls)
    return num, opened


def _share_seen(game: Game, opened: set[str]) -> float:
    """Returns the share of gold cells of which a source was opened, in [0, 1]."""
    cells = [set(sources) for row in game.task.sources for sources in row]
    return sum(not cell.isdisjoint(opened) for cell in cells) / len(cells) if cells else 0.0
