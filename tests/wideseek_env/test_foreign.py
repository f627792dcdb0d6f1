import re

import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from timing import least_seconds

from wideseek_env.foreign import Breaker

WORST = [
    "<|", "<", "[|", "]~b", "|||A_", ">>A", "<a_", "<[a", "<|x|><", "<end_of_", "|", "◁a", "＜|",
    "<|a<|a|>", ">>AAAA<<", "[|a|]", "<seed:", "a\u0316\u0301", "<page", "<<|x|>|x|>",
]  # fmt: skip


@pytest.mark.parametrize("piece", WORST)
def test_text_of_the_allowed_size_takes_less_than_a_second(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert least_seconds(lambda: Breaker(["<page>"]).apply(text), enough=2.0) < 2.0


@given(st.lists(st.sampled_from([*"<>|/[]＜＞｜", "im_end", "SEP", "page", "s", " ", "◁a▷"])))
@settings(max_examples=examples(300), deadline=None)
def test_nothing_is_lost_and_nothing_is_left_to_break(pieces: list[str]) -> None:
    text, breaker = "".join(pieces), Breaker(["<page>"])
    broken = breaker.apply(text)
    assert broken.replace(" ", "") == text.replace(" ", "")
    assert not breaker.holds(broken)
    assert not re.search(
        r"[<＜][|｜]im_end[|｜][>＞]|[<＜]page[>＞]|\[SEP\]|[<＜]s[>＞]|◁a▷", broken
    )
    if broken == text:
        assert not breaker.holds(text)


def test_texts_of_its_own_are_broken_in_any_width_and_longest_first() -> None:
    breaker = Breaker(["<p>", "<p>x", "［Ａ］", "x"])
    assert breaker.apply("<p>x ＜p＞ [A] ［Ａ］ x <b>") == "< p>x ＜ p＞ [ A] ［ Ａ］ x <b>"
