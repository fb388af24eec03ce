"""Guesses of the arm by patients and raters: how they differ between arms, blinding indices, the effect at other rates
of correct guesses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, NotEstimable
from ..estimate import Better, Estimate, Interval, Scale
from ..wording import arm_label, arm_text, counted, listed, measure_label, measure_text, reason, visit_text
from .against_control import compared_arms
from .batch import BatchEstimates
from .binary.comparisons import compared
from .binary.proportions import risk_difference
from .guesses.bang import BangIndex, bang_index
from .guesses.counts import answers_of, guess_table, with_missing
from .guesses.curve import GuessRateCurve, correct_guess_rate_curve
from .guesses.james import JamesIndex, james_index
from .guesses.result import ArmGuesses, BlindingResult, GuessResult
from .guesses.tables import curve_table, guesses_table, indices_table
from .planning.law import EndpointPlan, Law
from .results import Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import BlindingEndpoint, Protocol
    from ..trial_batch import TrialBatch

    Array = NDArray[np.float64]

__all__ = ["analysed", "batch", "describe", "estimate", "measured_on", "plan", "primary", "seen"]


def _guess(data: TrialData | TrialBatch, name: str) -> Array:
    """The arm guessed, -1 for none named, NaN where not recorded or without a patient, shape (..., patients)."""
    return np.where(data.arm < 0, np.nan, data.measure(name).value)


def measured_on(endpoint: BlindingEndpoint, protocol: Protocol) -> tuple[Scale, Better]:
    """A difference of shares, positive where arms are told apart."""
    return Scale.RISK_DIFFERENCE, "higher"


def analysed(endpoint: BlindingEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who enters the analysis: patients of whom a guess was recorded; shape (..., patients)."""
    return np.any([~np.isnan(_guess(data, name)) for name in endpoint.guesses], axis=0)


def seen(endpoint: BlindingEndpoint, protocol: Protocol, data: TrialData | TrialBatch) -> NDArray[np.bool_]:
    """Who was asked and answered; shape (..., patients)."""
    return analysed(endpoint, protocol, data)


def _named(guess: Array, arm: NDArray[np.intp], at: int) -> tuple[Array, Array, Array, Array]:
    """How many in an arm, and in control, guess that arm, of how many answers: two by two counts, shape (...)."""
    known = ~np.isnan(guess)
    cells = []
    for member in (at, 0):
        own = known & (arm == member)
        cells += [(own & (guess == at)).sum(axis=-1).astype(float), own.sum(axis=-1).astype(float)]
    return cells[0], cells[1], cells[2], cells[3]


def _why_not(table: tuple[Array, ...], row: int, name: str, arms: tuple[str, str]) -> InputError:
    """Why guesses do not tell a difference between arms."""
    events1, total1, events2, total2 = (int(part[row]) for part in table)
    for total, arm in ((total1, arms[0]), (total2, arms[1])):
        if not total:
            return InputError(f"answers to {name} in arm {arm}", 0, "at least one")
    given = f"{events1 + events2} of {total1 + total2}"
    return InputError(f"guesses of {arms[0]} ({name})", given, "some but not all answers")


def _differences(
    name: str, data: TrialData | TrialBatch, guess: Array, at: int
) -> tuple[Array, Array, dict[int, InputError]]:
    """Difference of the shares that guess an arm, there and in control, of many trials (trials, patients)."""
    table = _named(guess, np.asarray(data.arm).reshape(guess.shape), at)
    effect, error, failures = compared(table, "score")
    names = (data.arm_names[at], data.arm_names[0])
    return effect, error, {row: _why_not(table, row, name, names) for row in failures}


def _difference(endpoint: BlindingEndpoint, protocol: Protocol, name: str, data: TrialData, at: int) -> Estimate:
    effect, error, failures = _differences(name, data, _guess(data, name)[None], at)
    if failures:
        raise failures[0]
    scale, better = measured_on(endpoint, protocol)
    return Estimate(float(effect[0]), float(error[0]), scale=scale, better=better, label=endpoint.title)


