"""Pages out of JSON lines, in the forms that corpora have.

| line | a page is |
|---|---|
| `url`, `html`, `title`? | one line |
| `text`, `url` or `title` or `id` | one line |
| `contents`, `id`, `url`?, `title`? | lines that follow one another under one URL or title |

The last is Search-R1's Wikipedia of 2018 and RLinf's corpus: passages of about a hundred words,
whose `contents` begin with the title in quotes where the line has no `title`.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

import msgspec

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import read_json_lines


class _Line(msgspec.Struct):
    id: str | int = ""
    url: str = ""
    title: str = ""
    html: str | None = None
    text: str | None = None
    contents: str | None = None


def read_pages(file: Path) -> Iterator[RawPage | DataError]:
    """Yields the pages of a JSON lines file, plain or gzipped, and an error for a broken line.

    Raises:
        DataError: the file cannot be read.
    """
    numbered = enumerate(read_json_lines(file, _Line), 1)
    for key, group in groupby(numbered, lambda each: _key(each[0], each[1])):
        for number, line in group:
            if isinstance(line, DataError):
                yield line
            elif line.contents is not None and line.html is None:
                passages = [line, *(other for _, other in group if isinstance(other, _Line))]
                yield RawPage(str(key), _title(line), _html(passages))
            elif line.html is not None and line.url:
                yield RawPage(line.url, line.title, line.html)
            elif line.text is not None and (name := line.url or line.title or str(line.id)):
                yield RawPage(name, line.title, _paragraphs(line.text))
            else:
                yield DataError(
                    f"{file}, page {number}: expected `url` and `html`, or `text` with a name, or "
                    "`contents`, got none of these"
                )


def has_pages(file: Path) -> bool:
    """Looks at the first line, which may be a table or a task as well."""
    for line in read_json_lines(file, dict):
        if isinstance(line, DataError):
            return True
        named = "url" in line or "title" in line or "id" in line
        return "html" in line or "contents" in line or ("text" in line and named)
    return False


def _key(number: int, line: _Line | DataError) -> object:
    """What consecutive passages of one page share; a number for a line that stands alone."""
    if isinstance(line, DataError) or line.contents is None or line.html is not None:
        return number
    return line.url or _title(line) or str(line.id)


def _title(line: _Line) -> str:
    if line.title or line.contents is None:
        return line.title
    first, _, rest = line.contents.partition("\n")
    quoted = first.startswith('"') and first.endswith('"') and len(first) > 1
    return first[1:-1].replace('""', '"') if rest and quoted else ""


def _html(passages: list[_Line]) -> str:
    texts = []
    for line in passages:
        text = line.contents or ""
        if not line.title and _title(line):
            text = text.partition("\n")[2]
        texts.append(text)
    return _paragraphs("\n".join(texts))


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(row, quote=False)}</p>" for row in text.splitlines() if row.strip())
