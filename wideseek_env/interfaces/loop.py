"""Runs coroutines from synchronous code, inside a running event loop (a notebook) too."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Thread
from typing import Any, TypeAlias, TypeVar

_T = TypeVar("_T")
_Task: TypeAlias = asyncio.Task[Any]


class LoopRunner:
    """A private event loop, made when it is first needed; a pickled runner comes back without.

    One that is dropped without `close`, or left at exit, ends its loop all the same.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: weakref.finalize[[asyncio.AbstractEventLoop], LoopRunner] | None = None
        self._thread: ThreadPoolExecutor | None = None

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Runs a coroutine to its end and hands on its result.

        When it raises, or Ctrl-C comes, whatever it had begun is cancelled and has ended before the
        error is raised: nothing is left in the loop that could act in a later run.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            # Not `__del__`, which comes after the loop's tasks and files may be gone themselves.
            self._ending = weakref.finalize(self, _end_dropped, self._loop)
        loop, before = self._loop, asyncio.all_tasks(self._loop)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return _run(loop, coroutine, before)
        # A thread may run one loop only: the caller's runs already, so ours goes to another thread.
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="wideseek-loop")
        result = self._thread.submit(_run, loop, coroutine, before)
        try:
            return result.result()
        except BaseException:
            if not result.done():  # Ctrl-C comes to the caller's thread, not to the loop's
                loop.call_soon_threadsafe(_cancel, loop, before)
                wait([result])
            raise

    def close(self) -> None:
        """Ends what is left in the loop, connections too, and frees it; `run` makes a new one."""
        if self._loop is not None:
            self.run(_end())
        if self._thread is not None:
            self._thread.shutdown()
        if self._loop is not None:
            self._loop.close()
        if self._ending is not None:
            self._ending.detach()
        self._loop = self._thread = self._ending = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_loop": None, "_thread": None, "_ending": None}


def _end_dropped(loop: asyncio.AbstractEventLoop) -> None:
    """Ends a loop that nobody has any more, wherever the collector finds that out."""

    def end() -> None:
        loop.run_until_complete(_end())
        loop.close()

    if loop.is_running():  # at exit, in a thread that was left
        return
    loop.set_exception_handler(lambda loop, context: None)  # there is nobody to tell
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        end()
        return
    thread = Thread(target=end)  # as this one's is the loop of somebody else
    thread.start()
    thread.join()


async def _end() -> None:
    """Does what `asyncio.run` does at its end."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


def _run(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _T], before: set[_Task]
) -> _T:
    try:
        return loop.run_until_complete(coroutine)
    except BaseException:
        if left := _cancel(loop, before):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        raise


def _cancel(loop: asyncio.AbstractEventLoop, before: set[_Task]) -> set[_Task]:
    """Asks the tasks that were not there before to end; returns those that have not yet."""
    tasks = asyncio.all_tasks(loop) - before
    for task in tasks:
        task.cancel()
    return tasks
