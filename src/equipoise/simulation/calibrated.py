"""An estimate corrected for the stopping rule by simulation: for endpoints that no formula covers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .. import __version__
from ..checks import choice, confidence_level, instance, numbers, whole
from ..errors import InputError, NotEstimable
from ..estimate import Estimate, Interval
from ..plain import plain
from ..sequential import Decision
from ..wording import clean, counted
from .calibration_curve import CalibrationCurve, Target
from .calibration_search import Search
from .calibration_trials import FEWEST, Sample, Sampler
from .engines import Engine, engine_named
from .rows import MOST_KEPT

if TYPE_CHECKING:
    from ..endpoints import EndpointResult
    from ..trial import TrialResult

__all__ = ["CalibratedEstimate", "CalibrationOrdering", "CalibrationPoint", "Given", "calibrate"]

Given = Literal["all", "look", "exit"]
CalibrationOrdering = Literal["estimate", "studentised"]
_FEWEST_TRIALS = 1000


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """One truth that was tried.

    Attributes
    ----------
    multiple
        Of the scenario's effect.
    truth
        The endpoint's effect there, on its scale (ratios as natural logarithms).
    trials
        Virtual trials compared with the observed one: those that `given` leaves, with an estimate.
    above, tied
        Those of them above the observed estimate in the ordering, and those with the same.
    """

    multiple: float
    truth: float
    trials: int
    above: int
    tied: int

    @property
    def probability(self) -> float:
        """Of more than was observed, the same counted as half; NaN where there is no trial."""
        return (self.above + 0.5 * self.tied) / self.trials if self.trials else math.nan

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        names = ("multiple", "truth", "trials", "above", "tied", "probability")
        return plain({name: getattr(self, name) for name in names})


@dataclass(frozen=True, repr=False)
class CalibratedEstimate:
    """A median-unbiased estimate and an interval found by simulating the trial's own stopping rule.

    Effects are on the scale of the endpoint (ratios as natural logarithms).

    Attributes
    ----------
    endpoint, label
        The protocol's name of the endpoint, and its label for people.
    observed
        What the trial gave.
    effect
        The truth under which lower and higher estimates than the observed one are as likely.
    interval
        The truths under which neither a lower nor a higher estimate would have been surprising; a limit that no truth
        tried reaches is where the scale ends.
    effect_error, lower_error, upper_error
        Monte-Carlo standard errors of the three; NaN of a limit that no truth tried reaches.
    given
        What trials the observed one was compared with: "all", those that end at its "look", or that "exit" as it did.
    ordering
        By what: the "estimate", or its "studentised" distance from the truth.
    look, decision
        Where and how the trial ended.
    scenario, trials, seed
        Whose patients were drawn, how many trials at every truth, and what the random numbers are found from.
    points
        The truths tried, by multiple of the scenario's effect.
    simulated_truths
        Whether truths are the mean estimates of virtual trials with one look, as the scenario does not tell them.
    notes
        What else a reader has to know.
    """

    endpoint: str
    label: str
    observed: Estimate
    effect: float
    interval: Interval
    effect_error: float
    lower_error: float
    upper_error: float
    given: Given
    ordering: CalibrationOrdering
    look: int
    decision: Decision
    scenario: str
    trials: int
    seed: int
    points: tuple[CalibrationPoint, ...] = field(repr=False)
    simulated_truths: bool = False
    notes: tuple[str, ...] = ()
    version: str = __version__

    @property
    def shift(self) -> float:
        """The calibrated estimate less the observed one."""
        return self.effect - self.observed.effect

    @property
    def truths(self) -> tuple[float, float]:
        """The lowest and the highest truth that was tried."""
        found = [point.truth for point in self.points]
        return min(found), max(found)

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file; None for the errors of limits that were not reached, and for limits at infinity."""
        return plain(
            {
                "version": self.version,
                "endpoint": self.endpoint,
                "label": self.label,
                "scale": self.observed.scale.value,
                "better": self.observed.better,
                "observed": {
                    "effect": self.observed.effect,
                    "standard_error": self.observed.standard_error,
                    "degrees_of_freedom": self.observed.degrees_of_freedom,
                },
                "effect": self.effect,
                "effect_error": self.effect_error,
                "lower": self.interval.lower,
                "lower_error": self.lower_error,
                "upper": self.interval.upper,
                "upper_error": self.upper_error,
                "level": self.interval.level,
                "given": self.given,
                "ordering": self.ordering,
                "look": self.look,
                "decision": self.decision.value,
                "scenario": self.scenario,
                "trials": self.trials,
                "seed": self.seed,
                "simulated_truths": self.simulated_truths,
                "points": [point.to_dict() for point in self.points],
                "notes": list(self.notes),
            }
        )

    def __str__(self) -> str:
        from .calibrated_table import calibrated_text

        return calibrated_text(self)

    __repr__ = __str__


