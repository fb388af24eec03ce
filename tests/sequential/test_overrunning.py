"""Over-running: limits, a second computation, exact uniformity where it is promised, simulation."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import kstest

from equipoise.errors import InputError
from equipoise.estimate import Estimate, Scale
from equipoise.sequential.decision import Decision
from equipoise.sequential.delayed_region import DelayedRegion
from equipoise.sequential.design import GroupSequential
from equipoise.sequential.inference import StoppedTrial
from equipoise.sequential.overrun import _combination, _deletion, overrunning
from equipoise.sequential.region import Region
from equipoise.sequential.roots import rising_root
from equipoise.sequential.spending import HwangShihDeCaniSpending, OBrienFlemingSpending, PocockSpending

LOOKS = (0.4, 0.7, 1.0)
TWO_SIDED = GroupSequential(LOOKS, 0.05, 2, PocockSpending())
ONE_SIDED = GroupSequential(LOOKS, 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1)
BINDING = GroupSequential(LOOKS, 0.025, 1, PocockSpending(), HwangShihDeCaniSpending(-2), 0.1, True)
EFFICACY = GroupSequential(LOOKS, 0.025, 1, PocockSpending())


def seen(z: float, fraction: float, **changes: Any) -> Estimate:
    """An estimate with this z and as much information as the fraction says."""
    return Estimate(float(z / math.sqrt(fraction)), 1 / math.sqrt(fraction), **changes)


@pytest.mark.parametrize("design", [TWO_SIDED, ONE_SIDED, BINDING])
@pytest.mark.parametrize(("look", "z"), [(1, 3.1), (2, 2.9), (3, 2.3), (3, 1.1)])
def test_without_late_outcomes_it_is_the_ordinary_conclusion(design: GroupSequential, look: int, z: float) -> None:
    estimate = seen(z, LOOKS[look - 1])
    ordinary, ours = design.conclude(estimate, look=look), overrunning(design, estimate, estimate, look=look)
    assert ordinary.p_value is not None
    assert ordinary.median_unbiased is not None
    assert ordinary.interval is not None
    assert ours.p_value == pytest.approx(ordinary.p_value, rel=1e-12)
    assert ours.median_unbiased == pytest.approx(ordinary.median_unbiased, abs=1e-11)
    assert ours.interval.lower == pytest.approx(ordinary.interval.lower, abs=1e-11)
    assert ours.interval.upper == pytest.approx(ordinary.interval.upper, abs=1e-11)
    assert ours.decision is ordinary.decision
    assert not ours.reversed
    nearly = seen(z, LOOKS[look - 1] * (1 + 1e-10))
    combined = overrunning(design, estimate, nearly, look=look, method="combination")
    assert combined.p_value == pytest.approx(ordinary.p_value, rel=1e-3)
    assert combined.median_unbiased == pytest.approx(ordinary.median_unbiased, abs=1e-3)


@pytest.mark.parametrize("degrees_of_freedom", [math.inf, 17])
def test_deleting_the_first_look_leaves_the_fixed_test(degrees_of_freedom: float) -> None:
    final = Estimate(0.9, 0.35, degrees_of_freedom)
    ours = overrunning(TWO_SIDED, Estimate(2.0, 0.5), final, look=1)
    assert ours.p_value == pytest.approx(final.p_value, rel=1e-12)
    assert ours.median_unbiased == pytest.approx(0.9, abs=1e-12)
    assert ours.interval.lower == pytest.approx(ours.observed_interval.lower, abs=1e-11)
    assert ours.interval.upper == pytest.approx(ours.observed_interval.upper, abs=1e-11)


@pytest.mark.parametrize("design", [TWO_SIDED, ONE_SIDED, BINDING])
def test_deletion_is_the_conclusion_of_a_trial_that_looked_only_then(design: GroupSequential) -> None:
    stopped, final = seen(2.8, 0.7), seen(2.7, 0.84)
    ours = overrunning(design, stopped, final, look=2)
    assert ours.information == pytest.approx((0.4, 0.7, 0.84))
    looked = design.conclude(final, look=2, information=(0.4, 0.84))
    assert looked.decision is Decision.EFFICACY
    assert looked.interval is not None
    assert ours.p_value == pytest.approx(looked.p_value, rel=1e-11)
    assert ours.median_unbiased == pytest.approx(looked.median_unbiased, abs=1e-10)
    assert ours.interval.lower == pytest.approx(looked.interval.lower, abs=1e-10)


def test_deletion_by_quadrature() -> None:
    region = BINDING.region()
    lower, upper = float(region.lower[0]), float(region.upper[0])

    def later(z: float, drift: float) -> float:
        mean = z * math.sqrt(0.4) + drift * 0.44
        weight = math.exp(-0.5 * (z - drift * math.sqrt(0.4)) ** 2) / math.sqrt(2 * math.pi)
        return weight * float(ndtr((mean - 2.1 * math.sqrt(0.84)) / math.sqrt(0.44)))

    def tail(drift: float) -> float:
        above = float(ndtr(drift * math.sqrt(0.4) - upper))
        return above + quad(later, lower, upper, args=(drift,), epsabs=1e-15, epsrel=1e-13)[0]

    ours = overrunning(BINDING, seen(2.8, 0.7), seen(2.1, 0.84), look=2)
    assert ours.p_value == pytest.approx(tail(0.0), abs=1e-13)
    assert tail(ours.median_unbiased) == pytest.approx(0.5, abs=1e-11)
    assert tail(ours.interval.lower) == pytest.approx(0.025, abs=1e-11)
    assert tail(ours.interval.upper) == pytest.approx(0.975, abs=1e-11)


def test_combination_by_hand() -> None:
    from scipy.special import ndtri

    stopped, final = seen(2.8, 0.7), seen(2.1, 0.84)
    ours = overrunning(BINDING, stopped, final, look=2, method="combination")
    p_stop = BINDING.conclude(stopped, look=2).p_value
    late = (2.1 * math.sqrt(0.84) - 2.8 * math.sqrt(0.7)) / math.sqrt(0.14)
    assert ours.weight == pytest.approx(0.7 / 0.84)
    score = math.sqrt(0.7 / 0.84) * -ndtri(p_stop) + math.sqrt(0.14 / 0.84) * late
    assert ours.p_value == pytest.approx(float(ndtr(-score)), rel=1e-11)
    only_late = overrunning(BINDING, stopped, final, look=2, method="combination", weight=0.0)
    assert only_late.p_value == pytest.approx(float(ndtr(-late)), rel=1e-12)
    only_stop = overrunning(BINDING, stopped, final, look=2, method="combination", weight=1.0)
    assert only_stop.p_value == pytest.approx(p_stop, rel=1e-11)


def test_combination_at_the_first_look_with_its_share_is_the_fixed_test() -> None:
    final = seen(2.1, 0.6)
    ours = overrunning(TWO_SIDED, seen(2.9, 0.4), final, look=1, method="combination")
    assert ours.p_value == pytest.approx(final.p_value, rel=1e-11)
    assert ours.interval.lower == pytest.approx(ours.observed_interval.lower, abs=1e-10)


def walks(times: list[float], drift: float, trials: int, seed: int) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(seed))
    steps = np.diff([0.0, *times])
    return np.cumsum(drift * steps + np.sqrt(steps) * generator.standard_normal((trials, steps.size)), axis=1)


@pytest.mark.parametrize("design", [BINDING, EFFICACY])
@pytest.mark.parametrize("drift", [0.0, 2.2])
def test_deletion_is_uniform_when_the_final_analysis_is_held_whatever_look_two_showed(
    design: GroupSequential, drift: float
) -> None:
    region = design.region(design.binding)
    fractions = [*LOOKS[:2], 0.84]
    first, last = walks([0.4, 0.84], drift, 4000, 1992).T / np.sqrt([[0.4], [0.84]])
    early = StoppedTrial(region, 1)
    tails = []
    for z, end in zip(first, last, strict=True):
        if region.lower[0] < z < region.upper[0]:
            tails.append(_deletion(region.first(2), seen(end, 0.84), fractions)(drift * math.sqrt(0.84), 1.0))
        elif z >= region.upper[0]:
            tails.append(early.tail(z, drift))
        else:
            # stops below are lowest, the earliest lowest: all but those lower still
            tails.append(1.0 - float(ndtr(z - drift * math.sqrt(0.4))))
    assert kstest(tails, "uniform").pvalue > 0.01
    for level in (0.025, 0.5, 0.975):
        spread = math.sqrt(level * (1 - level) / 4000)
        assert np.mean(np.array(tails) <= level) == pytest.approx(level, abs=3.5 * spread)


@pytest.mark.parametrize("design", [BINDING, TWO_SIDED])
@pytest.mark.parametrize("drift", [0.0, 2.2])
def test_combination_is_uniform_over_whole_trials_when_late_outcomes_are_proportional(
    design: GroupSequential, drift: float
) -> None:
    region, trials = design.region(design.binding), 3000
    times = [0.4, 0.5, 0.7, 0.875, 1.0, 1.25]
    scores = walks(times, drift, trials, 2008)
    tails = np.empty(trials)
    for index, row in enumerate(scores / np.sqrt(times)):
        at = dict(zip(times, row, strict=True))
        look = next(
            look
            for look, time in enumerate(LOOKS)
            if look == 2 or not region.lower[look] < at[time] < region.upper[look]
        )
        time = LOOKS[look]
        stopped, final = seen(at[time], time), seen(at[1.25 * time], 1.25 * time)
        fractions = [*LOOKS[: look + 1], 1.25 * time]
        tail = _combination(region.first(look + 1), stopped, final, fractions, 0.8)
        tails[index] = tail(drift * math.sqrt(1.25 * time), 1.0)
        if index < 25:
            ours = overrunning(design, stopped, final, look=look + 1, method="combination")
            assert ours.weight == pytest.approx(0.8)
            assert (ours.median_unbiased > drift) == (tails[index] < 0.5)
            assert (drift in ours.interval) == (design.level <= tails[index] <= 1 - design.level)
    assert kstest(tails, "uniform").pvalue > 0.01
    for level in (0.025, 0.5, 0.975):
        spread = math.sqrt(level * (1 - level) / trials)
        assert np.mean(tails <= level) == pytest.approx(level, abs=3.5 * spread)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.25, 0.5])
@pytest.mark.parametrize("design", [BINDING, EFFICACY, ONE_SIDED])
def test_type_one_error_of_trials_with_deletion(design: GroupSequential, share: float) -> None:
    """Of whole trials, where a final analysis follows only a stop: not exact, but below alpha in these."""
    region, information = design.region(design.binding), np.array(LOOKS)
    pipeline = np.append(information[:-1] * (1 + share), 1.0)
    critical = []
    for look, late in enumerate(pipeline):
        path = Region(np.append(information[:look], late), region.lower[: look + 1], region.upper[: look + 1])
        trial = StoppedTrial(path, look + 1)
        critical.append(rising_root(lambda z, trial=trial: design.level - trial.tail(z), 2.0))
    lower = np.full(3, -math.inf) if design.futility_bounds is None else design.futility_bounds.copy()
    lower[-1] = design.efficacy_bounds[-1]
    whole = DelayedRegion(information, lower, design.efficacy_bounds, pipeline, np.array(critical), design.binding)
    taken = float(whole.outcomes(np.zeros(1)).rejected.sum())
    assert 0.015 < taken < 0.025
    # the critical value found is where the function changes its decision
    late = pipeline[1]
    for side, rejects in ((1e-9, True), (-1e-9, False)):
        ours = overrunning(design, seen(3.0, 0.7), seen(critical[1] + side, late), look=2)
        assert ours.decision.rejects is rejects


def test_reversals() -> None:
    kept = overrunning(BINDING, seen(2.8, 0.7), seen(2.6, 0.84), look=2)
    assert kept.stopped_for is kept.decision is Decision.EFFICACY
    assert not kept.reversed
    lost = overrunning(BINDING, seen(2.8, 0.7), seen(1.4, 0.84), look=2)
    assert lost.reversed
    assert lost.decision is Decision.NOT_REJECTED
    assert "(reversal)" in str(lost)
    won = overrunning(BINDING, seen(0.3, 0.7), seen(2.6, 1.3), look=2)
    assert won.stopped_for is Decision.FUTILITY
    assert won.reversed
    nothing = overrunning(BINDING, seen(0.3, 0.7), seen(0.4, 0.84), look=2)
    assert not nothing.reversed
    harm = overrunning(TWO_SIDED, seen(-2.8, 0.7), seen(-2.6, 0.84), look=2)
    assert harm.stopped_for is harm.decision is Decision.HARM
    assert not harm.reversed


@pytest.mark.parametrize("method", ["deletion", "combination"])
def test_decision_p_value_and_interval_agree(method: Any) -> None:
    for design in (TWO_SIDED, BINDING, EFFICACY):
        for z in np.linspace(-3.4, 3.4, 18):
            ours = overrunning(design, seen(2.8, 0.7), seen(z, 0.8), look=2, method=method)
            assert ours.decision.rejects == (ours.p_value <= design.alpha)
            outside = 0.0 not in ours.interval
            assert ours.decision.rejects == (outside if design.sided == 2 else ours.interval.lower > 0)


@pytest.mark.parametrize("method", ["deletion", "combination"])
def test_mirrored_and_monotone(method: Any) -> None:
    zs = np.linspace(-1.0, 5.0, 13)
    found = [overrunning(TWO_SIDED, seen(2.8, 0.7), seen(z, 0.9), look=2, method=method) for z in zs]
    assert np.all(np.diff([ours.median_unbiased for ours in found]) > 0)
    assert np.all(np.diff([ours.interval.lower for ours in found]) > 0)
    mirrored = overrunning(TWO_SIDED, seen(-2.8, 0.7), seen(-zs[8], 0.9), look=2, method=method)
    assert mirrored.p_value == pytest.approx(found[8].p_value, rel=1e-12)
    assert mirrored.median_unbiased == pytest.approx(-found[8].median_unbiased, abs=1e-10)
    flipped = overrunning(
        TWO_SIDED,
        seen(-2.8, 0.7, better="lower"),
        seen(-zs[8], 0.9, better="lower"),
        look=2,
        method=method,
    )
    assert flipped.p_value == pytest.approx(found[8].p_value, rel=1e-12)
    assert flipped.median_unbiased == pytest.approx(-found[8].median_unbiased, abs=1e-10)


@pytest.mark.parametrize("method", ["deletion", "combination"])
def test_a_wedge_of_futility(method: Any) -> None:
    design = GroupSequential(LOOKS, 0.05, 2, OBrienFlemingSpending(), OBrienFlemingSpending(), 0.1, True)
    ours = overrunning(design, seen(0.2, 0.7), seen(0.3, 0.84), look=2, method=method)
    assert ours.stopped_for is Decision.FUTILITY
    assert ours.p_value > 0.5
    assert ours.interval.lower < ours.median_unbiased < ours.interval.upper


def test_after_the_last_look_and_small_samples() -> None:
    beyond = overrunning(TWO_SIDED, seen(2.3, 1.0), seen(2.2, 1.15), look=3)
    assert beyond.information[-1] == pytest.approx(1.15)
    normal = overrunning(TWO_SIDED, seen(2.9, 0.7), seen(2.6, 0.84), look=2)
    for method in ("deletion", "combination"):
        small = overrunning(
            TWO_SIDED,
            seen(3.4, 0.7, degrees_of_freedom=20),
            seen(2.6, 0.84, degrees_of_freedom=25),
            look=2,
            method=method,
        )
        assert small.p_value > normal.p_value
        assert small.interval.upper - small.interval.lower > normal.interval.upper - normal.interval.lower


def test_prints_and_gives_plain_values() -> None:
    scale = Scale.LOG_ODDS_RATIO
    ours = overrunning(
        BINDING,
        seen(2.8, 0.7, scale=scale),
        seen(2.6, 0.84, scale=scale, label="Response"),
        look=2,
        method="combination",
    )
    text = str(ours)
    assert text.startswith("Response\nLook 2 at information fraction 0.7: stop for efficacy, z = 2.8000")
    assert "combination method, weight 0.8333" in text
    assert "odds ratio" in text
    values = json.loads(json.dumps(ours.to_dict()))
    assert values["reversed"] is False
    assert values["interval"]["level"] == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"look": 4}, "look"),
        ({"stopped": seen(1.5, 0.7)}, "z at look 2"),
        ({"final": seen(2.0, 0.84, better="lower")}, "final.better"),
        ({"final": seen(2.0, 0.6)}, "information with all data"),
        ({"final": 2.0}, "final"),
        ({"method": "ignore"}, "method"),
        ({"weight": 0.5}, "weight"),
        ({"weight": 1.5, "method": "combination"}, "weight"),
        ({"method": "combination", "final": seen(2.8, 0.7)}, "information with all data"),
        ({"information": (0.4, 0.7)}, "information"),
        ({"information": (0.4, 0.7, math.nan)}, "information with all data"),
        ({"information": (0.7, 0.4, 0.8)}, "information"),
    ],
)
def test_refuses_what_it_cannot_use(changes: dict[str, Any], field: str) -> None:
    arguments = {"stopped": seen(2.8, 0.7), "final": seen(2.5, 0.84), "look": 2} | changes
    with pytest.raises(InputError) as refused:
        overrunning(BINDING, arguments.pop("stopped"), arguments.pop("final"), **arguments)
    assert refused.value.field == field
