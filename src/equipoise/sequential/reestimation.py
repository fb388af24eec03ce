"""Sample size chosen again at an interim look, for a conditional power within limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..checks import instance, number
from ..errors import InputError
from ..estimate import Estimate
from .roots import rising_root
from .stages import Stage, as_stages
from .stagewise import CombinationTest

__all__ = ["Reestimation", "reestimate"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reestimation:
    """Information to gather in the stages to come.

    Attributes
    ----------
    information
        In all of them together, 1 / standard error^2 of the effect from their data alone.
    per_stage
        The same stage by stage.
    conditional_power
        With that information.
    at_minimum, at_maximum
        Conditional power at the limits.
    reaches_target
        Whether the target lies within the limits; if not, `information` is the limit nearest to it.
    """

    information: float
    per_stage: tuple[float, ...]
    conditional_power: float
    at_minimum: float
    at_maximum: float
    reaches_target: bool

    def __str__(self) -> str:
        note = "" if self.reaches_target else " (the target is out of reach within the limits)"
        if not self.reaches_target and self.at_minimum == self.conditional_power:
            note = " (the least allowed; the target is exceeded)"
        return f"Information {self.information:.4g} to come, conditional power {self.conditional_power:.4f}{note}"


def reestimate(
    test: CombinationTest,
    stages: Sequence[Stage],
    effect: float | None = None,
    *,
    target: float = 0.9,
    minimum: float = 0.0,
    maximum: float = math.inf,
) -> Reestimation:
    """Information the stages to come need for a conditional power of `target`, within limits.

    The weights of `test` stay as planned, so that its type I error holds however the stages to come were sized
    (Cui, Hung & Wang 1999, Biometrics 55:853; Lehmacher & Wassmer 1999, Biometrics 55:1286).

    Parameters
    ----------
    test
        The combination test.
    stages
        The stages so far: estimates, or p-values in favour of the experimental arm.
    effect
        Assumed: its distance from the null value, positive in favour of the experimental arm, on the scale of the
        information. By default the one observed, the estimates pooled by information.
    target
        Conditional power aimed at: of rejecting at any look to come.
    minimum, maximum
        Of the information in all stages to come together, which share it as planned.

    Raises
    ------
    InputError
        When an argument is of another kind, a limit is out of range, no stage is left, no effect can be observed in
        p-values, or the target needs infinite information.
    """
    from scipy.special import ndtri

    instance("test", test, CombinationTest, "a combination test such as InverseNormal(design)")
    stages = as_stages(stages)
    if test.looks - len(stages) < 1:
        raise InputError("stages", len(stages), f"fewer stages than the {test.looks} planned")
    target = number("target", target, "a conditional power between 0 and 1")
    minimum = number("minimum", minimum, "a finite number of at least 0")
    maximum = number(
        "maximum", maximum, "a number above 0, not below the minimum; infinite for no limit", infinite=True
    )
    if not 0 < target < 1:
        raise InputError("target", target, "a conditional power between 0 and 1")
    if not 0 <= minimum < math.inf:
        raise InputError("minimum", minimum, "a finite number of at least 0")
    if not maximum >= minimum or maximum == 0:
        raise InputError("maximum", maximum, "a number above 0, not below the minimum")
    if effect is None:
        effect = _observed(stages)
    effect = number("effect", effect)
    shares = np.diff(test.information, prepend=0.0)[len(stages) :]
    shares = shares / shares.sum()

    def power(information: float) -> float:
        return float(test.conditional_power(stages, effect * np.sqrt(shares * information))[-1])

    at_minimum = power(minimum)
    furthest = maximum if math.isfinite(maximum) else (40.0 / max(abs(effect), 1e-150) / math.sqrt(shares.min())) ** 2
    at_maximum = power(furthest)

    def result(information: float, attained: float, reaches: bool) -> Reestimation:
        per_stage = tuple((shares * information).tolist())
        return Reestimation(information, per_stage, attained, at_minimum, at_maximum, reaches)

    if at_minimum >= target:
        return result(minimum, at_minimum, at_minimum == target)
    if at_maximum < target:
        if math.isinf(maximum):
            raise InputError("maximum", maximum, f"a finite limit, for under effect {effect:g} no information suffices")
        return result(maximum, at_maximum, False)
    goal = float(ndtri(target))
    slope = abs(effect) * math.sqrt(shares[-1])
    guess = max((goal - float(ndtri(max(at_minimum, 1e-12)))) / slope + math.sqrt(minimum), math.sqrt(minimum))

    def excess(root: float) -> float:
        inside = min(max(root * slope, 0.0), math.sqrt(furthest) * slope)
        return float(ndtri(power((inside / slope) ** 2))) - goal

    root = rising_root(excess, min(guess, math.sqrt(furthest)), slope)
    information = min(max(root, 0.0) ** 2, maximum)
    return result(information, power(information), True)


def _observed(stages: Sequence[Stage]) -> float:
    estimates = [stage for stage in stages if isinstance(stage, Estimate)]
    if not estimates or len(estimates) < len(stages):
        raise InputError("effect", None, "an assumed effect, for stages given as p-values do not tell one")
    total = sum(estimate.information for estimate in estimates)
    gained = sum(estimate.information * (estimate.effect - estimate.null_value) for estimate in estimates)
    return gained / total if estimates[0].better == "higher" else -gained / total
