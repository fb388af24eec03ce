"""What may be claimed of every effect of a trial known only from its paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import instance, number
from ..endpoints.binary.number_needed_to_treat import NumberNeededToTreat, number_needed_to_treat
from ..endpoints.binary.proportions import RiskDifference
from ..errors import InputError
from ..estimate import Better, Estimate, Interval, Scale
from ..plain import plain
from ..sequential.effects import estimate_dict
from ..sequential.secondary import EstimateWithLimits, SecondaryEstimates, secondary_estimates
from .plan import design_of
from .secondary_counts import secondary_of_counts

if TYPE_CHECKING:
    from ..protocol import NotCorrected, Paper, PublishedEffect
    from ..protocol.paper import PaperTrial
    from ..sequential import Conclusion

__all__ = ["READINGS", "PublishedConclusion", "PublishedRow", "Secondary", "conclude", "conclude_effects"]

READINGS = ("as observed", "bias-adjusted", "median-unbiased", "given the stop")
"""How a row may be read: given the stop, as one of the trials that end at the same look; the bias-adjusted estimate
stands in the interval of the median-unbiased one.
"""
_CORRELATIONS = 33  # of a range, ends included


@dataclass(frozen=True)
class Secondary:
    """An effect beside the one that stopped a trial.

    Attributes
    ----------
    name
        What it is called.
    effect
        The estimate at the look of the stop, or the difference in a proportion from its counts.
    correlation
        Of the estimate with the primary's, each counted as it favours the experimental arm, so that it is above 0 where
        both gain together: a number from -1 to 1, or the lowest and the highest it may be.
    better
        Of counts: whether the event is a good outcome ("higher") or a bad one.
    label, unit
        For people; the name, and the unit of the scale, where they are empty.
    """

    name: str
    effect: Estimate | RiskDifference
    correlation: float | tuple[float, float]
    better: Better = "higher"
    label: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        instance("effect", self.effect, (Estimate, RiskDifference), "an Estimate or a RiskDifference")
        given = self.correlation if isinstance(self.correlation, (tuple, list)) else (self.correlation,) * 2
        right = "a correlation from -1 to 1, or the lowest and the highest it may be"
        if len(given) != 2:
            raise InputError("correlation", self.correlation, right)
        low, high = (number("correlation", value, right) for value in given)
        if not -1 <= low <= high <= 1:
            raise InputError("correlation", self.correlation, right)
        object.__setattr__(self, "correlation", (low, high))

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest correlation."""
        return self.correlation  # type: ignore[return-value]

    @property
    def estimate(self) -> Estimate:
        """The effect with a standard error; of counts that of Wald.

        Raises
        ------
        InputError
            Where of counts in both arms nobody, or everybody, had the event.
        """
        if isinstance(self.effect, Estimate):
            return self.effect
        return self.effect.estimate(self.better, self.label or self.name)


