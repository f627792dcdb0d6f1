"""A language model of 0.9 million parameters that learnt the game from nothing (`README.md`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from agents.llm.policy import LLMConfig, LLMPolicy

WEIGHTS = Path(__file__).parent
"""The folder that we ship: weights and tokenizer, as Hugging Face and vLLM load them."""

PLAYS = LLMConfig(
    format="json", prompts="short", max_tokens=384, max_context_tokens=2048, temperature=0.0
)
"""How it was trained to play, but greedy."""


@cache
def tiny_lm(folder: Path = WEIGHTS) -> LLMPolicy:
    """Returns the policy; one for each folder in a process, so that weights are read once.

    It knows the wide questions of the preset `starter` and nothing else.

    Args:
        folder: of a model that `trainers/sft.py` or `trainers/grpo.py` made with `--preset tiny`.

    Raises:
        ImportError: torch or transformers is not installed; the message names the extra.
    """
    from agents.llm.engines.transformers import TransformersEngine  # noqa: PLC0415 - heavy

    return LLMPolicy(TransformersEngine(folder, device="cpu"), PLAYS, name="tiny_lm")
