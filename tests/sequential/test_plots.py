import io
import math
from dataclasses import replace
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy.special import ndtr

import equipoise as eq
from equipoise.estimate import Estimate, Scale
from equipoise.figure_style import BOUND, arm_style, drawing
from equipoise.sequential import (
    FixedBounds,
    GroupSequential,
    HaybittlePeto,
    HwangShihDeCaniSpending,
    NoEarlyStopping,
    OBrienFleming,
    OBrienFlemingSpending,
    Pocock,
    PowerSpending,
)
from equipoise.sequential.futility_scales import SCALES, on_scale
from equipoise.sequential.plots import (
    bounds_figure,
    estimators_figure,
    monitoring_figure,
    power_figure,
    spending_figure,
)

FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
TWENTIETHS = tuple((at + 1) / 20 for at in range(20))
GAMMA = HwangShihDeCaniSpending(-2.0)
DESIGNS = {
    "one look": GroupSequential((1.0,), 0.025, 1, beta=0.1),
    "one look, two-sided": GroupSequential((1.0,), beta=0.1),
    "two looks": GroupSequential((0.5, 1.0), 0.025, 1, futility=OBrienFlemingSpending(), beta=0.1),
    "five looks": GroupSequential(FIFTHS, 0.025, 1, futility=GAMMA, beta=0.1),
    "without futility": GroupSequential(FIFTHS, 0.025, 1, Pocock(), beta=0.1),
    "wedge": GroupSequential(FIFTHS, futility=GAMMA, beta=0.1),
    "two-sided": GroupSequential((0.3, 0.6, 0.9, 1.0), efficacy=OBrienFleming(), beta=0.1),
    "crowded": GroupSequential((0.3, 0.6, 0.8, 0.9, 1.0), efficacy=HaybittlePeto(), beta=0.2),
    "twenty looks": GroupSequential(TWENTIETHS, 0.025, 1, futility=PowerSpending(2.0), beta=0.1),
    "twenty looks, wedge": GroupSequential(TWENTIETHS, futility=PowerSpending(2.0), beta=0.1),
    "far and missing": GroupSequential(
        (0.1, 0.4, 0.7, 1.0), 0.025, 1, FixedBounds((7.0, None, 2.5)), FixedBounds((None, 0.0, 0.5)), beta=0.1
    ),
    "extreme": GroupSequential((0.001, 0.01, 0.7, 1.0), 1e-6, beta=0.1),
    "late": GroupSequential(
        (0.5, 0.75, 1.0), 0.025, 1, NoEarlyStopping(), FixedBounds((0.1, 0.2), scale="conditional power"), beta=0.1
    ),
}
FIVE, WEDGE = DESIGNS["five looks"], DESIGNS["wedge"]
OBSERVED = (0.25, 0.43, 0.58)


def estimates(z, information, df=math.inf):
    return [
        Estimate(-0.12 * value / math.sqrt(time), 0.12 / math.sqrt(time), df, Scale.LOG_HAZARD_RATIO, "lower")
        for value, time in zip(z, information, strict=True)
    ]


HAZARDS = estimates((0.8, 1.9, 3.1), OBSERVED)
STOPPED = FIVE.conclude(HAZARDS, information=OBSERVED)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def drawn_bounds(figure: Figure) -> list[tuple[np.ndarray, np.ndarray]]:
    """Runs of bounds: information and values, in the order drawn (each side, its edge and then its inner edge)."""
    lines = [line for line in figure.axes[0].get_lines() if line.get_color() == BOUND]
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in lines]


def path_of(figure: Figure) -> np.ndarray:
    blue = [line for line in figure.axes[0].get_lines() if line.get_color() == arm_style(1).colour]
    return np.asarray(blue[0].get_xydata())


