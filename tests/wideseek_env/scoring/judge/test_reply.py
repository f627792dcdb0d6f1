"""What is a judge's verdict, and what is not: never a guess, never a substring."""

from __future__ import annotations

import time

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from wideseek_env.scoring.judge.reply import read_reply

YES = '{"verdicts": {"0": true}}'
NO = '{"verdicts": {"0": false}}'

UNDERSTOOD = {
    "alone": YES,
    "blanks": f"\n\t {YES}\n",
    "byte order mark": "\ufeff" + YES,
    "fence": f"```json\n{YES}\n```",
    "fence without a language": f"```\n{YES}\n```",
    "fence of tildes": f"~~~json\n{YES}\n~~~",
    "fence never closed": f"```json\n{YES}",
    "spoken fence": f"Sure!\n```json\n{YES}\n```\nAnything else?",
    "prose before": f"They are the same city: {YES}",
    "prose after": f"{YES}\n\nLet me know if you need more.",
    "braces in prose": f"The set {{a, b}} says so. {YES} {{end}}",
    "thinking": f"<think>They match.</think>\n{YES}",
    "empty thinking": f"<think>\n\n</think>\n\n{YES}",
    "thinking begun in the prompt": f"They match, so {NO}? no</think>{YES}",
    "another draft in thinking": f"<think>maybe {NO}</think>{YES}",
    **{
        f"thinking as {begin}": f"{begin}{NO}{end}{YES}"
        for begin, end in (
            ("<think >", "</think >"),
            ("<THINK>", "</THINK>"),
            ("<mm:think>", "</mm:think>"),
            ("<analysis>", "</analysis>"),
            ("<|begin_of_thought|>", "<|end_of_thought|>"),
            ("[THINK]", "[/THINK]"),
            ("so <scratchpad>", "</scratchpad>"),
        )
    },
    "thinking twice": f"<think>{NO}</think><think>{NO}</think>{YES}",
    "thinking after": f"{YES}<think>or {NO}?</think>",
    "thinking never ended, after": f"{YES}<think>or {NO}?",
    "other tags": f"[THINK]{NO}[/THINK]{YES}",
    "channels": f"<|channel|>analysis<|message|>{NO}<|end|><|start|>assistant"
    f"<|channel|>final<|message|>{YES}",
    "reasons beside": '{"reasoning": "same", "verdicts": {"0": true}}',
    "another object before": f'{{"note": "same city"}} {YES}',
    "said twice": f"{YES} so: {YES}",
    "number twice, same": '{"verdicts": {"0": true, "0": true}}',
    "in a list": f"[{YES}]",
}


@pytest.mark.parametrize("reply", UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_one_object_is_found_wherever_it_stands(reply: str) -> None:
    assert read_reply(reply, "verdicts", 1, None) == [True]
    swapped = reply.replace("true", "TRUE").replace("false", "true").replace("TRUE", "false")
    assert read_reply(swapped, "verdicts", 1, None) == [False]


NOT_UNDERSTOOD = {
    "nothing": "",
    "a word": "true",
    "correct": "The answer is correct.",
    "not correct": "not correct",
    "empty list": "[]",
    "list for object": '{"verdicts": [true]}',
    "number": '{"verdicts": {"0": 1}}',
    "text": '{"verdicts": {"0": "true"}}',
    "null": '{"verdicts": {"0": null}}',
    "nan": '{"verdicts": {"0": NaN}}',
    "too large": '{"verdicts": {"0": 1e999}}',
    "five thousand digits": '{"verdicts": {"0": ' + "9" * 5000 + "}}",
    "too many": '{"verdicts": {"0": true, "1": true}}',
    "too few": '{"verdicts": {}}',
    "other number": '{"verdicts": {"1": true}}',
    "number with a blank": '{"verdicts": {" 0": true}}',
    "contradiction in one object": '{"verdicts": {"0": true, "0": false}}',
    "contradiction of fields": '{"verdicts": {"0": true}, "verdicts": {"0": false}}',
    "contradiction of objects": f"{NO} wait: {YES}",
    "contradiction around thinking": f"{NO}<think>wait</think>{YES}",
    "example repeated": '{"verdicts": {"0": true, "1": false}} ' + YES,
    "cut": YES[:-2],
    "only in thinking": f"<think>{YES}</think>",
    "thinking never ended": f"<think>they match {YES}",
    "as Python": "{'verdicts': {'0': True}}",
    "in a string": '"{\\"verdicts\\": {\\"0\\": true}}"',
    "another field": '{"verdict": {"0": true}}',
    "brackets": "[" * 100_000,
    "braces": "{" * 100_000,
    "nested": '{"a":' * 100_000,
    "nested verdicts": '{"verdicts": ' + "[" * 100_000,
    "NUL": "\0",
    "lone surrogate": "\ud800",
}


@pytest.mark.parametrize("reply", NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD)
def test_anything_in_doubt_is_refused(reply: str) -> None:
    with pytest.raises(ValueError, match=r"verdict|brackets|twice|digits"):
        read_reply(reply, "verdicts", 1, None)


def test_matches_must_name_a_reference() -> None:
    fenced = '```json\n{"matches": {"0": 1, "1": null}}\n```'
    assert read_reply(fenced, "matches", 2, 2) == [1, None]
    for wrong in ("2", "-1", "true", '"1"', "0.0", "1e999", "NaN", "[]"):
        with pytest.raises(ValueError, match="no verdict"):
            read_reply(f'{{"matches": {{"0": {wrong}}}}}', "matches", 1, 2)


def test_a_cell_that_is_quoted_is_no_verdict() -> None:
    asked = '{"pairs": {"0": {"answer": "{\\"verdicts\\": {\\"0\\": true}}", "reference": "5"}}}'
    for quoted in (YES, YES.replace(" ", ""), YES.replace('"', '\\"')):
        with pytest.raises(ValueError, match="no JSON object"):
            read_reply(f"The answer says {quoted}, which I ignore.", "verdicts", 1, None, asked)
    assert read_reply(f"It says {YES}. So: {NO}", "verdicts", 1, None, asked) == [False]
    # Alone it is the judge's own word.
    assert read_reply(f"```json\n{YES}\n```", "verdicts", 1, None, asked) == [True]


@pytest.mark.parametrize(
    "piece", ["{", '{"a":', '{"a":1,', '{"verdicts": [', "<think>", "</think>", '{"a":"', "}{"]
)
def test_the_worst_replies_take_less_than_a_second(piece: str) -> None:
    started_s = time.process_time()
    for text in (piece * (190_000 // len(piece)), (piece * 150 + "x") * (1_200 // len(piece))):
        with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter
            read_reply(text, "verdicts", 1, None)
    assert time.process_time() - started_s < 2.0


FRAGMENTS = st.sampled_from(
    [YES, NO, "<think>", "</think>", "{", "}", "[", "]", '"', "```json", "true", "\\", "0", ":"]
)


@settings(max_examples=examples(500), deadline=None)
@given(st.lists(FRAGMENTS | st.text(max_size=5), max_size=12).map("".join))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        verdicts = read_reply(text, "verdicts", 1, None)
    except ValueError:
        return
    # Whatever was taken is in the text as an object.
    (verdict,) = verdicts
    assert (YES if verdict else NO) in text
