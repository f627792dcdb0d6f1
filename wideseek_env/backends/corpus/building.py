"""An index in a folder of its own: built in batches, gone on with after a kill, added to later.

Each batch is committed first to the store of pages, with the place in the corpus, and then to the
index of words. So the words are never ahead; where they are behind, the next run takes what they
lack from the store and reads on behind the place. `index.json` stands there while the index is
whole, and only then is it opened.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from wideseek_env.backends.corpus.folder import Corpus
from wideseek_env.backends.corpus.index import Boosts, PassageIndex, PassageWriter
from wideseek_env.backends.corpus.indexfiles import check_seal, hold, is_damage
from wideseek_env.backends.corpus.pages import (
    ABOUT_FILE,
    INDEX_VERSION,
    About,
    PagesBackend,
    finish_index,
    stored_page,
)
from wideseek_env.backends.corpus.pagestore import GrowingStore
from wideseek_env.backends.html.text import check_part_chars
from wideseek_env.errors import DataError

_STORE, _WORDS = "pages.sqlite", "words"
_BATCH_CHARS = 32 << 20
"""Text between two commits: some 50,000 passages, or seconds of work."""
_CHARS_OF_A_PAGE = 200
"""What a page counts beside its text."""


class IndexBackend(PagesBackend):
    """Answers from an index that `grow_index` made; while it is open nobody can add to it.

    Args:
        index_dir: the folder.
        part_chars: longest part that `open` shows, in characters; at least 200.

    Raises:
        DataError: the index is unfinished, damaged, of another version, or is being added to.
    """

    def __init__(self, index_dir: Path | str, *, part_chars: int = 6000) -> None:
        check_part_chars(part_chars)
        self._open_index(Path(index_dir), part_chars)

    def _open_index(self, index_dir: Path, part_chars: int) -> None:
        try:
            held = hold(index_dir, alone=False, wait=False)
        except BlockingIOError as error:
            raise DataError(f"{str(index_dir)!r} is being written; open it when it is") from error
        if held is not None:
            weakref.finalize(self, os.close, held)
        if not (index_dir / ABOUT_FILE).exists():
            raise DataError(
                f"expected a finished index in {str(index_dir)!r}, got one that was begun; "
                "`wideseek index` with the same corpus goes on with it"
            )
        super()._open_index(index_dir, part_chars)


@dataclass(frozen=True, slots=True)
class Grown:
    """What `grow_index` did."""

    num_pages: int
    """Of the index."""
    num_read: int
    """Pages of this corpus that this call read; those of earlier, killed calls do not count."""
    num_duplicates: int
    """Pages left out because the same corpus has their URL already, in all corpora."""
    num_replaced: int
    """Pages that this corpus replaced."""
    num_broken_lines: int
    """Of this corpus."""


class _State(msgspec.Struct):
    """How far an index is; kept in the store, in one transaction with the pages."""

    version: int
    boosts: Boosts
    corpora: list[str]
    """Fingerprints; the last corpus is the one being read."""
    first: int = 0
    """Number of its first page: pages with lower numbers are replaced by pages of their URL."""
    num_read: int = 0
    """Its pages that were read: the place in it."""
    num_duplicates: int = 0
    num_replaced: int = 0
    is_complete: bool = False
    """Whether all of it was read."""


def is_index(path: Path) -> bool:
    """Returns whether a folder holds an index, finished or not."""
    return (path / _STORE).is_file()


def grow_index(
    corpus: Path,
    index_dir: Path,
    *,
    add: bool = False,
    boosts: Boosts | None = None,
    strict: bool = False,
    on_page: Callable[[int], None] | None = None,
) -> Grown:
    """Indexes a corpus in a folder, goes on with that after a kill, or adds to a finished index.

    Args:
        corpus: as `FolderBackend` reads.
        index_dir: a new or empty folder, or one that an earlier call wrote.
        add: whether the index may hold another corpus already; pages with a URL that it has
            replace those.
        boosts: kept with the index; None is none, or those that it was made with.
        strict: whether a broken line raises.
        on_page: called with the number of pages of this corpus that were read, earlier calls
            included.

    Raises:
        DataError: the index is damaged, open elsewhere, of another corpus without `add`, or begun
            with another one; the corpus has no pages, or changed meanwhile.
    """
    pages = Corpus(corpus, strict)  # first: without pages, no folder is left behind
    index_dir.mkdir(parents=True, exist_ok=True)
    with _alone(index_dir):
        if not is_index(index_dir) and any(index_dir.iterdir()):
            raise DataError(f"expected a new folder or an index, got {str(index_dir)!r}")
        with _damage(index_dir):
            store = GrowingStore(index_dir / _STORE)
        with closing(store):
            with _damage(index_dir):
                state, is_done = _begin(pages, index_dir, store, add, boosts)
                (index_dir / _WORDS).mkdir(exist_ok=True)
                words = PassageIndex(index_dir / _WORDS, state.boosts)
                if words.next_page() > store.next_number:
                    raise ValueError("words and pages do not belong together")
            begun_at = state.num_read
            if not is_done:
                _read(pages, store, words, state, on_page)
                if Corpus(corpus, strict).fingerprint() != state.corpora[-1]:
                    raise DataError(
                        f"{str(corpus)!r} changed while it was read; delete {str(index_dir)!r} and "
                        "begin again"
                    )
                state.is_complete = True
                store.commit(msgspec.json.encode(state).decode())
            size = len(store)
        if not is_done:
            _finish(index_dir, state, size)
        return Grown(
            size,
            state.num_read - begun_at,
            state.num_duplicates,
            state.num_replaced,
            pages.num_broken_lines,
        )


def _begin(
    corpus: Corpus, index_dir: Path, store: GrowingStore, add: bool, boosts: Boosts | None
) -> tuple[_State, bool]:
    """Returns the state to go on from, and whether there is nothing left to do."""
    written = store.state()
    name, where = corpus.fingerprint(), repr(str(index_dir))
    if written is None:
        if len(store):
            raise DataError(f"expected an index of `wideseek index`, got another one in {where}")
        state = _State(INDEX_VERSION, boosts or Boosts(), [name])
        store.commit(msgspec.json.encode(state).decode())
        return state, False
    state = msgspec.json.decode(written, type=_State)
    if state.version != INDEX_VERSION:
        raise ValueError(f"its version must be {INDEX_VERSION}, got {state.version}")
    if boosts is not None and boosts != state.boosts:
        raise DataError(
            f"{where} was made with {state.boosts}, got {boosts}; leave them out, or make another "
            "index"
        )
    about = index_dir / ABOUT_FILE
    if not state.is_complete:
        if name != state.corpora[-1]:
            raise DataError(
                f"the index in {where} was begun with another corpus, or its files changed since; "
                "go on with that one, or delete the folder and begin again"
            )
        about.unlink(missing_ok=True)
        return state, False
    if about.exists():
        check_seal(index_dir)
    else:  # killed after the last batch, or before the first of a further corpus
        _finish(index_dir, state, len(store))
    if name in state.corpora:
        return state, True
    if not add:
        raise DataError(
            f"{where} is the index of another corpus, or its files changed since; add to it with "
            "`--add`, or give another folder"
        )
    about.unlink()
    corpora = [*state.corpora, name]
    state = _State(INDEX_VERSION, state.boosts, corpora, store.next_number, 0, state.num_duplicates)
    store.commit(msgspec.json.encode(state).decode())
    return state, False


def _read(
    corpus: Corpus,
    store: GrowingStore,
    words: PassageIndex,
    state: _State,
    on_page: Callable[[int], None] | None,
) -> None:
    num_indexed = words.next_page()
    with words.writing() as writer:
        for number in store.replaced():
            writer.remove(number)
        for number, page in store.pages_from(num_indexed):
            writer.add(number, page.title, page.text)
        num_chars = 0
        for raw in corpus.pages(skip=state.num_read):
            page = stored_page(raw, links=True)
            number_of_new, replaced = store.put(page, state.first)
            if replaced is not None:
                writer.remove(replaced)
            if number_of_new is not None:
                writer.add(number_of_new, page.title, page.text)
            state.num_read += 1
            state.num_replaced += replaced is not None
            state.num_duplicates += number_of_new is None
            if on_page is not None:
                on_page(state.num_read)
            num_chars += len(page.text) + _CHARS_OF_A_PAGE
            if num_chars >= _BATCH_CHARS:
                _commit(store, writer, state)
                num_chars = 0
        _commit(store, writer, state)


def _commit(store: GrowingStore, writer: PassageWriter, state: _State) -> None:
    # First, so that the words are never ahead of the pages.
    store.commit(msgspec.json.encode(state).decode())
    writer.commit()


def _finish(index_dir: Path, state: _State, num_pages: int) -> None:
    finish_index(index_dir, About(INDEX_VERSION, num_pages, state.num_duplicates, state.boosts))


@contextmanager
def _alone(index_dir: Path) -> Iterator[None]:
    try:
        held = hold(index_dir, alone=True, wait=False)
    except BlockingIOError as error:
        raise DataError(
            f"{str(index_dir)!r} is open elsewhere, by a server, a run or another `wideseek "
            "index`; end that first, or work on a copy"
        ) from error
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


@contextmanager
def _damage(index_dir: Path) -> Iterator[None]:
    """Raises DataError for whatever shows that what an earlier call wrote is damaged."""
    try:
        yield
    except BaseException as error:
        if not is_damage(error):
            raise
        raise DataError(
            f"the index in {str(index_dir)!r} is damaged, or of another version ({error}); delete "
            "this folder and begin again"
        ) from error
