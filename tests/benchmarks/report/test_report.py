"""The report: whole, small, without links out, and nothing in it runs that a page wrote."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import CONTRAST, needs_chromium, opened
from made_episodes import made_episode, made_task

from benchmarks.compare.run_folder import RunInfo
from benchmarks.compare.settings import Settings
from benchmarks.compare.summary import result_of
from benchmarks.report import report as report_module
from benchmarks.report.page import describe
from benchmarks.report.report import choose, make_report
from wideseek_env.errors import DataError
from wideseek_env.jsonlines import encode

ATTACK = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"
SETTINGS = Settings(
    policies=("fanout", "oracle"), widths=(2, 4), depths=(), sources=("default",), num_tasks=3
)


def make_run(folder, *, num_expected=12, invalid=(), title="", question=None):
    """Writes a run of two policies at two widths on three tasks."""
    folder.mkdir()
    with (folder / "episodes.jsonl").open("wb") as file:
        for cell in SETTINGS.cells():
            for number in range(3):
                task = made_task(number)
                if question:
                    task = replace(task, question=question)
                episode = made_episode(
                    task,
                    policy=cell.policy,
                    n_subagents=cell.width,
                    found=6 if cell.policy == "oracle" else number + cell.width // 2,
                    invalid=(cell.policy, cell.width, number) in invalid,
                    title=title,
                )
                file.write(encode(episode) + b"\n")
    RunInfo.new(SETTINGS, num_expected, "python -m benchmarks --name x").write(folder)
    return folder


def page_data(folder, name="report.html"):
    text = (folder / name).read_text(encoding="utf-8")
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)
    data = json.loads(found[1])
    for episode in data["episodes"]:
        episode.update(json.loads(gzip.decompress(base64.b64decode(episode["packed"]))))
    return data


class Tags(HTMLParser):
    """Collects start tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_make_report_writes_every_file_and_returns_the_table(tmp_path):
    folder = make_run(tmp_path / "run")
    rows = make_report(folder)
    assert {path.name for path in folder.iterdir()} == {
        "episodes.jsonl", "run.json", "summary.json", "width.png", "budget.png", "report.html",
    }  # fmt: skip
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["settings"]["budget"] == SETTINGS.budget
    assert (summary["num_finished"], summary["num_invalid"], summary["partial"]) == (12, 0, False)
    assert len(summary["rows"]) == len(rows) == 4
    assert summary["rows"][0]["item_f1"]["mean"] == rows[0].item_f1.mean
    assert (summary["rows"][0]["policy"], summary["rows"][0]["width"]) == ("fanout", 2)


def test_make_report_again_gives_the_same_bytes(tmp_path):
    folder = make_run(tmp_path / "run")
    make_report(folder)
    first = (folder / "report.html").read_bytes()
    make_report(folder)
    assert (folder / "report.html").read_bytes() == first


def test_make_report_runs_nothing_that_a_page_or_a_question_wrote(tmp_path):
    folder = make_run(tmp_path / "run", title=ATTACK, question=ATTACK)
    make_report(folder)
    tags = Tags((folder / "report.html").read_text(encoding="utf-8")).tags
    assert sum(tag == "script" for tag, _ in tags) == 2
    assert not [tag for tag, _ in tags if tag == "img"]
    assert not [names for _, names in tags if any(name.startswith("on") for name in names)]
    # It is there all the same, as text.
    assert page_data(folder)["episodes"][0]["question"] == ATTACK


def test_make_report_scripts_never_write_html():
    from benchmarks.report import page as report_page

    for path in Path(report_page.__file__).parents[1].glob("*/templates/*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(",
                             path.read_text(encoding="utf-8"))  # fmt: skip


def test_make_report_name_of_the_run_is_escaped(tmp_path):
    folder = make_run(tmp_path / "<b>run & co")
    make_report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "<b>run" not in text
    assert "&lt;b&gt;run &amp; co" in text


def test_make_report_has_no_external_resource(tmp_path):
    folder = make_run(tmp_path / "run")
    make_report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<)]*", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
        "http://127.0.0.1:8090/?${words}`;",  # a link to the viewer, for the reader to follow
    }
    assert "default-src 'none'" in text


def test_describe_says_how_many_tasks_there_are_when_a_source_has_fewer(tmp_path):
    asked = Settings(
        policies=("solo",), depths=(), sources=("default", f"corpus:{tmp_path}"), num_tasks=99
    )
    info = RunInfo.new(asked, num_expected=14, command="")
    assert describe(info).startswith(
        f"7 tasks each on held-out world default and corpus:{tmp_path}, "
    )


def test_make_report_partial_and_invalid_are_said_on_top(tmp_path):
    folder = make_run(tmp_path / "run", num_expected=40, invalid={("fanout", 2, 0)})
    make_report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "Partial: 12 of 40 episodes" in text
    assert "1 of 12 episodes are invalid" in text
    data = page_data(folder)
    assert data["tasks"][0]["item_f1"][0] is None
    assert [e["error"] for e in data["episodes"] if e["error"]] == [
        "BackendError: the index is gone"
    ]


