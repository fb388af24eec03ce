"""Proportions fitted under a null hypothesis: where the likelihood is greatest, in hard places too."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.restricted_rates import contrast, contrast_variance, restricted_rates

MEASURES = ("difference", "ratio", "odds ratio")


@st.composite
def tables(draw):
    found = []
    for _ in range(2):
        total = draw(st.integers(1, 200))
        found += [draw(st.sampled_from([0, total]) | st.integers(0, total)), total]
    return tuple(found)


def by_bisection(table, null):
    """The first proportion given the difference, by bisection of the likelihood's derivative in whole fractions."""
    events1, total1, events2, total2 = map(Fraction, table)
    null = Fraction(null)
    low, high = max(Fraction(0), null), min(Fraction(1), 1 + null)

    def rises(first):
        second = first - null
        value = Fraction(0)
        for events, total, place in ((events1, total1, first), (events2, total2, second)):
            if events:
                if place == 0:
                    return True
                value += events / place
            if events < total:
                if place == 1:
                    return False
                value -= (total - events) / (1 - place)
        return value > 0

    for _ in range(70):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) else (low, middle)
        low, high = Fraction(int(low * 2**80), 2**80), Fraction(int(high * 2**80) + 1, 2**80)
    return float((low + high) / 2)


@given(tables(), st.floats(-0.999, 0.999) | st.sampled_from([1e-9, -1e-9, 1e-4, -1e-4]))
def test_of_a_difference_it_is_the_greatest_likelihood_to_the_last_digits(table, null):
    events1, total1, events2, total2 = table
    first, second = restricted_rates(events1 / total1, events2 / total2, total1, total2, null, "difference")
    assert isinstance(first, float)
    assert first - second == pytest.approx(null, abs=1e-15)
    assert first == pytest.approx(by_bisection(table, null), abs=2e-15)


@given(tables(), st.floats(0.01, 100))
def test_of_ratios_it_has_the_ratio_and_no_neighbour_is_likelier(table, null):
    events1, total1, events2, total2 = table

    def likelihood(first, second):
        cells = ((events1, first), (total1 - events1, 1 - first), (events2, second), (total2 - events2, 1 - second))
        with np.errstate(divide="ignore"):
            return sum(count * np.log(max(place, 0.0)) for count, place in cells if count)

    for measure in ("ratio", "odds ratio"):
        first, second = restricted_rates(events1 / total1, events2 / total2, total1, total2, null, measure)
        assert 0 <= first <= 1 + 1e-12
        assert 0 <= second <= 1 + 1e-12
        if measure == "ratio":
            assert first == pytest.approx(null * second, rel=1e-12)
        else:
            assert first * (1 - second) == pytest.approx(null * second * (1 - first), rel=1e-9, abs=1e-14)
        best = likelihood(first, second)
        for shift in (1e-4, -1e-4):
            near = min(max(second * (1 + shift), 0.0), 1.0)
            other = null * near if measure == "ratio" else null * near / (1 + near * (null - 1))
            if other <= 1:
                assert likelihood(other, near) <= best + 1e-9 * abs(best)


@given(tables(), st.floats(-0.9, 0.9))
def test_swapping_groups_or_outcome_mirrors_it(table, null):
    events1, total1, events2, total2 = table
    rates = events1 / total1, events2 / total2
    first, second = restricted_rates(*rates, total1, total2, null, "difference")
    other = restricted_rates(rates[1], rates[0], total2, total1, -null, "difference")
    assert other == pytest.approx((second, first), abs=1e-14)
    ratio = np.exp(3 * null)
    first, second = restricted_rates(*rates, total1, total2, ratio, "odds ratio")
    assert restricted_rates(rates[1], rates[0], total2, total1, 1 / ratio, "odds ratio") == pytest.approx(
        (second, first), abs=1e-12
    )
    failures = restricted_rates(1 - rates[0], 1 - rates[1], total1, total2, 1 / ratio, "odds ratio")
    assert failures == pytest.approx((1 - first, 1 - second), abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_no_effect_pools(measure):
    null = 0.0 if measure == "difference" else 1.0
    assert restricted_rates(0.7, 0.4, 30, 60, null, measure) == pytest.approx((0.5, 0.5), abs=1e-15)


@pytest.mark.parametrize("measure", MEASURES)
def test_arrays_are_element_by_element(measure):
    generator = np.random.default_rng(1)
    rates = generator.random((2, 40))
    sizes = generator.integers(1, 90, (2, 40)).astype(float)
    null = generator.uniform(-0.8, 0.8, 40) if measure == "difference" else generator.uniform(0.1, 9, 40)
    together = restricted_rates(*rates, *sizes, null, measure)
    distance = contrast(*rates, null, measure)
    variance = contrast_variance(*together, *sizes, null, measure)
    for at in range(40):
        alone = restricted_rates(*rates[:, at], *sizes[:, at], null[at], measure)
        assert (together[0][at], together[1][at]) == pytest.approx(alone, abs=4e-16)
        assert distance[at] == contrast(*rates[:, at], null[at], measure)
        assert variance[at] == pytest.approx(contrast_variance(*alone, *sizes[:, at], null[at], measure), rel=1e-12)


def test_odds_without_a_value():
    assert contrast(1.0, 0.5, 1.0, "odds ratio") == np.inf
    assert contrast(0.5, 0.0, 1.0, "odds ratio") == np.inf
    assert contrast(0.0, 0.5, 1.0, "odds ratio") == -np.inf
    assert contrast_variance(0.0, 0.5, 10, 10, 1.0, "odds ratio") == np.inf
