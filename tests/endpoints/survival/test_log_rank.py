import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from equipoise.endpoints.survival.log_rank import log_rank
from equipoise.errors import InputError
from equipoise.estimate import Scale
from survival_reference import cases, columns


@pytest.mark.parametrize(("inputs", "expected"), cases("log_rank"))
def test_agrees_with_survdiff(inputs, expected):
    data = columns(inputs["data"])
    group = data[inputs["group"]] == expected["group_order"][0]
    strata = data[inputs["strata"]] if "strata" in inputs else None
    test = log_rank(data["time"], data["event"], group, strata)
    assert test.observed == expected["observed"][0]
    assert test.expected == pytest.approx(expected["expected"][0], rel=1e-9)
    assert test.variance == pytest.approx(expected["variance_first_group"], rel=1e-9)
    assert test.z == pytest.approx(expected["z_first_group"], rel=1e-9)
    assert test.chi_square == pytest.approx(expected["chi_square"], rel=1e-9)
    assert test.p_value == pytest.approx(expected["p_value"], rel=1e-9)
    z, p_value = test
    assert (z, p_value) == (test.z, test.p_value)


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
