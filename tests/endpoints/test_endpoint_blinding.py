"""The blinding endpoint: by its mathematics, in batch, planned, as a primary, in words, with what may be missing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from equipoise import InputError, Scale, endpoints, plan, run
from equipoise.data import Measured
from equipoise.endpoints.binary.proportions import risk_difference
from equipoise.endpoints.guesses.bang import bang_index
from equipoise.endpoints.guesses.curve import CAUTION, correct_guess_rate_curve
from equipoise.endpoints.guesses.james import james_index
from equipoise.patients import Draws, Truth
from equipoise.simulation import virtual_trial
from equipoise.trial_batch import TrialBatch
from protocols import with_measures

GUESSES = ["own-guess", "rater-guess"]
ENDPOINT = {"name": "blinding", "type": "blinding", "role": "secondary", "guesses": GUESSES, "visit": "week2"}
PROTOCOL = with_measures([ENDPOINT])
BLINDING = PROTOCOL.endpoints[-1]
CONTROL, EXPERIMENTAL = PROTOCOL.arm_names[:2]


def trial(number=0, patients=60, scenario="later-trials", protocol=PROTOCOL):
    return virtual_trial(protocol, Truth.of(protocol, scenario), Draws.of(3, scenario, [number]), patients)


def with_guesses(data, values, name="own-guess"):
    """The same trial with other guesses."""
    return replace(data, measures=dict(data.measures) | {name: Measured(np.array(values, dtype=float))})


def counts(data, name="own-guess"):
    """Arms by answers: control, experimental, don't know."""
    guess = data.measure(name).value
    return np.array([[((data.arm == arm) & (guess == value)).sum() for value in (0, 1, -1)] for arm in (0, 1)])


@pytest.mark.parametrize("number", range(4))
def test_whole_result_by_its_mathematics(number):
    data = trial(number)
    result = endpoints.estimate(BLINDING, PROTOCOL, data)
    table = counts(data)
    difference = risk_difference(
        *(int(count) for count in (table[1, 1], table[1].sum(), table[0, 1], table[0].sum())),
        level=PROTOCOL.confidence_level,
    )
    (comparison,) = result.comparisons
    assert comparison.arm == EXPERIMENTAL
    assert comparison.visit == "week2"
    assert comparison.estimate == difference.score_estimate("higher", "blinding")
    assert comparison.estimate.scale is Scale.RISK_DIFFERENCE
    assert comparison.interval == difference.interval
    assert endpoints.primary_estimate(BLINDING, PROTOCOL, data) == comparison.estimate
    for guess, name in zip(result.guesses, GUESSES, strict=True):
        table, level = counts(data, name), PROTOCOL.confidence_level
        assert guess.measure == name
        assert guess.by == ("patient" if name == "own-guess" else "rater")
        assert guess.james == james_index(table, level)
        assert guess.arms[0].bang == bang_index(*table[0], level=level)
        assert guess.arms[1].bang == bang_index(table[1, 1], table[1, 0], table[1, 2], level=level)
        assert [[*arm.guessed, arm.dont_know] for arm in guess.arms] == table.tolist()
        missing = [int((np.isnan(data.measure(name).value) & (data.arm == arm)).sum()) for arm in (0, 1)]
        assert [arm.missing for arm in guess.arms] == missing
        filled = table + np.array([[0, 0, missing[0]], [0, 0, missing[1]]])
        assert guess.james_with_missing == james_index(filled, level)
        outcome = data.at("week2") - data.baseline
        curve = correct_guess_rate_curve(outcome, data.arm, data.measure(name).value, better="lower")
        ours = guess.curves[EXPERIMENTAL]
        for rate in (0.0, 0.5, 1.0):
            assert ours.at(rate).effect == curve.at(rate).effect
            assert ours.at(rate).standard_error == curve.at(rate).standard_error
        assert ours.better == "lower"
    assert result.patients == endpoints.analysed(BLINDING, PROTOCOL, data).sum()


