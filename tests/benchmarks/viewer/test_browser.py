"""The page in a real browser: fast, usable by keyboard alone, legible, and deaf to hostile text."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer
from browser import CONTRAST, needs_chromium, opened
from made_episodes import made_episode, made_task

from agents.rollout import Job, rollout
from agents.scripted import FanoutPolicy, SoloPolicy
from benchmarks.viewer.index import open_runs
from benchmarks.viewer.server import make_app
from wideseek_env import World
from wideseek_env.jsonlines import encode

pytestmark = [pytest.mark.slow, needs_chromium]

ATTACK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def write_run(folder, *episodes, ending=b""):
    folder.mkdir()
    lines = [encode(episode) + b"\n" for episode in episodes]
    (folder / "episodes.jsonl").write_bytes(b"".join(lines) + ending)
    return folder


def hand_made(policy, found=4, **more):
    return [
        made_episode(
            made_task(n), policy=policy, found=found, title=ATTACK, key=f"{policy}{n}", **more
        )
        for n in range(6)
    ]  # fmt: skip


async def scripted(num_tasks):
    """Episodes that scripted policies really played."""
    world = World("starter")
    jobs = [Job(task, world.backend(), n, world.preset.limits, metadata={"trial": 0})
            for task in world.tasks(num_tasks) for n in (0, 4)]  # fmt: skip
    played = [e async for e in rollout([j for j in jobs if j.n_subagents == 0], SoloPolicy())]
    return played + [e async for e in rollout([j for j in jobs if j.n_subagents], FanoutPolicy())]


@contextlib.asynccontextmanager
async def shown(tmp_path, *folders):
    """Serves runs and opens the page of the first; gives the browser."""
    async with TestServer(make_app(open_runs(list(folders)))) as server, opened(tmp_path) as page:
        await page.size(1280, 900)
        page.address = str(server.make_url("/"))
        await page.go(page.address)
        await page.until("document.querySelectorAll('#rows tbody tr').length")
        yield page
        assert page.errors == []


ROWS = "document.querySelectorAll('#rows tbody tr').length"
FOCUSED = "document.activeElement.closest('tr')?.rowIndex"


async def test_page_is_usable_by_keyboard_alone(tmp_path):
    run = write_run(tmp_path / "run", *hand_made("fanout"), *hand_made("solo", n_subagents=0))
    async with shown(tmp_path, run) as page:
        await page.press("j", "j")
        assert await page.run(FOCUSED) == 2
        await page.press("k")
        assert await page.run(FOCUSED) == 1
        await page.press("/", *"solo", "Enter")
        await page.until(f"{ROWS} === 6")
        assert await page.run("location.search") == "?q=solo"
        await page.until(f"{FOCUSED} === 1")
        await page.press("j", "Enter")
        await page.until("document.querySelector('.cells')")
        assert "default-1" in await page.run("document.getElementById('one').innerText")
        await page.press("j")
        await page.until("document.getElementById('one').innerText.includes('default-2')")
        first = await page.run("document.querySelector('.turn-panel h3').innerText")
        await page.press("ArrowRight")
        assert await page.run("document.querySelector('.turn-panel h3').innerText") != first
        await page.press("?")
        assert await page.run("document.getElementById('help').open")
        await page.press("Escape")
        assert not await page.run("document.getElementById('help').open")
        await page.press("Escape")
        await page.until("!document.getElementById('list').hidden")
        await page.until(f"{FOCUSED} === 3")  # back where one was


async def test_address_holds_all_that_is_shown(tmp_path):
    run = write_run(tmp_path / "run", *hand_made("fanout"), *hand_made("solo", n_subagents=0))
    async with shown(tmp_path, run) as page:
        await page.go(page.address + "?policy=fanout&sort=task&desc=1")
        await page.until(f"{ROWS} === 6")
        await page.press("j", "Enter")
        await page.until("document.querySelector('.cells')")
        await page.run("document.querySelectorAll('.cell')[4].click()")
        await page.run("[...document.querySelectorAll('.legend button')].at(-1).click()")
        parts = (".path", ".turn-panel", ".legend")
        seen = f"{json.dumps(parts)}.map((part) => document.querySelector(part).innerText)"
        before, link = await page.run(f"JSON.stringify({seen})"), await page.run("location.href")
        assert "cell=1.1" in link
        assert "axis=" in link
        await page.go("about:blank")
        await page.go(link)
        await page.until(
            "!document.querySelector('.path')?.hidden && document.querySelector('.turn-panel h3')"
        )
        assert json.loads(await page.run(f"JSON.stringify({seen})")) == json.loads(before)


async def test_two_runs_stand_side_by_side(tmp_path):
    one = write_run(tmp_path / "one", *hand_made("fanout", found=4))
    two = write_run(tmp_path / "two", *hand_made("fanout", found=2))
    async with shown(tmp_path, one, two) as page:
        await page.until(f"{ROWS} === 12")
        await page.press("j", "Enter")
        await page.until("document.getElementById('compare')?.options.length === 2")
        await page.run(
            "(() => { const s = document.getElementById('compare'); s.selectedIndex = 1;"
            "s.dispatchEvent(new Event('change')); })()"
        )
        await page.until("document.querySelector('.marks')")
        text = await page.run("document.getElementById('one').innerText")
        assert "right in both 6" in text
        assert "in one: fanout × 2 alone 6" in text
        assert "in neither 6" in text
        await page.run("document.querySelector('.cell.fate-differs').click()")
        assert await page.run("document.querySelectorAll('.path:not([hidden])').length") == 2
        link = await page.run("location.href")
        await page.go("about:blank")
        await page.go(link)
        await page.until("document.querySelectorAll('.path:not([hidden])').length === 2")


async def test_hostile_texts_stay_texts_and_damage_is_shown(tmp_path):
    hostile = [replace(e, task=replace(e.task, question=ATTACK)) for e in hand_made(ATTACK)]
    run = write_run(tmp_path / "run", *hostile, ending=b'{"task": "' + ATTACK.encode() + b"\n")
    async with shown(tmp_path, run) as page:
        await page.until(f"{ROWS} === 7")
        assert "line 7 is no episode" in await page.text()
        await page.press("j", "Enter")
        await page.until("document.querySelector('.cells')")
        assert ATTACK in await page.run("document.getElementById('one').innerText")
        await page.go(page.address + "?error=damaged")
        await page.until(f"{ROWS} === 1")
        await page.press("j", "Enter")
        await page.until("document.getElementById('one').innerText.includes('is no episode')")
        assert await page.run("document.querySelectorAll('main img, main script').length") == 0
        assert "owned" not in await page.run("document.title")


async def test_a_run_in_progress_is_followed(tmp_path):
    first, *others = hand_made("fanout")
    run = write_run(tmp_path / "run", first)
    async with shown(tmp_path, run) as page:
        with (run / "episodes.jsonl").open("ab") as file:
            file.write(b"".join(encode(episode) + b"\n" for episode in others))
        await page.until(f"{ROWS} === 6")
        await page.until("document.querySelectorAll('.fates').length === 6", 120)


async def test_an_empty_run_is_one_sentence_until_it_is_played(tmp_path):
    run = write_run(tmp_path / "run")
    async with TestServer(make_app(open_runs([run]))) as server, opened(tmp_path) as page:
        await page.go(str(server.make_url("/")))
        await page.until("document.body.innerText.includes('No episode has been played yet')")
        (run / "episodes.jsonl").write_bytes(encode(hand_made("fanout")[0]) + b"\n")
        await page.until(f"{ROWS} === 1")


async def test_five_thousand_episodes_open_in_two_seconds(tmp_path):
    played = await scripted(10)
    run = write_run(tmp_path / "run")
    with (run / "episodes.jsonl").open("wb") as file:
        for trial in range(5000 // len(played)):
            for number, episode in enumerate(played):
                metadata = {**episode.metadata, "trial": trial, "key": f"{trial} {number}"}
                file.write(encode(replace(episode, metadata=metadata)) + b"\n")
    small = write_run(tmp_path / "small", *played)
    async with opened(tmp_path) as page:
        await page.size(1280, 900)
        busy = await seconds_to_open(page, small, len(played))  # how slow the machine is now
        took = min([await seconds_to_open(page, run, 5000) for _ in range(3)])
        assert took < 2 * max(1.0, busy)
        assert [error for error in page.errors if "ERR_CONNECTION" not in error] == []


async def seconds_to_open(page, run, num):
    """Measures how long a page takes to list a run, from a server that has read nothing yet."""
    async with TestServer(make_app(open_runs([run]))) as server:
        began = time.monotonic()
        await page.go(str(server.make_url("/")))
        await page.until(f"{ROWS} === {min(num, 100)}")
        took = time.monotonic() - began
        matched = "document.getElementById('matched').innerText"
        await page.until(f"{matched}.startsWith('{num:,} of {num:,}')", 120)
        return took


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_texts_have_contrast_in_both_schemes_and_phones_need_no_scrolling(tmp_path, dark):
    episodes = hand_made("fanout", found=4)
    answer = episodes[0].answer.replace("| 101 |", "| 999 |") + "\n| River X | 5 | Nowhere |"
    right = tuple(cell for cell in episodes[0].score.correct if cell != (1, 1))
    score = replace(episodes[0].score, correct=right)
    episodes[0] = replace(episodes[0], answer=answer, score=score)
    run = write_run(tmp_path / "run", *episodes, *hand_made("solo", found=3), ending=b"x\n")
    async with shown(tmp_path, run) as page:
        for width in (1280, 390):
            await page.size(width, 900, dark=dark)
            await page.go(page.address)
            await page.until(f"{ROWS} === 13")
            await look(page, width)
            await page.press("j", "Enter")
            await page.until("document.getElementById('compare')?.options.length === 2")
            for cell in (0, 4):
                await page.run(f"document.querySelectorAll('.cell')[{cell}].click()")
                await look(page, width)
            await page.run(
                "(() => { const s = document.getElementById('compare'); s.selectedIndex = 1;"
                "s.dispatchEvent(new Event('change')); })()"
            )
            await page.until("document.querySelector('.marks')")
            await look(page, width)


async def look(page, width):
    await asyncio.sleep(0.1)
    found = await page.run(CONTRAST)
    assert found["seen"] > 20
    assert found["bad"] == {}
    assert await page.run("document.documentElement.scrollWidth") == width
