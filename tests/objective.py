"""The objective of GRPO by the book, for the gradient of other people's trainers."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import torch

from trainers.openrlhf.rows import team_rows


def gradient_norm(lm, episodes: list, aggregation: str = "agent-mean") -> float:
    """Of the mean over episodes, an episode's agents and an agent's tokens; or over all agents."""
    episodes = [episode for episode in episodes if episode.score is not None]
    rewards: dict[str, list[float]] = {}
    for episode in episodes:
        rewards.setdefault(episode.task.id, []).append(episode.reward)
    loud = [e for e in episodes if np.ptp(rewards[e.task.id]) > 1e-6]
    num_rows = sum(len(episode.trajectories) for episode in loud)
    for number, episode in enumerate(loud):
        group = rewards[episode.task.id]
        advantage = (episode.reward - np.mean(group)) / np.std(group, ddof=1)
        rows = team_rows(episode, episode_id=str(number), group="")
        agents = Counter(row.episode for row in rows)[str(number)]
        share = 1 / (len(loud) * agents) if aggregation == "agent-mean" else 1 / num_rows
        for row in rows:
            logits = torch.log_softmax(lm(torch.tensor([row.ids])).logits[0, :-1], dim=-1)
            scores = logits.gather(1, torch.tensor(row.ids[1:]).unsqueeze(1))[:, 0]
            (-advantage * scores[torch.tensor(row.mask[1:])].mean() * share).backward()
    return math.sqrt(sum(float(p.grad.square().sum()) for p in lm.parameters()))
