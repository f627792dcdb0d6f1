from __future__ import annotations

import pytest

from agents.llm.tokenizers import ByteTokenizer

TOKENIZER = ByteTokenizer()


@pytest.mark.parametrize("text", ["", "Alden 中文 é", "<|im_start|>a<|im_end|>\n", "<|im_", "\x00"])
def test_byte_tokenizer_decodes_what_it_encoded(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_byte_tokenizer_control_tokens_are_one_id() -> None:
    assert TOKENIZER.encode("a<|im_end|>b") == [97, 257, 98]
    assert {257} == TOKENIZER.stop_ids


def test_byte_tokenizer_renders_chatml_up_to_the_next_turn() -> None:
    text = TOKENIZER.render([{"role": "user", "content": "hi"}])
    assert text == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
