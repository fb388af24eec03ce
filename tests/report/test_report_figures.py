import re
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from report_trials import KINDS, trial, undated

import equipoise as eq
from equipoise.figure_style import BOUND, arm_style, drawing, spread
from equipoise.report import (
    all_figures,
    design_figure,
    durability_figure,
    estimates_figure,
    means_figure,
    path_figure,
    response_figure,
    save_figure,
)
from equipoise.report.figures import figure_bytes, inline_svg


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_of_every_kind_of_trial_is_drawn_with_its_text_inside(kind):
    result = trial(kind)
    found = all_figures(result)
    assert len({item.name for item in found}) == len(found)
    could_stop = result.plan.design.looks > 1
    expected = {"path", "flow"} | ({"design"} if could_stop else set())
    expected |= {"estimates"} if result.conclusion and could_stop else set()
    assert expected == {item.name for item in found} & {"path", "flow", "design", "estimates"}
    for item in found:
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
                assert -1 <= box.x0 <= box.x1 <= width + 1, (item.name, text.get_text())
                assert -1 <= box.y0 <= box.y1 <= height + 1, (item.name, text.get_text())


def test_what_a_trial_lacks_is_refused_by_name():
    with pytest.raises(eq.InputError, match="loss of response"):
        durability_figure(trial("no response"))
    with pytest.raises(eq.InputError, match="response endpoint"):
        response_figure(trial("no response"))
    with pytest.raises(eq.InputError, match="conclusion"):
        estimates_figure(trial("failed"))
    with pytest.raises(eq.InputError, match="means"):
        means_figure(trial("failed"))


def test_the_path_goes_through_the_z_values():
    result = trial("not rejected")
    lines = path_figure(result).axes[0].get_lines()
    path = next(line for line in lines if line.get_marker() == "o")
    np.testing.assert_array_equal(path.get_ydata(), [look.z for look in result.looks])
    np.testing.assert_array_equal(path.get_xdata(), result.plan.design.information)
    assert "Look 2: z = 0.584, not rejected" in texts(path_figure(result))


@pytest.mark.parametrize("kind", KINDS)
def test_the_path_is_drawn_against_the_bounds_it_met(kind):
    result = trial(kind)
    lines = [line for line in path_figure(result).axes[0].get_lines() if line.get_color() == BOUND]
    found = {
        round(float(at), 9): float(bound)
        for line in lines
        for at, bound in np.asarray(line.get_xydata())
        if bound > 0 and line.get_marker() == "^"
    }
    for look in result.looks:
        if look.z is not None or look is result.last_look:
            assert found[round(look.fraction, 9)] == pytest.approx(look.efficacy_bound, abs=1e-12)
    ticks = path_figure(result).axes[0].get_xticks()
    assert all(np.isclose(ticks, look.fraction).any() for look in result.looks)


def test_a_look_asked_for_has_the_bound_that_the_looks_before_it_leave():
    protocol = trial("undated look").protocol
    result = trial("not rejected")
    asked = eq.analyse(protocol, undated(result.followed), look=2)
    lines = [line for line in path_figure(asked).axes[0].get_lines() if line.get_color() == BOUND]
    np.testing.assert_array_equal(
        lines[0].get_xydata(), [[0.75, 2.3397113292326988], [1.0, asked.last_look.efficacy_bound]]
    )


def test_the_design_shows_both_sides_or_futility():
    two, one = texts(design_figure(trial("efficacy").plan)), texts(design_figure(trial("futility").plan))
    assert "2.340" in two
    assert "−2.340" in two
    assert "stop for harm" in two
    assert "stop for futility" in one
    assert "stop for harm" not in one


def test_response_prints_the_number_needed_to_treat_through_infinity():
    assert "NNTB 20.0 (NNTB 3.7 to ∞ to NNTH 5.8)" in texts(response_figure(trial("not rejected")))
    assert "NNTB 1.8 (1.3 to 5.2)" in texts(response_figure(trial("efficacy")))
    assert "NNT ∞" in texts(response_figure(trial("failed")))


