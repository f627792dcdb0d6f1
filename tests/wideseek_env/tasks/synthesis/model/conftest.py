"""A small corpus, the tasks that rules make of it, and a scripted model behind a server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_server import FaultServer, in_a_thread
from wording_model import NUM, PAGES, RULES, WordingModel

from wideseek_env.jsonlines import read_json_lines
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.model.grounds import Grounds
from wideseek_env.tasks.synthesis.relations import Relation
from wideseek_env.tasks.synthesis.stages import Synthesis


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    lines = [json.dumps({"url": p.url, "title": p.title, "html": p.html}) for p in PAGES]
    (folder / "pages.jsonl").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def by_rules(corpus: Path) -> Path:
    out = corpus.parent / f"{corpus.name}-rules"
    Synthesis(corpus, out, NUM, RULES).run()
    return out


@pytest.fixture
def model(by_rules: Path) -> WordingModel:
    relations = read_json_lines(by_rules / "1_relations.jsonl", Relation)
    grounds = Grounds(each for each in relations if isinstance(each, Relation))
    return WordingModel(load_tasks(by_rules / "3_checked.jsonl"), grounds)


@pytest.fixture
def server(model: WordingModel) -> Iterator[FaultServer]:
    with in_a_thread(FaultServer(model)) as running:
        yield running
