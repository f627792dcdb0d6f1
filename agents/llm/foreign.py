"""Foreign text in a prompt: nothing that others wrote can act as the prompt's own markup.

Pages, search results, reports, questions and column headers are shown to the model between the
template's own tokens. A page that could write these would open a system turn, end its own message,
or stand where a tool's answer stands. So there is one step through which all foreign text goes, in
both chats: whatever the tokenizer adds to its vocabulary, the format's own tags, and the markup of
well-known templates get a space behind their first character. Other text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from agents.llm.tokenizers import Tokenizer
from wideseek_env.formats import ToolCallFormat
from wideseek_env.formats.reading import clean

Harmless = Callable[[str], str]
"""Makes foreign text harmless."""

_WELL_KNOWN = (
    r"<[|｜][^<>|｜\s]{1,64}[|｜]>"  # ChatML, Llama, Phi, DeepSeek, Kimi, …
    r"|<\|\w{1,32}>|<\w{1,32}\|>"
    r"|</?(?:s|bos|eos|pad|unk|mask|sop|eop|eod|cls|sep|role|think(?:ing)?|tools|tool_calls?"
    r"|tool_responses?|tool_results?|tool_outputs?|function_results?|TOOLCALL|TOOL_RESPONSE"
    r"|AVAILABLE_TOOLS|(?:seed|mm|minimax):\w{1,32})>"  # Ling, Seed, MiniMax, Nemotron
    r"|<(?:BOS|EOS|PAD|UNK)_TOKEN>|<(?:SPECIAL|reserved|extra_id)_\d{1,4}>|\[UNUSED_TOKEN_\d{1,4}\]"
    r"|\[\|\w{1,32}\|\]|\]~!?b[\[\]]|\[e~\[|\[g?MASK\]|<用户>|<AI>|◁/?\w{1,32}▷"
    r"|<(?:start|end)_(?:of_turn|function_call|function_response)>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|THINK"
    r"|ARGS|CALL_ID|MODEL_SETTINGS|BEGIN_OF_TOOLS|IMG)\]"
    r"|<</?SYS>>"
)
"""Templates write some of these as plain text, and a server's tokenizer is not known here."""


def harmless_for(format: ToolCallFormat, tokenizer: Tokenizer | None) -> Harmless:
    """Gives the step for a conversation.

    Args:
        format: its `tags` are broken up.
        tokenizer: its added vocabulary is broken up; None: a server's, which is not known.
    """
    if tokenizer is None:
        return _Breaker(_pattern(format.tags)).apply
    tokens = (*tokenizer.control_tokens, *map(tokenizer.normalize, tokenizer.control_tokens))
    return _Breaker(_pattern((*tokens, *format.tags)), tokenizer.normalize).apply


@lru_cache(maxsize=32)
def _pattern(texts: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted({text for text in texts if len(text) > 1}, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, longest_first), _WELL_KNOWN]))


class _Breaker:
    def __init__(
        self, pattern: re.Pattern[str], normalize: Callable[[str], str] | None = None
    ) -> None:
        self._pattern = pattern
        self._normalize = normalize

    def apply(self, text: str) -> str:
        """Returns the text with markup broken up, lone surrogates replaced."""
        text = self._broken(clean(text))
        if self._normalize is None:
            return text
        read = self._normalize(text)  # what the tokenizer looks for added tokens in
        return self._broken(read) if self._pattern.search(read) else text

    def _broken(self, text: str) -> str:
        while self._pattern.search(text):  # again, as tokens may overlap
            text = self._pattern.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)
        return text
