"""Adaptive two-arm trials: what every test that combines independent stages has in common.

The data of a stage are summarised by its own p-value, of the patients (or events) of that stage alone. Under no effect
it is uniform whatever was decided from the stages before, so a rule for combining p-values that was fixed beforehand
keeps its type I error however the later stages were redesigned (Bauer & Köhne 1994, Biometrics 50:1029; Brannath,
Posch & Bauer 2002, JASA 97:236). A stage p-value enters as its normal score z = Phi^-1(1 - p), positive in favour of
the experimental arm.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..checks import number, numbers, whole
from ..errors import InputError
from ..estimate import Estimate, Interval, Scale
from ..plain import plain
from .decision import Decision
from .effects import effects_table, interval_dict
from .nested import smallest_level
from .stages import Stage, StageEffects, StageTest, as_stages

__all__ = ["CombinationConclusion", "CombinationTest"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CombinationConclusion:
    """What an adaptive trial shows after a stage.

    Effects are on the scale and with the sign of the stage estimates (ratios as natural logarithms); they are None
    where only p-values were given. Results of the stage-wise ordering are None while the trial continues.

    Attributes
    ----------
    look
        The look, from 1: the number of stages combined.
    decision
        What the rule says.
    stage_p_values
        One-sided in favour of the experimental arm, one for each stage.
    statistic, critical_value
        The combined statistic and its bound at this look, on the scale of the test (z, or product of p-values).
    conditional_rejection_probability
        Under no effect, of rejecting at a later look, were the trial to go on; None at the last look.
    repeated_p_value, repeated_interval
        Valid at every look, whether or not the rule is followed. Level 1 - alpha when two-sided, 1 - 2 alpha when
        one-sided.
    p_value, median_unbiased, interval
        After stopping, by the stage-wise ordering; level as above. Estimates where the rule offers them.
    """

    look: int
    decision: Decision
    stage_p_values: tuple[float, ...]
    statistic: float
    critical_value: float
    conditional_rejection_probability: float | None
    repeated_p_value: float | None
    repeated_interval: Interval | None
    p_value: float | None
    median_unbiased: float | None
    interval: Interval | None
    scale: Scale | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for an infinite bound or limit, and for what is not known."""
        return {
            "look": self.look,
            "decision": str(self.decision),
            "stage_p_values": list(self.stage_p_values),
            "statistic": plain(self.statistic),
            "critical_value": plain(self.critical_value),
            "conditional_rejection_probability": self.conditional_rejection_probability,
            "repeated_p_value": self.repeated_p_value,
            "repeated_interval": interval_dict(self.repeated_interval),
            "p_value": self.p_value,
            "median_unbiased": self.median_unbiased,
            "interval": interval_dict(self.interval),
            "scale": None if self.scale is None else str(self.scale),
        }

    def __str__(self) -> str:
        def number(value: float | None) -> str:
            return "-" if value is None else format(value, ".4g")

        lines = [
            f"Look {self.look}: {self.decision}",
            "stage p = " + ", ".join(format(p, ".4g") for p in self.stage_p_values),
            f"combined {self.statistic:.4g}, critical value {self.critical_value:.4g}",
            f"p = {number(self.p_value)} (stage-wise ordering), repeated p = {number(self.repeated_p_value)}",
        ]
        if self.conditional_rejection_probability is not None:
            lines.append(f"conditional rejection probability {self.conditional_rejection_probability:.4g}")
        if self.scale is not None and self.repeated_interval is not None:
            level = f"{100 * self.repeated_interval.level:g} %"
            lines.append(
                effects_table(
                    self.scale,
                    [
                        (f"median-unbiased, {level}", self.median_unbiased, self.interval),
                        (f"repeated interval, {level}", None, self.repeated_interval),
                    ],
                )
            )
        return "\n".join(lines)

    __repr__ = __str__


