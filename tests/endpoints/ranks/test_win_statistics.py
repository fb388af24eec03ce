import math
from itertools import combinations

import numpy as np
import pytest

from equipoise.endpoints.ranks.win_components import WinComponent
from equipoise.endpoints.ranks.win_probability import win_probability
from equipoise.endpoints.ranks.win_statistics import win_statistics, win_statistics_batch
from equipoise.errors import InputError
from equipoise.estimate import Scale
from ranks_reference import cases, verdict

SCALES = (Scale.LOG_WIN_RATIO, Scale.LOG_WIN_ODDS, Scale.NET_BENEFIT, Scale.WIN_PROBABILITY)
ERRORS = ("null", "pooled", "unconstrained")
THREE = (WinComponent(time=True, margin=1), WinComponent(better="lower"), WinComponent(margin=0.5))


def of_case(inputs):
    components = [
        WinComponent(time=time, margin=margin) for time, margin in zip(inputs["times"], inputs["margins"], strict=True)
    ]
    return win_statistics(
        inputs["values"], inputs["arm"], components, observed=inputs["observed"], strata=inputs.get("strata")
    )


@pytest.mark.parametrize(("inputs", "expected"), cases("wins"))
def test_agrees_with_the_code_of_wins(inputs, expected):
    found = of_case(inputs)
    assert found.ratio == pytest.approx(expected["win_ratio"], rel=1e-13)
    assert found.odds == pytest.approx(expected["win_odds"], rel=1e-13)
    assert found.net_benefit == pytest.approx(expected["net_benefit"], abs=1e-15)
    for scale, name in (
        (Scale.LOG_WIN_RATIO, "win_ratio"),
        (Scale.LOG_WIN_ODDS, "win_odds"),
        (Scale.NET_BENEFIT, "net_benefit"),
    ):
        estimate = found.estimate(scale, "pooled")
        error = expected["se_net_benefit" if name == "net_benefit" else f"se_log_{name}"]
        assert estimate.standard_error == pytest.approx(error, rel=1e-12)
        effect = expected[name] if name == "net_benefit" else math.log(expected[name])
        assert estimate.effect == pytest.approx(effect, rel=1e-12)
    if "wins" in expected:
        assert np.array(found.won_at) * found.pairs == pytest.approx(expected["wins"], rel=1e-12)
        assert np.array(found.lost_at) * found.pairs == pytest.approx(expected["losses"], rel=1e-12)


@pytest.mark.parametrize(("inputs", "expected"), cases("luo"))
def test_agrees_with_luos_variances(inputs, expected):
    """Luo et al. (2015) divide by the patients of an arm where Bebu & Lachin's covariances divide by one less."""
    found = of_case(inputs)
    shrunk = math.sqrt(29 / 30)
    ratio = found.estimate(Scale.LOG_WIN_RATIO, "unconstrained")
    assert ratio.standard_error * shrunk == pytest.approx(expected["se_log_win_ratio"], rel=1e-13)
    benefit = found.estimate(Scale.NET_BENEFIT, "unconstrained")
    assert benefit.standard_error * shrunk == pytest.approx(expected["se_net_benefit"], rel=1e-13)


def test_agrees_with_the_tests_of_buysetest():
    """R's BuyseTest, tests/testthat/test-BuyseTest-iid.R: 1/16, 1/16, -1/16 of two patients an arm, divisors n."""
    found = win_statistics([[1.0], [0], [1], [0]], [0, 0, 1, 1], [WinComponent()])
    assert (found.won, found.lost, found.tied) == (0.25, 0.25, 0.5)
    assert found._batch.covariance[0] == pytest.approx(np.array([1, 1, -1]) / 16 * 2, abs=1e-16)
    assert found.estimate(Scale.NET_BENEFIT, "unconstrained").standard_error ** 2 == pytest.approx(1 / 4 * 2, rel=1e-14)
    assert found.estimate(Scale.LOG_WIN_RATIO, "unconstrained").standard_error ** 2 == pytest.approx(4 * 2, rel=1e-14)


