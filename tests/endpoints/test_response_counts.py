"""Tables counted in one pass are those counted from each patient's response."""

import dataclasses

import numpy as np
import pytest

from equipoise.data import Measured
from equipoise.endpoints.binary.counting import count_tables
from equipoise.endpoints.response_counts import response_counts
from equipoise.endpoints.response_model import response_values
from equipoise.endpoints.strata import stratum_codes
from equipoise.trial_batch import TrialBatch
from protocols import with_measures

SITES = {"name": "site", "kind": "categorical", "levels": ["a", "b", "c"]}
RULES = [
    {"visit": "week2", "improvement": 0.3},
    {"visit": "week1", "points": 6.0},
    {"measure": "remission"},
]


def batch(better="lower", trials=40, patients=30):
    rng = np.random.default_rng(2)
    shape = (trials, patients)
    scores = rng.integers(10, 30, (*shape, 4)).astype(float)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    value = (rng.random(shape) < 0.4).astype(float)
    value[rng.random(shape) < 0.2] = np.nan
    return TrialBatch(
        arm_names=("midazolam", "ketamine"),
        visit_names=("baseline", "day1", "week1", "week2"),
        arm=rng.integers(-1, 2, shape),
        scores=scores,
        due=rng.random((*shape, 4)) < 0.7,
        assessed=np.zeros((*shape, 4)),
        followed=np.zeros(shape),
        has_dates=np.ones(trials, dtype=bool),
        has_events=np.ones(trials, dtype=bool),
        covariates={"site": rng.choice(["a", "b", "c", ""], shape)},
        measures={"remission": Measured(value)},
    )


@pytest.mark.parametrize("missing", ["non-response", "observed-only"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("strata", [[], ["site"]])
def test_tables_are_those_of_each_response(rule, missing, strata):
    given = {"name": "asked", "type": "response", "missing": missing, "strata": strata} | rule
    protocol = with_measures([given], covariates=[SITES])
    endpoint, trials = protocol.endpoint("asked"), batch()
    values = response_values(endpoint, protocol, trials)
    expected = count_tables(values, trials.arm, (1, 0), stratum_codes(protocol, trials, endpoint.strata))
    found = response_counts(endpoint, protocol, trials)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[0].sum() > 0


def test_an_event_to_be_avoided_counts_where_nobody_was_seen():
    measures = [{"name": "remission", "kind": "binary", "visit": "week2", "better": "lower"}]
    protocol = with_measures(
        [{"name": "asked", "type": "response", "measure": "remission"}],
        measures=measures,
        scenarios={name: {"arms": arms} for name, arms in _plain_arms().items()},
    )
    endpoint, trials = protocol.endpoint("asked"), batch()
    unseen = dataclasses.replace(
        trials, measures={"remission": Measured(np.full(trials.arm.shape, np.nan))}, due=np.ones_like(trials.due)
    )
    events1, total1, events2, total2 = response_counts(endpoint, protocol, unseen)
    np.testing.assert_array_equal(events1, total1)
    np.testing.assert_array_equal(events2, total2)
    np.testing.assert_array_equal(total2, (trials.arm == 0).sum(axis=1))


def _plain_arms():
    from protocols import plain_table

    arms = {name: scenario["arms"] for name, scenario in plain_table()["scenarios"].items()}
    for scenario in arms.values():
        for arm in scenario.values():
            arm["measures"] = {"remission": {"probability": 0.5}}
    return arms
