"""A trainer that knows nothing of this project: REINFORCE in numpy on the discrete interface.

    python examples/trainer.py

Lead and subagents each have one layer of weights. Any loop that can read PettingZoo's parallel API
and a mask of legal moves works in this way; docs/discrete.md has TorchRL, RLlib and others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import wideseek_env

Array = NDArray[np.float64]


def choose(
    weights: Array, observation: dict[str, Array], rng: np.random.Generator
) -> tuple[int, Array]:
    """Draws a legal move; gives it with the gradient of its log-probability."""
    seen = np.append(observation["observation"], 1.0)
    logits = np.where(observation["action_mask"] > 0, weights @ seen, -np.inf)
    odds = np.exp(logits - logits.max())
    odds /= odds.sum()
    move = int(rng.choice(len(odds), p=odds))
    return move, np.outer(np.eye(len(odds))[move] - odds, seen)


def train(num_episodes: int, seed: int = 0, lr: float = 0.05) -> list[float]:
    """Trains from nothing; gives the team's return of each episode."""
    env = wideseek_env.parallel_env(n_subagents=2, interface="discrete", preset="easy")
    rng = np.random.default_rng(seed)
    weights: dict[str, Array] = {}
    returns: list[float] = []
    for number in range(num_episodes):
        observations, _ = env.reset(seed=seed if number == 0 else None)
        gradients: dict[str, Array] = {}
        total = 0.0
        while env.agents:
            actions = {}
            for agent, observation in observations.items():
                role = agent.partition("_")[0]
                shape = len(observation["action_mask"]), len(observation["observation"]) + 1
                weights.setdefault(role, np.zeros(shape))
                actions[agent], gradient = choose(weights[role], observation, rng)
                gradients[role] = gradients.get(role, 0.0) + gradient
            observations, rewards, *_ = env.step(actions)
            total += rewards["lead"]
        advantage = total - float(np.mean(returns[-50:] or [total]))
        for role, gradient in gradients.items():
            weights[role] += lr * advantage * gradient / max(1.0, float(np.linalg.norm(gradient)))
        returns.append(total)
    env.close()
    return returns


def main() -> None:
    """Trains for less than a minute."""
    returns = train(300)
    first, last = np.mean(returns[:100]), np.mean(returns[-100:])
    print(f"mean return of the first 100 episodes {first:.2f}, of the last 100 {last:.2f}")


if __name__ == "__main__":
    main()