def dense(values, observed, arm, components, strata):
    """Weighted shares won and lost by level, the three variances of their difference, the covariance: by all pairs."""
    levels = len(components)
    shares, total = np.zeros((levels, 2)), 0.0
    null = pooled = 0.0
    covariance = np.zeros((2, 2))
    for label in np.unique(strata):
        who = np.flatnonzero((strata == label) & (arm >= 0))
        patients = [[(value, seen, math.inf) for value, seen in zip(values[i], observed[i], strict=True)] for i in who]
        score = np.zeros((len(who), len(who)))
        level = np.full(score.shape, -1)
        for i, j in combinations(range(len(who)), 2):
            score[i, j], level[i, j] = verdict(patients[i], patients[j], components)
            score[j, i], level[j, i] = -score[i, j], level[i, j]
        first, second = arm[who] == 1, arm[who] == 0
        n1, n0 = first.sum(), second.sum()
        if n1 == 0 or n0 == 0:
            continue
        weight = 1 / (n1 + n0)
        total += weight * n1 * n0
        block, at = score[np.ix_(first, second)], level[np.ix_(first, second)]
        for index in range(levels):
            shares[index] += weight * np.array(
                [((block > 0) & (at == index)).sum(), ((block < 0) & (at == index)).sum()]
            )
        n = n1 + n0
        null += weight**2 * n1 * n0 / (n * (n - 1)) * np.sum(score.sum(axis=1) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            rows = block.sum(axis=1)[:, None] * block - block**2
            columns = block.sum(axis=0)[None] * block - block**2
            pooled += weight**2 * (n0 / (n0 - 1) * rows.sum() + n1 / (n1 - 1) * columns.sum())
        kernel = np.stack([block > 0, block < 0]).astype(float)
        spread = np.full((2, 2), np.nan)
        if n1 > 1 and n0 > 1:
            spread = np.cov(kernel.mean(axis=2)) / n1 + np.cov(kernel.mean(axis=1)) / n0
        covariance = covariance + weight**2 * (n1 * n0) ** 2 * spread
    return shares / total, null / total**2, pooled / total**2, covariance / total**2


def trials(seed, number=40, patients=12):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 6, size=(number, patients, 3)).astype(float)
    observed = rng.random(values.shape) < 0.5
    values[..., 2] /= 2
    values[rng.random(values.shape) < 0.1] = np.nan
    arm = rng.integers(-1, 2, size=(number, patients))
    strata = rng.integers(0, 2, size=(number, patients))
    return values, observed, arm, strata


@pytest.mark.parametrize("stratified", [False, True])
def test_equals_a_comparison_of_all_pairs(stratified):
    values, observed, arm, strata = trials(1)
    strata = strata if stratified else np.zeros_like(strata)
    batch = win_statistics_batch(values, arm, THREE, observed=observed, strata=strata)
    checked = 0
    for at in set(range(len(arm))) - set(batch.refusals):
        shares, null, pooled, covariance = dense(values[at], observed[at], arm[at], THREE, strata[at])
        assert batch.won_at[at] == pytest.approx(shares[:, 0], rel=1e-12)
        assert batch.lost_at[at] == pytest.approx(shares[:, 1], rel=1e-12)
        assert (batch.won[at], batch.lost[at]) == pytest.approx(shares.sum(axis=0), rel=1e-12)
        assert batch.null_variance[at] == pytest.approx(null, rel=1e-12)
        assert batch.covariance[at] == pytest.approx(
            covariance[[0, 1, 0], [0, 1, 1]], rel=1e-10, abs=1e-15, nan_ok=True
        )
        if np.isfinite(pooled):
            assert batch.pooled_variance[at] == pytest.approx(pooled, rel=1e-12, abs=1e-15)
            checked += 1
    assert checked > 10


