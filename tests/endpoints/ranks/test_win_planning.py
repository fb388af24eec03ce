import math

import numpy as np
import pytest
from scipy import stats

from equipoise.endpoints.ranks.win_components import WinComponent
from equipoise.endpoints.ranks.win_laws import Normal, Points, against, counted, levels, timed
from equipoise.endpoints.ranks.win_planning import PatientClass, promised_wins
from ranks_reference import verdict


def random_points(rng, size, time):
    """A law on a few whole values, some censored or counted for less than the whole time."""
    seen = rng.random(size) < 0.6 if time else np.ones(size, dtype=bool)
    followed = np.full(size, np.inf) if time else rng.choice([3.0, 5.0, np.inf], size)
    return Points(rng.integers(0, 6, size).astype(float), rng.dirichlet(np.ones(size)), seen, followed)


@pytest.mark.parametrize(
    "item",
    [WinComponent(time=True, margin=margin, better=better) for margin in (0, 2) for better in ("higher", "lower")]
    + [WinComponent(margin=margin, better=better) for margin in (0, 2) for better in ("higher", "lower")],
)
def test_against_is_the_sum_over_all_points(item):
    rng = np.random.default_rng(1)
    for _ in range(20):
        one, law = random_points(rng, 7, item.time), random_points(rng, 9, item.time)
        if rng.random() < 0.5:
            one, law = (
                Points(part.values, part.weights, part.observed, np.full(part.values.shape, np.inf))
                for part in (one, law)
            )
        won, lost = against(item, one, law)
        for at in range(7):
            patient = [(one.values[at], one.observed[at], one.followed[at])]
            results = [
                verdict(patient, [(law.values[other], law.observed[other], law.followed[other])], [item])[0]
                for other in range(9)
            ]
            assert won[at] == pytest.approx(law.weights @ (np.array(results) == 1), abs=1e-14)
            assert lost[at] == pytest.approx(law.weights @ (np.array(results) == -1), abs=1e-14)


def test_the_promise_is_the_sum_over_all_patients():
    """Three components, some not recorded of a class of patients: every kind of patient against every other."""
    rng = np.random.default_rng(2)
    components = (WinComponent(time=True, margin=1), WinComponent(better="lower"), WinComponent(margin=2))
    classes = [
        PatientClass(0, 0.7, (random_points(rng, 4, True), random_points(rng, 3, False), random_points(rng, 3, False))),
        PatientClass(0, 0.2, (random_points(rng, 3, True), random_points(rng, 2, False), None)),
        PatientClass(0, 0.1, (None, None, None)),
        PatientClass(1, 0.6, (random_points(rng, 4, True), random_points(rng, 3, False), random_points(rng, 3, False))),
        PatientClass(1, 0.4, (None, random_points(rng, 4, False), random_points(rng, 3, False))),
    ]
    promised = promised_wins(components, classes, 0.3)
    assert promised.recorded == pytest.approx((0.9, 1.0))
    unknown = [((math.nan, True, math.inf), 1.0)]
    patients, chances, arms = [], [], []
    for item in (one for one in classes if any(law is not None for law in one.laws)):
        columns = [
            unknown
            if law is None
            else list(zip(zip(law.values, law.observed, law.followed, strict=True), law.weights, strict=True))
            for law in item.laws
        ]
        for first in columns[0]:
            for second in columns[1]:
                for third in columns[2]:
                    patients.append([first[0], second[0], third[0]])
                    chances.append(item.probability / promised.recorded[item.arm] * first[1] * second[1] * third[1])
                    arms.append(item.arm)
    chances, arms = np.array(chances), np.array(arms)
    scores = np.array([[verdict(one, other, components)[0] for other in patients] for one in patients])
    of_experimental, of_control = np.where(arms == 1, chances, 0.0), np.where(arms == 0, chances, 0.0)
    assert promised.won == pytest.approx(of_experimental @ (scores == 1) @ of_control, rel=1e-12)
    assert promised.lost == pytest.approx(of_experimental @ (scores == -1) @ of_control, rel=1e-12)
    mixed = 0.3 * of_experimental + 0.7 * of_control
    assert promised.variance == pytest.approx(mixed @ (scores @ mixed) ** 2, rel=1e-12)


