"""The state of a game as plain text, for `render_mode="ansi"`."""

from __future__ import annotations

from wideseek_env.game.episode import Game
from wideseek_env.game.tools import shorten
from wideseek_env.records import Episode, Trajectory

_WIDTH = 100


def render_game(game: Game, episode: Episode | None) -> str:
    """Returns the question, a line for each agent, and the score once the game is over."""
    latest = {trajectory.agent: trajectory for trajectory in game.trajectories()}
    lines = [shorten(game.task.question, _WIDTH)]
    lines += [_agent_line(game, agent, latest.get(agent)) for agent in game.agents]
    if episode is not None:
        score = "no score" if episode.score is None else f"item F1 {episode.score.item_f1:.3f}"
        lines.append(f"ended: {episode.end}, {score}")
    return "\n".join(lines)


def _agent_line(game: Game, agent: str, trajectory: Trajectory | None) -> str:
    if trajectory is None:
        return f"{agent:<12} idle"
    if game.pending(agent) is not None:
        state = "to decide"
    elif trajectory.end == "running":
        state = "waiting"
    else:
        state = trajectory.end
    did = shorten(trajectory.prompt.replace("\n", " "), 40)
    if trajectory.turns:
        calls = trajectory.turns[-1].decision.calls
        did = "; ".join(f"{call.name} {dict(call.arguments)}" for call in calls) or "no call"
    return shorten(f"{agent:<12} {state:<12} turn {len(trajectory.turns):<3} {did}", _WIDTH)
