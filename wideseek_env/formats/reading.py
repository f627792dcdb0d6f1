"""What tool-call formats share: visible text, JSON and its repair, and turns without a call.

Nothing here raises on what a model wrote. A repair is made only when there is one thing that the
text can have meant; otherwise the caller tells the model what is wrong.
"""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from wideseek_env.formats.attempts import is_attempt
from wideseek_env.game.tools import TOOLS
from wideseek_env.records import Decision, Role, ToolCall
from wideseek_env.thinking import without_thinking

EXAMPLES: Mapping[Role, ToolCall] = {
    "lead": ToolCall("answer", {"text": "| Name |\n|---|\n| Alden |"}),
    "subagent": ToolCall("search", {"query": "longest rivers Varnia"}),
}
"""A call that is always allowed, for each role; shown to a model whose turn could not be read."""

_MAX_DEPTH = 16
# `*+` and `++` never give back what they took: no text of a model takes more than linear time.
_RULE_LINE = re.compile(r"[ \t]*+\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+\Z")
_FENCE = re.compile(r"\A```[a-z]*[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')
_PIECE = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],]|[^"{}\[\],\s]+|\s+|"', re.DOTALL)
_QUOTED = re.compile(
    r"""'(?:[^'\\]|\\(?:.|\Z))*+(?:'|\Z)|"(?:[^"\\]|\\(?:.|\Z))*+(?:"|\Z)""", re.DOTALL
)
_TO_ESCAPE = re.compile(
    r"<(?=/?(?:\w{1,5}:)?think|\|(?:START|END)_THINKING|\|(?:begin|end)_of_thought|\|channel)"
    r"|\[(?=/?THINK\])|◁(?=/?think)",
    re.IGNORECASE,
)
_CLOSER = {"{": "}", "[": "]"}


def clean(text: str) -> str:
    """Returns the text with lone surrogates replaced, so that it can be written as UTF-8."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def visible(text: str) -> str:
    """Returns the text without its thinking, in any family's marks, and blanks around it."""
    return without_thinking(text).strip()


def without_call(text: str, shown: str, role: Role, example: str) -> Decision:
    r"""Decides what a turn without any tool call means.

    A text that was meant as a call is an error, whoever wrote it (`attempts.py`). Else a subagent's
    text is its report. A lead's text is its answer when it holds a Markdown table or a `\boxed{}`;
    anything else is an error, as a lead that only talks would end the episode.

    Args:
        text: the whole turn.
        shown: the turn without its thinking.
        role: who wrote it.
        example: a right call in the caller's format, for the error.
    """
    if not shown:
        wrong = "Your turn was empty (or all of it was thinking)."
    elif is_attempt(shown):
        wrong = "Your tool call could not be read; nothing was run."
    elif role == "subagent":
        return Decision(calls=(ToolCall("report", {"text": shown}),), text=text)
    elif "\\boxed{" in shown or _has_table(shown):
        return Decision(calls=(ToolCall("answer", {"text": shown}),), text=text)
    else:
        wrong = "Your turn held no tool call and no final table."
    return Decision(text=text, error=f"{wrong} Write a tool call, for example: {example}")


def calls_of(value: object) -> tuple[ToolCall, ...] | None:
    """Returns the calls that a JSON value stands for, or None when it stands for none.

    A call is an object with `name` and `arguments` (or Llama's `parameters`), where arguments may
    be missing, or be an object written as a string; a list is several calls.
    """
    if isinstance(value, list) and value:
        calls = [calls_of(item) for item in value if not isinstance(item, list)]
        if len(calls) < len(value) or None in calls:
            return None
        return tuple(call for group in calls if group for call in group)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        arguments = read_json(arguments) if arguments.strip() else {}
    if not isinstance(arguments, dict):
        return None
    return (ToolCall(value["name"], arguments),)


def bare_calls(value: object) -> tuple[ToolCall, ...] | None:
    """Returns the calls of a JSON value that no tags mark as calls, or None: it may be data.

    `{"name": "Alden", "length": 12}` is a row of somebody's findings; a call has nothing but a name
    and arguments, and where it lacks those, or calls them `parameters`, the name is a tool's.
    """
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict) or not item.keys() <= _CALL_KEYS:
            return None
        if "arguments" not in item and item.get("name") not in TOOLS:
            return None
    return calls_of(value)