def test_normal_outcomes_have_their_closed_forms():
    """Won - lost is 2 Phi(d / sqrt 2) - 1; without a difference v = 1/3, so that the log win ratio has Yu & Ganju's
    (2022, Stat Med 41:950) variance without ties, 4 / (3 N k (1 - k)).
    """
    same = [PatientClass(arm, 1.0, (Normal(3.0, 2.0),)) for arm in (0, 1)]
    promised = promised_wins([WinComponent()], same, 0.4)
    assert (promised.won, promised.lost) == pytest.approx((0.5, 0.5), rel=1e-12)
    assert promised.variance == pytest.approx(1 / 3, rel=1e-10)
    patients, share = 100, 0.4
    spread = promised.variance / 0.5**2 * (1 / (patients * share) + 1 / (patients * (1 - share)))
    assert spread == pytest.approx(4 / (3 * patients * share * (1 - share)), rel=1e-10)
    apart = [PatientClass(0, 1.0, (Normal(0, 1.0),)), PatientClass(1, 1.0, (Normal(0.7, 2.0),))]
    promised = promised_wins([WinComponent()], apart, 0.5)
    assert promised.won == pytest.approx(stats.norm.cdf(0.7 / math.sqrt(5)), rel=1e-9)
    promised = promised_wins([WinComponent(margin=1)], apart, 0.5)
    assert promised.won == pytest.approx(stats.norm.cdf((0.7 - 1) / math.sqrt(5)), rel=1e-9)
    assert promised.lost == pytest.approx(stats.norm.cdf((-0.7 - 1) / math.sqrt(5)), rel=1e-9)


def test_a_tied_first_component_leaves_the_second():
    empty, score = levels([0.0], [1.0]), levels([0.0, 1.0, 2.0], [0.2, 0.5, 0.3])
    other = levels([0.0, 1.0, 2.0], [0.4, 0.4, 0.2])
    both = [PatientClass(0, 1.0, (empty, other)), PatientClass(1, 1.0, (empty, score))]
    alone = [PatientClass(0, 1.0, (other,)), PatientClass(1, 1.0, (score,))]
    first = promised_wins([WinComponent(time=True), WinComponent()], both, 0.5)
    second = promised_wins([WinComponent()], alone, 0.5)
    assert (first.won, first.lost, first.variance) == pytest.approx(
        (second.won, second.lost, second.variance), rel=1e-13
    )


def test_laws_of_times_and_counts():
    days, weights = np.array([2.0, 5.0]), np.array([0.25, 0.75])
    law = timed(4.0, 1.5, days, weights)
    assert law.weights.sum() == pytest.approx(1, rel=1e-13)
    weibull = stats.weibull_min(1.5, scale=4 / math.log(2) ** (1 / 1.5))
    assert law.weights[law.observed] == pytest.approx(
        np.diff(weibull.cdf(np.arange(6))) * [1, 1, 0.75, 0.75, 0.75], rel=1e-12
    )
    assert law.weights[~law.observed] == pytest.approx(weibull.sf(days) * weights, rel=1e-12)
    counts = counted(50.0, 0.4, np.array([3.0, 10.0, 14.0]), np.array([0.2, 0.3, 0.5]), 10.0)
    assert counts.weights.sum() == pytest.approx(1, rel=1e-10)
    mean = 50 / 365.25 * (0.2 * 3 + 0.3 * 10 + 0.5 * 14)
    assert counts.values @ counts.weights == pytest.approx(mean, rel=1e-9)
    assert set(counts.followed) == {3.0, np.inf}
    short = counts.followed == 3.0
    assert counts.weights[short].sum() == pytest.approx(0.2, rel=1e-10)
    span = 50 * 3 / 365.25
    second = counts.values[short] ** 2 @ counts.weights[short] / 0.2
    assert second - span**2 == pytest.approx(span + 0.4 * span**2, rel=1e-8)
    assert set(counted(0.0, 0.4, days, weights, 1.0).values[counted(0.0, 0.4, days, weights, 1.0).weights > 0]) == {0.0}
