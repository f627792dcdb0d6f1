"""Figures: what is drawn where, and an SVG that takes its colours from the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from made_episodes import made_episode, made_task

from benchmarks.compare.summary import result_of, summarise
from benchmarks.report import charts


def rows():
    episodes = [
        made_episode(made_task(n, source=source), policy="fanout", n_subagents=k, found=min(k, 6))
        for source in ("default", "hard")
        for k in (1, 4, 8)
        for n in (0, 1)
    ]
    episodes += [
        made_episode(made_task(0), policy="solo", n_subagents=0, found=2, depth=depth)
        for depth in (None, 5, 80)
    ]
    episodes += [
        made_episode(made_task(0), policy="oracle", n_subagents=k, found=6) for k in (0, 8)
    ]
    return summarise(map(result_of, episodes))


def lines_of(axes):
    """Returns the lines that join means, as lists of (x, y)."""
    return [
        list(zip(*line.get_data(), strict=True)) for line in axes.lines if len(line.get_xdata())
    ]


def test_draw_width_has_a_panel_for_each_preset_and_the_means_in_it():
    figure = charts.draw_width(rows())
    default, hard = figure.axes[:2]
    assert (default.get_title("left"), hard.get_title("left")) == ("default", "hard")
    assert [label.get_text() for label in default.get_xticklabels()] == ["0", "1", "4", "8"]
    means = [2 * found / (6 + found) for found in (1, 4, 6)]
    assert [pytest.approx(mean) for mean in means] in [
        [y for _, y in line] for line in lines_of(hard)
    ]


def test_draw_width_names_references_beside_their_line_and_not_in_the_legend():
    figure = charts.draw_width(rows())
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["solo", "fanout"] or legend == ["fanout", "solo"]
    assert "oracle" in [text.get_text() for text in figure.axes[0].texts]


def test_draw_budget_puts_width_and_depth_on_one_axis_of_characters():
    figure = charts.draw_budget(rows())
    axes = figure.axes[0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "fanout: subagents",
        "solo: turn limit",
    ]
    read = [row.chars_read / 1000 for row in rows() if row.cell.policy == "fanout"][:3]
    assert read in [[x for x, _ in line] for line in lines_of(axes)]
    assert {"1", "8", "5–80"} <= {text.get_text() for text in axes.texts}


def test_draw_budget_labels_points_that_lie_on_one_another_once():
    same = [
        made_episode(made_task(0), policy="solo", n_subagents=0, found=2, depth=depth)
        for depth in (5, 10, 80)
    ]
    axes = charts.draw_budget(summarise(map(result_of, same))).axes[0]
    assert [text.get_text() for text in axes.texts] == ["5–80"]


def test_draw_a_policy_without_valid_episode_leaves_the_others_their_colours():
    broken = made_episode(made_task(0), policy="mappo", n_subagents=4, invalid=True)
    table = summarise(map(result_of, [broken])) + rows()
    colour = charts.PNG_THEME.of("fanout", ["mappo", "fanout"])
    for draw in (charts.draw_width, charts.draw_budget):
        legend = draw(table).legends[0]
        handles = {
            text.get_text().split(":")[0]: handle.get_color()
            for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)
        }
        assert handles["fanout"] == colour
        assert "mappo" not in handles


def test_draw_without_any_valid_episode_still_draws():
    nothing = summarise([result_of(made_episode(made_task(0), invalid=True))])
    for draw in (charts.draw_width, charts.draw_budget):
        assert charts.svg_of(draw(nothing, charts.SVG_THEME), "x").startswith("<svg")


def test_svg_of_is_xml_with_the_pages_colours_and_own_ids():
    text = charts.svg_of(charts.draw_width(rows(), charts.SVG_THEME), "w")
    ET.fromstring(text)
    assert "var(--series-0)" in text
    assert not re.search(r"#fe0[01]", text)
    assert all(name.startswith("w-") for name in re.findall(r'\bid="([^"]*)"', text))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', text)) <= set(
        re.findall(r'\bid="([^"]*)"', text)
    )


def test_svg_of_is_the_same_every_time():
    first, second = (
        charts.svg_of(charts.draw_budget(rows(), charts.SVG_THEME), "b") for _ in range(2)
    )
    assert first == second


def test_save_png_writes_a_picture(tmp_path):
    charts.save_png(charts.draw_width(rows()), tmp_path / "width.png")
    assert (tmp_path / "width.png").read_bytes().startswith(b"\x89PNG")
