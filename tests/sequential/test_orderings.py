"""Orderings of outcomes: published and independently computed tails, limits, symmetry, exact coverage."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from stopping_regions import ONE_LOOK, REGIONS, TWO_LOOKS, simulated, unit

from equipoise.errors import InputError
from equipoise.sequential.orderings import LikelihoodRatio, SampleMean, ScoreTest, StageWise
from equipoise.sequential.region import Region
from equipoise.sequential.sample_space import Exit, SampleSpace, sample_space

ORDERINGS = [StageWise(), SampleMean(), LikelihoodRatio(), LikelihoodRatio(about=0.0), ScoreTest()]
EXACT = [StageWise(), SampleMean(), LikelihoodRatio()]
CASES = [
    case
    for case in json.loads((Path(__file__).parents[1] / "reference" / "after_stopping.json").read_text())["cases"]
    if case["inputs"].get("ordering") == "stage-wise"
]


def identity(ordering) -> str:
    return f"{ordering.name}{'' if getattr(ordering, 'about', None) is None else ', fixed'}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_stage_wise_reference(case):
    inputs, expected = case["inputs"], case["expected"]
    upper = np.array(inputs["design"]["critical_values"])
    information = inputs["max_information"] * np.array(inputs["design"]["information_rates"])
    space = SampleSpace(Region(information, np.full(upper.shape, -math.inf), upper))
    look, z = inputs["stopped_at_look"], inputs["z"]
    estimate, lower, upper = StageWise().estimate_and_interval(space, look, np.array([z]), inputs["confidence_level"])
    assert StageWise().p_value(space, look, z) == pytest.approx(expected["final_p_value_one_sided"], abs=1e-10)
    assert estimate[0] == pytest.approx(expected["median_unbiased_estimate"], abs=1e-9)
    assert lower[0] == pytest.approx(expected["final_ci_lower"], abs=1e-9)
    assert upper[0] == pytest.approx(expected["final_ci_upper"], abs=1e-9)


def test_there_are_reference_cases():
    assert len(CASES) >= 18


def two_look_tail(region, look, score, drift, power, about):
    """Upper tail of a two-look one-sided trial by adaptive quadrature, ranked by (S - about t) / t^power."""
    first, last = region.information
    gained, bound, floor = last - first, region.upper[0] * math.sqrt(first), region.lower[0] * math.sqrt(first)
    time = region.information[look - 1]
    rank = (score - about * time) / time**power
    cut = [about * t + rank * t**power for t in (first, last)]

    def density(s):
        return math.exp(-0.5 * (s - drift * first) ** 2 / first) / math.sqrt(2 * math.pi * first)

    stopped = quad(density, max(cut[0], bound), max(cut[0], bound) + 12, epsabs=1e-14, epsrel=1e-13)[0]
    if cut[0] < floor:
        stopped += quad(density, max(cut[0], floor - 12), floor, epsabs=1e-14, epsrel=1e-13)[0]
    went_on = quad(
        lambda s: density(s) * ndtr((s + drift * gained - cut[1]) / math.sqrt(gained)),
        max(floor, -12.0),
        bound,
        epsabs=1e-14,
        epsrel=1e-13,
        limit=200,
    )[0]
    return stopped + went_on


@pytest.mark.parametrize("name", ["two looks, efficacy", "two looks, futility"])
@pytest.mark.parametrize(("look", "z"), [(1, 3.1), (2, 2.6), (2, -0.4)])
@pytest.mark.parametrize("drift", [0.0, 1.7, -0.8])
def test_two_looks_by_quadrature(name, look, z, drift):
    space = SampleSpace(REGIONS[name])
    score = z * math.sqrt(space.information[look - 1])
    for ordering, power, about in (
        (SampleMean(), 1.0, 0.0),
        (LikelihoodRatio(), 0.5, drift),
        (LikelihoodRatio(about=0.0), 0.5, 0.0),
        (ScoreTest(), 0.0, drift),
    ):
        ours = ordering.upper_tail(space, look, np.array([score]), np.array([drift]))[0]
        assert ours == pytest.approx(two_look_tail(space.region, look, score, drift, power, about), abs=1e-12)


@pytest.mark.parametrize("ordering", ORDERINGS, ids=identity)
def test_one_look_is_the_normal_interval(ordering):
    space, z = SampleSpace(ONE_LOOK), np.array([-1.3, 0.0, 2.4])
    estimate, lower, upper = ordering.estimate_and_interval(space, 1, z, 0.95)
    np.testing.assert_allclose(estimate, z, atol=1e-13)
    np.testing.assert_allclose(lower, z - ndtri(0.975), atol=1e-12)
    np.testing.assert_allclose(upper, z + ndtri(0.975), atol=1e-12)
    assert ordering.p_value(space, 1, 2.4) == pytest.approx(ndtr(-2.4), rel=1e-13)


@pytest.mark.parametrize("ordering", ORDERINGS, ids=identity)
@pytest.mark.parametrize("name", REGIONS)
def test_mirror_image(ordering, name):
    space = SampleSpace(REGIONS[name])
    for look in range(1, space.looks + 1):
        for stop in space.stops(look):
            root = math.sqrt(space.information[look - 1])
            z = np.array([min(max(0.7, stop.low / root), stop.high / root)])
            estimate, lower, upper = ordering.estimate_and_interval(space, look, z, 0.9)
            other = ordering.estimate_and_interval(space.mirrored, look, -z, 0.9)
            scale = 1e-10 / root
            np.testing.assert_allclose([-estimate, -upper, -lower], other, atol=scale, rtol=1e-10)


@pytest.mark.parametrize("ordering", [StageWise(), SampleMean()], ids=identity)
@pytest.mark.parametrize("name", REGIONS)
def test_tail_rises_with_the_drift(ordering, name):
    space = SampleSpace(REGIONS[name])
    drifts = np.linspace(-12, 12, 481) * unit(space.region)
    for look in range(1, space.looks + 1):
        for stop in space.stops(look):
            score = np.full(drifts.shape, min(max(0.3 / unit(space.region), stop.low), stop.high))
            assert np.diff(ordering.upper_tail(space, look, score, drifts)).min() > -2e-14


@pytest.mark.parametrize("ordering", ORDERINGS, ids=identity)
def test_tail_falls_with_z(ordering):
    for region in REGIONS.values():
        space = SampleSpace(region)
        for look in range(1, space.looks + 1):
            for stop in space.stops(look):
                root = math.sqrt(space.information[look - 1])
                scores = np.linspace(max(stop.low, -5 * root), min(stop.high, 5 * root), 101)
                tails = ordering.upper_tail(space, look, scores, np.full(scores.shape, unit(region)))
                assert np.diff(tails).max() < 1e-14


@pytest.mark.parametrize("ordering", ORDERINGS, ids=identity)
@pytest.mark.parametrize("name", REGIONS)
def test_simulated_outcomes_have_uniform_p_values(ordering, name):
    region = REGIONS[name]
    space, drift = SampleSpace(region), 1.2 * unit(region)
    looks, z = simulated(region, drift, 200_000, seed=4)
    levels, p = np.array([0.01, 0.1, 0.3, 0.5, 0.8, 0.975]), np.empty(looks.shape)
    for look in range(1, space.looks + 1):
        scores = z[looks == look] * math.sqrt(space.information[look - 1])
        for stop in space.stops(look):
            inside = (scores >= stop.low) & (scores <= stop.high)
            if inside.any():
                grid = np.linspace(scores[inside].min(), scores[inside].max(), 2000)
                tails = ordering.upper_tail(space, look, grid, np.full(grid.shape, drift))
                chosen = np.flatnonzero(looks == look)[inside]
                p[chosen] = np.interp(scores[inside], grid, tails)
    shares = (p[:, None] <= levels).mean(axis=0)
    np.testing.assert_array_less(np.abs(shares - levels), 4.5 * np.sqrt(levels * (1 - levels) / looks.size))


def test_two_sided_p_value_far_below_keeps_its_digits():
    space = SampleSpace(REGIONS["five looks, two-sided"])
    for ordering in EXACT:
        assert ordering.p_value(space, 1, -9.0, sided=2) == ordering.p_value(space, 1, 9.0, sided=2) < 1e-15
        assert ordering.p_value(space, 5, 0.0, sided=2) == pytest.approx(1.0, abs=1e-12)
    assert StageWise().p_value(space, 1, -9.0, sided=2) == pytest.approx(2 * ndtr(-9.0), rel=1e-12)


@pytest.mark.parametrize("ordering", ORDERINGS, ids=identity)
def test_a_look_that_cannot_stop_is_no_look(ordering):
    region = REGIONS["nothing spent first"]
    without = Region(region.information[1:], region.lower[1:], region.upper[1:])
    z = np.array([2.55])
    with_it = ordering.estimate_and_interval(SampleSpace(region), 2, z, 0.95)
    np.testing.assert_allclose(with_it, ordering.estimate_and_interval(SampleSpace(without), 1, z, 0.95), atol=1e-11)


def test_stage_wise_forgets_looks_never_held():
    region = REGIONS["unequal, both bounds"]
    for look, z in ((2, 2.9), (2, -0.1), (3, 2.3)):
        full = StageWise().drift_at(SampleSpace(region), look, np.array([z]), np.array([0.3]))
        cut = StageWise().drift_at(SampleSpace(region.first(look)), look, np.array([z]), np.array([0.3]))
        np.testing.assert_allclose(full, cut, rtol=1e-12)


def test_stage_wise_closes_round_a_wedge():
    """The tail is continuous along the whole order: from the last look back along the wedge to its middle."""
    space = SampleSpace(REGIONS["wedge"])
    drift = np.array([0.8])

    def tail(look, score):
        return StageWise().upper_tail(space, look, np.array([score]), drift)[0]

    edges = {look: space.edges(look)[2] for look in (2, 3)}
    assert tail(3, edges[3][1]) == pytest.approx(tail(4, 0.0), abs=1e-14)
    assert tail(2, edges[2][1]) == pytest.approx(tail(3, 0.0), abs=1e-14)
    assert tail(3, edges[3][0]) == pytest.approx(tail(4, -1e-13), abs=1e-12)
    assert StageWise().p_value(space, 2, 0.0) == pytest.approx(0.5, abs=1e-14)


def test_interval_holds_every_drift_not_rejected():
    """With bounds as odd as these the score test's p-value falls and rises again; the interval spans all of it."""
    space = SampleSpace(
        Region(np.array([0.06, 0.95, 0.97, 1.0]), *np.array([[-3.39, -3.77, -3.66, -3.0]]) * [[1], [-1]])
    )
    ordering, look, z = ScoreTest(), 1, np.array([-3.41])
    drifts = np.arange(-40.0, 15.0, 0.02)
    tails = ordering.upper_tail(space, look, np.full(drifts.shape, z[0] * math.sqrt(0.06)), drifts)
    assert np.diff(tails).min() < -1e-4
    for level in (0.5, 0.8, 0.95):
        lower, upper = ordering.interval(space, look, z, level)
        kept = drifts[(tails >= 0.5 - level / 2) & (tails <= 0.5 + level / 2)]
        assert lower[0] <= kept.min() + 1e-9
        assert upper[0] >= kept.max() - 1e-9


