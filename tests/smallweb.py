"""A hand-written web of seven pages in the form of a closed world, for scripted agents.

Everything is written out, so that a test can check by eye what an agent must answer, change one
page, and see the answer change.
"""

from __future__ import annotations

from collections.abc import Mapping

from wideseek_env.backends.corpus.pages import PagesBackend, RawPage
from wideseek_env.records import Column, Task

PAGES: Mapping[str, tuple[str, str]] = {
    "/varnia/rivers/1": (
        "List of rivers in Varnia, page 1 of 2",
        '<ul><li><a href="/varnia/alden">Alden</a></li><li><a href="/varnia/brook">Brook</a></li>'
        '</ul><p><a href="/varnia/rivers/2">Next page</a></p>',
    ),
    "/varnia/rivers/2": (
        "List of rivers in Varnia, page 2 of 2",
        '<ul><li><a href="/varnia/cray">Crooked River</a></li></ul>',
    ),
    "/varnia/alden": (
        "Alden (river in Varnia)",
        "<table><tr><th>Length</th><td>204,000 m</td></tr>"
        '<tr><th>Mouth city</th><td><a href="/varnia/dorn">Dorn</a></td></tr>'
        "<tr><th>Surveyed</th><td>March 4, 1911</td></tr></table>"
        "<p>Alden is a river in Varnia.</p><p>Last updated: 4 May 2020.</p>"
        '<ul><li><a href="/varnia/alden/gazetteer">Gazetteer of Varnia: Alden</a></li></ul>',
    ),
    "/varnia/alden/gazetteer": (
        "Gazetteer of Varnia: Alden",
        "<table><tr><th>Total length</th><td>210 km</td></tr><tr><th>Regime</th><td>nival</td></tr>"
        "</table><p>Alden is a river in Varnia.</p><p>Last updated: 1 June 2023.</p>"
        '<ul><li><a href="/varnia/alden">Alden (river in Varnia)</a></li></ul>',
    ),
    "/varnia/brook": (
        "Brook (river in Varnia)",
        "<p>Brook is a river in Varnia.</p><p>The length of Brook is 30 km. It reaches the sea at "
        'the city <a href="/varnia/dorn">Dorn</a>. Brook has a tidal regime. Brook was first '
        "surveyed on 2 January 1890.</p><p>Last updated: 2 July 2021.</p>",
    ),
    "/varnia/cray": (
        "Cray (river in Varnia)",
        "<table><tr><th>Length</th><td>99 km</td></tr>"
        '<tr><th>Mouth city</th><td><a href="/varnia/esk">Esk</a></td></tr>'
        "<tr><th>Regime</th><td>nival</td></tr><tr><th>First survey</th><td>unknown</td></tr>"
        "</table><p>Cray is a river in Varnia.</p><p>Cray is also known as Crooked River.</p>"
        "<p>Last updated: 9 July 2021.</p>",
    ),
    "/varnia/dorn": (
        "Dorn (city in Varnia)",
        "<table><tr><th>Population</th><td>12.5 thousand people</td></tr></table>"
        "<p>Dorn is a city in Varnia.</p><p>Last updated: 9 July 2021.</p>",
    ),
    "/varnia/esk": (
        "Esk (city in Varnia)",
        "<table><tr><th>Inhabitants</th><td>7,100</td></tr></table>"
        "<p>Esk is a city in Varnia.</p><p>Last updated: 9 July 2021.</p>",
    ),
}
"""URL to title and body."""


def small_backend(changes: Mapping[str, tuple[str, str]] | None = None) -> PagesBackend:
    """Returns a backend over the pages; `changes` says, by URL, which text to replace by which."""
    pages = []
    for url, (title, body) in PAGES.items():
        old, new = (changes or {}).get(url, ("", ""))
        if old not in body:
            raise ValueError(f"{url} does not say {old!r}")
        pages.append(RawPage(url, title, body.replace(old, new) if old else body))
    return PagesBackend(pages, links=True)


def small_task(
    question: str, columns: tuple[str, ...], gold: tuple[tuple[str, ...], ...] = ()
) -> Task:
    """Returns a wide task; the key is the first column."""
    return Task("small", question, tuple(map(Column, columns)), columns[:1], gold)


LENGTHS = small_task(
    "List the rivers in Varnia. Columns: River, Length (km), Mouth city.",
    ("River", "Length (km)", "Mouth city"),
    (("Alden", "210", "Dorn"), ("Brook", "30", "Dorn"), ("Cray", "99", "Esk")),
)
"""What thorough reading gives: Alden's second page is newer."""
