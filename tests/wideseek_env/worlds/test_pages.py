"""Pages: layouts, lists, copies out of date; read through the HTML alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from webreader import Web, web_of

from wideseek_env.worlds import PRESETS, World
from wideseek_env.worlds.presets import Preset


def test_lists_are_cut_into_pages_that_lead_from_one_to_the_next():
    web = web_of("default")
    first = [url for url in web.pages if url.endswith("/1")]
    assert len(first) == 10
    for url in first:
        seen, listed, page = [], [], url
        while page:
            seen.append(page)
            links = [(a.text, a.get("href")) for a in web.pages[page].iter("a")]
            rows = [tr for tr in web.pages[page].iter("tr") if tr.find("td") is not None]
            assert 1 <= len(rows) <= 6
            assert all(len(row) == 2 for row in rows), "name and province, no more"
            listed += [a.get("href") for row in rows for a in row.iter("a")]
            page = next((target for words, target in links if words == "Next page"), "")
        assert web.titles[seen[0]].endswith(f"page 1 of {len(seen)}")
        assert 40 <= len(listed) == len(set(listed)) <= 66


@pytest.mark.parametrize(("preset", "columns"), [("easy", 3), ("default", 2), ("hard", 0)])
def test_lists_carry_at_most_two_facts(preset, columns):
    web = web_of(preset)
    for url, title in web.titles.items():
        if title.startswith("List of"):
            header = web.pages[url].find(".//tr")
            assert (0 if header is None else len(header)) == columns


def test_pages_come_as_info_box_as_prose_and_mixed():
    web = web_of("default")
    layouts = {"box": 0, "prose": 0, "mixed": 0}
    for url, title in web.titles.items():
        if "(" in title:
            box = web.pages[url].find(".//table[@class='infobox']") is not None
            prose = any(h.text == "Facts" for h in web.pages[url].iter("h2"))
            layouts["mixed" if box and prose else "box" if box else "prose"] += 1
    assert all(count > 10 for count in layouts.values()), layouts


def test_archives_are_older_and_each_contradicts_the_page_that_is_right():
    knobs = replace(PRESETS["conflict"], newer=0.0, formats=0.0, prose=0.0, aliases=0.0)
    web = Web(World(knobs, num_pages=1))
    archives = [url for url in web.pages if "/archive-" in url]
    for url in archives:
        main = url.rpartition("/")[0]
        boxes = [
            {tr[0].text_content(): tr[1].text_content() for tr in web.pages[page].iter("tr")}
            for page in (url, main)
        ]
        assert any(boxes[0].get(label, value) != value for label, value in boxes[1].items())
        year = int(re.search(r"Archived copy as of .*?(\d{4})", web.text(url))[1])
        assert year < int(re.search(r"updated: .*?(\d{4})", web.text(main))[1])
    assert len(archives) == round(0.4 * 520)


def test_second_pages_are_newer_as_often_as_the_preset_says():
    def updated(web: Web, url: str) -> str:
        from wideseek_env.reading.writing import read_date

        return str(read_date(re.search(r"Last updated: (.+?)\.", web.text(url))[1]))

    web = web_of("conflict")
    second = [url for url in web.pages if url.endswith("/gazetteer")]
    newer = sum(updated(web, url) > updated(web, url.rpartition("/")[0]) for url in second)
    assert len(second) == 260
    assert newer == round(0.7 * 260)
    web = web_of("default")
    second = [url for url in web.pages if url.endswith("/gazetteer")]
    assert second
    assert all(updated(web, url) < updated(web, url.rpartition("/")[0]) for url in second)


def test_scattered_facts_are_missing_from_the_main_page():
    web = web_of("missing")
    counts = {"alone": 0, "paired": 0}
    for url, title in web.titles.items():
        if "(bridge" in title and "archived" not in title:
            paired = f"{url}/gazetteer" in web.pages
            labels = ("Engineer", "Clearance", "Cost", "Province")
            lacks = sum(label.lower() not in web.text(url).lower() for label in labels)
            counts["paired" if paired else "alone"] += lacks
    assert counts["alone"] == 0
    assert counts["paired"] > 5


def test_starter_page_is_one_line_for_each_fact():
    web = web_of("starter")
    for url, title in web.titles.items():
        lines = [p.text_content() for p in web.pages[url].iter("p")]
        if title.startswith("List"):
            assert len(lines) <= 4, "three things and the next page"
        else:
            assert re.fullmatch(rf"{title}: [a-z]+ in [A-Z][a-z]+", lines[0])
            assert len(lines) == 5
            assert all(len(line) <= 40 for line in lines)


@pytest.mark.parametrize(
    ("knob", "value", "message"),
    [
        ("sizes", (5, 5), "10 numbers"),
        ("list_columns", 3, "0, 1 or 2"),
        ("twins", 1.5, "from 0 to 1"),
        ("rows", (9, 3), "fewest, most"),
        ("filler", 999, "`filler`"),
        ("regions", 0, "at least 1, got 0"),
        ("list_size", 0, "at least 1, got 0"),
        ("attributes", 1, "at least 2, got 1"),
    ],
)
def test_preset_wrong_knob_raises(knob, value, message):
    with pytest.raises(ValueError, match=message):
        Preset("own", PRESETS["easy"].limits, **{knob: value})


def test_preset_compact_with_second_pages_raises():
    with pytest.raises(ValueError, match="`companions` must be 0"):
        replace(PRESETS["starter"], companions=0.5)
