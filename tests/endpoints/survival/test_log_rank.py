import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from equipoise.endpoints.survival.log_rank import log_rank
from equipoise.endpoints.survival.log_rank_groups import log_rank_groups
from equipoise.errors import InputError
from equipoise.estimate import Scale
from survival_reference import cases, columns


@pytest.mark.parametrize(("inputs", "expected"), cases("log_rank", "fleming_harrington_g_rho"))
def test_agrees_with_survdiff(inputs, expected):
    data, rho = columns(inputs["data"]), inputs["rho"]
    group = data[inputs["group"]] == expected["group_order"][0]
    strata = data[inputs["strata"]] if "strata" in inputs else None
    test = log_rank(data["time"], data["event"], group, strata, rho)
    assert test.observed == pytest.approx(expected["observed"][0], rel=1e-9)
    assert test.expected == pytest.approx(expected["expected"][0], rel=1e-9)
    assert test.variance == pytest.approx(expected["variance_first_group"], rel=1e-9)
    assert test.z == pytest.approx(expected["z_first_group"], rel=1e-9)
    assert test.chi_square == pytest.approx(expected["chi_square"], rel=1e-9)
    assert test.p_value == pytest.approx(expected["p_value"], rel=1e-9)
    z, p_value = test
    assert (z, p_value) == (test.z, test.p_value)
    both = log_rank_groups(data["time"], data["event"], data[inputs["group"]], strata, rho)
    order = [both.groups.index(name) for name in expected["group_order"]]
    np.testing.assert_allclose(both.observed[order], expected["observed"], rtol=1e-9)
    np.testing.assert_allclose(both.expected[order], expected["expected"], rtol=1e-9)
    assert both.variance[order[0], order[0]] == pytest.approx(expected["variance_first_group"], rel=1e-9)
    assert both.degrees_of_freedom == expected["df"]
    assert tuple(both) == pytest.approx((expected["chi_square"], expected["p_value"]), rel=1e-9)


def test_four_groups_agree_with_survdiff():
    """R 4.2.2, survival 3.5-3: survdiff(Surv(time, status) ~ celltype, veteran), and with strata(trt) and rho = 1."""
    data = columns("data/veteran.csv")
    order = ["squamous", "smallcell", "adeno", "large"]
    test = log_rank_groups(data["time"], data["event"], data["celltype"])
    places = [test.groups.index(name) for name in order]
    assert test.chi_square == pytest.approx(25.403700345785357, rel=1e-12)
    assert test.degrees_of_freedom == 3
    expected = [47.654677672475373, 30.102079326814831, 15.693764614360491, 34.549478386349314]
    np.testing.assert_allclose(test.expected[places], expected, rtol=1e-12)
    first_row = [26.338406366706295, -9.5338520204565516, -4.4873232135449577, -12.317231132704787]
    np.testing.assert_allclose(test.variance[places[0]][places], first_row, rtol=1e-12)
    np.testing.assert_allclose(test.variance.sum(axis=0), 0, atol=1e-12)
    weighted = log_rank_groups(data["time"], data["event"], data["celltype"], data["trt"], 1)
    assert weighted.chi_square == pytest.approx(18.905128497722522, rel=1e-12)
    observed = [13.730332030200898, 28.674178092174991, 15.92459069508025, 9.6268789871788467]
    np.testing.assert_allclose(weighted.observed[places], observed, rtol=1e-12)
    expected = [20.058420446502705, 19.016689984088973, 11.204582411566506, 17.676286962476802]
    np.testing.assert_allclose(weighted.expected[places], expected, rtol=1e-12)


