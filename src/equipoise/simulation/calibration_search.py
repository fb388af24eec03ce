"""Which multiples of a scenario's effect to try, so that what is looked for lies between truths close by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..estimate import Estimate
from .calibration_curve import CalibrationCurve, Target
from .calibration_trials import FEWEST, Sample, Sampler

__all__ = ["Search", "next_steps"]

Array = NDArray[np.float64]
MOST_TRUTHS = 18
_CLOSE = 0.2
"""In normal scores: how near a truth has to be to each target."""
_SIDE, _SIDES = 0.5, (0.25, 0.95)
_MOST_STEPS = 3.0
_SAME_PLACE = 0.03
_GAIN = 0.02
_HALVINGS = 6
_MOST_RARE = 3


def next_steps(places: Array, scores: Sequence[Array], targets: Sequence[float], unit: float) -> list[float]:
    """Where to try next; nothing where each target has a truth close by and one to either side.

    Parameters
    ----------
    places
        Tried so far, in ascending order, at least one.
    scores
        Normal scores of the probability of higher estimates at the places, by target; shape (places,) each.
    targets
        Scores looked for.
    unit
        About as far as a score rises by 1.
    """
    steps: list[float] = []
    for found, target in zip(scores, targets, strict=True):
        steps += _steps(places, np.maximum.accumulate(found), target, unit)
    return steps


def _steps(places: Array, scores: Array, target: float, unit: float) -> list[float]:
    if target < scores[0] or target > scores[-1]:
        ends = slice(2) if target < scores[0] else slice(-2, None)
        return _outward(places[ends], scores[ends], target, unit)
    place = _between(places, scores, target)
    away = scores - target
    if np.abs(away).min() > _CLOSE:
        return [place]
    steps = []
    if not ((away <= -_SIDES[0]) & (away >= -_SIDES[1])).any():
        steps.append(_side(places, scores, place, target - _SIDE, -unit))
    if not ((away >= _SIDES[0]) & (away <= _SIDES[1])).any():
        steps.append(_side(places, scores, place, target + _SIDE, unit))
    return steps


def _outward(places: Array, scores: Array, target: float, unit: float) -> list[float]:
    """Beyond the outermost places, where the target probably lies, and a little more so that it is bracketed; nowhere
    where scores no longer change.
    """
    side = 1.0 if target > scores[-1] else -1.0
    apart, gained = places[-1] - places[0], scores[-1] - scores[0]
    if apart >= unit and gained < _GAIN:
        return []
    slope = max(gained / apart, 0.2 / unit) if apart else 1.0 / unit
    lacking = abs(target - scores[-1 if side > 0 else 0])
    return [float(places[-1 if side > 0 else 0] + side * min(1.1 * lacking / slope + 0.1 * unit, _MOST_STEPS * unit))]


def _between(places: Array, scores: Array, target: float) -> float:
    """Where a rising line through the scores takes a value that they bracket."""
    last = int(np.clip(np.searchsorted(scores, target), 1, max(len(scores) - 1, 1)))
    if len(scores) == 1 or scores[last] == scores[last - 1]:
        return float(places[min(last, len(places) - 1)])
    share = (target - scores[last - 1]) / (scores[last] - scores[last - 1])
    return float(places[last - 1] + share * (places[last] - places[last - 1]))


def _side(places: Array, scores: Array, place: float, beside: float, unit: float) -> float:
    """Half a score to one side of a target that was found."""
    if scores[0] <= beside <= scores[-1]:
        return _between(places, scores, beside)
    return place + _SIDE * unit


class Search:
    """Tries multiples of a scenario's effect until every target has truths around it, or none can be had.

    Places are multiples, with their sign turned where the truth falls as they rise.

    Attributes
    ----------
    why
        What keeps the search from lower truths, and from higher ones.
    """

    def __init__(self, sampler: Sampler, targets: Sequence[Target], observed: Estimate) -> None:
        self._sampler, self._targets = sampler, tuple(targets)
        self._by_place: dict[float, Sample] = {}
        self.why = [f"{MOST_TRUTHS} truths were tried"] * 2
        none, whole = (self._anchor(multiple) for multiple in (0.0, 1.0))
        if abs(whole - none) <= 1e-6 * observed.standard_error:
            right = f"a scenario with an effect on {sampler.endpoint}, of which to take multiples"
            raise InputError("scenario", sampler.scenario, right)
        self._rises = 1.0 if whole > none else -1.0
        self._unit = observed.standard_error / abs(whole - none)
        self._start = (observed.effect - none) / abs(whole - none)
        self._rare = [-math.inf, math.inf]
        self._rare_truths = [0, 0]

    @property
    def samples(self) -> list[Sample]:
        """All that were tried, by multiple."""
        return sorted(self._by_place.values(), key=lambda one: one.multiple)

    def go(self) -> None:
        """Draw the trials."""
        for target in self._targets:
            self._try(self._start + self._unit * target.score)
        for multiple in (0.0, 1.0, 2.0):
            if len(self._usable()) < 2:
                self._try(self._rises * multiple)
        while len(self._usable()) > 1:
            places = self._usable()
            curve = CalibrationCurve.of([self._by_place[place] for place in places])
            scores = [curve.scores(target) for target in self._targets]
            steps = next_steps(np.array(places), scores, [target.score for target in self._targets], self._unit)
            tried = [self._try(step) for step in steps]
            if not any(tried):
                return

    def _anchor(self, multiple: float) -> float:
        if not self._sampler.bears(multiple):
            raise InputError("scenario", self._sampler.scenario, f"one whose effect can vary; {self._sampler.refusal}")
        return self._sampler.truth(multiple)

    def _usable(self) -> list[float]:
        return sorted(place for place, sample in self._by_place.items() if sample.count >= FEWEST)

    def _multiple(self, place: float) -> float:
        """Of four digits, as a reader likes them."""
        return float(f"{self._rises * place:.4g}") + 0.0

    def _try(self, place: float) -> bool:
        """Draw trials at a place, or as near to it as can be; whether any were drawn."""
        if len(self._by_place) >= MOST_TRUTHS:
            return False
        usable = self._usable()
        inside = min(usable or [0.0, self._rises], key=lambda one: abs(one - place))
        side = int(place > inside)
        if not usable or place > usable[-1] or place < usable[0]:
            if usable and self._rare_truths[side] >= _MOST_RARE:
                return False
            halfway = 0.5 * (inside + self._rare[side])
            place = min(place, halfway) if side else max(place, halfway)
        if not self._sampler.bears(self._multiple(place)):
            place = self._outermost(inside, place)
            self.why[side] = self._sampler.refusal
        multiple = self._multiple(place)
        place = self._rises * multiple
        if any(abs(place - other) < _SAME_PLACE * self._unit for other in self._by_place):
            return False
        sample = self._by_place[place] = self._sampler.sample(multiple)
        if sample.count < FEWEST:
            self._rare[side] = place
            self._rare_truths[side] += 1
            self.why[side] = (
                f"at {multiple:g} times the scenario's effect fewer than {FEWEST} of {self._sampler.trials:,} virtual "
                "trials end so"
            )
        return True

    def _outermost(self, inside: float, outside: float) -> float:
        """The farthest place, nearly, that the scenario bears between one that it does and one that it does not."""
        for _ in range(_HALVINGS):
            middle = 0.5 * (inside + outside)
            if self._sampler.bears(self._multiple(middle)):
                inside = middle
            else:
                outside = middle
        return inside
