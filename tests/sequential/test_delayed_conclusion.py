"""Inference after a delayed-response test: DelayedGSD's numbers, the ordering, simulation, refusals."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from delayed_cases import REFERENCE, delayedgsd_tail, seen, three_looks
from equipoise.errors import InputError
from equipoise.estimate import Estimate
from equipoise.sequential.decision import Decision
from equipoise.sequential.delayed import DelayedResponse
from equipoise.sequential.delayed_conclusion import DecidedTrial
from equipoise.sequential.delayed_region import DelayedRegion
from equipoise.sequential.spending import OBrienFlemingSpending


@pytest.mark.parametrize("case", REFERENCE["delayedgsd"]["p_values"], ids=["at the decision", "at the last look"])
def test_delayedgsd_p_value_at_the_bound(case: dict[str, Any]) -> None:
    ours, theirs = delayedgsd_tail(case)
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_p_value_at_critical_values_is_the_error_spent() -> None:
    for test in (three_looks(True), three_looks(False)):
        fractions = (*test.pipeline, 1.0)
        for index, critical in enumerate(test.decision_bounds):
            interim = None if index == 2 else seen(test.continuation[1][index] + 0.1, test.design.information[index])
            for side in (1e-10, -1e-10):
                ended = test.conclude(seen(critical + side, fractions[index]), interim=interim, look=index + 1)
                assert ended.decision.rejects == (side > 0)
                assert (ended.p_value <= 0.05) == ended.decision.rejects
                assert (ended.interval.lower > 0) == ended.decision.rejects
                if ended.decision.rejects:
                    assert ended.p_value == pytest.approx(test.design.alpha_spent[index], abs=1e-9)


def test_tail_orders_outcomes() -> None:
    test = three_looks()
    region = test.region

    def tail(look: int, z: float) -> float:
        parts = (region.information, region.lower, region.upper, region.pipeline, region.critical)
        seen_there = DelayedRegion(*(part[:look] for part in parts), binding=True)
        return DecidedTrial(seen_there).tail(z)

    critical = region.critical
    # from the strongest outcome for the experimental arm to the weakest
    path = [(1, 9.0), (1, critical[0]), (2, 9.0), (2, critical[1]), (3, 9.0), (3, -9.0)]
    path += [(2, critical[1] - 1e-9), (2, -9.0), (1, critical[0] - 1e-9), (1, -9.0)]
    tails = [tail(*outcome) for outcome in path]
    assert np.all(np.diff(tails) >= -1e-9)
    assert tails[0] == pytest.approx(0.0, abs=1e-12)
    assert tails[-1] == pytest.approx(1.0, abs=1e-12)
    for earlier, later in ((1, 2), (3, 4), (5, 6), (7, 8)):
        assert tails[earlier] == pytest.approx(tails[later], abs=1e-8)


def simulated(test: DelayedResponse, drift: float, trials: int, seed: int) -> list[tuple[int, float, float]]:
    """Look of the stop, z there and z at the decision, of simulated trials."""
    generator = np.random.Generator(np.random.Philox(seed))
    times = sorted({*test.design.information, *test.pipeline})
    steps = np.diff([0.0, *times])
    scores = np.cumsum(drift * steps + np.sqrt(steps) * generator.standard_normal((trials, len(times))), axis=1)
    lower, upper = test.continuation
    found = []
    for row in scores:
        at = {time: score / math.sqrt(time) for time, score in zip(times, row, strict=True)}
        for look, time in enumerate(test.design.information):
            if not lower[look] < at[time] < upper[look]:
                decision = (*test.pipeline, 1.0)[look]
                found.append((look + 1, at[time], at[decision]))
                break
    return found


@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_median_and_interval_cover(drift: float) -> None:
    test, trials = three_looks(pipeline=(0.6, 0.9)), 3000
    region = test.region
    parts = (region.information, region.lower, region.upper, region.pipeline, region.critical)
    looks = [DecidedTrial(DelayedRegion(*(part[:look] for part in parts), binding=True)) for look in (1, 2, 3)]
    found = simulated(test, drift, trials, 20131)
    tails = np.array([looks[look - 1].tail(z, drift) for look, _, z in found])
    # the true drift lies above the lower limit of level p exactly when the tail under it exceeds p
    for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
        spread = math.sqrt(probability * (1 - probability) / trials)
        assert np.mean(tails <= probability) == pytest.approx(probability, abs=3.5 * spread)
    for index in range(0, 60):
        look, interim, z = found[index]
        there = None if look == 3 else seen(interim, test.design.information[look - 1])
        ended = test.conclude(seen(z, (*test.pipeline, 1.0)[look - 1]), interim=there, look=look)
        assert (drift in ended.interval) == (0.05 <= tails[index] <= 0.95)
        assert (drift < ended.median_unbiased) == (tails[index] < 0.5)


def test_conclusion_of_a_reversed_stop() -> None:
    test = three_looks()
    ended = test.conclude(seen(1.2, 0.85, label="CAPS-5"), interim=seen(2.3, 0.65), look=2)
    assert ended.stopped_for is Decision.EFFICACY
    assert ended.decision is Decision.NOT_REJECTED
    assert ended.reversed
    assert ended.p_value > 0.05
    assert "reversal" in str(ended)
    assert str(ended).startswith("CAPS-5")
    kept = test.conclude(seen(1.9, 0.85), interim=seen(2.3, 0.65), look=2)
    assert kept.decision.rejects
    assert not kept.reversed
    won = test.conclude(seen(1.6, 0.85), interim=seen(0.6, 0.65), look=2)
    assert won.stopped_for is Decision.FUTILITY
    assert won.reversed
    assert json.loads(json.dumps(won.to_dict()))["reversed"] is True
    last = test.conclude(seen(1.7, 1.0))
    assert last.stopped_for is None
    assert not last.reversed
    assert "recruitment completed" in str(last)


def test_lower_is_better_mirrors() -> None:
    test = three_looks()
    higher = test.conclude(seen(1.9, 0.85), interim=seen(2.3, 0.65), look=2)
    lower = test.conclude(seen(-1.9, 0.85, better="lower"), interim=seen(-2.3, 0.65, better="lower"), look=2)
    assert lower.p_value == higher.p_value
    assert lower.median_unbiased == pytest.approx(-higher.median_unbiased, abs=1e-12)
    assert lower.interval.upper == pytest.approx(-higher.interval.lower, abs=1e-12)


def test_a_single_final_analysis_is_the_t_test() -> None:
    estimate = Estimate(1.1, 0.5, degrees_of_freedom=14)
    ended = three_looks().conclude(estimate, look=1, information=(1.0,))
    assert ended.p_value == pytest.approx(estimate.p_value / 2, abs=1e-14)
    assert ended.median_unbiased == pytest.approx(1.1, abs=1e-12)
    fixed = estimate.interval(0.9)
    assert ended.interval.lower == pytest.approx(fixed.lower, abs=1e-11)
    assert ended.interval.upper == pytest.approx(fixed.upper, abs=1e-11)


def test_observed_information_spends_what_is_allowed_there() -> None:
    test = three_looks()
    ended = test.conclude(seen(1.5, 0.9), interim=seen(2.6, 0.7), look=2, information=(0.45, 0.7), pipeline=(0.5, 0.9))
    spent = np.cumsum(ended.trial.region.outcomes(np.zeros(1)).rejected)
    assert spent == pytest.approx(OBrienFlemingSpending().spent([0.45, 0.7], 0.05), abs=1e-12)
    assert ended.trial.region.pipeline == pytest.approx([0.5, 0.9])
    by_default = test.conclude(seen(1.5, 0.9), interim=seen(2.6, 0.7), look=2, information=(0.45, 0.7))
    assert by_default.trial.region.pipeline == pytest.approx([0.55, 0.9])
    early = test.conclude(seen(1.7, 0.95), look=2, information=(0.4, 0.95), final=True)
    assert early.trial.region.outcomes(np.zeros(1)).rejected.sum() == pytest.approx(0.05, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"interim": None}, "interim"),
        ({"interim": seen(1.5, 0.65)}, "z at look 2"),
        ({"interim": seen(2.5, 0.65, better="lower")}, "interim.better"),
        ({"look": 4}, "look"),
        ({"look": 3}, "interim"),
        ({"information": (0.4,)}, "information"),
        ({"pipeline": (0.5,)}, "pipeline"),
        ({"pipeline": (0.5, 0.6)}, "pipeline"),
    ],
)
def test_conclude_refuses_what_it_cannot_use(changes: dict[str, Any], field: str) -> None:
    arguments = {"interim": seen(2.5, 0.65), "look": 2} | changes
    with pytest.raises(InputError) as refused:
        three_looks().conclude(seen(1.9, 0.85), **arguments)
    assert refused.value.field == field
