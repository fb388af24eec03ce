"""Delayed-response tests: rpact's and DelayedGSD's numbers, a second computation, and what must hold."""

from __future__ import annotations

import dataclasses
import json
import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr

from delayed_cases import REFERENCE, as_rpact, delayedgsd_test, seen, three_looks
from equipoise.errors import InputError
from equipoise.sequential.delayed import DelayedResponse
from equipoise.sequential.design import GroupSequential
from equipoise.sequential.families import Pocock
from equipoise.sequential.fixed import FixedBounds
from equipoise.sequential.spending import (
    HwangShihDeCaniSpending,
    PocockSpending,
    PowerSpending,
    UserSpending,
)


@pytest.mark.parametrize("case", REFERENCE["rpact"], ids=lambda case: case["name"])
def test_rpact(case: dict[str, Any]) -> None:
    test = as_rpact(case)
    lower, upper = test.continuation
    assert lower[:-1] == pytest.approx(case["futility_bounds"], rel=1e-7)
    assert upper == pytest.approx(case["efficacy_bounds"], rel=1e-7)
    for ours, theirs in zip(test.decision_bounds, case["decision_bounds"], strict=True):
        assert theirs is None or ours == pytest.approx(theirs, rel=1e-7)
    # held there, as here, to 1e-7 together; their 1.7563249e-06 is 1.3e-12 off, see the quadrature below
    theirs = np.array([value or 0.0 for value in case["reversal_probabilities"]])
    assert np.abs(test.reversal_probabilities[:-1] - theirs).sum() <= 1e-7 * theirs.sum()
    assert test.drift**2 == pytest.approx(case["shift"], rel=1e-7)
    assert test.inflation_factor == pytest.approx(case["inflation_factor"], rel=1e-7)
    rejected = test.outcome_probabilities(test.drift).rejected
    assert rejected == pytest.approx(case["rejection_probabilities"], rel=1e-7)
    for share, name in ((1.0, "1"), (0.5, "01"), (0.0, "0")):
        expected = test.expected_information(share * test.drift) * test.inflation_factor
        assert expected == pytest.approx(case[f"expected_information_{name}"], rel=1e-7)


def test_delayedgsd_boundaries() -> None:
    case, test = REFERENCE["delayedgsd"]["boundaries"], delayedgsd_test()
    lower, upper = test.continuation
    assert lower[:-1] == pytest.approx(case["futility_bounds"], abs=3e-6)
    assert upper[:-1] == pytest.approx(case["efficacy_bounds"], abs=3e-8)
    # R's uniroot, as called there, stops within 1.2e-4 of the root
    assert test.decision_bounds == pytest.approx(case["decision_bounds"], abs=1.2e-4)


def by_quadrature(test: DelayedResponse, drift: float) -> np.ndarray:
    """Rejection probabilities of a two-look test: stop above, stop below, last look."""
    (time, _), (low, _), (high, _) = test.design.information, *test.continuation
    root, later, gained = math.sqrt(time), test.pipeline[0], test.pipeline[0] - time
    first, last = test.decision_bounds

    def density(z: float) -> float:
        return math.exp(-0.5 * (z - drift * root) ** 2) / math.sqrt(2 * math.pi)

    def decided(z: float) -> float:
        return density(z) * float(ndtr((z * root + drift * gained - first * math.sqrt(later)) / math.sqrt(gained)))

    def ended(z: float) -> float:
        return density(z) * float(ndtr((z * root + drift * (1 - time) - last) / math.sqrt(1 - time)))

    pieces = ((decided, high, 14.0), (decided, -14.0, low), (ended, low, high))
    return np.array([quad(part, left, right, epsabs=1e-14, epsrel=1e-13, limit=200)[0] for part, left, right in pieces])


@pytest.mark.parametrize("binding", [True, False])
@pytest.mark.parametrize(("time", "later"), [(0.5, 0.6), (0.3, 0.9), (0.7, 1.0)])
def test_second_computation(binding: bool, time: float, later: float) -> None:
    test = three_looks(binding, (later,), information=(time, 1.0), futility=PocockSpending())
    for drift in (0.0, 1.5, test.drift):
        above, below, last = by_quadrature(test, drift)
        outcomes = test.outcome_probabilities(drift)
        assert outcomes.confirmed == pytest.approx([above, last], abs=1e-12)
        assert outcomes.gained == pytest.approx([below, 0.0], abs=1e-12)
        assert outcomes.stopped.sum() == pytest.approx(1.0, abs=1e-13)
    if binding:
        assert by_quadrature(test, 0.0).sum() == pytest.approx(test.design.alpha, abs=1e-10)
        assert test.type_one_error == pytest.approx(test.design.alpha, abs=1e-12)
    assert by_quadrature(test, test.drift).sum() == pytest.approx(0.9, abs=1e-10)


