"""A policy learned with MAPPO on the discrete interface; `mappo/MODEL_CARD.md` tells of it."""

from agents.learned.policy import LearnedPolicy

__all__ = ["LearnedPolicy"]