@pytest.mark.parametrize("stratified", [False, True])
def test_batch_is_the_single_estimate_of_each_trial(stratified):
    values, observed, arm, strata = trials(2, number=60, patients=7)
    values[0], arm[0] = 1.0, np.arange(7) % 2
    values[1, :, 0], arm[1] = np.where(np.arange(7) % 2, 9.0, 1.0), np.arange(7) % 2
    observed[1] = True
    arm[2] = -1
    labels = strata if stratified else None
    batch = win_statistics_batch(values, arm, THREE, observed=observed, strata=labels)
    found = {(scale, error): batch.estimates(scale, error) for scale in SCALES for error in ERRORS}
    assert {2} <= set(batch.refusals)
    for at in range(len(arm)):
        label = strata[at] if stratified else None
        try:
            one = win_statistics(values[at], arm[at], THREE, observed=observed[at], strata=label)
        except InputError as error:
            one = error
        for key, estimates in found.items():
            if isinstance(one, InputError):
                single = one
            else:
                try:
                    single = one.estimate(*key)
                except InputError as error:
                    single = error
            if isinstance(single, InputError):
                assert estimates.failures[at] == str(single)
                assert np.isnan(estimates.effect[at])
            else:
                assert at not in estimates.failures
                assert estimates.effect[at] == pytest.approx(single.effect, rel=1e-13, abs=1e-15)
                assert estimates.standard_error[at] == pytest.approx(single.standard_error, rel=1e-13)


def test_null_variance_is_that_of_all_divisions():
    """Seven patients, three of them experimental: the 35 ways to choose them have exactly this variance."""
    values, observed, _, _ = trials(3, number=1, patients=7)
    net, variances = [], []
    for chosen in combinations(range(7), 3):
        arm = np.zeros(7, dtype=int)
        arm[list(chosen)] = 1
        found = win_statistics(values[0], arm, THREE, observed=observed[0])
        net.append(found.net_benefit)
        variances.append(found._batch.null_variance[0])
    assert np.mean(net) == pytest.approx(0, abs=1e-15)
    assert variances == pytest.approx([np.var(net)] * 35, rel=1e-12)


def test_one_binary_component_is_the_risk_difference():
    rng = np.random.default_rng(4)
    arm, response = rng.integers(0, 2, 90), rng.integers(0, 2, 90)
    found = win_statistics(response[:, None], arm, [WinComponent()])
    risks = [response[arm == at].mean() for at in (0, 1)]
    assert found.net_benefit == pytest.approx(risks[1] - risks[0], abs=1e-15)
    wald = sum(risk * (1 - risk) / ((arm == at).sum() - 1) for at, risk in enumerate(risks))
    assert found.estimate(Scale.NET_BENEFIT, "unconstrained").standard_error == pytest.approx(
        math.sqrt(wald), rel=1e-12
    )
    odds = risks[1] * (1 - risks[0]) / (risks[0] * (1 - risks[1]))
    assert found.ratio == pytest.approx(odds, rel=1e-13)
    sizes = [(arm == at).sum() for at in (0, 1)]
    woolf = sum(1 / (risk * (1 - risk)) / (size - 1) for risk, size in zip(risks, sizes, strict=True))
    assert found.estimate(Scale.LOG_WIN_RATIO, "unconstrained").standard_error == pytest.approx(
        math.sqrt(woolf), rel=1e-12
    )


@pytest.mark.parametrize(
    "component",
    [WinComponent(), WinComponent(time=True), WinComponent(better="lower"), WinComponent(time=True, better="lower")],
)
def test_one_component_without_censoring_is_mann_whitney(component):
    rng = np.random.default_rng(5)
    values, arm = rng.integers(0, 20, 60) / 4, rng.integers(0, 2, 60)
    found = win_statistics(values[:, None], arm, [component])
    plain = win_probability(values, arm, better=component.better)
    assert found.odds == pytest.approx(plain.odds, rel=1e-13)
    for error in ("null", "unconstrained"):
        for scale in (Scale.WIN_PROBABILITY, Scale.LOG_WIN_ODDS, Scale.NET_BENEFIT):
            ours, theirs = found.estimate(scale, error), plain.estimate(scale, error)
            assert (ours.effect, ours.standard_error) == pytest.approx(
                (theirs.effect, theirs.standard_error), rel=1e-12
            )
            assert ours.null_value == theirs.null_value


