"""Bytes or text of a page to its element tree, whatever state the page is in.

lxml reads nearly every page; markup so broken that libxml2 gives up, or made to keep it busy, gives
its words without layout. `text.py` is the only caller.
"""

from __future__ import annotations

import re
from html import unescape

import webencodings
from lxml import etree

MAX_HTML_CHARS = 2_000_000
"""What follows in a longer page is not read."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_DECLARED_WITHIN = 16_384  # bytes; browsers look into the first 1,024
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([^"'>]+)"""
    rb"""|<meta\s[^>]{0,1000}?charset\s*=\s*["']?\s*([^\s"'/;>]+)""",
    re.IGNORECASE,
)
# Where Python has more of what the Encoding Standard counts to an encoding under another name.
_LARGER = {"euc-jp": "euc_jis_2004", "gbk": "gb18030"}
# Of these a page whose declaration could be read is in none; browsers do not take them either.
_NOT_DECLARED = ("replacement", "utf-16be", "utf-16le", "x-user-defined")
_NOT_ASCII = bytes(range(0x80, 0x100))
# Content after a closing </body> belongs to the body, but libxml2 drops it.
_END_TAGS = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
# A start tag with more attributes than any page needs: libxml2's time grows with their square. It
# looks from every `<`, as comments, scripts and quotes can hide where a tag begins.
_CROWDED_TAG = re.compile(
    r"""<[a-zA-Z][^\s/<>]*+(?=[\s/])
    (?>[\s/]*+[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*"|'[^']*'|[^\s<>]*))?+){64}""",
    re.VERBOSE,
)
_UNREAD = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>?")
_NO_XML = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")


def decode(html: bytes) -> str:
    """Returns a page as text.

    Tried in this order: the byte order mark; the declared charset, which means what its label means
    in browsers; UTF-8. A page that is none of them to its end is what it declares, or UTF-8 if it
    has more of that than of errors, or any where it declares it, or windows-1252; bytes without a
    meaning become U+FFFD.
    """
    for mark, charset in _MARKS:
        if html.startswith(mark):
            return html[len(mark) :].decode(charset, "replace")
    stated = _declared(html)
    declared = stated or "utf-8"
    for codec in (declared, "utf-8"):
        try:
            return html.decode(codec)
        except UnicodeDecodeError:
            continue
    if declared != "utf-8":
        return html.decode(declared, "replace")
    text = html.decode("utf-8", "replace")
    num_errors = text.count("\ufffd")
    num_right = len(text) - num_errors - len(html.translate(None, _NOT_ASCII))
    enough = 1 if stated else num_errors
    return text if num_right >= enough else html.decode("windows-1252", "replace")


def _declared(html: bytes) -> str | None:
    """Returns the name of Python's codec for the charset that a page declares; None: for none."""
    match = _DECLARED.search(html, 0, _DECLARED_WITHIN)
    label = (match[1] or match[2]).decode("ascii", "replace") if match else ""
    encoding = webencodings.lookup(label)
    if encoding is None or encoding.name in _NOT_DECLARED:
        return None
    return _LARGER.get(encoding.name, str(encoding.codec_info.name))


def parse(html: str) -> etree._Element | None:
    """Returns the root of a page without comments, or None when the page is empty.

    A page that libxml2 cannot read to its end (markup thousands deep), or not in reasonable time
    (dozens of attributes in one tag), becomes one `<pre>`.
    """
    html = _END_TAGS.sub("", html[:MAX_HTML_CHARS])
    if not html.strip():
        return None
    if _CROWDED_TAG.search(html):
        html = _UNREAD.sub(" ", html)  # where what looks like such a tag is most often none
        if _CROWDED_TAG.search(html):
            return _words_only(html)
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True
    )
    root = etree.fromstring(html.encode("utf-8", "replace"), parser)  # a lone surrogate becomes "?"
    last = parser.error_log.last_error
    if last is not None and last.level >= etree.ErrorLevels.FATAL:
        return _words_only(html)
    return root


def _words_only(html: str) -> etree._Element:
    root = etree.Element("html")
    html = _UNREAD.sub(" ", html)
    if title := _TITLE.search(html):
        etree.SubElement(root, "title").text = _NO_XML.sub(" ", unescape(title[1]))
        html = html[: title.start()] + html[title.end() :]
    words = unescape(_TAG.sub("\n", html))
    etree.SubElement(root, "pre").text = _NO_XML.sub(" ", words)
    return root
