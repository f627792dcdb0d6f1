"""`wideseek view RUN ...`: looks at the episodes of runs in a browser."""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from tyro.conf import Positional

from benchmarks.viewer.index import open_runs
from benchmarks.viewer.server import make_app
from wideseek_env.cli.options import check_values
from wideseek_env.cli.world import Port


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """Shows every episode of runs in a browser, turn by turn and cell by cell.

    A run that is still being played is followed. Two runs stand side by side on each task.
    """

    runs: Positional[tuple[Path, ...]]
    """Folders of runs, or files of episodes."""
    host: str = "127.0.0.1"
    """Address to listen at; 0.0.0.0 opens the episodes to the network."""
    port: Port = 8090
    """Port of the page."""

    def __post_init__(self) -> None:
        if not self.runs:
            raise ValueError("expected at least one run, such as runs/NAME")
        check_values(self)


def run(options: ViewOptions) -> int:
    """Serves until it is stopped; returns the exit status."""
    runs = open_runs(list(options.runs))
    listening = _listen(options.host, options.port)
    shown = f"[{options.host}]" if ":" in options.host else options.host
    print(f"{', '.join(run.name for run in runs)}: http://{shown}:{options.port}/ (Ctrl-C ends)",
          file=sys.stderr, flush=True)  # fmt: skip
    for each in runs:
        if not each.path.stat().st_size:
            print(f"{each.path} is empty; what is played into it will be shown", file=sys.stderr)
    web.run_app(make_app(runs, [options.host]), sock=listening, print=None, access_log=None)
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        OSError: the port is in use, or this machine has no such address.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, reuse_port=False)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                f"--port: {port} is in use; give another, as --port {port + 1}"
            ) from error
        raise OSError(f"--host: cannot listen at {host}:{port}: {error.strerror}") from error
