import re

import pytest
from ports import free_port

from benchmarks.speed.serving import ServingOptions, run


@pytest.mark.slow
def test_load_is_answered_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    options = ServingOptions(num_passages=500, num_workers=1, num_clients=4, seconds=1.0, port=port)
    status = run(options)
    said = capsys.readouterr().out
    (rate,) = re.findall(r"ours, 1 processes: ([\d,]+) queries a second", said)
    assert int(rate.replace(",", "")) > 20
    assert ", 0 failed" in said
    assert ("MISSED" in said) == (status == 1)
