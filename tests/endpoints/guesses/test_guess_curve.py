"""The correct-guess-rate curve: its ends and middle, the pseudo-trials it stands for, coverage, real data, refusals."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.special import stdtrit
from scipy.stats import ttest_ind

from equipoise import Scale
from equipoise.endpoints.guesses.bang import bang_index
from equipoise.endpoints.guesses.counts import answers_of, guess_table
from equipoise.endpoints.guesses.curve import CAUTION, correct_guess_rate_curve, curve_effects
from equipoise.endpoints.guesses.james import james_index
from equipoise.endpoints.guesses.strata import strata_of
from equipoise.errors import InputError, NotEstimable
from published_guesses import TABLES

SHARES = np.array([[0.5, 0.3, 0.2], [0.65, 0.2, 0.15]])
MEANS = np.array([[0.0, 3.0, 1.0], [5.0, 1.0, 2.0]])
SDS = np.array([[4.0, 4.0, 4.0], [4.0, 3.0, 5.0]])


def drawn(trials, sizes, seed=1):
    """(outcome, arm, guess) of many trials; strata with shares, means and standard deviations as above."""
    rng = np.random.default_rng(seed)
    arm = np.tile(np.repeat([0, 1], sizes), (trials, 1))
    uniform, shares = rng.uniform(size=arm.shape), SHARES[arm]
    kind = (uniform > shares[..., 0]).astype(int) + (uniform > shares[..., 0] + shares[..., 1])
    guess = np.where(kind == 0, arm, np.where(kind == 1, 1 - arm, -1)).astype(float)
    return MEANS[arm, kind] + SDS[arm, kind] * rng.standard_normal(arm.shape), arm, guess


def truth(rate, sizes):
    """The curve of the population."""
    right, wrong = (float((np.array(sizes) * SHARES[:, kind]).sum()) for kind in (0, 1))
    up, down = SHARES[:, 0] * rate * wrong, SHARES[:, 1] * (1 - rate) * right
    correct = up / (up + down)
    named = correct * MEANS[:, 0] + (1 - correct) * MEANS[:, 1]
    arms = SHARES[:, 2] * MEANS[:, 2] + (1 - SHARES[:, 2]) * named
    return arms[1] - arms[0]


def one(seed=1, sizes=(40, 50)):
    outcome, arm, guess = drawn(1, sizes, seed)
    return outcome[0], arm[0], guess[0]


@pytest.mark.parametrize("seed", range(5))
def test_at_the_observed_rate_it_is_the_difference_of_means(seed):
    outcome, arm, guess = one(seed)
    outcome[::9] = np.nan
    guess[::7] = np.nan
    curve = correct_guess_rate_curve(outcome, arm, guess)
    seen = ~np.isnan(outcome) & ~np.isnan(guess)
    theirs = ttest_ind(outcome[seen & (arm == 1)], outcome[seen & (arm == 0)], equal_var=False)
    assert curve.at(curve.observed_rate).effect == pytest.approx(curve.unadjusted.effect, abs=1e-12)
    assert curve.unadjusted.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert curve.unadjusted.degrees_of_freedom == pytest.approx(theirs.df, rel=1e-12)
    assert curve.observed_rate == (guess == arm)[seen].sum() / (guess >= 0)[seen].sum()


def test_its_ends_are_the_strata():
    """Without "don't know": at 1 those who guessed right alone, at 0 those who guessed wrong, with Welch's error."""
    outcome, arm, guess = one(2)
    guess = np.where(guess < 0, 1 - arm, guess)
    curve = correct_guess_rate_curve(outcome, arm, guess)
    for rate, right in ((1.0, True), (0.0, False)):
        part = (guess == arm) == right
        theirs = ttest_ind(outcome[part & (arm == 1)], outcome[part & (arm == 0)], equal_var=False)
        assert curve.at(rate).statistic == pytest.approx(theirs.statistic, rel=1e-10)
        assert curve.at(rate).degrees_of_freedom == pytest.approx(theirs.df, rel=1e-10)


def test_guesses_that_do_not_matter_leave_it_flat():
    outcome, arm, guess = one(3)
    curve = correct_guess_rate_curve(outcome, arm, guess)
    centred = outcome.copy()
    for row in (0, 1):
        for kind in (arm == guess, (guess >= 0) & (guess != arm), guess < 0):
            part = (arm == row) & kind
            centred[part] -= outcome[part].mean() - 2.0 * row
    flat = correct_guess_rate_curve(centred, arm, guess)
    np.testing.assert_allclose([one.effect for one in flat.estimates], 2.0, atol=1e-12)
    assert np.ptp([one.effect for one in curve.estimates]) > 1