def test_weights_within_strata_agree_with_survdiff():
    """R 4.2.2, survival 3.5-3: survdiff(Surv(time, status) ~ trt + strata(celltype), veteran, rho = 0.5)."""
    data = columns("data/veteran.csv")
    test = log_rank(data["time"], data["event"], data["trt"] == "standard", data["celltype"], 0.5)
    assert test.observed == pytest.approx(43.580999908414547, rel=1e-12)
    assert test.expected == pytest.approx(47.319759638091121, rel=1e-12)
    assert test.variance == pytest.approx(15.105292627751346, rel=1e-12)
    assert test.chi_square == pytest.approx(0.92539248730410584, rel=1e-11)
    with pytest.raises(InputError, match="one-step"):
        test.estimate()


def test_lifelines_has_the_same_tests():
    statistics = pytest.importorskip("lifelines.statistics")
    rng = np.random.default_rng(3)
    time, event, group = rng.integers(1, 25, 120), rng.random(120) < 0.7, rng.integers(0, 3, 120)
    theirs = statistics.multivariate_logrank_test(time, group, event)
    assert log_rank_groups(time, event, group).chi_square == pytest.approx(theirs.test_statistic, rel=1e-10)
    two = group < 2
    theirs = statistics.multivariate_logrank_test(
        time[two], group[two], event[two], weightings="fleming-harrington", p=1, q=0
    )
    found = log_rank(time[two], event[two], group[two], rho=1)
    assert found.chi_square == pytest.approx(theirs.test_statistic, rel=1e-10)


patients = st.lists(st.tuples(st.integers(0, 20), st.booleans(), st.booleans()), min_size=2, max_size=50)


def usable(time, event, group):
    """An event while both groups are at risk."""
    if len(set(group.tolist())) < 2:
        return False
    last_both = min(time[group == 0].max(), time[group == 1].max())
    return any(
        event[i] and time[i] <= last_both and (time >= time[i]).sum() > ((time == time[i]) & (event == 1)).sum()
        for i in range(time.size)
    )


def by_hand(time, event, group):
    """Mantel's sums of 2 x 2 tables, one table for each event time."""
    observed = expected = variance = 0.0
    for t in sorted(set(time[event == 1])):
        n, n1 = (time >= t).sum(), ((time >= t) & (group == 1)).sum()
        d, d1 = ((time == t) & (event == 1)).sum(), ((time == t) & (event == 1) & (group == 1)).sum()
        observed, expected = observed + d1, expected + d * n1 / n
        if n > 1:
            variance += d * (n1 / n) * (1 - n1 / n) * (n - d) / (n - 1)
    return observed, expected, variance


@given(patients)
def test_equals_mantels_tables_and_is_symmetric_in_the_groups(data):
    time, event, group = np.array(data, dtype=float).T
    assume(usable(time, event, group))
    forward, backward = log_rank(time, event, group), log_rank(time, event, 1 - group)
    assert (forward.observed, forward.expected, forward.variance) == pytest.approx(by_hand(time, event, group))
    assert backward.z == pytest.approx(-forward.z, abs=1e-9)
    assert backward.p_value == pytest.approx(forward.p_value, abs=1e-9)
    assert log_rank(np.exp(time), event, group).z == pytest.approx(forward.z, rel=1e-12)
    assert log_rank(time, event, group, np.full(time.size, "one")) == forward
    twice = [np.concatenate((values, values)) for values in (time, event, group)]
    stratified = log_rank(*twice, strata=np.repeat(["a", "b"], time.size))
    assert stratified.z == pytest.approx(forward.z * math.sqrt(2), rel=1e-9, abs=1e-12)


def test_estimate_carries_the_same_z_and_information():
    time, event, group = [5, 8, 12, 3, 9, 20, 14, 7], [1, 1, 0, 1, 1, 0, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]
    test = log_rank(time, event, group)
    estimate = test.estimate()
    assert estimate.scale == Scale.LOG_HAZARD_RATIO
    assert estimate.z == pytest.approx(test.z, rel=1e-14)
    assert estimate.favourable_z == pytest.approx(-test.z, rel=1e-14)
    assert estimate.information == pytest.approx(test.variance, rel=1e-14)


