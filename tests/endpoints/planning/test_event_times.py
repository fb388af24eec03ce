import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from equipoise.endpoints.planning.event_times import PiecewiseExponential, Weibull, constant_hazard
from equipoise.errors import InputError

LAWS = [
    PiecewiseExponential(0.05),
    PiecewiseExponential((0.03, 0.05, 0.02), (6, 14)),
    PiecewiseExponential((0.0, 0.4, 0.0), (6, 14)),
    Weibull(0.03, 1.5),
    Weibull(0.03, 0.4),
    Weibull(0.1, 6.0),
]


def cumulative_hazard(law, time):
    if isinstance(law, Weibull):
        return (law.rate * time) ** law.shape
    starts, ends = (0.0, *law.breaks), (*law.breaks, math.inf)
    return sum(h * max(min(time, b) - a, 0.0) for h, a, b in zip(law.hazards, starts, ends, strict=True))


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 1e-9, 0.01, 0.3])
def test_probability_and_area_are_the_integrals_they_claim_to_be(law, dropout):
    kinks = list(getattr(law, "breaks", ()))

    def seen(time):
        # integral of f exp(-dropout s), by parts from the distribution function, which has no pole at 0
        lost = quad(
            lambda s: dropout * math.exp(-dropout * s) * -math.expm1(-cumulative_hazard(law, s)),
            0,
            time,
            points=[k for k in kinks if k < time] or None,
            epsabs=1e-14,
            epsrel=1e-13,
            limit=400,
        )[0]
        return math.exp(-dropout * time) * -math.expm1(-cumulative_hazard(law, time)) + lost

    for time in (0.02, 3.0, 10.0, 60.0):
        assert float(law.probability(time, dropout)) == pytest.approx(seen(time), rel=2e-11, abs=1e-13)
        area = quad(
            lambda s: float(law.probability(s, dropout)),
            0,
            time,
            points=[k for k in kinks if k < time] or None,
            epsabs=1e-15,
            epsrel=1e-12,
            limit=400,
        )[0]
        assert float(law.area(time, dropout)) == pytest.approx(area, rel=1e-10)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_events_compete_with_dropout(law):
    times = np.linspace(0, 200, 401)
    free, lossy = law.probability(times), law.probability(times, 0.02)
    assert np.all(np.diff(free) >= 0)
    assert np.all(np.diff(lossy) >= 0)
    assert np.all(lossy <= free)
    assert law.probability(-1.0) == law.area(-1.0) == 0
    assert float(law.probability(math.inf, 0.02)) == pytest.approx(float(law.probability(1e5, 0.02)), abs=1e-14)
    if math.isfinite(law.median):
        assert float(law.probability(law.median)) == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_a_scaled_law_has_the_power_of_survival(law):
    times = np.array([1.0, 7.0, 30.0])
    np.testing.assert_allclose(
        1 - law.scaled(0.7).probability(times), (1 - law.probability(times)) ** 0.7, rtol=1e-13, atol=1e-15
    )


def test_a_weibull_law_of_shape_one_is_exponential():
    times = np.array([0.1, 5.0, 80.0])
    for dropout in (0.0, 0.05):
        for name in ("probability", "area"):
            ours = [getattr(law, name)(times, dropout) for law in (Weibull(0.04, 1.0), PiecewiseExponential(0.04))]
            np.testing.assert_allclose(*ours, rtol=1e-12)


@settings(max_examples=60)
@given(st.floats(1e-6, 10), st.floats(0, 10), st.floats(1e-3, 500), st.sampled_from([(), (1.0,), (0.5, 3.0, 40.0)]))
def test_breaks_that_change_nothing_change_nothing(hazard, dropout, time, breaks):
    whole, split = PiecewiseExponential(hazard), PiecewiseExponential((hazard,) * (len(breaks) + 1), breaks)
    for name in ("probability", "area"):
        np.testing.assert_allclose(getattr(split, name)(time, dropout), getattr(whole, name)(time, dropout), rtol=1e-12)


def test_weibull_simulation():
    law, generator = Weibull(0.05, 1.7), np.random.Generator(np.random.Philox(7))
    events = generator.weibull(1.7, 400_000) / 0.05
    leaves = generator.exponential(1 / 0.03, 400_000)
    seen = np.mean((events <= leaves) & (events <= 12))
    assert float(law.probability(12, 0.03)) == pytest.approx(seen, abs=4 * math.sqrt(seen * (1 - seen) / 400_000))


def test_medians_and_hazards():
    assert PiecewiseExponential.from_median(12).hazards[0] == pytest.approx(math.log(2) / 12, rel=1e-15)
    assert Weibull.from_median(12, 1.5).median == pytest.approx(12, rel=1e-14)
    assert PiecewiseExponential((0.1, 0.2), (20,)).median == pytest.approx(math.log(2) / 0.1)
    assert PiecewiseExponential((0.01, 0.2), (20,)).median == pytest.approx(20 + (math.log(2) - 0.2) / 0.2)
    assert math.isinf(PiecewiseExponential((0.01, 0.0), (20,)).median)
    assert constant_hazard(0.0, 12) == 0
    assert -math.expm1(-12 * constant_hazard(0.05, by=12)) == pytest.approx(0.05, rel=1e-14)


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: PiecewiseExponential(()), "hazards"),
        (lambda: PiecewiseExponential((0.0, 0.0), (1,)), "hazards"),
        (lambda: PiecewiseExponential((-0.1, 0.2), (1,)), "hazards"),
        (lambda: PiecewiseExponential((0.1, 0.2), (0,)), "breaks"),
        (lambda: PiecewiseExponential((0.1, 0.2)), "breaks"),
        (lambda: PiecewiseExponential((0.1, 0.2, 0.3), (3, 2)), "breaks"),
        (lambda: Weibull(0.0, 1.0), "rate"),
        (lambda: Weibull(0.1, math.inf), "shape"),
        (lambda: Weibull.from_median(0, 1.0), "median"),
        (lambda: constant_hazard(1.0, 12), "probability"),
        (lambda: constant_hazard(0.1, 0), "by"),
        (lambda: PiecewiseExponential(0.1).probability(1.0, -0.1), "dropout"),
        (lambda: PiecewiseExponential(0.1).probability(math.nan), "follow_up"),
        (lambda: Weibull(0.1, 2).area(math.inf), "follow_up"),
        (lambda: Weibull(0.1, 2).scaled(0), "hazard_ratio"),
    ],
)
def test_what_is_out_of_range_is_named(build, field):
    with pytest.raises(InputError) as error:
        build()
    assert error.value.field == field
