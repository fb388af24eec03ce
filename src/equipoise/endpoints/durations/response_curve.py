"""The probability of being in response over time among all randomised, its areas, and each patient's part in them.

A patient without response leaves at time 0, so that the product-limit estimate has an atom there of the share of
non-responders and is p S(t) afterwards, with p the share of responders and S the Kaplan-Meier curve among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ResponseCurve"]


@dataclass(frozen=True, slots=True, eq=False)
class ResponseCurve:
    """A product-limit curve over leading axes, with patients of unequal weight if need be.

    Patients are taken one by one in order of time, losses before censorings at the same time: a tie of d losses among
    n at risk then multiplies the curve by (n - 1) / n ... (n - d) / (n - d + 1) = (n - d) / n, as it should.

    Attributes
    ----------
    start
        Time from which each height holds, 0 first; infinite for places without a patient, shape (..., patients + 1).
    height
        The curve from there on, 1 first, shape (..., patients + 1).
    at_risk
        Weight of the patients still followed just before each place, 0 behind the last, shape (..., patients + 1).
    lost
        Whether the patient at each place lost her response then, shape (..., patients).
    place
        Row of the patient at each place, shape (..., patients).
    """

    start: NDArray[np.float64]
    height: NDArray[np.float64]
    at_risk: NDArray[np.float64]
    lost: NDArray[np.bool_]
    place: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        member: NDArray[np.bool_],
        time: NDArray[np.float64],
        lost: NDArray[np.bool_],
        weight: NDArray[np.float64] | None = None,
    ) -> ResponseCurve:
        """The curve of the members, all of shape (..., patients); weights are 1 unless given."""
        shared = np.where(member, 1.0 if weight is None else weight, 0.0)
        ordered_time = np.where(member, time, np.inf)
        place = np.lexsort((~lost, ordered_time), axis=-1)
        sorted_lost = np.take_along_axis(lost & member, place, -1)
        ahead = np.take_along_axis(shared, place, -1)
        at_risk = _padded(np.cumsum(ahead[..., ::-1], axis=-1)[..., ::-1], behind=0.0)
        before, after = at_risk[..., :-1], at_risk[..., 1:]
        stays = np.divide(after, before, out=np.ones_like(before), where=sorted_lost & (before > 0))
        return cls(
            _padded(np.take_along_axis(ordered_time, place, -1), before=0.0),
            _padded(np.cumprod(stays, axis=-1), before=1.0),
            at_risk,
            sorted_lost,
            place,
        )

    @property
    def last_time(self) -> NDArray[np.float64]:
        """Longest follow-up of a member; 0 without members, shape (...,)."""
        return np.max(np.where(np.isfinite(self.start), self.start, 0.0), axis=-1)

    @property
    def known_until(self) -> NDArray[np.float64]:
        """Time up to which the curve is known: the longest follow-up, or infinity once it has come to 0."""
        return np.where(self.height[..., -1] == 0, np.inf, self.last_time)

    def lengths(self, horizon: NDArray[np.float64]) -> NDArray[np.float64]:
        """For how long each height holds before the horizon, of shape (...,); shape (..., patients + 1)."""
        end = np.asarray(horizon)[..., None]
        return np.diff(np.minimum(_padded(self.start, behind=np.inf), end), axis=-1)

    def influence(self, beyond: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each patient's part in a functional of the curve, in the patients' order; shape (..., patients).

        It is the derivative of the functional by the logarithm of the patient's weight: the infinitesimal jackknife
        (Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6). The logarithm of height k is
        the sum over losses j <= k of log(Y[j+1] / Y[j]), Y the weights at risk. With `beyond`[j] the derivative of the
        functional by the j-th of these logarithms, its derivative by the weight at place i is

            sum over losses j < i of beyond[j] (1 / Y[j+1] - 1 / Y[j])  -  beyond[i] / Y[i] where i is a loss.

        With weights of 1 the parts are uncorrelated between the steps j, and that of step j has the sum of squares
        beyond[j]^2 / (Y[j] (Y[j] - 1)): the sum of squared parts is Greenwood's variance, exactly.

        Parameters
        ----------
        beyond
            By place, shape (..., patients); 0 where the curve has come to 0.
        """
        weight = self.at_risk[..., :-1] - self.at_risk[..., 1:]
        inverse = np.divide(1.0, self.at_risk, out=np.zeros_like(self.at_risk), where=self.at_risk > 0)
        step = np.where(self.lost, beyond, 0.0)
        passed = np.cumsum(step * (inverse[..., 1:] - inverse[..., :-1]), axis=-1)
        earlier = _padded(passed[..., :-1], before=0.0)
        parts = np.zeros_like(weight)
        np.put_along_axis(parts, self.place, weight * (earlier - step * inverse[..., :-1]), -1)
        return parts

    def integral(
        self, value: NDArray[np.float64], slope: NDArray[np.float64], lengths: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Integral over time of a function of the curve, and each patient's part in it.

        Parameters
        ----------
        value, slope
            The function and its derivative at each height, shape (..., patients + 1).
        lengths
            As `lengths` gives them.

        Returns
        -------
        integral, parts
            Shapes (...,) and (..., patients).
        """
        change = slope * self.height * lengths
        beyond = np.cumsum(change[..., :0:-1], axis=-1)[..., ::-1]
        return np.sum(value * lengths, axis=-1), self.influence(beyond)

    def mean_time(self, horizon: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Area under the curve up to the horizon, and each patient's part in it; see `integral`."""
        return self.integral(self.height, np.ones_like(self.height), self.lengths(horizon))

    def at(self, time: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Height at a time, and each patient's part in it; shapes (...,) and (..., patients)."""
        reached = self.start <= time
        last = reached.sum(axis=-1, keepdims=True) - 1
        height = np.take_along_axis(self.height, last, -1)
        return height[..., 0], self.influence(np.where(reached[..., 1:], height, 0.0))


def _padded(values: NDArray[Any], before: float | None = None, behind: float | None = None) -> NDArray[np.float64]:
    edge = (*values.shape[:-1], 1)
    front = [] if before is None else [np.full(edge, before)]
    back = [] if behind is None else [np.full(edge, behind)]
    return np.concatenate([*front, values, *back], axis=-1)
