"""What can go wrong at the borders of the game, one exception for each border.

    WideSeekError
    ├── ToolError        a tool could not answer this call; the agent is told, the episode goes on
    │   ├── PageNotFound     no such page or part
    │   └── ToolTimeout      the call's deadline was reached
    ├── BackendError     the backend is broken for every call; the episode is invalid
    ├── ScoringError     the answer could not be scored (a judge failed); the episode is invalid
    ├── HttpError        a server gave no usable reply; whoever asked makes it one of these
    ├── PolicyError      a policy or its engine cannot decide; the episode is invalid
    └── DataError        a file or record is not what it should be; nothing runs

A wrong call by an agent is none of these: it is answered by an observation.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class WideSeekError(Exception):
    """Any error that this project raises on purpose, other than ValueError and TypeError."""


class ToolError(WideSeekError):
    """A tool could not answer this one call; its message is shown to the agent."""


class PageNotFound(ToolError):
    """`open` was asked for a page, or a part of one, that the backend does not have."""


class ToolTimeout(ToolError):
    """A tool call reached its deadline."""


class BackendError(WideSeekError):
    """The backend cannot answer any call (server down, index gone); no agent's fault."""


class ScoringError(WideSeekError):
    """An answer could not be scored; never to be taken for a score of 0."""


class HttpError(WideSeekError):
    """A server gave no usable reply: it is away, refuses, stalls, or sends something else.

    Args:
        message: names the URL (never a key), what came and what to do.
        status: of the last reply; None: there was none.
        text: the beginning of that reply.
        location: where a redirect points.
        passing: whether the same request may succeed later.
        late: whether the last try ended because its time was over; the server may be well.
        retry_after_s: how long the server asks to wait, 0 when it does not.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        text: str = "",
        location: str = "",
        passing: bool = False,
        late: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.text = text
        self.location = location
        self.passing = passing
        self.late = late
        self.retry_after_s = retry_after_s


class PolicyError(WideSeekError):
    """A policy cannot decide: its engine does not answer, or a record to replay does not fit."""


class DataError(WideSeekError):
    """A file, record or version is not what was expected; says which, and what to do."""


class contained:
    """Turns a SystemExit, CancelledError or the like of others' code into an error like any other.

    Left alone, a cancellation that nobody asked for ends an agent's task without a word, and who
    waits for that agent waits for ever. Ctrl-C and a cancellation that was asked for pass through.

    Args:
        kind: what it becomes.
        who: whose code runs in the block, for the message.
    """

    __slots__ = ("kind", "who")

    def __init__(self, kind: type[WideSeekError], who: str) -> None:
        self.kind, self.who = kind, who

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, (Exception, KeyboardInterrupt)) or _asked_to_end():
            return
        raise self.kind(
            f"{self.who} raised {type(error).__name__}, which may not end a run: {error}"
        ) from error


def _asked_to_end() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True  # no loop runs: the coroutine itself is being closed
    return task is None or task.cancelling() > 0


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; the message says what is kept and how to go on."""
