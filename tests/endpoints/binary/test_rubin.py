"""Rubin's rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.binary.rubin import rubins_rules
from equipoise.errors import InputError
from equipoise.estimate import Estimate

MANY = [0.2531, 0.2901, 0.2913, 0.1658, 0.2694, 0.3441, 0.2146, 0.2173, 0.3744, 0.2425, 0.2297, 0.3577, 0.3249, 0.2054]
MANY += [0.339, 0.3381, 0.2199, 0.3076, 0.3791, 0.3711]
ERRORS = [0.2049, 0.2083, 0.2028, 0.2082, 0.2012, 0.201, 0.2006, 0.2041, 0.2069, 0.2097, 0.2003, 0.2051, 0.2091, 0.2087]
ERRORS += [0.2049, 0.207, 0.2067, 0.2001, 0.201, 0.2018]
CASES = [
    pytest.param(
        [1.977, 2.108, 2.35, 1.924, 2.44],
        [0.856, 0.914, 0.851, 0.893, 0.859],
        97,
        0.95,
        (2.1598, 0.9096423692858638, 78.30652824270847, 0.3489528068569232, 3.970647193143077, 0.02002910288059992),
        id="rubin_1",
    ),
    pytest.param(
        MANY,
        ERRORS,
        400,
        0.9,
        (
            0.286755,
            0.21534686755814506,
            305.2065403069578,
            -0.06853750406728132,
            0.6420475040672813,
            0.18398666522792706,
        ),
        id="rubin_3",
    ),
]


@pytest.mark.parametrize(("estimates", "errors", "freedom", "level", "expected"), CASES)
def test_agrees_with_rbmi_and_mice(estimates, errors, freedom, level, expected):
    """R package rbmi 1.5.2, rubin_rules and parametric_ci; mice has the same degrees of freedom."""
    found = rubins_rules(estimates, np.square(errors), freedom)
    estimate = Estimate(float(found.effect), float(found.standard_error), float(found.degrees_of_freedom))
    interval = estimate.interval(level)
    ours = (estimate.effect, estimate.standard_error, estimate.degrees_of_freedom)
    ours += (interval.lower, interval.upper, estimate.p_value)
    assert ours == pytest.approx(expected, rel=1e-10)


values = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 4)), min_size=2, max_size=30)


@given(values, st.floats(2, 1000))
def test_what_is_missing_costs_information(given_values, freedom):
    estimates, variances = map(np.array, zip(*given_values, strict=True))
    found = rubins_rules(estimates, variances, freedom)
    assert found.effect == pytest.approx(estimates.mean())
    assert found.standard_error**2 >= found.within * (1 - 1e-12)
    assert 0 < found.degrees_of_freedom <= freedom
    assert 0 <= found.missing_information < 1
    assert rubins_rules(estimates, variances).degrees_of_freedom >= found.degrees_of_freedom
    many = rubins_rules(np.tile(estimates, (3, 1)), np.tile(variances, (3, 1)), freedom)
    assert many.standard_error.tolist() == [float(found.standard_error)] * 3


def test_nothing_missing_is_the_complete_analysis():
    found = rubins_rules([1.5] * 10, [0.25] * 10)
    assert (found.effect, found.standard_error, found.degrees_of_freedom) == (1.5, 0.5, np.inf)
    assert rubins_rules([1.5] * 10, [0.25] * 10, 50).degrees_of_freedom == pytest.approx(51 / 53 * 50)
    assert rubins_rules([1.5] * 10, [0.0] * 10).standard_error == 0


@pytest.mark.parametrize(
    ("estimates", "variances", "freedom", "field"),
    [
        ([1.0], [1.0], 10, "estimates"),
        ([1.0, 2.0], [1.0], 10, "variances"),
        ([1.0, 2.0], [1.0, -1.0], 10, "variances"),
        ([1.0, 2.0], [1.0, 1.0], 0, "complete_degrees_of_freedom"),
    ],
)
def test_what_cannot_be_pooled(estimates, variances, freedom, field):
    with pytest.raises(InputError) as caught:
        rubins_rules(estimates, variances, freedom)
    assert caught.value.field == field
