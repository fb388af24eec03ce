"""Trial k of many is trial k alone: drawn and analysed by the ordinary code of one trial."""

import tomllib

import numpy as np
import pytest

from equipoise import gallery, run, simulate
from equipoise.protocol import Protocol, gallery_text
from equipoise.simulation.rows import DECISIONS
from protocols import edited, with_measures

ESTIMATE = ("effect", "standard_error", "degrees_of_freedom")
FUTILITY = {"family": "power", "rho": 2.0}


def assert_same(protocol, scenario, trials, seed=1):
    """All looks and every endpoint of all trials; gives how many looks could not be analysed."""
    found = simulate(protocol, scenario, trials, seed, engine="serial")
    looks, ends, failed = found.rows.looks, found.rows.ends, 0
    for trial in range(trials):
        alone = run(protocol, scenario, seed, trial)
        at = np.flatnonzero(looks["trial"] == trial)
        assert len(at) == len(alone.looks)
        for row, look in zip(at, alone.looks, strict=True):
            assert DECISIONS[looks["decision"][row]] is look.decision
            for name in ("day", "randomised", "due", "observed", "fraction"):
                assert looks[name][row] == getattr(look, name)
            failed += look.estimate is None
            if look.estimate is None:
                assert np.isnan(looks["effect"][row])
                continue
            for name in ESTIMATE:
                assert looks[name][row] == pytest.approx(getattr(look.estimate, name), rel=1e-8, abs=1e-9)
            assert looks["z"][row] == pytest.approx(look.z, abs=1e-8)
            if np.isfinite(look.efficacy_bound):
                assert looks["efficacy_bound"][row] == look.efficacy_bound
            assert np.isnan(looks["futility_bound"][row]) == (look.futility_bound is None)
        conclusion = alone.conclusion
        assert (conclusion is None) == np.isnan(ends["median_unbiased"][trial])
        if conclusion is not None:
            error = ends["standard_error"][trial]
            expected = {
                "lower": conclusion.observed_interval.lower,
                "upper": conclusion.observed_interval.upper,
                "median_unbiased": conclusion.median_unbiased,
                "median_unbiased_lower": conclusion.interval.lower,
                "median_unbiased_upper": conclusion.interval.upper,
                "bias_adjusted": conclusion.bias_adjusted,
            }
            for name, value in expected.items():
                assert ends[name][trial] == pytest.approx(value, abs=1e-7 * error)
        for result in alone.secondary:
            estimate = getattr(result, "estimate", None)
            if estimate is not None:
                for name in ESTIMATE:
                    value = ends[f"{result.name}.{name}"][trial]
                    assert value == pytest.approx(getattr(estimate, name), rel=1e-8, abs=1e-9)
    return failed


@pytest.mark.parametrize(("scenario", "trials"), [("later-trials", 120), ("as-published", 40)])
def test_ketamine_protocol(scenario, trials):
    assert assert_same(gallery("ptsd-ketamine"), scenario, trials) == 0


def test_kenward_roger_three_looks_with_futility():
    protocol = edited(
        analysis__degrees_of_freedom="kenward-roger",
        stopping={"alpha": 0.025, "sided": 1, "fractions": [0.4, 0.7, 1.0], "futility": FUTILITY, "beta": 0.2},
        sample_size={"patients": 60, "scenario": "half-effect"},
    )
    assert assert_same(protocol, "later-trials", 60) == 0


def test_binding_futility_and_fast_accrual():
    protocol = edited(
        accrual__patients_per_month=40.0,
        stopping={
            "alpha": 0.05,
            "sided": 2,
            "fractions": [0.5, 1.0],
            "efficacy": {"family": "pocock"},
            "futility": FUTILITY | {"binding": True},
            "beta": 0.2,
        },
        sample_size={"patients": 48, "scenario": "half-effect"},
    )
    assert assert_same(protocol, "no-effect", 60) == 0


def test_looks_that_cannot_be_analysed_fail_alike():
    protocol = edited(stopping={"patients": [4, 9, 20]}, sample_size={"patients": 20, "scenario": "as-published"})
    assert assert_same(protocol, "later-trials", 40) > 40