def test_arms_swapped_turn_the_ratio_over():
    values, observed, arm, strata = trials(6, number=1, patients=40)
    for labels in (None, strata[0]):
        found = win_statistics(values[0], arm[0], THREE, observed=observed[0], strata=labels)
        swapped = win_statistics(
            values[0], np.where(arm[0] < 0, -1, 1 - arm[0]), THREE, observed=observed[0], strata=labels
        )
        assert swapped.ratio == pytest.approx(1 / found.ratio, rel=1e-13)
        assert swapped.won_at == pytest.approx(found.lost_at)
        for scale in SCALES[:3]:
            for error in ERRORS:
                ours, theirs = found.estimate(scale, error), swapped.estimate(scale, error)
                assert theirs.effect == pytest.approx(-ours.effect, rel=1e-12)
                assert theirs.standard_error == pytest.approx(ours.standard_error, rel=1e-12)


def test_invariant_under_monotone_maps_without_margins():
    values, observed, arm, _ = trials(7, number=1, patients=30)
    components = (WinComponent(time=True), WinComponent(better="lower"), WinComponent())
    found = win_statistics(values[0], arm[0], components, observed=observed[0])
    assert win_statistics(np.expm1(values[0]), arm[0], components, observed=observed[0]) == found
    assert win_statistics(values[0] ** 3, arm[0], components, observed=observed[0]) == found


@pytest.mark.parametrize(
    ("first", "second", "component", "won"),
    [
        ((10, True), (5, True), WinComponent(time=True), 1),
        ((5, True), (5, True), WinComponent(time=True), 0),
        ((5, False), (5, True), WinComponent(time=True), 1),
        ((5, False), (6, True), WinComponent(time=True), 0),
        ((7, False), (6, True), WinComponent(time=True), 1),
        ((7, False), (6, False), WinComponent(time=True), 0),
        ((7, True), (6, False), WinComponent(time=True), 0),
        ((7, False), (6, True), WinComponent(time=True, margin=1), 1),
        ((7, False), (6, True), WinComponent(time=True, margin=1.5), 0),
        ((5, True), (9, False), WinComponent(time=True, better="lower"), 1),
        ((5, True), (5, False), WinComponent(time=True, better="lower"), 1),
        ((5, True), (4, False), WinComponent(time=True, better="lower"), 0),
        ((0.7, True), (0.4, True), WinComponent(margin=0.3), 1),
        ((0.7, True), (0.4, True), WinComponent(margin=0.31), 0),
        ((3, True), (8, True), WinComponent(margin=5, better="lower"), 1),
        ((math.nan, True), (8, True), WinComponent(), 0),
        ((math.inf, True), (8, True), WinComponent(margin=5), 1),
        ((math.inf, True), (math.inf, True), WinComponent(), 0),
    ],
)
def test_who_wins_a_pair(first, second, component, won):
    values, observed = np.array([[first[0]], [second[0]]]), np.array([[first[1]], [second[1]]])
    found = win_statistics(values, [1, 0], [component], observed=observed)
    assert (found.won, found.lost) == (won, 0)
    turned = win_statistics(values, [0, 1], [component], observed=observed)
    assert (turned.won, turned.lost) == (0, won)


@pytest.mark.parametrize(
    ("first", "second", "won"),
    [
        ((3, 10), (1, 20), 1),
        ((3, 20), (1, 10), 0),
        ((3, 20), (1, 20), 1),
        ((3, math.inf), (1, 20), 0),
        ((3, math.inf), (1, math.inf), 1),
        ((3, 10), (1, math.inf), 1),
    ],
)
def test_more_events_count_where_they_came_in_less_time(first, second, won):
    values, followed = np.array([[first[0]], [second[0]]]), np.array([[first[1]], [second[1]]])
    found = win_statistics(values, [1, 0], [WinComponent()], followed=followed)
    assert (found.won, found.lost) == (won, 0)
    fewer = win_statistics(values, [1, 0], [WinComponent(better="lower")], followed=followed)
    assert (fewer.won, fewer.lost) == (0, won)


