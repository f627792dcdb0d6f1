"""The stages of synthesis: each has its own file and its counts, and is done once.

`state.json` in the output folder says with which settings it was begun and what is finished, so a
run that was stopped goes on where it was. A file appears when it is whole.

| stage | file | holds |
|---|---|---|
| relations | `1_relations.jsonl` | typed relations read from the pages |
| drafts | `2_drafts.jsonl` | tasks with question, gold table and sources |
| checked | `3_checked.jsonl` | those whose every cell its page holds |
| output | `tasks.jsonl`, `test.jsonl`, … | training tasks, held-out ones, other forms, `card.md` |
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from wideseek_env.backends.corpus.folder import Corpus
from wideseek_env.backends.corpus.pages import RawPage
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode, read_json_lines
from wideseek_env.records import Task
from wideseek_env.tasks.files import load_tasks
from wideseek_env.tasks.synthesis.drafts import DraftRules, make_drafts
from wideseek_env.tasks.synthesis.outputs import as_wideseek_r1, write_widesearch
from wideseek_env.tasks.synthesis.pagecheck import PageCells, unheld_cells
from wideseek_env.tasks.synthesis.pagetables import table_relations
from wideseek_env.tasks.synthesis.relations import Relation
from wideseek_env.tasks.synthesis.things import Things
from wideseek_env.worlds.files import write_lines

_T = TypeVar("_T")

RELATIONS, DRAFTS, CHECKED = "1_relations.jsonl", "2_drafts.jsonl", "3_checked.jsonl"
TASKS, TEST, CARD = "tasks.jsonl", "test.jsonl", "card.md"
_STATE = "state.json"
VERSION = 1
"""Raised whenever equal settings give other tasks than before."""


class StageDone(msgspec.Struct):
    """What one stage did."""

    kept: int
    dropped: dict[str, int]
    seconds: float


class State(msgspec.Struct):
    """What an output folder holds."""

    settings: dict[str, Any]
    stages: dict[str, StageDone] = {}


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

    def run(self) -> StageDone:
        """Does all stages that are not done, and returns what the last one did."""
        self._out.mkdir(parents=True, exist_ok=True)
        self._stage("relations", RELATIONS, self._relations)
        self._stage("drafts", DRAFTS, self._drafts)
        self._stage("checked", CHECKED, self._checked)
        return self.finish(CHECKED)

    def finish(self, file: str) -> StageDone:
        """Writes tasks, held-out tasks, their other forms and the data card."""
        begun_s = time.perf_counter()
        train, test = list[Task](), list[Task]()
        for task in load_tasks(self._out / file, strict=True):
            (test if task.metadata["synthesis"]["split"] == "test" else train).append(task)
        write_lines(self._out / TASKS, map(encode, train))
        write_lines(self._out / TEST, map(encode, test))
        write_lines(self._out / "width_20k.jsonl", map(as_wideseek_r1, train))
        write_widesearch(test, self._out / "widesearch.jsonl", self._out / "widesearch_gold")
        done = StageDone(len(train) + len(test), {}, time.perf_counter() - begun_s)
        self._keep("output", done)
        card = data_card(self.state, train, test)
        (self._out / CARD).write_text(card, encoding="utf-8")
        return done

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
        relations = [_whole(each) for each in read_json_lines(self._out / RELATIONS, Relation)]
        titles = Counter((r.place, r.part) for r in relations)
        fair = [r for r in relations if titles[r.place, r.part] == 1]
        dropped["relation on two pages of one title"] += len(relations) - len(fair)
        return make_drafts(fair, self._num, self._rules, dropped)

    def _checked(self, dropped: Counter[str]) -> Iterator[Task]:
        wanted = {
            url
            for relation in map(_whole, read_json_lines(self._out / RELATIONS, Relation))
            for url in relation.urls
        }
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


def data_card(state: State, train: list[Task], test: list[Task]) -> str:
    """Writes what was made, of what, and how much each stage kept."""
    lines = [
        "# Data card",
        "",
        f"{len(train):,} training tasks in `{TASKS}` and `width_20k.jsonl`, {len(test):,} held-out "
        f"ones in `{TEST}` and `widesearch.jsonl`. No row of a held-out task stands, with its key "
        "and another cell, in a table of a training page.",
        "",
        f"Made by rules, no model asked, cost 0. Settings: `{state.settings}`",
        "",
        "| stage | kept | left out | kept of all | seconds |",
        "|---|---|---|---|---|",
    ]
    for name, done in state.stages.items():
        out = sum(done.dropped.values())
        share = done.kept / max(1, done.kept + out)
        lines.append(f"| {name} | {done.kept:,} | {out:,} | {share:.1%} | {done.seconds:.1f} |")
    lines += ["", "| left out in | because of | how many |", "|---|---|---|"]
    for name, done in state.stages.items():
        ranked = sorted(done.dropped.items(), key=lambda each: -each[1])
        lines += [f"| {name} | {reason} | {num:,} |" for reason, num in ranked if num]
    lines += ["", "| tasks with | training | held out |", "|---|---|---|"]
    for name, counts in _features().items():
        lines.append(f"| {name} | {sum(map(counts, train)):,} | {sum(map(counts, test)):,} |")
    return "\n".join(lines) + "\n"


def _features() -> dict[str, Callable[[Task], bool]]:
    def about(name: str) -> Callable[[Task], Any]:
        return lambda task: task.metadata["synthesis"]["difficulty"][name]

    return {
        "a question in Chinese": lambda task: task.language == "zh",
        "conditions": lambda task: about("conditions")(task) > 0,
        "a rank (top k)": lambda task: bool(about("ranked")(task)),
        "a join": lambda task: about("hops")(task) > 1,
        "an answer on several pages": lambda task: not about("one_page")(task),
        "more than 20 rows": lambda task: about("rows")(task) > 20,
    }
