"""Runs on a Ray cluster: slices of parts on actors, one for each CPU of one machine or of many.

The sibling of `play_in_workers`: this process alone writes, and actors are sent how the jobs and
the policies are made, once for each node. Each makes its pages and policies once. An actor that is
lost is replaced, and what it had in hand is played again.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import sysconfig
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

from agents.ray_actor import Failure, Player, at_once
from agents.run import SLICE, OnEpisode, Part, Slice, slices_of
from agents.workers import interrupt_blocked
from wideseek_env.errors import WideSeekError
from wideseek_env.jsonlines import decode_episode
from wideseek_env.plugins import require

_log = logging.getLogger(__name__)
_MAX_TRIES = 3
"""Times that a slice may be lost with its actor, and that actors in a row may not start."""
_TELL_AFTER_S = 30.0
"""How long nobody plays before the user is told what is waited for."""
_STOP_S = 20.0
"""How long Ctrl-C, or the end of a run, waits for the actors."""


def play_on_ray(
    parts: Sequence[Part],
    done: frozenset[str],
    keep: OnEpisode,
    address: str = "",
    num_actors: int | None = None,
) -> None:
    """Plays slices of parts on actors; Ctrl-C keeps the episodes that have ended.

    Args:
        parts: what to play; travels once to each node. Modules of the current folder go along.
        done: keys of jobs that are left out.
        keep: told each episode, in this process.
        address: as `joined` takes it.
        num_actors: processes that play, each on a CPU; None: as many as the cluster has CPUs.

    Raises:
        MissingExtra: Ray is not installed.
        WideSeekError: the cluster cannot be joined; a part cannot be played on one of its nodes; or
            a slice was lost with its actor again and again.
    """
    with joined(address, num_actors) as ray:
        num_cpus = int(ray.cluster_resources().get("CPU", 1))
        crew = _Crew(ray, parts, done, num_actors or max(num_cpus, 1))
        try:
            while crew.has_work:
                ended = crew.wait()
                with interrupt_blocked():
                    for line in crew.take(ended):
                        keep(decode_episode(line))
            crew.end()
        except KeyboardInterrupt:
            for line in crew.stop():
                keep(decode_episode(line))
            raise
        finally:
            crew.kill()


@contextmanager
def joined(address: str = "", num_cpus: int | None = None) -> Iterator[Any]:
    """Gives the module `ray`, connected; what was started for it is ended, what was there stays.

    Args:
        address: `host:port` or `ray://host:port` of a cluster; `auto`: the one on this machine;
            "": that of $RAY_ADDRESS, else one is started on this machine for as long as this takes.
        num_cpus: of a cluster that is started; None: those of the machine.

    Raises:
        MissingExtra: Ray is not installed.
        WideSeekError: there is no cluster at the address, or none of the same versions.
    """
    ray = require("ray", "ray")
    if ray.is_initialized():  # whoever calls has a cluster, and keeps it
        yield ray
        return
    address = str(address or os.environ.get("RAY_ADDRESS", ""))
    told: dict[str, Any] = {"logging_level": logging.ERROR}
    try:
        if address:
            _look_for(address)
            modules = own_modules()
            ray.init(address, runtime_env={"py_modules": modules} if modules else None, **told)
        else:
            with interrupt_blocked():  # so that its processes never get Ctrl-C
                ray.init("local", num_cpus=num_cpus, include_dashboard=False, **told)
    except Exception as error:  # Ray itself raises plain ones
        what = (
            f"joined at {address}; does it run, with these versions of Ray and Python, and is its "
            "token here, with RAY_AUTH_MODE=token, where it asks for one?"
            if address
            else "started"
        )
        raise WideSeekError(f"no Ray cluster could be {what}: {error}") from error
    try:
        yield ray
    finally:
        with interrupt_blocked():
            ray.shutdown()


def _look_for(address: str) -> None:
    """Connects to an address, as Ray itself waits for minutes where nobody listens.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def own_modules() -> list[str]:
    """Finds the modules and packages of the current folder, which other machines may not have.

    Those that were imported count; what is installed below the folder does not.
    """
    here = Path.cwd()
    installed = [Path(path) for path in (*sysconfig.get_paths().values(), sys.prefix)]
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if "." in name or name == "__main__" or not file:
            continue
        path = Path(file)
        if path.is_relative_to(here) and not any(map(path.is_relative_to, installed)):
            found.append(str(path.parent if path.name == "__init__.py" else path))
    return found


@dataclass(eq=False, slots=True)
class _Actor:
    handle: Any
    is_ready: bool = False


