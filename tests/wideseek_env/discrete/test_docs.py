import re
from pathlib import Path

import pytest

from wideseek_env.discrete.features import LEAD_FEATURES, SUBAGENT_FEATURES
from wideseek_env.discrete.moves import LEAD_MOVES, SUBAGENT_MOVES

PAGE = (Path(__file__).parents[3] / "docs" / "discrete.md").read_text()


@pytest.mark.parametrize("table", [LEAD_MOVES, SUBAGENT_MOVES, LEAD_FEATURES, SUBAGENT_FEATURES])
def test_every_move_and_feature_is_documented_in_its_place(table: tuple) -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
    for index, entry in enumerate(table):
        usage = f"{entry.usage[0].upper()}{entry.usage[1:]}".rstrip(".")
        assert (str(index), entry.name, f"{usage}.") in rows


def test_names_are_unique() -> None:
    for table in (LEAD_MOVES, SUBAGENT_MOVES, LEAD_FEATURES, SUBAGENT_FEATURES):
        names = [entry.name for entry in table]
        assert len(set(names)) == len(names)


def test_python_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(block, "discrete.md", "exec"), {})
    reward, figures = capsys.readouterr().out.splitlines()
    assert 0.0 <= float(reward) <= 1.0
    learned, scripted = map(float, figures.split())
    assert learned < scripted  # it draws moves at random