def random_trials(number):
    """Trials of all sizes, with missing guesses, empty arms, and guesses that are all alike."""
    rng = np.random.default_rng(number)
    found = []
    for at in range(number):
        data = trial(at, patients=int(rng.integers(2, 25)))
        guess = data.measure("own-guess").value.copy()
        guess[rng.uniform(size=len(guess)) < 0.2] = np.nan
        kind = at % 8
        if kind == 1:
            guess[data.arm == rng.integers(2)] = np.nan
        elif kind == 2:
            guess[~np.isnan(guess)] = rng.choice([0.0, 1.0, -1.0])
        elif kind == 3:
            guess[:] = np.nan
        elif kind == 4:
            guess[~np.isnan(guess)] = data.arm[~np.isnan(guess)]
        found.append(with_guesses(data, guess))
    return found


def test_batch_is_the_primary_of_each():
    trials = random_trials(160)
    found = endpoints.batch(BLINDING, PROTOCOL, TrialBatch.of(trials))
    for at, data in enumerate(trials):
        if at in found.failures:
            assert np.isnan([found.effect[at], found.standard_error[at]]).all()
            with pytest.raises(InputError) as raised:
                endpoints.primary(BLINDING, PROTOCOL, data)
            assert str(raised.value) == found.failures[at]
        else:
            one = endpoints.primary_estimate(BLINDING, PROTOCOL, data)
            assert one.effect == pytest.approx(found.effect[at], abs=1e-14)
            assert one.standard_error == pytest.approx(found.standard_error[at], rel=1e-14)
    assert 20 < len(found.failures) < 120
    assert any("answers to own-guess in arm" in reason for reason in found.failures.values())
    assert any("some but not all" in reason for reason in found.failures.values())


def test_every_random_trial_has_a_result_or_a_reason():
    for data in random_trials(60):
        try:
            result = endpoints.estimate(BLINDING, PROTOCOL, data)
        except InputError as error:
            refused = str(error)
        else:
            assert result.to_dict()["guesses"][0]["measure"] == "own-guess"
            assert len(result.tables) >= 2
            assert result.comparisons or result.notes
            continue
        assert "expected at least one" in refused


def test_variances_of_the_plan_against_virtual_trials():
    law, patients = Truth.of(PROTOCOL, "later-trials"), 80
    promised = endpoints.plan(BLINDING, PROTOCOL, law)
    assert promised.effect == pytest.approx(0.3)
    assert promised.better == "higher"
    sizes = TrialBatch.of([trial(at, patients) for at in range(600)])
    found = endpoints.batch(BLINDING, PROTOCOL, sizes)
    assert not found.failures
    members = [(sizes.arm == arm).sum(axis=1).mean() for arm in (0, 1)]
    error = np.sqrt(sum(variance / size for variance, size in zip(promised.variances, members, strict=True)))
    assert found.effect.std() == pytest.approx(error, rel=0.08)
    assert found.effect.mean() == pytest.approx(0.3, abs=4 * error / np.sqrt(600))
    # the score test's is the one without a difference
    assert found.standard_error.mean() == pytest.approx(error, rel=0.08)


def test_no_difference_is_rejected_as_often_as_it_should():
    rng = np.random.default_rng(5)
    base = TrialBatch.of([trial(at, 60) for at in range(500)])
    guess = rng.choice([0.0, 1.0, -1.0], size=base.arm.shape, p=[0.3, 0.5, 0.2])
    found = endpoints.batch(BLINDING, PROTOCOL, replace(base, measures={"own-guess": Measured(guess)}))
    rate = (np.abs(found.effect / found.standard_error) > 1.959963984540054).mean()
    assert abs(rate - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 500)


def test_as_a_primary_it_is_planned_and_run():
    protocol = with_measures([ENDPOINT | {"role": "primary"}])
    promised = plan(protocol)
    assert promised.effect == pytest.approx(0.3)
    assert promised.patients > 20
    result = run(protocol, "later-trials", seed=2)
    assert result.conclusion.observed.scale is Scale.RISK_DIFFERENCE
    assert str(result)


