"""Bytes or text of a page to its element tree, whatever state the page is in.

lxml reads nearly every page. beautifulsoup4 is asked only for what lxml cannot do: to guess an
undeclared encoding, and to get text out of markup so broken that libxml2 gives up. `htmltext` is
the only caller.
"""

from __future__ import annotations

import re

from bs4 import BeautifulSoup
from bs4.dammit import EncodingDetector, UnicodeDammit
from lxml import etree

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
# Browsers read these labels as the larger character sets that they are used for.
_CHARSETS = {
    "iso-8859-1": "windows-1252",
    "latin1": "windows-1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
}
# Content after a closing </body> belongs to the body, but libxml2 drops it.
_END_TAGS = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)


def decode(html: bytes) -> str:
    """Returns a page as text.

    Tried in this order: the byte order mark, the declared charset, UTF-8, a guess.
    """
    for mark, charset in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(charset, "replace")
    declared = EncodingDetector.find_declared_encoding(html, is_html=True)
    for candidate in (_CHARSETS.get(declared or "", declared), "utf-8"):
        try:
            if candidate is not None:
                return html.decode(candidate)
        except (LookupError, UnicodeDecodeError):
            continue
    guess: str | None = UnicodeDammit(html, is_html=True).unicode_markup
    return guess if guess is not None else html.decode("utf-8", "replace")


def parse(html: str) -> etree._Element | None:
    """Returns the root of a page without comments, or None when the page is empty.

    A page that libxml2 cannot read to its end (markup thousands deep) becomes one `<pre>`.
    """
    source = _END_TAGS.sub("", html).encode("utf-8", "replace")  # a lone surrogate becomes "?"
    if not source.strip():
        return None
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True
    )
    root = etree.fromstring(source, parser)
    last = parser.error_log.last_error
    if last is not None and last.level >= etree.ErrorLevels.FATAL:
        return _parse_broken(source)
    return root


def _parse_broken(source: bytes) -> etree._Element:
    soup = BeautifulSoup(source, "html.parser", from_encoding="utf-8")
    root = etree.Element("html")
    if soup.title is not None:
        etree.SubElement(root, "title").text = soup.title.extract().get_text()
    for skipped in soup(["script", "style", "noscript", "template"]):
        skipped.decompose()
    text = soup.get_text("\n")
    etree.SubElement(root, "pre").text = re.sub(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]", " ", text)
    return root