def test_a_rare_reversal_by_quadrature() -> None:
    test = three_looks()
    edge, critical = test.continuation[1][0], test.decision_bounds[0] * math.sqrt(0.5)

    def lost(z: float) -> float:
        return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) * ndtr((critical - z * math.sqrt(0.4)) / math.sqrt(0.1))

    assert test.reversal_probabilities[0] == pytest.approx(quad(lost, edge, 12.0, epsabs=0, epsrel=1e-13)[0], rel=1e-12)


@settings(max_examples=25)
@given(
    steps=st.lists(st.floats(0.05, 1.0), min_size=2, max_size=5),
    shares=st.lists(st.floats(0.02, 1.0), min_size=4, max_size=4),
    gamma=st.floats(-6.0, 2.0),
    binding=st.booleans(),
)
def test_balance_and_type_one_error(steps: list[float], shares: list[float], gamma: float, binding: bool) -> None:
    times = np.cumsum(steps) / np.sum(steps)
    times[-1] = 1.0
    design = GroupSequential(
        tuple(times), 0.025, 1, HwangShihDeCaniSpending(gamma), HwangShihDeCaniSpending(-2.0), beta=0.2, binding=binding
    )
    pipeline = times[:-1] + np.array(shares[: times.size - 1]) * (1 - times[:-1])
    test = DelayedResponse(design, tuple(np.minimum(pipeline, 1.0)))
    outcomes = test.region.outcomes(np.zeros(1), binding)
    assert outcomes.lost == pytest.approx(outcomes.gained, abs=1e-12)
    assert np.cumsum(outcomes.rejected) == pytest.approx(design.alpha_spent, abs=1e-11)
    if binding:
        assert test.type_one_error == pytest.approx(0.025, abs=1e-11)
    else:
        assert test.type_one_error <= 0.025 + 1e-12
    lower, upper = test.continuation
    assert np.all((lower < upper)[:-1])
    powers = test.power(np.linspace(-1.0, 6.0, 29))
    assert np.all(np.diff(powers) > 0)


@pytest.mark.parametrize("followed", list(product([True, False], repeat=2)))
def test_overruling_futility_costs_no_type_one_error(followed: tuple[bool, bool]) -> None:
    test = three_looks(False, efficacy=PocockSpending(), futility=PocockSpending())
    region = test.region
    lower = np.where([*followed, True], region.lower, -math.inf)
    taken = dataclasses.replace(region, lower=lower).outcomes(np.zeros(1)).rejected.sum()
    assert taken <= 0.05
    assert taken == pytest.approx(test.type_one_error, abs=1e-12) or not all(followed)


def test_nothing_in_the_pipeline_is_the_ordinary_design() -> None:
    test = three_looks(pipeline=(0.4, 0.65))
    design, drifts = test.design, np.linspace(-2, 6, 17)
    assert test.decision_bounds == pytest.approx(design.efficacy_bounds, abs=1e-14)
    assert test.reversal_probabilities == pytest.approx(0.0, abs=1e-15)
    assert test.power(drifts) == pytest.approx(design.power(drifts), abs=1e-14)
    assert test.expected_information(drifts) == pytest.approx(design.expected_information(drifts), abs=1e-13)
    assert test.drift == pytest.approx(design.drift, abs=1e-11)
    assert test.inflation_factor == pytest.approx(design.inflation_factor, abs=1e-11)
    for z in (2.5, 0.5):
        ordinary = design.conclude(seen(z, 0.65), look=2)
        assert ordinary.interval is not None
        ours = test.conclude(seen(z, 0.65), interim=seen(z, 0.65), look=2)
        assert ours.p_value == pytest.approx(ordinary.p_value, abs=1e-13)
        assert ours.median_unbiased == pytest.approx(ordinary.median_unbiased, abs=1e-10)
        assert ours.interval.lower == pytest.approx(ordinary.interval.lower, abs=1e-10)
        assert ours.interval.upper == pytest.approx(ordinary.interval.upper, abs=1e-10)


def test_a_vanishing_pipeline_tends_to_the_ordinary_design() -> None:
    ordinary = three_looks().design
    tested = three_looks(pipeline=(0.4 + 1e-4, 0.65 + 1e-4))
    assert np.all(tested.reversal_probabilities < 1e-30)
    assert tested.power(2.5) == pytest.approx(ordinary.power(2.5), abs=1e-13)
    # by symmetry of the normal tails, critical scores tend to the middle of the continuation region
    lower, upper = tested.continuation
    assert tested.decision_bounds[:-1] == pytest.approx(((lower + upper) / 2)[:-1], abs=1e-3)


