"""Who plays: scripted baselines, the LLM policy and its engines, and the rollout driver."""
