"""Fetches WideSearch from the Hugging Face hub: one file of tasks and one gold table for each.

What is there already is not fetched again; a file is written whole or not at all.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import aiohttp
import msgspec

from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines

WIDESEARCH = "ByteDance-Seed/WideSearch"
TASKS, TABLES = "widesearch.jsonl", "widesearch_gold"
_MAX_AT_ONCE = 8
_TIMEOUT_S = 120.0


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
    slots = asyncio.Semaphore(_MAX_AT_ONCE)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
        await _fetch(session, slots, f"{url}/{TASKS}", tasks)
        rows = [row for row in read_json_lines(tasks, _Row) if isinstance(row, _Row)]
        names = [f"{row.instance_id}.csv" for row in rows]
        await asyncio.gather(
            *(_fetch(session, slots, f"{url}/{TABLES}/{name}", tables / name) for name in names)
        )
    return tasks, tables


async def _fetch(
    session: aiohttp.ClientSession, slots: asyncio.Semaphore, url: str, path: Path
) -> None:
    if path.exists():
        return
    async with slots:
        try:
            async with session.get(url) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DataError(
                f"cannot fetch {url}: {type(error).__name__}: {error}; fetch the data set by other "
                "means and name its files"
            ) from error
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)
