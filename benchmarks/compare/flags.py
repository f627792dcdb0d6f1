"""Readers of command-line values that several benchmarks take."""

from __future__ import annotations

import argparse


def numbers(text: str) -> tuple[int, ...]:
    """Returns whole numbers with commas between them; none for an empty text.

    Raises:
        argparse.ArgumentTypeError: there is something else in it.
    """
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected whole numbers with commas between them, such as 0,4,8, got {text!r}"
        ) from error
