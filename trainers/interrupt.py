"""Ctrl-C in a training run: the iteration that is under way ends, and its checkpoint is kept."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn

from wideseek_env.errors import Interrupted


class Stop:
    """Tells a loop that Ctrl-C was pressed; a context manager around it.

    The first Ctrl-C lets the iteration end: the loop sees `asked`, writes a checkpoint and calls
    `now`. A second one stops at once.

    Args:
        out: folder of the run, for the message.
    """

    def __init__(self, out: str) -> None:
        self.asked = False
        self._out = out
        self._before: Any = None

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        sys.stderr.write(
            "\nstopping after this iteration, with a checkpoint; Ctrl-C again: at once\n"
        )

    def now(self, num_done: int) -> NoReturn:
        """Ends the run, after a checkpoint of `num_done` iterations.

        Raises:
            Interrupted: always.
        """
        raise Interrupted(
            f"{self._out} has a checkpoint after iteration {num_done}; the same command goes on"
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        if isinstance(error, KeyboardInterrupt) and not isinstance(error, Interrupted):
            raise Interrupted(
                f"{self._out} keeps its last checkpoint, if it has one; the same command goes on"
            ) from error
