import numpy as np
import pytest
from scipy import stats

from equipoise.endpoints.ranks.rank_sum import rank_sum
from equipoise.endpoints.ranks.van_elteren import van_elteren, van_elteren_batch
from equipoise.errors import InputError
from ranks_reference import random_trials


def by_hand(values, arm, strata):
    """Sums of midranks over n + 1, with the permutation variance of a sum of any scores."""
    statistic = variance = 0.0
    for label in np.unique(strata):
        here = (strata == label) & (arm >= 0) & ~np.isnan(values)
        ranks, chosen = stats.rankdata(values[here]), arm[here] == 1
        n, n1 = chosen.size, chosen.sum()
        if n < 2:
            continue
        statistic += (ranks[chosen].sum() - n1 * (n + 1) / 2) / (n + 1)
        variance += n1 * (n - n1) / n * ranks.var(ddof=1) / (n + 1) ** 2
    return statistic, variance


def test_equals_ranks_within_strata_and_batch_equals_single():
    values, arm = random_trials(21, patients=30)
    strata = np.random.default_rng(2).integers(0, 4, arm.shape)
    batch = van_elteren_batch(values, arm, strata)
    assert {0, 1, 2, 5} <= set(batch.refusals)
    for at in range(len(values)):
        try:
            one = van_elteren(values[at], arm[at], strata[at])
        except InputError as error:
            one = error
        if isinstance(one, InputError):
            assert str(one) == str(batch.refusals[at])
            continue
        assert (one.statistic, one.variance) == (batch.statistic[at], batch.variance[at])
        assert (one.statistic, one.variance) == pytest.approx(
            by_hand(values[at], arm[at], strata[at]), rel=1e-11, abs=1e-13
        )
        assert one.z == pytest.approx(batch.z[at], rel=1e-14)


def test_with_one_stratum_it_is_the_rank_sum_test():
    rng = np.random.default_rng(3)
    values, arm = rng.integers(0, 9, 30), rng.integers(0, 2, 30)
    found = van_elteren(values, arm, np.full(30, "all"))
    plain = rank_sum(values, arm, continuity=False, method="normal")
    assert (found.z, found.p_value) == pytest.approx((plain.z, plain.p_value), rel=1e-12)


def test_level_where_strata_differ():
    """3,000 trials with strata far apart and unequal allocation in each: the stratified test keeps its level."""
    rng = np.random.default_rng(6)
    strata = np.tile(np.repeat([0, 1, 2], [10, 20, 30]), (3000, 1))
    arm = (rng.random(strata.shape) < np.array([0.7, 0.5, 0.3])[strata]).astype(int)
    found = van_elteren_batch(rng.normal(size=strata.shape) + 3 * strata, arm, strata)
    assert np.mean(np.abs(found.z) > 1.959964) == pytest.approx(0.05, abs=0.012)


@pytest.mark.parametrize(
    ("values", "arm", "strata", "match"),
    [
        ([1, 2, 3, 4], [1, 1, 0, 0], [1, 1, 2, 2], "both arms"),
        ([1, 2], [1, 1], [1, 1], "each arm"),
        ([1, 1, 2, 2], [1, 0, 1, 0], [1, 1, 2, 2], "within a stratum"),
        ([1, 2], [1, 0], [1], "one label a patient"),
        ([1, 2], [1, 0], [1, np.nan], "missing"),
    ],
)
def test_refuses(values, arm, strata, match):
    with pytest.raises(InputError, match=match):
        van_elteren(values, arm, strata)