def assert_readable(figure: Figure, apart: bool = True) -> None:
    """Every text lies inside the figure, and no two written into the axes lie over each other."""
    assert figure.get_size_inches()[0] == 4.4
    with drawing():
        figure.draw_without_rendering()
        ticks = {
            id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()
        }
        for text in figure.findobj(Text):
            if id(text) in ticks or not text.get_visible() or not text.get_text().strip():
                continue
            box = text.get_window_extent()
            assert -1 <= box.x0 <= box.x1 <= figure.bbox.width + 1, text.get_text()
            assert -1 <= box.y0 <= box.y1 <= figure.bbox.height + 1, text.get_text()
        if apart:
            for axes in figure.axes:
                for one, other in combinations(axes.texts, 2):
                    first, second = one.get_window_extent(), other.get_window_extent()
                    across = min(first.x1, second.x1) - max(first.x0, second.x0)
                    along = min(first.y1, second.y1) - max(first.y0, second.y0)
                    # frames include the room of letters that reach below the line
                    assert across < 2 or along < 4, (one.get_text(), other.get_text())


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("scale", ["z", "p-value", "effect", "conditional power"])
def test_bounds_of_every_design_read_well_on_every_scale(name, scale):
    if scale == "conditional power" and DESIGNS[name].looks == 1:
        with pytest.raises(eq.InputError, match="one look"):
            bounds_figure(DESIGNS[name], scale)
    else:
        assert_readable(bounds_figure(DESIGNS[name], scale))


@pytest.mark.parametrize("name", DESIGNS)
def test_power_and_spending_of_every_design_read_well(name):
    assert_readable(power_figure(DESIGNS[name]))
    assert_readable(spending_figure(DESIGNS[name]))


def test_bounds_lie_at_the_looks():
    efficacy, futility = drawn_bounds(bounds_figure(FIVE))
    np.testing.assert_array_equal(efficacy, [FIFTHS, FIVE.efficacy_bounds])
    assert FIVE.futility_bounds is not None
    np.testing.assert_array_equal(futility, [FIFTHS[:-1], FIVE.futility_bounds[:-1]])
    shown = texts(bounds_figure(FIVE))
    assert {"4.877", "2.031", "−0.903", "stop for efficacy", "stop for futility"} <= set(shown)
    assert "stop for harm" not in shown


def test_a_two_sided_design_has_harm_and_a_wedge():
    efficacy, harm, upper, lower = drawn_bounds(bounds_figure(WEDGE))
    np.testing.assert_array_equal(harm[1], -efficacy[1])
    np.testing.assert_array_equal(lower[1], -upper[1])
    assert WEDGE.futility_bounds is not None
    # no wedge at the first two looks, and none at the last, where nothing is left but not to reject
    assert not np.isfinite(WEDGE.futility_bounds[:2]).any()
    np.testing.assert_array_equal(upper, [FIFTHS[2:4], WEDGE.futility_bounds[2:4]])
    assert {"±0.574", "stop for harm"} <= set(texts(bounds_figure(WEDGE)))


def test_a_look_without_a_bound_breaks_the_line_and_a_far_bound_is_pointed_to():
    figure = bounds_figure(DESIGNS["far and missing"])
    runs = drawn_bounds(figure)
    assert [run[0].tolist() for run in runs] == [[0.1], [0.7, 1.0], [0.4, 0.7]]
    assert figure.axes[0].get_ylim()[1] < 7
    assert {"none", "↑ 7.000"} <= set(texts(figure))


def test_regions_reach_from_the_bound_to_the_end_of_the_picture():
    figure = bounds_figure(DESIGNS["two looks"])
    efficacy, futility = (collection.get_datalim(figure.axes[0].transData) for collection in figure.axes[0].collections)
    low, high = figure.axes[0].get_ylim()
    design = DESIGNS["two looks"]
    assert design.futility_bounds is not None
    assert (efficacy.y0, efficacy.y1) == (design.efficacy_bounds[-1], high)
    assert (futility.y0, futility.y1) == (low, design.futility_bounds[0])


