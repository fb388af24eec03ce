"""Fisher's combination test: stages combined as the product of their p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real

import numpy as np
import numpy.typing as npt

from ..checks import flag, number, numbers, whole
from ..errors import InputError
from ..text_table import text_table
from .decision import Decision
from .roots import rising_root
from .shifted_product import shifted_tail
from .stages import Stage
from .stagewise import CombinationTest
from .weighted_product import first_passages, power

__all__ = ["FisherCombination"]

Array = npt.NDArray[np.float64]
_METHODS = ("equal alpha", "full alpha", "no interaction", "user alpha")


@dataclass(frozen=True)
class FisherCombination(CombinationTest):
    """Reject at look k when p_1^g_1 ... p_k^g_k <= c_k (Bauer & Köhne 1994, Biometrics 50:1029; Wassmer 1999).

    Wassmer 1999, Biom J 41:279; Wassmer & Brannath 2016, section 6.3. One-sided. The exponents are g_k =
    sqrt((t_k - t_{k-1}) / t_1), t the planned information fractions: 1 throughout for stages of equal size.

    Parameters
    ----------
    information
        Planned information fractions: above 0, rising, the last 1.
    alpha
        One-sided type I error.
    method
        "equal alpha": the same level, of the test of the product alone, at every look. "full alpha": that level is
        alpha at the last look and c_k = c_K before it, which only stops where the product could not recover (Bauer &
        Köhne 1994 for two stages). "no interaction": c_K as without early stops, c_k = c_{k+1} / alpha0_k^g_{k+1} in
        between, and c_1 such that alpha is used up; for two stages Bauer & Köhne's test with a futility bound.
        "user alpha": alpha spent as given.
    alpha0
        Stop for futility at look k when p_k >= alpha0_k; one a look but the last, or one for all.
    binding
        Whether the futility stops are obligatory and may be used to reject more often.
    cumulative_alpha
        For "user alpha": cumulative alpha at each look, never falling, the last `alpha`.

    Raises
    ------
    InputError
        When a parameter is out of range, or the method does not fit the others.
    """

    information: tuple[float, ...] = (0.5, 1.0)
    alpha: float = 0.025
    method: str = "equal alpha"
    alpha0: tuple[float, ...] | float | None = None
    binding: bool = False
    cumulative_alpha: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        right = "information fractions above 0, rising, the last 1"
        fractions = tuple(numbers("information", self.information, right).tolist())
        if not fractions or not np.all(np.diff((0.0, *fractions)) > 0) or fractions[-1] != 1:
            raise InputError("information", self.information, right)
        object.__setattr__(self, "information", fractions)
        alpha = number("alpha", self.alpha, "a number between 0 and 0.5")
        if not 0 < alpha < 0.5:
            raise InputError("alpha", self.alpha, "a number between 0 and 0.5")
        object.__setattr__(self, "alpha", alpha)
        if not isinstance(self.method, str) or self.method not in _METHODS:
            raise InputError("method", self.method, "one of " + ", ".join(_METHODS))
        object.__setattr__(self, "binding", flag("binding", self.binding))
        interim = len(fractions) - 1
        if self.alpha0 is not None:
            right = f"{interim} numbers above alpha and at most 1, one a look but the last, or one for all"
            if interim == 1:
                right = "a number above alpha and at most 1, for the first look"
            elif not interim:
                right = "None, for there is no look but the last"
            if isinstance(self.alpha0, Real):
                given = np.full(interim, number("alpha0", self.alpha0, right))
            else:
                given = numbers("alpha0", self.alpha0, right)
            if not interim or given.size != interim or not np.all((given > alpha) & (given <= 1)):
                raise InputError("alpha0", self.alpha0, right)
            object.__setattr__(self, "alpha0", tuple(given.tolist()))
        if self.binding and self.alpha0 is None:
            raise InputError("alpha0", None, "p-values at which to stop for futility, for that is to be binding")
        if self.method == "no interaction" and not (self.binding and interim):
            raise InputError(
                "binding", self.binding, "True and more than one look, for 'no interaction' counts on alpha0"
            )
        if (self.method == "user alpha") != (self.cumulative_alpha is not None):
            raise InputError("cumulative_alpha", self.cumulative_alpha, "cumulative alpha for 'user alpha', else None")
        if self.cumulative_alpha is not None:
            right = f"{len(fractions)} numbers from 0 to alpha, never falling, some left for the last look"
            if not interim:
                right = "alpha alone, for there is but one look"
            spent = numbers("cumulative_alpha", self.cumulative_alpha, right)
            steps = np.diff(spent, prepend=0.0)
            fits = len(spent) == len(fractions) and bool(np.all(steps >= 0)) and steps[-1] > 0
            if not fits or not math.isclose(spent[-1], self.alpha):
                raise InputError("cumulative_alpha", self.cumulative_alpha, right)
            object.__setattr__(self, "cumulative_alpha", tuple(spent.tolist()))

    @property
    def looks(self) -> int:
        """Number of stages planned."""
        return len(self.information)

    @property
    def level(self) -> float:
        """One-sided type I error."""
        return self.alpha

    @cached_property
    def exponents(self) -> Array:
        """g_k, shape (looks,)."""
        increments = np.diff(self.information, prepend=0.0)
        ratios = np.sqrt(increments / increments[0])
        return np.where(np.abs(ratios - 1) < 1e-12, 1.0, ratios)

    @cached_property
    def _floors(self) -> Array:
        """Evidence of a stage at or below which a binding rule stops for futility, shape (looks,)."""
        floors = np.zeros(self.looks)
        if self.binding and isinstance(self.alpha0, tuple):
            floors[:-1] = -np.log(self.alpha0) * self.exponents[:-1]
        return floors

    @cached_property
    def thresholds(self) -> Array:
        """-log of the critical products, shape (looks,)."""
        if self.method == "full alpha":
            return np.full(self.looks, self._constant(self.looks, self.alpha, self._floors))
        if self.method == "user alpha":
            return self._spending()
        if self.method == "no interaction":
            return self._without_interaction()

        def at(log_level: float) -> Array:
            level = math.exp(log_level)
            return np.array([self._constant(look, level, np.zeros(look)) for look in range(1, self.looks + 1)])

        def excess(log_level: float) -> float:
            return math.log(self._total(at(log_level)) / self.alpha)

        return at(rising_root(excess, math.log(self.alpha) - 0.4 * math.log(self.looks), tolerance=1e-14))

    def _total(self, thresholds: Array) -> float:
        return float(
            first_passages(self.exponents[: thresholds.size], thresholds, self._floors[: thresholds.size]).sum()
        )

    def _constant(self, looks: int, level: float, floors: Array) -> float:
        """Threshold that, the same at each of the first looks, is reached with probability `level`."""
        from scipy.special import gammainccinv

        exponents = self.exponents[:looks]
        equal = float(gammainccinv(looks, level))
        if np.all(exponents == 1) and not floors.any():
            return equal

        def excess(threshold: float) -> float:
            passed = first_passages(exponents, np.full(looks, threshold), floors).sum()
            return math.log(level / passed)

        return rising_root(excess, equal * float(exponents.mean()), tolerance=1e-14)

    def _spending(self) -> Array:
        steps = np.diff(self.cumulative_alpha or (), prepend=0.0)
        thresholds = np.full(self.looks, math.inf)
        for look, step in enumerate(steps):
            if step <= 0:
                continue
            upto = slice(look + 1)

            def excess(threshold: float, look: int = look, upto: slice = upto, step: float = step) -> float:
                trial = thresholds[upto].copy()
                trial[look] = threshold
                passed = first_passages(self.exponents[upto], trial, self._floors[upto])[look]
                return math.log(step / passed) if passed > 0 else math.inf

            try:
                thresholds[look] = rising_root(
                    excess, self._constant(look + 1, step, np.zeros(look + 1)), tolerance=1e-14
                )
            except ArithmeticError:
                right = f"at most what can be spent at look {look + 1} after the futility stops"
                raise InputError("cumulative_alpha", self.cumulative_alpha, right) from None
        return thresholds

    def _without_interaction(self) -> Array:
        thresholds = np.full(self.looks, self._constant(self.looks, self.alpha, np.zeros(self.looks)))
        log_alpha0 = -self._floors / self.exponents
        for look in range(self.looks - 2, 0, -1):
            thresholds[look] = thresholds[look + 1] + self.exponents[look + 1] * log_alpha0[look]

        def excess(first: float) -> float:
            return math.log(self.alpha / self._total(np.concatenate(([first], thresholds[1:]))))

        if excess(math.inf) <= 0:
            raise InputError(
                "alpha0", self.alpha0, "futility bounds strict enough to leave some alpha for the first look"
            )
        thresholds[0] = rising_root(excess, -math.log(self.alpha / 2), tolerance=1e-14)
        return thresholds

    def thresholds_at(self, level: float) -> Array:
        """-log of the critical products at another level, shape (looks,).

        Futility is left out, so that what follows is valid whether or not it is obeyed; "no interaction" cannot do
        without, and "user alpha" spends the same shares.
        """
        level = self._one_sided(level)
        if level == self.alpha and not self.binding:
            return self.thresholds
        if self.method == "no interaction":
            return replace(self, alpha=level).thresholds
        spent = None
        if self.cumulative_alpha is not None:
            spent = (*(value * (level / self.alpha) for value in self.cumulative_alpha[:-1]), level)
        return replace(self, alpha=level, alpha0=None, binding=False, cumulative_alpha=spent).thresholds

    @cached_property
    def alpha_spent(self) -> Array:
        """Cumulative type I error at each look, shape (looks,)."""
        return np.cumsum(first_passages(self.exponents, self.thresholds, self._floors))

    @cached_property
    def stage_levels(self) -> Array:
        """Level of the test of the product alone at each look, were there no other; shape (looks,)."""
        levels = [
            first_passages(self.exponents[:look], np.full(look, threshold)).sum()
            for look, threshold in enumerate(self.thresholds, start=1)
        ]
        return np.array(levels)

    def evidence(self, scores: Array) -> float:
        """-log of the weighted product of the p-values of these favourable z, shape (stages so far,)."""
        from scipy.special import log_ndtr

        scores = self._so_far(scores)
        return float(-self.exponents[: scores.size] @ log_ndtr(-scores))

    def shown(self, evidence: float) -> float:
        """The product."""
        return math.exp(-number("evidence", evidence, "a number", infinite=True))

    @property
    def _respects_futility(self) -> bool:
        return self.binding

    def decide(self, stages: Sequence[Stage]) -> Decision:
        """What the rule says after the latest of `stages`."""
        from scipy.special import ndtr

        scores = self._some(stages)
        look = scores.size
        if self.evidence(scores) >= self.thresholds[look - 1]:
            return Decision.EFFICACY
        if look == self.looks:
            return Decision.NOT_REJECTED
        if isinstance(self.alpha0, tuple) and ndtr(-scores[-1]) >= self.alpha0[look - 1]:
            return Decision.FUTILITY
        return Decision.CONTINUE

    def orders_effects(self, look: int) -> bool:
        """At the first four looks."""
        return 1 <= whole("look", look) <= min(self.looks, 4)

    def tail(self, scores: Array, means: Array, evidence: float) -> float:
        """Probability of an outcome at least as high as this one in the stage-wise ordering, under an effect.

        Under no effect at any look; under another at the first four. Exact under no effect, and under any effect for
        one or two looks (Brannath, Posch & Bauer 2002, JASA 97:236), or as long as the sizes of all stages but the last
        do not depend on the data; later it takes the sizes of the stages as given.

        Parameters
        ----------
        scores, means, evidence
            As in `CombinationTest.tail`.

        Raises
        ------
        InputError
            At a later look than the fourth for means other than zero.
        """
        scores, means = self._so_far(scores), self._means_of(scores, means)
        evidence, looks = number("evidence", evidence, "a number", infinite=True), scores.size
        if not means.any():
            thresholds = np.append(self.thresholds[: looks - 1], evidence)
            return float(first_passages(self.exponents[:looks], thresholds, self._floors[:looks]).sum())
        if not self.orders_effects(looks):
            raise InputError("look", looks, "at most 4 for effects other than none")
        before = slice(looks - 1)
        return shifted_tail(self.exponents[:looks], self.thresholds[before], self._floors[before], means, evidence)

    def conditional_power(self, stages: Sequence[Stage], means: Sequence[float] | Array) -> Array:
        """Probability of rejecting by each later look, given the stages so far.

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
        ahead, now = self._ahead(scores, means), scores.size
        looks = slice(now, now + ahead.size)
        exponents, floors = self.exponents[looks], self._floors[looks]
        thresholds = self.thresholds[looks] - self.evidence(scores)
        if not ahead.any():
            return np.cumsum(first_passages(exponents, thresholds, floors))
        return np.array(
            [
                power(exponents[:last], thresholds[:last], floors[:last], ahead[:last])
                for last in range(1, ahead.size + 1)
            ]
        )

    def __str__(self) -> str:
        stages = f"{self.looks} stage{'s' * (self.looks > 1)}"
        lines = [f"Fisher's combination test, {stages}, one-sided alpha {self.alpha:g}, {self.method}"]
        if isinstance(self.alpha0, tuple):
            force = "binding" if self.binding else "non-binding"
            lines.append("Futility: p at least " + ", ".join(f"{value:g}" for value in self.alpha0) + f", {force}")
        columns = zip(self.exponents, self.critical_values, self.stage_levels, self.alpha_spent, strict=True)
        rows = [
            [str(look), f"{exponent:.4f}", f"{critical:.6g}", f"{level:.5f}", f"{spent:.5f}"]
            for look, (exponent, critical, level, spent) in enumerate(columns, start=1)
        ]
        lines.append(text_table(["stage", "exponent", "critical product", "stage level", "alpha spent"], rows))
        return "\n".join(lines)

    __repr__ = __str__
