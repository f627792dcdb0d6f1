"""Relations out of the tables of HTML pages.

A table is taken when it has a header row of `th` cells, a heading or caption that no other table of
its page shares, rows as long as its header, no totals, and a key among the columns that can be
checked. Its cells are read as agents see them: `read_html` writes the rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from lxml import etree

from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.backends.html.source import decode, parse
from wideseek_env.backends.html.tables import is_hidden
from wideseek_env.backends.html.text import one_line, read_html, split_cells
from wideseek_env.reading.pages import read_list_title
from wideseek_env.scoring.text import bare_text
from wideseek_env.scoring.values import MISSING
from wideseek_env.tasks.synthesis.relations import Relation, find_keys, read_field

MIN_ROWS, MAX_ROWS = 4, 400
_MAX_NAME_CHARS = 40
_UNFIT_NAME = re.compile(
    r"(?i)^(?:notes?|refs?\.?|references?|sources?|comments?|remarks?|image|photo|picture|flag|logo"
    r"|details?|description|summary|citations?|links?|#|no\.?|map|ipa)$|[\[\]“”\"|]"
)
_TOTAL = re.compile(
    r"(?i)^(?:grand |sub-?)?totals?\b|^(?:sum|average|mean|median|career|overall)\b"
)
_DIGITS = re.compile(r"\d+")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def table_relations(page: RawPage, skipped: Counter[str]) -> Iterator[Relation]:
    """Yields the relations of a page.

    Args:
        page: any HTML page.
        skipped: counts the tables left out, by reason.
    """
    html = decode(page.html) if isinstance(page.html, bytes) else page.html
    if "<table" not in html.lower():
        return
    root = parse(html)
    if root is None:
        return
    title = one_line(page.title) or one_line(read_html(html[:5000]).title)
    if read_list_title(title) is not None:
        skipped["page of a list that goes on"] += 1
        return
    found = list(_tables(root))
    parts = Counter(bare_text(part) for part, _ in found)
    for number, (part, lines) in enumerate(found):
        if not title or "“" in title:
            skipped["page without a title that can be quoted"] += 1
        elif parts[bare_text(part)] > 1:
            skipped["several tables under one heading"] += 1
        else:
            relation = _relation(page.url, title, part, number, lines)
            if isinstance(relation, Relation):
                yield relation
            else:
                skipped[relation] += 1


def _tables(root: etree._Element) -> Iterator[tuple[str, list[list[str]]]]:
    """Yields (heading or caption, rows with the header first) of each table with a header row."""
    heading = ""
    for element in root.iter(*_HEADINGS, "table"):
        if element.tag != "table":
            if next(element.iterancestors("table"), None) is None:
                text = read_html(etree.tostring(element, encoding="unicode", with_tail=False)).text
                heading = one_line(text.lstrip("# ")) if element.tag != "h1" else ""
            continue
        if next(element.iterancestors("table"), None) is not None or is_hidden(element):
            continue
        if next(element.iterdescendants("table"), None) is not None or not _has_header(element):
            continue
        caption = element.find("caption")
        name = heading
        if caption is not None:
            inner = etree.tostring(caption, encoding="unicode", with_tail=False)
            name = one_line(read_html(inner).text) or heading
            element.remove(caption)
        text = read_html(etree.tostring(element, encoding="unicode", with_tail=False)).text
        rows = [split_cells(line) for line in text.splitlines() if line]
        if len(rows) > 1:
            yield name.replace("“", "").replace("”", ""), rows


def _has_header(table: etree._Element) -> bool:
    row = next(table.iter("tr"), None)
    if row is None:
        return False
    cells = [cell for cell in row if cell.tag in ("td", "th")]
    return len(cells) > 1 and all(cell.tag == "th" for cell in cells)


def _relation(
    url: str, title: str, part: str, number: int, lines: Sequence[Sequence[str]]
) -> Relation | str:
    """Makes the relation of a table, or says why there is none."""
    header, rows = lines[0], lines[1:]
    if not MIN_ROWS <= len(rows) <= MAX_ROWS:
        return "too few or too many rows"
    if any(len(row) != len(header) for row in rows):
        return "rows of unequal length"
    if len({bare_text(name) for name in header}) < len(header):
        return "two columns of one name"
    if any(_TOTAL.match(cell) for row in rows for cell in row[:2]):
        return "totals among the rows"
    if any(sum(map(str.__eq__, row, header)) > 1 for row in rows):
        return "header repeated among the rows"
    columns = list(zip(*rows, strict=True))
    fields = [
        (i, field)
        for i, name in enumerate(header)
        if _is_name(name) and (field := read_field(name, columns[i])) is not None
    ]
    if len(fields) < 2:
        return "fewer than two columns that can be checked"
    relation = Relation(
        id=f"{url}#{number}",
        place=title,
        part=part,
        group=title_pattern(title),
        fields=tuple(field for _, field in fields),
        keys=(),
        rows=tuple(tuple(row[i] for i, _ in fields) for row in rows),
        urls=(url,),
        unread=tuple(name for i, name in enumerate(header) if i not in dict(fields)),
    )
    keys = find_keys(relation.fields, [relation.values(i) for i in range(len(fields))])
    if not keys or any(MISSING in relation.values(key) for key in keys):
        return "no key"
    return msgspec.structs.replace(relation, keys=keys)


def _is_name(name: str) -> bool:
    if not bare_text(name) or len(name) > _MAX_NAME_CHARS or _UNFIT_NAME.search(name):
        return False
    return any(character.isalpha() for character in name)


def title_pattern(title: str) -> str:
    """A title without its numbers: what pages of one series, such as the years of a cup, share."""
    return one_line(_DIGITS.sub("…", title)).casefold()