@pytest.mark.parametrize("scale", list(SCALES)[1:])
def test_bounds_on_other_scales_are_those_of_the_scale(scale):
    efficacy, futility = drawn_bounds(bounds_figure(FIVE, scale))
    looks = 5 if scale in ("p-value", "effect") else 4
    given = (FIFTHS, FIVE.efficacy_bounds, FIVE.drift)
    assert FIVE.futility_bounds is not None
    for shown, bounds, count in ((efficacy, FIVE.efficacy_bounds, looks), (futility, FIVE.futility_bounds, 4)):
        expected = [on_scale(float(bounds[at]), scale, at + 1, *given) for at in range(count)]
        np.testing.assert_allclose(shown[1], np.clip(expected, None, 1.0) if looks == 4 else expected, rtol=1e-14)


def test_a_bound_given_as_conditional_power_is_shown_as_given():
    futility = drawn_bounds(bounds_figure(DESIGNS["late"], "conditional power"))[0]
    np.testing.assert_allclose(futility[1], [0.1, 0.2], rtol=1e-9)
    two_sided = GroupSequential((0.5, 1.0), futility=FixedBounds((0.6,), scale="conditional power"), beta=0.1)
    upper = drawn_bounds(bounds_figure(two_sided, "conditional power"))[2]
    np.testing.assert_allclose(upper[1], [0.6], rtol=1e-9)


def test_both_sides_share_the_two_sided_p_value():
    figure = bounds_figure(WEDGE, "p-value")
    efficacy, _ = drawn_bounds(figure)
    np.testing.assert_allclose(efficacy[1], WEDGE.nominal_p_values, rtol=1e-14)
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].yaxis_inverted()
    assert "stop for efficacy or, if z < 0, for harm" in texts(figure)


def test_the_path_is_drawn_on_the_bounds_found_at_the_observed_information():
    figure = bounds_figure(FIVE, conclusion=STOPPED, path=HAZARDS)
    np.testing.assert_allclose(path_of(figure), np.column_stack((OBSERVED, (0.8, 1.9, 3.1))), rtol=1e-12)
    efficacy, _ = drawn_bounds(figure)
    np.testing.assert_array_equal(efficacy[0], [*OBSERVED, 0.8, 1.0])
    assert efficacy[1][2] == pytest.approx(STOPPED.efficacy_bound, abs=1e-12)
    assert not np.allclose(efficacy[1][:3], FIVE.efficacy_bounds[:3], atol=0.05)
    dotted = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == ":"]
    np.testing.assert_array_equal(dotted[0].get_ydata(), FIVE.efficacy_bounds)
    assert {"Look 3 of 5: stop for efficacy", "3.100", "Information fraction (dotted: bounds as planned)"} <= set(
        texts(figure)
    )
    assert_readable(figure, apart=False)


def test_a_conclusion_alone_shows_its_look():
    np.testing.assert_allclose(path_of(bounds_figure(FIVE, conclusion=STOPPED)), [[0.58, 3.1]], rtol=1e-12)


def test_a_look_that_was_never_taken_is_counted_but_has_no_bound():
    # as a trial whose second look failed would say: the third look, the second with an analysis
    skipped = replace(FIVE.conclude(estimates((0.8, 1.2), (0.2, 0.6)), information=(0.2, 0.6)), look=3)
    figure = bounds_figure(FIVE, conclusion=skipped)
    assert "Look 3 of 5: continue" in texts(figure)
    assert drawn_bounds(figure)[0][0].tolist() == [0.2, 0.6, 0.8, 1.0]


@pytest.mark.parametrize("df", [math.inf, 8.0])
def test_on_the_scale_of_the_estimates_the_bound_is_the_estimate_that_reaches_it(df):
    seen = estimates((1.0, 1.5), FIFTHS[:2], df=df)
    conclusion = FIVE.conclude(seen)
    figure = bounds_figure(FIVE, "effect", conclusion=conclusion, path=seen)
    efficacy, futility = drawn_bounds(figure)
    assert efficacy[1].size == 5
    for at in range(2):
        reaching = replace(seen[at], effect=math.log(efficacy[1][at]))
        assert reaching.favourable_z == pytest.approx(FIVE.efficacy_bounds[at], abs=1e-9)
    np.testing.assert_allclose(path_of(figure)[:, 1], [math.exp(estimate.effect) for estimate in seen], rtol=1e-14)
    # a lower hazard is better, so efficacy lies below
    assert efficacy[1][-1] < 1
    assert np.all(efficacy[1][:4] < futility[1])
    assert figure.axes[0].get_yscale() == "log"
    assert not figure.axes[0].yaxis_inverted()
    assert "Hazard ratio" in texts(figure)
    if math.isinf(df):
        ahead = np.exp(-FIVE.efficacy_bounds[2:] * 0.12 / np.sqrt(FIFTHS[2:]))
        np.testing.assert_allclose(efficacy[1][2:], ahead, rtol=1e-12)