def test_exchange_of_the_arms_changes_the_sign():
    outcome, arm, guess = one(4)
    curve = correct_guess_rate_curve(outcome, arm, guess)
    other = correct_guess_rate_curve(outcome, 1 - arm, np.where(guess < 0, guess, 1 - guess))
    for rate in (0.0, 0.3, 0.5, 1.0):
        assert curve.at(rate).effect == pytest.approx(-other.at(rate).effect, abs=1e-12)
        assert curve.at(rate).standard_error == pytest.approx(other.at(rate).standard_error, rel=1e-12)


@pytest.mark.parametrize("rate", [0.3, 0.5, 0.8])
def test_pseudo_trials_from_kernel_densities_average_to_it(rate):
    """As Szigeti et al. 2023: strata of the asked make-up, drawn from Gaussian kernel densities of width 1."""
    outcome, arm, guess = one(5)
    named = guess >= 0
    outcome, arm, guess = outcome[named], arm[named], guess[named]
    curve = correct_guess_rate_curve(outcome, arm, guess)
    rng, size = np.random.default_rng(6), 10_000
    right = guess == arm
    sums, counts = np.zeros((200, 2)), np.zeros(2)
    for correct, share in ((True, rate), (False, 1 - rate)):
        kind = right == correct
        for row in (0, 1):
            held = outcome[kind & (arm == row)]
            number = round(size * share * len(held) / kind.sum())
            picked = held[rng.integers(len(held), size=(200, number))] + rng.standard_normal((200, number))
            sums[:, row] += picked.sum(axis=1)
            counts[row] += number
    differences = sums[:, 1] / counts[1] - sums[:, 0] / counts[0]
    error = differences.std() / np.sqrt(len(differences))
    assert curve.at(rate).effect == pytest.approx(differences.mean(), abs=4 * error + 1e-3)


@pytest.mark.parametrize("sizes", [(40, 40), (120, 80)])
def test_coverage(sizes):
    outcome, arm, guess = drawn(6000, sizes, 7)
    rates = np.array([0.0, 0.3, 0.5, 0.8, 1.0])
    effect, error, freedom, failures = curve_effects(strata_of(outcome, arm, guess), rates)
    kept = np.setdiff1d(np.arange(6000), [place[0] for place in failures])
    for column, rate in enumerate(rates):
        found, half = effect[kept, column], stdtrit(freedom[kept, column], 0.975) * error[kept, column]
        covered = (np.abs(found - truth(rate, sizes)) <= half).mean()
        assert abs(covered - 0.95) < 0.012
        assert np.sqrt((error[kept, column] ** 2).mean()) == pytest.approx(found.std(), rel=0.05)
        assert found.mean() == pytest.approx(truth(rate, sizes), abs=0.08)


def test_many_trials_at_once():
    outcome, arm, guess = drawn(80, (9, 11), 8)
    arm[:, -2:] = -1
    outcome[np.random.default_rng(9).uniform(size=outcome.shape) < 0.1] = np.nan
    rates = (0.0, 0.25, 0.5, 1.0)
    effect, error, freedom, failures = curve_effects(strata_of(outcome, arm, guess), rates)
    assert failures
    for trial in range(80):
        here = arm[trial] >= 0
        call = (outcome[trial, here], arm[trial, here], guess[trial, here])
        if (trial,) in failures:
            assert np.isnan(effect[trial]).all()
            with pytest.raises(NotEstimable) as raised:
                correct_guess_rate_curve(*call)
            assert str(raised.value) == failures[trial,]
            continue
        curve = correct_guess_rate_curve(*call, rates=rates)
        for column, found in enumerate(curve.estimates):
            assert found.effect == pytest.approx(effect[trial, column], abs=1e-12)
            assert found.standard_error == pytest.approx(error[trial, column], rel=1e-12)
            assert found.degrees_of_freedom == pytest.approx(freedom[trial, column], rel=1e-12)


def test_one_patient_alone_in_a_stratum_has_the_spread_of_the_others():
    outcome, arm, guess = (
        np.array([1.0, 2, 4, 9, 1, 3, 4, 2]),
        np.repeat([0, 1], 4),
        np.array([0.0, 0, 0, 1, 1, 1, 0, 0]),
    )
    curve = correct_guess_rate_curve(outcome, arm, guess)
    assert np.isfinite(curve.at(0.5).standard_error)
    assert curve.at(0.5).degrees_of_freedom > 1


