"""`wideseek serve`: a retrieval server over pages, for agents and trainers on other machines."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial

from tyro.conf import Positional

from wideseek_env.backends.named import backend_named
from wideseek_env.backends.retrieval.server import ServeLimits
from wideseek_env.backends.retrieval.workers import ServeConfig, serve
from wideseek_env.cli.options import Count, check_values
from wideseek_env.cli.world import Port


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """Serves pages over HTTP to agents, with the routes that Search-R1 and RLinf ask.

    The routes are POST /retrieve and /access, GET /health and /metrics; docs/backends.md has them.
    """

    backend: Positional[str]
    """Pages to serve: a folder or file of pages, indexed first if need be, or a backend's name."""
    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 opens it to the network."""
    port: Port = 8000
    """Port of all processes."""
    num_workers: Count = os.cpu_count() or 1
    """Processes, which share one mapped index."""
    top_k: Count = 3
    """Results of a query that does not say how many."""
    max_pending: Count = 256
    """Requests that may wait in one process; further ones are answered 429."""

    def __post_init__(self) -> None:
        check_values(self)


def run(options: ServeOptions) -> int:
    """Serves until it is stopped; returns the exit status."""
    print(f"opening {options.backend} ...", file=sys.stderr, flush=True)
    backend_named(options.backend)  # once, before the workers: it may have to be indexed
    config = ServeConfig(
        options.host,
        options.port,
        options.num_workers,
        options.top_k,
        ServeLimits(max_pending=options.max_pending),
    )
    print(f"serving at http://{options.host}:{options.port}", file=sys.stderr, flush=True)
    return serve(partial(backend_named, options.backend), config)
