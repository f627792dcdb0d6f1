"""Whether a text without a readable call was meant as one.

Such a text must never become a report or an answer: it would end the subtask or the episode. A text
that only speaks of calls, quotes JSON, or shows code is a text. What tells the two apart: markup
that chat templates have for calls, an object that names a tool and gives it arguments, or a tool's
name called as a function where the turn ends. Inline code (between backticks) is a quotation.
"""

from __future__ import annotations

import re

from wideseek_env.game.tools import TOOLS

_TOOLS = frozenset({*TOOLS, "create_sub_agents", "access"})
"""Ours and the paper's."""
_TAGGED = _TOOLS - {"answer", "report"}
"""Tools whose name as a tag is a call; `<answer>` and `<report>` enclose what they hand in."""

# `*+` and `++` never give back what they took, and the lengths of gaps are bounded: linear time.
_MARKUP = re.compile(
    r"""
      </?\|?(?:[a-z]{1,20}+[:_])?tool[_▁-]?calls?(?:\b|_(?:begin|end|start|section))
                                                  # Hermes, Qwen, GLM, Hunyuan, Phi, LFM, LongCat
    | <[|｜](?:DSML[|｜])?/?(?:tool|function)[_▁] | <[|｜]DSML[|｜]       # Kimi, DeepSeek
    | <\|(?:python_(?:tag|start|end)|action_start|plugin|START_ACTION|FunctionCallBegin)\|>
                                                  # Llama, InternLM, Command, Doubao
    | <\|(?:begin_search_query|begin_of_query)\|> | assistant_tool_call\b  # Search-o1, Granite
    | \[/?(?:TOOL_CALLS?|TOOL_REQUEST|END_TOOL_REQUEST|ARGS|CALL_ID)\]   # Mistral, LM Studio
    | </?TOOL_?CALLS?>                                        # Nemotron
    | </?(?:function|parameter)=                              # Qwen3-Coder, Llama
    | </?(?:\w{1,20}+:)?(?:invoke|function_?calls?|start_function_call|execute_tool|tool_use
        |use_(?:mcp_)?tool|call_tool)\b
    | <(?:arg_key|tool_?name|tool|escape)> | \bcall:\w{1,40}+\{     # GLM and others, FunctionGemma
    | <\|channel\|>\s*+\w*+\s*+to=|\bto=(?:functions|browser|python)\b  # gpt-oss
    | \btool_call\(\s*+\w{1,40}\s*+= | ^functools\[              # GLM, Phi
    | ✿FUNCTION✿
    | ^\W{0,4}Action\ Input\W{0,4}:|"action_input"\s*+:       # ReAct, LangChain
    | ```(?:tool_?calls?|tool_?code|function_?calls?|tool|tool_use)\s     # Gemma and others
    """,
    re.VERBOSE | re.MULTILINE,
)
_QUOTE = r"""\\?["'“”]"""
_NAMED = re.compile(
    rf"\b(?:name|tool|tool_name|function|function_name|recipient_name)(?:{_QUOTE})?\s*+:\s*+"
    rf"{_QUOTE}(?:functions?\.)?+(\w{{1,40}}+){_QUOTE}"
)
_NAME = re.compile(rf"{_QUOTE}name{_QUOTE}\s*+:")
_ARGUMENTS = re.compile(rf"{_QUOTE}arguments{_QUOTE}\s*+:\s*+(?:[{{\[]|{_QUOTE}\s*+\{{)")
"""No other JSON has an object of that name beside `name`, whatever the tool is called."""
_KEYED = re.compile(
    rf"\s*+(?:```\w*+\s*+)?\[?\s*+\{{\s*+{_QUOTE}(\w{{1,40}}+){_QUOTE}\s*+:\s*+(?:[{{\[]|{_QUOTE})"
)
"""A turn that begins with `{"search": …`."""
_ACTION = re.compile(
    rf"{_QUOTE}(?:action|command|api|method){_QUOTE}\s*+:\s*+{_QUOTE}(?:functions?\.)?+(\w{{1,40}}+){_QUOTE}"
)
_LABELLED = re.compile(
    r"^\W{0,4}(?:tool|function|action|name)\W{0,4}:\W{0,4}(\w{1,40}+)(?:\[|\W{0,4}\n\W{0,4}"
    r"(?:tool[ _])?(?:input|arg(?:ument)?s|param(?:eter)?s|query|url|subtasks)\W{0,4}:)",
    re.IGNORECASE | re.MULTILINE,
)
"""`Tool: search` over `Input: …`, the same as YAML, and ReAct's `Action: search[…]`."""
_BESIDE = re.compile(
    rf"(?:^|\|>)\W{{0,4}}(?:functions\.)?(\w{{1,40}}+)(?::\d{{1,4}})?\s*+:?"
    rf"\s*+(?:```\w*+\s*+)?\{{\s*+{_QUOTE}",
    re.MULTILINE,
)
"""A tool's name, and its arguments behind or below it."""
_TAG = re.compile(r"<(\w{1,40}+)(?:\s[^<>]{0,200}+)?/?>")
_CALLED = re.compile(
    r"""(?:^|[:>])[^\S\n]*+(?:print\(|\[|-[ ]|>>>[ ])?(?:(?:const|let|var)[ ])?
        (?:\w{1,40}+[ ]?=[ ]?)?(?:await[ ])?(?:(?:functions|default_api|tools)\.)?+
        (\w{1,40}+)\((?=\s*+(?:\w{1,40}\s*+=|["'“{\[]))""",
    re.VERBOSE | re.MULTILINE,
)
_ENDS = re.compile(r"(?:</\w{1,40}>|<\|\w{1,40}\|>|[ \t\r\n`;\]])\Z")
_INLINE = re.compile(r"(?<!`)`[^`\n]++`(?!`)")


