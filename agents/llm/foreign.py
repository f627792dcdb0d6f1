"""Foreign text in a prompt: nothing that others wrote can act as the prompt's own markup.

Pages, search results, reports, questions and column headers are shown to the model between the
template's own tokens. A page that could write these would open a system turn, end its own message,
or stand where a tool's answer stands. So there is one step through which all foreign text goes, in
both chats: whatever the tokenizer adds to its vocabulary, the format's own tags, and the markup of
well-known templates are broken up (`wideseek_env/foreign.py`). Other text stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.llm.tokenizers import Tokenizer
from wideseek_env.foreign import Breaker
from wideseek_env.formats import ToolCallFormat
from wideseek_env.formats.reading import clean

Harmless = Callable[[str], str]
"""Makes foreign text harmless."""


def harmless_for(format: ToolCallFormat, tokenizer: Tokenizer | None) -> Harmless:
    """Gives the step for a conversation.

    Args:
        format: its `tags` are broken up.
        tokenizer: its added vocabulary is broken up; None: a server's, which is not known.
    """
    if tokenizer is None:
        breaker = Breaker(format.tags)
        return lambda text: breaker.apply(clean(text))
    normalize = tokenizer.normalize
    tokens = (*tokenizer.control_tokens, *map(normalize, tokenizer.control_tokens))
    breaker = Breaker((*tokens, *format.tags))

    def harmless(text: str) -> str:
        text = breaker.apply(clean(text))
        read = normalize(text)  # what the tokenizer looks for added tokens in
        return breaker.apply(read) if breaker.holds(read) else text

    return harmless
