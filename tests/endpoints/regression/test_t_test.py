import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.regression.t_test import compare_means, means_by_arm, t_test, t_test_batch
from equipoise.errors import InputError

METHODS = ("t", "welch")


def trials(number=200, patients=30, seed=1):
    """Outcomes with ties, missing ones, absent patients, third arms, and trials too small or without spread."""
    draws = np.random.default_rng(seed)
    arm = draws.choice([-1, 0, 0, 1, 1, 2], (number, patients))
    outcome = np.round(draws.normal(10, 4, (number, patients)) * (1 + (arm == 1)))
    outcome[draws.random(outcome.shape) < 0.2] = np.nan
    arm[:12, 6:], arm[12:20] = -1, 0
    arm[20:26, 3:] = -1
    outcome[26:30] = 0.1 * arm[26:30] + 0.1
    arm[30:34, 2:] = -1
    arm[30:34, :2] = [0, 1]
    outcome[30:34, :2] = 3.0, 4.0
    return outcome, arm


@pytest.mark.parametrize("method", METHODS)
def test_equals_scipy_from_data_and_from_summaries(method):
    from scipy.stats import ttest_ind, ttest_ind_from_stats

    draws = np.random.default_rng(3)
    for _ in range(50):
        first = draws.normal(1e3, 2, draws.integers(2, 40))
        second = draws.normal(1e3, 7, draws.integers(2, 40))
        ours = t_test(np.append(first, second), np.repeat([0, 1], [len(first), len(second)]), method=method)
        theirs = ttest_ind(second, first, equal_var=method == "t")
        assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-11)
        assert ours.degrees_of_freedom == pytest.approx(theirs.df, rel=1e-11)
        assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-10)
        summaries = (second.mean(), second.std(ddof=1), len(second), first.mean(), first.std(ddof=1), len(first))
        theirs = ttest_ind_from_stats(*summaries, equal_var=method == "t")
        ours = compare_means(
            [[len(first), len(second)]], [summaries[3::-3]], [[summaries[4], summaries[1]]], method=method
        )
        assert ours.effect[0] / ours.standard_error[0] == pytest.approx(theirs.statistic, rel=1e-12)