def test_make_report_map_of_tasks_has_the_mean_of_each_cell(tmp_path):
    folder = make_run(tmp_path / "run")
    make_report(folder)
    data = page_data(folder)
    assert [(c["policy"], c["width"]) for c in data["columns"]] == [("fanout", 2), ("fanout", 4)]
    # Task 2: at width 2 3 of 6 rows, at width 4 4 of 6.
    assert data["tasks"][2]["item_f1"] == pytest.approx([2 / 3, 4 / 5], abs=5e-4)


def test_make_report_task_shows_all_its_episodes_and_no_other(tmp_path):
    folder = make_run(tmp_path / "run")
    make_report(folder)
    before = (folder / "report.html").read_bytes()
    make_report(folder, task="default-1")
    assert (folder / "report.html").read_bytes() == before
    shown = page_data(folder, "report-default-1.html")["episodes"]
    assert {(e["task_id"], e["policy"], e["width"]) for e in shown} == {
        ("default-1", policy, width) for policy in ("fanout", "oracle") for width in (2, 4)
    }
    with pytest.raises(ValueError, match="no episode has task 'nope'; the run has default-0"):
        make_report(folder, task="nope")


def test_make_report_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(DataError, match="expected the folder of a benchmark run"):
        make_report(tmp_path)


def test_choose_puts_middle_worst_and_best_before_all_others():
    episodes = [
        made_episode(made_task(n, source=source), n_subagents=k, found=n % 7, policy="fanout")
        for source in map(str, range(20))
        for k in (2, 8, 16)
        for n in range(7)
    ]
    results = [result_of(e, offset) for offset, e in enumerate(episodes)]
    chosen = choose(results)
    assert sorted(result.offset for _, result in chosen) == [*range(len(episodes))]
    assert {result.cell.width for why, result in chosen if why} == {8}
    of_first = {why: r.item_f1 for why, r in choose(results[:21]) if why}
    assert of_first == {
        "worst": 0.0,
        "middle": pytest.approx(2 * 3 / 9),
        "best": pytest.approx(2 * 6 / 12),
    }


def test_choose_shows_the_middle_first_and_more_agents_before_fewer():
    episodes = [
        made_episode(made_task(n), policy=policy, n_subagents=width, found=n)
        for policy, width in (("solo", 0), ("fanout", 8))
        for n in range(7)
    ]
    chosen = choose([result_of(e, offset) for offset, e in enumerate(episodes)])
    assert [(why, result.cell.policy) for why, result in chosen[:6]] == [
        (why, policy) for why in ("middle", "worst", "best") for policy in ("fanout", "solo")
    ]


def test_make_report_shows_whole_episodes_as_far_as_there_is_room(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run")
    make_report(folder)
    shown = page_data(folder)["episodes"]
    assert len(shown) == 12
    monkeypatch.setattr(report_module, "MAX_EPISODE_BYTES", len(shown[0]["packed"]) * 3)
    make_report(folder)
    assert 1 < len(page_data(folder)["episodes"]) < 5
    assert "of 12 episodes are in this page, whole" in (folder / "report.html").read_text()


def test_make_report_headline_has_of_equal_widths_the_least(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with (folder / "episodes.jsonl").open("wb") as file:
        for width in (2, 4):
            file.write(encode(made_episode(made_task(0), n_subagents=width, found=3)) + b"\n")
    RunInfo.new(SETTINGS, 2, "").write(folder)
    make_report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "fanout, 2 subagents; the best of this run" in text
    assert re.findall(r'<div class="meter"><span>(.*?)</span>', text) == ["fanout × 2"]


def test_make_report_headline_has_every_policy_at_its_best_width(tmp_path):
    folder = make_run(tmp_path / "run")
    make_report(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'<div class="meter"><span>(.*?)</span>', text) == ["oracle", "fanout × 4"]


@pytest.mark.slow
@needs_chromium
async def test_report_in_a_browser_shows_every_cell_and_runs_no_page_text(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run", title=ATTACK, question=ATTACK)
    monkeypatch.setattr(report_module, "MAX_EPISODE_BYTES", 6_000)
    make_report(folder)
    async with opened(tmp_path) as page:
        await page.size(1280, 900)
        await page.go((folder / "report.html").as_uri())
        await page.until("document.querySelectorAll('.turn').length >= 10")
        assert await page.run("document.querySelectorAll('.cell.fate-right').length") >= 9
        # A cell of the map whose episode is not in the page tells how to see it.
        await page.run("document.querySelector('#heat td:not(.has)').click()")
        told = await page.run("document.getElementById('elsewhere').innerText")
        assert f"wideseek view {folder}" in told
        assert "task=default-" in told
        await page.run("document.querySelector('#heat td.has').click()")
        await page.until("document.getElementById('elsewhere').hidden")
        assert "owned" not in await page.run("document.title")
        for dark in (False, True):
            await page.size(390, 800, dark=dark)
            assert await page.run("document.documentElement.scrollWidth") == 390
            assert (await page.run(CONTRAST))["bad"] == {}
        assert page.errors == []
