"""Foreign text in a model's prompt: it cannot write the markup of a chat template.

The model that plays, the judge and the model that makes tasks read what others wrote. Of that text
every piece of markup gets a space behind its first character; other text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

_WELL_KNOWN = (
    r"<[|｜][^<>|｜\s]{1,64}[|｜]>"  # ChatML, Llama, Phi, DeepSeek, Kimi, …
    r"|<\|\w{1,32}>|<\w{1,32}\|>|\|DSML[|｜]|｜DSML[|｜]|<\[[^<>\[\]\s]{1,64}\]>"
    r"|</?(?:s|sop|eop|eod|eoh|eoa|eoe|eosys|role|think(?:ing)?|tools|tool_calls?"
    r"|tool_responses?|tool_results?|tool_outputs?|tool_declaration|function_(?:calls?|results?)"
    r"|response|arg_key|arg_value|TOOLCALL|TOOL_CALL|TOOL_RESPONSE|AVAILABLE_TOOLS"
    r"|(?:seed|mm|minimax):\w{1,32})>"  # GLM, Ling, Seed, MiniMax, Nemotron, ERNIE
    r"|</?(?i:bos|eos|pad|unk|cls|sep|mask|pre|suf|mid|eot|fim[_-]\w{1,16}|\w{1,32}_token)>"
    r"|<_(?:user|bot|system|start|end)>|<(?:用户|AI)>|◁/?\w{1,32}▷"
    r"|<(?:SPECIAL_|TOKENS_UNUSED_|reserved_|reserved_special_token_|extra_id_|unused|ctrl"
    r"|mask[_:]|pad_)\d{1,4}>|\[(?:UNUSED_TOKEN_|control_|PLHD)\d{1,4}\]"
    r"|<-?(?:start|end|begin)_(?:of_\w{1,32}|\w{1,32}_id|function_\w{1,32})-?>"
    r"|<(?:file_sep|file_?name|gh_stars|empty_output|repo_?name"
    r"|(?:issue|jupyter|commit)_\w{1,16})>"  # StarCoder, SmolLM
    r"|\[\|\w{1,32}\|\]|\]~!?b[\[\]]|\[e~\[|\[@[A-Z]{2,8}@\]|\|\|\|[A-Z_]{3,24}\|\|\|"
    r"|>>[A-Z]{4,14}<<|<</?[A-Z]{3,12}>>"  # Falcon, Llama 2
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|THINK"
    r"|ARGS|CALL_ID|MODEL_SETTINGS|BEGIN_OF_TOOLS|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO"
    r"|TRANSCRIBE|PREFIX|MIDDLE|SUFFIX|SYS|SYSTEM|USER|ASSISTANT|BOT|TOOL|OBSERVATION"
    r"|[gs]?MASK|BOS|EOS|CLS|SEP|PAD|UNK)\]"
)
"""Templates write some of these as plain text, and a server's tokenizer is not known here.
Each begins with a character of its own, so that the search leaps from one such to the next."""
_FULL_WIDTH = re.compile("[！-～]+")
_HALF_WIDTH = {0xFF01 + i: 0x21 + i for i in range(94) if chr(0xFF01 + i) != "｜"}
"""Tokenizers that normalise read full-width forms so; DeepSeek's markup has `｜` itself."""


class Breaker:
    """Breaks markup up.

    Args:
        texts: markup beside that of well-known templates.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._pattern = _compiled(tuple(texts))

    def holds(self, text: str) -> bool:
        """Whether there is markup in the text."""
        return self._pattern.search(_as_read(text)) is not None

    def apply(self, text: str) -> str:
        """Returns the text without markup."""
        while True:  # again, as tokens may overlap
            found = self._pattern.finditer(_as_read(text))
            cuts = [match.start() + 1 for match in found]
            if not cuts:
                return text
            ends = [*cuts[1:], len(text)]
            pieces = (text[at:end] for at, end in zip(cuts, ends, strict=True))
            text = " ".join((text[: cuts[0]], *pieces))


def _as_read(text: str) -> str:
    # Only these, as a page is read once a turn, and to translate all of a Chinese one takes longer.
    return _FULL_WIDTH.sub(lambda found: found[0].translate(_HALF_WIDTH), text)


@lru_cache(maxsize=32)
def _compiled(texts: tuple[str, ...]) -> re.Pattern[str]:
    read = {_as_read(text) for text in texts if len(text) > 1}
    longest_first = sorted(read, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, longest_first), _WELL_KNOWN]))
