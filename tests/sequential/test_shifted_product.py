"""Fisher's test seen under an effect: without one it is the ordinary tail, with one what simulation says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr, ndtri_exp

from equipoise.errors import InputError
from equipoise.sequential.shifted_product import shifted_tail
from equipoise.sequential.weighted_product import first_passages

THRESHOLDS = np.array([4.6, 7.4, 9.7])
FLOORS = np.array([0.5, 0.4, 0.3])


@pytest.mark.parametrize("looks", [1, 2, 3, 4])
@pytest.mark.parametrize("floors", [np.zeros(3), FLOORS], ids=["open", "futility"])
@pytest.mark.parametrize("exponents", [np.ones(4), np.array([1.0, 1.3, 0.7, 1.1])], ids=["equal", "unequal"])
@pytest.mark.parametrize("evidence", [0.3, 1.0, 4.0, 8.0, 15.0, 60.0])
def test_without_an_effect_it_is_the_ordinary_tail(looks, floors, exponents, evidence):
    before = slice(looks - 1)
    ours = shifted_tail(exponents[:looks], THRESHOLDS[before], floors[before], np.zeros(looks), evidence)
    thresholds, held = np.append(THRESHOLDS[before], evidence), np.append(floors[before], 0.0)
    # four looks with floors bend in places that are not all cut out
    tolerance = 1e-9 if looks == 4 and floors.any() else 1e-14
    assert ours == pytest.approx(first_passages(exponents[:looks], thresholds, held).sum(), abs=tolerance)


@pytest.mark.parametrize("mean", [-2.0, 0.4, 3.0])
@pytest.mark.parametrize("evidence", [0.5, 3.0, 8.0])
def test_two_looks_in_closed_form(mean, evidence):
    """The first stop is a p-value under the effect below c1*, and then u1 u2 <= q (Brannath, Posch & Bauer 2002)."""
    least = float(ndtr(ndtri_exp(-THRESHOLDS[0]) + mean))
    product = math.exp(-evidence)
    expected = least + max(product - least, 0.0) - product * math.log(max(least, product))
    ours = shifted_tail(np.ones(2), THRESHOLDS[:1], np.zeros(1), np.array([mean, 1.0]), evidence)
    assert ours == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("looks", [3, 4])
@pytest.mark.parametrize("floors", [np.zeros(3), FLOORS], ids=["open", "futility"])
def test_against_simulation(looks, floors):
    exponents, means, trials = np.array([1.0, 1.3, 0.7, 1.1]), np.array([0.5, 1.0, 0.7, 0.3]), 400_000
    z = np.random.default_rng(8).standard_normal((trials, 4))
    against_none = -log_ndtr(-(z + means)) * exponents
    total = np.cumsum(against_none, axis=1)
    effect = np.cumsum(-log_ndtr(-z) * exponents, axis=1)[:, looks - 1]
    on, early = np.ones(trials, dtype=bool), np.zeros(trials, dtype=bool)
    for look in range(looks - 1):
        early |= on & (total[:, look] >= THRESHOLDS[look])
        on &= (total[:, look] < THRESHOLDS[look]) & (against_none[:, look] > floors[look])
    for evidence in (1.0, 4.0, 7.0):
        simulated = (early | (on & (effect >= evidence))).mean()
        before = slice(looks - 1)
        ours = shifted_tail(exponents[:looks], THRESHOLDS[before], floors[before], means[:looks], evidence)
        assert ours == pytest.approx(simulated, abs=4 * 0.5 / math.sqrt(trials))


@pytest.mark.parametrize("looks", [2, 3, 4])
def test_extreme_effects(looks):
    before = slice(looks - 1)
    for mean, evidence, expected in ((60.0, 9000.0, 1.0), (-60.0, 1e-9, None), (-60.0, 50.0, None)):
        for floors in (np.zeros(3), FLOORS):
            ours = shifted_tail(np.ones(looks), THRESHOLDS[before], floors[before], np.full(looks, mean), evidence)
            assert 0 <= ours <= 1
            if expected is not None:
                assert ours == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, THRESHOLDS, FLOORS, np.zeros(4), 5.0), "exponents is"),
        ((np.ones(4), "1", FLOORS, np.zeros(4), 5.0), "thresholds is"),
        ((np.ones(4), THRESHOLDS, FLOORS[:2], np.zeros(4), 5.0), "floors is"),
        ((np.ones(4), THRESHOLDS, FLOORS, np.zeros(3), 5.0), "means is"),
        ((np.ones(4), THRESHOLDS, FLOORS, np.zeros(4), None), "evidence is None"),
    ],
)
def test_wrong_types_are_refused_by_name(arguments, message):
    with pytest.raises(InputError, match=message):
        shifted_tail(*arguments)
