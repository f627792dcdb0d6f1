"""Learning: advantages, losses, GRPO, PPO and SFT."""
