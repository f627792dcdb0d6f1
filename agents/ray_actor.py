"""What plays in an actor of a Ray cluster: slices, several at once where a policy waits."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
import traceback
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from agents.policy import Policy
from agents.rollout import Job
from agents.run import SLICE, Part, Slice, play_jobs
from wideseek_env.backends.named import close_named
from wideseek_env.errors import WideSeekError
from wideseek_env.jsonlines import encode


def at_once(part: Part) -> int:
    """Returns how many slices of a part an actor plays at the same time."""
    return max(1, part.max_concurrent // SLICE)


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in an actor; told in words, as an exception may be one that only it knows."""

    text: str
    trace: str

    def error(self) -> WideSeekError:
        """Makes the error that is raised in the driver."""
        error = WideSeekError(self.text)
        error.add_note(self.trace)
        return error


class Player:
    """Plays slices, several at once where the policy waits for others."""

    def __init__(self) -> None:
        self._playing: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._making = asyncio.Lock()
        self._parts: Sequence[Part] = ()
        self._done: frozenset[str] = frozenset()
        self._policies: dict[int, Policy] = {}
        self._rooms = cache(lambda number: asyncio.Semaphore(at_once(self._parts[number])))

    async def load(self, packed: bytes, folder: str, path: Iterable[str]) -> Failure | None:
        """Learns what is played; the driver's folder becomes its own, where the node has it."""
        return await _told(self._load(packed, folder, path))

    async def play(self, which: Slice) -> list[bytes] | Failure:
        """Plays a slice and gives its episodes, encoded."""
        return await _told(self._play(which))

    async def stop(self) -> None:
        """Breaks off every slice: it gives the episodes that it has."""
        self._stopped = True
        for task in self._playing:
            task.cancel()

    async def close(self) -> None:
        """Closes what playing has opened."""
        for policy in self._policies.values():
            if hasattr(policy, "close"):
                await policy.close()
        await asyncio.to_thread(close_named)

    async def _load(self, packed: bytes, folder: str, path: Iterable[str]) -> None:
        if os.path.isdir(folder):
            os.chdir(folder)
        sys.path += [entry for entry in path if entry not in sys.path]
        self._parts, self._done = pickle.loads(packed)

    async def _play(self, which: Slice) -> list[bytes]:
        part, lines = self._parts[which[0]], list[bytes]()
        async with self._rooms(which[0]):
            if self._stopped:
                return lines
            async with self._making:  # in a thread, as what makes pages may run a loop of its own
                jobs, policy = await asyncio.to_thread(self._made, which)
            playing = asyncio.create_task(
                play_jobs(part, jobs, policy, self._done, lambda e: lines.append(encode(e)))
            )
            self._playing.add(playing)
            await asyncio.wait([playing])
            self._playing.remove(playing)
            if not playing.cancelled():
                playing.result()
        return lines

    def _made(self, which: Slice) -> tuple[Sequence[Job], Policy]:
        number, exam, start = which
        if number not in self._policies:
            self._policies[number] = self._parts[number].make()
        return self._parts[number].exams[exam][start : start + SLICE], self._policies[number]


async def _told(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await work
    except BaseException as error:  # noqa: BLE001 - raised again by the driver
        import ray  # noqa: PLC0415 - it is there: this runs in an actor

        node = ray.util.get_node_ip_address()
        told = f"on the Ray node {node}: {type(error).__name__}: {error}"
        return Failure(told, f"in a Ray actor:\n{traceback.format_exc()}")
