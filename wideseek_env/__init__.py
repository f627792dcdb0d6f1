"""Broad information seeking with many agents, as a PettingZoo parallel environment."""
