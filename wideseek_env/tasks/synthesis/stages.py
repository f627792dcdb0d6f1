"""The stages of synthesis: each has its own file and its counts, and is done once.

`state.json` in the output folder says with which settings it was begun and what is finished, so a
run that was stopped goes on where it was. A file appears when it is whole.

| stage | file | holds |
|---|---|---|
| relations | `1_relations.jsonl` | typed relations read from the pages |
| drafts | `2_drafts.jsonl` | tasks with question, gold table and sources |
| checked | `3_checked.jsonl` | those whose every cell its page holds |
| (a model's) | `4_wording.jsonl` … | see `model.stages` |
| output | `tasks.jsonl`, `test.jsonl`, … | training tasks, held-out ones, other forms, `card.md` |
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from wideseek_env.backends.corpus.folder import Corpus
from wideseek_env.backends.corpus.indexfiles import hold
from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.backends.html.text import read_html
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode, read_json_lines
from wideseek_env.records import Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.card import (
    CARD,
    TASKS,
    TEST,
    StageDone,
    State,
    Worded,
    data_card,
)
from wideseek_env.tasks.synthesis.difficulty import made_tasks, read_difficulty, with_difficulty
from wideseek_env.tasks.synthesis.drafts import DraftRules, make_drafts
from wideseek_env.tasks.synthesis.model.grounds import Grounds
from wideseek_env.tasks.synthesis.outputs import as_wideseek_r1, write_widesearch
from wideseek_env.tasks.synthesis.pagecheck import PageCells, unheld_cells
from wideseek_env.tasks.synthesis.pagetables import table_relations
from wideseek_env.tasks.synthesis.relations import Relation
from wideseek_env.tasks.synthesis.things import Things
from wideseek_env.worlds.files import write_lines

if TYPE_CHECKING:
    from wideseek_env.tasks.synthesis.model.run import ModelPlan

_T = TypeVar("_T")

RELATIONS, DRAFTS, CHECKED = "1_relations.jsonl", "2_drafts.jsonl", "3_checked.jsonl"
_STATE = "state.json"
VERSION = 1
"""Raised whenever equal settings give other tasks than before."""


class Result(NamedTuple):
    """What came of a run."""

    kept: int
    worded: Worded | None = None
    """Of the stages that asked a model."""


class Synthesis:
    """One output folder, worked on stage by stage.

    Args:
        corpus: file or folder of pages, as `FolderBackend` takes it.
        out: the output folder; what it holds of earlier runs is used.
        num_tasks: at most so many, held-out ones among them.
        rules: of the drafts.
        advance: called with `what=`, `note=` as work goes on.

    Raises:
        DataError: there are no pages, or `out` was begun with other settings.
    """

    def __init__(
        self,
        corpus: Path | str,
        out: Path,
        num_tasks: int,
        rules: DraftRules,
        advance: Callable[..., None] = lambda **_: None,
    ) -> None:
        self._corpus = Corpus(Path(corpus), strict=False)
        self._out, self._num, self._rules, self._advance = out, num_tasks, rules, advance
        settings: dict[str, Any] = {
            "version": VERSION,
            "corpus": f"{Path(corpus).resolve()} {self._corpus.fingerprint()}",
            "num_tasks": num_tasks,
            "rules": msgspec.json.decode(msgspec.json.encode(rules)),
        }
        self.state = State(settings)
        if (out / _STATE).exists():
            self.state = msgspec.json.decode((out / _STATE).read_bytes(), type=State)
            changed = [k for k, v in settings.items() if self.state.settings.get(k) != v]
            if changed:
                told = "; ".join(
                    f"{k} was {self.state.settings.get(k)!r} and is {settings[k]!r}"
                    for k in changed
                )
                raise DataError(
                    f"{out} was begun with other settings ({told}): give another "
                    "folder, or delete it"
                )

    def run(self, plan: ModelPlan | None = None) -> Result:
        """Does all stages that are not done, and returns what came of it.

        Args:
            plan: has a model put the tasks into words and check them; None: rules alone.

        Raises:
            DataError: a stage kept nothing, or another process works in this folder.
            WideSeekError: the model's server refuses, or does not answer.
        """
        self._out.mkdir(parents=True, exist_ok=True)
        try:
            held = hold(self._out, alone=True, wait=False)
        except BlockingIOError as error:
            raise DataError(
                f"another process works in {self._out}; wait, or give another"
            ) from error
        try:
            self._stage("relations", RELATIONS, self._relations)
            self._stage("drafts", DRAFTS, self._drafts)
            self._stage("checked", CHECKED, self._checked)
            if plan is None:
                return self._finish(CHECKED)
            return self._put_into_words(plan)
        finally:
            if held is not None:
                os.close(held)

    def _put_into_words(self, plan: ModelPlan) -> Result:
        from wideseek_env.tasks.synthesis.model import run  # noqa: PLC0415 - aiohttp takes its time

        tasks, grounds = made_tasks(self._out, CHECKED), Grounds(self._kept_relations())
        pages = self._texts(run.urls_of(tasks, grounds) if plan.rules.num_answers else ())
        material = run.Material(tasks, grounds, pages)
        worded = run.put_into_words(material, self._out, plan, self._advance)
        return self._finish(run.WORDED, worded)

    def plan(self, plan: ModelPlan) -> str:
        """Tells what the model would be asked, and the price; nothing is asked or written.

        Raises:
            DataError: the stages by rules are not done, so that there is nothing to count with.
        """
        if "checked" not in self.state.stages:
            raise DataError(
                "the price follows from the tasks that rules make, which are not made yet: give "
                "the same command without --model, --base-url and --dry-run first; it costs nothing"
            )
        from wideseek_env.tasks.synthesis.model import price, run  # noqa: PLC0415

        tasks, grounds = made_tasks(self._out, CHECKED), Grounds(self._kept_relations())
        some = price.priced(tasks) if plan.rules.num_answers else ()
        pages = self._texts(run.urls_of(some, grounds))
        return price.plan_text(run.Material(tasks, grounds, pages), plan)

    def _finish(self, file: str, worded: Worded | None = None) -> Result:
        """Writes tasks, held-out tasks, their other forms and the data card."""
        begun_s = time.perf_counter()
        known = read_difficulty(self._out)
        train, test = list[Task](), list[Task]()
        for task in made_tasks(self._out, file):
            side = test if task.metadata["synthesis"]["split"] == "test" else train
            side.append(with_difficulty(task, known))
        write_lines(self._out / TASKS, map(encode, train))
        write_lines(self._out / TEST, map(encode, test))
        write_lines(self._out / "width_20k.jsonl", map(as_wideseek_r1, train))
        write_widesearch(test, self._out / "widesearch.jsonl", self._out / "widesearch_gold")
        num = len(train) + len(test)
        self._keep("output", StageDone(num, {}, time.perf_counter() - begun_s))
        card = data_card(self.state, train, test, worded)
        (self._out / CARD).write_text(card, encoding="utf-8")
        return Result(num, worded)

    def _kept_relations(self) -> Iterator[Relation]:
        return map(_whole, read_json_lines(self._out / RELATIONS, Relation))

    def _texts(self, urls: Collection[str]) -> dict[str, str]:
        pages = self._pages() if urls else ()
        return {page.url: read_html(page.html).text for page in pages if page.url in urls}

    def _stage(
        self, name: str, file: str, work: Callable[[Counter[str]], Iterable[Relation | Task]]
    ) -> None:
        if name in self.state.stages:
            return
        begun_s, dropped = time.perf_counter(), Counter[str]()

        def lines() -> Iterator[bytes]:
            for kept, item in enumerate(work(dropped), 1):
                yield encode(item) if isinstance(item, Task) else msgspec.json.encode(item)
                if kept % 100 == 0:
                    self._advance(what=name, note=f"{kept:,} kept, {dropped.total():,} left out")

        kept = write_lines(self._out / file, lines())
        if not kept:
            raise DataError(
                f"the stage {name!r} kept nothing of this corpus; left out: "
                f"{dict(dropped) or 'none'}; give pages with tables, or other rules"
            )
        self._keep(name, StageDone(kept, dict(dropped), time.perf_counter() - begun_s))

    def _keep(self, name: str, done: StageDone) -> None:
        self.state.stages[name] = done
        write_lines(self._out / _STATE, [msgspec.json.encode(self.state)])

    def _pages(self) -> Iterator[RawPage]:
        seen: set[str] = set()
        for page in self._corpus.pages():
            if page.url not in seen:  # of two pages with one URL, a backend has the first
                seen.add(page.url)
                yield page

    def _relations(self, dropped: Counter[str]) -> Iterator[Relation]:
        things = Things()
        for page in self._pages():
            things.add(page)
            yield from table_relations(page, dropped)
        yield from things.relations()

    def _drafts(self, dropped: Counter[str]) -> Iterator[Task]:
        relations = list(self._kept_relations())
        titles = Counter((r.place, r.part) for r in relations)
        fair = [r for r in relations if titles[r.place, r.part] == 1]
        dropped["relation on two pages of one title"] += len(relations) - len(fair)
        return make_drafts(fair, self._num, self._rules, dropped)

    def _checked(self, dropped: Counter[str]) -> Iterator[Task]:
        wanted = {url for relation in self._kept_relations() for url in relation.urls}
        pages = {page.url: PageCells(page) for page in self._pages() if page.url in wanted}
        for task in load_tasks(self._out / DRAFTS, strict=True):
            if unheld_cells(task, pages):
                dropped["cell that its page does not hold"] += 1
            else:
                yield task


def _whole(item: _T | DataError) -> _T:
    if isinstance(item, DataError):
        raise item
    return item
