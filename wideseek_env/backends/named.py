"""Backends by text, for the command line and for sources that are made again elsewhere.

| text | stands for |
|---|---|
| `corpus/`, `pages.jsonl` | a folder or file of pages |
| `index/` | an index that `wideseek index` made |
| `http://127.0.0.1:8000` | a retrieval server |
| `web:serper`, `web:brave`, `web:tavily` | the live web through a search service |
| `web:searxng:http://127.0.0.1:8888` | the same through one's own SearXNG |
| `record:calls.sqlite:web:serper` | any of these, recorded and answered from the record |
| `replay:calls.sqlite` | the record alone |
| `my_package.backends:make` | your own: a `Backend`, or what makes one |
| any other name | an entry point of `wideseek.backends` in an installed package |

`WIDESEEK_CAP_USD` bounds what searches of the live web may cost, in all processes of a run together
where it is recorded.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from wideseek_env.backends import Backend
from wideseek_env.backends.corpus.building import IndexBackend, is_index
from wideseek_env.backends.corpus.folder import FolderBackend
from wideseek_env.backends.recording import CallStore, StoredBackend
from wideseek_env.plugins import made, resolve

CAP = "WIDESEEK_CAP_USD"


_named: dict[str, tuple[Backend, CallStore | None]] = {}


def backend_named(text: str) -> Backend:
    """Makes the backend that a text of the module's table stands for, once for each process.

    Raises:
        DataError: the folder holds no pages, the index cannot be written there, or the record is
            none.
        ValueError: there is no such folder, and nothing has this name, or no backend; or the
            service needs a key.
    """
    if text not in _named:
        _named[text] = _opened(text)
    return _named[text][0]


def close_named() -> None:
    """Closes what `backend_named` has made, at a command's or process's end."""
    while _named:
        _, (backend, store) = _named.popitem()
        asyncio.run(backend.close())
        if store is not None:
            store.close()


def _opened(text: str) -> tuple[Backend, CallStore | None]:
    kind, _, rest = text.partition(":")
    if kind == "replay":
        store = CallStore(rest, must_exist=True)
        return StoredBackend(store, ""), store
    if kind == "record":
        path, _, inner = rest.partition(":")
        if not path or not inner:
            raise ValueError(f"backend: expected record:FILE:BACKEND, got {text!r}")
        store = CallStore(path)
        try:
            return StoredBackend(store, "", _made(inner, store)), store
        except BaseException:
            store.close()
            raise
    return _made(text, None), None


def _made(text: str, store: CallStore | None) -> Backend:
    if is_index(Path(text)):
        return IndexBackend(text)
    if Path(text).exists():
        return FolderBackend(text, links=True)
    if text.startswith(("http://", "https://")):
        from wideseek_env.backends.retrieval.client import ServerBackend  # noqa: PLC0415 - as the next

        return ServerBackend(text)
    if text.startswith("web:"):
        return _web(text.removeprefix("web:"), store)
    try:
        backend = made("backends", text, resolve("backends", text, {}))
    except ValueError as error:
        raise ValueError(
            f"backend: expected a folder or file of pages, or a plug-in, got {text!r}: no such "
            f"file, and {error}"
        ) from error
    if not isinstance(backend, Backend):
        raise ValueError(f"expected {text} to be or make a `Backend`, got {backend!r}")
    return backend


def _web(text: str, store: CallStore | None) -> Backend:
    from wideseek_env.backends.web.live import WebBackend  # noqa: PLC0415 - aiohttp takes its time
    from wideseek_env.backends.web.search import CostLedger  # noqa: PLC0415

    cap = os.environ.get(CAP)
    try:
        cap_usd = float(cap) if cap else None
    except ValueError as error:
        raise ValueError(f"{CAP}: expected a number of US dollars, got {cap!r}") from error
    api, _, base_url = text.partition(":")
    return WebBackend(api, base_url=base_url or None, ledger=CostLedger(cap_usd, store))
