"""Runs of OpenRLHF for the tests: one process each, and what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
START = ROOT / "agents/learned/lm/sft"


class Run:
    """A run in a process of its own.

    Args:
        out: its folder.
        *flags: beside those of the tiny script.
    """

    def __init__(self, out: Path, *flags: str) -> None:
        self.out = out
        out.mkdir(parents=True, exist_ok=True)
        self._log = (out / "log.txt").open("ab")
        self.process = subprocess.Popen(
            [ROOT / "trainers/openrlhf/scripts/tiny-cpu.sh", "--out", str(out), *flags],
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

    def end(self) -> None:
        """Ends the run's process; Ray ends what it has started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
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


SMALL = ("--rollout.batch_size", "4", "--rollout.n_samples_per_prompt", "4", "--audit")
"""Batches of 16 episodes."""