class _Crew:
    """The actors and what each has in hand.

    An actor has as many slices as it plays at once and one that waits, so that it is never idle;
    towards the end it has its share of what is left.
    """

    def __init__(
        self, ray: Any, parts: Sequence[Part], done: frozenset[str], num_actors: int
    ) -> None:
        self._ray, self._parts, self._num_actors = ray, parts, num_actors
        errors = ray.exceptions
        self._losses = (
            errors.RayActorError,
            errors.NodeDiedError,
            errors.ObjectLostError,
            errors.OutOfMemoryError,
            errors.WorkerCrashedError,
        )
        self._waiting = deque(slices_of(parts))
        self._calls: dict[Any, tuple[_Actor, Slice | None]] = {}
        """What was asked of whom; None: to make itself ready."""
        self._num_losses: Counter[Slice] = Counter()
        self._num_failed_starts = 0
        self._make = ray.remote(Player).options(num_cpus=1, max_restarts=0)
        packed = ray.cloudpickle.dumps((parts, done))
        self._told = (ray.put(packed), os.getcwd(), list(sys.path))
        self._actors: list[_Actor] = []
        for _ in range(min(num_actors, len(self._waiting))):
            self._start()

    @property
    def has_work(self) -> bool:
        """Whether slices wait or are played."""
        return bool(self._waiting) or any(which for _, which in self._calls.values())

    def wait(self) -> list[Any]:
        """Waits until calls have ended, and gives them."""
        calls = list(self._calls)
        is_idle = not any(actor.is_ready for actor in self._actors)
        ended, _ = self._ray.wait(calls, timeout=_TELL_AFTER_S if is_idle else None)
        if not ended:
            free = self._ray.available_resources().get("CPU", 0)
            _log.warning("waiting for the Ray cluster to start an actor; %g CPUs are free", free)
            return []
        ended, _ = self._ray.wait(calls, num_returns=len(calls), timeout=0)
        return list(ended)

    def take(self, ended: Iterable[Any]) -> Iterator[bytes]:
        """Gives the episodes of calls that have ended, encoded, after their actors have got more.

        Raises:
            WideSeekError: as for `play_on_ray`.
        """
        for call in ended:
            if call in self._calls:  # else its actor was lost meanwhile, and it is made again
                yield from self._take(call)

    def stop(self) -> list[bytes]:
        """Breaks off what is played; gives the episodes that have ended by then, encoded."""
        lines: list[bytes] = []
        with suppress(*self._losses):
            for actor in self._actors:
                if actor.is_ready:
                    actor.handle.stop.remote()
            calls = [call for call, (_, which) in self._calls.items() if which]
            ended, _ = self._ray.wait(calls, num_returns=len(calls), timeout=_STOP_S)
            for call in ended:
                with suppress(self._ray.exceptions.RayError):
                    answer = self._ray.get(call)
                    lines += [] if isinstance(answer, Failure) else answer
        return lines

    def end(self) -> None:
        """Lets the actors close what they have opened."""
        calls = [actor.handle.close.remote() for actor in self._actors if actor.is_ready]
        if calls:
            self._ray.wait(calls, num_returns=len(calls), timeout=_STOP_S)

    def kill(self) -> None:
        """Ends the actors, in a cluster that goes on."""
        with suppress(self._ray.exceptions.RayError):
            for actor in self._actors:
                self._ray.kill(actor.handle)

    def _start(self) -> None:
        actor = _Actor(self._make.remote())
        self._actors.append(actor)
        self._calls[actor.handle.load.remote(*self._told)] = (actor, None)

    def _take(self, call: Any) -> list[bytes]:
        actor, which = self._calls[call]
        try:
            answer = self._ray.get(call)
        except self._losses as error:
            self._replace(actor, error)
            return []
        except self._ray.exceptions.RayError as error:
            raise WideSeekError(f"a Ray actor cannot play: {error}") from error
        del self._calls[call]
        if isinstance(answer, Failure):
            raise answer.error()
        if which is None:
            actor.is_ready, self._num_failed_starts = True, 0
        self._hand_out(actor)
        return answer if which else []

    def _hand_out(self, actor: _Actor) -> None:
        num_busy = sum(other is actor for other, _ in self._calls.values())
        while self._waiting:
            part = self._parts[self._waiting[0][0]]
            share = -(-len(self._waiting) // self._num_actors)
            if num_busy >= min(at_once(part) + 1, share):
                return
            which = self._waiting.popleft()
            self._calls[actor.handle.play.remote(which)] = (actor, which)
            num_busy += 1

    def _replace(self, actor: _Actor, error: Exception) -> None:
        mine = {call: which for call, (other, which) in self._calls.items() if other is actor}
        lost = [which for which in mine.values() if which]
        for call in mine:
            del self._calls[call]
        self._actors.remove(actor)
        self._num_failed_starts += not actor.is_ready
        self._num_losses.update(lost)
        if self._num_failed_starts >= _MAX_TRIES:
            raise WideSeekError(f"{_MAX_TRIES} Ray actors in a row could not start: {error}")
        for which in lost:
            if self._num_losses[which] >= _MAX_TRIES:
                raise WideSeekError(self._blame(which, error)) from error
        self._waiting.extendleft(reversed(lost))
        with suppress(*self._losses):  # it may only be out of reach, and would play on
            self._ray.kill(actor.handle)
        self._start()
        for other in self._actors:
            if other.is_ready:  # it may have had nothing left to do
                self._hand_out(other)

    def _blame(self, which: Slice, error: Exception) -> str:
        number, exam, start = which
        jobs = self._parts[number].exams[exam][start : start + SLICE]
        tasks = ", ".join(dict.fromkeys(job.task.id for job in jobs))
        policy = jobs[0].metadata.get("policy", "the policy")
        return (
            f"a Ray actor died each of the {_MAX_TRIES} times that {policy} played {tasks} at "
            f"width {jobs[0].n_subagents}; does something there end its process, or need more "
            f"memory than a node has? Ray says: {shorten(str(error), 400)}"
        )
