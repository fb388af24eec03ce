import numpy as np
import pytest

from equipoise.endpoints.regression.proportional_odds import proportional_odds_regression
from equipoise.endpoints.regression.proportionality import arms_score_test, proportionality_test
from equipoise.errors import InputError
from regression_reference import cheese


def simulated(patients=120, levels=4, seed=0, bend=0.0):
    rng = np.random.default_rng(seed)
    baseline, arm = rng.normal(size=patients), np.arange(patients) % 2
    latent = 0.6 * baseline + rng.logistic(size=patients)
    latent = np.where(arm == 1, 0.5 + (1 - bend) * latent, latent)
    return np.digitize(latent, np.linspace(-1.5, 1.5, levels - 1)), arm, baseline


def wilcoxon(level, arm):
    """Deviation of the rank sum of arm 1 from its mean, and its variance with ties."""
    from scipy.stats import rankdata

    n, m = len(level), int(arm.sum())
    ties = np.unique(level, return_counts=True)[1]
    variance = m * (n - m) / 12 * ((n + 1) - (ties**3 - ties).sum() / (n * (n - 1)))
    return rankdata(level)[arm == 1].sum() - m * (n + 1) / 2, variance


@pytest.mark.parametrize("seed", range(5))
def test_the_score_test_without_covariates_is_wilcoxons(seed):
    from scipy.stats import mannwhitneyu

    level, arm, _ = simulated(50, 5, seed)
    found = arms_score_test(level, arm)
    deviation, variance = wilcoxon(level, arm)
    assert found.score[0] == pytest.approx(2 * deviation / 50, rel=1e-12, abs=1e-13)
    assert found.information[0, 0] == pytest.approx(4 * variance / 50**2 * 49 / 50, rel=1e-12)
    assert found.statistic * 49 / 50 == pytest.approx(deviation**2 / variance, rel=1e-12, abs=1e-13)
    theirs = mannwhitneyu(level[arm == 1], level[arm == 0], use_continuity=False, method="asymptotic").pvalue
    from scipy.special import chdtrc

    assert chdtrc(1, found.statistic * 49 / 50) == pytest.approx(theirs, rel=1e-10)


def test_three_arms_without_covariates_are_kruskal_and_wallis():
    from scipy.stats import kruskal

    level, _, _ = simulated(60, 5, 3)
    arm = np.arange(60) % 3
    found = arms_score_test(level, arm)
    theirs = kruskal(*(level[arm == at] for at in range(3)))
    assert found.degrees_of_freedom == 2
    assert found.statistic * 59 / 60 == pytest.approx(theirs.statistic, rel=1e-11)


def test_the_information_is_whiteheads():
    level, arm, _ = simulated(80, 4, 1)
    shares = np.bincount(level) / 80
    assert arms_score_test(level, arm).information[0, 0] == pytest.approx(
        40 * 40 / (3 * 80) * (1 - (shares**3).sum()), rel=1e-12
    )


def test_with_covariates_it_is_near_walds_and_blind_to_their_units():
    level, arm, baseline = simulated(1000, 4, 2)
    fit = proportional_odds_regression(level, arm, baseline)
    found, other = arms_score_test(level, arm, baseline), arms_score_test(level, arm, 1e6 - 3e4 * baseline)
    assert found.statistic == pytest.approx(fit.estimate.statistic**2, rel=0.02)
    assert other.statistic == pytest.approx(found.statistic, rel=1e-8)
    separated = arms_score_test([0, 0, 1, 1, 2, 3], [0, 0, 0, 1, 1, 1])
    assert separated.statistic > 3


def dense_test(level, common, free, thresholds, slopes):
    """Rao's chi-square with the derivatives of every patient's log-probability of every level by complex steps.

    Columns of `common` have one slope, those of `free` one a threshold.
    """
    inner, patients = len(thresholds), len(level)
    start = np.concatenate((thresholds, slopes[free.shape[1] :], np.tile(slopes[: free.shape[1]], inner)))

    def probabilities(at):
        own = at[inner + common.shape[1] :].reshape(inner, -1)
        predictor = at[:inner, None] - common @ at[inner : inner + common.shape[1]] - own @ free.T
        below = 1 / (1 + np.exp(-predictor))
        return np.diff(np.concatenate((np.zeros((1, patients)), below, np.ones((1, patients)))), axis=0)

    share = probabilities(start).real
    slope = np.array([probabilities(start + 1e-30j * step).imag / 1e-30 for step in np.eye(len(start))]) / share
    score = slope[:, level, np.arange(patients)].sum(axis=1)
    information = np.einsum("ajp,jp,bjp->ab", slope, share, slope)
    return score @ np.linalg.solve(information, score)


