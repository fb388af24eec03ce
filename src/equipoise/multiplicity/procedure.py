"""What every procedure for several hypotheses can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import choice, number
from ..errors import InputError
from .adjust import METHODS, Method, adjust_p_values, checked_p_values
from .decisions import FamilyDecisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from .looks import Crossing, Spending, Statistics
    from .sequential_tests import SequentialTests

    Array = NDArray[np.float64]

__all__ = ["PValueAdjustment", "Procedure", "at_most", "checked_alpha"]

_ROUNDING = 1e-12  # relative, by which shares of alpha that should sum to 1 may miss it
_UNIT = 1e-3  # stands for alpha where only the levels crossed are known


def at_most(adjusted: Any, alpha: float) -> Any:
    """Whether adjusted p-values are at most alpha, up to the rounding of shares."""
    return np.asarray(adjusted) <= alpha * (1 + _ROUNDING)


def checked_alpha(alpha: Any) -> float:
    """A level between 0 and 1.

    Raises
    ------
    InputError
        When it is none.
    """
    right = "a level between 0 and 1, such as 0.025"
    if not 0 < number("alpha", alpha, right) < 1:
        raise InputError("alpha", alpha, right)
    return float(alpha)


class Procedure(ABC):
    """A rule that tests several hypotheses at one level together.

    P-values and level go together: one-sided p-values with the one-sided level (of a two-sided trial alpha / 2), or
    two-sided p-values with the two-sided level.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The procedure, for people."""

    @property
    def controls(self) -> str:
        """The error rate that it holds at alpha."""
        return "familywise error rate"

    @abstractmethod
    def adjusted(self, p_values: ArrayLike) -> Array:
        """Smallest level at which each hypothesis is rejected, shape (..., hypotheses) as the p-values.

        Raises
        ------
        InputError
            When they are no p-values, or not one for each hypothesis.
        """

    def rejects(self, p_values: ArrayLike, alpha: float) -> NDArray[np.bool_]:
        """Which hypotheses are rejected, shape (..., hypotheses) as the p-values; leading axes may be trials."""
        return at_most(self.adjusted(p_values), checked_alpha(alpha))

    def decide(self, p_values: ArrayLike, alpha: float, names: Sequence[str] = ()) -> FamilyDecisions:
        """Decisions on every hypothesis.

        Parameters
        ----------
        p_values
            Shape (hypotheses,), in their order.
        alpha
            Level of the family.
        names
            Of the hypotheses; H1, H2, ... by default.

        Raises
        ------
        InputError
            When one of these is not as said.
        """
        given = checked_p_values(p_values)
        if given.ndim != 1:
            raise InputError("p_values", p_values, "one p-value a hypothesis")
        level, adjusted = checked_alpha(alpha), self.adjusted(given)
        labels = self.named(names, given.size)
        rejected = tuple(at_most(adjusted, level).tolist())
        return FamilyDecisions(self.name, labels, level, tuple(given.tolist()), tuple(adjusted.tolist()), rejected)

    def named(self, names: Sequence[str], size: int) -> tuple[str, ...]:
        """Names of hypotheses, checked, or H1, H2, ...

        Raises
        ------
        InputError
            When there are not as many as hypotheses, or two are alike.
        """
        right = f"{size} different names, one a hypothesis"
        if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
            raise InputError("names", names, right)
        if not names:
            return tuple(f"H{number}" for number in range(1, size + 1))
        if len(names) != size or len(set(names)) != size:
            raise InputError("names", list(names), right)
        return tuple(names)

    def check_size(self, hypotheses: int) -> None:
        """Whether the procedure is for so many hypotheses.

        Raises
        ------
        InputError
            When it is for another number.
        """
        if hypotheses < 1:
            raise InputError("hypotheses", hypotheses, "at least one")

    def further(self, rejected: NDArray[np.bool_], crossing: Crossing) -> NDArray[np.bool_]:
        """Rejections at a look added to those before.

        Parameters
        ----------
        rejected
            Before, shape (trials, hypotheses).
        crossing
            Which trials' statistics cross the bounds of given shares of alpha.

        Raises
        ------
        InputError
            When the procedure has no form for several looks.
        """
        raise InputError("procedure", self.name, "one that can be used at several looks, such as a graph or Hochberg's")

    def sequential(
        self,
        z: ArrayLike,
        information: ArrayLike,
        alpha: float,
        spending: Spending | Sequence[Spending],
        *,
        names: Sequence[str] = (),
        sided: int = 1,
        final: bool | Sequence[bool] | None = None,
        statistics: Statistics = "current",
    ) -> SequentialTests:
        """Decisions at every look of a group-sequential trial (Maurer & Bretz 2013, Stat Biopharm Res 5:311).

        Each hypothesis spends its share of alpha over its looks by its own spending function; whenever its share
        grows, its bounds are computed anew for that level, those of earlier looks as well.

        Parameters
        ----------
        z
            Statistics, positive in favour of the experimental arm, shape (looks, hypotheses); NaN where there is none.
        information
            Information fractions of each hypothesis's own planned maximum, same shape; NaN at a look that is none for
            the hypothesis. A fraction without z is a look that was spent for, but not analysed. One column serves all.
        alpha
            Level of the family, over both sides when `sided` is 2.
        spending
            Spending functions, or `GroupSequential` designs whose spending is taken; one, or one a hypothesis.
        names
            Of the hypotheses.
        sided
            1 or 2. In a two-sided trial too the claims are one-sided, each at half the level: hypotheses are rejected
            in favour of the experimental arm only, and p-values are doubled, so that they compare with alpha.
        final
            Whether the last look given is each hypothesis's last, where all its alpha is spent; by default once its
            information reaches the maximum.
        statistics
            Which may reject at a look: "current", those new at it (Maurer & Bretz 2013); "latest", also the latest of
            a hypothesis without a new one, such as one whose last look is past; "all", those of earlier looks too,
            against the bounds of the present level, which is to apply the procedure to sequential p-values (Liu &
            Anderson 2008, JASA 103:1621). All three hold the level; each rejects what the one before it rejects.

        Raises
        ------
        InputError
            When the arrays do not fit, information does not rise, a look comes after a hypothesis's last, or bounds of
            a spending function do not fall as its level rises.

        Notes
        -----
        Graphs, Bonferroni's, Holm's and the fixed sequence hold the level under any dependence between hypotheses;
        Hochberg's and Hommel's need Simes' inequality for the sequential p-values, as with positively dependent tests.
        """
        from .sequential_tests import sequential_tests

        return sequential_tests(self, z, information, alpha, spending, names, sided, final, statistics)

    def rejection_looks(
        self,
        z: ArrayLike,
        information: ArrayLike,
        alpha: float,
        spending: Spending | Sequence[Spending],
        *,
        sided: int = 1,
        final: bool | Sequence[bool] | None = None,
        statistics: Statistics = "current",
    ) -> NDArray[np.int64]:
        """Look, from 1, at which each hypothesis of each of many trials is rejected; 0 where it never is.

        Parameters
        ----------
        z
            Shape (trials, looks, hypotheses), otherwise as in `sequential`.
        information
            Of all trials together, (looks, hypotheses) or (looks,), or trial by trial, (trials, looks, hypotheses).
        alpha, spending, sided, final, statistics
            As in `sequential`.

        Returns
        -------
        array
            Shape (trials, hypotheses).
        """
        from .looks import rejection_looks

        return rejection_looks(self, z, information, alpha, spending, sided, final, statistics)


@dataclass(frozen=True)
class PValueAdjustment(Procedure):
    """A procedure that treats all hypotheses alike, or takes them in their order: by its adjusted p-values.

    Parameters
    ----------
    method
        As for `adjust_p_values`.
    """

    method: Method

    def __post_init__(self) -> None:
        choice("method", self.method, METHODS)

    @property
    def name(self) -> str:
        """The procedure."""
        return {"bonferroni": "Bonferroni", "fixed-sequence": "fixed sequence"}.get(
            self.method, "-".join(part.capitalize() for part in self.method.split("-"))
        )

    @property
    def controls(self) -> str:
        """The error rate that it holds at alpha."""
        return "false discovery rate" if self.method.startswith("benjamini") else "familywise error rate"

    def adjusted(self, p_values: ArrayLike) -> Array:
        """Adjusted p-values, shape (..., hypotheses); see `adjust_p_values`."""
        return adjust_p_values(p_values, self.method)

    def shares(self, hypotheses: int) -> tuple[float, ...]:
        """Multiples of alpha with which the procedure compares p-values, the smallest first."""
        every = range(1, hypotheses + 1)
        found = {
            "bonferroni": {1 / hypotheses},
            "hommel": {rank / size for size in every for rank in range(1, size + 1)},
            "fixed-sequence": {1.0},
        }.get(self.method, {1 / size for size in every})
        return tuple(sorted(found))

    def further(self, rejected: NDArray[np.bool_], crossing: Crossing) -> NDArray[np.bool_]:
        """Rejections at a look added to those before, (trials, hypotheses).

        A p-value is known by the smallest share of alpha whose bound is crossed, which is all that the procedure asks.
        """
        if self.controls != "familywise error rate":
            return super().further(rejected, crossing)
        hypotheses = rejected.shape[1]
        p_values = np.ones(rejected.shape)
        rows = np.arange(len(rejected))
        for share in reversed(self.shares(hypotheses)):
            even = np.full(hypotheses, share)
            crossed = np.where(rejected, crossing(even, rows, True), crossing(even, rows))
            p_values[crossed] = share * _UNIT
        return rejected | at_most(self.adjusted(p_values), _UNIT)
