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


class Interrupted(KeyboardInterrupt):
    """Ctrl-C; the message says what is kept and how to go on."""
