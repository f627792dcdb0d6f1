"""Runs coroutines from synchronous code, inside a running event loop (a notebook) too."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

_T = TypeVar("_T")


class LoopRunner:
    """A private event loop, made when it is first needed; a pickled runner comes back without."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: ThreadPoolExecutor | None = None

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Returns what the coroutine returns, once it has."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run_until_complete(coroutine)
        # A thread may run one loop only: the caller's runs already, so ours goes to another thread.
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="wideseek-loop")
        return self._thread.submit(self._loop.run_until_complete, coroutine).result()

    def close(self) -> None:
        """Ends what is left in the loop, connections too, and frees it; `run` makes a new one."""
        if self._loop is not None:
            self.run(_end())
        if self._thread is not None:
            self._thread.shutdown()
        if self._loop is not None:
            self._loop.close()
        self._loop = self._thread = None

    def __del__(self) -> None:
        if self._loop is not None and not self._loop.is_running():
            self._loop.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"_loop": None, "_thread": None}


async def _end() -> None:
    """Does what `asyncio.run` does at its end."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
