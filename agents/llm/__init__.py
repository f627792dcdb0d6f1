"""Language models that play: the policy, its prompts, and the engines behind it."""
