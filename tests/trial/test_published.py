"""Every effect of a paper corrected for the stop: against closed forms, other intervals and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import equipoise as eq
from equipoise.endpoints.binary.number_needed_to_treat import number_needed_to_treat
from equipoise.endpoints.binary.proportions import newcombe_limits, risk_difference
from equipoise.errors import InputError
from equipoise.protocol import Paper
from equipoise.sequential.secondary import secondary_estimates
from equipoise.trial.published import READINGS, conclude_effects

RULE = eq.GroupSequential((0.75, 1.0), 0.05, 2)
STOPPED = RULE.conclude(eq.Estimate(-11.88, 3.96, better="lower"), look=1)
COUNTS = risk_difference(10, 15, 3, 15)


def rows_of(*secondaries, conclusion=STOPPED):
    return conclude_effects(conclusion, secondaries).rows


def given_look(z: float, rho: float, bound: float, probability: float) -> float:
    """eta - y by the truncated normal pivot after a stop of a two-sided rule at the first look, with y at 0."""
    low, high = (bound - z) / rho, (-bound - z) / rho

    def excess(eta: float) -> float:
        stops = np.logaddexp(norm.logsf(low - eta), norm.logcdf(high - eta))
        return float(np.exp(norm.logsf(-eta) - stops)) - probability

    return float(brentq(excess, -12.0, 10.0, xtol=1e-13))


def newcombe_at(shift: float) -> float:
    """The difference of the published counts that many standard errors off."""
    low, high = newcombe_limits(10, 15, 3, 15, level=1 - 2 * norm.sf(abs(shift)))
    return float(low if shift < 0 else high)


def test_the_primary_is_what_its_conclusion_says():
    (row,) = rows_of()
    assert row.value("as observed") == (-11.88, -11.88)
    assert row.value("bias-adjusted")[0] == pytest.approx(STOPPED.bias_adjusted, abs=1e-9)
    assert row.value("median-unbiased")[0] == pytest.approx(STOPPED.median_unbiased, abs=1e-9)
    for reading in ("bias-adjusted", "median-unbiased"):
        assert row.interval(reading).lower == pytest.approx(STOPPED.interval.lower, abs=1e-9)
        assert row.interval(reading).upper == pytest.approx(STOPPED.interval.upper, abs=1e-9)
    assert row.inflation("bias-adjusted")[0] == pytest.approx(STOPPED.bias_adjusted + 11.88, abs=1e-9)
    assert row.number_needed_to_treat("as observed") is None
    assert not row.is_range


def test_an_effect_that_goes_with_nothing_stays_as_it_is():
    for effect in (eq.Estimate(-5.0, 2.0, 28.0, better="lower"), COUNTS):
        row = rows_of(eq.Secondary("other", effect, 0.0))[1]
        for reading in READINGS:
            assert row.value(reading) == pytest.approx((effect.effect,) * 2, abs=1e-9)
            limits = row.interval("as observed")
            assert row.interval(reading).lower == pytest.approx(limits.lower, abs=1e-9)
            assert row.interval(reading).upper == pytest.approx(limits.upper, abs=1e-9)


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_the_correlation_counts_what_favours_the_arm(better):
    sign = 1.0 if better == "higher" else -1.0
    row = rows_of(eq.Secondary("other", eq.Estimate(sign * 5.0, 2.0, better=better), 0.6))[1]
    low, high = row.value("given the stop")
    assert low == high
    assert 0 < sign * low < 5
    assert row.inflation("given the stop")[0] > row.inflation("bias-adjusted")[0] > 0
    as_good = rows_of(eq.Secondary("other", eq.Estimate(sign * 5.0, 2.0, better=better), -0.6))[1]
    assert as_good.inflation("bias-adjusted")[0] == pytest.approx(-row.inflation("bias-adjusted")[0], abs=1e-9)


def test_an_effect_given_the_stop_by_the_truncated_normal():
    row = rows_of(eq.Secondary("other", eq.Estimate(5.0, 2.0), 0.7))[1]
    bound = float(RULE.efficacy_bounds[0])
    expected = [5.0 + 2.0 * given_look(STOPPED.z, 0.7, bound, level) for level in (0.5, 0.025, 0.975)]
    interval = row.interval("given the stop")
    assert (row.value("given the stop")[0], interval.lower, interval.upper) == pytest.approx(expected, abs=1e-7)


def test_counts_by_newcombe_and_the_truncated_normal():
    row = rows_of(eq.Secondary("response", COUNTS, (0.55, 0.85)))[1]
    assert row.interval("as observed").lower == pytest.approx(COUNTS.interval.lower, abs=1e-12)
    assert row.interval("as observed").upper == pytest.approx(COUNTS.interval.upper, abs=1e-12)
    bound = float(RULE.efficacy_bounds[0])
    ends = [newcombe_at(given_look(STOPPED.z, rho, bound, 0.5)) for rho in (0.85, 0.55)]
    assert row.value("given the stop") == pytest.approx(ends, abs=1e-7)
    limits = [newcombe_at(given_look(STOPPED.z, rho, bound, 0.025)) for rho in np.linspace(0.55, 0.85, 33)]
    assert row.interval("given the stop").lower == pytest.approx(min(limits), abs=1e-7)
    loss = STOPPED.z - STOPPED.trial.bias_adjusted(STOPPED.z)
    ends = [newcombe_at(-rho * loss) for rho in (0.85, 0.55)]
    assert row.value("bias-adjusted") == pytest.approx(ends, abs=1e-9)
    # close by, a standard error is Wald's
    assert row.inflation("bias-adjusted")[0] == pytest.approx(0.55 * loss * COUNTS.standard_error, rel=0.02)


def test_number_needed_to_treat_of_the_corrected_difference():
    row = rows_of(eq.Secondary("response", COUNTS, (0.55, 0.85)))[1]
    few, many = row.number_needed_to_treat("given the stop")
    low, high = row.value("given the stop")
    interval = row.interval("given the stop")
    assert (few, many) == tuple(number_needed_to_treat(value, interval) for value in (high, low))
    assert few.nnt < many.nnt
    assert few.contains_infinity
    assert str(row.number_needed_to_treat("as observed")[0]) == "NNTB 2.1 (1.4 to 8.9)"
    # of a bad outcome the same numbers
    worse = rows_of(eq.Secondary("relapse", risk_difference(3, 15, 10, 15), (0.55, 0.85), better="lower"))[1]
    mirrored = worse.number_needed_to_treat("given the stop")
    for one, other in zip(mirrored, (few, many), strict=True):
        assert (one.nnt, one.lower, one.upper) == pytest.approx((other.nnt, other.lower, other.upper), rel=1e-9)


def test_a_range_holds_what_lies_between():
    row = rows_of(eq.Secondary("other", eq.Estimate(5.0, 2.0), (0.0, 0.9)))[1]
    assert row.is_range
    for rho in (0.0, 0.31, 0.62, 0.9):
        one = secondary_estimates(STOPPED, eq.Estimate(5.0, 2.0), -rho)
        for reading, found in (("median-unbiased", one.median_unbiased), ("given the stop", one.given_look)):
            low, high = row.value(reading)
            interval = row.interval(reading)
            assert low - 1e-6 <= found.estimate <= high + 1e-6
            assert interval.lower - 5e-3 <= found.lower
            assert found.upper <= interval.upper + 5e-3


@pytest.mark.parametrize("counts", [(15, 15, 9, 15), (6, 15, 0, 15), (1, 1, 1, 2), (500, 1000, 400, 1000)])
def test_counts_at_the_edge_stay_within_what_a_difference_can_be(counts):
    row = rows_of(eq.Secondary("response", risk_difference(*counts), 0.95))[1]
    for reading in READINGS:
        interval = row.interval(reading)
        assert -1 <= interval.lower <= row.value(reading)[0] <= row.value(reading)[1] <= interval.upper <= 1


def test_large_counts_are_as_normal():
    counts = risk_difference(50_000, 100_000, 49_300, 100_000)
    row = rows_of(eq.Secondary("response", counts, 0.7))[1]
    plain = rows_of(eq.Secondary("response", counts.estimate(), 0.7))[1]
    for reading in READINGS:
        assert row.value(reading) == pytest.approx(plain.value(reading), abs=2e-6)
        assert row.interval(reading).lower == pytest.approx(plain.interval(reading).lower, abs=2e-6)


def test_on_the_bound_there_is_nothing_given_the_stop():
    rule = eq.GroupSequential((0.5, 1.0), 0.025, 1, efficacy=eq.FixedBounds((3.0,)))
    found = conclude_effects(
        rule.conclude(eq.Estimate(3.0, 1.0), look=1),
        [eq.Secondary("with it", COUNTS, 0.5), eq.Secondary("alone", COUNTS, 0.0)],
    )
    primary, with_it, alone = found.rows
    for row in (primary, with_it):
        assert row.interval("given the stop") is None
        assert math.isnan(row.value("given the stop")[0])
        assert row.number_needed_to_treat("given the stop") is None
    assert alone.value("given the stop")[0] == pytest.approx(COUNTS.effect)
    assert "no finite estimate" in str(found)
    assert found.to_dict()["effects"][0]["given_the_stop"] == {"effect": [None, None], "inflation": [None, None]}


def test_what_is_refused():
    going_on = RULE.conclude(eq.Estimate(-4.0, 3.96, better="lower"), look=1)
    with pytest.raises(InputError, match="by this rule it goes on"):
        conclude_effects(going_on, [])
    with pytest.raises(InputError, match="names that differ"):
        rows_of(eq.Secondary("primary", COUNTS, 0.5))
    for correlation in (1.1, (0.5, 0.4), (0.1, 0.2, 0.3), "0.5", math.nan):
        with pytest.raises(InputError, match=r"^correlation is"):
            eq.Secondary("response", COUNTS, correlation)
    with pytest.raises(InputError, match=r"^effect is"):
        eq.Secondary("response", 0.5, 0.5)
    with pytest.raises(InputError, match="some but not all"):
        rows_of(eq.Secondary("response", risk_difference(0, 5, 0, 5), 0.5))
    with pytest.raises(InputError, match=r"^paper is"):
        eq.conclude("ptsd-ketamine-paper")


def paper_with(**changes) -> Paper:
    content = eq.paper("ptsd-ketamine-paper").model_dump(exclude_none=True)
    for place, value in changes.items():
        section, key = place.split("__")
        content[section][key] = value
    return Paper.model_validate(content)


def test_faults_of_a_paper_name_their_key():
    with pytest.raises(InputError, match=r"^primary\.effect is -4"):
        eq.conclude(paper_with(primary__effect=-4.0))
    with pytest.raises(InputError, match=r"^primary\.effect is 'effect -4e\+06"):
        eq.conclude(paper_with(primary__effect=-4e6))
    with pytest.raises(InputError, match=r"^stopping\.efficacy is 'Haybittle-Peto, z = 0.5'"):
        eq.conclude(paper_with(stopping__efficacy={"family": "haybittle-peto", "bound": 0.5}))
    content = eq.paper("ptsd-ketamine-paper").model_dump(exclude_none=True)
    (response,) = content["secondaries"]
    content["secondaries"] = (response | {"experimental": (15, 15), "control": (15, 15)},)
    with pytest.raises(InputError, match=r"^secondaries\[1\]\.counts is"):
        eq.conclude(Paper.model_validate(content))


def test_the_ketamine_paper():
    found = eq.conclude(eq.paper("ptsd-ketamine-paper"))
    response = found.row("response")
    assert response.value("as observed")[0] == pytest.approx(7 / 15)
    assert response.value("bias-adjusted") == pytest.approx((0.4551, 0.4592), abs=1e-4)
    assert response.value("given the stop") == pytest.approx((0.3775, 0.4339), abs=1e-4)
    assert response.interval("given the stop").lower < 0
    assert found.primary.value("given the stop")[0] == pytest.approx(-9.112, abs=1e-3)
    text = str(found)
    assert max(map(len, text.split("\n"))) <= 100
    for said in ("What remains of “NNT 2”.", "NNTB 2.1", "no comparison to correct", "27.5", "recalled", "Sources:"):
        assert said in " ".join(text.split())
    with pytest.raises(InputError, match="one of caps5-week2, response"):
        found.row("responders")


@pytest.mark.parametrize("difference", [0.0, 6.0])
def test_given_the_stop_intervals_of_counts_cover(difference):
    """Trials of 15 a group whose responders come from the scores that stopped them."""
    random, size, spread, needed, wanted = np.random.default_rng(11), 15, 10.4, 12.0, 150
    risks = [float(norm.sf((needed - mean) / spread)) for mean in (4.4 + difference, 4.4)]
    scores = [norm.pdf(norm.isf(risk)) / math.sqrt(risk * (1 - risk)) for risk in risks]
    rho, truth, bound = sum(scores) / 2, risks[0] - risks[1], float(RULE.efficacy_bounds[0])
    covered, below, trials = 0, 0, 0
    while trials < wanted:
        gains = random.normal([[[4.4 + difference]], [[4.4]]], spread, (2, 400, size))
        z = (gains[0].mean(axis=1) - gains[1].mean(axis=1)) / (spread * math.sqrt(2 / size))
        for at in np.flatnonzero(z > bound)[: wanted - trials]:
            one, two = (int((gains[arm, at] > needed).sum()) for arm in (0, 1))
            conclusion = RULE.conclude(eq.Estimate(float(z[at]), 1.0), look=1)
            row = rows_of(eq.Secondary("response", risk_difference(one, size, two, size), rho), conclusion=conclusion)[
                1
            ]
            covered += truth in row.interval("given the stop")
            below += row.value("given the stop")[0] < truth
            trials += 1
    assert covered / trials >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / trials)
    assert below / trials == pytest.approx(0.5, abs=3 * 0.5 / math.sqrt(trials))
