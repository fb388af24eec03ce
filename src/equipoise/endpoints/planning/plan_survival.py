"""Survival endpoints: events, patients, power and calendar times of the looks under proportional hazards."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...checks import choice, instance
from ...errors import InputError
from ...estimate import Better
from .accrual import Accrual, event_rate, expected_events
from .event_formulas import FORMULAS, EventFormula, LogRankPrecision, pooled_hazard_ratio, precision
from .event_times import EventTimes, PiecewiseExponential, Weibull, checked_hazard, law_of
from .planning_checks import at_least_zero, positive, real_numbers, settle
from .positive_roots import positive_root, positive_roots
from .sample_size import Rule, asked_power, checked_rule, drift_for, level_quantile, stopping
from .survival_size import SurvivalExpectation, SurvivalSize

__all__ = ["Survival"]

Array = NDArray[np.float64]
Laws = tuple[EventTimes, EventTimes]


def _most(name: str, value: Any) -> float:
    if not 1e-9 <= positive(name, value) <= 1e15:
        raise InputError(name, value, "a number from 1e-9 to 1e15")
    return float(value)


def _dropout(given: Any) -> float | tuple[float, float]:
    expected = "a hazard of at least 0, or one for each arm"
    hazards = [at_least_zero("dropout", hazard, expected) for hazard in real_numbers("dropout", given, expected)]
    if isinstance(given, Real):
        return hazards[0]
    if len(hazards) != 2:
        raise InputError("dropout", given, expected)
    return hazards[0], hazards[1]


@dataclass(frozen=True)
class Survival:
    """What is assumed of a trial whose endpoint is the time to an event, compared by the log-rank test.

    Time is in any one unit. The z of a look grows with the square root of its events, so looks are held when their
    events have been seen; the calendar time of a look is when its events are expected.

    Parameters
    ----------
    control
        Event times of control: a hazard per unit of time, `PiecewiseExponential(...)` or `Weibull(...)`.
    accrual
        When patients come. What sample size leaves open is found: the scale of `relative` accrual with `follow_up`;
        the end of open accrual with `follow_up`; the follow-up when patients or accrual are settled.
    hazard_ratio
        Experimental over control; may be left out when `experimental` has hazards in proportion to control's.
    experimental
        Event times of the experimental arm, control's with the hazard multiplied by `hazard_ratio` when left out. Given
        beside `hazard_ratio` it says when events come, and `hazard_ratio` how strongly they tell: for a delayed effect,
        say, an average hazard ratio.
    follow_up
        Time from the last patient in to the last look.
    dropout
        Hazard of leaving the trial unseen, per unit of time; of both arms, or (experimental, control).
        `constant_hazard(0.05, by=12)` is 5% by time 12.
    margin
        Hazard ratio under the null hypothesis: 1, or a non-inferiority margin.
    better
        Whether a "lower" hazard (death, relapse) or a "higher" one (recovery) favours the experimental arm.
    allocation
        Patients of the experimental arm for each of control.
    formula
        How many events: "schoenfeld", "freedman", "hsieh-freedman", "lachin-foulkes" or "bernstein-lagakos"; the
        formulas, their sources and which to trust are in `event_formulas`.

    Raises
    ------
    InputError
        When an assumption is out of range, or no hazard ratio is given where hazards are not proportional.
    """

    control: float | EventTimes
    accrual: Accrual
    hazard_ratio: float | None = None
    experimental: float | EventTimes | None = None
    follow_up: float | None = None
    dropout: float | tuple[float, float] = 0.0
    margin: float = 1.0
    better: Better = "lower"
    allocation: float = 1.0
    formula: EventFormula = "schoenfeld"

    def __post_init__(self) -> None:
        settle(
            self,
            control=checked_hazard("control", self.control),
            accrual=instance("accrual", self.accrual, Accrual, "an Accrual, such as Accrual.uniform(12)"),
            hazard_ratio=None if self.hazard_ratio is None else positive("hazard_ratio", self.hazard_ratio),
            experimental=None if self.experimental is None else checked_hazard("experimental", self.experimental),
            follow_up=None if self.follow_up is None else at_least_zero("follow_up", self.follow_up),
            dropout=_dropout(self.dropout),
            margin=positive("margin", self.margin),
            better=choice("better", self.better, ("higher", "lower")),
            allocation=positive("allocation", self.allocation),
            formula=choice("formula", self.formula, FORMULAS),
        )
        _ = self.laws, precision(self.formula, self.effect, self.margin, self.allocation, self._direction)

    @property
    def effect(self) -> float:
        """The hazard ratio to plan for, given or read off the arms' hazards."""
        if self.hazard_ratio is not None:
            return float(self.hazard_ratio)
        control, experimental = (
            law_of(self.control),
            None if self.experimental is None else law_of(self.experimental),
        )
        if isinstance(control, PiecewiseExponential) and isinstance(experimental, PiecewiseExponential):
            pairs = zip(experimental.hazards, control.hazards, strict=False)
            if experimental.breaks == control.breaks:
                ratios = [one / other if other else math.inf for one, other in pairs if one or other]
                if max(ratios) <= min(ratios) * (1 + 1e-9) and 0 < max(ratios) < math.inf:
                    return ratios[0]
        if isinstance(control, Weibull) and isinstance(experimental, Weibull) and experimental.shape == control.shape:
            return (experimental.rate / control.rate) ** control.shape
        raise InputError("hazard_ratio", None, "a hazard ratio to plan for, unless the arms' hazards are in proportion")

    @property
    def laws(self) -> Laws:
        """Event times of the experimental arm and of control under the assumed effect."""
        control = law_of(self.control)
        return (control.scaled(self.effect) if self.experimental is None else law_of(self.experimental)), control

    @property
    def null_laws(self) -> Laws:
        """Event times of both arms as the formula takes them for the variance under no effect."""
        control = law_of(self.control)
        if self.formula == "lachin-foulkes":
            control = control.scaled(pooled_hazard_ratio(self.effect, self.margin, self.allocation))
        return control.scaled(self.margin), control

    @property
    def shares(self) -> tuple[float, float]:
        """Share of the patients in the experimental arm and in control."""
        return self.allocation / (1 + self.allocation), 1 / (1 + self.allocation)

    @property
    def assumed(self) -> str:
        """The assumptions in a few lines."""
        direction = "lower" if self.better == "lower" else "higher"
        null = "" if self.margin == 1 else f" against a margin of {self.margin:g}"
        rates = np.broadcast_to(np.asarray(self.dropout, dtype=np.float64), 2)
        dropout = f"; dropout hazard {rates[0]:.4g} and {rates[1]:.4g}" if rates.any() else ""
        return (
            f"Hazard ratio {self.effect:g}{null}, {direction} is better; {self.allocation:g} : 1; "
            f"formula of {self.formula.title().replace('-', ' & ')}\nControl {law_of(self.control)}{dropout}"
        )

    def expected_events(self, time: ArrayLike, accrual: Accrual | None = None, laws: Laws | None = None) -> Array:
        """Events to expect in the experimental arm and in control by calendar times, shape (*time.shape, 2).

        Parameters
        ----------
        time
            Calendar times from the start of accrual.
        accrual
            Of both arms together; by default the assumed one.
        laws
            Event times of both arms; by default those under the assumed effect.
        """
        rates = np.broadcast_to(np.asarray(self.dropout, dtype=np.float64), 2)
        course = self.accrual if accrual is None else accrual
        pair = self.laws if laws is None else laws
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError("laws", laws, "the event times of the experimental arm and of control")
        per_arm = [
            share * expected_events(time, course, law, float(rate))
            for share, law, rate in zip(self.shares, pair, rates, strict=True)
        ]
        return np.stack(per_arm, axis=-1)

    def sample_size(self, design: Rule, power: float | None = None, patients: float | None = None) -> SurvivalSize:
        """Events with which a design has the power asked for, and the patients or the follow-up that bring them.

        Parameters
        ----------
        design
            The stopping rule, e.g. `GroupSequential`; with one look the fixed design.
        power
            Probability of showing the effect in the right direction; by default 1 - beta of the design.
        patients
            Patients of both arms, where settled beforehand; the time of the last look is then found. Otherwise see
            `accrual`.

        Raises
        ------
        InputError
            When the hazard ratio is not on the better side of the margin, when there is nothing or too much left to
            find, or when the patients can never have that many events.
        """
        from scipy.special import ndtri

        wanted = asked_power(checked_rule(design), power)
        if self._direction * math.log(self.effect / self.margin) <= 0:
            side = "below" if self.better == "lower" else "above"
            raise InputError("hazard_ratio", self.effect, f"a hazard ratio {side} the margin, {self.margin:g}")
        if patients is None and self._settled and self.follow_up is not None:
            raise InputError(
                "follow_up", self.follow_up, "None where accrual is settled, for it is all that is to find"
            )
        drift, level, quantile = drift_for(design, power), level_quantile(design), float(ndtri(wanted))

        def fixed(time: float, accrual: Accrual) -> float:
            return self._precision(time, accrual).fixed_events(level, quantile)

        def inflated(time: float, accrual: Accrual) -> float:
            return fixed(time, accrual) * (drift / (level + quantile)) ** 2

        fixed_time, fixed_accrual = self._schedule(fixed, patients)
        fixed_patients = float(fixed_accrual.patients_by(min(fixed_time, fixed_accrual.end)))
        time, accrual = self._schedule(inflated, patients)
        return self._result(
            design, drift, inflated(time, accrual), time, accrual, (fixed(fixed_time, fixed_accrual), fixed_patients)
        )

    def power(self, design: Rule, patients: float | None = None, events: float | None = None) -> SurvivalSize:
        """What a design is able to show with given patients or events.

        Parameters
        ----------
        design
            The stopping rule.
        patients
            Patients of both arms; may be left out where accrual is settled, or where events and `follow_up` tell.
        events
            Events of both arms at the last look, which is held when they have been seen; by default those expected
            `follow_up` after the last patient. With patients and events both settled, `follow_up` plays no part.

        Raises
        ------
        InputError
            When patients and events leave the course of the trial open, or the patients can never have that many
            events.
        """
        checked_rule(design)
        if events is None:
            accrual = self._with_patients(patients)
            if accrual is None or self.follow_up is None:
                raise InputError("patients", patients, "patients and a follow-up, or the number of events")
            time = accrual.end + self.follow_up
            seen = float(self.expected_events(time, accrual).sum())
        else:
            seen = _most("events", events)
            time, accrual = self._schedule(lambda time, accrual: seen, patients)
        return self._result(design, self._precision(time, accrual).drift(design, seen), seen, time, accrual, None)

    @property
    def _direction(self) -> float:
        return -1.0 if self.better == "lower" else 1.0

    @property
    def _settled(self) -> bool:
        return not (self.accrual.relative or self.accrual.is_open)

    def _precision(self, time: float, accrual: Accrual) -> LogRankPrecision:
        """What the formula makes of the assumptions when the last look is at `time`."""
        ratio, sides = self.effect, ((1.0, 1.0), (1.0, 1.0))
        if self.formula in ("lachin-foulkes", "bernstein-lagakos"):
            found = [self.expected_events(time, accrual, laws) for laws in (self.laws, self.null_laws)]
            sides = tuple((float(arm[0]), float(arm[1])) for arm in found)
        return precision(self.formula, ratio, self.margin, self.allocation, self._direction, *sides)

    def _with_patients(self, patients: float | None) -> Accrual | None:
        """Accrual once the number of patients is settled; None where it is not."""
        if patients is None:
            return self.accrual if self._settled else None
        return self.accrual.with_patients(_most("patients", patients))

    def _schedule(self, needed: Callable[[float, Accrual], float], patients: float | None) -> tuple[float, Accrual]:
        """Time of the last look, and accrual, with which the events expected are those needed."""
        accrual = self._with_patients(patients)
        if accrual is not None:
            settled = accrual

            def excess_at(time: float) -> float:
                seen = float(self.expected_events(time, settled).sum())
                return seen - needed(time, settled) if seen else -math.inf

            if not excess_at(math.inf) > 0:
                most = float(self.expected_events(math.inf, settled).sum())
                raise InputError("patients", patients or settled.total, f"more patients: these have {most:.6g} events")
            return positive_root(excess_at, settled.end), settled
        if self.follow_up is None:
            raise InputError("follow_up", None, "a follow-up, or the number of patients")
        after = self.follow_up
        if self.accrual.relative:
            time = self.accrual.end + after
            shape = self.accrual.scaled(1.0)
            return time, shape.scaled(needed(time, shape) / float(self.expected_events(time, shape).sum()))

        def excess_of(duration: float) -> float:
            course = self.accrual.ending_at(duration)
            seen = float(self.expected_events(duration + after, course).sum())
            return seen - needed(duration + after, course) if seen else -math.inf

        begin = max((*self.accrual.breaks[1:-1], 1e-3 * (after + 1.0)))
        duration = positive_root(excess_of, begin)
        return duration + after, self.accrual.ending_at(duration)

    def _analysis_times(self, events: Array, accrual: Accrual, laws: Laws) -> Array:
        """Calendar times by which so many events are expected, infinite where they never are; shape (looks,)."""
        rates = np.broadcast_to(np.asarray(self.dropout, dtype=np.float64), 2).tolist()
        arms = tuple(zip(self.shares, laws, rates, strict=True))

        def seen(times: Array) -> Array:
            return np.sum([share * expected_events(times, accrual, law, rate) for share, law, rate in arms], axis=0)

        def pace(times: Array) -> Array:
            return np.sum([share * event_rate(times, accrual, law, rate) for share, law, rate in arms], axis=0)

        reached = events < float(seen(np.array(math.inf)))
        times = np.full(events.shape, math.inf)
        times[reached] = positive_roots(seen, pace, events[reached], accrual.end)
        return times

    def _result(
        self,
        design: Rule,
        drift: float,
        maximum: float,
        time: float,
        accrual: Accrual,
        fixed: tuple[float, float] | None,
    ) -> SurvivalSize:
        information = np.array(design.information, dtype=np.float64)
        events = information * maximum
        times = np.append(self._analysis_times(events[:-1], accrual, self.laws), time)
        efficacy, harm, futility = stopping(design, drift)
        control = law_of(self.control)
        half = math.sqrt(self.effect * self.margin)
        truths = [
            self._expectation(
                design, multiple * drift, ratio, events, accrual, self._analysis_times(events, accrual, laws)
            )
            for multiple, ratio, laws in (
                (0.0, self.margin, (control.scaled(self.margin), control)),
                (0.5, half, (control.scaled(half), control)),
            )
        ]
        truths.append(self._expectation(design, drift, self.effect, events, accrual, times))
        deviation = (1 + self.allocation) / np.sqrt(self.allocation * events)
        upper = np.asarray(design.efficacy_bounds, dtype=np.float64)
        inner = None if design.futility_bounds is None else np.asarray(design.futility_bounds, dtype=np.float64)

        def hazard_ratios(z: Array | None) -> Array | None:
            return None if z is None else self.margin * np.exp(self._direction * z * deviation)

        return SurvivalSize(
            assumed=self.assumed,
            fixed_events=None if fixed is None else fixed[0],
            fixed_patients=None if fixed is None else fixed[1],
            information=tuple(information.tolist()),
            events=events,
            events_per_arm=self.expected_events(times, accrual),
            patients_per_arm=np.multiply.outer(accrual.patients_by(times), self.shares),
            analysis_times=times,
            accrual=accrual,
            efficacy_probabilities=efficacy,
            harm_probabilities=harm,
            futility_probabilities=futility,
            efficacy_bounds=upper,
            futility_bounds=inner,
            efficacy_hazard_ratios=self.margin * np.exp(self._direction * upper * deviation),
            harm_hazard_ratios=hazard_ratios(-upper if design.sided == 2 else None),
            futility_hazard_ratios=hazard_ratios(inner),
            futility_harm_hazard_ratios=hazard_ratios(None if inner is None or design.sided == 1 else -inner),
            no_effect=truths[0],
            half_effect=truths[1],
            full_effect=truths[2],
        )

    def _expectation(
        self, design: Rule, drift: float, ratio: float, events: Array, accrual: Accrual, times: Array
    ) -> SurvivalExpectation:
        """Means at the end of the trial under one truth, looks being held when their events have come."""
        efficacy, *others = stopping(design, drift)
        ending = efficacy + sum(other for other in others if other is not None)
        ending[-1] = 1.0 - ending[:-1].sum()
        return SurvivalExpectation(
            hazard_ratio=ratio,
            drift=drift,
            power=float(efficacy.sum()),
            events=float(ending @ events),
            patients=float(ending @ accrual.patients_by(times)),
            duration=float(np.sum(np.where(ending > 0, times, 0.0) * ending)),
            analysis_times=times,
            stopping=ending,
        )
