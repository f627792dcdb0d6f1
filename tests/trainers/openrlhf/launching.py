"""Runs of OpenRLHF for the tests: one process each, and what it left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[3]
START = ROOT / "agents/learned/lm/sft"


class Run:
    """A run in a process of its own.

    Args:
        out: its folder.
        *flags: beside those of the script.
        script: one of `trainers/openrlhf/scripts`.
    """

    def __init__(self, out: Path, *flags: str, script: str = "tiny-cpu") -> None:
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        self._orphans: list[psutil.Process] = []
        self._log = (out / "log.txt").open("ab")
        self.process = subprocess.Popen(
            [ROOT / f"trainers/openrlhf/scripts/{script}.sh", "--out", str(out), *flags],
            cwd=ROOT,
            env={**os.environ, "PYTHON": sys.executable},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self, timeout_s: float = 600) -> int:
        """Returns the status; ends the run if it takes longer."""
        try:
            return self.process.wait(timeout_s)
        finally:
            self.end()

    def wait_for(self, num_steps: int, timeout_s: float = 600) -> None:
        """Waits until so many steps are done."""
        end_s = time.monotonic() + timeout_s
        while len(self.steps) < num_steps:
            assert self.process.poll() is None, self.log[-5000:]
            assert time.monotonic() < end_s, self.log[-5000:]
            time.sleep(1)

    def kill(self, worker: str) -> None:
        """Kills a worker of Ray's without warning; what it leaves behind ends with the run."""
        found = re.search(rf"\({worker} pid=(\d+)\)", self.log)
        assert found, f"{worker} has said nothing"
        victim = psutil.Process(int(found[1]))
        self._orphans += victim.children(recursive=True)
        victim.kill()

    def end(self) -> None:
        """Ends the run's process; Ray ends what it has started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
        for process in self._orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._log.close()

    @property
    def log(self) -> str:
        return (self.out / "log.txt").read_text(errors="replace")

    @property
    def steps(self) -> list[dict[str, float]]:
        """The numbers of each step."""
        path = self.out / "metrics.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


def trained(out: Path, *flags: str) -> Run:
    """Returns a run that has ended well."""
    run = Run(out, *flags)
    status = run.wait()
    assert status == 0, run.log[-5000:]
    return run


SMALL = (
    *("--rollout.batch_size", "4", "--rollout.n_samples_per_prompt", "4", "--audit"),
    *("--actor.lr_warmup_ratio", "0"),
)
"""Batches of 16 episodes."""


def assert_right(
    run: Run, num_steps: int, num_episodes: int | None = 16, max_gap: float = 0.01
) -> None:
    """Every step followed the objective, with teams of different sizes."""
    assert [step["step"] for step in run.steps] == list(range(1, num_steps + 1))
    for step in run.steps:
        assert step["audit/difference"] < 0.01
        assert step["rollout/logprob_gap"] < max_gap
        assert step["ppo_clip_ratio"] == 0.0  # one optimiser step: nothing has moved before it
        assert num_episodes is None or step["rollout/num_episodes"] == num_episodes
    rows, episodes = (
        sum(step[f"rollout/num_{what}"] for step in run.steps) for what in ("rows", "episodes")
    )
    assert rows % episodes, "teams of one size show nothing"
