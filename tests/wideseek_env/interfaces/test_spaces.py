import time

import gymnasium
import numpy as np

from wideseek_env.interfaces.spaces import TextSpace


def test_text_space_holds_any_short_enough_string() -> None:
    space = TextSpace(max_length=10)
    for text in ("", "naïve\n", "東京", "a" * 10):
        assert space.contains(text)
    for other in ("a" * 11, b"bytes", 7, None):
        assert not space.contains(other)


def test_text_space_is_a_text_space_to_libraries() -> None:
    assert isinstance(TextSpace(), gymnasium.spaces.Text)


def test_text_space_check_does_not_read_the_characters() -> None:
    space, text = TextSpace(), "ä" * 1_000_000
    start = time.perf_counter()
    for _ in range(1_000):
        space.contains(text)
    assert time.perf_counter() - start < 0.1


def test_text_space_samples_are_seeded_and_ignore_masks() -> None:
    first, second = TextSpace(seed=1), TextSpace(seed=1)
    drawn = [first.sample() for _ in range(20)]
    assert drawn == [second.sample(mask=np.ones(3, np.int8)) for _ in range(20)]
    assert len(set(drawn)) > 10
    assert all(first.contains(text) for text in drawn)