class CombinationTest(ABC):
    """A rule that combines independent stages; a new rule is the abstract members below.

    Every method takes `stages`, one for each stage so far: an `Estimate` from that stage's data alone, a `StageTest`,
    or a one-sided p-value in favour of the experimental arm; a single one counts as the first stage. The evidence that
    a rule accumulates is a number that rises in every stage's z, and the trial rejects when it reaches the threshold of
    the look.
    """

    information: Any
    """Planned information fractions, (looks,); a tuple of numbers."""

    @property
    @abstractmethod
    def looks(self) -> int:
        """Number of stages planned."""

    @property
    @abstractmethod
    def level(self) -> float:
        """Type I error of one side."""

    @property
    def attained_level(self) -> float:
        """What of it the rule spends in all."""
        return self.level

    @property
    def sided(self) -> int:
        """1, or 2 for a rule that also stops for harm."""
        return 1

    @property
    @abstractmethod
    def thresholds(self) -> Array:
        """Evidence that rejects at each look, shape (looks,)."""

    @abstractmethod
    def evidence(self, scores: Array) -> float:
        """Evidence of the stages with these favourable z, shape (stages so far,)."""

    @abstractmethod
    def shown(self, evidence: float) -> float:
        """Evidence, or a threshold, on the scale the field writes it."""

    @abstractmethod
    def thresholds_at(self, level: float) -> Array:
        """Thresholds of the same rule at another one-sided level, futility left out; shape (looks,)."""

    @abstractmethod
    def decide(self, stages: Sequence[Stage]) -> Decision:
        """What the rule says after the latest of `stages`."""

    @abstractmethod
    def tail(self, scores: Array, means: Array, evidence: float) -> float:
        """Probability of an outcome at least as high as this one in the stage-wise ordering, under an effect.

        Upward stops are highest, the earliest highest of all and those of one look by the evidence.

        Parameters
        ----------
        scores
            Favourable z of each stage against that effect; their number is the look.
        means
            Mean of each stage's favourable z (of the test of no effect) under that effect; zero under no effect.
        evidence
            That of `scores`.
        """

    def orders_effects(self, look: int) -> bool:
        """Whether `tail` is offered at a look, from 1, for means other than zero: for estimates after stopping."""
        return 1 <= whole("look", look) <= self.looks

    @abstractmethod
    def conditional_power(self, stages: Sequence[Stage], means: Sequence[float] | Array) -> Array:
        """Probability of rejecting by each later look, given the stages so far.

        Parameters
        ----------
        stages
            The stages so far, at least none and fewer than planned.
        means
            Mean of z of each stage to come, effect * sqrt(information of the stage), in order; shape (stages to come,).

        Returns
        -------
        Cumulative over the looks to come, shape (stages to come,).
        """

    def conditional_rejection_probability(self, stages: Sequence[Stage]) -> float:
        """Probability under no effect of rejecting (in favour of the experimental arm) at a later look.

        It is computed as if the trial went on, whether or not this look has crossed its bound.
        """
        given = as_stages(stages)
        left = self.looks - len(given)
        if left < 1:
            raise InputError("stages", len(given), f"fewer stages than the {self.looks} planned")
        return float(self.conditional_power(given, np.zeros(left))[-1])

    def scores(self, stages: Sequence[Stage]) -> Array:
        """Favourable z of each stage, shape (stages,).

        Raises
        ------
        InputError
            When there are more stages than planned, one is of another kind, or a p-value is not above 0 and at most 1.
        """
        from scipy.special import ndtri

        given = as_stages(stages)
        if len(given) > self.looks:
            many = f"{self.looks} stages" if self.looks > 1 else "1 stage"
            raise InputError("stages", len(given), f"at most {many}, as planned")
        scores = [
            stage.favourable_z if isinstance(stage, (Estimate, StageTest)) else -float(ndtri(stage)) for stage in given
        ]
        return np.array(scores, dtype=np.float64)

    def statistics(self, stages: Sequence[Stage]) -> Array:
        """The combined statistic after each stage so far, shape (stages,)."""
        scores = self.scores(stages)
        return np.array([self.shown(self.evidence(scores[: look + 1])) for look in range(scores.size)])

    @property
    def critical_values(self) -> Array:
        """Bound on the combined statistic at each look, shape (looks,)."""
        return np.array([self.shown(float(threshold)) for threshold in self.thresholds])

    def repeated_p_value(self, stages: Sequence[Stage]) -> float:
        """Smallest alpha (over both sides when two-sided) at which the rule would reject at this look.

        Valid at every look. At most the number of sides / 2; below 1e-300 it is given as that.
        """
        from scipy.special import ndtr, ndtri

        scores = self._some(stages)
        evidence = self.evidence(scores)
        if self.sided == 2:
            evidence = max(evidence, self.evidence(-scores))
        look = scores.size - 1

        def excess(level: float) -> float:
            return evidence - float(self.thresholds_at(level)[look])

        guess = float(ndtr(float(ndtri(self.level)) - 0.5 * excess(self.level)))
        return self.sided * smallest_level(excess, min(max(guess, 1e-300), 0.49))

    def repeated_interval(self, stages: Sequence[Estimate | StageTest]) -> Interval:
        """Effects that the rule would not reject at this look, were it used to test them; valid at every look.

        Jennison & Turnbull 1989, JRSS B 51:305; for combination tests Lehmacher & Wassmer 1999, Biometrics 55:1286.
        """
        look = self._some(stages).size
        effects = StageEffects(stages)
        threshold = float(self.thresholds_at(self.attained_level)[look - 1])
        if math.isinf(threshold):
            return effects.interval(math.inf, -math.inf, 1 - 2 * self.level)
        worst = effects.solve(lambda effect: threshold - self.evidence(effects.scores(effect)))
        best = effects.solve(lambda effect: self.evidence(-effects.scores(effect)) - threshold)
        return effects.interval(best, worst, 1 - 2 * self.level)

    def conclude(self, stages: Sequence[Stage]) -> CombinationConclusion:
        """What may be said after the latest of `stages`.

        Raises
        ------
        InputError
            When an earlier stage had already stopped the trial, or the stages differ in scale, direction or null value.
        """
        from scipy.special import ndtr

        stages = as_stages(stages)
        scores = self._some(stages)
        look = scores.size
        for before in range(1, look):
            decision = self.decide(stages[:before])
            if decision.stops and not (decision is Decision.FUTILITY and not self._respects_futility):
                raise InputError(f"stage {before}", decision.value, "a stage after which the trial continues")
        decision = self.decide(stages)
        evidence = self.evidence(scores)
        estimated = [stage for stage in stages if isinstance(stage, (Estimate, StageTest))]
        effects = StageEffects(estimated) if len(estimated) == look else None
        p_value = median = interval = None
        if decision.stops:
            p_value = self._final_p_value(scores, evidence)
            if effects is not None and self.orders_effects(look):
                median, worst, best = (self._effect_at(effects, p) for p in (0.5, self.level, 1 - self.level))
                median, interval = effects.natural(median), effects.interval(best, worst, 1 - 2 * self.level)
        return CombinationConclusion(
            look=look,
            decision=decision,
            stage_p_values=tuple(float(p) for p in ndtr(-scores)),
            statistic=self.shown(evidence),
            critical_value=self.shown(float(self.thresholds[look - 1])),
            conditional_rejection_probability=(
                self.conditional_rejection_probability(stages) if look < self.looks else None
            ),
            repeated_p_value=self.repeated_p_value(stages),
            repeated_interval=None if effects is None else self.repeated_interval(estimated),
            p_value=p_value,
            median_unbiased=median,
            interval=interval,
            scale=None if effects is None else effects.scale,
        )

    @property
    def _respects_futility(self) -> bool:
        return False

    def _final_p_value(self, scores: Array, evidence: float) -> float:
        none = np.zeros(scores.size)
        tail = self.tail(scores, none, evidence)
        return tail if self.sided == 1 else min(1.0, 2 * min(tail, self.tail(-scores, none, self.evidence(-scores))))

    def _effect_at(self, effects: StageEffects, probability: float) -> float:
        """Effect under which an outcome at least as high has this probability."""
        from scipy.special import ndtri

        target = float(ndtri(probability))

        def excess(effect: float) -> float:
            against = effects.scores(effect)
            tail = self.tail(against, effects.means(effect), self.evidence(against))
            return float(ndtri(min(max(tail, 0.0), 1.0))) - target

        return effects.solve(excess)

    def _some(self, stages: Sequence[Stage]) -> Array:
        scores = self.scores(stages)
        if not scores.size:
            raise InputError("stages", [], "at least one stage")
        return scores

    def _so_far(self, scores: Array) -> Array:
        """Favourable z as somebody gave them, checked."""
        right = f"a z-value for each of 1 to {self.looks} stages" if self.looks > 1 else "a z-value for the one stage"
        given = numbers("scores", scores, right, infinite=True)
        if not 1 <= given.size <= self.looks:
            raise InputError("scores", scores, right)
        return given

    def _means_of(self, scores: Array, means: Array) -> Array:
        """Means of those z, checked."""
        right = "a finite mean for each of the scores"
        given = numbers("means", means, right)
        if not given.size or given.size != np.size(scores):
            raise InputError("means", means, right)
        return given

    def _ahead(self, scores: Array, means: Sequence[float] | Array) -> Array:
        """Means of the stages to come, checked."""
        left = self.looks - scores.size
        if not left:
            raise InputError("stages", scores.size, f"fewer stages than the {self.looks} planned")
        right = (
            f"a finite mean for each of {left} stages to come" if left > 1 else "a finite mean for the stage to come"
        )
        given = numbers("means", means, right)
        if not 0 < given.size <= left:
            raise InputError("means", means, right)
        return given

    def _one_sided(self, level: float) -> float:
        """A one-sided level, checked."""
        right = "a one-sided level between 0 and 0.5"
        if not 0 < number("level", level, right) < 0.5:
            raise InputError("level", level, right)
        return float(level)
