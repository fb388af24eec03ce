"""Group-sequential designs: bounds, power and expected information from spending functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..plain import plain
from .bounds import Boundaries, efficacy_boundary, futility_boundary
from .integration import exit_probabilities
from .roots import rising_root
from .spending import OBrienFlemingSpending, SpendingFunction
from .tables import text_table

if TYPE_CHECKING:
    import polars

    from ..estimate import Estimate
    from .conclusion import Conclusion, Decision

__all__ = ["ExitProbabilities", "GroupSequential"]

Array = npt.NDArray[np.float64]
_DEFAULT_SPENDING = OBrienFlemingSpending()


@dataclass(frozen=True)
class ExitProbabilities:
    """Where a trial ends, look by look.

    Attributes
    ----------
    drift
        Drift theta * sqrt(I_max), shape (...).
    upper
        Probability of first crossing the efficacy bound at each look, shape (..., looks).
    lower
        The same for the lower bound of a two-sided design (harm); None when one-sided.
    futility
        The same for the futility bound, at the last look the probability of ending there unrejected; None without one.
    """

    drift: Array
    upper: Array
    lower: Array | None
    futility: Array | None


@dataclass(frozen=True)
class GroupSequential:
    """A group-sequential design with boundaries from spending functions (Lan & DeMets 1983, Biometrika 70:659).

    Statistics are on the z scale, larger in favour of the experimental arm. Drift is theta * sqrt(I_max): the mean of z
    at the planned maximum of information.

    Parameters
    ----------
    information
        Information fractions of the looks: above 0, rising, the last 1. `(1.0,)` is the fixed design.
    alpha
        Type I error, over both sides when `sided` is 2.
    sided
        1, or 2 for symmetric bounds with alpha / 2 spent on each side.
    efficacy
        Spending function for alpha.
    futility
        Spending function for beta, one-sided designs only; None for no stopping for futility.
    beta
        Type II error, needed for futility, `drift` and `inflation_factor`.
    binding
        Whether stopping at the futility bound is obligatory. If not, efficacy bounds are computed without it and alpha
        holds whether or not the committee follows it; beta is spent with both bounds in place either way.

    Raises
    ------
    InputError
        When a parameter is out of range, or futility is asked of a two-sided design (not offered yet).
    """

    information: tuple[float, ...] = (0.75, 1.0)
    alpha: float = 0.05
    sided: int = 2
    efficacy: SpendingFunction = _DEFAULT_SPENDING
    futility: SpendingFunction | None = None
    beta: float | None = None
    binding: bool = False

    def __post_init__(self) -> None:
        fractions = tuple(float(fraction) for fraction in np.atleast_1d(np.asarray(self.information, dtype=np.float64)))
        if not fractions or not np.all(np.diff((0.0, *fractions)) > 0) or fractions[-1] != 1:
            raise InputError("information", fractions, "information fractions above 0, rising, the last 1")
        if self.sided not in (1, 2):
            raise InputError("sided", self.sided, "1 or 2")
        if not 0 < self.alpha / self.sided < 0.5:
            raise InputError("alpha", self.alpha, f"a number between 0 and {0.5 * self.sided:g}")
        if self.beta is not None and not 0 < self.beta < 1 - self.alpha / self.sided:
            raise InputError("beta", self.beta, "a number above 0 and below 1 - alpha")
        if not isinstance(self.efficacy, SpendingFunction):
            raise InputError("efficacy", self.efficacy, "a spending function such as OBrienFlemingSpending()")
        if self.futility is not None:
            if not isinstance(self.futility, SpendingFunction):
                raise InputError("futility", self.futility, "a spending function such as HwangShihDeCaniSpending(-2)")
            if self.sided == 2:
                raise InputError("sided", 2, "1 when there is a futility bound; two-sided designs do not offer one yet")
            if self.beta is None:
                raise InputError("beta", None, "a type II error, for futility spends it")
            object.__setattr__(self, "futility", self.futility.planned_at(fractions))
        object.__setattr__(self, "information", fractions)
        object.__setattr__(self, "efficacy", self.efficacy.planned_at(fractions))

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
        return self._boundaries(np.array(self.information), True)

    @cached_property
    def drift(self) -> float:
        """Drift theta * sqrt(I_max) at which the power is 1 - beta (upper boundary only when two-sided)."""
        from scipy.special import ndtri

        if self.beta is None:
            raise InputError("beta", None, "a type II error between 0 and 1, for a drift to have that power")
        target = float(ndtri(self.beta))
        guess = -float(ndtri(self.level)) - target
        times = np.array(self.information)
        if self.futility is None:
            upper, lower = self.efficacy_bounds, self.planned.lower(self.sided, False)

            def deficit(drift: float) -> float:
                exits, _ = exit_probabilities(times, lower, upper, np.array([drift]))
                return target - float(ndtri(1.0 - exits.sum()))
        else:
            alpha_steps, beta_steps = self._steps(times, True)
            fixed = None if self.binding else efficacy_boundary(times, alpha_steps, 1)

            def deficit(drift: float) -> float:
                missed = futility_boundary(times, alpha_steps, beta_steps, fixed, drift, True)[2]
                return target - float(ndtri(missed))

        try:
            return rising_root(deficit, guess * 1.03)
        except ArithmeticError:
            spending = self.efficacy if self.futility is None else self.futility
            raise InputError("beta", self.beta, f"an error that can be met with {spending.name} spending") from None

    @property
    def inflation_factor(self) -> float:
        """Maximum information relative to the fixed design of the same alpha, sides and beta."""
        from scipy.special import ndtri

        drift = self.drift
        return drift**2 / float(ndtri(self.level) + ndtri(self.beta)) ** 2

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
        fractions = np.atleast_1d(np.asarray(information, dtype=np.float64))
        if fractions.ndim != 1 or not fractions.size or not np.all(np.isfinite(fractions)):
            raise InputError("information", information, "finite information fractions, one for each look")
        if not np.all(np.diff(fractions, prepend=0.0) > 0):
            raise InputError("information", fractions.tolist(), "fractions above 0, rising from look to look")
        if fractions.size > self.looks:
            raise InputError("information", fractions.tolist(), f"at most {self.looks} looks, as planned")
        if np.any(fractions[:-1] >= 1):
            raise InputError("information", fractions.tolist(), "no further look once the planned maximum is reached")
        if final is None:
            final = fractions.size == self.looks or bool(fractions[-1] >= 1)
        if final and np.array_equal(fractions, self.information):
            return self.planned
        return self._boundaries(fractions, final)

    def _steps(self, information: Array, final: bool) -> tuple[Array, Array]:
        """One-side alpha and beta to spend at each look, shape (looks,) each."""
        spent = [np.asarray(self.efficacy.spent(information, self.level))]
        if self.futility is not None and self.beta is not None:
            spent.append(np.asarray(self.futility.spent(information, self.beta)))
        else:
            spent.append(np.zeros(information.size))
        if final:
            spent[0][-1] = self.level
            if self.futility is not None:
                spent[1][-1] = self.beta
        alpha_steps, beta_steps = (np.maximum(np.diff(total, prepend=0.0), 0.0) for total in spent)
        return alpha_steps, beta_steps

    def _boundaries(self, information: Array, final: bool) -> Boundaries:
        alpha_steps, beta_steps = self._steps(information, final)
        alpha_spent = self.sided * np.cumsum(alpha_steps)
        if final:
            alpha_spent[-1] = self.alpha
        if self.futility is None:
            efficacy = efficacy_boundary(information, alpha_steps, self.sided)
            return Boundaries(information, efficacy, None, alpha_spent, None, final)
        fixed = None if self.binding else efficacy_boundary(information, alpha_steps, 1)
        efficacy, futility, _ = futility_boundary(information, alpha_steps, beta_steps, fixed, self.drift, final)
        return Boundaries(information, efficacy, futility, alpha_spent, np.cumsum(beta_steps), final)

    def exit_probabilities(self, drift: npt.ArrayLike) -> ExitProbabilities:
        """Probability of stopping through each boundary at each look; `drift` = theta * sqrt(I_max), any shape.

        Futility stops are counted whether or not the bound is binding.
        """
        drifts = np.asarray(drift, dtype=np.float64)
        if not np.all(np.isfinite(drifts)):
            raise InputError("drift", drift, "finite numbers")
        upper, lower = exit_probabilities(
            self.information, self.planned.lower(self.sided, True), self.efficacy_bounds, drifts.ravel()
        )
        shape = (*drifts.shape, self.looks)
        return ExitProbabilities(
            drifts,
            upper.reshape(shape),
            lower.reshape(shape) if self.sided == 2 else None,
            lower.reshape(shape) if self.futility is not None else None,
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
        mean = 1.0 - stopped[..., :-1] @ saved[:-1]
        return float(mean) if np.ndim(mean) == 0 else mean

    def decide(self, z: float, look: int) -> Decision:
        """What the rule says of a z-value (positive if favourable) at a look (from 1) held as planned."""
        from .conclusion import decide

        if not 1 <= look <= self.looks:
            raise InputError("look", look, f"a look from 1 to {self.looks}")
        futility = None if self.futility_bounds is None else float(self.futility_bounds[look - 1])
        return decide(self, z, float(self.efficacy_bounds[look - 1]), futility, look == self.looks)

    def conclude(
        self,
        estimates: Estimate | Sequence[Estimate],
        *,
        look: int | None = None,
        information: Sequence[float] | None = None,
        final: bool | None = None,
    ) -> Conclusion:
        """What may be said after the latest of `estimates`; see `conclusion.conclude` for the particulars.

        Parameters
        ----------
        estimates
            Cumulative estimates at looks 1..k; or one estimate with `look` = k, the earlier looks having been passed.
        look
            The look (from 1) of a single estimate.
        information
            Observed information at looks 1..k as fractions of the planned maximum; by default as planned.
        final
            Whether the trial ends here; by default at the last planned look or once the maximum is reached.
        """
        from .conclusion import conclude

        return conclude(self, estimates, look=look, information=information, final=final)

    def to_dict(self) -> dict[str, Any]:
        """Everything about the design in plain values for JSON; an infinite bound is None."""
        futility, beta_spent = self.futility_bounds, self.beta_spent
        at_drift = self.exit_probabilities(self.drift) if self.beta is not None else None
        return {
            "information": list(self.information),
            "alpha": self.alpha,
            "sided": self.sided,
            "efficacy": self.efficacy.name,
            "futility": None if self.futility is None else self.futility.name,
            "beta": self.beta,
            "binding": self.binding,
            "efficacy_bounds": [plain(bound) for bound in self.efficacy_bounds],
            "futility_bounds": None if futility is None else [plain(bound) for bound in futility],
            "nominal_p_values": self.nominal_p_values.tolist(),
            "alpha_spent": self.alpha_spent.tolist(),
            "beta_spent": None if beta_spent is None else beta_spent.tolist(),
            "drift": None if self.beta is None else self.drift,
            "inflation_factor": None if self.beta is None else self.inflation_factor,
            "power_per_look": None if at_drift is None else at_drift.upper.tolist(),
        }

    def to_frame(self) -> polars.DataFrame:
        """One row a look, as a polars data frame; infinite bounds stay infinite."""
        import polars

        columns: dict[str, Any] = {
            "look": np.arange(1, self.looks + 1),
            "information_fraction": np.array(self.information),
            "efficacy_bound": self.efficacy_bounds,
            "nominal_p_value": self.nominal_p_values,
            "alpha_spent": self.alpha_spent,
        }
        if self.futility_bounds is not None and self.beta_spent is not None:
            columns |= {"futility_bound": self.futility_bounds, "beta_spent": self.beta_spent}
        if self.beta is not None:
            columns["power"] = np.cumsum(self.exit_probabilities(self.drift).upper)
        return polars.DataFrame(columns)

    def __str__(self) -> str:
        sides = "one-sided" if self.sided == 1 else "two-sided"
        lines = [f"Group-sequential design, {self.looks} look{'s' * (self.looks > 1)}, {sides} alpha {self.alpha:g}"]
        lines.append(f"Efficacy: {self.efficacy.name}")
        if self.futility is not None:
            force = "binding" if self.binding else "non-binding"
            lines.append(f"Futility: {self.futility.name}, {force}")
        if self.beta is not None:
            lines.append(
                f"Power {1 - self.beta:g} at drift {self.drift:.4f}; inflation factor {self.inflation_factor:.4f}"
            )
        headings = {
            "look": ("look", "d"),
            "information_fraction": ("information", ".3f"),
            "efficacy_bound": ("efficacy z", ".3f"),
            "nominal_p_value": ("nominal p", ".5f"),
            "alpha_spent": ("alpha spent", ".5f"),
            "futility_bound": ("futility z", ".3f"),
            "beta_spent": ("beta spent", ".5f"),
            "power": ("power", ".4f"),
        }
        frame = self.to_frame()
        rows = [[format(row[name], headings[name][1]) for name in frame.columns] for row in frame.iter_rows(named=True)]
        return "\n".join([*lines, text_table([headings[name][0] for name in frame.columns], rows)])

    __repr__ = __str__
