"""The page of virtual trials: whole, self-contained, with the numbers of the results; figures inside their frames."""

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from oc_results import KINDS, results
from report_trials import HOSTILE
from test_report_html import Page

import equipoise as eq
from equipoise.figure_style import drawing
from equipoise.report import all_oc_figures, render_oc, write_oc_report
from equipoise.report.oc_figures import (
    bias_forest_figure,
    curve_axis,
    estimate_distribution_figure,
    heat_map_axes,
    heat_map_figure,
    points_figure,
    power_curve_figure,
    stopping_figure,
    z_paths_figure,
)
from equipoise.report.oc_figures.words import ratio_ticks
from equipoise.report.oc_report import oc_sections
from equipoise.report.oc_words import assumed, oc_summary, simulated_rows
from equipoise.sequential import Decision
from equipoise.simulation import grid, simulate_grid
from equipoise.simulation.comparison_table import comparison_tables
from equipoise.simulation.point_names import short_names
from equipoise.wording import clean, decimal, percent


@cache
def sections(kind: str):
    return oc_sections(results(kind))


@cache
def page(kind: str) -> tuple[str, Page]:
    text = render_oc(results(kind))
    return text, Page(text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_whole_and_stands_alone(kind):
    text, parsed = page(kind)
    assert not parsed.open
    assert text.startswith("<!doctype html>")
    assert len(parsed.named("h1")) == 1
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & {tag for tag, _ in parsed.tags}
    for tag, attributes in parsed.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "data", "action"):
                assert value is not None
                assert value.startswith("#"), (tag, value)
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    assert "All patients are virtual" in parsed.text
    assert "nan" not in re.findall(r"\bnan\b", parsed.text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_holds_every_sentence_and_every_cell(kind):
    shown, found = page(kind)[1].text, results(kind)
    told = oc_summary(found)
    sentences = [
        told.headline,
        told.origin,
        *told.simulated,
        *told.rejects,
        *told.ends,
        *told.estimates,
        *assumed(found),
    ]
    for sentence in sentences:
        assert sentence in shown
        assert sentence.endswith("."), sentence
        assert ".." not in sentence
    for name, value in simulated_rows(found):
        assert name in shown
        assert value in shown
    for section in sections(kind):
        for table in section.tables:
            for row in (table.header, *table.rows):
                for cell in row:
                    assert " ".join(cell.split()) in shown


@pytest.mark.parametrize("kind", KINDS)
def test_figures_keep_their_text_inside(kind):
    names = []
    for section in sections(kind):
        for item in section.figures:
            names.append(item.name)
            assert isinstance(item.figure, Figure)
            assert item.figure.get_size_inches()[0] == 4.4
            with drawing():
                item.figure.draw_without_rendering()
                width, height = item.figure.bbox.width, item.figure.bbox.height
                ticks = {
                    id(label)
                    for axes in item.figure.axes
                    for axis in (axes.xaxis, axes.yaxis)
                    for label in axis.get_ticklabels(which="both")
                }
                for text in item.figure.findobj(Text):
                    if id(text) in ticks or not text.get_visible() or not text.get_text().strip():
                        continue
                    box = text.get_window_extent()
                    assert -2 <= box.x0 <= box.x1 <= width + 2, (item.name, text.get_text())
                    assert -2 <= box.y0 <= box.y1 <= height + 2, (item.name, text.get_text())
    assert len(set(names)) == len(names)


def test_the_page_holds_the_numbers_of_the_results():
    found, shown = results("one").results[0], page("one")[1].text
    numbers = [found.protocol_hash, found.version, f"{found.trials:,}", str(found.power), str(found.rejection)]
    numbers += [str(rate) for rate in found.stopping]
    numbers += [found.patients().mean.text(1), found.duration().mean.text(1)]
    for name in ("observed", "median_unbiased", "bias_adjusted"):
        numbers += [decimal(found.estimates(name).mean.value, 2), found.estimates(name).bias.text(2)]
    for one in found.secondary.values():
        numbers += [one.aim.name, str(one.overall.in_favour)]
    numbers.append(f"{percent(found.power.value, 2)} (Monte-Carlo standard error")
    for number in numbers:
        assert number in shown, number
    compared = results("designs")
    for difference in compared.differences[1:]:
        assert difference.power.scaled(100).text(2) in page("designs")[1].text


def test_what_is_said_first():
    headlines = {kind: oc_summary(results(kind)).headline for kind in KINDS}
    power = results("one").results[0].power.value
    assert (
        headlines["one"]
        == f"{percent(power, 1)} of 300 virtual trials conclude that ketamine did better than midazolam."
    )
    assert headlines["null"].startswith("With no effect there, ")
    assert "against a nominal 5.0%" in headlines["null"]
    assert headlines["designs"].startswith("Over 3 designs, from ")
    assert headlines["two-way"].startswith("Over 2 designs, 3 values of effect and 2 values of dropout, from ")
    assert headlines["scenarios"].startswith("Over 2 scenarios, ")
    scenarios = results("scenarios").results
    assert f" {percent(scenarios[1].power.value, 1)} of the virtual trials conclude" in headlines["scenarios"]
    error = percent(scenarios[0].type_one_error.value, 1)
    assert headlines["scenarios"].endswith(f"; with no effect there, {error} reject, the type I error.")
    assert headlines["nothing done"] == "No virtual trial has been finished yet."
    assert "60 of 60 trials done of point 2 of 11." in oc_summary(results("interrupted")).origin
    assert headlines["interrupted"].startswith("Over 2 of 11 values of effect, ")
    assert "60 virtual trials of each point done, " in " ".join(oc_summary(results("interrupted")).simulated)
    whole = results("effects")
    only = oc_summary(replace(whole, results=whole.results[:1], ends=whole.ends[:1]))
    assert only.headline.startswith("At effect 0, the only one done of 11 points, with no effect there, ")
    assert "share their random numbers" not in " ".join(only.simulated)
    assert "interrupted before the first trials" in oc_summary(results("nothing done")).origin
    assert "interrupted" not in page("one")[1].text


def test_the_same_results_give_the_same_bytes_and_the_file_appears_whole(tmp_path):
    write_oc_report(results("one"), tmp_path / "oc-report.html")
    assert (tmp_path / "oc-report.html").read_text(encoding="utf-8") == page("one")[0]
    assert [path.name for path in tmp_path.iterdir()] == ["oc-report.html"]
    with pytest.raises(eq.InputError, match=r"\.html"):
        write_oc_report(results("one"), tmp_path / "oc-report.txt")


def test_hostile_text_stays_text():
    text, parsed = page("hostile")
    assert "<script" not in text
    assert "{{ 7*7 }}" in parsed.text
    assert clean(HOSTILE) in parsed.text
    assert "\x07" not in text


def test_figures_can_be_read_aloud():
    parsed = page("two-way")[1]
    drawings, ids = parsed.named("svg"), {attributes.get("id") for _, attributes in parsed.tags}
    # curves, two maps, and of two points in full: ends, paths, estimates, bias
    assert len(drawings) == 11
    assert all(drawing["role"] == "img" and drawing["aria-labelledby"] in ids for drawing in drawings)


def test_curves_run_through_the_results():
    found = results("two-way")
    assert curve_axis(found) == "effect"
    above, below = power_curve_figure(found).axes
    assert len(above.lines) == len(below.lines) == 4
    expected = [[one.power.value for point, one in zip(found.points, found.results, strict=True)
                 if (point.design, point.values["dropout"]) == key]
                for key in (("obf", 0), ("obf", 0.2), ("pocock", 0), ("pocock", 0.2))]  # fmt: skip
    for line, power in zip(above.lines, expected, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [0, 0.5, 1])
        np.testing.assert_allclose(line.get_ydata(), 100 * np.array(power))
    assert curve_axis(results("designs")) is None
    assert curve_axis(results("words")) is None
    with pytest.raises(eq.InputError, match="in which a number varies"):
        power_curve_figure(results("designs"))


def test_curves_with_long_names_stay_apart():
    found = results("dropouts")
    above, _ = power_curve_figure(found).axes
    assert [line.get_label() for line in above.lines] == ["dropout 0", "dropout 0.5"]
    for line, value in zip(above.lines, (0, 0.5), strict=True):
        expected = [found.results[at].power.value for at in ((0, 2, 4) if value == 0 else (1, 3, 5))]
        np.testing.assert_allclose(line.get_xdata(), [0, 0.5, 1])
        np.testing.assert_allclose(line.get_ydata(), 100 * np.array(expected))
    assert short_names(["arms.a.dropout", "arms.b.dropout", "effect"]) == {
        "arms.a.dropout": "a.dropout",
        "arms.b.dropout": "b.dropout",
        "effect": "effect",
    }


def test_trials_that_could_not_be_analysed_are_told_of():
    found = results("lost")
    lost = found.results[0].trials - found.results[0].estimates().estimated
    assert lost > 20
    sentence = f"{lost} trials of 40 could not be analysed at their last look and count as not rejecting."
    assert sentence in oc_summary(found).headline
    assert sentence in all_oc_figures(found.results[0])[0].caption
    table = comparison_tables(found)[0]
    assert table.rows[0][table.header.index("looks not analysed")] == str(found.results[0].failures)
    assert "could not be analysed" not in page("one")[1].text


def test_whiskers_of_points_are_inside_and_nulls_carry_the_type_i_error():
    for kind in ("designs", "scenarios", "words"):
        found = results(kind)
        left, right = points_figure(found).axes
        for axes in (left, right):
            low, high = axes.get_xlim()
            for bars in axes.containers:
                for (start, _), (end, _) in bars.lines[2][0].get_segments():
                    assert low < start <= end < high
        written = [text.get_text() for text in left.texts]
        rates = [one.power if one.type_one_error is None else one.type_one_error for one in found.results]
        assert written[: len(rates)] == [f"{decimal(100 * rate.value, 1)}%" for rate in rates]
        assert written[len(rates) :] == (["type I error"] if kind == "scenarios" else [])
    names = [label.get_text() for label in points_figure(results("words")).axes[0].get_yticklabels()]
    assert names == ["satterthwaite", "kenward-roger", "residual", "normal"]


def test_the_table_shows_rejections_for_harm():
    points = grid(eq.gallery("ptsd-ketamine"), vary=["effect=-1,1"])
    table = comparison_tables(simulate_grid(points, 40, 1, secondary=False, corrected=False))[0]
    assert "rejects either way, %" in table.header


def test_early_stops_are_said_to_overstate_only_where_they_do():
    sentence = "Those that stop early for efficacy overstate"
    captions = {kind: all_oc_figures(results(kind).results[0])[2].caption for kind in ("one", "null")}
    assert sentence in captions["one"]
    assert sentence not in captions["null"]


def test_heat_map_cells_are_the_results():
    found = results("two-way")
    assert heat_map_axes(found) == ("effect", "dropout")
    figure = heat_map_figure(found, "pocock")
    written = [text.get_text() for text in figure.axes[0].texts]
    cells = {(point.values["dropout"], point.values["effect"]): result for point, result
             in zip(found.points, found.results, strict=True) if point.design == "pocock"}  # fmt: skip
    assert written == [
        decimal(100 * cells[dropout, effect].power.value, 1) for dropout in (0, 0.2) for effect in (0, 0.5, 1)
    ]
    with pytest.raises(eq.InputError, match="just two things vary"):
        heat_map_figure(results("effects"))


def test_bars_add_up_to_all_trials():
    found = results("futility").results[0]
    axes = stopping_figure(found).axes[0]
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(1)
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels == ["for efficacy", "for futility", "at the end, not rejected"]


def test_histograms_hold_the_estimates_by_look():
    found = results("one").results[0]
    panels = estimate_distribution_figure(found).axes
    assert len(panels) == 2
    for look, axes in enumerate(panels, start=1):
        everything, efficacy, harm = (patch.get_data().values.sum() for patch in axes.patches)
        assert everything == pytest.approx(found.stopping[look - 1].value, abs=0.01)
        assert efficacy == pytest.approx(found.share((Decision.EFFICACY,), look).value, abs=0.01)
        assert harm == pytest.approx(found.share((Decision.HARM,), look).value, abs=0.01)
    with pytest.raises(eq.InputError, match="trials that gave estimates"):
        estimate_distribution_figure(results("none analysed").results[0])


def test_paths_are_those_of_the_first_trials():
    from equipoise.report.oc_figures.z_paths import MOST_PATHS, _first_paths

    found = results("one").results[0]
    paths, won = _first_paths(found)
    assert paths.shape == (MOST_PATHS, 2)
    ends = found.rows.ends
    np.testing.assert_array_equal(won, ends["decision"][:MOST_PATHS] == list(Decision).index(Decision.EFFICACY))
    last = paths[np.arange(MOST_PATHS), ends["look"][:MOST_PATHS] - 1]
    np.testing.assert_array_equal(last, ends["z"][:MOST_PATHS])
    assert _first_paths(replace(found, rows=None)) is None
    assert isinstance(z_paths_figure(replace(found, rows=None)), Figure)


def test_paths_come_from_the_folder_too(tmp_path):
    from equipoise.report.oc_figures.z_paths import _first_paths

    protocol = eq.gallery("ptsd-ketamine")
    kept = eq.simulate(protocol, trials=30, secondary=False)
    written = eq.simulate(protocol, trials=30, secondary=False, folder=tmp_path / "x")
    for one, other in zip(_first_paths(kept), _first_paths(written), strict=True):
        np.testing.assert_array_equal(one, other)


def test_bias_is_in_standard_deviations_and_flatters_to_the_right():
    from equipoise.report.oc_figures.bias_forest import _rows

    found = results("one").results[0]
    rows = _rows(found)
    assert [row.name for row in rows[1:4]] == ["as observed", "median-unbiased", "bias-adjusted"]
    summary = found.estimates()
    assert rows[1].overall[0] == pytest.approx(-summary.bias.value / summary.standard_deviation)
    assert rows[1].stopped[0] > 0.5
    with pytest.raises(eq.InputError, match="known truth"):
        bias_forest_figure(results("none analysed").results[0])
    assert [item.name for item in all_oc_figures(results("none analysed").results[0])] == ["one-stopping", "one-paths"]


@pytest.mark.parametrize(("low", "high"), [(0.46, 0.9), (0.9, 1.1), (0.2, 3.0), (0.01, 400.0), (0.5, 2.0)])
def test_ticks_of_ratios_are_few_round_and_inside(low, high):
    ticks = ratio_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    assert all(low <= tick <= high for tick in ticks)


def test_the_table_says_what_is_compared_with_what():
    note = comparison_tables(results("two-way"))[0].note
    assert "Differences are from obf with the same values" in note
    assert "Differences" not in comparison_tables(results("scenarios"))[0].note
    assert "2 of 11 points" in comparison_tables(results("interrupted"))[0].title
