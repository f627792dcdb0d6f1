"""A backend of one's own: three notes in memory, searched by the words that they share.

    python examples/backend.py
    wideseek benchmark --sources file:tasks.jsonl --backend examples.backend:Notes ...

A backend is one class with `search`, `open` and `close`. What cannot be answered is a `ToolError`,
which the agent is told; a `BackendError` says that nothing can be answered any more.
"""

from __future__ import annotations

import asyncio

from wideseek_env.backends import Hit, Page
from wideseek_env.errors import PageNotFound

NOTES = {
    "/oak": ("Oak", "An oak grows to 40 metres and lives for 600 years."),
    "/birch": ("Birch", "A birch grows to 25 metres and lives for 120 years."),
    "/yew": ("Yew", "A yew grows to 15 metres and lives for 2000 years."),
}


class Notes:
    """Answers from `NOTES`."""

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Finds the notes that share a word with the query, those with most of them first."""
        words = set(query.casefold().split())
        found = []
        for url, (title, text) in NOTES.items():
            shared = len(words & set(f"{title} {text}".casefold().rstrip(".").split()))
            if shared:
                found.append((-shared, url, Hit(url, title, text)))
        return [hit for *_, hit in sorted(found, key=lambda entry: entry[:2])][:top_k]

    async def open(self, url: str, part: int = 1) -> Page:
        """Gives a whole note; it has one part."""
        if url not in NOTES or part != 1:
            raise PageNotFound(f"There is no part {part} of {url}.")
        title, text = NOTES[url]
        return Page(url, title, text)

    async def close(self) -> None:
        """Has nothing to close."""


async def main() -> None:
    """Asks the backend, as an agent's tools would."""
    notes = Notes()
    for hit in await notes.search("which tree lives for 2000 years", top_k=2):
        print(hit.url, "-", hit.snippet)
    print((await notes.open("/yew")).text)


if __name__ == "__main__":
    asyncio.run(main())
