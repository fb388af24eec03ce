"""A design seen at a look: reference values, bounds at observed information, what is shown, refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.special import ndtr

from equipoise import Estimate
from equipoise.errors import InputError
from equipoise.sequential import (
    FixedBounds,
    GroupSequential,
    HwangShihDeCaniSpending,
    OBrienFlemingSpending,
)
from equipoise.sequential.monitoring import Monitoring
from equipoise.sequential.priors import DiscretePrior, NormalPrior
from monitoring_reference import GSDESIGN, gsdesign_design

TIMES = (0.25, 0.5, 0.75, 1.0)
FUTILE = GroupSequential(TIMES, 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1)
BINDING = GroupSequential(TIMES, 0.025, 1, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1, True)
WEDGE = GroupSequential(TIMES, 0.05, 2, OBrienFlemingSpending(), HwangShihDeCaniSpending(-2), 0.1)
PLAIN = GroupSequential(TIMES, 0.05, 2, OBrienFlemingSpending())


@pytest.mark.parametrize("case", GSDESIGN, ids=[case["id"] for case in GSDESIGN])
def test_against_gsdesign(case):
    # gsDesign's bounds are its own to 1e-7 only; with the very same bounds see test_conditional_power.py
    inputs, expected = case["inputs"], case["expected"]
    design, root = gsdesign_design(inputs["design"]), math.sqrt(inputs["information"][-1])
    seen = Monitoring.of(design, inputs["z"], look=inputs["interim_look"])
    drifts = np.array(expected["thetas_observed_null_design"]) * root
    assert [seen.trend, 0.0, design.drift] == pytest.approx(drifts.tolist(), abs=1e-6)
    powers = [seen.conditional_power(drift, respect_futility=True) for drift in ("trend", 0.0, "planned")]
    np.testing.assert_allclose(powers, expected["conditional_power_total"], rtol=0, atol=1e-7)
    stops = seen.stopping_probabilities(drifts)
    np.testing.assert_allclose(stops.upward.T, expected["conditional_power_by_later_look"], rtol=0, atol=1e-7)
    prior = DiscretePrior(tuple(np.array(inputs["prior_thetas"]) * root), inputs["prior_weights"])
    np.testing.assert_allclose(seen.posterior_weights(prior), expected["posterior_weights"], rtol=0, atol=1e-14)
    averaged = seen.predictive_power(prior, respect_futility=True)
    assert averaged == pytest.approx(expected["predictive_power_discrete_prior"], abs=1e-7)


@pytest.mark.parametrize("case", GSDESIGN, ids=[case["id"] for case in GSDESIGN])
def test_sequential_p_value_of_gsdesign_is_the_smallest_repeated_one(case):
    inputs, design = case["inputs"], gsdesign_design(case["inputs"]["design"])
    repeated = [
        design.conclude(Estimate(z, 1.0), look=look).repeated_p_value for look, z in enumerate(inputs["z_path"], 1)
    ]
    # ours are at most the number of sides / 2
    assert min(repeated) == pytest.approx(min(case["expected"]["sequential_p_value"], 0.5), abs=1e-5)


def test_looks_ahead_at_observed_information():
    seen = Monitoring.of(FUTILE, 1.1, information=(0.2, 0.55))
    whole = FUTILE.bounds_at((0.2, 0.55, 0.75, 1.0))
    assert (seen.look, seen.information) == (2, 0.55)
    np.testing.assert_array_equal(seen.later_information, [0.75, 1.0])
    np.testing.assert_array_equal(seen.later_efficacy_bounds, whole.efficacy[2:])
    np.testing.assert_array_equal(seen.later_futility_bounds, whole.futility[2:])
    assert seen.conditional_power() != Monitoring.of(FUTILE, 1.1, look=2).conditional_power()


def test_a_look_so_late_that_the_next_is_passed_over():
    seen = Monitoring.of(FUTILE, 1.1, information=(0.3, 0.8))
    np.testing.assert_array_equal(seen.later_information, [1.0])
    closed = ndtr((seen.expected_b_value("planned") - seen.later_efficacy_bounds[0]) / math.sqrt(0.2))
    for by in ("any", "next", "last"):
        assert seen.conditional_power(by=by) == pytest.approx(closed, rel=1e-13)


def test_looks_ahead_as_asked():
    seen = Monitoring.of(PLAIN, 1.4, look=2, later=(0.9, 1.0))
    np.testing.assert_array_equal(seen.boundaries.efficacy, PLAIN.bounds_at((0.25, 0.5, 0.9, 1.0)).efficacy)
    assert Monitoring.of(PLAIN, 1.4, look=2, later=TIMES[2:]).to_dict() == Monitoring.of(PLAIN, 1.4, look=2).to_dict()


def test_futility_is_respected_where_it_is_binding():
    binding, free = Monitoring.of(BINDING, 0.9, look=1), Monitoring.of(FUTILE, 0.9, look=1)
    assert binding.conditional_power() == binding.conditional_power(respect_futility=True)
    assert free.conditional_power() == free.conditional_power(respect_futility=False)
    for seen in (binding, free):
        assert seen.conditional_power(respect_futility=True) < seen.conditional_power(respect_futility=False)
        assert seen.predictive_power(respect_futility=True) < seen.predictive_power(respect_futility=False)
    assert binding.conditional_error == binding.conditional_power(0.0)


@pytest.mark.parametrize("design", [FUTILE, BINDING, WEDGE, PLAIN], ids=["futility", "binding", "wedge", "two-sided"])
@pytest.mark.parametrize("respected", [True, False])
def test_stopping_probabilities_exhaust_what_can_happen(design, respected):
    seen = Monitoring.of(design, 1.2, look=2)
    drifts = np.array([[-1.0, 0.0], [2.0, 4.0]])
    stops = seen.stopping_probabilities(drifts, respected)
    assert stops.looks == (3, 4)
    assert stops.upward.shape == (2, 2, 2)
    total = (stops.upward + stops.downward + stops.futility).sum(axis=-1) + stops.not_rejected
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-14)
    assert not stops.futility[..., -1].any()
    assert stops.futility.any() == (respected and design.futility is not None)
    assert stops.downward.any() == (design.sided == 2)
    powers = seen.conditional_power(drifts, respect_futility=respected)
    np.testing.assert_allclose(powers, stops.upward.sum(axis=-1), rtol=0, atol=1e-15)


def test_two_sided_counts_the_upper_bound_in_power_and_both_in_error():
    low, high = Monitoring.of(PLAIN, -1.3, look=1), Monitoring.of(PLAIN, 1.3, look=1)
    assert low.conditional_error == pytest.approx(high.conditional_error, abs=1e-15)
    assert high.conditional_error > high.conditional_power(0.0) > low.conditional_power(0.0)
    assert high.conditional_error == pytest.approx(high.conditional_power(0.0) + low.conditional_power(0.0), abs=1e-15)


def test_priors():
    seen = Monitoring.of(FUTILE, 1.2, look=2)
    assert seen.predictive_power() == seen.predictive_power(NormalPrior())
    known = DiscretePrior((FUTILE.drift,), (3.0,))
    assert known.weights == (1.0,)
    assert seen.predictive_power(known) == pytest.approx(seen.conditional_power(), abs=1e-15)
    assert seen.predictive_power(NormalPrior(FUTILE.drift, 0.0)) == pytest.approx(seen.conditional_power(), abs=1e-14)
    points = np.linspace(-8, 12, 4001)
    fine = DiscretePrior(tuple(points), tuple(np.exp(-0.5 * (points - 2) ** 2 / 1.7)))
    assert seen.predictive_power(fine) == pytest.approx(seen.predictive_power(NormalPrior(2, 1.7)), abs=1e-11)


def test_b_values():
    seen = Monitoring.of(FUTILE, 1.2, look=2)
    assert seen.b_value == pytest.approx(1.2 * math.sqrt(0.5), abs=1e-15)
    assert seen.expected_b_value() == pytest.approx(seen.trend, abs=1e-15)
    assert seen.expected_b_value(0.0) == seen.b_value
    assert seen.expected_b_value("planned") == pytest.approx(seen.b_value + 0.5 * FUTILE.drift, abs=1e-15)


@pytest.mark.parametrize("design", [FUTILE, WEDGE, PLAIN], ids=["futility", "wedge", "no beta"])
def test_shown_and_as_plain_values(design):
    seen = Monitoring.of(design, 1.2, look=2)
    values = json.loads(json.dumps(seen.to_dict(), allow_nan=False))
    assert set(values["under"]) == {"no effect", "trend"} | ({"planned"} if design.beta else set())
    shown = values["under"]["trend"]["conditional_power"]["any"]
    assert shown == pytest.approx(seen.conditional_power("trend"), abs=1e-14)
    assert values["predictive_power"]["any"] == seen.predictive_power()
    text = str(seen)
    assert text.startswith("Look 2 of 4 at information fraction 0.5: z = 1.2000, B = 0.8485")
    assert f"{seen.conditional_power('trend'):.4f}" in text
    assert ("futility" in text) == (design.futility is not None)
    assert max(len(line) for line in text.splitlines()) < 100


def test_before_an_infinite_bound():
    design = GroupSequential((0.3, 0.6, 1.0), 0.025, 1, FixedBounds((None, None)))
    seen = Monitoring.of(design, 1.0, look=1)
    assert seen.conditional_power("trend", "next") == 0
    assert seen.conditional_power("trend", "any") == pytest.approx(seen.conditional_power("trend", "last"), abs=1e-14)
    assert seen.to_dict()["later"]["efficacy_bound"][0] is None


def test_refusals():
    with pytest.raises(InputError, match="z is nan"):
        Monitoring.of(FUTILE, math.nan)
    with pytest.raises(InputError, match="look is 4; expected a look from 1 to 3"):
        Monitoring.of(FUTILE, 1.0, look=4)
    with pytest.raises(InputError, match="look is 0"):
        Monitoring.of(FUTILE, 1.0, look=0)
    with pytest.raises(InputError, match="2 information fractions"):
        Monitoring.of(FUTILE, 1.0, look=2, information=(0.3,))
    with pytest.raises(InputError, match="a look is ahead"):
        Monitoring.of(FUTILE, 1.0, information=(0.3, 1.0))
    with pytest.raises(InputError, match="more than one look"):
        Monitoring.of(GroupSequential((1.0,)), 1.0)
    seen = Monitoring.of(PLAIN, 1.0, look=1)
    with pytest.raises(InputError, match="beta is None"):
        seen.conditional_power()
    with pytest.raises(InputError, match="drift is 'hoped for'"):
        seen.conditional_power("hoped for")
    with pytest.raises(InputError, match="drift is"):
        seen.conditional_power([0.0, math.inf])
    with pytest.raises(InputError, match="prior is 'flat'"):
        seen.predictive_power("flat")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="variance is -1"):
        NormalPrior(0.0, -1.0)
    with pytest.raises(InputError, match="mean is inf"):
        NormalPrior(math.inf)
    with pytest.raises(InputError, match="drifts is"):
        DiscretePrior((), ())
    with pytest.raises(InputError, match="weights is"):
        DiscretePrior((0.0, 1.0), (0.0, 0.0))


SEEN = Monitoring.of(FUTILE, 1.2, look=2)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: Monitoring.of(None, 1.0), "design is None"),
        (lambda: FUTILE.monitor(Estimate(1.0, 0.5), look=1), "z is Estimate.*expected a finite number"),
        (lambda: FUTILE.monitor("1"), "z is '1'"),
        (lambda: FUTILE.monitor(np.array([1.0])), "z is"),
        (lambda: FUTILE.monitor(1.0, look="1"), "look is '1'"),
        (lambda: FUTILE.monitor(1.0, look=True), "look is True"),
        (lambda: FUTILE.monitor(1.0, look=1.5), "look is 1.5"),
        (lambda: FUTILE.monitor(1.0, information="0.5"), "information is '0.5'"),
        (lambda: FUTILE.monitor(1.0, information=[]), "information is"),
        (lambda: FUTILE.monitor(1.0, information=[[0.5]]), "information is"),
        (lambda: FUTILE.monitor(1.0, information=[0.5, 0.4]), "information is"),
        (lambda: FUTILE.monitor(1.0, later=[]), "later is"),
        (lambda: FUTILE.monitor(1.0, later=[0.1, 1.0]), "later is"),
        (lambda: FUTILE.monitor(1.0, later=[1.0, 1.2]), "later is"),
        (lambda: FUTILE.monitor(1.0, later="1"), "later is '1'"),
        (lambda: Monitoring.of(FUTILE, 1.0, planned_drift="3"), "planned_drift is '3'"),
        (lambda: Monitoring(FUTILE, 1, 1.0, None), "boundaries is None"),
        (lambda: Monitoring(FUTILE, 4, 1.0, FUTILE.planned), "look is 4"),
        (lambda: SEEN.conditional_power(None), "drift is None"),
        (lambda: SEEN.conditional_power([[1.0], [2.0, 3.0]]), "drift is"),
        (lambda: SEEN.conditional_power(1.0, None), "by is None"),
        (lambda: SEEN.conditional_power(1.0, respect_futility="no"), "respect_futility is 'no'"),
        (lambda: SEEN.expected_b_value(True), "drift is True"),
        (lambda: SEEN.predictive_power(NormalPrior), "prior is"),
        (lambda: SEEN.predictive_power(respect_futility=1), "respect_futility is 1"),
        (lambda: SEEN.posterior_weights(NormalPrior()), "prior is"),
        (lambda: SEEN.stopping_probabilities(respect_futility=None), "respect_futility is None"),
        (lambda: NormalPrior(None), "mean is None"),
        (lambda: NormalPrior(0.0, "1"), "variance is '1'"),
        (lambda: DiscretePrior("1", (1.0,)), "drifts is '1'"),
        (lambda: DiscretePrior((), ()), "drifts is"),
        (lambda: DiscretePrior([[1.0]], (1.0,)), "drifts is"),
        (lambda: DiscretePrior((1.0, 2.0), None), "weights is None"),
        (lambda: DiscretePrior((1.0, 2.0), (math.inf, 1.0)), "weights is"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action()


def test_weights_of_a_prior_count_by_their_ratios_however_large():
    assert DiscretePrior((0.0, 1.0), (1e308, 1e308)).weights == (0.5, 0.5)


@pytest.mark.parametrize("design", [FUTILE, BINDING, WEDGE, PLAIN])
def test_reverse_conditional_power_is_predictive_power_by_the_last_look(design):
    seen = design.monitor(1.3, look=2)
    assert seen.reverse_conditional_power == pytest.approx(seen.predictive_power(by="last"), rel=1e-13)
