"""What an OpenAI-compatible server answered, checked field by field.

A server may leave out, null or garble whatever it likes; what is not what the API says is either
of no consequence (a count of tokens) or ends this one episode as invalid, with a sentence. Nothing
that is not a finite number of the right kind becomes part of a record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agents.llm.engines import Completion
from agents.llm.tokenizers import Tokenizer
from wideseek_env.backends.replies import count, message_text
from wideseek_env.errors import PolicyError
from wideseek_env.formats.reading import clean

_MAX_ID = 2**31 - 1
_MAX_COUNT = 2**53
_ROUNDING = 1e-3
"""A log-probability this little above 0 is one of 0 that was rounded."""


def read_chat(answer: Mapping[str, Any], *, token_ids: bool) -> Completion:
    """Reads the answer of `/chat/completions`.

    Args:
        answer: the JSON object.
        token_ids: whether the server was asked for ids.

    Raises:
        PolicyError: it is none, or the ids asked for are not in it.
    """
    choice = _choice(answer)
    message = _object(choice, "message")
    ids, prompt_ids = _ids(choice, "token_ids"), _ids(answer, "prompt_token_ids")
    if token_ids and (ids is None or prompt_ids is None):
        raise PolicyError(
            "expected `token_ids` and `prompt_token_ids` in the answer, which the server does not "
            "give; use vLLM 0.10.2 or later, or leave `token_ids` out: episodes then have no "
            "tokens and can be scored but not trained on"
        )
    thinking, content = _text(message, "content")
    for name in ("reasoning_content", "reasoning"):
        thinking = thinking or "".join(_text(message, name))
    if message.get("tool_calls"):
        kept = {"content": content or None, "tool_calls": message["tool_calls"]}
        text = json.dumps(kept, ensure_ascii=False)
    else:
        text = f"<think>{thinking}</think>{content}" if thinking else content
    return Completion(
        text=clean(text),
        ids=ids or (),
        logprobs=_chat_logprobs(choice.get("logprobs")),
        finish="length" if choice.get("finish_reason") == "length" else "stop",
        prompt_ids=prompt_ids,
        **_counts(answer.get("usage")),
    )


def read_tokens(answer: Mapping[str, Any], tokenizer: Tokenizer) -> Completion:
    """Reads the answer of `/completions`, whose text is made from its ids.

    Raises:
        PolicyError: it is none, or it has no ids.
    """
    choice = _choice(answer)
    ids = _ids(choice, "token_ids")
    if ids is None:
        raise PolicyError(
            "expected `token_ids` in the answer, which the server does not give; use vLLM 0.10.2 "
            "or later, or leave `tokenizer` out and play by messages"
        )
    found = choice.get("logprobs")
    logprobs = _logprobs(found.get("token_logprobs")) if isinstance(found, dict) else ()
    text_ids = ids[:-1] if ids and ids[-1] in tokenizer.stop_ids else ids
    try:
        text = tokenizer.decode(text_ids)
    except (LookupError, ValueError, TypeError, OverflowError) as error:
        raise PolicyError(
            f"the server sampled ids that this tokenizer does not know ({error}); give the "
            "tokenizer of the model that the server runs"
        ) from error
    return Completion(
        text=text,
        ids=ids,
        logprobs=logprobs if len(logprobs) == len(ids) else (),
        finish="length" if choice.get("finish_reason") == "length" else "stop",
        prompt_ids=_ids(choice, "prompt_token_ids"),
        **_counts(answer.get("usage")),
    )


def _choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise PolicyError(f"expected `choices` with one object, got {_shown(answer)}")
    return choice


def _object(where: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = where.get(name)
    if not isinstance(value, dict):
        raise PolicyError(f"expected an object `{name}`, got {_shown(value)}")
    return value


def _text(message: Mapping[str, Any], name: str) -> tuple[str, str]:
    try:
        return message_text(message.get(name))
    except ValueError as error:
        raise PolicyError(f"`{name}` of the message: {error}") from error


def _ids(where: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    value = where.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(i) is int and 0 <= i <= _MAX_ID for i in value):
        raise PolicyError(f"expected `{name}` to be ids from 0 to 2**31 - 1, got {_shown(value)}")
    return tuple(value)


def _chat_logprobs(value: object) -> tuple[float, ...]:
    items = value.get("content") if isinstance(value, dict) else None
    if items is None:
        return ()
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise PolicyError(f"expected a list of objects in `logprobs`, got {_shown(items)}")
    return _logprobs([item.get("logprob") for item in items])


def _logprobs(value: object) -> tuple[float, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(map(_is_logprob, value)):
        raise PolicyError(
            f"expected log-probabilities to be finite numbers of at most 0, got {_shown(value)}"
        )
    return tuple(min(float(number), 0.0) for number in value)


def _is_logprob(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return -_MAX_COUNT <= value <= _ROUNDING


def _counts(usage: object) -> dict[str, int]:
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    num_prompt_tokens = count(usage.get("prompt_tokens"))
    return {
        "num_prompt_tokens": num_prompt_tokens,
        "num_new_tokens": count(usage.get("completion_tokens")),
        "num_cached_tokens": min(count(cached), num_prompt_tokens),
    }


def _shown(value: object) -> str:
    return json.dumps(value)[:200]
