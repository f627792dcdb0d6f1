"""Tiny language models that play the preset `starter`; `lm/MODEL_CARD.md` says how they learned.

They need the extra `llm`, and so does nothing else here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from agents.llm.engines import make_engine
from agents.llm.policy import LLMConfig, LLMPolicy

MODELS = Path(__file__).parent / "lm"
"""A folder for each model, as transformers and vLLM read it."""
PLAYS = LLMConfig(
    format="json", prompts="short", max_tokens=384, max_context_tokens=2048, temperature=0.0
)
"""How these models play: greedily, and as the trainers' preset `tiny` taught them."""


@cache
def tiny_model(name: str) -> LLMPolicy:
    """Returns the policy of a shipped model; a process loads it once.

    Args:
        name: `sft`, which imitates the scripted `partial`, or `grpo`, which went on from there.

    Raises:
        ImportError: torch or transformers is not installed; the message has the command.
        ValueError: there is no such model.
    """
    names = sorted(folder.name for folder in MODELS.iterdir() if folder.is_dir())
    if name not in names:
        raise ValueError(f"`name` must be one of {', '.join(names)}, got {name!r}")
    return LLMPolicy(make_engine("transformers", str(MODELS / name)), PLAYS, name=name)
