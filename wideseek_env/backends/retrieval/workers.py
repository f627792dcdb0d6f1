"""Processes of a retrieval server: they share a port and one mapped index, and are replaced."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from typing import Any

from aiohttp import web

from wideseek_env.backends import Backend
from wideseek_env.backends.retrieval.server import (
    NUM_NUMBERS,
    PENDING,
    RetrievalServer,
    ServeLimits,
)

_log = logging.getLogger(__name__)
_MAX_RESTARTS = 20
_SHUTDOWN_S = 5.0


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """How a retrieval server runs."""

    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 is every one of the machine, and open to its network."""
    port: int = 8000
    """Of all processes."""
    num_workers: int = 1
    """Processes, at least 1."""
    top_k: int = 3
    """Results of a query that does not say how many."""
    limits: ServeLimits = field(default_factory=ServeLimits)
    """What may be asked for."""


def serve(open_backend: Callable[[], Backend], config: ServeConfig) -> int:
    """Serves until Ctrl-C or SIGTERM; a worker that dies is replaced. Gives the exit status.

    Args:
        open_backend: opens the backend in each worker; a picklable function.
        config: where and how.
    """
    context = multiprocessing.get_context("spawn")
    numbers = context.RawArray(ctypes.c_double, config.num_workers * NUM_NUMBERS)
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    def start(row: int) -> SpawnProcess:
        numbers[row * NUM_NUMBERS + PENDING] = 0.0
        arguments = (open_backend, config, numbers, row)
        worker = context.Process(target=_work, args=arguments, daemon=True)
        worker.start()
        return worker

    before = {sig: signal.signal(sig, stop) for sig in (signal.SIGINT, signal.SIGTERM)}
    workers = [start(row) for row in range(config.num_workers)]
    restarts_left = _MAX_RESTARTS
    try:
        while not stopped and restarts_left >= 0:
            for row, worker in enumerate(workers):
                if not worker.is_alive() and not stopped:
                    _log.warning("worker %d ended (%s); starting another", row, worker.exitcode)
                    restarts_left -= 1
                    workers[row] = start(row)
            time.sleep(0.1)
    finally:
        for worker in workers:
            worker.terminate()  # SIGTERM: it ends what it has begun
        for worker in workers:
            worker.join(2 * _SHUTDOWN_S)
            worker.kill()
        for sig, handler in before.items():
            signal.signal(sig, handler)
    return 0 if stopped else 1


def _work(open_backend: Callable[[], Backend], config: ServeConfig, numbers: Any, row: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's business
    server = RetrievalServer(
        open_backend, config.limits, top_k=config.top_k, numbers=numbers, row=row
    )
    web.run_app(
        server.app(),
        host=config.host,
        port=config.port,
        reuse_port=True,
        print=None,
        access_log=None,
        handle_signals=True,
        shutdown_timeout=_SHUTDOWN_S,
    )