_CALL_KEYS = {"name", "arguments", "parameters", "id", "type"}


def call_json(call: ToolCall) -> str:
    """Returns a call as an object with `name` and `arguments`; `calls_of` reads it back."""
    return arguments_json({"name": call.name, "arguments": dict(call.arguments)})


def arguments_json(value: Mapping[str, Any]) -> str:
    """Returns a value with arguments in it as JSON.

    Tags of thinking are text inside an argument; written plainly, `visible` would take them for it.
    """
    text = json.dumps(value, ensure_ascii=False)
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def read_json(text: str, *, ended: bool = True) -> Any | None:
    r"""Returns the one JSON value that the text holds or can only have meant, else None.

    Repaired: a code fence around it, line breaks inside strings, escapes that JSON does not have
    (`\_`), commas before a closing bracket, closing brackets missing or too many, and Python's
    spelling (single quotes, True, None). Not repaired: an open string, a missing comma, a quote
    inside a string, a key given twice; each could mean several things.

    Args:
        text: what should be JSON.
        ended: whether the model marked the end of it. When not, the turn may have been cut, and
            missing closing brackets could stand for any number of further values.
    """
    text = text.strip()
    fenced = _FENCE.match(text)
    if fenced:
        text = fenced[1].strip()
    value = _loads(text)
    if value is None and (balanced := _balanced(_ESCAPE.sub(_escape, text), ended)):
        value = _loads(balanced)
    return _python(text) if value is None else value


def _loads(text: str) -> Any | None:
    try:
        value = json.loads(
            text,
            strict=False,  # a line break inside a string can only mean a line break
            object_pairs_hook=_once,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_int64,
        )
        return _cleaned(value, depth=0)
    except (ValueError, RecursionError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _int64(digits: str) -> int:
    """Returns the number when a record can hold it (64 bits)."""
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise ValueError("number out of range")
    return int(digits)


def _cleaned(value: Any, depth: int) -> Any:
    """Returns the value with clean strings; a call needs few levels, so deep ones are refused."""
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        # "\boxed{" with one backslash is valid JSON for a backspace, which nobody ever means.
        return clean(value).replace("\boxed{", "\\boxed{")
    if isinstance(value, list):
        return [_cleaned(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(item, depth + 1) for key, item in value.items()}
    return value


def _escape(match: re.Match[str]) -> str:
    return match[0] if match[1] else "\\" + match[0]


def _balanced(text: str, ended: bool) -> str | None:
    """Returns the text with brackets closed, trailing commas gone.

    None when a string is open, or brackets are nested deeper than any call.
    """
    out: list[str] = []
    stack: list[str] = []
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece == '"' or len(stack) > _MAX_DEPTH + 1:
            return None
        if piece in _CLOSER:
            stack.append(_CLOSER[piece])
        elif piece in ("}", "]"):
            if piece not in stack:
                continue  # one too many
            _drop_comma(out)
            while stack[-1] != piece:
                out.append(stack.pop())
            stack.pop()
        out.append(piece)
    if stack and not ended:
        return None
    if stack:
        _drop_comma(out)
    return "".join(out) + "".join(reversed(stack))


def _drop_comma(out: list[str]) -> None:
    while out and not out[-1].strip():
        out.pop()
    if out and out[-1] == ",":
        out.pop()


def _python(text: str) -> Any | None:
    """Returns a Python literal as the JSON value it stands for, or None."""
    if not _QUOTED.sub("", text).isascii():
        return None  # a name; Python normalises them, in quadratic time
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "\d" in a string of a model
            tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            keys = [ast.dump(key) for key in node.keys if key] if isinstance(node, ast.Dict) else []
            _once([(key, None) for key in keys])
        return _loads(json.dumps(ast.literal_eval(tree)))
    # SystemError: CPython 3.11's parser, when another thread's parsing comes in between.
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, SystemError):
        return None


def _has_table(text: str) -> bool:
    lines = text.split("\n")
    return any(
        "|" in line and "|" in above and _RULE_LINE.match(line) for above, line in pairwise(lines)
    )