@pytest.mark.parametrize("seed", range(4))
def test_proportionality_is_raos_test_of_separate_slopes(seed):
    level, arm, baseline = simulated(seed=seed, bend=0.3)
    fit = proportional_odds_regression(level, arm, baseline)
    columns = np.column_stack((arm, baseline))
    found = proportionality_test(level, arm, 40 + 3 * baseline, of="all")
    assert found.degrees_of_freedom == 4
    dense = dense_test(level, np.empty((120, 0)), columns, fit.thresholds, fit.coefficients[1:])
    assert found.statistic == pytest.approx(dense, rel=1e-8)
    found = proportionality_test(level, arm, baseline)
    assert found.degrees_of_freedom == 2
    dense = dense_test(level, baseline[:, None], arm[:, None], fit.thresholds, fit.coefficients[1:])
    assert found.statistic == pytest.approx(dense, rel=1e-8)


@pytest.mark.parametrize("arms", [2, 4])
def test_without_covariates_it_is_pearsons_chi_square_of_the_fit(arms):
    """Slopes of its own for every threshold let every arm have any shares: the score test is Pearson's of the table."""
    level, _, _ = simulated(160, 5, 7)
    arm = np.arange(160) % arms
    fit = proportional_odds_regression(level, arm)
    predictor = np.append(0.0, fit.coefficients[1:])[:, None] - fit.thresholds
    above = np.column_stack((np.ones(arms), 1 / (1 + np.exp(-predictor)), np.zeros(arms)))
    expected = -np.diff(above, axis=1) * fit.counts.sum(axis=1, keepdims=True)
    found = proportionality_test(level, arm)
    assert found.degrees_of_freedom == 3 * (arms - 1)
    assert found.statistic == pytest.approx(((fit.counts - expected) ** 2 / expected).sum(), rel=1e-9)


def test_cheese_tasting_by_pearsons_chi_square():
    found = proportionality_test(*cheese())
    assert found.degrees_of_freedom == 21
    score, additive = cheese()
    fit = proportional_odds_regression(score, additive)
    predictor = np.append(0.0, fit.coefficients[1:])[:, None] - fit.thresholds
    above = np.column_stack((np.ones(4), 1 / (1 + np.exp(-predictor)), np.zeros(4)))
    expected = -52 * np.diff(above, axis=1)
    assert found.statistic == pytest.approx(((fit.counts - expected) ** 2 / expected).sum(), rel=1e-9)
    assert round(found.statistic, 3) == 20.938


def test_proportionality_is_kept_at_its_level_and_found_out_where_it_fails():
    rejections = {0.0: 0, 0.6: 0}
    for bend in rejections:
        for seed in range(300):
            level, arm, baseline = simulated(300, 4, seed, bend)
            rejections[bend] += proportionality_test(level, arm, baseline).p_value < 0.05
    assert 5 <= rejections[0.0] <= 27
    assert rejections[0.6] > 200


def test_what_has_no_test_is_refused():
    level, arm, baseline = simulated(40, 2)
    with pytest.raises(InputError, match="at least three levels"):
        proportionality_test(level, arm, baseline)
    with pytest.raises(InputError, match="two or more levels"):
        arms_score_test(np.zeros(40), arm)
    with pytest.raises(InputError, match="do not separate"):
        arms_score_test(np.argsort(np.argsort(baseline)) // 10, arm, baseline)
    with pytest.raises(InputError, match="'arms', 'all'"):
        proportionality_test(level, arm, of="some")
    with pytest.raises(InputError, match="every arm"):
        arms_score_test([1, 2, np.nan], [0, 0, 1])
    statistic, p_value = arms_score_test(*simulated(40, 3)[:2])
    assert (statistic > 0) == (p_value < 1)
    assert str(arms_score_test(*simulated(40, 3)[:2])).startswith("score test: chi-square")