def test_the_last_look_has_the_power_of_what_is_known():
    figure = bounds_figure(FIVE, "conditional power", path=[0.5, 1.0, 1.5, 2.0, 2.2])
    assert path_of(figure)[-1].tolist() == [1.0, 1.0]
    figure = bounds_figure(FIVE, "conditional power", path=[0.5, 1.0, 1.5, 2.0, 2.0])
    assert path_of(figure)[-1].tolist() == [1.0, 0.0]
    assert "Look 5 of 5: not rejected" in texts(figure)


def test_a_path_without_a_conclusion_is_decided_and_a_look_that_failed_left_out():
    figure = bounds_figure(WEDGE, path=[0.2, None, math.nan, -0.3])
    np.testing.assert_array_equal(path_of(figure), [[0.2, 0.2], [0.8, -0.3]])
    assert "Look 4 of 5: stop for futility" in texts(figure)
    assert "Look 2 of 5: continue" in texts(bounds_figure(WEDGE, path=[0.2, None]))


def test_harm_is_an_open_mark_on_the_folded_scale():
    figure = bounds_figure(WEDGE, "p-value", path=[1.0, -3.5])
    faces = [line for line in figure.axes[0].get_lines() if line.get_markerfacecolor() == "white"]
    assert [line.get_ydata()[0] for line in faces] == [pytest.approx(2 * ndtr(-3.5), rel=1e-12)]
    assert "Look 2 of 5: stop for harm" in texts(figure)


def test_an_overrun_lies_inside_the_picture():
    figure = bounds_figure(FIVE, path=[0.5, 1.0, 1.2, 1.6, 1.9], information=[*FIFTHS[:4], 1.3])
    assert figure.axes[0].get_xlim()[1] > 1.3
    assert path_of(figure)[-1].tolist() == [1.3, 1.9]
    assert_readable(figure, apart=False)


@pytest.mark.parametrize("z", [40.0, -40.0])
@pytest.mark.parametrize("scale", SCALES)
def test_extreme_paths_are_drawn(z, scale):
    assert_readable(bounds_figure(WEDGE, scale, path=[z]), apart=False)
    assert_readable(bounds_figure(FIVE, scale, path=[z]), apart=False)


def test_what_does_not_fit_is_refused():
    plain = GroupSequential((0.5, 1.0))
    for given, message in (
        ({"scale": "odds"}, "scale"),
        ({"scale": "effect"}, "beta"),
        ({"path": [1.0], "information": [0.5, 1.0]}, "path"),
        ({"path": []}, "path"),
        ({"path": [math.inf]}, "finite z-value"),
        ({"information": [0.5]}, "information"),
        ({"conclusion": STOPPED}, "design given"),
    ):
        with pytest.raises(eq.InputError, match=message):
            bounds_figure(plain, **given)
    with pytest.raises(eq.InputError, match="led to the conclusion"):
        bounds_figure(FIVE, conclusion=STOPPED, path=[0.8, 1.9, 3.2])
    assert_readable(bounds_figure(plain, "effect", drift=3.0))


