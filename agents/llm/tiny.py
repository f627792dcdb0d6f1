"""A tiny Qwen3 from scratch with a tokenizer of its own: for tests, demonstrations and training.

The architecture is Hugging Face's plain Qwen3, so every engine loads the folder that is written
here. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agents.llm.tokenizers import HFTokenizer
from wideseek_env.plugins import require

CONTROL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEXT_TOKENS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
"""One token each, but plain text: a page that holds them cannot end a message."""
CALL_TOKENS = tuple(
    f'{{"name": "{tool}", "arguments": {{"{argument}": {start}'
    for tool, argument, start in (
        ("delegate", "subtasks", '["'),
        ("answer", "text", '"'),
        ("search", "query", '"'),
        ("open", "url", '"'),
        ("report", "text", '"'),
    )
)
"""Beginning of each call, one token each, plain text as well: a model writes them all the time."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

_SPLIT = r"(?<=[/\[])[a-z]+|[A-Z][a-z]+| ?[a-z]+|\d\d?|(?:[^A-Za-z\d ]| (?![a-z]))+"
"""A name is a piece of its own, so it has the same ids after a space, a quote, a slash or a pipe,
and can be copied from one place to another; other words carry the space before them, and digits
come in pairs."""


def train_tokenizer(texts: Iterable[str], vocab_size: int = 512) -> HFTokenizer:
    """Returns a byte-level BPE tokenizer trained on texts, with ChatML as its template.

    Any text can be encoded, as every byte is a token; words of the texts become few tokens.

    Args:
        texts: what the model will read and write.
        vocab_size: ids in all, at least 268: 256 bytes, 7 tokens of the chat and 5
            of calls.

    Raises:
        ImportError: transformers is not installed.
        ValueError: `vocab_size` is too small.
    """
    texts_of_calls = (*TEXT_TOKENS, *CALL_TOKENS)
    least = 256 + len(CONTROL_TOKENS) + len(texts_of_calls)
    if vocab_size < least:
        raise ValueError(f"`vocab_size` must be at least {least}, got {vocab_size!r}")
    tokenizers = require("tokenizers", "llm")
    transformers = require("transformers", "llm")
    bytes_ = tokenizers.pre_tokenizers.ByteLevel
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(_SPLIT), "isolated"),
            bytes_(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size - len(texts_of_calls),
        special_tokens=list(CONTROL_TOKENS),
        initial_alphabet=sorted(bytes_.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.add_tokens([tokenizers.AddedToken(token, special=False) for token in texts_of_calls])
    hf = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )
    hf.chat_template = CHAT_TEMPLATE
    return HFTokenizer(hf)


def make_tiny_model(
    folder: Path | str,
    texts: Iterable[str],
    *,
    vocab_size: int = 512,
    hidden_size: int = 128,
    num_layers: int = 4,
    num_heads: int = 4,
    num_kv_heads: int = 2,
    head_dim: int = 64,
    intermediate_size: int = 352,
    max_context_tokens: int = 2048,
    seed: int = 0,
) -> Path:
    """Writes an untrained Qwen3 and its tokenizer into a folder, and returns the folder.

    The defaults have 1.0 million parameters; 2 CPU cores train them in minutes.

    Args:
        folder: made when it is not there; what it holds of a model is replaced.
        texts: what the tokenizer is trained on.
        vocab_size: see `train_tokenizer`.
        hidden_size: width of the residual stream.
        num_layers: transformer blocks.
        num_heads: query heads.
        num_kv_heads: key and value heads; divides `num_heads`.
        head_dim: of each head; 64 rather than 32, as QK-norm caps the logits at its square root,
            which is too soft to pick one of a few hundred tokens at 32.
        intermediate_size: width of the feed-forward layers.
        max_context_tokens: longest sequence.
        seed: of the weights.

    Raises:
        ImportError: torch or transformers is not installed.
        ValueError: `vocab_size` is too small.
    """
    transformers = require("transformers", "llm")
    hf = train_tokenizer(texts, vocab_size).hf
    config = transformers.Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        num_key_value_heads=num_kv_heads,
        head_dim=head_dim,
        intermediate_size=intermediate_size,
        max_position_embeddings=max_context_tokens,
        tie_word_embeddings=True,
        use_cache=True,
        eos_token_id=hf.eos_token_id,
        pad_token_id=hf.pad_token_id,
        bos_token_id=None,
    )
    _untrained(config, seed).save_pretrained(folder)
    hf.save_pretrained(folder)
    return Path(folder)


def _untrained(config: Any, seed: int) -> Any:
    """Returns a model with random weights, and leaves torch's own generator as it was."""
    torch = require("torch", "llm")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return require("transformers", "llm").Qwen3ForCausalLM(config)
