"""Dense and hybrid search: passages by meaning, beside passages by words. Optional, extra `dense`.

`DenseIndex` keeps vectors of passages in Qdrant: in a folder, in memory, or in a server.
`HybridBackend` merges its answer with a lexical backend's by reciprocal rank fusion. On questions
that name what they look for, words alone do better (docs/backends.md has figures); meaning helps
where the words differ.

Source: Cormack, Clarke and Buettcher, SIGIR 2009 (reciprocal rank fusion, k = 60).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from wideseek_env.backends import Backend, Hit, Page
from wideseek_env.errors import BackendError, DataError
from wideseek_env.plugins import require

_BATCH = 64
_RRF_K = 60
_CANDIDATES = 10
"""Hits of each kind for one that is wanted, before they are merged."""


class Encoder(Protocol):
    """Turns texts into vectors of one length."""

    def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Gives a vector for each text, (B, D)."""
        ...


class SentenceEncoder:
    """A model of sentence-transformers, loaded when it is first used.

    Args:
        model: its folder, or its name on the model hub.
        engine: what computes: torch, or onnx, which is faster on a CPU and needs
            `pip install sentence-transformers[onnx]`.
        prefix: put before every text, as E5 wants "query: " and BGE its instruction.
    """

    def __init__(self, model: str, *, engine: str = "torch", prefix: str = "") -> None:
        self.name = f"{model}|{engine}|{prefix}"
        self._model_name, self._engine, self._prefix = model, engine, prefix
        self._model: Any = None

    def __call__(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Encodes texts into vectors of length 1."""
        if self._model is None:
            library = require("sentence_transformers", "dense")
            self._model = library.SentenceTransformer(self._model_name, backend=self._engine)
        vectors: Sequence[Sequence[float]] = self._model.encode(
            [f"{self._prefix}{text}" for text in texts],
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return vectors


class DenseIndex:
    """Vectors of passages in Qdrant.

    Args:
        encoder: of passages and queries.
        where: a folder; the URL of a Qdrant server; None: in memory.
        collection: name of the set of passages there.
        encode_query: for queries, where the model wants other words before them; None: `encoder`.

    Raises:
        MissingExtra: qdrant-client is not installed.
        DataError: the folder is in use, or the server away.
    """

    def __init__(
        self,
        encoder: Encoder,
        where: Path | str | None = None,
        *,
        collection: str = "passages",
        encode_query: Encoder | None = None,
    ) -> None:
        self._models = require("qdrant_client.models", "dense")
        client = require("qdrant_client", "dense").QdrantClient
        self._encode, self._encode_query = encoder, encode_query or encoder
        self._collection = collection
        try:
            if where is None:
                self._client = client(":memory:")
            elif str(where).startswith(("http://", "https://")):
                self._client = client(url=str(where), check_compatibility=False)
            else:
                self._client = client(path=str(where))
            known = self._client.collection_exists(collection)
            self._size = self._client.count(collection).count if known else 0
        except Exception as error:
            raise DataError(
                f"cannot open the vectors in {where}: {error}; is the server up, or another "
                "process in the folder?"
            ) from error

    def __len__(self) -> int:
        """Number of passages."""
        return int(self._size)

    def add(self, passages: Iterable[Hit], on_passage: Callable[[int], None] | None = None) -> None:
        """Adds passages; `on_passage` is called with the number of those that are there.

        Args:
            passages: URL, title and text of each; the text is the `snippet`.
            on_passage: for a sign of life.
        """
        models = self._models
        left = iter(passages)
        while batch := list(islice(left, _BATCH)):
            vectors = self._encode([f"{hit.title}\n{hit.snippet}" for hit in batch])
            if not self._client.collection_exists(self._collection):
                params = models.VectorParams(size=len(vectors[0]), distance=models.Distance.COSINE)
                self._client.create_collection(self._collection, vectors_config=params)
            points = [
                models.PointStruct(
                    id=self._size + number,
                    vector=[float(x) for x in vector],
                    payload={"url": hit.url, "title": hit.title, "text": hit.snippet},
                )
                for number, (hit, vector) in enumerate(zip(batch, vectors, strict=True))
            ]
            self._client.upsert(self._collection, points)
            self._size += len(points)
            if on_passage is not None:
                on_passage(self._size)

    def search(self, query: str, num: int) -> list[Hit]:
        """Finds the `num` pages whose passages are nearest, each by its best passage."""
        if not self._size or not query.strip():
            return []
        [vector] = self._encode_query([query])
        try:
            found = self._client.query_points(
                self._collection, query=[float(x) for x in vector], limit=4 * num
            ).points
        except Exception as error:
            raise BackendError(f"the vectors cannot be searched: {error}") from error
        hits: dict[str, Hit] = {}
        # Ties by URL, as everywhere, so that episodes can be repeated.
        for point in sorted(found, key=lambda p: (-round(p.score, 6), p.payload["url"])):
            payload = point.payload
            hits.setdefault(payload["url"], Hit(payload["url"], payload["title"], payload["text"]))
        return list(hits.values())[:num]

    def close(self) -> None:
        """Closes the folder or the connection; a second time does nothing."""
        self._client.close()


class HybridBackend:
    """Answers `search` from words and meaning together, `open` from the lexical backend.

    Args:
        lexical: any backend over the same pages.
        dense: their passages as vectors.
    """

    def __init__(self, lexical: Backend, dense: DenseIndex) -> None:
        self._lexical, self._dense = lexical, dense

    async def search(self, query: str, top_k: int) -> list[Hit]:
        """Gives at most `top_k` pages by reciprocal rank fusion; ties by URL."""
        num = max(top_k, _CANDIDATES)
        by_words, by_meaning = await asyncio.gather(
            self._lexical.search(query, num), asyncio.to_thread(self._dense.search, query, num)
        )
        return fuse([by_words, by_meaning])[:top_k]

    async def open(self, url: str, part: int = 1) -> Page:
        """Gives one part of a page."""
        return await self._lexical.open(url, part)

    async def close(self) -> None:
        """Closes both."""
        await self._lexical.close()
        self._dense.close()


def fuse(rankings: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Merges rankings: a page scores 1 / (60 + rank) in each; the first ranking's hit is shown."""
    scores: dict[str, float] = defaultdict(float)
    shown: dict[str, Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            scores[hit.url] += 1.0 / (_RRF_K + rank)
            shown.setdefault(hit.url, hit)
    return [shown[url] for url in sorted(scores, key=lambda url: (-scores[url], url))]
