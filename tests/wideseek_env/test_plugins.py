import subprocess
import sys
from pathlib import Path

import pytest

from agents.llm.engines import make_engine
from wideseek_env.formats import FORMATS, get_format
from wideseek_env.plugins import PAGES, MissingExtra, made, names, require, resolve

OURS = {"fanout": 1, "solo": 2, "lazy": "collections:OrderedDict"}


def test_require_names_the_extra() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'wideseek\[llm\]'"):
        require("no_such_module_at_all", "llm")
    assert require("json", "llm").loads("1") == 1


def test_require_tells_the_library_and_the_callers_extra_where_one_of_ours_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asking_module.py").write_text(
        "from wideseek_env.plugins import require\nrequire('no_such_library', 'llm')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra) as raised:
        require("asking_module", "train")
    assert str(raised.value) == (
        "no_such_library could not be imported (No module named 'no_such_library'); install it "
        "with: pip install 'wideseek[train]' (see docs/training.md)"
    )


def test_the_page_of_every_extra_is_there() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert [page for page in {*PAGES.values(), "llm"} if not (docs / f"{page}.md").exists()] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("fanout", 1),
        ("lazy", __import__("collections").OrderedDict),
        ("collections:Counter", __import__("collections").Counter),
        ("collections:Counter.most_common", __import__("collections").Counter.most_common),
        ("os.path:join", __import__("os").path.join),
    ],
)
def test_a_name_or_a_path_finds_the_thing(name: str, found: object) -> None:
    assert resolve("policies", name, OURS) == found


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fanuot", "policies: expected one of fanout, solo, lazy, .*did you mean fanout"),
        ("zzz", "got 'zzz'; or give a Python path"),
        ("no_such_package.x:Y", "there is no 'no_such_package'"),
        ("collections.nosuch:Y", "there is no 'collections.nosuch'"),
        ("collections:Countr", "did you mean Counter"),
        (":Y", "expected a path such as"),
        (".x:Y", "expected a path such as"),
        ("collections:", "expected a path such as"),
        ("a b:c", "expected a path such as"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_the_list(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        resolve("policies", name, OURS)


def test_a_library_that_a_users_module_lacks_is_not_called_a_wrong_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "users_module.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtra, match=r"users_module:Mine.*no_such_library"):
        resolve("policies", "users_module:Mine", {})


def test_an_installed_package_brings_its_own_by_entry_points(tmp_path: Path) -> None:
    info = tmp_path / "guest-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[wideseek.policies]\nguest = guest_code:NAME\nsolo = guest_code:NAME\n"
    )
    (tmp_path / "guest_code.py").write_text("NAME = 'a guest'\n")
    program = (
        "from wideseek_env.plugins import names, resolve\n"
        "print(names('policies', ['solo']), resolve('policies', 'guest', {'solo': 1}),"
        " resolve('policies', 'solo', {'solo': 1}), names('formats', []))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )  # fmt: skip
    assert done.stdout.strip() == "['solo', 'guest'] a guest 1 []"


def test_names_without_packages_are_ours() -> None:
    assert names("policies", OURS) == list(OURS)


def test_formats_and_engines_are_found_by_path() -> None:
    assert type(get_format("wideseek_env.formats:PlainJson")) is type(FORMATS["json"])
    assert make_engine("agents.llm.engines.openai:OpenAIEngine", "m").name == "openai m"
    with pytest.raises(ValueError, match="did you mean hermes"):
        get_format("hermse")


def test_what_is_named_may_make_the_thing_but_not_want_arguments() -> None:
    assert made("sources", "x:y", 3) == 3
    assert made("sources", "x:y", lambda: 4) == 4
    with pytest.raises(ValueError, match="sources: x:y is called without arguments, but missing"):
        made("sources", "x:y", lambda place: place)
