"""A retrieval server as Search-R1 writes one, for `benchmarks.speed.serving` to compare with.

One process, a blocking endpoint (FastAPI runs it in its threads), bm25s over the same passages.
Needs `pip install fastapi uvicorn bm25s`.

Source: Search-R1 (github.com/PeterGriffinJin/Search-R1), its retrieval server's design.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from wideseek_env.backends.corpus.index import passages
from wideseek_env.backends.html.text import read_html
from wideseek_env.plugins import require


def main(corpus: Path, port: int) -> None:
    """Indexes the corpus and serves it."""
    bm25s, fastapi, uvicorn = (require(name, "dev") for name in ("bm25s", "fastapi", "uvicorn"))
    documents = []
    for line in (corpus / "pages.jsonl").read_bytes().splitlines():
        page = msgspec.json.decode(line)
        text = read_html(page["html"]).text
        for start, end in passages(text):
            contents = f"{page['title']}\n{text[start:end]}"
            documents.append({"id": page["url"], "contents": contents})
    retriever = bm25s.BM25()
    texts = [document["contents"] for document in documents]
    retriever.index(bm25s.tokenize(texts, stopwords="en", show_progress=False), show_progress=False)
    app = fastapi.FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/retrieve")
    def retrieve(request: dict[str, Any]) -> dict[str, Any]:
        tokens = bm25s.tokenize(request["queries"], stopwords="en", show_progress=False)
        found, _ = retriever.retrieve(tokens, k=request["topk"], show_progress=False)
        return {"result": [[documents[number] for number in row] for row in found]}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
