"""Full-text index over passages of pages, on tantivy (BM25), in memory or in a folder.

Each page is indexed in passages of about a hundred words with the title put before each, so a row
deep inside a long list is found as well as the page's first words. The same pages in the same order
give the same answers in every process: one writer thread, scores compared to 16 bits. It
knows page numbers only; what a page's URL and text are is the business of `pagestore`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import tantivy

from wideseek_env.backends.corpus.pagestore import encodable
from wideseek_env.backends.html.text import without_links
from wideseek_env.errors import DataError
from wideseek_env.scoring.text import stream_safe

PASSAGE_CHARS = 600
"""Longest passage; about 100 English words."""
_MIN_PASSAGE_CHARS = 200
_MAX_QUERY_CHARS = 5_000  # a model may send a whole page as its query
_MAX_QUERY_WORDS = 64
_MAX_TITLE_CHARS = 300  # of a title before each passage
_MAX_WORD_BYTES = 400  # longer "words" are data; 100 letters of any script are less
_WRITER_BYTES = 64 << 20
_FIRST_FETCH, _MAX_FETCH = 32, 2048  # passages asked for to fill the pages wanted, ties included
_ANALYZER = "words"

# Scripts written without spaces: their runs are indexed as single characters and pairs.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
# Marks above, below and in letters: of all alphabets, of Hebrew and of Arabic. Vowel signs of other
# scripts are letters in their own right. Last: what stretches Arabic words.
_MARKS = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0640]+"
)


class Match(NamedTuple):
    """The best passage of one page."""

    score: float
    page: int
    start: int
    """First character of the passage in the page's text."""
    end: int


class Boosts(NamedTuple):
    """What counts beyond the words of a passage; they also say what an index has to hold."""

    title: float = 0.0
    """Times what a query's word scores in the title by itself; added."""
    phrase: float = 0.0
    """Times what two words score that stand side by side in query and passage; added."""


class PassageWriter:
    """Writes pages into an index; `PassageIndex.writing` gives one."""

    def __init__(self, writer: tantivy.IndexWriter, boosts: Boosts) -> None:
        self._writer = writer
        self._has_titles = boosts.title > 0

    def add(self, number: int, title: str, text: str) -> None:
        """Indexes all passages of a page; `number` comes back in each `Match`."""
        title = title[:_MAX_TITLE_CHARS]
        for start, end in passages(text):
            document = tantivy.Document()
            document.add_text("body", _plain(f"{title}\n{without_links(text[start:end])}"))
            if self._has_titles:
                document.add_text("title", _plain(title))
            document.add_integer("page", number)
            document.add_integer("start", start)
            document.add_integer("end", end)
            with _not_written():
                self._writer.add_document(document)

    def remove(self, number: int) -> None:
        """Takes a page out; its words count in the frequencies of words until files are merged."""
        with _not_written():
            self._writer.delete_documents_by_term("page", number)

    def commit(self) -> None:
        """Makes what was written last, whatever happens to this process."""
        with _not_written():
            self._writer.commit()


