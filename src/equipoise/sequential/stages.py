"""The stages of an adaptive trial, each the data of its own patients alone, as evidence about an effect."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import instance, number
from ..errors import InputError
from ..estimate import Better, Estimate, Interval, Scale
from .effects import differing
from .roots import rising_root

__all__ = ["Stage", "StageEffects", "StageTest", "as_stages", "stage_estimates"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class StageTest:
    """A stage whose p-value is not that of a studentised estimate: a score test, an exact test, a stratified one.

    Attributes
    ----------
    z_against
        Normal score of the one-sided test that the effect equals its argument, positive where the data lie above it:
        Phi^-1(1 - p), p the p-value against smaller or equal effects. It must fall in its argument.
    scale
        What the effect measures; z_against is asked only for effects within `scale.limits`.
    better
        Whether a higher or a lower effect favours the experimental arm.
    null_value
        The effect under the null hypothesis.

    Raises
    ------
    InputError
        When an attribute is of another kind, or z_against does not give a number.
    """

    z_against: Callable[[float], float]
    scale: Scale = Scale.MEAN_DIFFERENCE
    better: Better = "higher"
    null_value: float = 0.0

    def __post_init__(self) -> None:
        if isinstance(self.z_against, type) or not callable(self.z_against):
            raise InputError("z_against", self.z_against, "a function of the effect that gives a normal score")
        instance("scale", self.scale, Scale, "a Scale such as Scale.MEAN_DIFFERENCE")
        if not isinstance(self.better, str) or self.better not in ("higher", "lower"):
            raise InputError("better", self.better, "'higher' or 'lower'")
        low, high = self.scale.limits
        null = number("null_value", self.null_value)
        if not low < null < high:
            raise InputError("null_value", self.null_value, f"an effect between {low:g} and {high:g}")
        object.__setattr__(self, "null_value", null)

    @property
    def favourable_z(self) -> float:
        """Normal score of the test of no effect, positive where the data favour the experimental arm."""
        expected = "a number: the normal score of the test of no effect"
        z = number("z_against(null_value)", self.z_against(self.null_value), expected, infinite=True)
        return z if self.better == "higher" else -z

    def possible(self, effect: float) -> float:
        """The nearest effect that the scale allows."""
        low, high = self.scale.limits
        return min(max(number("effect", effect, "a number", infinite=True), low), high)


Stage = Estimate | StageTest | float
_KINDS = "an Estimate, a StageTest or a one-sided p-value (above 0 and at most 1) for each stage"


def as_stages(stages: Stage | Iterable[Stage]) -> list[Stage]:
    """The stages as a list; a single one counts as one stage.

    Raises
    ------
    InputError
        When one is of another kind, or a p-value is not above 0 and at most 1.
    """
    if isinstance(stages, (Estimate, StageTest)) or not isinstance(stages, Iterable):
        given: list[Any] = [stages]
    elif isinstance(stages, str | bytes | dict | set | frozenset | type):
        raise InputError("stages", stages, _KINDS)
    else:
        try:
            given = list(stages)
        except TypeError:
            raise InputError("stages", stages, _KINDS) from None
    for stage in given:
        if isinstance(stage, (Estimate, StageTest)):
            continue
        number("stages", stage, _KINDS)
        if not 0 < stage <= 1:
            raise InputError("stage p-value", stage, "a number above 0 and at most 1")
    return given


def stage_estimates(cumulative: Estimate | Sequence[Estimate]) -> list[Estimate]:
    """Estimates of each stage alone from cumulative ones, by independent increments of the score.

    With cumulative information I_k and estimate e_k, stage k has information I_k - I_{k-1} and estimate
    (I_k e_k - I_{k-1} e_{k-1}) / (I_k - I_{k-1}) (Wassmer & Brannath 2016, section 7.2; for the log-rank test Wassmer
    2006, Biom J 48:714). Degrees of freedom do not split: they are kept at the first stage only, so prefer
    estimates from the data of each stage where those can be had.

    Raises
    ------
    InputError
        When one is no Estimate, they differ in scale, direction or null value, or information does not rise.
    """
    given = [cumulative] if isinstance(cumulative, Estimate) else cumulative
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise InputError("cumulative", cumulative, "an Estimate for each look")
    for one in given:
        instance("cumulative", one, Estimate, "an Estimate for each look")
    _alike("cumulative", given)
    stages: list[Estimate] = []
    before: Estimate | None = None
    for now in given:
        if before is None:
            stages.append(now)
        else:
            gained = now.information - before.information
            if not gained > 0:
                raise InputError("cumulative", now.standard_error, "standard errors that fall from look to look")
            effect = (now.information * now.effect - before.information * before.effect) / gained
            stages.append(Estimate(effect, gained**-0.5, math.inf, now.scale, now.better, now.null_value, now.label))
        before = now
    return stages


def _alike(field: str, stages: Sequence[Estimate | StageTest]) -> None:
    if name := differing(stages):
        values = sorted({getattr(stage, name) for stage in stages})
        raise InputError(f"{field}.{name}", values, "the same at every stage")


class StageEffects:
    """Hypothesised effects, measured in the favourable direction from the null value."""

    def __init__(self, stages: Sequence[Estimate | StageTest]) -> None:
        given = as_stages(stages)
        self.stages = stages = [stage for stage in given if isinstance(stage, (Estimate, StageTest))]
        if not stages or len(stages) < len(given):
            raise InputError("stages", given, "an Estimate or StageTest for each stage")
        _alike("stages", stages)
        first = stages[0]
        self.scale, self.null = first.scale, first.null_value
        self.sign = 1.0 if first.better == "higher" else -1.0
        estimates = [stage for stage in stages if isinstance(stage, Estimate)]
        self.bounded = len(estimates) < len(stages) and math.isfinite(self.scale.limits[1])
        total = sum(estimate.information for estimate in estimates)
        self.unit = total**-0.5 if total else 1.0
        mean = sum(estimate.information * estimate.effect for estimate in estimates) / total if total else self.null
        self.centre = self.sign * (mean - self.null)

    def natural(self, effect: float) -> float:
        """An effect as the stages measure it."""
        return self.stages[0].possible(self.null + self.sign * effect)

    def interval(self, best: float, worst: float, level: float) -> Interval:
        """The interval between two effects."""
        ends = sorted((self.natural(best), self.natural(worst)))
        return Interval(ends[0], ends[1], level)

    def scores(self, effect: float) -> Array:
        """Favourable z of each stage against an effect."""
        value = self.null + self.sign * effect
        return np.array([self.sign * stage.z_against(value) for stage in self.stages])

    def means(self, effect: float) -> Array:
        """Mean of each stage's favourable z under an effect; of a `StageTest`, the loss of z when held against it."""
        value = self.null + self.sign * effect
        return np.array(
            [
                effect / stage.standard_error
                if isinstance(stage, Estimate)
                else stage.favourable_z - self.sign * stage.z_against(value)
                for stage in self.stages
            ]
        )

    def solve(self, excess: Callable[[float], float]) -> float:
        """Where a function that rises in the effect crosses zero; the end of the scale where it does not."""
        if not self.bounded:
            return self.centre + self.unit * rising_root(lambda x: excess(self.centre + self.unit * x), 0.0)
        low, high = sorted(self.sign * (limit - self.null) for limit in self.scale.limits)
        middle, half = (low + high) / 2, (high - low) / 2 * (1 - 1e-9)
        if excess(middle - half) >= 0:
            return low
        if excess(middle + half) <= 0:
            return high
        root = rising_root(lambda x: excess(middle + half * math.tanh(x)), 0.0)
        return middle + half * math.tanh(root)