def primary(**endpoint):
    return [{"name": "main", "role": "primary"} | endpoint]


@pytest.mark.parametrize(
    ("endpoints", "changes"),
    [
        (
            primary(type="time-to-event", measure="relapse"),
            {"stopping": {"alpha": 0.05, "events": [8, 16]}, "sample_size": {"patients": 40, "scenario": "no-effect"}},
        ),
        (primary(type="count", measure="panic"), {}),
        (primary(type="response", measure="remission"), {}),
        (primary(type="ordinal", measure="cgi"), {}),
        (primary(type="mean", measure="pressure", method="wilcoxon"), {}),
        (primary(type="mean", visit="week2", method="ancova", covariates=["baseline", "sex"]), {}),
        (primary(type="hierarchical", components=[{"measure": "relapse"}, {"visit": "week2"}]), {}),
    ],
)
def test_other_endpoints_as_primary(endpoints, changes):
    assert_same(with_measures(endpoints, **changes), "later-trials", 30)


def test_strata_and_simple_allocation():
    strata = {"ratio": {"midazolam": 1, "ketamine": 2}, "block_sizes": [3, 6], "strata": ["sex"]}
    assert_same(edited(allocation=strata), "later-trials", 20)
    assert_same(edited(allocation={"method": "simple", "ratio": {"midazolam": 1, "ketamine": 1}}), "later-trials", 20)


def test_patients_with_every_lifelike_feature():
    table = tomllib.loads(gallery_text("ptsd-ketamine"))
    table["accrual"]["patients_per_month"] = 12.0
    table["scenarios"]["lifelike"] = table["scenarios"]["later-trials"] | {
        "dropout_odds_ratio_per_unseen_point": 1.05,
        "missed_visits": {"probability": 0.1},
        "responders": {"fraction": 0.5},
        "sites": {"number": 4, "mean_sd": 2.0, "effect_sd": 3.0},
        "expectancy": {
            "points": -3.0,
            "sign": "dissociation",
            "felt": {"experimental": 0.85, "does_not_know": 0.05},
            "not_felt": {"experimental": 0.35, "does_not_know": 0.25},
            "guesses": ["guess-patient"],
        },
        "rater_drift": {"points_per_year": -1.0, "raters": 3, "rater_sd": 1.5},
        "items": {},
        "exposure": {
            "drug": "s-ketamine-venous",
            "dose_mg_per_kg": {"ketamine": 0.5},
            "maximum_points": 10.0,
            "ec50": 60.0,
        },
    }
    assert_same(Protocol.model_validate(table), "lifelike", 40)


@pytest.mark.parametrize(
    ("endpoint", "stopping"),
    [
        ({"type": "time-to-event", "measure": "relapse", "test": "log-rank", "strata": ["sex"]}, {"events": [8, 16]}),
        ({"type": "time-to-event", "measure": "relapse", "covariates": ["age"]}, {"events": [8, 16]}),
        ({"type": "count", "measure": "panic", "covariates": ["age"]}, {"patients": [20, 40]}),
        ({"type": "mean", "measure": "pressure", "method": "t"}, {"patients": [4, 9, 40]}),
        ({"type": "mean", "measure": "pressure", "covariates": ["sex", "age"]}, {"patients": [30, 40]}),
        ({"type": "mean", "measure": "pressure", "covariates": ["baseline"]}, {"patients": [30, 40]}),
        ({"type": "response", "measure": "remission"}, {"patients": [20, 40]}),
    ],
)
@pytest.mark.parametrize("scenario", ["later-trials", "stay"])
def test_an_endpoint_of_a_measure_alone(endpoint, stopping, scenario):
    table = with_measures(primary(**endpoint), stopping=stopping).model_dump(exclude_unset=True)
    table["endpoints"] = table["endpoints"][-1:]
    stay = {name: law | {"dropout": 0.0} for name, law in table["scenarios"]["later-trials"]["arms"].items()}
    table["scenarios"]["stay"] = table["scenarios"]["later-trials"] | {"arms": stay}
    assert_same(Protocol.model_validate(table), scenario, 30)
