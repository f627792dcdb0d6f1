"""Reads a judge's reply: one JSON object of verdicts, wherever in the reply it stands.

Models think aloud, speak before and after, and put fences around; all that is passed over. What is
not passed over is doubt: two objects that differ, a number twice, a verdict of another kind, or a
number too few is no verdict, and the judge is asked again.
"""

from __future__ import annotations

import json
import re
from typing import Any

from wideseek_env.jsonlines import unambiguous
from wideseek_env.thinking import without_thinking

_MAX_CHARS = 200_000
"""More than the verdicts of any batch take, and little enough to look through at once."""
_MAX_BRACES = 1_000
"""Each may begin the object; a failed look at one takes time in proportion to the reply."""
_THINKING = ("thought", "thoughts", "reasoning", "reflection", "scratchpad", "analysis")
"""Tags of thinking wherever they stand in a reply; `wideseek_env.thinking` knows the others."""


def read_reply(
    reply: str, field_name: str, num: int, num_choices: int | None, asked: str = ""
) -> list[Any]:
    """Returns the verdicts of a reply, by number.

    Args:
        reply: with one JSON object outside of its thinking.
        field_name: the object's field with the verdicts.
        num: how many verdicts it must have, numbered from 0.
        num_choices: None: verdicts are true or false; else they are numbers below this, or null.
        asked: what the reply is about; an object that is quoted from it is no verdict.

    Raises:
        ValueError: it is anything else.
    """
    verdicts = _object(_said(reply), field_name, asked)[field_name]
    if not isinstance(verdicts, dict) or set(verdicts) != {str(number) for number in range(num)}:
        raise ValueError(f"{field_name!r} does not have exactly the numbers 0 to {num - 1}")
    for verdict in verdicts.values():
        if not is_verdict(verdict, num_choices):
            raise ValueError(f"{str(verdict)[:50]!r} is no verdict")
    return [verdicts[str(number)] for number in range(num)]


def is_verdict(value: object, num_choices: int | None) -> bool:
    """Whether a value is true or false, or, of so many choices, the index of one or null."""
    if num_choices is None or isinstance(value, bool):
        return isinstance(value, bool) and num_choices is None
    return value is None or (isinstance(value, int) and 0 <= value < num_choices)


def _said(reply: str) -> str:
    """The reply without its thinking; thinking that never ends hides all that follows it."""
    reply = without_thinking(reply)
    for name in _THINKING:
        first, *others = reply.split(f"<{name}>")
        reply = first + "".join(part.partition(f"</{name}>")[2] for part in others)
    return reply


def _object(text: str, field_name: str, asked: str) -> dict[str, Any]:
    """The one object with this field in a text."""
    if len(text) > _MAX_CHARS:
        raise ValueError(f"more than {_MAX_CHARS:,} characters for one object of verdicts")
    found: dict[str, Any] | None = None
    for value, start, end in _objects(text):
        alone = not re.sub(r"```(?:json)?", "", text[:start] + text[end:], flags=re.I).strip()
        if field_name not in value or (
            not alone and _squeezed(text[start:end]) in _squeezed(asked)
        ):
            continue
        if found is not None and found[field_name] != value[field_name]:
            raise ValueError(f"two {field_name!r} objects that differ")
        found = value
    if found is None:
        raise ValueError(f"no JSON object with {field_name!r}")
    return found


def _objects(text: str) -> list[tuple[dict[str, Any], int, int]]:
    """All JSON objects of a text that stand in no other one, and where."""
    decoder = json.JSONDecoder(object_pairs_hook=unambiguous)
    found, start, num_tried = [], text.find("{"), 0
    while start >= 0:
        num_tried += 1
        if num_tried > _MAX_BRACES:
            raise ValueError(f"more than {_MAX_BRACES:,} braces for one object of verdicts")
        try:
            value, end = decoder.raw_decode(text, start)
            found.append((value, start, end))
        except json.JSONDecodeError:
            end = start + 1
        except RecursionError:
            raise ValueError("its brackets are too deep") from None
        start = text.find("{", end)
    return found


def _squeezed(text: str) -> str:
    return re.sub(r"[\s\\]", "", text)