@dataclass(frozen=True, eq=False)
class PublishedRow:
    """One effect as published and as corrected for the stop.

    Attributes
    ----------
    name, label, unit
        Of the endpoint; the unit is empty where it is that of the scale.
    observed
        The effect.
    correlation
        Lowest and highest, of the estimate with the primary's, each counted as favourable; 1 for the primary.
    estimates
        Over the correlations, arrays.
    counts
        Of a proportion, from which intervals are Newcombe's and a number needed to treat is made.
    is_on_bound
        Whether it goes with a primary effect that lies on its bound itself, so that there is nothing given the stop.
    """

    name: str
    label: str
    unit: str
    observed: Estimate
    correlation: tuple[float, float]
    estimates: SecondaryEstimates
    counts: RiskDifference | None = None
    is_on_bound: bool = False

    @property
    def is_range(self) -> bool:
        """Whether the correlation is a range."""
        return self.correlation[0] < self.correlation[1]

    def value(self, reading: str) -> tuple[float, float]:
        """Lowest and highest estimate over the correlations, see `READINGS`; NaN where there is none."""
        if self._is_missing(reading):
            return float("nan"), float("nan")
        found = self._estimates(reading)
        return float(np.min(found)), float(np.max(found))

    def interval(self, reading: str) -> Interval | None:
        """The widest interval over the correlations; None where there is no estimate."""
        if self._is_missing(reading):
            return None
        if reading == "bias-adjusted":
            reading = "median-unbiased"
        found = self._limits(reading)
        return Interval(float(np.min(found.lower)), float(np.max(found.upper)), self.estimates.level)

    def inflation(self, reading: str) -> tuple[float, float]:
        """How far the stop inflates the observed effect, lowest and highest: positive where it flatters the arm."""
        low, high = self.value(reading)
        gaps = self.observed.effect - low, self.observed.effect - high
        return tuple(sorted(gaps if self.observed.better == "higher" else (0.0 - gap for gap in gaps)))  # type: ignore[return-value]

    def number_needed_to_treat(self, reading: str) -> tuple[NumberNeededToTreat, NumberNeededToTreat] | None:
        """From the lowest and the highest difference, in the set of the widest interval; None where nothing is counted
        or no estimate lies inside that interval.
        """
        ends, interval = self.value(reading), self.interval(reading)
        if self.counts is None or interval is None or any(end not in interval for end in ends):
            return None
        # the larger the benefit the smaller the number
        low, high = (number_needed_to_treat(end, interval, self.observed.better) for end in ends)
        return (high, low) if self.observed.better == "higher" else (low, high)

    def _is_missing(self, reading: str) -> bool:
        return self.is_on_bound and reading == "given the stop"

    def _limits(self, reading: str) -> EstimateWithLimits:
        return {
            "as observed": self.estimates.naive,
            "median-unbiased": self.estimates.median_unbiased,
            "given the stop": self.estimates.given_look,
        }[reading]

    def _estimates(self, reading: str) -> Any:
        return self.estimates.bias_adjusted if reading == "bias-adjusted" else self._limits(reading).estimate

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, estimates from the lowest to the highest over the correlations; infinite is None."""
        found: dict[str, Any] = {"name": self.name, **estimate_dict(self.observed), "label": self.label}
        found |= {"unit": self.unit or self.observed.scale.unit, "correlation": list(self.correlation)}
        if self.counts is not None:
            counts = self.counts
            found["experimental"] = [counts.events1, counts.total1]
            found["control"] = [counts.events2, counts.total2]
        for reading in READINGS:
            interval = self.interval(reading)
            entry: dict[str, Any] = {"effect": list(self.value(reading))}
            if interval is not None:
                entry |= {"lower": interval.lower, "upper": interval.upper, "level": interval.level}
            if reading != "as observed":
                entry["inflation"] = list(self.inflation(reading))
            if (needed := self.number_needed_to_treat(reading)) is not None:
                entry["number_needed_to_treat"] = [one.to_dict() for one in needed]
            found[reading.replace(" ", "_").replace("-", "_")] = entry
        return plain(found)


@dataclass(frozen=True, eq=False)
class PublishedConclusion:
    """Every effect of a stopped trial that only its paper tells of, the primary first.

    Attributes
    ----------
    conclusion
        Of the primary.
    rows
        One an effect.
    trial
        What is known of it besides.
    not_corrected
        Results that no correction can be made of.
    """

    conclusion: Conclusion
    rows: tuple[PublishedRow, ...]
    trial: PaperTrial | None = None
    not_corrected: tuple[NotCorrected, ...] = field(default=())

    @property
    def primary(self) -> PublishedRow:
        """The effect that stopped the trial."""
        return self.rows[0]

    def row(self, name: str) -> PublishedRow:
        """The row of a name; raises `InputError` where there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        raise InputError("name", name, "one of " + ", ".join(row.name for row in self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "trial": None if self.trial is None else self.trial.model_dump(mode="json"),
            "design": self.conclusion.design.to_dict(),
            "conclusion": self.conclusion.to_dict(),
            "effects": [row.to_dict() for row in self.rows],
            "not_corrected": [one.model_dump(mode="json") for one in self.not_corrected],
        }

    def __str__(self) -> str:
        from ..report.published import published_text

        return published_text(self)

    __repr__ = __str__


def conclude(paper: Paper) -> PublishedConclusion:
    """What may be claimed of every effect that a paper gives, after a trial that could stop early.

    The primary's estimates are those of `GroupSequential.conclude`; every other effect is corrected as far as its
    estimate goes with the primary's (`secondary_estimates`).

    Parameters
    ----------
    paper
        As `eq.paper` or `Paper.load` gives it.

    Raises
    ------
    InputError
        Naming the key of the paper at fault, also where the rule would not have stopped the trial at its look.
    """
    from ..protocol import Paper

    paper = instance("paper", paper, Paper, "a paper, as eq.paper or Paper.load gives it")
    stopping = paper.stopping
    try:
        design = design_of(stopping, paper.fractions, stopping.beta if stopping.futility else None)
        _ = design.efficacy_bounds
    except InputError as error:
        raise InputError(f"stopping.{error.field}", error.value, error.expected) from None
    try:
        conclusion = design.conclude(_estimate(paper.primary), look=stopping.stopped_at)
    except InputError as error:
        name = "effect" if error.field == "estimates" else error.field
        raise InputError(f"primary.{name}", error.value, error.expected) from None
    secondaries = []
    for at, item in enumerate(paper.secondaries, start=1):
        try:
            if item.experimental is not None and item.control is not None:
                effect = RiskDifference(*item.experimental, *item.control, level=1 - 2 * _tail(conclusion))
                better: Better = item.better or "higher"
            else:
                effect = _estimate(item)
                better = effect.better
            secondaries.append(Secondary(item.name, effect, item.correlation, better, item.label, item.unit))
            _ = secondaries[-1].estimate
        except InputError as error:
            raise InputError(f"secondaries[{at}].{error.field}", error.value, error.expected) from None
    primary = paper.primary
    try:
        rows = conclude_effects(conclusion, secondaries, primary.name, primary.label, primary.unit).rows
    except InputError as error:
        raise InputError(f"primary.{error.field}", error.value, error.expected) from None
    return PublishedConclusion(conclusion, rows, paper.trial, paper.not_corrected)


def conclude_effects(
    conclusion: Conclusion, secondaries: Sequence[Secondary], name: str = "primary", label: str = "", unit: str = ""
) -> PublishedConclusion:
    """The same from plain values: what the trial concluded of its primary endpoint, and the effects beside it.

    Raises
    ------
    InputError
        Where the trial goes on, or a name stands twice.
    """
    if not conclusion.decision.stops or conclusion.interval is None:
        right = f"one by which the trial stops at look {conclusion.look}; by this rule it goes on"
        raise InputError("effect", conclusion.observed.effect, right)
    known = [name]
    for item in secondaries:
        if item.name in known:
            raise InputError("name", item.name, f"names that differ, also from '{name}'")
        known.append(item.name)
    primary = conclusion.observed
    own = secondary_estimates(conclusion, primary, np.ones(1))
    shift = secondary_estimates(conclusion, Estimate(0.0, 1.0, better=primary.better), 1.0).given_look.estimate
    on_bound = bool(np.isinf(shift))
    rows = [PublishedRow(name, label or name, unit, primary, (1.0, 1.0), own, is_on_bound=on_bound)]
    rows += [_row(conclusion, item, on_bound and item.range != (0.0, 0.0)) for item in secondaries]
    return PublishedConclusion(conclusion, tuple(rows))


def _estimate(item: PublishedEffect) -> Estimate:
    effect, error = item.effect, item.standard_error
    assert effect is not None
    assert error is not None
    scale = item.scale or Scale.MEAN_DIFFERENCE
    return Estimate(
        effect,
        error,
        float("inf") if item.degrees_of_freedom is None else item.degrees_of_freedom,
        scale=scale,
        better=item.better or ("higher" if effect > scale.null_value else "lower"),
        null_value=scale.null_value,
        label=item.title,
    )


def _tail(conclusion: Conclusion) -> float:
    return 0.5 * (1.0 - conclusion.observed_interval.level)


def _row(conclusion: Conclusion, item: Secondary, on_bound: bool) -> PublishedRow:
    low, high = item.range
    observed = item.estimate
    correlations = np.linspace(low, high, _CORRELATIONS) if low < high else np.array([low])
    own = correlations if observed.better == conclusion.observed.better else -correlations
    counts = item.effect if isinstance(item.effect, RiskDifference) else None
    if counts is None:
        found = secondary_estimates(conclusion, observed, own)
    else:
        found = secondary_of_counts(conclusion, counts, observed, own)
    return PublishedRow(item.name, item.label or item.name, item.unit, observed, item.range, found, counts, on_bound)
