import math

import numpy as np
import pytest

from equipoise.endpoints.durations.principal_ignorability import principal_ignorability
from equipoise.endpoints.durations.principal_stratum import principal_stratum
from equipoise.endpoints.durations.time_in_response import time_in_response
from equipoise.endpoints.regression.logistic import logistic_regression
from equipoise.errors import InputError, NotEstimable
from response_law import MONOTONE

HORIZON = 20.0


def expit(value):
    return 1 / (1 + np.exp(-value))


def draw(generator, patients):
    """Response under either arm and duration under control depend on x, and on each other through x only."""
    x = generator.standard_normal(patients)
    responses = [generator.random(patients) < expit(shift + x) for shift in (-0.5, 0.3)]
    durations = [generator.exponential(1.0, patients) * mean * np.exp(0.4 * x) for mean in (20, 30)]
    return x, responses, durations


def trial(generator, patients, censoring=(15, 120)):
    x, responses, durations = draw(generator, patients)
    arm = np.arange(patients) % 2
    responded = np.where(arm == 1, responses[1], responses[0])
    lasted = np.where(arm == 1, durations[1], durations[0])
    end = generator.uniform(*censoring, patients)
    return arm, responded, np.minimum(lasted, end), lasted <= end, x


def truth():
    """By quadrature over x."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    member = expit(0.3 + nodes)
    means = [mean * np.exp(0.4 * nodes) for mean in (20, 30)]
    within = [mean * (1 - np.exp(-HORIZON / mean)) for mean in means]
    gained = member * (within[1] - expit(-0.5 + nodes) * within[0])
    return weights @ gained / (weights @ member)


def test_it_weighs_control_by_the_chance_of_responding_to_the_experimental_arm():
    arm, responded, time, _, x = trial(np.random.default_rng(1), 300)
    found = principal_ignorability(arm, responded, time, np.ones(300), x, HORIZON)
    inside = np.where(responded, np.minimum(time, HORIZON), 0.0)
    both = np.concatenate([x[arm == 1], x[arm == 1]])
    twice = logistic_regression(
        np.concatenate([responded[arm == 1]] * 2).astype(float), np.repeat([0, 1], 150), both
    ).coefficients
    expected = expit(twice[0] + twice[2] * x)
    weighted = np.average(inside[arm == 0], weights=expected[arm == 0])
    assert found.effect == pytest.approx(inside[(arm == 1) & responded].mean() - weighted, rel=1e-9)


def test_unbiased_and_covering_where_its_assumption_holds():
    generator, count = np.random.default_rng(2), 1200
    found = [principal_ignorability(*trial(generator, 500), HORIZON) for _ in range(count)]
    error = np.array([item.effect for item in found]) - truth()
    spread = np.array([item.standard_error for item in found])
    assert abs(error.mean()) < 4 * error.std() / math.sqrt(count)
    assert np.mean(np.abs(error) < 1.96 * spread) == pytest.approx(0.95, abs=0.01 + 4 * math.sqrt(0.95 * 0.05 / count))
    assert np.sqrt(np.mean(spread**2)) == pytest.approx(error.std(), rel=4 / math.sqrt(2 * count))


def test_its_error_is_that_of_resampling():
    generator = np.random.default_rng(3)
    arm, responded, time, observed, x = trial(generator, 400)
    columns = np.column_stack([x, generator.standard_normal(400)])
    found = principal_ignorability(arm, responded, time, observed, columns, HORIZON)
    again = []
    for _ in range(1200):
        rows = np.concatenate([generator.choice(np.flatnonzero(arm == at), 200) for at in (0, 1)])
        again.append(
            principal_ignorability(
                arm[rows], responded[rows], time[rows], observed[rows], columns[rows], HORIZON
            ).effect
        )
    assert found.standard_error == pytest.approx(np.std(again), rel=0.09)


def test_without_a_covariate_that_varies_response_under_the_arms_is_independent():
    arm, responded, time, observed = (part[0] for part in MONOTONE.draw(np.random.default_rng(4), 1, 200, (30, 90)))
    found = principal_ignorability(arm, responded, time, observed, np.full(200, 7.0), HORIZON)
    times = time_in_response(arm, responded, time, observed, HORIZON)
    share = responded[arm == 1].mean()
    assert found.effect == pytest.approx(times.experimental.mean / share - times.control.mean, rel=1e-10)
    bounds = principal_stratum(arm, responded, time, observed, HORIZON)
    assert bounds.lower < found.effect < bounds.upper


@pytest.mark.parametrize("change", [lambda x: 1000 + 1e-3 * x, lambda x: np.column_stack([x, 2 * x - 1, x**2 * 0])])
def test_units_and_columns_that_add_nothing_change_nothing(change):
    arm, responded, time, observed, x = trial(np.random.default_rng(5), 200)
    one = principal_ignorability(arm, responded, time, observed, x, HORIZON)
    other = principal_ignorability(arm, responded, time, observed, change(x), HORIZON)
    assert other.effect == pytest.approx(one.effect, rel=1e-9)
    assert other.standard_error == pytest.approx(one.standard_error, rel=1e-9)


def test_everybody_responds_to_the_experimental_arm():
    arm, responded, time, observed, x = trial(np.random.default_rng(6), 200)
    found = principal_ignorability(arm, responded | (arm == 1), time, observed, x, HORIZON)
    times = time_in_response(arm, responded | (arm == 1), time, observed, HORIZON)
    assert found.effect == pytest.approx(times.difference.effect, rel=1e-12)
    assert found.standard_error == pytest.approx(times.difference.standard_error, rel=1e-12)


def test_patients_without_a_covariate_are_left_out():
    arm, responded, time, observed, x = trial(np.random.default_rng(7), 200)
    x[:20] = np.nan
    found = principal_ignorability(arm, responded, time, observed, x, HORIZON)
    rest = principal_ignorability(arm[20:], responded[20:], time[20:], observed[20:], x[20:], HORIZON)
    assert (found.effect, found.standard_error) == pytest.approx((rest.effect, rest.standard_error), rel=1e-10)


def test_what_data_do_not_tell_is_said():
    arm, responded, time, observed, x = trial(np.random.default_rng(8), 60)
    with pytest.raises(NotEstimable, match="the covariates separate"):
        principal_ignorability(arm, responded, time, observed, responded.astype(float), 10.0)
    with pytest.raises(NotEstimable, match="nobody of the experimental arm responded"):
        principal_ignorability(arm, responded & (arm == 0), time, observed, x, 10.0)
    with pytest.raises(NotEstimable, match="not to the horizon"):
        principal_ignorability(arm, responded, np.minimum(time, 5), np.zeros(60), x, 10.0)
    with pytest.raises(InputError, match="covariates"):
        principal_ignorability(arm, responded, time, observed, x[:5], 10.0)