def test_what_is_shown():
    data = trial(1)
    result = endpoints.estimate(BLINDING, PROTOCOL, data)
    answers, indices, own, rater = result.tables
    assert [column.name for column in answers.columns] == [
        "Guess",
        "Arm",
        *(f"Guess {arm.label}" for arm in sorted(PROTOCOL.arms, key=lambda arm: PROTOCOL.arm_names.index(arm.name))),
        "Do not know",
        "No answer",
    ]
    assert len(answers.rows) == 4
    assert [row[1] for row in indices.rows][2::3] == ["James", "James"]
    assert "0 as by chance" in indices.note
    assert own.note == rater.note == CAUTION
    assert sum("(observed)" in str(row[1]) for row in own.rows) == 1
    assert len(own.rows) == 6
    described = endpoints.describe(BLINDING, PROTOCOL)
    assert "Bang" in described.method
    assert len(described.references) == 4
    without = with_measures([ENDPOINT | {"visit": ""}])
    plain = endpoints.estimate(without.endpoints[-1], without, data)
    assert len(plain.tables) == 2
    assert not plain.guesses[0].curves
    assert len(endpoints.describe(without.endpoints[-1], without).references) == 3


def test_missing_answers_are_counted_and_told():
    data = trial(2)
    guess = data.measure("own-guess").value.copy()
    guess[:7] = np.nan
    before = int(np.isnan(data.measure("own-guess").value[7:]).sum())
    result = endpoints.estimate(BLINDING, PROTOCOL, with_guesses(data, guess))
    assert any(f"{before + 7} patients without an answer left out" in note for note in result.notes)
    indices = result.tables[1]
    assert indices.columns[-1].name == "Value, no answer as do not know"
    assert result.guesses[0].arms[0].bang_with_missing != result.guesses[0].arms[0].bang


def test_what_cannot_be_told():
    data = trial(3)
    nobody = np.full(len(data), np.nan)
    with pytest.raises(InputError, match="answers to own-guess in arm"):
        endpoints.primary(BLINDING, PROTOCOL, with_guesses(data, nobody))
    only_rater = endpoints.estimate(BLINDING, PROTOCOL, with_guesses(data, nobody))
    assert not only_rater.comparisons
    assert only_rater.guesses[0].james is None
    assert only_rater.guesses[1].james is not None
    both = with_guesses(with_guesses(data, nobody), nobody, "rater-guess")
    with pytest.raises(InputError, match="answers to own-guess and rater-guess is 0; expected at least one"):
        endpoints.estimate(BLINDING, PROTOCOL, both)
    with pytest.raises(InputError, match="a measure in the data"):
        endpoints.estimate(BLINDING, PROTOCOL, replace(data, measures={}))
    unsure = endpoints.estimate(BLINDING, PROTOCOL, with_guesses(data, np.full(len(data), -1.0)))
    assert unsure.guesses[0].james.index == 1.0
    assert [arm.bang.index for arm in unsure.guesses[0].arms] == [0.0, 0.0]
    assert any("not compared" in note for note in unsure.notes)
    certain = endpoints.estimate(BLINDING, PROTOCOL, with_guesses(data, data.arm))
    assert certain.guesses[0].james.index == 0.0
    assert certain.comparisons[0].estimate.effect == 1.0
    assert any("guessed wrong: the curve has no such patients" in note for note in certain.notes)


def test_a_plan_needs_the_guesses_of_the_scenario():
    arms = [SimpleNamespace(measures={}, seen=np.ones(9)) for _ in range(2)]
    with pytest.raises(InputError, match="guesses_experimental"):
        endpoints.plan(BLINDING, PROTOCOL, SimpleNamespace(arms=arms))
    certain = SimpleNamespace(guesses_experimental=1.0)
    arms = [SimpleNamespace(measures={"own-guess": certain}, seen=np.ones(9)) for _ in range(2)]
    with pytest.raises(InputError, match="some but not all patients"):
        endpoints.plan(BLINDING, PROTOCOL, SimpleNamespace(arms=arms))
