"""OpenRLHF as the trainer of lead and subagents together: see docs/openrlhf.md."""