def calibrate(
    result: TrialResult,
    endpoint: str | None = None,
    scenario: str | None = None,
    trials: int = 20_000,
    seed: int = 1,
    multiples: Iterable[float] | None = None,
    engine: str | Engine = "cores",
    given: Given = "all",
    level: float | None = None,
    on_progress: Callable[[int], None] | None = None,
    *,
    ordering: CalibrationOrdering = "estimate",
) -> CalibratedEstimate:
    """Correct one endpoint's estimate for the stopping rule by simulation, where no formula does or to check one.

    Virtual trials go through the protocol's own looks and analyses under several truths, multiples of a scenario's
    effect, and the observed estimate is held against theirs. The median-unbiased estimate is the truth under which
    estimates above and below the observed one are as likely; the limits are the truths under which an estimate at least
    as high, or as low, has half of 1 - level. Where several trials give the very same estimate, as counts do, they
    count half for the estimate and in full for the limits, which are then too wide rather than too narrow. All truths
    share their random numbers, which are not those that `eq.run` and `eq.simulate` draw.

    Estimates are ordered by their size (the sample-mean ordering of Emerson & Fleming 1990, Biometrika 77:875), which
    takes their spread to be the scenario's whatever the trial's data say of it; or by their distance from the truth in
    their own standard errors (as the likelihood ratio does, Chang 1989, Biometrics 45:247), which leaves an interval
    right where the scenario's spread is not. Everything else that the scenario says is taken as it is: dropout,
    accrual, and what biases estimates in it, as beliefs do, which is taken away as well. Looks fall where the protocol
    plans them, also where the trial's own were a few patients off.

    Parameters
    ----------
    result
        A trial that has ended, as `eq.run` and `eq.analyse` give it.
    endpoint
        Name of the endpoint; the primary one by default.
    scenario
        Whose effect is multiplied; by default the one the sample size assumes.
    trials
        Virtual trials at every truth, from 1,000 to 100,000.
    seed
        Of the random numbers; together with the arguments above it fixes the answer, whatever the engine.
    multiples
        Of the scenario's effect to try, two at least; by default as many as bring truths close to the estimate and
        both limits, about a dozen.
    engine
        As for `simulate`.
    given
        The trials to compare with: "all"; those that end at the "look" of this one; or those that "exit" as it did, at
        its look and with its decision, for an estimate that holds among trials known only because they ended so. Who
        reaches the last look ends there whatever is found, so that at it the two are the same.
    level
        Of the interval; by default that of the protocol.
    on_progress
        Called with the number of virtual trials done so far, over all truths.
    ordering
        Of the estimates: by the "estimate" itself, or "studentised".

    Raises
    ------
    InputError
        For a trial that has not ended, an endpoint without an estimate or that the scenario's effect does not move,
        multiples that the scenario does not bear, or other arguments that cannot be.
    NotEstimable
        Where no truth that can be tried brings the observed estimate, or too few virtual trials end as this one did.
    """
    from ..trial import TrialResult

    instance("result", result, TrialResult, "the result of a trial, as eq.run and eq.analyse give it")
    last, protocol = result.last_look, result.protocol
    if not (last.decision.stops or last.last):
        raise InputError("result", last.decision.value, "a trial that has ended")
    found, observed = _observed(result, endpoint)
    trials, seed = whole("trials", trials), whole("seed", seed)
    if not _FEWEST_TRIALS <= trials <= MOST_KEPT:
        raise InputError("trials", trials, f"a whole number from {_FEWEST_TRIALS:,} to {MOST_KEPT:,}")
    given = choice("given", given, ("all", "look", "exit"))
    ordering = choice("ordering", ordering, ("estimate", "studentised"))
    level = protocol.confidence_level if level is None else confidence_level(level)
    scenario = scenario or protocol.sample_size.scenario
    protocol.scenario(scenario)
    tail = (1 - level) / 2
    middle, ends = Target(0.5, 0.5), (Target(tail, 1.0), Target(1 - tail, 0.0))
    tried = None if multiples is None else _multiples(multiples)
    own = not isinstance(engine, Engine)
    with engine_named(engine) if own else nullcontext(engine) as running:
        sampler = Sampler(
            protocol=protocol,
            scenario=scenario,
            endpoint=found.name,
            observed=observed.effect,
            standard_error=observed.standard_error if ordering == "studentised" else None,
            look=None if given == "all" else last.number,
            decision=last.decision if given == "exit" and not last.last else None,
            trials=trials,
            seed=seed,
            engine=running,
            on_progress=on_progress,
        )
        if tried is None:
            search = Search(sampler, (ends[0], middle, ends[1]), observed)
            search.go()
            samples, why = search.samples, search.why
        else:
            samples = [sampler.sample(multiple) for multiple in tried]
            why = ["no other multiples were to be tried"] * 2
    usable = [one for one in samples if one.count >= FEWEST]
    curve = CalibrationCurve.of(usable) if len(usable) > 1 else None
    if curve is None or not all(curve.brackets(middle)):
        side = 0 if curve is None else int(curve.brackets(middle)[0])
        raise NotEstimable(
            f"no truth tried, from {_range(samples)}, makes estimates of {found.name} above and below the "
            f"{observed.effect:.4g} observed as likely; {why[side]}"
        )
    effect, effect_error = curve.at(middle)
    low, high = observed.scale.limits
    reached = [all(curve.brackets(end)) for end in ends]
    lower, lower_error = curve.at(ends[0]) if reached[0] else (low, math.nan)
    upper, upper_error = curve.at(ends[1]) if reached[1] else (high, math.nan)
    return CalibratedEstimate(
        endpoint=found.name,
        label=clean(found.label),
        observed=observed,
        effect=effect,
        interval=Interval(min(lower, effect), max(upper, effect), level),
        effect_error=effect_error,
        lower_error=lower_error,
        upper_error=upper_error,
        given=given,
        ordering=ordering,
        look=last.number,
        decision=last.decision,
        scenario=scenario,
        trials=trials,
        seed=seed,
        points=tuple(CalibrationPoint(one.multiple, one.truth, one.count, one.higher, one.same) for one in samples),
        simulated_truths=sampler.simulates_truths,
        notes=_notes(sampler, samples, curve, (middle, *ends), why),
    )