def test_level_and_coverage():
    """2,000 trials of 50 against 50 patients: death, then a score with a margin, censoring at random.

    The win ratio of the truth is found from one comparison of 3,000 against 3,000 patients.
    """
    rng = np.random.default_rng(8)
    components = (WinComponent(time=True), WinComponent(margin=0.5))

    def draw(number, patients, ratio, shift):
        arm = np.tile(np.arange(patients) % 2, (number, 1))
        time = rng.exponential(np.where(arm == 1, ratio, 1.0))
        until = rng.uniform(0.2, 1.2, size=arm.shape)
        score = rng.normal(size=arm.shape) + shift * arm
        values = np.stack([np.minimum(time, until), score], axis=2)
        return values, arm, np.stack([time <= until, np.ones_like(time)], axis=2)

    values, arm, observed = draw(2000, 100, 1.0, 0.0)
    found = win_statistics_batch(values, arm, components, observed=observed)
    for scale in SCALES:
        for error in ("null", "pooled"):
            estimates = found.estimates(scale, error)
            z = (estimates.effect - (0.5 if scale is Scale.WIN_PROBABILITY else 0)) / estimates.standard_error
            assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.05, abs=0.015)

    values, arm, observed = draw(1, 6000, 1.5, 0.4)
    truth = win_statistics_batch(values, arm, components, observed=observed)
    values, arm, observed = draw(2000, 100, 1.5, 0.4)
    found = win_statistics_batch(values, arm, components, observed=observed)
    for scale in SCALES[:3]:
        target = truth.estimates(scale).effect[0]
        estimates = found.estimates(scale, "unconstrained")
        covered = np.abs(estimates.effect - target) <= 1.959964 * estimates.standard_error
        assert np.mean(covered) == pytest.approx(0.95, abs=0.02)
        assert np.sqrt(np.mean(estimates.standard_error**2)) == pytest.approx(estimates.effect.std(), rel=0.06)


def test_variance_agrees_with_the_jackknife():
    """One patient left out at a time, arm by arm: the variance of the net benefit to 1 / n, of the log ratio nearly."""
    rng = np.random.default_rng(9)
    values, arm = rng.normal(size=(120, 2)).round(1), np.arange(120) % 2
    values[:, 0] += 0.3 * arm
    components = (WinComponent(margin=1), WinComponent())
    found = win_statistics(values, arm, components)
    for scale, tolerance in ((Scale.NET_BENEFIT, 1e-10), (Scale.LOG_WIN_RATIO, 0.05)):
        left = np.array(
            [
                win_statistics(values, np.where(np.arange(120) == out, -1, arm), components).estimate(scale).effect
                for out in range(120)
            ]
        )
        variance = sum(59 / 60 * np.sum((left[arm == at] - left[arm == at].mean()) ** 2) for at in (0, 1))
        assert found.estimate(scale, "unconstrained").standard_error ** 2 == pytest.approx(variance, rel=tolerance)


@pytest.mark.parametrize(
    ("values", "arm", "options", "match"),
    [
        ([[1.0], [2.0]], [1, 1], {}, "each arm"),
        ([[1.0], [2.0], [1.0]], [1, 0, 1], {"strata": [1, 2, 1]}, "both arms"),
        ([1.0, 2.0], [1, 0], {}, "shape"),
        ([[1.0, 2.0]], [1], {}, "1 components"),
        ([[1.0], [2.0]], [1, 3], {}, "arm"),
        ([[1.0], [-2.0]], [1, 0], {"components": [WinComponent(time=True)]}, "not below 0"),
        ([[1.0], [2.0]], [1, 0], {"observed": [[1], [2]]}, "true or false"),
        ([[1.0], [2.0]], [1, 0], {"components": []}, "WinComponent"),
        ([[1.0], [2.0]], [1, 0], {"components": ["death"]}, "WinComponent"),
        ([["a"], ["b"]], [1, 0], {}, "values"),
        ([[1.0], [2.0]], [1, 0], {"followed": [[1.0], [math.nan]]}, "a duration for each value"),
    ],
)
def test_refuses(values, arm, options, match):
    with pytest.raises(InputError, match=match):
        win_statistics(values, arm, **({"components": [WinComponent()]} | options))


