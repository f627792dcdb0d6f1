"""Ports for servers that run as programs of their own, and so cannot tell which one they took."""

import socket


def free_port() -> int:
    """Returns a port of this machine that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
