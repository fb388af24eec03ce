"""Group-sequential designs: what is planned, and what they say at a look, while the trial runs and after it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy.typing as npt

from ..checks import number, numbers, whole
from ..errors import InputError
from ..estimate import Estimate
from .planned_design import PlannedDesign

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .conclusion import Conclusion
    from .decision import Decision
    from .estimators import Estimator
    from .monitoring import Monitoring
    from .paths import PathDecisions
    from .properties import EstimatorProperties

__all__ = ["GroupSequential"]


class GroupSequential(PlannedDesign):
    """A group-sequential design (Jennison & Turnbull 2000; Lan & DeMets 1983, Biometrika 70:659).

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
        A spending function for alpha (`OBrienFlemingSpending()`, ...), a classical boundary (`OBrienFleming()`,
        `Pocock()`, `WangTsiatis(delta)`, `HaybittlePeto(bound)`), or `FixedBounds`.
    futility
        A spending function for beta, or `FixedBounds`; None for no stopping for futility. A two-sided design stops for
        futility in a wedge around no effect.
    beta
        Type II error, needed to spend it, and for `drift` and `inflation_factor`.
    binding
        Whether stopping at the futility bound is obligatory. If not, efficacy bounds are computed without it and alpha
        holds whether or not the committee follows it; beta is spent with both bounds in place either way.

    Raises
    ------
    InputError
        When a parameter is out of range, or the bounds asked for cannot be had.
    """

    def decide(self, z: float, look: int) -> Decision:
        """What the rule says of a z-value (positive if favourable) at a look (from 1) held as planned."""
        from .decision import decide

        look = whole("look", look, f"a look from 1 to {self.looks}")
        if not 1 <= look <= self.looks:
            raise InputError("look", look, f"a look from 1 to {self.looks}")
        z = number("z", z, "a number", infinite=True)
        futility = None if self.futility_bounds is None else float(self.futility_bounds[look - 1])
        return decide(self, z, float(self.efficacy_bounds[look - 1]), futility, look == self.looks)

    def decisions(self, z: npt.ArrayLike) -> PathDecisions:
        """What the rule says of many trials held as planned; `z` (trials, looks), NaN at a look not taken."""
        from .paths import decide_paths

        return decide_paths(self.planned, self.sided, z)

    def estimator_properties(self, estimator: Estimator, drift: npt.ArrayLike) -> EstimatorProperties:
        """Bias, variance and mean squared error of an estimator after this design, overall and given each stop.

        Parameters
        ----------
        estimator
            For instance one of `ESTIMATORS`. Non-binding futility is left out.
        drift
            theta * sqrt(I_max), shape (drifts,), as the results; a number counts as one drift.
        """
        from .properties import estimator_properties

        return estimator_properties(self.region(self.binding), estimator, drift)

    def monitor(
        self,
        z: float,
        *,
        look: int | None = None,
        information: Sequence[float] | None = None,
        later: Sequence[float] | None = None,
    ) -> Monitoring:
        """What a look says of the looks ahead: conditional and predictive power, conditional error, B-value.

        Parameters
        ----------
        z
            At the look, positive in favour of the experimental arm.
        look
            The look (from 1), held as planned.
        information
            Observed information at looks 1..k as fractions of the planned maximum, where it is other than planned.
        later
            Information of the looks ahead, where they are replanned.
        """
        from .monitoring import Monitoring

        return Monitoring.of(self, z, look=look, information=information, later=later)

    def conclude(
        self,
        estimates: Estimate | Sequence[Estimate],
        *,
        look: int | None = None,
        information: Sequence[float] | None = None,
        final: bool | None = None,
    ) -> Conclusion:
        """What may be said after the latest of `estimates`; see `concluding.conclude` for the particulars.

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
        from .concluding import conclude

        return conclude(self, estimates, look=look, information=information, final=final)

    def follow(
        self, estimates: Sequence[Estimate], *, information: Sequence[float] | None = None
    ) -> tuple[Conclusion, ...]:
        """A `Conclusion` at each look until the rule stops the trial: decisions, repeated intervals and p-values.

        Parameters
        ----------
        estimates
            Cumulative estimates at looks 1..k; those after a stop are left out. A futility bound that is not binding
            does not stop the trial here if there are estimates after it.
        information
            Observed information at each, as fractions of the planned maximum; by default as planned.
        """
        if isinstance(estimates, Estimate) or not all(isinstance(estimate, Estimate) for estimate in estimates):
            raise InputError("estimates", estimates, "an Estimate for each look so far")
        given = None if information is None else numbers("information", information).tolist()
        if given is not None and len(given) != len(estimates):
            raise InputError("information", information, f"{len(estimates)} fractions, one for each estimate")
        conclusions: list[Conclusion] = []
        for look in range(1, len(estimates) + 1):
            fractions = None if given is None else given[:look]
            ends = None if look == len(estimates) else False
            conclusions.append(self.conclude(estimates[:look], information=fractions, final=ends))
            decision = conclusions[-1].decision
            if decision.rejects or (decision.stops and (self.binding or self.futility is None)):
                break
        return tuple(conclusions)

    def plot(self, kind: Literal["bounds", "power", "spending"] = "bounds", scale: str = "z") -> Figure:
        """A matplotlib figure of the design.

        Parameters
        ----------
        kind
            "bounds"; "power", the power curve with the probabilities of stopping at each look; "spending", the error
            spent.
        scale
            Of bounds: "z", "p-value", "effect" (as a multiple of the planned one), "conditional power", "conditional
            power at trend" or "predictive power".
        """
        from .plots import bounds_figure, power_figure, spending_figure

        if kind == "bounds":
            return bounds_figure(self, scale)
        if kind == "power":
            return power_figure(self)
        if kind == "spending":
            return spending_figure(self)
        raise InputError("kind", kind, "one of bounds, power, spending")
