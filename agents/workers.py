"""Worker processes: a pipe each, and an end of the run when one of them dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from wideseek_env.backends.named import close_named
from wideseek_env.errors import WideSeekError


class Worker:
    """A process that answers messages, one by one, and the pipe to it.

    Each has a pipe of its own: in a queue for all, a worker that is killed while it writes leaves
    half a message and a lock that nobody gives back, and the run would wait for ever.

    Args:
        make: makes, in the process, the function that turns a message into its answer; it,
            messages and answers must be what `pickle` can send.
    """

    def __init__(self, make: Callable[[], Callable[[Any], Any]]) -> None:
        # Spawned, as a fork would copy the locks of the index's threads.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make))
        self._process.start()
        theirs.close()  # so that the pipe ends with the process

    def send(self, message: Any) -> None:
        """Gives the process something to do.

        Raises:
            WideSeekError: it died.
        """
        with _death():
            self.pipe.send(message)

    def receive(self) -> Any:
        """Waits for the answer; raises what making it raised.

        Raises:
            WideSeekError: the process died.
        """
        with _death():
            answer = self.pipe.recv()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def end(self, is_busy: bool) -> None:
        """Ends the process: at once when it is busy, as nobody waits for its answer."""
        if is_busy:
            self._process.terminate()
        self.pipe.close()
        self._process.join()


@contextmanager
def interrupt_blocked() -> Iterator[None]:
    """Holds Ctrl-C back for a moment; processes that are begun in it never get it.

    The terminal sends it to every process, but only the one that writes may act on it. Blocking is
    what the new processes inherit; in this one another thread may still take the signal, and a
    process that is half begun would complain, so it is put off as well. Windows knows no blocking:
    there processes that are begun get Ctrl-C, too, and the run ends with what it has.
    """
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    can_block = hasattr(signal, "pthread_sigmask")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_block else set()
    try:
        yield
    finally:
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _death() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise WideSeekError(
            "a worker process died, perhaps for want of memory; go on with fewer workers"
        ) from error


def _serve(pipe: Connection, make: Callable[[], Callable[[Any], Any]]) -> None:
    """Answers what comes through the pipe, until it or the process at its other end ends."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("expected to be run in a worker process, got the main process")

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    answer: Callable[[Any], Any] | None = None
    with contextlib.suppress(EOFError):
        while True:
            message = pipe.recv()
            try:
                answer = answer or make()
                result: object = answer(message)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever receives it
                error.add_note(f"in a worker process:\n{traceback.format_exc()}")
                result = error
            pipe.send(result)
    close_named()
