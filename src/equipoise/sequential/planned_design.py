"""What a group-sequential design plans: bounds, error spent, power and expected information."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..checks import number, numbers, whole
from ..errors import InputError
from .bounds import Boundaries
from .exit_probabilities import ExitProbabilities
from .families import BoundaryFamily
from .fixed import FixedBounds
from .region import Region
from .solve import calibrating_drift, crossing_drift, solved
from .spending import OBrienFlemingSpending, SpendingFunction, UserSpending

if TYPE_CHECKING:
    import polars

__all__ = ["PlannedDesign"]

Array = npt.NDArray[np.float64]
_DEFAULT_SPENDING = OBrienFlemingSpending()
_SMALLEST_BETA = 1e-12
_MOST_INFORMATION = 10.0


@dataclass(frozen=True)
class PlannedDesign:
    """A group-sequential design as far as it is planned: bounds, errors, power; see `GroupSequential`."""

    information: tuple[float, ...] = (0.75, 1.0)
    alpha: float = 0.05
    sided: int = 2
    efficacy: SpendingFunction | BoundaryFamily = _DEFAULT_SPENDING
    futility: SpendingFunction | FixedBounds | None = None
    beta: float | None = None
    binding: bool = False
    _highest_level: ClassVar[float] = 0.5

    def __post_init__(self) -> None:
        right = "information fractions above 0, rising, the last 1"
        fractions = tuple(numbers("information", self.information, right).tolist())
        if not fractions or not np.all(np.diff((0.0, *fractions)) > 0) or fractions[-1] != 1:
            raise InputError("information", self.information, right)
        sided = whole("sided", self.sided, "1 or 2")
        if sided not in (1, 2):
            raise InputError("sided", self.sided, "1 or 2")
        highest = self._highest_level * sided
        alpha = number("alpha", self.alpha, f"a number between 0 and {highest:g}")
        if not 0 < alpha < highest:
            raise InputError("alpha", self.alpha, f"a number between 0 and {highest:g}")
        if self.beta is not None:
            right = f"a number of at least {_SMALLEST_BETA:g} and below 1 - alpha"
            beta = number("beta", self.beta, right)
            if not _SMALLEST_BETA <= beta < 1 - alpha / sided:
                raise InputError("beta", self.beta, right)
            object.__setattr__(self, "beta", beta)
        object.__setattr__(self, "sided", sided)
        object.__setattr__(self, "alpha", alpha)
        if not isinstance(self.binding, bool):
            raise InputError("binding", self.binding, "True or False")
        efficacy, futility = self.efficacy, self.futility
        if isinstance(efficacy, type):
            raise InputError("efficacy", efficacy, f"an object of that family, as {efficacy.__name__}()")
        if isinstance(futility, type):
            raise InputError("futility", futility, f"an object of that family, as {futility.__name__}()")
        if isinstance(efficacy, SpendingFunction):
            object.__setattr__(self, "efficacy", efficacy.planned_at(fractions))
        elif isinstance(efficacy, BoundaryFamily):
            efficacy.has_constant(len(fractions))
        else:
            raise InputError("efficacy", efficacy, "a family of bounds such as OBrienFlemingSpending() or Pocock()")
        if isinstance(futility, FixedBounds):
            if len(futility.values) not in {1, len(fractions) - 1} or len(fractions) == 1:
                right = f"{len(fractions) - 1} bounds, one for each look but the last" if len(fractions) > 1 else "None"
                raise InputError("futility", list(futility.values), right)
            if futility.needs_drift and self.beta is None:
                raise InputError("beta", None, f"a type II error, for the scale '{futility.scale}' needs an effect")
        elif futility is not None:
            if not isinstance(futility, SpendingFunction):
                raise InputError("futility", futility, "a spending function, or FixedBounds((0.0, ...))")
            if self.beta is None:
                raise InputError("beta", None, "a type II error, for futility spends it")
            object.__setattr__(self, "futility", futility.planned_at(fractions))
        object.__setattr__(self, "information", fractions)

    @property
    def looks(self) -> int:
        """Number of looks planned, the final one included."""
        return len(self.information)

    @property
    def level(self) -> float:
        """Type I error of one side."""
        return self.alpha / self.sided

    @property
    def efficacy_bounds(self) -> Array:
        """Upper bounds on z, shape (looks,), infinite where nothing is spent; two-sided also stops below -bounds."""
        return self.planned.efficacy

    @property
    def futility_bounds(self) -> Array | None:
        """Lower bounds on z, shape (looks,), the last equal to the efficacy bound; None without futility."""
        return self.planned.futility

    @property
    def alpha_spent(self) -> Array:
        """Cumulative alpha spent by each look, over both sides when `sided` is 2, shape (looks,)."""
        return self.planned.alpha_spent

    @property
    def beta_spent(self) -> Array | None:
        """Cumulative beta spent by each look, shape (looks,); None without futility."""
        return self.planned.beta_spent

    @property
    def nominal_p_values(self) -> Array:
        """p-value of the single look at each efficacy bound, two-sided when `sided` is 2, shape (looks,)."""
        from scipy.special import ndtr

        return self.sided * ndtr(-self.efficacy_bounds)

    @cached_property
    def planned(self) -> Boundaries:
        """Bounds at the planned information fractions."""
        return self._solved(self.efficacy, self.level, np.array(self.information), True)

    @cached_property
    def attained_level(self) -> float:
        """Type I error of one side that the bounds spend in all; below `level` only where they are fixed in full."""
        return float(self.planned.alpha_spent[-1]) / self.sided

    @cached_property
    def alpha_spending(self) -> SpendingFunction:
        """The error spending in force at looks other than planned.

        That of a spending design is its own. A classical or fixed boundary spends at a planned look what it spends as
        planned, and in between linearly in information, so that the level holds whenever looks are taken.
        """
        if isinstance(self.efficacy, SpendingFunction):
            return self.efficacy
        spent = np.maximum.accumulate(self.planned.alpha_spent)
        return UserSpending((*(spent[:-1] / spent[-1]).tolist(), 1.0), self.information)

    @cached_property
    def spending_drift(self) -> float:
        """Drift at which a futility rule spends beta, or to which it refers; NaN where the rule needs none.

        It is the drift at which beta is the probability of not rejecting, in either direction when two-sided.
        """
        if self.futility is None or (isinstance(self.futility, FixedBounds) and not self.futility.needs_drift):
            return math.nan
        return calibrating_drift(self, self._fixed_drift)

    @property
    def _fixed_drift(self) -> float:
        """Drift of the fixed design with the same error rates."""
        from scipy.special import ndtri

        if self.beta is None:
            raise InputError("beta", None, "a type II error between 0 and 1, for a drift to have that power")
        return -float(ndtri(self.level)) - float(ndtri(self.beta))

    @cached_property
    def drift(self) -> float:
        """Drift theta * sqrt(I_max) at which the power is 1 - beta (upper boundary only when two-sided)."""
        guess = self._fixed_drift
        if self.sided == 1 and not math.isnan(self.spending_drift):
            return self.spending_drift
        region = self.region()
        try:
            return crossing_drift(region, float(self.beta or 0.0), guess * 1.03)
        except ArithmeticError:
            raise InputError("beta", self.beta, "an error that can be met with these bounds") from None

    @property
    def inflation_factor(self) -> float:
        """Maximum information relative to the fixed design of the same alpha, sides and beta."""
        return (self.drift / self._fixed_drift) ** 2

    def region(self, respect_futility: bool = True) -> Region:
        """Where a trial goes on, as planned."""
        return self.planned.region(self.sided, respect_futility)

    def bounds_at(self, information: Sequence[float] | Array, final: bool | None = None) -> Boundaries:
        """Bounds recomputed at observed information, spending what the planned functions allow there.

        Parameters
        ----------
        information
            Observed information at looks 1..k, as fractions of the planned maximum; above 0, rising.
        final
            Whether the last of them ends the trial, so that everything left is spent there. By default it does when k
            is the planned number of looks, or when the planned maximum of information has been reached.

        Raises
        ------
        InputError
            When the fractions do not rise, are more than the planned looks, or the maximum was reached before look k.
        """
        fractions = numbers("information", information, "finite information fractions, one for each look")
        if not fractions.size:
            raise InputError("information", information, "finite information fractions, one for each look")
        if fractions.max() > _MOST_INFORMATION:
            right = f"fractions of the planned maximum, as 0.75 and not 75 (at most {_MOST_INFORMATION:g})"
            raise InputError("information", fractions.tolist(), right)
        if not np.all(np.diff(fractions, prepend=0.0) > 0):
            raise InputError("information", fractions.tolist(), "fractions above 0, rising from look to look")
        if np.any(fractions[:-1] >= 1):
            raise InputError("information", fractions.tolist(), "no further look once the planned maximum is reached")
        if final is None:
            final = fractions.size == self.looks or bool(fractions[-1] >= 1)
        if np.array_equal(fractions, self.information[: fractions.size]) and final == (fractions.size == self.looks):
            return self.planned.first(fractions.size)
        return self._solved(self.alpha_spending, self.attained_level, fractions, final)

    def _solved(
        self, efficacy: SpendingFunction | BoundaryFamily, level: float, information: Array, final: bool
    ) -> Boundaries:
        return solved(self, efficacy, level, information, final, self.spending_drift)

    def exit_probabilities(self, drift: npt.ArrayLike) -> ExitProbabilities:
        """Probability of stopping through each boundary at each look; `drift` = theta * sqrt(I_max), any shape.

        Futility stops are counted whether or not the bound is binding.
        """
        try:
            drifts = np.asarray(drift, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("drift", drift, "finite numbers") from None
        if not np.all(np.isfinite(drifts)):
            raise InputError("drift", drift, "finite numbers")
        exits = self.region().exit_probabilities(drifts.ravel())
        shape = (*drifts.shape, self.looks)
        futility = None
        if self.futility is not None:
            futility = (exits.lower if self.sided == 1 else exits.inner).reshape(shape)
        return ExitProbabilities(
            drifts,
            exits.upper.reshape(shape),
            exits.lower.reshape(shape) if self.sided == 2 else None,
            futility,
        )

    def power(self, drift: npt.ArrayLike) -> Any:
        """Probability of crossing the efficacy bound at any look; `drift` = theta * sqrt(I_max), any shape.

        A two-sided design counts its upper boundary only: the power to conclude in the right direction.
        """
        total = self.exit_probabilities(drift).upper.sum(axis=-1)
        return float(total) if total.ndim == 0 else total

    def expected_information(self, drift: npt.ArrayLike) -> Any:
        """Mean information at the end of the trial, as a fraction of I_max; `drift` = theta * sqrt(I_max), any shape.

        Every stop is counted: efficacy, harm, and futility whether or not it is binding.
        """
        exits = self.exit_probabilities(drift)
        stopped = exits.upper.copy()
        for other in (exits.lower, exits.futility):
            if other is not None:
                stopped += other
        saved = 1.0 - np.array(self.information)
        mean = np.clip(1.0 - stopped[..., :-1] @ saved[:-1], self.information[0], 1.0)
        return float(mean) if np.ndim(mean) == 0 else mean

    def to_dict(self) -> dict[str, Any]:
        """Everything about the design in plain values for JSON; an infinite bound is None."""
        from .design_table import design_dict

        return design_dict(self)

    def to_frame(self) -> polars.DataFrame:
        """One row a look, as a polars data frame; infinite bounds stay infinite."""
        from .design_table import design_frame

        return design_frame(self)

    def __str__(self) -> str:
        from .design_table import design_text

        return design_text(self)

    __repr__ = __str__
