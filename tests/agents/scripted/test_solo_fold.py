"""`solo_fold`: its notes say all that it goes on from, and it reads on where `solo` stops."""

import asyncio
from dataclasses import replace

import pytest

from agents.evaluate import Exam, evaluate
from agents.scripted import POLICIES
from agents.scripted.notebook import Notebook
from agents.scripted.solo_fold import Notes, excerpts_of
from wideseek_env import TaskSource
from wideseek_env.game.tools import render_page
from wideseek_env.reading.pages import Link
from wideseek_env.records import Episode


def played(policy: str, source: TaskSource, *, max_folds: int = 80, **terms: int) -> list[Episode]:
    exam = Exam(source, width=0, max_folds=max_folds, **terms)
    return list(asyncio.run(evaluate(exam, POLICIES[policy]([job.task for job in exam]))).episodes)


def item_f1(episodes: list[Episode]) -> float:
    scores = [episode.score.item_f1 for episode in episodes if episode.score]
    assert len(scores) == len(episodes)
    return sum(scores) / len(scores)


@pytest.mark.parametrize("preset", ["default", "conflict"])
def test_it_reads_on_where_solo_is_full(preset: str) -> None:
    source = TaskSource.worlds(preset, range(2), split="test", tasks_each=1)
    solo, folding = (played(name, source, budget=240) for name in ("solo", "solo_fold"))
    assert item_f1(folding) > item_f1(solo) + 0.4
    for episode in folding:
        assert episode.num_folds > 3
        assert episode.num_tool_calls <= 240
        texts = [c.arguments["text"] for t in episode.trajectories[0].turns
                 for c in t.decision.calls if c.name == "fold"]  # fmt: skip
        assert max(map(len, texts)) <= episode.limits.max_context_chars // 2


def test_its_depth_curve_rises() -> None:
    source = TaskSource.worlds("default", range(2), split="test", tasks_each=1)
    curve = [item_f1(played("solo_fold", source, budget=240, depth=d)) for d in (4, 10, 40)]
    assert curve == sorted(set(curve))


def test_all_that_it_knows_after_a_fold_stands_in_its_text() -> None:
    """A note that is changed on its way back changes the answer: there is no other memory."""
    source = TaskSource.worlds("default", [0], split="test", tasks_each=1)
    (honest,) = played("solo_fold", source, budget=240)
    rows = [r.body for t in honest.trajectories[0].turns for r in t.results if t.folded]
    first = next(row for row in rows[-1].splitlines() if row.startswith("| "))
    name = first.split("|")[1].strip()
    assert name in (honest.answer or "")
    assert "Zzyzx" in forged(source, name)


def forged(source: TaskSource, name: str) -> str:
    from agents.policy import EpisodeInfo
    from agents.rollout import play
    from wideseek_env.game.episode import Game

    (job,) = list(Exam(source, width=0, max_folds=80, budget=240))
    game = Game(job.task, job.backend, 0, limits=job.limits)
    player = POLICIES["solo_fold"]([]).begin(EpisodeInfo.of(job.task, 0, job.limits, job.seed))

    class Forger:
        async def decide(self, agent, observation):
            results = tuple(
                replace(r, text=r.text.replace(f"| {name} |", "| Zzyzx |"))
                if r.call and r.call.name == "fold"
                else r
                for r in observation.results
            )
            return await player.decide(agent, replace(observation, results=results))

    asyncio.run(play(game, Forger()))
    return game.answer or ""


@pytest.mark.parametrize("kwargs", [{"max_folds": 0}, {"max_folds": 80}])
def test_where_it_may_not_fold_or_need_not_it_plays_as_solo(kwargs: dict[str, int]) -> None:
    source = TaskSource.worlds("easy", [1], split="test", tasks_each=1)
    roomy = [replace(job, limits=replace(job.limits, max_context_chars=2_000_000)) for job in
             Exam(source, width=0, budget=240, **kwargs)]  # fmt: skip
    answers = [
        asyncio.run(evaluate(roomy, POLICIES[name]([]))).episodes[0].answer
        for name in ("solo", "solo_fold")
    ]
    assert answers[0] == answers[1]


def test_notes_are_read_back_as_they_were_written() -> None:
    notes = Notes(
        rows=(("Alden", "12"), ("Brook, upper", "")),
        targets=(Link("Cray", "/cray"), Link("Rivers in V, page 2 of 3", "/rivers/2")),
        excerpts=("Dell | /dell | part 1 of 1\nDell: river in V.\nLength | 7 km",),
        page_chars=(2400,),
    )
    assert Notes.read(notes.text(10_000)) == notes
    assert Notes.read(replace(notes, page_chars=()).text(10_000)).excerpts == notes.excerpts
    assert Notes.read(notes.text(160)).excerpts == ()  # no half excerpt
    assert len(notes.text(50)) == 50


@pytest.mark.parametrize("preset", ["default", "conflict", "hops", "hard"])
def test_an_excerpt_reads_as_its_page_does(preset: str) -> None:
    """Every page about a thing of the gold table, cut down and read again."""
    (chosen,) = TaskSource.worlds(preset, [0], split="test", tasks_each=1)
    urls = {url for row in chosen.task.sources for cell in row for url in cell}
    book = Notebook()
    for url in sorted(urls)[:40]:
        book.read(render_page(asyncio.run(chosen.backend.open(url))))
    again = Notebook()
    labels = {label for thing in book.things.values() for label in thing.facts}
    for thing in book.things.values():
        for excerpt in excerpts_of(thing, labels, "Varnia"):
            assert "\n\n" not in excerpt
            again.read(excerpt)
    assert set(again.things) == set(book.things)
    for name, thing in book.things.items():
        copy = again.things[name]
        assert (copy.noun, copy.alias, copy.unread) == (thing.noun, thing.alias, thing.unread)
        assert {label: thing.value(label) for label in labels} == {
            label: copy.value(label) for label in labels
        }
