import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from equipoise.endpoints.planning.accrual import Accrual, event_rate, expected_events
from equipoise.endpoints.planning.event_times import PiecewiseExponential, Weibull
from equipoise.errors import InputError

COURSE = Accrual((0, 4, 10, 20), (10, 25, 40))
LAWS = [PiecewiseExponential((0.03, 0.0, 0.05), (6, 9)), PiecewiseExponential(0.04), Weibull(0.03, 1.5)]


def intensity_at(accrual, time):
    return float(accrual.rates[np.searchsorted(accrual.breaks, time, side="right") - 1]) if time < accrual.end else 0.0


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.02])
def test_expected_events_agree_with_quadrature(law, dropout):
    times = np.array([2.0, 4.0, 11.0, 20.0, 47.0])
    kinks = {*COURSE.breaks}
    for time, events in zip(times, expected_events(times, COURSE, law, dropout), strict=True):
        corners = kinks | {time - b for b in getattr(law, "breaks", ())}
        integral = quad(
            lambda entry, time=time: intensity_at(COURSE, entry) * float(law.probability(time - entry, dropout)),
            0,
            min(time, 20.0),
            points=sorted(corner for corner in corners if 0 < corner < min(time, 20.0)) or None,
            epsabs=1e-12,
            epsrel=1e-12,
            limit=400,
        )[0]
        assert events == pytest.approx(integral, rel=1e-11)


def test_expected_events_agree_with_the_textbook_formula_for_uniform_accrual():
    # Lachin & Foulkes 1986: probability of an event by T with uniform entry over (0, R), hazard l and loss e
    hazard, loss, over, time = 0.115, 0.01, 12.0, 18.0
    both = hazard + loss
    spread = math.exp(-both * (time - over)) - math.exp(-both * time)
    probability = hazard / both * (1 - spread / (over * both))
    found = expected_events(time, Accrual.uniform(over, 250), PiecewiseExponential(hazard), loss)
    assert float(found) == pytest.approx(250 * probability, rel=1e-14)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_expected_events_agree_with_simulation(law):
    generator, trials = np.random.Generator(np.random.Philox(11)), 2000
    total = round(COURSE.total)
    entries = np.interp(generator.uniform(0, total, (trials, total)), COURSE.patients_by(COURSE.breaks), COURSE.breaks)
    free = generator.exponential(1.0, (trials, total))
    if isinstance(law, Weibull):
        times = free ** (1 / law.shape) / law.rate
    else:
        corners = np.array([0.0, *law.breaks, 1e9])
        hazard = np.concatenate(([0.0], np.cumsum(np.diff(corners) * np.maximum(law.hazards, 1e-300))))
        times = np.interp(free, hazard, corners)
    leaves = generator.exponential(1 / 0.02, (trials, total))
    for calendar in (8.0, 15.0, 30.0):
        seen = np.sum((times <= leaves) & (entries + times <= calendar), axis=1)
        expected = float(expected_events(calendar, COURSE, law, 0.02))
        assert seen.mean() == pytest.approx(expected, abs=4 * seen.std() / math.sqrt(trials))


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_without_dropout_everyone_has_an_event_in_the_end(law):
    assert float(expected_events(math.inf, COURSE, law)) == pytest.approx(COURSE.total, rel=1e-14)
    assert float(expected_events(3000.0, COURSE, law)) == pytest.approx(COURSE.total, rel=1e-11)
    assert float(expected_events(math.inf, COURSE, law, 0.02)) < COURSE.total


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_events_only_ever_grow_and_never_exceed_the_patients(law):
    times = np.linspace(-1, 100, 405)
    events = expected_events(times, COURSE, law, 0.01)
    assert np.all(np.diff(events) >= -1e-12)
    assert np.all(events <= COURSE.patients_by(times) + 1e-12)
    assert np.all(events[times <= 0] == 0)
    assert np.all(events >= expected_events(times, COURSE, law, 0.05) - 1e-12)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_event_rate_is_the_derivative(law):
    times = np.array([1.3, 7.0, 16.5, 33.0])
    step = 1e-4
    slope = (expected_events(times + step, COURSE, law, 0.01) - expected_events(times - step, COURSE, law, 0.01)) / 2
    np.testing.assert_allclose(event_rate(times, COURSE, law, 0.01), slope / step, rtol=1e-6)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.floats(0.1, 20), st.floats(0.1, 100)), min_size=1, max_size=5),
    st.floats(0.01, 0.99),
    st.floats(1e-4, 2),
    st.floats(0, 0.5),
)
def test_accrual_is_additive(parts, share, hazard, dropout):
    breaks = np.concatenate(([0.0], np.cumsum([width for width, _ in parts])))
    accrual = Accrual(tuple(breaks), tuple(intensity for _, intensity in parts))
    cut, law = share * accrual.end, PiecewiseExponential(hazard)
    early = accrual.ending_at(cut)
    assert early.total == pytest.approx(float(accrual.patients_by(cut)), rel=1e-12)
    again = accrual.with_patients(early.total)
    assert again.end == pytest.approx(cut, rel=1e-9)
    later = accrual.end + 5.0
    # the tail, shifted to begin at 0
    inside = breaks[(breaks > cut + 1e-9)]
    tail = Accrual((0.0, *(inside - cut)), tuple(accrual.rates[-inside.size :]))
    whole = float(expected_events(later, accrual, law, dropout))
    halves = expected_events(later, early, law, dropout) + expected_events(later - cut, tail, law, dropout)
    assert float(halves) == pytest.approx(whole, rel=1e-9)