def primary(endpoint: BlindingEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """Share that guesses the experimental arm, there minus in control: 0 in a blind trial; of the first kind of guess.

    With the score test's standard error, and positive where arms are told apart. Those who do not know guess no arm;
    those without an answer are left out.
    """
    return _difference(endpoint, protocol, endpoint.guesses[0], data, 1), ()


def batch(endpoint: BlindingEndpoint, protocol: Protocol, trials: TrialBatch) -> BatchEstimates:
    """`primary` of many trials."""
    name = endpoint.guesses[0]
    effect, error, failures = _differences(name, trials, _guess(trials, name), 1)
    return BatchEstimates.of(effect, error, failures={row: str(why) for row, why in failures.items()})


def estimate(endpoint: BlindingEndpoint, protocol: Protocol, data: TrialData) -> BlindingResult:
    """The whole result: guesses by arm, Bang's and James's indices, correct-guess-rate curves where asked for.

    Comparisons are those of the first kind of guess: of every experimental arm the share that guesses it, there minus
    in control, with Newcombe's interval.
    """
    level, first = protocol.confidence_level, endpoint.guesses[0]

    def one(at: int) -> tuple[Estimate, Interval]:
        found = _difference(endpoint, protocol, first, data, at)
        events1, total1, events2, total2 = (int(count) for count in _named(_guess(data, first), data.arm, at))
        return found, risk_difference(events1, total1, events2, total2, level).interval

    comparisons, notes = compared_arms(protocol, data, protocol.measure(first).visit, one)
    kept = analysed(endpoint, protocol, data)
    if not kept.any():
        raise InputError(f"answers to {listed(endpoint.guesses)}", 0, "at least one")
    guesses = tuple(_guesses(endpoint, protocol, data, name, level, notes) for name in endpoint.guesses)
    labels = [arm_label(protocol, name) for name in data.arm_names]
    titles = [measure_label(protocol, name) for name in endpoint.guesses]
    tables = [guesses_table(guesses, labels, titles), indices_table(guesses, labels, titles)]
    for guess in guesses:
        if guess.curves:
            who = measure_text(protocol, guess.measure)
            title = f"Effect on {_outcome_text(endpoint, protocol)} by the rate of correct guesses ({who})"
            tables.append(curve_table({arm_label(protocol, arm): one for arm, one in guess.curves.items()}, title))
    return BlindingResult(
        name=endpoint.name,
        label=endpoint.title,
        kind=endpoint.type,
        comparisons=comparisons,
        patients=int(kept.sum()),
        notes=tuple(notes),
        tables=tuple(tables),
        interval_name="Newcombe",
        guesses=guesses,
    )


def _guesses(
    endpoint: BlindingEndpoint, protocol: Protocol, data: TrialData, name: str, level: float, notes: list[str]
) -> GuessResult:
    guess = _guess(data, name)
    table, missing = guess_table(data.arm, guess, len(data.arm_names))
    filled, size = with_missing(table, missing), len(data.arm_names)
    if missing.sum():
        notes.append(
            f"{measure_label(protocol, name)}: {counted(int(missing.sum()), 'patient')} without an answer left out"
        )
    arms = tuple(
        ArmGuesses(
            arm,
            tuple(int(count) for count in table[at, :size]),
            int(table[at, size]),
            int(missing[at]),
            _bang(answers_of(table)[at], level, size),
            _bang(answers_of(filled)[at], level, size),
        )
        for at, arm in enumerate(data.arm_names)
    )
    curves = {}
    for at, arm in enumerate(data.arm_names[1:], start=1):
        if endpoint.visit:
            try:
                curves[arm] = _curve(endpoint, protocol, data, guess, at, level)
            except NotEstimable as error:
                notes.append(f"{arm}: no curve by the rate of correct guesses ({name}); {reason(str(error))}")
    return GuessResult(name, protocol.measure(name).by, arms, _james(table, level), _james(filled, level), curves)


def _bang(answers: Array, level: float, arms: int) -> BangIndex | None:
    return bang_index(*(int(count) for count in answers), level=level, arms=arms) if answers.sum() else None


def _james(table: Array, level: float) -> JamesIndex | None:
    try:
        return james_index(table, level)
    except NotEstimable:
        return None


def _curve(
    endpoint: BlindingEndpoint, protocol: Protocol, data: TrialData, guess: Array, at: int, level: float
) -> GuessRateCurve:
    """Of the score at the visit, or its change from baseline, as the protocol analyses it."""
    outcome = data.at(endpoint.visit)
    if protocol.analysis.outcome == "change":
        outcome = outcome - data.baseline
    return correct_guess_rate_curve(
        outcome, data.arm, guess, experimental=at, level=level, better=protocol.scale.better, label=protocol.scale_name
    )


def _outcome_text(endpoint: BlindingEndpoint, protocol: Protocol) -> str:
    change = "the change from baseline in " if protocol.analysis.outcome == "change" else ""
    return f"{change}{protocol.scale_name} at {visit_text(protocol, endpoint.visit)}"


def plan(endpoint: BlindingEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Difference of the shares that guess the experimental arm under a scenario, and their binomial variances over the
    share of patients seen at the visit of the guess.
    """
    name = endpoint.guesses[0]
    at = protocol.visit_names.index(protocol.measure(name).visit)
    shares, seen = [], []
    for arm in law.arms[:2]:
        truth = arm.measures.get(name)
        if truth is None or truth.guesses_experimental is None:
            raise InputError(f"measures.{name}", None, "'guesses_experimental' in each arm of the scenario, to plan by")
        share = float(truth.guesses_experimental)
        shares.append(share)
        seen.append(float(arm.seen[at]))
    if sum(share * (1 - share) for share in shares) < 1e-12:
        raise InputError(f"measures.{name}", shares, "guesses of the experimental arm by some but not all patients")
    return EndpointPlan.of_risks(shares, seen, protocol.shares(), measured_on(endpoint, protocol)[1])


_BANG = "Bang H, Ni L, Davis CE. Assessment of blinding in clinical trials. Control Clin Trials 2004;25:143-156."
_JAMES = (
    "James KE, Bloch DA, Lee KK, Kraemer HC, Fuller RK. An index for assessing blindness in a multi-centre clinical"
    " trial. Stat Med 1996;15:1421-1434."
)
_NEWCOMBE = (
    "Newcombe RG. Interval estimation for the difference between independent proportions. Stat Med 1998;17:873-890."
)
_CURVE = (
    "Szigeti B, Nutt D, Carhart-Harris R, Erritzoe D. The difference between 'placebo group' and 'placebo control'."
    " Scientific Reports 2023;13:12107."
)


def describe(endpoint: BlindingEndpoint, protocol: Protocol) -> Description:
    """The analysis of guesses in words."""
    who = listed([measure_text(protocol, name) for name in endpoint.guesses])
    arm = arm_text(protocol, protocol.arm_names[1])
    method = (
        f"Guesses of the arm ({who}) by arm, with Bang's index of each arm and James's of the trial; patients without"
        " an answer are left out, and counted as not knowing in a second computation. The effect is the share that"
        f" guesses {arm}, there minus in control, with the standard error of the score test: 0 in a blind trial."
    )
    references = [_BANG, _JAMES, _NEWCOMBE]
    assumptions = ["Patients without an answer would guess as those with one in their arm."]
    if endpoint.visit:
        method += (
            f" The difference of means of {_outcome_text(endpoint, protocol)} is shown at other rates of correct"
            " guesses by giving those who guessed right and wrong other weights (correct-guess-rate curve)."
        )
        references.append(_CURVE)
        assumptions.append(
            "The curve takes outcomes among those who guess right, or wrong, as they are whatever the rate; a guess"
            " that comes from the outcome itself makes it misleading."
        )
    return Description(
        method,
        "from a comparison of guesses",
        f"guesses of {arm}",
        tuple(assumptions),
        tuple(references),
        unseen="they are left out, as if they would guess like the others of their arm",
        test="score test",
        wins="was told apart from",
        loses="was guessed less often with it than with",
    )
