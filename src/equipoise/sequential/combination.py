"""The inverse normal combination test: a group-sequential rule that keeps its level whatever later stages become."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..checks import instance, number, numbers
from ..errors import InputError
from ..text_table import text_table
from .decision import Decision, decide
from .design import GroupSequential
from .nested import at_level, nested
from .region import Region
from .stages import Stage
from .stagewise import CombinationTest

__all__ = ["InverseNormal"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InverseNormal(CombinationTest):
    """Stages combined as Z_k = sum w_j z_j / sqrt(sum w_j^2), j = 1..k, with weights fixed beforehand.

    Lehmacher & Wassmer 1999, Biometrics 55:1286; Cui, Hung & Wang 1999, Biometrics 55:853. Under no effect the Z_k
    are distributed as the z-values of a group-sequential trial with information proportional to the cumulative squared
    weights, whatever the sizes of the later stages and however they were chosen. If stages have the planned sizes the
    test is the group-sequential one.

    Parameters
    ----------
    design
        Bounds for Z_k, one-sided or two-sided.
    weights
        One a stage, positive; only ratios matter. By default the square roots of the planned increments of information.
        With others the design is that of the same rule at information fractions that match them.

    Raises
    ------
    InputError
        When weights do not fit, or the design is two-sided with a binding futility bound.
    """

    design: GroupSequential
    weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        instance("design", self.design, GroupSequential, "a GroupSequential design")
        if self.design.sided == 2 and self.design.binding and self.design.futility is not None:
            raise InputError(
                "design.binding", True, "False: two-sided combination tests keep their level without futility"
            )
        if self.weights is None:
            increments = np.diff(self.design.information, prepend=0.0)
            object.__setattr__(self, "weights", tuple(np.sqrt(increments).tolist()))
            return
        looks = self.design.looks
        right = f"{looks} positive numbers, one a stage" if looks > 1 else "1 positive number"
        weights = numbers("weights", self.weights, right)
        if weights.size != looks or not np.all(weights > 0):
            raise InputError("weights", self.weights, right)
        times = np.cumsum(np.square(weights / weights.max()))
        times /= times[-1]
        if not np.all(np.diff(times, prepend=0.0) > 0):
            raise InputError("weights", self.weights, "weights of which none vanishes beside the others")
        object.__setattr__(self, "weights", tuple(np.sqrt(np.diff(times, prepend=0.0)).tolist()))
        if not np.allclose(times, self.design.information, rtol=0, atol=1e-14):
            try:
                design = replace(self.design, information=tuple(times.tolist()))
            except InputError as error:
                if error.field != "information":
                    raise
                raise InputError("weights", self.weights, "weights of which none vanishes beside the others") from None
            object.__setattr__(self, "design", design)

    @property
    def looks(self) -> int:
        """Number of stages planned."""
        return self.design.looks

    @property
    def information(self) -> tuple[float, ...]:
        """Planned information fractions, in proportion to the cumulative squared weights."""
        return self.design.information

    @property
    def level(self) -> float:
        """Type I error of one side."""
        return self.design.level

    @property
    def sided(self) -> int:
        """1, or 2 for symmetric bounds."""
        return self.design.sided

    @property
    def thresholds(self) -> Array:
        """Bounds on Z_k, shape (looks,)."""
        return self.design.efficacy_bounds

    @cached_property
    def _nested(self) -> GroupSequential:
        return nested(self.design)

    @property
    def attained_level(self) -> float:
        """Type I error of one side that the bounds spend in all; below `level` only where they are fixed in full."""
        return self._nested.level

    def thresholds_at(self, level: float) -> Array:
        """Bounds on Z_k of the same rule at another one-sided level, futility left out; shape (looks,)."""
        return at_level(self._nested, self._one_sided(level)).efficacy_bounds

    def evidence(self, scores: Array) -> float:
        """Z_k of the stages with these favourable z, shape (stages so far,)."""
        scores = self._so_far(scores)
        weights = np.array(self.weights)[: scores.size]
        return float(weights @ scores) / float(np.linalg.norm(weights))

    def shown(self, evidence: float) -> float:
        """Z_k itself."""
        return number("evidence", evidence, "a number", infinite=True)

    @property
    def _respects_futility(self) -> bool:
        return self.design.binding

    def decide(self, stages: Sequence[Stage]) -> Decision:
        """What the rule says after the latest of `stages`."""
        scores = self._some(stages)
        index = scores.size - 1
        futility = None if self.design.futility_bounds is None else float(self.design.futility_bounds[index])
        return decide(
            self.design, self.evidence(scores), float(self.thresholds[index]), futility, index + 1 == self.looks
        )

    def _region(self, means: Array) -> Region:
        """Where Z_k less its mean has to stay, for stages whose z have `means` (stages,), as many looks as those."""
        weights = np.array(self.weights)[: means.size]
        region = self.design.region(self.design.binding).first(means.size)
        shift = np.cumsum(weights * means) / np.sqrt(np.cumsum(weights**2))
        return Region(region.information, region.lower - shift, region.upper - shift)

    def tail(self, scores: Array, means: Array, evidence: float) -> float:
        """Probability of an outcome at least as high as this one in the stage-wise ordering, under an effect.

        Exact under no effect, and under any effect for one or two looks, or as long as the sizes of all stages but the
        last do not depend on the data; later it takes the sizes of the stages as given (Wassmer & Brannath 2016,
        section 8.3). An `Adaptation` is exact for more looks.

        Parameters
        ----------
        scores, means, evidence
            As in `CombinationTest.tail`.
        """
        scores, means = self._so_far(scores), self._means_of(scores, means)
        region = self._region(means)
        region.upper[-1] = number("evidence", evidence, "a number", infinite=True)
        return float(region.exit_probabilities(np.zeros(1)).upper.sum())

    def conditional_power(self, stages: Sequence[Stage], means: Sequence[float] | Array) -> Array:
        """Probability of rejecting in favour of the experimental arm by each later look, given the stages so far.

        Parameters
        ----------
        stages
            The stages so far, fewer than planned.
        means
            Mean of z of each stage to come, effect * sqrt(information of the stage), in order; shape (stages to come,).
            Fewer means answer for as many looks; a number counts as one.

        Returns
        -------
        Cumulative over the looks to come, of the shape of `means`. Futility bounds count if they are binding.
        """
        scores = self.scores(stages)
        ahead = self._ahead(scores, means)
        if np.any(scores == -math.inf):
            return np.zeros(ahead.size)
        region = self._region(np.concatenate((np.zeros(scores.size), ahead)))
        if scores.size:
            weights = np.array(self.weights)[: scores.size]
            region = region.after(float(region.information[scores.size - 1]), float(weights @ scores))
        return np.minimum(np.cumsum(region.exit_probabilities(np.zeros(1)).upper[0]), 1.0)

    def __str__(self) -> str:
        stages = f"{self.looks} stage{'s' * (self.looks > 1)}"
        sides = "one-sided" if self.sided == 1 else "two-sided"
        rows = [
            [str(look + 1), f"{weight:.4f}", f"{bound:.4f}"]
            for look, (weight, bound) in enumerate(zip(self.weights or (), self.thresholds, strict=True))
        ]
        return "\n".join(
            [
                f"Inverse normal combination test, {stages}, {sides} alpha {self.design.alpha:g}",
                f"Efficacy: {self.design.efficacy.name}",
                text_table(["stage", "weight", "efficacy z"], rows),
            ]
        )

    __repr__ = __str__