def test_more_than_two_arms():
    """A guess of any arm but her own is wrong; the curve compares two arms."""
    outcome, arm, guess = one(10)
    third = np.full(20, 2)
    whole = correct_guess_rate_curve(
        np.concatenate([outcome, np.arange(20.0)]),
        np.concatenate([arm, third]),
        np.concatenate([np.where((guess == 0) & (arm == 1), 2, guess), np.tile([2.0, 0.0], 10)]),
    )
    assert whole.at(0.5).effect == pytest.approx(correct_guess_rate_curve(outcome, arm, guess).at(0.5).effect)
    other = correct_guess_rate_curve(
        np.concatenate([outcome, np.arange(20.0)]),
        np.concatenate([arm, third]),
        np.concatenate([guess, np.tile([2.0, 0.0], 10)]),
        experimental=2,
    )
    assert other.strata.size[1].tolist() == [10, 10, 0]


def test_what_is_shown():
    outcome, arm, guess = one(11)
    curve = correct_guess_rate_curve(outcome, arm, guess, better="lower", label="CAPS-5")
    assert str(curve).splitlines()[-1] == CAUTION
    assert str(curve).splitlines()[1].split() == ["rate", "effect", "SE", "95%", "interval"]
    assert curve.to_frame().shape == (21, 6)
    plain = curve.to_dict()
    assert plain["caution"] == CAUTION
    assert len(plain["strata"]) == 6
    assert curve.at(0.5).better == "lower"
    assert curve.at(0.5).label == "CAPS-5"
    assert len(curve.plot().axes) == 1
    yes = correct_guess_rate_curve((outcome > 1).astype(float), arm, guess, scale=Scale.RISK_DIFFERENCE, rates=[0.5])
    assert yes.estimates[0].scale is Scale.RISK_DIFFERENCE


def test_refusals():
    outcome, arm, guess = one(12)
    curve = correct_guess_rate_curve(outcome, arm, guess)
    for call, field in (
        (lambda: correct_guess_rate_curve(outcome[1:], arm, guess), "outcome, arm, guess"),
        (lambda: correct_guess_rate_curve(outcome[None], arm[None], guess[None]), "outcome"),
        (lambda: correct_guess_rate_curve(outcome, arm, guess, rates=[0.5, 1.2]), "rates"),
        (lambda: correct_guess_rate_curve(outcome, arm, guess, rates=[]), "rates"),
        (lambda: correct_guess_rate_curve(outcome, arm, guess, level=1.0), "level"),
        (lambda: curve.at(-0.1), "rate"),
        (lambda: correct_guess_rate_curve(["a"], [0], [0]), "outcome"),
    ):
        with pytest.raises(InputError, match=rf"^{field} is .*; expected "):
            call()
    with pytest.raises(NotEstimable, match="in the experimental arm guessed wrong"):
        correct_guess_rate_curve(outcome, arm, np.where(arm == 1, 1, guess))
    with pytest.raises(NotEstimable, match="in the control arm guessed right"):
        correct_guess_rate_curve(outcome, arm, np.where((arm == 0) & (guess == 0), np.nan, guess))
    with pytest.raises(NotEstimable, match="one patient at most"):
        correct_guess_rate_curve([1.0, 2, 3, 4, 5, 6], [0, 0, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1])
    with pytest.raises(NotEstimable, match="does not vary"):
        correct_guess_rate_curve([1.0] * 8, [0] * 4 + [1] * 4, [0, 1] * 4).at(0.5)


def test_the_self_blinding_microdose_trial():
    """The file read anew gives the counts, and a curve that says what hangs on the guesses."""
    folder = os.environ.get("EQUIPOISE_SHARED")
    if not folder:
        pytest.skip("EQUIPOISE_SHARED does not name a folder with this data set")
    data = pl.read_csv(Path(folder) / "data/selfblinding_microdose_guesses/sbmd__trial_data.csv")
    code = {"PL": 0.0, "AC": 1.0}

    def columns(frame):
        return (np.array([code[name] for name in frame[column]]) for column in ("condition", "guess"))

    table, missing = guess_table(*columns(data.unique(["subject_id", "tp"])), 2)
    assert table.tolist() == TABLES[2]["table"]
    assert not missing.any()
    assert [round(bang_index(*answers).index, 2) for answers in answers_of(table)] == [0.21, 0.26]
    assert round(james_index(table).index, 2) == 0.38
    mood = data.filter(pl.col("scale") == "mood")
    arm, guess = columns(mood)
    curve = correct_guess_rate_curve(mood["delta_score"].to_numpy(), arm, guess)
    means = mood.group_by("condition").agg(pl.col("delta_score").mean())
    by_arm = dict(zip(means["condition"], means["delta_score"], strict=True))
    assert curve.at(curve.observed_rate).effect == pytest.approx(by_arm["AC"] - by_arm["PL"], abs=1e-12)
    assert curve.unadjusted.p_value < 0.05
    assert 0 < curve.at(0.5).effect < curve.unadjusted.effect
    assert curve.at(0.5).p_value > 0.05