def _observed(result: TrialResult, name: str | None) -> tuple[EndpointResult, Estimate]:
    from ..trial.analyse import NotAnalysed

    results = (result.primary, *result.secondary)
    found = results[0] if name is None else next((one for one in results if one.name == name), None)
    if found is None:
        raise InputError("endpoint", name, f"one of {', '.join(one.name for one in results)}")
    if isinstance(found, NotAnalysed):
        raise InputError("endpoint", found.name, f"one that this trial could estimate; {found.reason}")
    if found.estimate is None:
        raise InputError("endpoint", found.name, "one with an estimate of the effect; it is described only")
    return found, found.estimate


def _multiples(given: Iterable[float]) -> list[float]:
    found = sorted({float(value) for value in numbers("multiples", given, "a list of numbers, two at least")})
    if len(found) < 2:
        raise InputError("multiples", found, "two at least that differ")
    return found


def _range(samples: list[Sample]) -> str:
    truths = [one.truth for one in samples]
    return f"{min(truths):.4g} to {max(truths):.4g}" if truths else "none"


def _notes(
    sampler: Sampler, samples: list[Sample], curve: CalibrationCurve, targets: Sequence[Target], why: list[str]
) -> tuple[str, ...]:
    """What a reader has to know; targets are of the estimate, the lower and the upper limit."""
    notes = []
    if sampler.simulates_truths:
        notes.append("truths are mean estimates of virtual trials with one look: the scenario does not tell the effect")
    for name, target in zip(("estimate", "lower limit", "upper limit"), targets, strict=True):
        if not all(curve.brackets(target)):
            notes.append(f"the {name} lies beyond the truths tried; {why[int(name == 'upper limit')]}")
        elif (between := curve.neighbours(target)) is not None:
            low, high = sorted(between)
            notes.append(f"the {name} was found between truths far apart, {low:.4g} and {high:.4g}, and is rough")
    few = sum(one.count < FEWEST for one in samples)
    if few:
        notes.append(f"{counted(few, 'truth')} left out: fewer than {FEWEST} virtual trials end so")
    missing = max(one.missing for one in samples)
    if missing:
        notes.append(f"up to {missing:,} of {sampler.trials:,} virtual trials had no estimate and were left out")
    return tuple(notes)