def test_refuses_estimates_that_do_not_exist():
    tied = win_statistics(np.ones((4, 1)), [0, 0, 1, 1], [WinComponent()])
    assert math.isnan(tied.ratio)
    assert tied.odds == 1
    with pytest.raises(InputError, match="does better"):
        tied.estimate(Scale.NET_BENEFIT)
    won = win_statistics([[1.0], [2], [3], [4]], [0, 0, 1, 1], [WinComponent()])
    assert won.ratio == won.odds == math.inf
    assert won.estimate(Scale.NET_BENEFIT).z == pytest.approx(1 / math.sqrt(5 / 12), rel=1e-12)
    with pytest.raises(InputError, match="pairs won and lost"):
        won.estimate(Scale.LOG_WIN_RATIO)
    with pytest.raises(InputError, match="overlap"):
        won.estimate(Scale.LOG_WIN_ODDS)
    single = win_statistics([[1.0], [2], [0]], [0, 1, 1], [WinComponent()])
    for error in ("pooled", "unconstrained"):
        with pytest.raises(InputError, match="two patients"):
            single.estimate(Scale.NET_BENEFIT, error)
    with pytest.raises(InputError, match="scale"):
        single.estimate(Scale.LOG_ODDS_RATIO)
    with pytest.raises(InputError, match="error"):
        single.estimate(Scale.NET_BENEFIT, "best")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="margin"):
        WinComponent(margin=-1)


@pytest.mark.parametrize("stratified", [False, True])
def test_of_the_permutation_error_z_is_the_same_on_every_scale(stratified):
    values, observed, arm, strata = trials(16, number=60, patients=30)
    found = win_statistics_batch(values, arm, THREE, observed=observed, strata=strata if stratified else None)
    z = found.estimates(Scale.NET_BENEFIT)
    z = z.effect / z.standard_error
    assert np.sum(np.abs(z) > 1) > 5
    for scale in (Scale.LOG_WIN_RATIO, Scale.LOG_WIN_ODDS):
        estimates = found.estimates(scale)
        there = np.isfinite(estimates.effect)
        assert there.sum() > 50
        np.testing.assert_allclose((estimates.effect / estimates.standard_error)[there], z[there], rtol=1e-11)


def test_where_as_many_pairs_are_won_as_lost_the_error_is_the_delta_methods():
    balanced = win_statistics([[1.0], [4], [2], [3]], [0, 0, 1, 1], [WinComponent()])
    assert balanced.net_benefit == 0
    error = balanced.estimate(Scale.NET_BENEFIT).standard_error
    assert balanced.estimate(Scale.LOG_WIN_ODDS).standard_error == pytest.approx(2 * error, rel=1e-14)
    assert balanced.estimate(Scale.LOG_WIN_RATIO).standard_error == pytest.approx(2 * error, rel=1e-14)
    values = np.concatenate([np.arange(4000.0), np.arange(4000.0) + 0.5])
    nearly = win_statistics(values[:, None], np.repeat([0, 1], 4000), [WinComponent()])
    assert 0 < nearly.net_benefit < 1e-3
    ratio = nearly.estimate(Scale.LOG_WIN_ODDS).standard_error / nearly.estimate(Scale.NET_BENEFIT).standard_error
    assert ratio == pytest.approx(2, rel=1e-6)


def test_level_of_the_logarithms_in_small_trials():
    """4,000 trials of 20 against 20 patients: no more rejections than of the net benefit, at 0.05 and at 0.01."""
    rng = np.random.default_rng(3)
    values, arm = rng.normal(size=(4000, 40, 1)), np.tile(np.arange(40) % 2, (4000, 1))
    found = win_statistics_batch(values, arm, [WinComponent()])
    rejected = {}
    for scale in SCALES[:3]:
        estimates = found.estimates(scale)
        z = np.abs(estimates.effect / estimates.standard_error)
        rejected[scale] = [float(np.mean(z > limit)) for limit in (1.959964, 2.575829)]
    assert rejected[Scale.LOG_WIN_ODDS] == rejected[Scale.LOG_WIN_RATIO] == rejected[Scale.NET_BENEFIT]
    assert rejected[Scale.NET_BENEFIT][0] == pytest.approx(0.05, abs=0.01)
    assert rejected[Scale.NET_BENEFIT][1] < 0.0125
