from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch, `pip install -e .[llm]`")
pytest.importorskip("transformers", reason="needs transformers, `pip install -e .[llm]`")

from agents.llm.chat import TokenChat
from agents.llm.engines import Completion
from agents.llm.tiny import (
    CALL_TOKENS,
    CONTROL_TOKENS,
    TEXT_TOKENS,
    make_tiny_model,
    train_tokenizer,
)
from agents.llm.tokenizers import HFTokenizer
from wideseek_env.formats import get_format
from wideseek_env.records import ToolCall, ToolResult

TEXTS = [
    '{"name": "search", "arguments": {"query": "rivers in Varnia"}}',
    "Alden | Varnia | river | 1834",
    "river list 2: Alden, Ostra, Ula",
] * 10

QWEN3_LIKE = (  # drops the thinking of turns before the last question, as Qwen3's template does
    "{%- set ns = namespace(last=0) -%}"
    "{%- for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}"
    "{% endfor -%}"
    "{%- for m in messages -%}"
    "{%- set content = m.content -%}"
    "{%- if m.role == 'assistant' and loop.index0 < ns.last and '</think>' in content -%}"
    "{%- set content = content.split('</think>')[-1].lstrip('\n') -%}{%- endif -%}"
    "{{- '<|im_start|>' + m.role + '\n' + content + '<|im_end|>' + '\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}"
)


@pytest.fixture(scope="module")
def tokenizer() -> HFTokenizer:
    return train_tokenizer(TEXTS, 400)


@pytest.mark.parametrize("before", ["", " ", '"', "|", "| ", "\n", "x"])
def test_tokenizer_name_has_the_same_ids_wherever_it_stands(
    tokenizer: HFTokenizer, before: str
) -> None:
    name = tokenizer.encode("Alden")
    around = tokenizer.encode(f"{before}Alden|")
    assert len(name) == 1
    assert name[0] in around


@pytest.mark.parametrize(
    "text", ["", "Alden 1834", "中文 é\n\x00", "<tool_call>\n{}</tool_call>", "  a"]
)
def test_tokenizer_decodes_what_it_encoded(tokenizer: HFTokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_tokenizer_all_that_is_one_id_beside_the_words_is_kept_out_of_pages(
    tokenizer: HFTokenizer,
) -> None:
    assert len(tokenizer.encode("<tool_call>")) == 1
    assert set(tokenizer.control_tokens) == {*CONTROL_TOKENS, *TEXT_TOKENS, *CALL_TOKENS}
    assert tokenizer.stop_ids == set(tokenizer.encode("<|im_end|>"))


def test_tokenizer_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 268"):
        train_tokenizer(TEXTS, 267)


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("delegate", "subtasks", ["a"]),
        ("answer", "text", "a"),
        ("search", "query", "a"),
        ("open", "url", "a"),
        ("report", "text", "a"),
    ],
)
def test_tokenizer_begins_each_call_with_one_id(
    tokenizer: HFTokenizer, name: str, argument: str, value: Any
) -> None:
    ids = tokenizer.encode(get_format("json").render([ToolCall(name, {argument: value})]))
    first = tokenizer.decode(ids[:1])
    assert first.removesuffix('["').rstrip('"') == (
        f'{{"name": "{name}", "arguments": {{"{argument}": '
    )


def test_tokenizer_gives_a_name_the_same_ids_wherever_it_stands(tokenizer: HFTokenizer) -> None:
    name, path = tokenizer.encode("Tibilo"), tokenizer.encode("tibilo")
    for text in ("| Tibilo | 60 |", '"Tibilo 1 | Seat"', "[Tibilo](/b/c)", "in Tibilo, page 1"):
        assert _within(name, tokenizer.encode(text)), text
    for text in ("[Tibilo](/bobin/tibilo)\n", '"url": "/bobin/tibilo"}}', "/bobin/tibilo | part"):
        assert _within(path, tokenizer.encode(text)), text


def _within(part: list[int], whole: list[int]) -> bool:
    return any(whole[i : i + len(part)] == part for i in range(len(whole)))


def test_tokenizer_without_a_template_is_refused(tokenizer: HFTokenizer) -> None:
    class Bare:
        chat_template = None
        name_or_path = "bare"

    with pytest.raises(ValueError, match="instruction-tuned"):
        HFTokenizer(Bare())


def test_make_tiny_model_is_a_plain_qwen3_that_loads(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = make_tiny_model(tmp_path / "tiny", TEXTS, vocab_size=300, num_layers=1)
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.model_type == "qwen3"
    assert model.config.head_dim == 64
    assert model.config.vocab_size == 300
    assert HFTokenizer(folder).encode("Alden") == train_tokenizer(TEXTS, 300).encode("Alden")
    again = AutoModelForCausalLM.from_pretrained(
        make_tiny_model(tmp_path / "again", TEXTS, vocab_size=300, num_layers=1)
    )
    weights = zip(model.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_chat_template_that_rewrites_history_leaves_the_prefix_stable(
    tokenizer: HFTokenizer,
) -> None:
    class Qwen3Like(HFTokenizer):
        def render(self, messages: Any) -> str:
            text: str = self.hf.apply_chat_template(
                list(messages),
                chat_template=QWEN3_LIKE,
                tokenize=False,
                add_generation_prompt=True,
            )
            return text

    forgetful = Qwen3Like(tokenizer.hf)
    history = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "<think>hm</think>\n\ncall"},
        {"role": "user", "content": "found"},
    ]
    assert "hm" not in forgetful.render(history)  # a client that renders again loses it
    chat = TokenChat(forgetful, get_format("hermes"), "s", "q")
    prompt = chat.prompt_ids
    ids = tuple(forgetful.encode("<think>hm</think>\n\ncall<|im_end|>"))
    chat.add_turn(Completion("", ids=ids))
    chat.show([ToolResult("found", call=ToolCall("search", {}))])
    assert chat.prompt_ids[: len(prompt) + len(ids)] == prompt + ids
    assert "<think>hm</think>" in forgetful.decode(chat.prompt_ids)