def test_stopping_where_the_rule_goes_on():
    space = sample_space(TWO_LOOKS, 1, 0.4)
    assert space.looks == 1
    assert next(iter(space.stops(1))).exit is Exit.LAST
    assert sample_space(TWO_LOOKS, 1, 2.9).looks == 2
    assert sample_space(REGIONS["wedge"], 2, 0.2).looks == 4
    assert sample_space(REGIONS["wedge"], 2, 1.2).looks == 2


def test_extreme_outcomes_stay_finite():
    region = Region(np.array([1e-4, 2e-4, 1.0]), np.full(3, -math.inf), np.array([8.0, 7.9, 2.0]))
    for look, z in ((1, 12.0), (2, 8.5), (3, 40.0), (3, -30.0)):
        for ordering in EXACT:
            values = np.array(ordering.estimate_and_interval(SampleSpace(region), look, np.array([z]), 0.95))
            assert np.all(np.isfinite(values))
            assert values[1] < values[0] < values[2]


SPACE = SampleSpace(ONE_LOOK)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: StageWise().p_value(None, 1, 1.0), "space is None"),
        (lambda: StageWise().p_value(SPACE, 0, 1.0), "look is 0"),
        (lambda: StageWise().p_value(SPACE, True, 1.0), "look is True"),
        (lambda: StageWise().p_value(SPACE, 1, math.nan), "z is nan"),
        (lambda: StageWise().p_value(SPACE, 1, 1.0, None), "drift is None"),
        (lambda: StageWise().p_value(SPACE, 1, 1.0, sided=3), "sided is 3"),
        (lambda: StageWise().drift_at(SPACE, 1, "1", 0.5), "z is '1'"),
        (lambda: StageWise().drift_at(SPACE, 1, np.ones(1), 1.5), "probability is 1.5"),
        (lambda: StageWise().drift_at(SPACE, 1, np.ones(2), np.full(3, 0.5)), "probability is"),
        (lambda: StageWise().interval(SPACE, 1, np.ones(1), 95), "level is 95"),
        (lambda: StageWise().interval(SPACE, 1, [[1.0]], 0.95), "z is"),
        (lambda: LikelihoodRatio(about="0"), "about is '0'"),
        (lambda: ScoreTest(about=math.nan), "about is nan"),
        (lambda: SampleSpace(None), "region is None"),
        (lambda: SampleSpace(Region), "region is"),
        (lambda: list(SPACE.stops(0)), "look is 0"),
        (lambda: sample_space(None, 1, 1.0), "region is None"),
        (lambda: sample_space(ONE_LOOK, "1", 1.0), "look is '1'"),
        (lambda: sample_space(ONE_LOOK, 1, None), "z is None"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action()
