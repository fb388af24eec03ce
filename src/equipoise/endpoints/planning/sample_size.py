"""Sample size and power of any endpoint under any stopping rule: what is asked of both, and what comes back.

An endpoint's assumptions know the fixed design: how many patients a power takes, and the drift that so many patients
have. The rule knows the rest: a group-sequential design of power 1 - beta takes the fixed size times its inflation
factor (Jennison & Turnbull 2000, Group Sequential Methods, chapters 2 to 4).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ...errors import InputError
from .planning_checks import finite, real_numbers
from .sample_size_result import SampleSize

if TYPE_CHECKING:
    from ...estimate import Better

__all__ = [
    "Assumptions",
    "Rule",
    "SampleSize",
    "asked_power",
    "checked_rule",
    "drift_for",
    "inflation_for",
    "level_quantile",
    "stopping",
]

Array = npt.NDArray[np.float64]
_LARGEST_BLOCK = 20
_MOST_PATIENTS = 1e15
_RULE_MEMBERS = (
    "information",
    "level",
    "sided",
    "beta",
    "efficacy_bounds",
    "futility_bounds",
    "power",
    "exit_probabilities",
)


class Rule(Protocol):
    """A group-sequential (or fixed) design, as far as planning goes: z-values, information, drift."""

    @property
    def information(self) -> Sequence[float]:
        """Information fractions of the looks, the last 1."""
        ...

    @property
    def level(self) -> float:
        """Type I error of one side."""
        ...

    @property
    def sided(self) -> int:
        """1 or 2."""
        ...

    @property
    def beta(self) -> float | None:
        """Type II error, where the design has one."""
        ...

    @property
    def efficacy_bounds(self) -> Array:
        """Upper bounds on z, shape (looks,)."""
        ...

    @property
    def futility_bounds(self) -> Array | None:
        """Lower bounds on z, shape (looks,), or None; of a two-sided rule the upper edge of the inner wedge."""
        ...

    @property
    def drift(self) -> Any:
        """Drift theta * sqrt(I_max) that has power 1 - beta, a float (which may be a cached property)."""
        ...

    def power(self, drift: npt.ArrayLike) -> Any:
        """Probability of crossing the efficacy bound, at any drift."""
        ...

    def exit_probabilities(self, drift: npt.ArrayLike) -> Any:
        """`upper`, `lower` and `futility` exits look by look, at any drift."""
        ...


def checked_rule(design: Any) -> Any:
    """The stopping rule, which must have the members of `Rule`; raises `InputError` where it has not."""
    absent = object()

    def lacks(name: str) -> bool:
        return getattr_static(design, name, absent) is absent

    wrong = isinstance(design, type) or any(map(lacks, _RULE_MEMBERS))
    if wrong or (design.beta is not None and lacks("drift")):
        raise InputError("design", design, "a stopping rule, such as GroupSequential(...)")
    return design


def level_quantile(rule: Rule) -> float:
    """Normal quantile of the rule's one-sided level, z_{1 - alpha}, or z_{1 - alpha/2} of a two-sided rule."""
    from scipy.special import ndtri

    return -float(ndtri(rule.level))


def asked_power(rule: Rule, power: float | None) -> float:
    """The power asked for, by default the rule's own 1 - beta; raises `InputError` where there is neither."""
    if power is None:
        if rule.beta is None:
            raise InputError("power", None, "a power, for the design has no type II error beta")
        return 1.0 - rule.beta
    expected = f"a power above the one-sided level, {rule.level:g}, and below 1"
    found = finite("power", power, expected)
    if not rule.level < found < 1:
        raise InputError("power", power, expected)
    return found


