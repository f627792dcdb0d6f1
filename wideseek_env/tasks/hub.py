"""Fetches WideSearch from the Hugging Face hub: one file of tasks and one gold table for each.

What is there already is not fetched again; a file is written whole or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urljoin

import msgspec

from wideseek_env.backends.http import HttpClient, HttpLimits, together
from wideseek_env.errors import DataError, HttpError
from wideseek_env.jsonlines import read_json_lines

WIDESEARCH = "ByteDance-Seed/WideSearch"
TASKS, TABLES = "widesearch.jsonl", "widesearch_gold"
_LIMITS = HttpLimits(max_in_flight=8, try_s=120.0)
_MAX_REDIRECTS = 5
"""The hub keeps large files elsewhere."""


class _Row(msgspec.Struct):
    instance_id: str


async def fetch_widesearch(
    folder: Path, *, repository: str = WIDESEARCH, endpoint: str | None = None
) -> tuple[Path, Path]:
    """Returns the file of tasks and the folder of gold tables, fetched where they are missing.

    Args:
        folder: where to keep them; made when missing.
        repository: a data set laid out as WideSearch is.
        endpoint: of the hub; None: $HF_ENDPOINT, else https://huggingface.co.

    Raises:
        DataError: the hub cannot be reached or does not have a file.
    """
    base = endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    url = f"{base.rstrip('/')}/datasets/{repository}/resolve/main"
    tasks, tables = folder / TASKS, folder / TABLES
    tables.mkdir(parents=True, exist_ok=True)
    client = HttpClient(_LIMITS)
    try:
        await _fetch(client, f"{url}/{TASKS}", tasks)
        rows = [row for row in read_json_lines(tasks, _Row) if isinstance(row, _Row)]
        names = [f"{row.instance_id}.csv" for row in rows]
        for name in names:
            if Path(name).name != name or not name.isprintable():
                raise DataError(f"{tasks}: expected ids that can name a file, got {name[:-4]!r}")
        await together(_fetch(client, f"{url}/{TABLES}/{n}", tables / n) for n in names)
    finally:
        await client.close()
    return tasks, tables


async def _fetch(client: HttpClient, url: str, path: Path) -> None:
    if path.exists():
        return
    at = url
    for left in reversed(range(_MAX_REDIRECTS + 1)):
        try:
            reply = await client.get(at)
            break
        except HttpError as error:
            if not error.location or not left:
                raise DataError(
                    f"cannot fetch {url}: {error}; or fetch the data set by other means and name "
                    "its files"
                ) from error
            at = urljoin(at, error.location)
    partial = path.with_suffix(".partial")
    partial.write_bytes(reply.body)
    partial.replace(path)