class PassageIndex:
    """A searchable index; write it once, then search it.

    Args:
        directory: a folder that exists, to create the index in or to open it from; None keeps it
            in memory.
        boosts: what counts beyond the words of a passage. An index is opened with those that it
            was made with, or with others above 0 in the same places.
    """

    def __init__(self, directory: Path | None = None, boosts: Boosts | None = None) -> None:
        # Declared as integers on purpose: a Python int added to an unsigned fast field would kill
        # tantivy's writer thread.
        builder = tantivy.SchemaBuilder()
        boosts = boosts or Boosts()
        self._boosts = boosts
        self._option: Literal["freq", "position"] = "position" if boosts.phrase > 0 else "freq"
        builder.add_text_field("body", tokenizer_name=_ANALYZER, index_option=self._option)
        if boosts.title > 0:
            builder.add_text_field("title", tokenizer_name=_ANALYZER, index_option="freq")
        for name in ("page", "start", "end"):
            builder.add_integer_field(name, fast=True, indexed=name == "page")
        self._schema = builder.build()
        self._analyzer = _analyzer()
        path = None if directory is None else str(directory)
        self._index = tantivy.Index(self._schema, path=path)
        # Without a thread of tantivy's own that reads the files whenever it likes.
        self._index.config_reader("manual")
        self._index.register_tokenizer(_ANALYZER, self._analyzer)
        self._searcher = self._index.searcher()

    @contextmanager
    def writing(self) -> Iterator[PassageWriter]:
        """Gives what adds pages; they can be found once the block ends.

        Raises:
            DataError: the index cannot be written, so for a full disk.
        """
        writer = self._index.writer(_WRITER_BYTES, num_threads=1)
        pages = PassageWriter(writer, self._boosts)
        try:
            yield pages
        except BaseException:
            with suppress(ValueError):  # the writer may be what failed
                writer.rollback()  # so that nothing is written any more to a folder about to go
            raise
        pages.commit()
        with _not_written():
            writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()

    def next_page(self) -> int:
        """Returns one more than the highest number of a page, 0 where there are none."""
        hits = self._searcher.search(
            tantivy.Query.all_query(), 1, count=False, order_by_field="page"
        ).hits
        return int(hits[0][0]) + 1 if hits else 0

    def __len__(self) -> int:
        """Number of passages."""
        return int(self._searcher.num_docs)

    def words(self, text: str) -> list[str]:
        """Returns the words of a query as the index sees them: folded, stemmed, each once."""
        return list(dict.fromkeys(self._all_words(text)))

    def _all_words(self, text: str) -> list[str]:
        words: list[str] = self._analyzer.analyze(_plain(encodable(text[:_MAX_QUERY_CHARS])))
        return words

    def search(self, query: str, num_pages: int) -> list[Match]:
        """Returns the pages that match any word of a query, each by its best passage.

        Args:
            query: any text; there is no query syntax. Words after the 64th, and characters after
                the 5,000th, are ignored.
            num_pages: pages wanted, at least 1.

        Returns:
            Best first, with every page that ties with the last one wanted, so that the caller can
            break ties by what it knows of the pages. Fewer when fewer match.
        """
        parsed = self._parsed(query)
        if parsed is None:
            return []
        limit = min(max(_FIRST_FETCH, 4 * num_pages), max(_MAX_FETCH, len(self)))
        while True:
            matches, lowest = self._best_passages(parsed, limit)
            last = matches[num_pages - 1].score if len(matches) >= num_pages else 0.0
            if lowest is None or lowest < last or limit >= _MAX_FETCH:
                return [match for match in matches if match.score >= last]
            limit *= 4

    def _parsed(self, query: str) -> tantivy.Query | None:
        in_order = self._all_words(query)
        words = list(dict.fromkeys(in_order))[:_MAX_QUERY_WORDS]
        make, schema = tantivy.Query, self._schema
        parts = [make.term_query(schema, "body", word, index_option=self._option) for word in words]
        if self._boosts.title > 0:
            titles = (make.term_query(schema, "title", word, index_option="freq") for word in words)
            parts += [make.boost_query(title, self._boosts.title) for title in titles]
        if self._boosts.phrase > 0:
            pairs = dict.fromkeys(pairwise(in_order[:_MAX_QUERY_WORDS]))
            phrases = (make.phrase_query(schema, "body", list(pair)) for pair in pairs)
            parts += [make.boost_query(phrase, self._boosts.phrase) for phrase in phrases]
        return (
            make.boolean_query([(tantivy.Occur.Should, part) for part in parts]) if parts else None
        )

    def _best_passages(self, query: tantivy.Query, limit: int) -> tuple[list[Match], float | None]:
        """Returns one match for each page among `limit` passages, and the score of the last.

        The score is None when there are no further passages.
        """
        hits = self._searcher.search(query, limit, count=False).hits
        addresses = [address for _, address in hits]
        columns = (
            self._searcher.fast_field_values(name, addresses) for name in ("page", "start", "end")
        )
        best: dict[int, Match] = {}
        for (score, _), page, start, end in zip(hits, *columns, strict=True):
            match = Match(_comparable(score), page, start, end)
            held = best.get(page)
            if held is None or (-match.score, start) < (-held.score, held.start):
                best[page] = match
        matches = sorted(best.values(), key=lambda match: (-match.score, match.page))
        return matches, _comparable(hits[-1][0]) if len(hits) == limit else None


@contextmanager
def _not_written() -> Iterator[None]:
    try:
        yield
    except ValueError as error:  # whatever tantivy's writer runs into
        raise DataError(f"cannot write the index ({error}); is the disk full?") from error


def passages(text: str) -> Iterator[tuple[int, int]]:
    """Yields (start, end) of consecutive passages of a text, cut at line ends where possible.

    An empty text is one empty passage, so that its page can be found by its title.
    """
    start, length = 0, len(text)
    while length - start > PASSAGE_CHARS:
        least, most = start + _MIN_PASSAGE_CHARS, start + PASSAGE_CHARS
        end = text.rfind("\n", least, most)
        if end < 0:
            end = text.rfind(" ", least, most)
        if end < 0:
            end = most
        yield start, end
        start = end if end == most else end + 1
    yield start, length


def _comparable(score: float) -> float:
    """Returns a score without its last bits, which depend on the order of adding its terms up."""
    mantissa, exponent = math.frexp(score)
    return math.ldexp(round(math.ldexp(mantissa, 16)), exponent - 16)


def _plain(text: str) -> str:
    """Returns a text in the one form in which its words are compared, for tantivy to take apart.

    One spelling for composed and decomposed letters, full and half width; letters without marks,
    and one sigma, as tantivy makes small letters of capitals one by one; a space between what
    counts as a word in scripts that have none.
    """
    if text.isascii():
        return text
    apart = _MARKS.sub("", unicodedata.normalize("NFKD", stream_safe(text))).replace("ς", "σ")
    return _UNSPACED.sub(_characters_and_pairs, unicodedata.normalize("NFC", apart))


def _characters_and_pairs(match: re.Match[str]) -> str:
    run = match[0]
    pairs = (run[i : i + 2] for i in range(len(run) - 1))
    return f" {' '.join((*run, *pairs))} "


def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(_MAX_WORD_BYTES),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("English"),
    ):
        builder = builder.filter(step)
    return builder.build()
