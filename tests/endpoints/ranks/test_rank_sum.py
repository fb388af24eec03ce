from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from equipoise.endpoints.ranks.exact_rank_sum import exact_law, exact_law_without_ties
from equipoise.endpoints.ranks.rank_sum import rank_sum, rank_sum_batch
from equipoise.errors import InputError
from ranks_reference import cases, joined, random_trials


@pytest.mark.parametrize(("inputs", "expected"), cases("wilcox"))
def test_agrees_with_wilcox_test(inputs, expected):
    values, arm = joined(inputs)
    for method, continuity, name in (("normal", True, "normal_corrected"), ("normal", False, "normal")):
        found = rank_sum(values, arm, method=method, continuity=continuity)
        assert found.statistic == expected["statistic"]
        assert (found.p_value, found.p_higher, found.p_lower) == pytest.approx(expected[name], rel=1e-12)
    if "exact" in expected:
        found = rank_sum(values, arm, method="exact")
        assert (found.p_value, found.p_higher, found.p_lower) == pytest.approx(expected["exact"], rel=1e-12)
    automatic = rank_sum(values, arm)
    few = "exact" in expected and max(len(inputs["x"]), len(inputs["y"])) < 50
    assert automatic.exact == few
    assert automatic.p_value == pytest.approx(expected["exact" if few else "normal_corrected"][0], rel=1e-12)


def test_published_example():
    """Hollander & Wolfe (1973, p. 69), permeability of chorioamnion: W = 35, exact one-sided p = 0.1272."""
    inputs = cases("wilcox_permeability")[0].values[0]
    found = rank_sum(*joined(inputs))
    assert (found.statistic, round(found.p_higher, 4)) == (35, 0.1272)


@pytest.mark.parametrize(
    "values", [[1, 2, 2, 2, 3, 5, 5, 7], [0, 0, 0, 0, 1, 1, 1], [1.5, 2, 4, 8, 9, 11], [1, 1, 2, 2, 2, 2, 2, 9]]
)
@pytest.mark.parametrize("experimental", [1, 3, 4])
def test_exact_law_is_that_of_all_divisions(values, experimental):
    values = np.array(values, dtype=float)
    total = len(values)
    ranks = stats.rankdata(values)
    chosen = [
        2 * (ranks[list(who)].sum() - experimental * (experimental + 1) / 2)
        for who in combinations(range(total), experimental)
    ]
    shares = np.bincount(np.round(chosen).astype(int), minlength=2 * experimental * (total - experimental) + 1) / len(
        chosen
    )
    law = exact_law(values, experimental)
    assert law == pytest.approx(shares, abs=1e-14)
    # p-values by the same enumeration
    arm = np.r_[np.ones(experimental, dtype=int), np.zeros(total - experimental, dtype=int)]
    found = rank_sum(values, arm, method="exact")
    middle = experimental * (total - experimental)
    seen = 2 * found.statistic
    assert found.p_value == pytest.approx(
        np.mean(np.abs(np.array(chosen) - middle) >= abs(seen - middle) - 1e-9), rel=1e-12
    )
    assert found.p_higher == pytest.approx(np.mean(np.array(chosen) >= seen - 1e-9), rel=1e-12)
    assert found.p_lower == pytest.approx(np.mean(np.array(chosen) <= seen + 1e-9), rel=1e-12)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 9), (7, 4), (12, 15), (40, 49)])
def test_law_without_ties_is_that_of_scipy_and_of_the_law_with_ties(sizes):
    law = exact_law_without_ties(*sizes)
    assert law.sum() == pytest.approx(1, rel=1e-13)
    assert law == pytest.approx(law[::-1], rel=1e-11)
    with_ties = exact_law(np.arange(sum(sizes), dtype=float), sizes[1])
    assert with_ties[1::2] == pytest.approx(0, abs=0)
    assert with_ties[::2] == pytest.approx(law, rel=1e-11)
    mean, second = np.arange(law.size) @ law, np.arange(law.size) ** 2 @ law
    assert mean == pytest.approx(sizes[0] * sizes[1] / 2, rel=1e-12)
    assert second - mean**2 == pytest.approx(sizes[0] * sizes[1] * (sum(sizes) + 1) / 12, rel=1e-9)