def test_the_sleep_data_as_printed_by_r():
    """`t.test(extra ~ group, data = sleep)`: Student's own data, Welch's test."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = t_test(first + second, [1] * 10 + [0] * 10, method="welch")
    assert round(found.statistic, 4) == -1.8608
    assert round(found.degrees_of_freedom, 3) == 17.776
    assert round(found.p_value, 5) == 0.07939
    interval = found.interval()
    assert (round(interval.lower, 7), round(interval.upper, 7)) == (-3.3654832, 0.2054832)


@pytest.mark.parametrize("method", METHODS)
def test_many_trials_equal_each_and_fail_for_the_same_reasons(method):
    outcome, arm = trials()
    batch = t_test_batch(outcome, arm, method=method)
    for at in range(len(outcome)):
        here = arm[at] >= 0
        try:
            one = t_test(outcome[at, here], arm[at, here], method=method)
            found = (one.effect, one.standard_error, one.degrees_of_freedom)
        except InputError as error:
            found = str(error)
        if isinstance(found, str):
            if (arm[at] > 0).any():
                assert batch.failures[at] == found
            assert at in batch.failures
            assert math.isnan(batch.effect[at])
            assert math.isnan(batch.standard_error[at])
        else:
            assert at not in batch.failures
            np.testing.assert_allclose(
                found,
                (batch.effect[at], batch.standard_error[at], batch.degrees_of_freedom[at]),
                rtol=1e-12,
                atol=1e-13,
            )
    assert {12, 26, 30} <= set(batch.failures)
    assert len(batch.failures) < 60


def test_pooled_is_the_analysis_of_covariance_without_covariates():
    outcome, arm = trials()
    for at in range(60, 100):
        two = (arm[at] == 0) | (arm[at] == 1)
        ours, theirs = t_test(outcome[at], np.maximum(arm[at], 0) + 2 * ~two), ancova(outcome[at, two], arm[at, two])
        assert ours.effect == pytest.approx(theirs.estimate.effect, rel=1e-12, abs=1e-13)
        assert ours.standard_error == pytest.approx(theirs.estimate.standard_error, rel=1e-12)
        assert ours.degrees_of_freedom == theirs.degrees_of_freedom


@given(
    st.integers(2, 50), st.integers(2, 50), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(0.1, 9),
    st.floats(0.1, 9),
)  # fmt: skip
def test_welch_and_pooled_between_each_other(size1, size2, mean1, mean2, spread1, spread2):
    given_ = ([[size1, size2]], [[mean1, mean2]], [[spread1, spread2]])
    welch, pooled = compare_means(*given_, method="welch"), compare_means(*given_)
    assert min(size1, size2) - 1 - 1e-9 <= welch.degrees_of_freedom[0] <= size1 + size2 - 2 + 1e-9
    assert pooled.degrees_of_freedom[0] == size1 + size2 - 2
    assert welch.effect[0] == pooled.effect[0] == mean2 - mean1
    swapped = compare_means(*(np.array(values)[:, ::-1] for values in given_), method="welch")
    assert swapped.effect[0] == -welch.effect[0]
    assert swapped.standard_error[0] == pytest.approx(welch.standard_error[0], rel=1e-14)
    if size1 == size2:
        assert welch.standard_error[0] == pytest.approx(pooled.standard_error[0], rel=1e-14)


def test_a_far_offset_costs_no_digits():
    outcome, arm = trials(3, 40)
    outcome, arm = outcome[2], np.arange(40) % 2
    near, far = t_test(outcome, arm), t_test(outcome + 2.0**40, arm)
    assert far.effect == pytest.approx(near.effect, abs=2.0**-11)
    assert far.standard_error == pytest.approx(near.standard_error, rel=1e-12)


def test_level_of_welch_where_arms_differ_in_spread_and_size():
    """40,000 trials of 8 and 24 patients, the fewer with three times the spread: Welch keeps 5%, pooling does not."""
    from scipy.special import stdtr

    draws = np.random.default_rng(5)
    arm = np.repeat([0, 1], [8, 24])
    outcome = draws.normal(size=(40_000, 32)) * np.where(arm == 0, 3.0, 1.0)
    rejected = {}
    for method in METHODS:
        found = t_test_batch(outcome, np.broadcast_to(arm, outcome.shape), method=method)
        p = 2 * stdtr(found.degrees_of_freedom, -np.abs(found.effect / found.standard_error))
        rejected[method] = (p < 0.05).mean()
    assert rejected["welch"] == pytest.approx(0.05, abs=0.004)
    assert rejected["t"] > 0.2


def test_summaries_by_arm():
    outcome, arm = trials()
    found = means_by_arm(outcome, arm, 3)
    for at in (0, 50, 120):
        for which in range(3):
            values = outcome[at, (arm[at] == which) & ~np.isnan(outcome[at])]
            assert found.patients[at, which] == len(values)
            if len(values) > 1:
                assert found.mean[at, which] == pytest.approx(values.mean(), rel=1e-13)
                assert found.standard_deviation[at, which] == pytest.approx(values.std(ddof=1), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (([[5, 5.5]], [[1, 2]], [[1, 1]]), "patients"),
        (([[5, -5]], [[1, 2]], [[1, 1]]), "patients"),
        (([[5, 5]], [[1, 2]], [[1, -1]]), "standard_deviation"),
        (([[5, 5]], [1, 2], [[1, 1]]), "mean"),
        (([[5, 5, 5]], [[1, 2, 2]], [[1, 1, 2]]), "patients"),
        (([["a", "b"]], [[1, 2]], [[1, 1]]), "patients"),
    ],
)
def test_summaries_that_are_none(arguments, field):
    with pytest.raises(InputError) as caught:
        compare_means(*arguments)
    assert caught.value.field == field


def test_bad_arrays_are_named():
    for arguments, field in (
        (([1, 2, 3], [0, 1]), "arm"),
        (([1, 2, 3], [0, 1, 1.5]), "arm"),
        (([1, 2, math.inf], [0, 1, 1]), "outcome"),
        (([1, 2, 3], [0, 0, 0]), "arm"),
    ):
        with pytest.raises(InputError) as caught:
            t_test(*arguments)
        assert caught.value.field == field
    with pytest.raises(InputError, match="'t', 'welch'"):
        t_test([1, 2, 3], [0, 1, 1], method="paired")
