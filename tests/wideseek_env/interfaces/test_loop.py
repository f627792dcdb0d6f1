import asyncio
import pickle

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