def is_attempt(shown: str) -> bool:
    """Whether the text was meant as a call, in whatever format.

    Args:
        shown: a turn without its thinking, in which the caller found no call of its own format.
    """
    text = shown.strip()
    # A turn that is nothing but inline code is no quotation.
    text = text[1:-1] if _INLINE.fullmatch(text) else _INLINE.sub("", text)
    keyed = _KEYED.match(text)
    return bool(
        _MARKUP.search(text)
        or (_ARGUMENTS.search(text) and _NAME.search(text))
        or any(found[1] in _TOOLS for found in _NAMED.finditer(text))
        or (keyed and keyed[1] in _TOOLS)
        or any(found[1] in _TAGGED for found in _ACTION.finditer(text))
        or any(found[1].lower() in _TOOLS for found in _LABELLED.finditer(text))
        or _is_beside(text)
        or _is_tagged(text)
        or _is_called(text)
    )


def _is_tagged(text: str) -> bool:
    """Whether a tool's name encloses its argument: `<search>rivers</search>`."""
    last_close = {name: text.rfind(f"</{name}>") for name in _TAGGED}
    return any(
        found[0].endswith("/>") or found.end() <= last_close[found[1]]
        for found in _TAG.finditer(text)
        if found[1] in _TAGGED
    )


def _is_beside(text: str) -> bool:
    """Whether the turn ends with a tool's name and its arguments: `search` over `{"query": …}`."""
    found = next((found for found in _BESIDE.finditer(text) if found[1] in _TAGGED), None)
    if found is None:
        return False
    rest = text[found.end() :].rstrip(" \t\r\n`;")
    return rest.endswith("}") or "}" not in rest


def _is_called(text: str) -> bool:
    """Whether the turn ends with `search(query="rivers")`, or was cut inside of it."""
    called = next((found for found in _CALLED.finditer(text) if found[1] in _TOOLS), None)
    if called is None:
        return False
    rest = text[called.end() :].rstrip(" \t\r\n`;]")
    while end := _ENDS.search(rest[-50:]):
        rest = rest[: len(rest) - len(end[0])].rstrip(" \t\r\n`;]")
    return rest.endswith(")") or ")" not in rest
