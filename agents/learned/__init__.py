"""Policies over the discrete interface: one learned with MAPPO, and the frame for one's own."""

from agents.learned.discrete import DiscretePolicy, draw, torch_actor
from agents.learned.policy import LearnedPolicy

__all__ = ["DiscretePolicy", "LearnedPolicy", "draw", "torch_actor"]
