"""A family of hypotheses at the looks of a trial."""

import numpy as np
import pytest

import equipoise as eq
from equipoise import endpoints
from equipoise.multiplicity import procedure_named
from equipoise.report import family_table
from protocols import edited

CLUSTERS = {"name": "clusters", "type": "clusters", "visit": "week2"}
HYPOTHESES = ["caps5-week2", "clusters: B", "clusters: C", "clusters: D", "clusters: E"]


def protocol_with(procedure="holm", **testing):
    base = edited().model_dump(mode="json", exclude_none=True)["endpoints"]
    return edited(endpoints=[*base, CLUSTERS], testing={"procedure": procedure, "hypotheses": HYPOTHESES, **testing})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_z_and_information_are_those_of_the_looks(seed):
    protocol = protocol_with()
    result = eq.run(protocol, "later-trials", seed=seed)
    found = result.testing
    assert found.names == tuple(HYPOTHESES)
    for row, look in enumerate(result.looks):
        assert found.z[row, 0] == look.z
        assert (found.information[row] == look.fraction).all()
        clusters = endpoints.estimate(protocol.endpoints[3], protocol, look.data).hypotheses
        assert found.z[row, 1] == clusters["clusters: B"].favourable_z
    again = procedure_named("holm", HYPOTHESES).sequential(
        found.z, found.information, 0.05, result.plan.design, names=HYPOTHESES, sided=2, final=result.looks[-1].last
    )
    np.testing.assert_array_equal(again.rejected_at, found.rejected_at)


def test_alone_the_primary_is_rejected_when_the_rule_stops_for_it():
    protocol = edited(testing={"procedure": "fixed-sequence", "hypotheses": ["caps5-week2"]})
    for seed in range(1, 6):
        result = eq.run(protocol, "as-published", seed=seed)
        assert bool(result.testing.rejected[0]) == (result.conclusion.decision is eq.Decision.EFFICACY)


def test_own_spending_and_undated_looks():
    protocol = protocol_with("hochberg", spending={"family": "pocock"})
    result = eq.run(protocol, "as-published", seed=2)
    assert result.stopped_early
    wide = eq.read_data(edited(), result.data.wide_frame().drop("randomised"))
    again = eq.analyse(protocol, wide, look=1)
    assert again.testing.z[0, 0] == again.last_look.z
    assert np.isnan(again.testing.z[0, 1])
    assert any("clusters: B" in note for note in again.testing_notes)
    assert "Hochberg" in family_table(again).note


def test_passed_looks_are_spent_for():
    protocol = protocol_with()
    result = eq.run(protocol, "no-effect", seed=3)
    wide = eq.read_data(edited(), result.data.wide_frame().drop("randomised"))
    assert len(wide) == 40
    again = eq.analyse(protocol, wide, look=2)
    assert np.isnan(again.testing.z[0]).all()
    assert again.testing.information[0, 0] == 0.75
    assert again.testing.z[1, 0] == result.last_look.z


def test_nothing_is_tested_without_a_family():
    result = eq.run(edited(), seed=1)
    assert result.testing is None
    assert family_table(result) is None
    assert result.to_dict()["testing"] is None
