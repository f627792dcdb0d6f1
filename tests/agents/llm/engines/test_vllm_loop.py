"""The thread in which vLLM's event loop runs; needs no vLLM."""

from __future__ import annotations

import asyncio
import threading

import pytest

from agents.llm.engines.vllm import _run


@pytest.mark.parametrize("num_pending", [0, 2])
def test_run_closes_the_loop_with_nothing_pending(num_pending: int) -> None:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop,))
    thread.start()
    pending = [
        asyncio.run_coroutine_threadsafe(asyncio.sleep(60), loop) for _ in range(num_pending)
    ]
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    assert not thread.is_alive()
    assert loop.is_closed()
    assert all(future.cancelled() for future in pending)
