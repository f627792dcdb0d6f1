"""Backends by text, for the command line and for sources that are made again elsewhere."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from wideseek_env.backends import Backend
from wideseek_env.backends.folder import FolderBackend
from wideseek_env.plugins import resolve


@lru_cache(maxsize=8)
def backend_named(text: str) -> Backend:
    """Makes the backend that a text stands for, once for each process.

    Args:
        text: a folder or JSON lines file of pages; a retrieval server, `http://127.0.0.1:8000`; the
            live web, `web:serper`, `web:brave`,
            `web:tavily` or `web:searxng:http://127.0.0.1:8888`; or a plug-in: a Python path
            `my_package.backends:make`, or the name of an entry point of `wideseek.backends`. What
            it names is a backend, or makes one when called without arguments.

    Raises:
        DataError: the folder holds no pages, or the index cannot be written there.
        ValueError: there is no such folder, and nothing has this name.
        TypeError: what has this name is no backend.
    """
    if Path(text).exists():
        return FolderBackend(text, links=True)
    if text.startswith(("http://", "https://")):
        from wideseek_env.backends.server import ServerBackend  # noqa: PLC0415 - as the next

        return ServerBackend(text)
    if text.startswith("web:"):
        from wideseek_env.backends.web import WebBackend  # noqa: PLC0415 - aiohttp takes its time

        api, _, base_url = text.removeprefix("web:").partition(":")
        return WebBackend(api, base_url=base_url or None)
    try:
        found = resolve("backends", text, {})
    except ValueError as error:
        raise ValueError(
            f"backend: expected a folder or file of pages, or a plug-in, got {text!r}: no such "
            f"file, and {error}"
        ) from error
    backend = found() if callable(found) else found
    if not isinstance(backend, Backend):
        raise TypeError(f"expected {text} to be or make a `Backend`, got {backend!r}")
    return backend