def test_more_in_the_pipeline_is_reversed_more_often_and_costs_less_power() -> None:
    sizes = np.linspace(0.02, 0.34, 9)
    tests = [three_looks(pipeline=(0.4 + size, 0.65 + size)) for size in sizes]
    reversals = np.array([test.reversal_probabilities[:-1] for test in tests])
    assert np.all(np.diff(reversals, axis=0) > 0)
    information = [test.expected_information(2.0) for test in tests]
    assert np.all(np.diff(information) > 0)


def test_extremes_are_finite_and_quiet() -> None:
    tiny = three_looks(alpha=1e-12, efficacy=PocockSpending(), futility=PocockSpending(), beta=0.1)
    assert np.all(np.isfinite(tiny.decision_bounds))
    assert tiny.type_one_error == pytest.approx(1e-12, rel=1e-9)
    test = three_looks()
    assert test.power(np.array([-40.0, 40.0])) == pytest.approx([0.0, 1.0], abs=1e-14)
    far = test.conclude(seen(12.0, 0.5), interim=seen(12.0, 0.4), look=1)
    assert 0 < far.p_value < 1e-30
    assert math.isfinite(far.interval.lower)
    late = three_looks(efficacy=PowerSpending(80.0))
    assert np.all(np.isfinite(late.decision_bounds))


def test_classical_bounds() -> None:
    test = three_looks(efficacy=Pocock(), futility=FixedBounds((0.0, 0.5)))
    assert np.ptp(test.continuation[1]) < 1e-14
    assert test.type_one_error == pytest.approx(0.05, abs=1e-12)
    assert test.power(test.drift) == pytest.approx(0.9, abs=1e-12)


def test_a_look_without_one_of_its_bounds() -> None:
    without = three_looks(efficacy=UserSpending((0.0, 0.3, 1.0)))
    assert without.decision_bounds[0] == math.inf
    assert without.type_one_error == pytest.approx(0.05, abs=1e-12)
    idle = three_looks(futility=UserSpending((0.0, 0.3, 1.0)))
    assert idle.decision_bounds[0] == -math.inf
    assert idle.type_one_error == pytest.approx(0.05, abs=1e-12)
    assert idle.to_dict()["decision_bounds"][0] is None
    assert "-inf" in str(idle)


def test_prints_a_table() -> None:
    test = three_looks()
    text = str(test)
    assert text.splitlines()[0] == "Delayed-response test, 3 looks, one-sided alpha 0.05"
    assert "1.339" in text
    assert "inflation factor 1.0350" in text
    assert test.to_frame()["power"][-1] == pytest.approx(0.9)
    assert json.loads(json.dumps(test.to_dict()))["decision_bounds"][1] == pytest.approx(1.53786951, abs=1e-8)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pipeline": (0.5,)}, "pipeline"),
        ({"pipeline": (0.3, 0.85)}, "pipeline"),
        ({"pipeline": (0.5, 1.1)}, "pipeline"),
        ({"pipeline": (0.5, math.nan)}, "pipeline"),
        ({"pipeline": (0.4 + 1e-9, 0.85)}, "pipeline"),
        ({"sided": 2}, "design.sided"),
        ({"futility": None, "binding": False}, "design.futility"),
    ],
)
def test_refuses_what_it_cannot_use(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        three_looks(**changes)
    assert refused.value.field == field


def test_refuses_a_drift_that_is_not_finite() -> None:
    with pytest.raises(InputError, match="drift"):
        three_looks().power(math.nan)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda test: DelayedResponse(GroupSequential, (0.5,)), "design is"),
        (lambda test: DelayedResponse(test.design, None), "pipeline is None"),
        (lambda test: DelayedResponse(test.design, "0.5"), "pipeline is '0.5'"),
        (lambda test: DelayedResponse(test.design, [test.pipeline]), "pipeline is"),
        (lambda test: test.bounds_at([0.3, 0.6], [0.4, math.nan], False), "pipeline is"),
        (lambda test: test.bounds_at([0.3, 0.6], None, False), "pipeline is None"),
        (lambda test: test.bounds_at([0.3, 0.6], [0.4], False), "pipeline is .* 2 information fractions"),
        (lambda test: test.bounds_at([0.3, 0.6], [0.4, 0.5], False), "pipeline is 0.5"),
        (lambda test: test.bounds_at([0.3, 0.6], [0.4, 0.7], True), "pipeline is .* one information fraction"),
        (lambda test: test.bounds_at([0.3, 0.6], [0.4, 0.7], None), "final is None"),
        (lambda test: test.power("1"), "drift is '1'"),
        (lambda test: test.power(None), "drift is None"),
        (lambda test: test.expected_information([[1.0], [1.0, 2.0]]), "drift is"),
        (lambda test: test.outcome_probabilities(True), "drift is True"),
    ],
)
def test_wrong_types_are_refused_by_name(action, message):
    with pytest.raises(InputError, match=message):
        action(three_looks())
