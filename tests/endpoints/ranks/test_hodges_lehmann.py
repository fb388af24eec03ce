import numpy as np
import pytest

from equipoise.endpoints.ranks.hodges_lehmann import hodges_lehmann, hodges_lehmann_batch
from equipoise.endpoints.ranks.rank_sum import rank_sum_batch
from equipoise.errors import InputError
from ranks_reference import cases, joined, random_trials


@pytest.mark.parametrize(("inputs", "expected"), cases("wilcox"))
def test_agrees_with_wilcox_test(inputs, expected):
    """R's asymptotic limits are roots to 1e-4 of a step function, ours the differences at which it steps."""
    values, arm = joined(inputs)
    for level, suffix in ((0.95, ""), (0.9, "_90")):
        found = hodges_lehmann(values, arm, level=level, method="normal")
        limits = (found.interval.lower, found.interval.upper)
        assert limits == pytest.approx(expected["asymptotic_interval" + suffix], abs=1e-4)
        if "exact" in expected:
            found = hodges_lehmann(values, arm, level=level, method="exact")
            limits = (found.interval.lower, found.interval.upper)
            assert limits == pytest.approx(expected["exact_interval" + suffix], rel=1e-12)
            assert found.shift == pytest.approx(expected["exact_estimate"], rel=1e-13)


@pytest.mark.parametrize(
    ("control", "experimental", "digits"), [(1, 1, 3), (4, 7, 2), (31, 20, 0), (60, 61, 1), (90, 80, 6)]
)
def test_selects_from_all_differences(control, experimental, digits):
    rng = np.random.default_rng(control)
    values = np.round(rng.normal(size=control + experimental) * 3, digits)
    arm = np.repeat([0, 1], [control, experimental])
    found = hodges_lehmann(values, arm, method="normal")
    differences = np.sort(np.subtract.outer(values[arm == 1], values[arm == 0]).ravel())
    assert found.shift == pytest.approx(np.median(differences), rel=1e-14)
    for limit in (found.interval.lower, found.interval.upper):
        assert np.isinf(limit) or limit in differences


def test_moves_with_the_data_and_turns_with_the_arms():
    rng = np.random.default_rng(4)
    values, arm = rng.normal(size=60), rng.integers(0, 2, 60)
    found = hodges_lehmann(values, arm)
    moved = hodges_lehmann(3 * values + 2 * arm, arm)
    assert moved.shift == pytest.approx(3 * found.shift + 2, rel=1e-12)
    assert moved.interval.lower == pytest.approx(3 * found.interval.lower + 2, rel=1e-12)
    assert moved.standard_error == pytest.approx(3 * found.standard_error, rel=1e-12)
    turned = hodges_lehmann(values, 1 - arm)
    assert turned.shift == pytest.approx(-found.shift, rel=1e-12)
    limits = (turned.interval.lower, turned.interval.upper)
    assert limits == pytest.approx((-found.interval.upper, -found.interval.lower), rel=1e-12)


def test_interval_holds_the_shifts_that_the_test_keeps():
    """Exact limits: just inside, the rank-sum test of the shifted data keeps the hypothesis, just outside not."""
    rng = np.random.default_rng(9)
    values, arm = np.round(rng.normal(size=22), 5), np.arange(22) % 2
    interval = hodges_lehmann(values, arm).interval
    shifts = np.array([interval.lower - 1e-7, interval.lower + 1e-7, interval.upper - 1e-7, interval.upper + 1e-7])
    tests = rank_sum_batch(values - shifts[:, None] * arm, np.tile(arm, (4, 1)), method="exact")
    assert (tests.p_value > 0.05).tolist() == [False, True, True, False]


@pytest.mark.parametrize("method", ["normal", "automatic", "exact"])
def test_batch_is_the_single_estimate_of_each_trial(method):
    values, arm = random_trials(6)
    values += np.arange(values.shape[1]) * 1e-6 * (np.arange(80) % 2)[:, None]
    batch = hodges_lehmann_batch(values, arm, method=method, level=0.9)
    estimates = batch.estimates()
    for at in range(len(values)):
        try:
            one = hodges_lehmann(values[at], arm[at], method=method, level=0.9)
        except InputError as error:
            one = error
        if isinstance(one, InputError):
            assert str(batch.refusals[at]) == str(one) == estimates.failures[at]
            continue
        theirs = (one.shift, one.interval.lower, one.interval.upper, one.standard_error, one.exact)
        ours = (batch.shift[at], batch.lower[at], batch.upper[at], batch.standard_error[at], batch.exact[at])
        assert ours == pytest.approx(theirs, rel=1e-14, nan_ok=True)
        try:
            estimate = one.estimate()
        except InputError as error:
            same = str(error) == estimates.failures[at]
        else:
            same = (estimate.effect, estimate.standard_error) == (estimates.effect[at], estimates.standard_error[at])
        assert same


def test_coverage_and_standard_error():
    """2,000 trials of 30 against 40 patients, logistic outcomes shifted by 0.8."""
    rng = np.random.default_rng(12)
    arm = np.tile(np.arange(70) % 7 < 3, (2000, 1)).astype(int)
    found = hodges_lehmann_batch(rng.logistic(size=arm.shape) + 0.8 * arm, arm)
    covered = np.mean((found.lower <= 0.8) & (found.upper >= 0.8))
    assert covered == pytest.approx(0.95, abs=0.015)
    assert found.shift.mean() == pytest.approx(0.8, abs=0.03)
    assert np.sqrt(np.mean(found.standard_error**2)) == pytest.approx(found.shift.std(), rel=0.06)


def test_few_patients_have_no_limits():
    found = hodges_lehmann([1.0, 2.5, 4.0, 0.5], [1, 1, 0, 0])
    assert (found.interval.lower, found.interval.upper) == (-np.inf, np.inf)
    with pytest.raises(InputError, match="too few"):
        found.estimate()
    with pytest.raises(InputError, match="mostly equal"):
        hodges_lehmann([1.0] * 40 + [2.0], np.arange(41) % 2).estimate()


@pytest.mark.parametrize(
    ("values", "arm", "options", "match"),
    [
        ([1, np.inf], [0, 1], {}, "finite"),
        ([1, 2], [0, 1], {"level": 1}, "level"),
        ([1, 2], [0, 1], {"level": "high"}, "level"),
        ([1, 2], [1, 1], {}, "each arm"),
        ([1, 2], [0, 1], {"method": "quick"}, "method"),
        (np.arange(300.0), np.arange(300) % 2, {"method": "exact"}, "10000 pairs"),
    ],
)
def test_refuses(values, arm, options, match):
    with pytest.raises(InputError, match=match):
        hodges_lehmann(values, arm, **options)