def test_patients_by_calendar_time():
    np.testing.assert_allclose(COURSE.patients_by([-1, 0, 2, 4, 10, 15, 20, 99]), [0, 0, 20, 40, 190, 390, 590, 590])
    assert COURSE.total == 590
    ramp = Accrual((0, 5, math.inf), (10, 30))
    assert ramp.is_open
    assert math.isinf(ramp.total)
    assert ramp.with_patients(500).end == 20
    assert ramp.with_patients(50) == Accrual((0, 5), (10,))
    assert ramp.with_patients(20) == Accrual((0, 2), (10,))
    assert Accrual((0, 3, 12), (1, 3), relative=True).with_patients(600).intensities == (20, 60)
    assert Accrual.uniform(18).with_patients(600) == Accrual.uniform(18, 600)
    assert COURSE.with_patients(590) is COURSE
    assert Accrual.open(4).with_patients(40) == Accrual((0, 10), (4,))
    pause = Accrual((0, 2, 4, 6), (5, 0, 5))
    assert pause.with_patients(10).end == 2
    assert pause.with_patients(15).end == 5


def test_accrual_says_what_it_is():
    assert str(COURSE) == "accrual 10 from 0, 25 from 4, 40 from 10 until 20 (patients per unit of time)"
    assert "enough have come" in str(Accrual.open(4))
    assert "relative" in str(Accrual.uniform(12))


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: Accrual((0,)), "breaks"),
        (lambda: Accrual((1, 2)), "breaks"),
        (lambda: Accrual((0, 2, 2)), "breaks"),
        (lambda: Accrual((0, 3, 2)), "breaks"),
        (lambda: Accrual((0, math.nan)), "breaks"),
        (lambda: Accrual((0, math.inf)), "breaks"),
        (lambda: Accrual((0, 1, math.inf), (1, 0)), "intensities"),
        (lambda: Accrual((0, 1), (1, 2)), "intensities"),
        (lambda: Accrual((0, 1), (0,)), "intensities"),
        (lambda: Accrual((0, 1, 2), (1, -1)), "intensities"),
        (lambda: COURSE.with_patients(600), "patients"),
        (lambda: COURSE.with_patients(0), "patients"),
        (lambda: COURSE.ending_at(21), "time"),
        (lambda: COURSE.scaled(0), "factor"),
        (lambda: Accrual.open(3).patients_by(math.inf), "time"),
        (lambda: expected_events(math.inf, Accrual.open(3), PiecewiseExponential(0.1)), "time"),
        (lambda: expected_events(math.nan, COURSE, PiecewiseExponential(0.1)), "time"),
    ],
)
def test_what_is_out_of_range_is_named(build, field):
    with pytest.raises(InputError) as error:
        build()
    assert error.value.field == field
