"""Second estimates of many trials: as each alone, and what they hold in the joint normal law they were made for."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from unittest.mock import patch

import numpy as np
import pytest
from test_many import DESIGNS, singly, trials_of

from equipoise import Estimate, GroupSequential, InputError, Scale
from equipoise.sequential import FixedBounds, Given, OBrienFleming, Pocock
from equipoise.sequential.secondary import secondary_estimates
from equipoise.sequential.secondary_many import ManySecondaryEstimates, SecondaryConclusions

STUDIED = {
    "O'Brien-Fleming, look at 0.75": GroupSequential(information=(0.75, 1.0), efficacy=OBrienFleming()),
    "Pocock, three looks": GroupSequential(information=(1 / 3, 2 / 3, 1.0), efficacy=Pocock()),
    "binding futility": GroupSequential(
        information=(0.3, 0.6, 1.0),
        sided=1,
        alpha=0.025,
        efficacy=Pocock(),
        futility=FixedBounds((0.0, 0.5)),
        binding=True,
    ),
}


def seconds(count, seed=4, freedoms=(20.0, math.inf)):
    """Effects, standard errors, degrees of freedom and correlations of second estimates."""
    generator = np.random.default_rng(seed)
    rho = generator.uniform(-1, 1, count)
    rho[:4] = 0.0, 1.0, -1.0, 1e-4
    freedom = generator.choice(freedoms, count)
    return [generator.normal(0, 3, count), generator.uniform(0.5, 2, count), freedom, rho]


def arrays(found):
    return np.array([getattr(found, part.name) for part in fields(ManySecondaryEstimates)])


def alone(design, first, second, trial, given, better, null_value):
    effect, error, freedom, rho = (column[trial] for column in second)
    one = Estimate(effect, error, freedom, better=better, null_value=null_value)
    found = secondary_estimates(singly(design, first, trial), one, rho)
    conditional = found.given_look if given is Given.LOOK else found.given_exit
    median = found.median_unbiased
    return np.array(
        [
            found.naive.lower,
            found.naive.upper,
            found.bias_adjusted,
            found.unbiased,
            *(median.estimate, median.lower, median.upper),
            *(conditional.estimate, conditional.lower, conditional.upper),
        ]
    )


def assert_as_alone(design, first, second, given=Given.LOOK, better="lower", null_value=0.1):
    rest = better, Scale.MEAN_DIFFERENCE, null_value, "higher"
    trials = range(second[1].size)
    wanted = np.array([alone(design, first, second, trial, given, better, null_value) for trial in trials]).T
    for few in (0, 64):  # all by tables, and none
        with patch("equipoise.sequential.secondary_many._FEW", few):
            found = arrays(SecondaryConclusions(design, given).of(*first[:4], *second, *rest))
        for trial in trials:
            close = {"rtol": 1e-8, "atol": 1e-8 * second[1][trial], "err_msg": f"trial {trial}"}
            np.testing.assert_allclose(found[:, trial], wanted[:, trial], **close)


@pytest.mark.parametrize("given", list(Given))
@pytest.mark.parametrize("name", DESIGNS)
def test_many_trials_as_each_alone(name, given):
    design, count = DESIGNS[name], 14
    # given the way out limits may lie so far off that a t distribution shows the last digits of z
    freedoms = (20.0, math.inf) if given is Given.LOOK else (math.inf,)
    assert_as_alone(design, trials_of(design, count), seconds(count, freedoms=freedoms), given)


@pytest.mark.parametrize("better", ["lower", "higher"])
def test_looks_hard_upon_each_other(better):
    generator, count = np.random.default_rng(5), 12
    fractions = np.column_stack((np.full(count, 0.75), np.tile([0.7502, 0.76, 0.8], 4)))
    z, ones = generator.uniform(-4, 4, count), np.ones(count)
    first = [fractions, np.full(count, 2), z, ones > 0, z, ones, np.inf * ones, "higher", Scale.MEAN_DIFFERENCE]
    assert_as_alone(DESIGNS["Pocock"], first, seconds(count), better=better)


@pytest.mark.parametrize("name", ["Pocock", "one-sided, futility binding", "two-sided, futility binding"])
def test_far_out(name):
    design, z = DESIGNS[name], np.array([-60.0, -20.0, -11.0, 11.0, 20.0, 60.0])
    ones = np.ones(z.size)
    for look in (1, design.looks):
        fractions = np.tile(design.information, (z.size, 1))
        last = (look == design.looks) & (ones > 0)
        first = [fractions, look * ones, z, last, z, ones, np.inf * ones, "higher", Scale.MEAN_DIFFERENCE]
        first[1] = first[1].astype(int)
        assert_as_alone(design, first, seconds(z.size, freedoms=(math.inf,)))


def test_does_not_depend_on_company_and_may_be_shared_and_pickled():
    design, count = STUDIED["Pocock, three looks"], 21
    first, second = trials_of(design, count), seconds(count)
    many = SecondaryConclusions(design)
    rest = ("higher", Scale.MEAN_DIFFERENCE)

    def of(chosen, using=many):
        return arrays(using.of(*(part[chosen] for part in (*first[:4], *second)), *rest))

    chunks = [np.arange(count)[start::7] for start in range(7)]
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(of, chunks))
    with patch("equipoise.sequential.secondary_many._FEW", 0):
        together = of(np.arange(count), pickle.loads(pickle.dumps(many)))
    for chunk, part in zip(chunks, parts, strict=True):
        np.testing.assert_allclose(part, together[:, chunk], rtol=1e-9, atol=1e-9)


def test_nothing_to_say_is_missing_and_mistakes_are_refused():
    design, count = STUDIED["Pocock, three looks"], 8
    first, second = trials_of(design, count), seconds(count)
    first[2] = first[2].copy()
    first[2][:3] = math.nan, 0.0, 101.0
    first[1][1], first[3][1] = 1, False
    second[0][3], second[1][4], second[2][5], second[3][6] = math.nan, 0.0, math.nan, math.nan
    many = SecondaryConclusions(design)
    found = arrays(many.of(*first[:4], *second, "higher", Scale.MEAN_DIFFERENCE))
    assert np.all(np.isnan(found[:, :7]))
    assert np.all(np.isfinite(found[:, 7]))
    none = [part[:0] for part in (*first[:4], *second)]
    assert arrays(many.of(*none, "higher", Scale.MEAN_DIFFERENCE)).shape == (10, 0)
    with pytest.raises(InputError, match="correlation"):
        many.of(*first[:4], *second[:3], 1.4, "higher", Scale.MEAN_DIFFERENCE)
    with pytest.raises(InputError, match=r"array of shape \(8,\)"):
        many.of(*first[:4], *second[:3], [0.1, 0.2], "higher", Scale.MEAN_DIFFERENCE)
    with pytest.raises(InputError, match="better"):
        many.of(*first[:4], *second, "more", Scale.MEAN_DIFFERENCE)
    with pytest.raises(InputError, match="given"):
        SecondaryConclusions(design, "stop")
    with pytest.raises(InputError, match="design"):
        SecondaryConclusions(0.05)


def study(design, drift, rho, trials, seed):
    """Second estimates of simulated trials, in standard errors from a true effect of 0, and the looks of the stops."""
    generator, times = np.random.default_rng(seed), np.array(design.information)
    gained = np.sqrt(np.diff(times, prepend=0.0))
    paths = np.cumsum(drift * gained**2 + gained * generator.standard_normal((trials, times.size)), axis=1)
    paths /= np.sqrt(times)
    look = design.decisions(paths).look
    z = paths[np.arange(trials), look - 1]
    y = rho * (z - drift * np.sqrt(times[look - 1])) + math.sqrt(1 - rho**2) * generator.standard_normal(trials)
    # a second estimate whose standard error falls as that of the first
    error = 1.0 / np.sqrt(times[look - 1])
    fractions = np.tile(times, (trials, 1))
    last = look == design.looks
    rest = "higher", Scale.MEAN_DIFFERENCE
    return SecondaryConclusions(design).of(fractions, look, z, last, y * error, error, math.inf, rho, *rest), y * error


@pytest.mark.parametrize("drift", [0.0, 2.0, 5.0])
@pytest.mark.parametrize("rho", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", STUDIED)
def test_levels_hold_for_whatever_effects(name, rho, drift):
    trials = 20_000
    found, _ = study(STUDIED[name], drift, rho, trials, seed=int(10 * (rho + drift)))
    error = 4.5 / math.sqrt(trials)
    covered = np.mean((found.lower <= 0) & (found.upper >= 0))
    assert abs(covered - 0.95) < 0.005 + 0.22 * error
    assert abs(np.mean(found.median_unbiased > 0) - 0.5) < 0.015 + 0.5 * error
    # exact
    covered = np.mean((found.conditional_lower <= 0) & (found.conditional_upper >= 0))
    assert abs(covered - 0.95) < 0.22 * error
    assert abs(np.mean(found.conditional > 0) - 0.5) < 0.5 * error
    assert abs(found.unbiased.mean()) < error * found.unbiased.std()


def test_bias_is_taken_away():
    design = STUDIED["Pocock, three looks"]
    found, observed = study(design, 3.0, 0.8, 100_000, seed=1)
    assert observed.mean() > 0.2
    assert abs(found.bias_adjusted.mean()) < 0.2 * observed.mean()
    assert abs(found.unbiased.mean()) < 4.5 * found.unbiased.std() / math.sqrt(100_000)