def test_power_is_the_upper_edge_of_the_stops():
    figure = power_figure(FIVE)
    above, below = figure.axes
    power = next(line for line in above.get_lines() if line.get_color() == arm_style(1).colour)
    effects = np.asarray(power.get_xdata())
    np.testing.assert_allclose(power.get_ydata(), FIVE.power(effects * FIVE.drift), atol=1e-12)
    exits = FIVE.exit_probabilities(effects * FIVE.drift)
    futility = next(line for line in above.get_lines() if line.get_color() == arm_style(0).colour)
    assert exits.futility is not None
    np.testing.assert_allclose(futility.get_ydata(), -exits.futility[:, :-1].sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(below.get_lines()[0].get_ydata(), FIVE.expected_information(effects * FIVE.drift))
    # one band a look for efficacy, one an interim look for futility
    assert len(above.collections) == 5 + 4 + 1
    assert {"power 90.0%", "fixed design", "True effect (multiple of the planned one)"} <= set(texts(figure))


def test_power_without_beta_is_against_drift_and_takes_drifts():
    figure = power_figure(GroupSequential((0.5, 1.0)), [-3.0, 0.0, 3.0])
    assert figure.axes[0].get_xlim() == (-3.0, 3.0)
    assert "stop for harm" in texts(figure)
    assert "Drift, mean of z at full information" in texts(figure)
    for wrong in ([1.0], [1.0, 0.0], [0.0, math.inf]):
        with pytest.raises(eq.InputError, match="drifts"):
            power_figure(FIVE, wrong)


def test_spending_shows_function_and_looks():
    alpha, beta = spending_figure(WEDGE).axes
    curve, points = alpha.get_lines()[:2]
    np.testing.assert_allclose(
        np.interp(0.5, curve.get_xdata(), curve.get_ydata()), 2 * OBrienFlemingSpending().spent(0.5, 0.025), rtol=1e-4
    )
    np.testing.assert_array_equal(points.get_xydata(), np.column_stack((FIFTHS, WEDGE.alpha_spent)))
    assert WEDGE.beta_spent is not None
    np.testing.assert_array_equal(beta.get_lines()[1].get_ydata(), WEDGE.beta_spent)
    assert any("without a wedge" in text for text in texts(spending_figure(WEDGE)))
    assert not any("without a wedge" in text for text in texts(spending_figure(FIVE)))


def test_a_classical_boundary_spends_in_points_alone():
    (axes,) = spending_figure(DESIGNS["without futility"]).axes
    points, total = axes.get_lines()
    assert points.get_linestyle() == "None"
    np.testing.assert_array_equal(points.get_ydata(), DESIGNS["without futility"].alpha_spent)
    assert total.get_ydata()[0] == 0.025


@pytest.mark.parametrize(
    ("name", "z", "look"),
    [
        ("five looks", 1.0, 1),
        ("five looks", -1.0, 2),
        ("wedge", 0.1, 4),
        ("far and missing", 6.5, 1),
        ("extreme", 2.0, 3),
        ("two looks", -4.0, 1),
        ("twenty looks", 0.5, 5),
    ],
)
def test_monitoring_marks_the_powers(name, z, look):
    seen = DESIGNS[name].monitor(z, look=look)
    figure = monitoring_figure(seen)
    axes = figure.axes[0]
    curve = axes.get_lines()[0]
    np.testing.assert_allclose(
        curve.get_ydata(), seen.conditional_power(np.asarray(curve.get_xdata()) * DESIGNS[name].drift), atol=1e-9
    )
    marks = {line.get_label().split(" ")[0]: line for line in axes.get_lines() if line.get_linestyle() == "None"}
    assert marks["planned"].get_xydata().tolist() == [[1.0, pytest.approx(seen.conditional_power(), abs=1e-12)]]
    assert marks["no"].get_ydata()[0] == pytest.approx(seen.conditional_power(0.0), abs=1e-12)
    assert marks["trend"].get_ydata()[0] == pytest.approx(seen.conditional_power("trend"), abs=1e-12)
    across = next(line for line in axes.get_lines() if line.get_label().startswith("predictive"))
    assert across.get_ydata()[0] == seen.predictive_power()
    assert_readable(figure)


def test_monitoring_without_beta_is_against_drift():
    seen = GroupSequential((0.5, 0.75, 1.0)).monitor(1.2)
    shown = texts(monitoring_figure(seen))
    assert "Drift, mean of z at full information" in shown
    assert not any(text.startswith("planned") for text in shown)
    assert "Look 1 of 3: z = 1.200" in shown


def test_estimators_lie_below_each_other():
    rows = [
        ("maximum likelihood", 0.614, 0.451, 0.836),
        ("bias-adjusted", 0.638, None, None),
        ("conditional", 0.717, 0.0, math.inf),
        ("repeated interval", None, 0.4, 0.95),
    ]
    figure = estimators_figure(rows, 1.0, "Hazard ratio", logarithmic=True)
    axes = figure.axes[0]
    marks = [line.get_xydata()[0].tolist() for line in axes.get_lines() if line.get_marker() == "o"]
    assert marks == [[0.614, 0.0], [0.638, -1.0], [0.717, -2.0]]
    assert {"<", ">"} <= {line.get_marker() for line in axes.get_lines()}
    assert {
        "maximum likelihood: 0.614 (0.451 to 0.836)",
        "bias-adjusted: 0.638",
        "conditional: 0.717 (0.00 to ∞)",
        "repeated interval: 0.400 to 0.950",
    } <= set(texts(figure))
    assert_readable(figure)
    assert_readable(estimators_figure([("a", -0.3, -math.inf, 0.2)], 0.0, "Mean difference"))


@pytest.mark.parametrize(
    ("rows", "null"),
    [([], 0.0), ([("a", math.nan, None, None)], 0.0), ([("a", 1.0, 0.5, None)], 0.0), ([("a", 1, 0, 2)], math.nan)],
)
def test_rows_that_cannot_be_shown_are_refused(rows, null):
    with pytest.raises(eq.InputError):
        estimators_figure(rows, null)


def test_every_row_of_a_conclusion_can_be_shown():
    rows = [
        (row.estimator, math.exp(row.effect))
        + ((None, None) if row.interval is None else (math.exp(row.interval.lower), math.exp(row.interval.upper)))
        for row in STOPPED.estimates()
    ]
    assert_readable(estimators_figure(rows, 1.0, "Hazard ratio, 95% intervals", logarithmic=True))


def test_figures_are_the_same_whatever_the_settings_and_leave_them_alone():
    def contents() -> list[bytes]:
        figures = (
            bounds_figure(WEDGE, "effect"),
            bounds_figure(FIVE, "p-value", conclusion=STOPPED),
            power_figure(FIVE),
            spending_figure(WEDGE),
            monitoring_figure(FIVE.monitor(1.0)),
            estimators_figure([("a", 1.0, 0.0, 2.0)]),
        )
        found = []
        for figure in figures:
            assert isinstance(figure.canvas, FigureCanvasAgg)
            content = io.BytesIO()
            with drawing():
                figure.savefig(content, format="png", metadata={"Software": None})
            found.append(content.getvalue())
        return found

    expected = contents()
    assert contents() == expected
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9, "axes.grid": True}):
        before = dict(matplotlib.rcParams)
        assert contents() == expected
        assert dict(matplotlib.rcParams) == before


def test_objects_draw_themselves():
    """`.plot()` of designs, conclusions, tables of estimates and monitoring."""
    design = eq.GroupSequential((0.5, 0.75, 1.0), 0.025, 1, futility=eq.PowerSpending(2), beta=0.1)
    for kind in ("bounds", "power", "spending"):
        assert design.plot(kind).axes
    with pytest.raises(eq.InputError, match="kind"):
        design.plot("pie")
    looks = [
        eq.Estimate(0.2, 0.2, scale=eq.Scale.LOG_HAZARD_RATIO),
        eq.Estimate(0.5, 0.16, scale=eq.Scale.LOG_HAZARD_RATIO),
    ]
    conclusion = design.conclude(looks)
    for scale in ("effect", "z", "p-value", "conditional power"):
        assert conclusion.plot(scale).axes
    assert conclusion.estimates().plot().axes
    assert design.monitor(1.0, look=1).plot().axes
