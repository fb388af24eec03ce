import math

import numpy as np
import pytest
from scipy import stats

from equipoise import Estimate, InputError, Scale
from equipoise.estimate_arrays import (
    effect_at_mean_of,
    favourable_z_of,
    interval_of,
    possible_of,
    quantile_of,
    score_of,
    z_of,
)

FREEDOMS = (1.0, 2.5, 28.0, 400.0, 1e6, math.inf)


def some_estimates(count=300, seed=1):
    generator = np.random.default_rng(seed)
    effect = generator.normal(0, 3, count)
    error = generator.uniform(0.2, 2.0, count)
    freedom = generator.choice(FREEDOMS, count)
    return effect, error, freedom


@pytest.mark.parametrize("better", ["higher", "lower"])
@pytest.mark.parametrize("scale", [Scale.MEAN_DIFFERENCE, Scale.RISK_DIFFERENCE, Scale.WIN_PROBABILITY])
def test_arrays_give_what_each_estimate_gives(better, scale):
    effect, error, freedom = some_estimates()
    singles = [
        Estimate(*row, scale=scale, better=better, null_value=0.3) for row in zip(effect, error, freedom, strict=True)
    ]
    z = favourable_z_of(effect, error, freedom, 0.3, better)
    np.testing.assert_allclose(z, [one.favourable_z for one in singles], rtol=1e-12)
    np.testing.assert_allclose(z_of(effect, error, freedom, 1.0), [one.z_against(1.0) for one in singles], rtol=1e-12)
    lower, upper = interval_of(effect, error, freedom, 0.9, scale)
    np.testing.assert_allclose(lower, [one.interval(0.9).lower for one in singles], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(upper, [one.interval(0.9).upper for one in singles], rtol=1e-12, atol=1e-14)
    means = np.random.default_rng(2).normal(0, 2, z.size)
    for cut in (True, False):
        found = effect_at_mean_of(means, z, effect, error, freedom, better, scale if cut else None)
        wanted = [one.effect_at_mean(float(mean), cut=cut) for one, mean in zip(singles, means, strict=True)]
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_tails_are_those_of_an_independent_t():
    statistic = np.linspace(-12, 12, 49)
    for freedom in (3.0, 28.0, 400.0):
        wanted = -stats.norm.isf(stats.t.sf(np.abs(statistic), freedom)) * -np.sign(statistic)
        np.testing.assert_allclose(score_of(statistic, freedom), wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("freedom", [28.0, 400.0, math.inf])
def test_far_tails_come_back(freedom):
    z = np.array([-40.0, -37.5, -30.0, -8.0, 0.0, 3.0, 36.0, 38.0, 40.0])
    statistic = quantile_of(z, freedom)
    assert np.all(np.diff(statistic) > 0)
    np.testing.assert_array_equal(statistic, -quantile_of(-z, freedom))
    np.testing.assert_allclose(score_of(statistic, freedom), z, rtol=1e-9)
    one = Estimate(0.0, 1.0, freedom)
    np.testing.assert_allclose(statistic, [one.quantile(float(value)) for value in z], rtol=1e-12)


def test_far_t_tail_matches_its_leading_term():
    # P(T > t) of few degrees of freedom falls as a power of t: c t^-3 with 3 degrees of freedom
    freedom, statistic = 3.0, 1e100
    density = math.exp(math.lgamma(2.0) - math.lgamma(1.5)) / math.sqrt(math.pi * freedom)
    log_tail = math.log(density * freedom**2 / freedom) - 3 * math.log(statistic)
    z = float(score_of(statistic, freedom))
    assert stats.norm.logsf(z) == pytest.approx(log_tail, rel=1e-10)


def test_what_is_missing_stays_missing():
    effect = np.array([1.0, np.nan, 1.0, 1.0, 1.0])
    error = np.array([1.0, 1.0, np.nan, 1.0, 0.0])
    freedom = np.array([np.inf, 10.0, 10.0, np.nan, 10.0])
    z = favourable_z_of(effect, error, freedom, 0.0, "higher")
    np.testing.assert_array_equal(np.isnan(z), [False, True, True, True, True])
    lower, upper = interval_of(effect, error, freedom, 0.95, Scale.RISK_DIFFERENCE)
    np.testing.assert_array_equal(np.isnan(lower), [False, True, True, True, False])
    np.testing.assert_array_equal(np.isnan(upper), np.isnan(lower))
    assert np.isnan(quantile_of(np.nan, 10.0))
    assert np.isnan(effect_at_mean_of(np.nan, 1.0, 1.0, 1.0, 10.0, "higher", Scale.MEAN_DIFFERENCE))


def test_infinite_values_stay_infinite():
    np.testing.assert_array_equal(quantile_of([-np.inf, np.inf], 10.0), [-np.inf, np.inf])
    np.testing.assert_array_equal(score_of([-np.inf, np.inf], 10.0), [-np.inf, np.inf])
    assert effect_at_mean_of(-math.inf, 1.0, 1.0, 1.0, 9.0, "higher", Scale.RISK_DIFFERENCE) == -1.0


def test_shapes_broadcast():
    assert quantile_of(np.zeros((3, 1)), np.full(4, 9.0)).shape == (3, 4)
    assert possible_of(np.array([[-2.0, 0.5]]), Scale.WIN_PROBABILITY).tolist() == [[0.0, 0.5]]
    assert favourable_z_of(np.ones((2, 3)), 1.0, 12.0, 0.0, "lower").shape == (2, 3)


def test_level_is_checked():
    with pytest.raises(InputError, match="level"):
        interval_of(1.0, 1.0, 10.0, 1.0, Scale.MEAN_DIFFERENCE)


def test_a_quantile_beyond_all_numbers_is_infinite():
    assert quantile_of(-400.0, 5.0) == -np.inf
    assert np.isfinite(quantile_of(60.0, 25.0))
