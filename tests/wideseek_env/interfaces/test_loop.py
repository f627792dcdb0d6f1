import asyncio
import pickle
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from wideseek_env.interfaces.loop import LoopRunner


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_run_returns_the_result_and_keeps_its_loop() -> None:
    runner = LoopRunner()
    assert [runner.run(double(n)) for n in range(3)] == [0, 2, 4]
    runner.close()
    assert runner.run(double(4)) == 8
    runner.close()


async def test_run_works_while_another_loop_runs_in_this_thread() -> None:
    runner = LoopRunner()
    assert runner.run(double(5)) == 10
    runner.close()


def test_errors_of_the_coroutine_reach_the_caller() -> None:
    async def fail() -> None:
        raise KeyError("x")

    runner = LoopRunner()
    with pytest.raises(KeyError):
        runner.run(fail())
    runner.close()


def test_pickled_runner_comes_back_ready() -> None:
    runner = LoopRunner()
    runner.run(double(1))
    copy = pickle.loads(pickle.dumps(runner))
    assert copy.run(double(2)) == 4
    runner.close()
    copy.close()


def test_close_ends_tasks_and_connections_that_are_left() -> None:
    ended: list[str] = []

    async def connection() -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await asyncio.sleep(0)
            ended.append("connection")

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("task")

    left: list[object] = []

    async def leave() -> None:
        left.extend((asyncio.create_task(wait()), opened := connection()))
        await anext(opened)
        await asyncio.sleep(0)

    runner = LoopRunner()
    runner.run(leave())
    runner.close()
    assert sorted(ended) == ["connection", "task"]


LEFT = """
import asyncio, gc, os, sys, threading
from wideseek_env.interfaces.loop import LoopRunner

kept = []

async def connection():
    try:
        yield
    finally:
        await asyncio.sleep(0)
        print("connection ended")

async def leave():
    kept.extend((asyncio.create_task(asyncio.sleep(60)), connection()))
    await anext(kept[1])
    await asyncio.sleep(0)

def held():
    return len(os.listdir("/proc/self/fd")), threading.active_count()

async def inside(runner):
    runner.run(leave())
    del runner
    gc.collect()

before = held()
runner = LoopRunner()
if sys.argv[1] == "in a loop":
    asyncio.run(inside(LoopRunner()))
else:
    runner.run(leave())
    runner.cycle = runner
    if sys.argv[1] == "dropped":
        del runner
if sys.argv[1] != "at exit":
    gc.collect()
    kept.clear()
    gc.collect()
    assert held() == before, (held(), before)
print("end")
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files as Linux does")
@pytest.mark.parametrize("how", ["dropped", "in a loop", "at exit"])
def test_a_runner_that_is_dropped_without_close_is_silent_and_leaves_nothing(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", LEFT, how],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert sorted(done.stdout.splitlines()) == ["connection ended", "end"]
