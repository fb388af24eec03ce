"""Compartments against numerical integration, the textbook's formulae, and what must hold of any linear system."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp, trapezoid

from equipoise.errors import InputError
from equipoise.patients.pharmacokinetics import Infusions, Kinetics

COURSE = Infusions.on_days([0, 2, 4, 7, 9, 11], 40)
DRUG = {"clearance": 95.2, "volumes": [133.0, 187.0, 98.8], "flows": [23.2, 157.0]}
FORMED = Kinetics(57.7, [98.6, 160.0], [42.8])
ONE, TWO = Kinetics(20.0, [50.0], np.zeros(0)), Kinetics(20.0, [50.0, 80.0], [15.0])
THREE = Kinetics(**DRUG, metabolite=FORMED)
ARTERIAL = Kinetics(88.8, [11.6, 39.0, 174.0], [145.8, 72.6], Kinetics(60.0, [11.6, 221.0], [157.8]))


def integrated(kinetics, dose, infusions, hours):
    """Amounts in all compartments, what has left last, by an ODE solver stopped at every jump of the rate."""
    parts = [kinetics] + ([kinetics.metabolite] if kinetics.metabolite else [])
    sizes = [part.volumes.size for part in parts]
    total = sum(sizes) + 1
    matrix = np.zeros((total, total))
    first = 0
    for number, part in enumerate(parts):
        following = first + sizes[number] if number + 1 < len(parts) else total - 1
        out = part.clearance / part.volumes[0]
        matrix[first, first] -= out
        matrix[following, first] += out
        for at, flow in enumerate(part.flows):
            there, back = flow / part.volumes[0], flow / part.volumes[at + 1]
            matrix[first, first] -= there
            matrix[first + at + 1, first] += there
            matrix[first, first + at + 1] += back
            matrix[first + at + 1, first + at + 1] -= back
        first += sizes[number]
    breaks = np.unique(np.concatenate([infusions.starts, infusions.ends, [0, max(hours)]]))
    state, found = np.zeros(total), {0.0: np.zeros(total)}
    for low, high in pairwise(breaks):
        middle = (low + high) / 2
        running = ((infusions.starts < middle) & (middle < infusions.ends)).sum()
        rate = np.eye(total)[0] * dose / infusions.length * running
        wanted = np.array([hour for hour in hours if low < hour < high])
        solved = solve_ivp(
            lambda _, y, rate=rate: matrix @ y + rate, (low, high), state, "DOP853",
            np.append(wanted, high), rtol=1e-12, atol=1e-13,
        )  # fmt: skip
        found |= dict(zip(np.append(wanted, high), solved.y.T, strict=True))
        state = solved.y[:, -1]
    return np.array([found[hour] for hour in hours]).T


@pytest.mark.parametrize("kinetics", [ONE, TWO, THREE, ARTERIAL], ids=["one", "two", "venous", "arterial"])
def test_amounts_are_those_of_an_ode_solver(kinetics):
    infusions = Infusions(np.array([0.0, 5.0, 9.0]), 2 / 3)
    hours = np.array([0.0, 0.1, 0.5, 2 / 3, 0.7, 1.0, 3.0, 5.0, 5.2, 6.0, 9.3, 12.0, 20.0])
    right = integrated(kinetics, 17.5, infusions, hours)
    np.testing.assert_allclose(kinetics.amounts(17.5, infusions, hours), right[:-1], rtol=1e-9, atol=1e-9)
    concentration = 1000 * right[0] / kinetics.volumes[0]
    np.testing.assert_allclose(kinetics.concentration(17.5, infusions, hours), concentration, rtol=1e-9, atol=1e-8)


def test_overlapping_infusions_add_up():
    infusions = Infusions(np.array([0.0, 0.5]), 2.0)
    hours = np.linspace(0, 6, 13)
    np.testing.assert_allclose(
        THREE.amounts(10.0, infusions, hours), integrated(THREE, 10.0, infusions, hours)[:-1], rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("kinetics", [THREE, ARTERIAL], ids=["venous", "arterial"])
def test_nothing_is_lost(kinetics):
    infusions, hours = Infusions(np.array([0.0, 24.0]), 2 / 3), np.array([0.3, 1.0, 10.0, 24.5, 60.0])
    held = kinetics.amounts(17.5, infusions, hours).sum(axis=0)
    left = kinetics.metabolite.clearance * np.array(
        [
            quad(lambda hour: kinetics.metabolite_concentration(17.5, infusions, [hour])[0] / 1000, 0, end,
                 points=[at for at in (2 / 3, 24.0, 24 + 2 / 3) if at < end], epsabs=1e-11, epsrel=1e-11, limit=200)[0]
            for end in hours
        ]
    )  # fmt: skip
    np.testing.assert_allclose(held + left, 17.5 * infusions.given(hours), rtol=1e-9)


def test_one_compartment_is_the_textbook_formula():
    dose, length, rate = 100.0, 1.5, 20.0 / 50.0
    hours = np.array([0.5, 1.5, 4.0])
    run = 1000 * dose / length / 20.0 * (1 - np.exp(-rate * np.minimum(hours, length)))
    expected = run * np.exp(-rate * np.maximum(hours - length, 0))
    np.testing.assert_allclose(ONE.concentration(dose, Infusions(np.zeros(1), length), hours), expected, rtol=1e-14)
    assert ONE.half_lives == pytest.approx(np.log(2) * 50 / 20, rel=1e-15)


def test_two_compartments_are_the_textbook_formula():
    k10, k12, k21 = 20 / 50, 15 / 50, 15 / 80
    total, root = k10 + k12 + k21, np.sqrt((k10 + k12 + k21) ** 2 - 4 * k10 * k21)
    alpha, beta = (total + root) / 2, (total - root) / 2
    hours = np.array([0.0, 0.2, 1.0, 7.0])
    bolus = ((alpha - k21) * np.exp(-alpha * hours) + (k21 - beta) * np.exp(-beta * hours)) / (alpha - beta)
    found = TWO.concentration(30.0, Infusions(np.zeros(1), 0.0), hours)
    np.testing.assert_allclose(found, 1000 * 30 / 50 * bolus, rtol=1e-13)


def test_metabolite_of_one_compartment_is_the_textbook_formula():
    kinetics = Kinetics(20.0, [50.0], np.zeros(0), Kinetics(9.0, [30.0], np.zeros(0)))
    hours = np.array([0.0, 0.4, 2.0, 11.0])
    expected = 7.0 * 0.4 / (0.3 - 0.4) * (np.exp(-0.4 * hours) - np.exp(-0.3 * hours))
    found = kinetics.amounts(7.0, Infusions(np.zeros(1), 0.0), hours)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-7, 9.9e-6, 2.1e-5, 1e-3])
def test_metabolite_that_leaves_as_fast_as_the_drug(gap):
    kinetics = Kinetics(20.0, [50.0], np.zeros(0), Kinetics(12.0 * (1 + gap), [30.0], np.zeros(0)))
    hours = np.array([0.1, 1.0, 5.0, 20.0])
    # exp(-m t) m t sinh(d t) / (d t) about the middle m of the rates, half their difference d
    middle, half = 0.4 * (1 + gap / 2), 0.2 * gap
    ratio = 1 + (half * hours) ** 2 / 6 + (half * hours) ** 4 / 120
    expected = 7.0 * 0.4 * hours * np.exp(-middle * hours) * ratio
    found = kinetics.amounts(7.0, Infusions(np.zeros(1), 0.0), hours)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_a_short_infusion_is_nearly_a_bolus():
    hours = np.array([0.5, 2.0, 9.0])
    bolus = THREE.amounts(17.5, Infusions(np.zeros(1), 0.0), hours)
    errors = [
        np.abs(THREE.amounts(17.5, Infusions(np.zeros(1), length), hours) - bolus).max()
        for length in (1e-3, 1e-5, 1e-7)
    ]
    assert errors[2] < 1e-5
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.01)
    assert errors[1] / errors[2] == pytest.approx(100, rel=0.01)


def test_a_bolus_is_all_in_the_central_compartment():
    np.testing.assert_allclose(
        THREE.amounts(17.5, Infusions(np.zeros(1), 0.0), [0.0])[:, 0], [17.5, 0, 0, 0, 0], atol=1e-13
    )


def test_concentrations_go_with_the_dose():
    hours = np.linspace(0, 300, 31)
    once = THREE.concentration(17.5, COURSE, hours)
    for factor in (0.2, 0.4, 2.0):
        np.testing.assert_allclose(THREE.concentration(17.5 * factor, COURSE, hours), factor * once, rtol=1e-14)


def test_a_course_is_the_sum_of_its_infusions():
    hours = np.linspace(0, 300, 61)
    each = [THREE.amounts(17.5, Infusions(np.array([start]), COURSE.length), hours) for start in COURSE.starts]
    np.testing.assert_allclose(THREE.amounts(17.5, COURSE, hours), np.sum(each, axis=0), rtol=1e-13, atol=1e-15)
    shifted = THREE.amounts(17.5, Infusions(COURSE.starts + 5, COURSE.length), hours + 5)
    np.testing.assert_allclose(shifted, THREE.amounts(17.5, COURSE, hours), rtol=1e-10, atol=1e-13)


def test_peaks_are_the_highest_and_troughs_the_lowest():
    hours = np.unique(np.concatenate([np.linspace(0, 11 * 24 + 3, 40_001), COURSE.ends]))
    course = THREE.concentration(17.5, COURSE, hours)
    peaks, troughs = THREE.peaks(17.5, COURSE), THREE.troughs(17.5, COURSE)
    assert THREE.peak(17.5, 2 / 3) == pytest.approx(peaks[0], rel=1e-14)
    assert peaks.max() == pytest.approx(course.max(), rel=1e-12)
    assert (np.diff(peaks[[0, 1]]) > 0).all()
    for at in range(5):
        within = course[(hours >= COURSE.ends[at]) & (hours <= COURSE.starts[at + 1])]
        assert peaks[at] == pytest.approx(within[0], rel=1e-12)
        assert (np.diff(within) < 0).all()
        assert troughs[at + 1] <= within[-1]
        just_before = THREE.concentration(17.5, COURSE, [COURSE.starts[at + 1]])[0]
        assert troughs[at + 1] == pytest.approx(just_before, rel=1e-12)
    assert troughs[0] == 0


def test_trough_of_boluses_is_before_the_next_one():
    boluses = Infusions(np.array([0.0, 6.0]), 0.0)
    troughs, peaks = TWO.troughs(10.0, boluses), TWO.peaks(10.0, boluses)
    assert peaks[1] - troughs[1] == pytest.approx(1000 * 10 / 50, rel=1e-13)


@pytest.mark.parametrize("kinetics", [ONE, TWO, THREE, ARTERIAL], ids=["one", "two", "venous", "arterial"])
def test_area_is_dose_over_clearance_and_the_integral(kinetics):
    one = Infusions(np.zeros(1), 2 / 3)
    until = kinetics.area_until(17.5, one, [0.0, 0.5, 2.0, 2_000.0])
    found = [
        quad(lambda hour: kinetics.concentration(17.5, one, [hour])[0], 0, end, points=[min(2 / 3, end / 2)],
             epsabs=1e-10, epsrel=1e-12, limit=200)[0]
        for end in (0.5, 2.0)
    ]  # fmt: skip
    assert until[0] == 0
    np.testing.assert_allclose(until[1:3], found, rtol=1e-10)
    assert until[3] == pytest.approx(kinetics.area(17.5), rel=1e-12)
    assert kinetics.area(17.5) == pytest.approx(1000 * 17.5 / kinetics.clearance, rel=1e-15)
    assert kinetics.area_until(17.5, COURSE, [5_000.0])[0] == pytest.approx(6 * kinetics.area(17.5), rel=1e-12)


def test_area_of_the_metabolite_is_dose_over_its_own_clearance():
    hours = np.concatenate([[0], np.geomspace(1e-4, 400, 40_001)])
    course = THREE.metabolite_concentration(17.5, Infusions(np.zeros(1), 0.0), hours)
    assert trapezoid(course, hours) == pytest.approx(1000 * 17.5 / 57.7, rel=1e-5)


def test_rates_are_the_roots_of_the_characteristic_polynomial():
    k10, k12, k13, k21, k31 = 95.2 / 133, 23.2 / 133, 157 / 133, 23.2 / 187, 157 / 98.8
    rates = THREE.modes.rates
    assert rates.sum() == pytest.approx(k10 + k12 + k13 + k21 + k31, rel=1e-13)
    assert rates.prod() == pytest.approx(k10 * k21 * k31, rel=1e-12)
    pairs = rates[0] * rates[1] + rates[0] * rates[2] + rates[1] * rates[2]
    assert pairs == pytest.approx(k10 * k21 + k10 * k31 + k12 * k31 + k13 * k21 + k21 * k31, rel=1e-13)


def test_many_patients_are_each_alone():
    rng = np.random.default_rng(3)
    shape = (4, 5)
    many = Kinetics(
        rng.uniform(50, 150, shape), rng.uniform(10, 200, (*shape, 3)), rng.uniform(5, 200, (*shape, 2)),
        Kinetics(rng.uniform(50, 150, shape), rng.uniform(10, 200, (*shape, 2)), rng.uniform(5, 200, (*shape, 1))),
    )  # fmt: skip
    dose, hours = rng.uniform(5, 50, shape), np.array([0.1, 0.7, 3.0, 50.0])
    found = many.amounts(dose, COURSE, hours), many.metabolite_concentration(dose, COURSE, hours), many.peak(dose, 0.5)
    areas = many.area_until(dose, COURSE, hours)
    assert found[0].shape == (4, 5, 5, 4)
    for at in np.ndindex(shape):
        formed = many.metabolite
        alone = Kinetics(
            many.clearance[at], many.volumes[at], many.flows[at],
            Kinetics(formed.clearance[at], formed.volumes[at], formed.flows[at]),
        )  # fmt: skip
        np.testing.assert_allclose(found[0][at], alone.amounts(dose[at], COURSE, hours), rtol=1e-9, atol=1e-13)
        single = alone.metabolite_concentration(dose[at], COURSE, hours)
        np.testing.assert_allclose(found[1][at], single, rtol=1e-9, atol=1e-13)
        assert found[2][at] == pytest.approx(alone.peak(dose[at], 0.5), rel=1e-13)
        np.testing.assert_allclose(areas[at], alone.area_until(dose[at], COURSE, hours), rtol=1e-12)


def test_alike_peripheral_compartments_are_one():
    split = Kinetics(20.0, [50.0, 40.0, 40.0], [7.5, 7.5])
    hours = np.array([0.1, 1.0, 10.0])
    one = Infusions(np.zeros(1), 0.5)
    np.testing.assert_allclose(split.concentration(9.0, one, hours), TWO.concentration(9.0, one, hours), rtol=1e-13)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Kinetics(0.0, [50.0], np.zeros(0)), "clearance"),
        (lambda: Kinetics(1.0, [50.0, -1.0], [3.0]), "volumes"),
        (lambda: Kinetics(1.0, [50.0, 1.0], [np.nan]), "flows"),
        (lambda: Kinetics(1.0, [50.0, 1.0], [3.0, 4.0]), "flows"),
        (lambda: Kinetics(1.0, [1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), "volumes"),
        (lambda: Kinetics(1.0, 50.0, np.zeros(0)), "volumes"),
        (lambda: Infusions.on_days([0, 2], -1), "minutes"),
        (lambda: Infusions.on_days(["Monday"], 40), "days"),
        (lambda: TWO.metabolite_concentration(1.0, COURSE, [1.0]), "metabolite"),
        (lambda: TWO.concentration("much", COURSE, [1.0]), "dose"),
        (lambda: TWO.concentration(1.0, COURSE, "noon"), "hours"),
    ],
)
def test_what_cannot_be_is_refused(make, field):
    with pytest.raises(InputError, match=field):
        make()
