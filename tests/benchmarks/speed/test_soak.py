import signal
import subprocess
import sys
import time

import pytest

from benchmarks.speed.soak import SoakOptions, run
from wideseek_env.backends.corpus.pages import PagesBackend
from wideseek_env.backends.recording import StoredBackend

OPTIONS = SoakOptions(num_calls=800, max_concurrent=50, faults=0.1, deadline_s=3.0)


@pytest.mark.slow
def test_calls_under_faults_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OPTIONS) == 0
    said = capsys.readouterr().out
    assert said.startswith("open files")
    assert "800 calls: " in said
    assert "reset" in said


@pytest.mark.slow
def test_wrong_answers_are_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PagesBackend.open

    async def other_page(self: PagesBackend, url: str, part: int = 1) -> object:
        return await real(self, "/p1", part)

    monkeypatch.setattr(PagesBackend, "open", other_page)
    monkeypatch.setattr(StoredBackend, "_holds", lambda self, known: False)
    assert run(OPTIONS) == 1
    assert "got another page's answer" in capsys.readouterr().out


@pytest.mark.slow
def test_ctrl_c_with_connections_that_stall_is_one_sentence() -> None:
    words = ["speed", "soak", "--faults", "0.2"]
    soak = subprocess.Popen(
        [sys.executable, "-m", "wideseek_env", *words], stderr=subprocess.PIPE, text=True
    )
    time.sleep(5)
    soak.send_signal(signal.SIGINT)
    _, told = soak.communicate(timeout=60)
    assert soak.returncode == 130
    assert "Traceback" not in told
    assert told.endswith("interrupted: nothing is kept\n")
