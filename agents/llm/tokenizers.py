"""Between text and token ids: one protocol, a tokenizer of bytes for tests, and Hugging Face's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from wideseek_env.plugins import require


class Tokenizer(Protocol):
    """Text to ids and back, with a chat template."""

    stop_ids: frozenset[int]
    """Ids that end a turn."""
    control_tokens: tuple[str, ...]
    """Texts that become a token beside the vocabulary of words; pages must not write them."""

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Returns the chat as text, up to where the assistant's next turn begins."""
        ...

    def encode(self, text: str) -> list[int]:
        """Returns the ids of a text in which control tokens are written out."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text of ids, control tokens written out."""
        ...

    def normalize(self, text: str) -> str:
        """Normalises a text as `encode` does before it looks for control tokens."""
        ...


_BYTES = [bytes([i]) for i in range(256)] + [b"<|im_start|>", b"<|im_end|>"]


class ByteTokenizer:
    """One token for each byte of UTF-8 and one for each control token: for tests, without torch."""

    control_tokens: tuple[str, ...] = ("<|im_start|>", "<|im_end|>")
    stop_ids: frozenset[int] = frozenset({257})
    vocab_size = 258

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Returns the chat in ChatML."""
        return chatml(messages)

    def encode(self, text: str) -> list[int]:
        """Returns the bytes; control tokens are 256 and up."""
        ids: list[int] = []
        for piece in re.split(r"(<\|im_start\|>|<\|im_end\|>)", text):
            if piece in self.control_tokens:
                ids.append(256 + self.control_tokens.index(piece))
            else:
                ids.extend(piece.encode())
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text; bytes that are no UTF-8 are replaced."""
        return b"".join(map(_BYTES.__getitem__, ids)).decode(errors="replace")

    def normalize(self, text: str) -> str:
        """Returns the text: it is read as it is."""
        return text


def chatml(messages: Iterable[Mapping[str, Any]]) -> str:
    """Returns messages in ChatML, with the opening of the assistant's next turn."""
    turns = (f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return "".join(turns) + "<|im_start|>assistant\n"


def _is_markup(token: str) -> bool:
    """Whether an added token is no word and no run of blanks, which any text may hold."""
    return any(not character.isalnum() and not character.isspace() for character in token)


class HFTokenizer:
    """A tokenizer of Hugging Face transformers, with its chat template.

    Args:
        source: folder or hub name, or a tokenizer that is already loaded.
        template_args: given to the chat template, for example `{"enable_thinking": False}`.

    Raises:
        ImportError: transformers is not installed.
        ValueError: the tokenizer has no chat template, or no token that ends a turn.
    """

    def __init__(self, source: Any, template_args: Mapping[str, Any] | None = None) -> None:
        if isinstance(source, (str, Path)):
            source = require("transformers", "llm").AutoTokenizer.from_pretrained(source)
        if source.chat_template is None:
            raise ValueError(
                f"expected a tokenizer with a chat template, {source.name_or_path!r} has none; "
                "take the instruction-tuned model, or set `tokenizer.chat_template`"
            )
        self.hf = source
        self._template_args = dict(template_args or {})
        added = {str(token): token.special for token in source.added_tokens_decoder.values()}
        added |= dict.fromkeys(source.all_special_tokens, True)
        self.control_tokens: tuple[str, ...] = tuple(
            token for token, special in added.items() if special or _is_markup(token)
        )
        ends = {source.eos_token, "<|im_end|>", "<|eot_id|>", "<end_of_turn>"}
        self.stop_ids = frozenset(
            source.convert_tokens_to_ids(token) for token in ends & set(self.control_tokens)
        )
        if not self.stop_ids:
            raise ValueError("expected a tokenizer with a token that ends a turn (`eos_token`)")

    def render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Returns the chat as the model's own template writes it."""
        text: str = self.hf.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True, **self._template_args
        )
        return text

    def encode(self, text: str) -> list[int]:
        """Returns the ids; nothing is added at the front, as templates write it themselves."""
        ids: list[int] = self.hf.encode(text, add_special_tokens=False)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Returns the text, exactly as the ids have it."""
        text: str = self.hf.decode(
            list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def normalize(self, text: str) -> str:
        """Returns the text as the tokenizer's normaliser leaves it: NFC for Qwen's, for example."""
        backend = getattr(self.hf, "backend_tokenizer", None)
        if backend is None or backend.normalizer is None:
            return text
        normal: str = backend.normalizer.normalize_str(text)
        return normal
