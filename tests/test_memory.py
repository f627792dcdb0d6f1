"""Episodes of a policy that writes as much as it may, never twice the same, fill no memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MOST_MB = 200
"""Over 10,000 episodes, `python tests/test_memory.py 10000`: what is kept has filled its bounds
long before."""

PROGRAM = """
import asyncio, gc, os, sys
from agents.rollout import Job, run_episode
from agents.scripted.script import ScriptPlayer, answer, delegate, open_page, report, search
from test_worst_inputs import read_message
from wideseek_env.reading.writing import convert_number, read_date
from wideseek_env.worlds import World

FILLINGS = ("\\U0001f986 ", "\\U0001f986", "row | a | /b | ~ | A: 1\\n", "| a | b |\\n", "長", "x")
EVERY = 20  # episodes read as scripted agents read, which takes longest


class Hostile:
    name = "hostile"

    def __init__(self):
        self.number = 0

    def text(self, size):
        self.number += 1
        piece = FILLINGS[self.number % len(FILLINGS)]
        return f"{self.number} " + piece * (size // len(piece))

    def begin(self, info):
        def lead(info, observation):
            yield delegate([self.text(20_000)])
            cells = (" ".join(self.text(300).split()) for _ in range(30))
            rows = "".join(f"| {cell} | {self.number} |\\n" for cell in cells)
            yield answer(f"| a | b |\\n|---|---|\\n{rows}| {self.text(60_000)} | 2 |")

        def subagent(info, observation):
            yield (search(self.text(190_000)), search(self.text(300)), search(self.text(5_000)))
            yield (open_page(self.text(190_000)), open_page(f"/{self.number}"))
            yield report(self.text(60_000))

        return ScriptPlayer(info, lead, subagent)


def memory_mb():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


world = World("starter", seed=1, split="test", num_pages=1)
backend = world.backend()
[task] = world.tasks(1, seed=2)
policy, before = Hostile(), 0.0
for number in range(int(sys.argv[1])):
    episode = asyncio.run(run_episode(Job(task, backend, 1), policy))
    assert episode.valid, episode.error
    if number % EVERY == 0:
        read_message(policy.text(20_000))
    read_date(policy.text(400)), convert_number(policy.text(400), "km")
    if number == 20:
        before = memory_mb()
    if number % 1000 == 0:
        print(number, round(memory_mb()), file=sys.stderr, flush=True)
print(memory_mb() - before)
"""


def growth_mb(num_episodes: int) -> float:
    here = Path(__file__).parent
    path = os.pathsep.join([str(here.parent), str(here)])
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(num_episodes)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    return float(run.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_hostile_episodes_fill_no_memory() -> None:
    assert growth_mb(300) < MOST_MB / 2


if __name__ == "__main__":
    sys.stdout.write(f"{growth_mb(int(sys.argv[1])):.0f} MB\n")