def test_size_and_one_step_hazard_ratio_in_simulation():
    """3,000 trials of 100 patients: z is standard normal under no effect; a ratio of 0.8 is found without bias."""
    rng = np.random.default_rng(7)
    group = np.arange(100) % 2
    null, effects, covered = [], [], 0
    for _ in range(3000):
        draw, censoring = rng.exponential(1, 100), rng.exponential(2, 100)
        null.append(log_rank(np.minimum(draw, censoring), draw <= censoring, group).z)
        draw = draw / np.where(group == 1, 0.8, 1)
        estimate = log_rank(np.minimum(draw, censoring), draw <= censoring, group).estimate()
        effects.append(estimate.effect)
        covered += math.log(0.8) in estimate.interval()
    assert np.mean(null) == pytest.approx(0, abs=0.06)
    assert np.std(null) == pytest.approx(1, abs=0.05)
    assert np.mean(np.abs(null) > 1.959964) == pytest.approx(0.05, abs=0.013)
    assert np.mean(effects) == pytest.approx(math.log(0.8), abs=0.015)
    assert covered / 3000 == pytest.approx(0.95, abs=0.013)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (([1, 2], [1, 1], [1, 1]), "group"),
        (([1, 2], [1, 1], [0, 2]), "group"),
        (([1, 2], [1, 1], ["a", "b"]), "group"),
        (([1, 2], [1, 1], [0]), "group"),
        (([1, 2], [0, 0], [0, 1]), "event"),
        (([1, 2, 3], [0, 1, 1], [0, 1, 1]), "event"),
        (([1, 2], [1, 1], [0, 1], ["a"]), "strata"),
        (([-1, 2], [1, 1], [0, 1]), "time"),
        (([1, 2], [1, 1], [0, 1], None, math.nan), "rho"),
    ],
)
def test_data_that_cannot_be_used(arguments, field):
    with pytest.raises(InputError) as caught:
        log_rank(*arguments)
    assert caught.value.field == field


def test_it_prints_as_a_line():
    assert str(log_rank([1, 2, 3, 4], [1, 1, 1, 1], [0, 1, 0, 1])) == (
        "log-rank z -0.7845, p 0.4328: 2 events in group 1, 2.667 expected (variance 0.7222)"
    )
    assert str(log_rank([1, 2, 3, 4], [1, 1, 1, 1], [0, 1, 0, 1], rho=1)).startswith("Fleming-Harrington (rho 1) z -0.")
    lines = str(log_rank_groups([1, 2, 3, 4], [1, 1, 1, 1], ["b", "a", "b", "a"])).splitlines()
    assert lines == [
        "log-rank chi-square 0.6154 on 1 df, p 0.4328",
        "  a: 2 patients, 2 events, 2.667 expected",
        "  b: 2 patients, 2 events, 1.333 expected",
    ]


def test_groups_that_cannot_be_compared():
    with pytest.raises(InputError, match="at least two groups"):
        log_rank_groups([1, 2], [1, 1], ["a", "a"])
    with pytest.raises(InputError, match="at risk together"):
        log_rank_groups([1, 2], [0, 0], ["a", "b"])
    with pytest.raises(InputError, match="at risk together"):
        log_rank_groups([1, 2, 1, 2], [1, 0, 1, 0], ["a", "b", "c", "d"], ["s", "s", "t", "t"])
    with pytest.raises(InputError, match="one group for each"):
        log_rank_groups([1, 2], [1, 1], ["a"])


def test_a_group_never_at_risk_of_an_event_is_left_out_as_survdiff_does():
    time, event, group = [1, 2, 3, 4, 5, 0.5], [1, 1, 1, 1, 0, 0], list("ababac")
    test = log_rank_groups(time, event, group)
    assert test.degrees_of_freedom == 1
    assert test.chi_square == pytest.approx(log_rank_groups(time[:5], event[:5], group[:5]).chi_square, rel=1e-12)
