"""Group-sequential tests with outcomes still in the pipeline when recruitment stops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, flag, instance, numbers
from ..errors import InputError
from ..plain import plain
from ..text_table import text_table
from .delayed_region import DelayedOutcomes, DelayedRegion
from .design import GroupSequential
from .roots import rising_root

if TYPE_CHECKING:
    import polars

    from ..estimate import Estimate
    from .delayed_conclusion import DelayedConclusion

__all__ = ["DelayedResponse"]

Array = npt.NDArray[np.float64]
_LEAST = 1e-6  # smallest share of information in the pipeline that is told from none


@dataclass(frozen=True)
class DelayedResponse:
    """A delayed-response group-sequential test (Hampson & Jennison 2013, JRSS B 75:3), one-sided.

    Leaving the continuation region at an interim look stops recruitment, not the trial. Patients already randomised
    are followed up, and the decision is taken once they all have an outcome: the null hypothesis is rejected when z is
    then at least a critical value c_k, whichever way the trial had stopped. c_k is such that, without an effect, a stop
    for efficacy is as likely to be reversed as one for futility; rejections won and lost cancel, and the type I error
    spent is exactly that of the design. At the last look nothing is in the pipeline.

    If futility is not binding, earlier futility bounds are left out when the c_k are found, and the type I error is at
    most alpha whichever futility bounds are overruled (so does the R package DelayedGSD; rpact keeps them in, and its
    smaller c_k leave that open).

    Parameters
    ----------
    design
        The interim looks: one-sided, with futility bounds. Fractions of information are those of its maximum.
    pipeline
        Information fraction at the decision analysis that follows a stop at each look but the last, once the pipeline
        is complete: what the look had, and what was still to come. Where it equals the look's own, nothing is in the
        pipeline, and the critical value is the efficacy bound.

    Raises
    ------
    InputError
        When the design is two-sided or without futility, or a fraction is below that of its look or above 1.
    """

    design: GroupSequential
    pipeline: tuple[float, ...]

    def __post_init__(self) -> None:
        instance("design", self.design, GroupSequential, "a one-sided GroupSequential design with futility bounds")
        if self.design.sided != 1:
            raise InputError("design.sided", self.design.sided, "1, for delayed-response tests are one-sided")
        if self.design.futility is None:
            raise InputError("design.futility", None, "futility bounds, for a decision may be reversed either way")
        pipeline = checked_pipeline(self.pipeline, self.design.information[:-1], 1.0)
        object.__setattr__(self, "pipeline", pipeline)

    @cached_property
    def region(self) -> DelayedRegion:
        """Bounds of interim looks and decision analyses at the planned information."""
        return self.bounds_at(self.design.information, self.pipeline, True)

    @property
    def continuation(self) -> tuple[Array, Array]:
        """Lower and upper bound on z between which recruitment goes on, shape (looks,) each; equal at the last look."""
        return self.region.lower, self.region.upper

    @property
    def decision_bounds(self) -> Array:
        """Critical values of z at the decision analyses, shape (looks,); the last is the last efficacy bound."""
        return self.region.critical

    @cached_property
    def reversal_probabilities(self) -> Array:
        """Probability without an effect of reversing a stop for efficacy at each look, shape (looks,).

        That of reversing one for futility is the same. Zero at the last look, and where nothing is in the pipeline.
        """
        return self.region.outcomes(np.zeros(1), self.design.binding).lost[0]

    @cached_property
    def type_one_error(self) -> float:
        """Probability of rejecting without an effect when every bound is followed.

        The design's alpha if futility is binding, less otherwise.
        """
        return float(self.region.outcomes(np.zeros(1)).rejected.sum())

    @cached_property
    def drift(self) -> float:
        """Drift theta * sqrt(I_max) at which the power is 1 - beta, the bounds as they are."""
        from scipy.special import ndtri

        guess, beta = self.design.drift, self.design.beta
        if beta is None:
            raise InputError("design.beta", None, "a type II error between 0 and 1, for a drift to have that power")
        return rising_root(lambda drift: float(ndtri(self.power(drift)) + ndtri(beta)), guess)

    @property
    def inflation_factor(self) -> float:
        """Maximum information relative to the fixed design of the same alpha and beta, at the drift of that power."""
        return self.design.inflation_factor * (self.drift / self.design.drift) ** 2

    def bounds_at(
        self, information: Sequence[float] | Array, pipeline: Sequence[float] | Array, final: bool
    ) -> DelayedRegion:
        """Bounds at observed information, the error spent recomputed there.

        Parameters
        ----------
        information
            Fractions at looks 1..k.
        pipeline
            Fractions at the decision analyses that follow stops at looks 1..k; for the last of a `final` one it is left
            out.
        final
            Whether look k ends the trial, so that everything left is spent there.

        Raises
        ------
        InputError
            When fractions do not rise from look to look, or one at a decision analysis does not fit that of its look.
        """
        final = flag("final", final)
        boundaries = self.design.bounds_at(information, final)
        upper, lower = boundaries.efficacy, boundaries.futility
        if lower is None:
            lower = np.full(upper.shape, -math.inf)
        times = boundaries.information
        waiting = times[:-1] if final else times
        decided = np.append(checked_pipeline(pipeline, waiting.tolist()), times[waiting.size :])
        return DelayedRegion.balanced(boundaries.information, lower, upper, decided, self.design.binding)

    def outcome_probabilities(self, drift: npt.ArrayLike) -> DelayedOutcomes:
        """How trials stop and what is then decided, every bound followed; `drift` = theta * sqrt(I_max), any shape.

        Returns
        -------
        DelayedOutcomes
            Arrays of shape (..., looks).
        """
        drifts = any_shape("drift", drift)
        found = self.region.outcomes(drifts.ravel())
        shape = (*drifts.shape, self.design.looks)
        parts = (found.confirmed, found.lost, found.gained, found.accepted)
        return DelayedOutcomes(*(part.reshape(shape) for part in parts))

    def power(self, drift: npt.ArrayLike) -> Any:
        """Probability of rejecting, every bound followed; `drift` = theta * sqrt(I_max), any shape."""
        total = self.outcome_probabilities(drift).rejected.sum(axis=-1)
        return float(total) if total.ndim == 0 else total

    def expected_information(self, drift: npt.ArrayLike) -> Any:
        """Mean information at the decision, the pipeline included, as a fraction of I_max; drift of any shape."""
        stopped = self.outcome_probabilities(drift).stopped[..., :-1]
        mean = 1.0 - stopped @ (1.0 - np.array(self.pipeline))
        return float(mean) if np.ndim(mean) == 0 else mean

    def conclude(
        self,
        decision: Estimate,
        *,
        interim: Estimate | None = None,
        look: int | None = None,
        information: Sequence[float] | None = None,
        pipeline: Sequence[float] | None = None,
        final: bool | None = None,
    ) -> DelayedConclusion:
        """What may be claimed at a decision analysis; see `delayed_conclusion.conclude_delayed` for the particulars.

        Parameters
        ----------
        decision
            The estimate from everybody randomised.
        interim
            The estimate at the look where recruitment stopped; None when it never did before the last.
        look
            That look, from 1; by default the last.
        information
            Observed information at looks 1..k as fractions of the planned maximum; by default as planned.
        pipeline
            Fractions at the decision analyses of looks 1..k, expected for the earlier and observed for the last; by
            default as planned.
        final
            Whether look k ends the trial without an interim analysis; by default the last planned look does.
        """
        from .delayed_conclusion import conclude_delayed

        return conclude_delayed(
            self, decision, interim=interim, look=look, information=information, pipeline=pipeline, final=final
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite bound is None."""
        return {
            "design": self.design.to_dict(),
            "pipeline": list(self.pipeline),
            "decision_bounds": [plain(float(bound)) for bound in self.decision_bounds],
            "reversal_probabilities": self.reversal_probabilities.tolist(),
            "type_one_error": self.type_one_error,
            "drift": None if self.design.beta is None else self.drift,
            "inflation_factor": None if self.design.beta is None else self.inflation_factor,
            "power_per_look": None
            if self.design.beta is None
            else self.outcome_probabilities(self.drift).rejected.tolist(),
        }

    def to_frame(self) -> polars.DataFrame:
        """One row a look, as a polars data frame; infinite bounds stay infinite."""
        import polars

        columns: dict[str, Any] = {
            "look": np.arange(1, self.design.looks + 1),
            "information_fraction": self.region.information,
            "futility_bound": self.region.lower,
            "efficacy_bound": self.region.upper,
            "decision_information": self.region.pipeline,
            "decision_bound": self.decision_bounds,
            "reversal_probability": self.reversal_probabilities,
        }
        if self.design.beta is not None:
            columns["power"] = np.cumsum(self.outcome_probabilities(self.drift).rejected)
        return polars.DataFrame(columns)

    def __str__(self) -> str:
        looks, force = self.design.looks, "binding" if self.design.binding else "non-binding"
        lines = [
            f"Delayed-response test, {looks} look{'s' * (looks > 1)}, one-sided alpha {self.design.alpha:g}",
            f"Efficacy: {self.design.efficacy.name}",
            f"Futility: {'' if self.design.futility is None else self.design.futility.name}, {force}",
            f"Type I error {self.type_one_error:.6g} with every bound followed",
        ]
        if self.design.beta is not None:
            lines.append(
                f"Power {1 - self.design.beta:g} at drift {self.drift:.4f}; "
                f"inflation factor {self.inflation_factor:.4f}"
            )
        headings = {
            "look": ("look", "d"),
            "information_fraction": ("information", ".3f"),
            "futility_bound": ("futility z", ".3f"),
            "efficacy_bound": ("efficacy z", ".3f"),
            "decision_information": ("at decision", ".3f"),
            "decision_bound": ("decision z", ".3f"),
            "reversal_probability": ("reversal", ".2g"),
            "power": ("power", ".4f"),
        }
        frame = self.to_frame()
        rows = [[format(row[name], headings[name][1]) for name in frame.columns] for row in frame.iter_rows(named=True)]
        return "\n".join([*lines, text_table([headings[name][0] for name in frame.columns], rows)])

    __repr__ = __str__


def checked_pipeline(
    pipeline: Sequence[float] | Array, information: Sequence[float], limit: float = math.inf
) -> tuple[float, ...]:
    """Fractions at decision analyses, one for each of the looks with these information fractions.

    Raises
    ------
    InputError
        When they are too few or too many, below that of their look or too near it to be told apart, or above `limit`.
    """
    expected = f"{len(information)} information fractions, one for each look at which recruitment may stop"
    if len(information) < 2:
        expected = "one information fraction, for the look at which recruitment may stop"
        expected = expected if len(information) else "none, for there is no look at which recruitment may stop"
    fractions = tuple(numbers("pipeline", pipeline, expected).tolist())
    if len(fractions) != len(information):
        raise InputError("pipeline", pipeline, expected)
    for before, after in zip(information, fractions, strict=True):
        if not (after == before or before * (1 + _LEAST) <= after < math.inf) or after > limit:
            top = f", at most {limit:g}" if limit < math.inf else ""
            expected = f"{before:g}, the fraction at its look, or more (by at least a millionth of it){top}"
            raise InputError("pipeline", after, expected)
    return fractions