def drift_for(rule: Rule, power: float | None = None) -> float:
    """Drift at which the rule, its bounds as they stand, has that power; by default its own 1 - beta."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    wanted = asked_power(rule, power)
    if power is None or (rule.beta is not None and wanted == 1.0 - rule.beta):
        return rule.drift
    target = float(ndtri(wanted))

    def excess(drift: float) -> float:
        return float(ndtri(min(max(rule.power(drift), 1e-300), 1 - 1e-16))) - target

    high = level_quantile(rule) + target + 0.5
    while excess(high) < 0:
        if high > 200:
            raise InputError("power", power, "a power that the design can reach at some effect")
        high *= 1.5
    return float(brentq(excess, 0.0, high, xtol=1e-13, rtol=1e-14))  # pyright: ignore[reportArgumentType]


def inflation_for(rule: Rule, power: float | None = None) -> float:
    """Maximum information of the rule over that of the fixed design of the same level and power."""
    from scipy.special import ndtri

    fixed = level_quantile(rule) + float(ndtri(asked_power(rule, power)))
    inflation = (drift_for(rule, power) / fixed) ** 2
    return 1.0 if math.isclose(inflation, 1.0, rel_tol=1e-12) else inflation


def stopping(rule: Rule, drift: float) -> tuple[Array, Array | None, Array | None]:
    """Probability of ending at each look for efficacy, for harm and for futility; the latter two None without such."""
    exits = rule.exit_probabilities(drift)
    lower, futility = (None if found is None else np.asarray(found) for found in (exits.lower, exits.futility))
    return np.asarray(exits.upper), lower, futility


class Assumptions(ABC):
    """What an endpoint assumes for planning; subclasses are frozen dataclasses that know the fixed design.

    A subclass has an `allocation` (experimental over control), says its sentence in `assumed` and its `scale`, and
    gives `fixed_size`, `fixed_drift` and `critical_effects`. It may say when patients come (`by_look`, `look_times`).
    """

    allocation: float = 1.0
    groups: int = 2
    better: Better = "higher"
    _effect_name: ClassVar[str] = "effect"

    @property
    @abstractmethod
    def assumed(self) -> str:
        """The assumptions in one line."""

    def __str__(self) -> str:
        return self.assumed

    @property
    @abstractmethod
    def scale(self) -> str:
        """Name of the scale on which effects are given."""

    @abstractmethod
    def fixed_size(self, level: float, power: float) -> float:
        """Patients of the fixed design in all, unrounded, for a one-sided level and a power in the right direction."""

    @abstractmethod
    def fixed_drift(self, level: float, per_arm: Array) -> float:
        """z_{1 - level} + z_power of the fixed design with these patients, shape (arms,)."""

    @abstractmethod
    def critical_effects(self, z: Array, information: Array, per_arm: Array) -> Array:
        """Estimates that have these z (positive in favour of the experimental arm) at looks at these information
        fractions, shape (looks,) each, in a trial of these patients, shape (arms,).
        """

    def fixed_wrong_direction(self, level: float, per_arm: Array) -> float | None:
        """Probability that the fixed two-sided test rejects in the wrong direction; None for the normal one."""
        return None

    def look_times(self, information: Array, per_arm: Array) -> Array | None:
        """Calendar times of the looks, shape (looks,), where the assumptions have a calendar."""
        return None

    def by_look(self, information: Array, per_arm: Array) -> Array:
        """Patients recruited by each look, shape (looks, arms)."""
        return information[:, None] * per_arm

    def split(self, total: float) -> Array:
        """Patients per arm, experimental first, by the allocation; shape (arms,)."""
        if self.groups == 1:
            return np.array([total])
        return total * np.array([self.allocation, 1.0]) / (1.0 + self.allocation)

    def whole(self, per_arm: Array) -> tuple[int, ...]:
        """Whole patients per arm, in the allocation where it is one of small numbers, else each arm rounded up."""
        ratio = Fraction(self.allocation).limit_denominator(_LARGEST_BLOCK)
        parts = np.array([ratio.numerator, ratio.denominator] if self.groups == 2 else [1])
        exact = self.groups == 1 or abs(float(ratio) - self.allocation) < 1e-9 * self.allocation
        if exact and parts.sum() <= _LARGEST_BLOCK and np.allclose(per_arm / parts, per_arm[0] / parts[0]):
            return tuple(int(part * math.ceil(per_arm[0] / parts[0] - 1e-9)) for part in parts)
        return tuple(math.ceil(count - 1e-9) for count in per_arm)

    def sample_size(self, design: Rule, power: float | None = None) -> SampleSize:
        """Patients with whom a design has the power asked for.

        Parameters
        ----------
        design
            The stopping rule, e.g. `GroupSequential`; with one look the fixed design.
        power
            Probability of showing the effect in the right direction; by default 1 - beta of the design. Another power
            leaves the design's bounds as they are.

        Raises
        ------
        InputError
            When there is no power to aim at, or no number of patients has it.
        """
        wanted = asked_power(checked_rule(design), power)
        drift = drift_for(design, power)
        fixed = self.fixed_size(design.level, wanted)
        if not 0 < fixed <= _MOST_PATIENTS:
            expected = f"an effect that {'fewer than 1e15' if fixed else 'not just any few'} patients show"
            raise InputError(self._effect_name, getattr(self, self._effect_name), expected)
        return self._result(design, self.split(fixed * inflation_for(design, power)), drift, fixed)

    def power(self, design: Rule, patients: float | Sequence[float]) -> SampleSize:
        """What a design is able to show with given patients.

        The drift is z_{1 - alpha} + z_power of the fixed design of as many patients, so that a group-sequential design
        inherits what the fixed test loses to small samples or to a variance that depends on the effect.

        Parameters
        ----------
        design
            The stopping rule.
        patients
            Patients in all at the last look, allocated as assumed; or (experimental, control).

        Raises
        ------
        InputError
            When the patients are not positive numbers, one for all or one for each arm.
        """
        checked_rule(design)
        per_arm = self._patients(patients)
        drift = self.fixed_drift(design.level, per_arm)
        if not abs(drift) < 1e6:
            raise InputError("patients", patients, "a number of patients for whom the power can be worked out")
        return self._result(design, per_arm, drift, None)

    def _patients(self, patients: Any) -> Array:
        """Patients per arm from a number in all, or one for each arm; shape (arms,)."""
        expected = "a number above 0, or one for each arm"
        counts = np.array(real_numbers("patients", patients, expected))
        if counts.shape not in ((1,), (self.groups,)) or not np.all(counts > 0):
            raise InputError("patients", patients, expected)
        if not np.all((counts >= 1e-9) & (counts <= _MOST_PATIENTS)):
            raise InputError("patients", patients, "numbers from 1e-9 to 1e15")
        return self.split(float(counts[0])) if counts.size == 1 else counts

    def _result(self, design: Rule, per_arm: Array, drift: float, fixed: float | None) -> SampleSize:
        information = np.array(design.information, dtype=np.float64)
        recruited = self.by_look(information, per_arm)
        efficacy, harm, futility = stopping(design, drift)
        if harm is not None and len(information) == 1:
            wrong = self.fixed_wrong_direction(design.level, per_arm)
            harm = harm if wrong is None else np.array([wrong])
        upper, inner = np.asarray(design.efficacy_bounds), design.futility_bounds
        ends = [self._ends(design, multiple * drift) @ recruited.sum(axis=1) for multiple in (0.0, 0.5, 1.0)]

        def effects(z: Array | None) -> Array | None:
            return None if z is None else self.critical_effects(np.asarray(z, dtype=np.float64), information, per_arm)

        return SampleSize(
            assumed=self.assumed,
            scale=self.scale,
            fixed_patients=fixed,
            per_arm=tuple(per_arm.tolist()),
            rounded_per_arm=self.whole(per_arm),
            information=tuple(information.tolist()),
            cumulative_per_arm=recruited,
            look_times=self.look_times(information, per_arm),
            drift=drift,
            efficacy_probabilities=efficacy,
            harm_probabilities=harm,
            futility_probabilities=futility,
            expected_patients=(float(ends[0]), float(ends[1]), float(ends[2])),
            efficacy_bounds=upper,
            futility_bounds=None if inner is None else np.asarray(inner),
            efficacy_effects=self.critical_effects(upper, information, per_arm),
            harm_effects=effects(-upper if design.sided == 2 else None),
            futility_effects=effects(inner),
            futility_harm_effects=effects(None if inner is None or design.sided == 1 else -np.asarray(inner)),
        )

    def _ends(self, design: Rule, drift: float) -> Array:
        """Probability that the trial ends at each look, for whatever reason, shape (looks,)."""
        efficacy, *others = stopping(design, drift)
        ending = efficacy + sum(other for other in others if other is not None)
        ending[-1] = 1.0 - ending[:-1].sum()
        return ending