def test_variance_with_ties_is_that_of_the_exact_law():
    values = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 8], dtype=float)
    arm = np.array([1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1])
    law = exact_law(values, 5)
    at = np.arange(law.size) / 2
    found = rank_sum(values, arm)
    assert at @ law == pytest.approx(found.expected, rel=1e-13)
    assert at**2 @ law - (at @ law) ** 2 == pytest.approx(found.variance, rel=1e-12)


def test_invariant_under_monotone_maps_and_symmetric_in_the_arms():
    rng = np.random.default_rng(1)
    values, arm = rng.integers(-9, 9, 40) / 4, rng.integers(0, 2, 40)
    found = rank_sum(values, arm)
    assert rank_sum(np.exp(values), arm) == found
    assert rank_sum(np.where(values > 1.5, np.inf, values), arm) == rank_sum(np.where(values > 1.5, 99, values), arm)
    swapped, mirrored = rank_sum(values, 1 - arm), rank_sum(-values, arm)
    assert swapped.z == pytest.approx(-found.z, rel=1e-13)
    assert (swapped.p_higher, swapped.p_lower) == pytest.approx((found.p_lower, found.p_higher), rel=1e-13)
    assert mirrored.z == pytest.approx(-found.z, rel=1e-13)


@pytest.mark.parametrize("method", ["normal", "automatic", "exact"])
def test_batch_is_the_single_test_of_each_trial(method):
    values, arm = random_trials(3)
    batch = rank_sum_batch(values, arm, method=method)
    names = ("statistic", "expected", "variance", "z", "p_value", "p_higher", "p_lower", "exact")
    assert {0, 1, 2, 5} <= set(batch.refusals)
    for at in range(len(values)):
        try:
            one = rank_sum(values[at], arm[at], method=method)
        except InputError as error:
            one = error
        if isinstance(one, InputError):
            assert str(batch.refusals[at]) == str(one)
            assert np.isnan(batch.p_value[at])
            continue
        assert at not in batch.refusals
        assert [getattr(batch, name)[at] for name in names] == pytest.approx(
            [getattr(one, name) for name in names], rel=1e-14
        )


def test_normal_p_values_agree_with_scipy():
    values, arm = random_trials(8, trials=60, patients=30)
    batch = rank_sum_batch(values, arm)
    for at in set(range(60)) - set(batch.refusals):
        known = ~np.isnan(values[at])
        x, y = values[at][(arm[at] == 1) & known], values[at][(arm[at] == 0) & known]
        theirs = stats.mannwhitneyu(x, y, method="asymptotic")
        assert (batch.statistic[at], batch.p_value[at]) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)


def test_level():
    """4,000 trials of 25 patients a level of whom 40% tie: the tests hold their level."""
    rng = np.random.default_rng(5)
    values = rng.integers(0, 6, size=(4000, 50)).astype(float)
    arm = np.tile(np.arange(50) % 2, (4000, 1))
    for continuity in (True, False):
        rejected = np.mean(rank_sum_batch(values, arm, continuity=continuity).p_value <= 0.05)
        assert rejected == pytest.approx(0.05, abs=0.0105)
    exact = rank_sum_batch(rng.normal(size=(4000, 24)), np.tile(np.arange(24) % 2, (4000, 1)), method="exact")
    assert np.mean(exact.p_value <= 0.05) <= 0.05 + 0.007


@pytest.mark.parametrize(
    ("values", "arm", "match"),
    [
        ([1, 2, 3], [1, 1, 1], "at least one in each arm"),
        ([1, np.nan], [1, 0], "at least one in each arm"),
        ([2, 2, 2], [1, 0, 0], "outcomes that differ"),
        ([1, 2], [1, 2], "arm"),
        ([1, 2], [1, 0, 0], "one arm a patient"),
        (["a", "b"], [1, 0], "values"),
        ([[1, 2]], [[1, 0]], "one value a patient"),
    ],
)
def test_refuses(values, arm, match):
    with pytest.raises(InputError, match=match):
        rank_sum(values, arm)


def test_refuses_other_options_and_too_many_pairs():
    with pytest.raises(InputError, match="method"):
        rank_sum([1, 2], [0, 1], method="fast")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="continuity"):
        rank_sum([1, 2], [0, 1], continuity="yes")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="10000 pairs"):
        rank_sum(np.arange(300.0), np.arange(300) % 2, method="exact")
    with pytest.raises(InputError, match="one row a trial"):
        rank_sum_batch([1, 2], [0, 1])
