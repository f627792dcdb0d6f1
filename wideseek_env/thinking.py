"""What a model says beside what it only thinks, whatever marks its family has for thinking.

Parsers of turns, readers of answers and of verdicts all begin here: a draft in thinking is no
answer, and a call in thinking is no call.
"""

from __future__ import annotations

import re

_TAG = re.compile(
    r"""(?<!\\)(?:
      (?P<open> <(?:seed:|mm:)?think(?:ing)?\s*> | \[THINK\] | ◁think▷
        | <\|START_THINKING\|> | <\|begin_of_thought\|> | <\|channel\|>\s*analysis\b)
      | </(?:seed:|mm:)?think(?:ing)?\s*> | \[/THINK\] | ◁/think▷
        | <\|END_THINKING\|> | <\|end_of_thought\|>
        | (?=<\|channel\|>\s*(?P<said>final|commentary)\b)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""Qwen, DeepSeek, GLM and others; Seed; MiniMax; Magistral; Kimi; Command; Sky; gpt-oss."""
_FIRST = re.compile(
    r"\s*(?:<(thoughts?|reasoning|reflection|scratchpad|analysis)>.*?(?:</\1>|\Z)\s*)+",
    re.IGNORECASE | re.DOTALL,
)
"""Tags that prompts ask for: thinking where a text begins with them, elsewhere perhaps words."""
_WORDS = ("hink", "HINK", "hought", "HOUGHT", "|channel|>")
"""One of these is in any mark of thinking but those that a text begins with."""
_BEFORE = re.compile(r"\s*(?:<\|channel\|>\s*final\s*(?:<\|message\|>)?|<\|START_RESPONSE\|>)\s*")
_END = re.compile(
    r"(?:<\|(?:im_end|eot_id|eom_id|eot|end|return|endoftext|END_RESPONSE|END_OF_TURN_TOKEN"
    r"|end_of_text)\|>|</s>|<end_of_turn>|<｜end▁of▁sentence｜>|\[eos\])\Z"
)
_MAX_END_CHARS = 32


def without_thinking(text: str) -> str:
    """Returns a text without its thinking.

    Templates may put the opening tag into the prompt, so what leads up to a closing tag alone is
    thinking; thinking that is never closed hides all that follows it. A tag behind a backslash is
    spoken of.
    """
    if not _may_think(text):
        return text  # nearly every text
    shown: list[str] = []
    at, inside = 0, False
    for tag in _TAG.finditer(text):
        if tag["open"]:
            if not inside:
                shown.append(text[at : tag.start()])
            inside = True
        elif inside or not tag["said"]:
            shown = shown if inside else []
            at, inside = tag.end(), False
    if not inside:
        shown.append(text[at:])
    whole = "".join(shown)
    first = _FIRST.match(whole)
    return whole[first.end() :] if first else whole


def _may_think(text: str) -> bool:
    head = text[:100].lstrip()[:1]
    return head == "<" or any(word in text for word in _WORDS)


def said(text: str) -> str:
    """Returns what a turn says: without thinking, and without marks of where the turn ends."""
    shown = without_thinking(text)
    if "<" not in shown and "[eos]" not in shown:
        return shown
    before = _BEFORE.match(shown)
    shown = (shown[before.end() :] if before else shown).rstrip()
    end = len(shown)
    while mark := _END.search(shown, max(0, end - _MAX_END_CHARS), end):
        end = mark.start()
        while end and shown[end - 1].isspace():
            end -= 1
    return shown[:end]