def test_durability_shows_the_curve_its_censoring_and_those_at_risk():
    result = trial("efficacy")
    arm = result.secondary[1].arms[0]
    figure = durability_figure(result)
    axes = figure.axes[0]
    ticks = [line for line in axes.get_lines() if line.get_marker() == "|"]
    assert arm.responders.censored.any()
    np.testing.assert_array_equal(ticks[0].get_xdata(), arm.responders.times[arm.responders.censored > 0])
    shown = [text.get_text() for text in axes.texts]
    expected = [str(count) for count in arm.responders.at_risk_at(axes.get_xticks())]
    start = shown.index("Number at risk") + 1
    assert shown[start : start + len(expected)] == expected
    assert "median 51.5 days" in texts(figure)
    assert "no responders" in texts(durability_figure(trial("failed")))
    assert "Ketamine: no follow-up" in texts(durability_figure(trial("no follow-up")))
    assert "not reached" not in texts(durability_figure(trial("no follow-up")))


def test_the_observed_interval_of_a_response_is_named():
    assert "As observed, Newcombe: 53.3 (19.8 to 74.2)" in texts(estimates_figure(trial("response")))
    assert "As observed: " in texts(estimates_figure(trial("efficacy")))


def test_captions_say_which_patients_are_counted():
    captions = {item.name: item.caption for item in all_figures(trial("response"))}
    for name in ("durability-responders", "durability-randomised"):
        assert "all randomised by the deciding look, followed to the end" in captions[name]
    assert "At the deciding look" in captions["response"]
    assert "(Newcombe)" in captions["estimates"]
    assert "Newcombe" not in {item.name: item.caption for item in all_figures(trial("efficacy"))}["estimates"]


def test_arms_differ_in_more_than_colour():
    styles = [arm_style(at) for at in range(5)]
    for one, other in combinations(styles, 2):
        assert one.colour != other.colour
        assert one.line != other.line
        assert one.marker != other.marker
        assert one.hatch != other.hatch


def test_labels_are_spread_without_changing_their_order():
    heights = spread([1.0, 1.01, 0.99], 0.5, 0.0, 1.2)
    assert sorted(heights) == [heights[2], heights[0], heights[1]]
    assert np.diff(sorted(heights)).min() > 0.49
    assert min(heights) >= 0
    assert max(heights) <= 1.2


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("SVG", b"<?xml")]
)
def test_figures_are_saved_by_suffix_with_the_same_bytes(tmp_path, suffix, start):
    first, second = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    save_figure(path_figure(trial("efficacy")), first)
    save_figure(path_figure(trial("efficacy")), second)
    assert first.read_bytes().startswith(start)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.name, second.name]


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.svg.gz"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(eq.InputError, match=r"\.png, \.svg or \.pdf"):
        save_figure(path_figure(trial("efficacy")), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_made_and_a_file_is_no_folder(tmp_path):
    save_figure(path_figure(trial("efficacy")), tmp_path / "new" / "figure.png")
    assert (tmp_path / "new" / "figure.png").stat().st_size > 1000
    with pytest.raises(eq.InputError, match="can be written"):
        save_figure(path_figure(trial("efficacy")), tmp_path / "new" / "figure.png" / "figure.png")


def test_settings_of_the_user_neither_matter_nor_change():
    expected = figure_bytes(means_figure(trial("efficacy")), "svg")
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "none", "lines.linewidth": 9, "font.family": "serif"}):
        before = dict(matplotlib.rcParams)
        assert figure_bytes(means_figure(trial("efficacy")), "svg") == expected
        assert dict(matplotlib.rcParams) == before


def test_inline_svg_is_named_and_keeps_its_identifiers_to_itself():
    one = inline_svg(path_figure(trial("efficacy")), "one", "Path <of> the trial")
    other = inline_svg(path_figure(trial("efficacy")), "other", "Path")
    assert one.startswith("<svg viewBox=")
    assert '<title id="one-title">Path &lt;of&gt; the trial</title>' in one
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, other)]
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', one))
    assert used
    assert used <= ids[0]
    assert "<!--" not in one
    assert "<metadata" not in one
