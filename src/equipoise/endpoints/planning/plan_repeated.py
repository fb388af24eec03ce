"""Sample size and power for repeated measures analysed by the MMRM, with dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...checks import choice
from ...errors import InputError
from ...estimate import Better
from .planning_checks import LARGEST, SMALLEST, arm_patients, finite, positive, real_array, settle, whole_number
from .repeated_information import common_slope, given_baseline, mean_variance
from .sample_size import Assumptions

__all__ = ["RepeatedMeasures"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RepeatedMeasures(Assumptions):
    """Difference between arms at one visit, from the mixed model for repeated measures with unstructured means.

    Lu, Luo & Chen (2008, Int J Biostat 4(1):9): with monotone dropout that does not depend on what goes unseen, the
    estimated difference has variance v1 / n1 + v2 / n2, v being the element of the visit in the inverse of the sum over
    dropout patterns of share * inverse covariance. Power is by the normal distribution; the covariance counts as known.
    Patients at a look are those whose visits are over; what the others have shown by then would only add information.

    Parameters
    ----------
    effect
        Assumed difference of the means at the visit, experimental minus control.
    covariance
        Covariance of the visits, shape (visits, visits), of both arms; or one for each, experimental first.
    retention
        Share of randomised patients seen at each visit, above 0, never rising, shape (visits,), of both arms or one for
        each, experimental first; everyone at every visit if left out.
    visit
        Which visit, from 0; by default the last.
    baseline
        "none", or the first row of `covariance` is a baseline covariate that everyone has (and `retention` and `visit`
        are of the visits after it): adjusted for "by visit", with a slope at each, or by a "common" slope.
    allocation
        Patients on experimental for each on control.
    margin
        Null value of the difference.
    better
        Whether a higher or a lower mean is better.

    Raises
    ------
    InputError
        When a value is out of range, a matrix is not a covariance, or the effect does not lie on the better side of the
        margin (sample size only).
    """

    effect: float
    covariance: Any
    retention: Any = None
    visit: int = -1
    baseline: Literal["none", "by visit", "common"] = "none"
    allocation: float = 1.0
    margin: float = 0.0
    better: Better = "higher"

    def __post_init__(self) -> None:
        settle(
            self,
            effect=finite("effect", self.effect),
            margin=finite("margin", self.margin),
            allocation=positive("allocation", self.allocation),
            better=choice("better", self.better, ("higher", "lower")),
            baseline=choice("baseline", self.baseline, ("none", "by visit", "common")),
        )
        matrices = _pair("covariance", self.covariance, 2)
        for matrix in matrices:
            _check_covariance(matrix)
        visits = matrices.shape[1] - (self.baseline != "none")
        if visits < 1:
            raise InputError("covariance", self.covariance, "at least one visit after the baseline")
        shares = _pair("retention", np.ones(visits) if self.retention is None else self.retention, 1)
        if shares.shape[1] != visits:
            raise InputError("retention", self.retention, f"a share for each of {visits} visits")
        if not np.all((shares > 0) & (shares <= 1)) or np.any(np.diff(shares, axis=1) > 0):
            raise InputError("retention", self.retention, "shares above 0 and at most 1, never rising")
        visit = whole_number("visit", self.visit, f"a visit from 0 to {visits - 1}")
        if not -visits <= visit < visits:
            raise InputError("visit", self.visit, f"a visit from 0 to {visits - 1}")
        settle(self, covariance=_tuples(matrices), retention=_tuples(shares), visit=visit % visits)

    @property
    def scale(self) -> str:
        """What the effects measure."""
        return "mean difference"

    @property
    def favourable(self) -> float:
        """Distance of the effect from the margin, positive in favour of the experimental arm."""
        distance = self.effect - self.margin
        return distance if self.better == "higher" else -distance

    @property
    def _residual(self) -> Array:
        """Covariance of the visits given the baseline, if there is one, shape (arms, visits, visits)."""
        joint = np.array(self.covariance)
        if self.baseline == "none":
            return joint
        pooled = joint.mean(axis=0)
        slopes = pooled[1:, 0] / pooled[0, 0]
        if self.baseline == "common":
            slopes = np.full(len(slopes), common_slope(pooled, np.array(self.retention).mean(axis=0)))
        return np.stack([given_baseline(matrix, slopes) for matrix in joint])

    @property
    def variances(self) -> tuple[float, float]:
        """Variance of one randomised patient's contribution to the estimated mean, experimental and control."""
        shares = np.array(self.retention)
        found = [mean_variance(matrix, share, self.visit) for matrix, share in zip(self._residual, shares, strict=True)]
        return found[0], found[1]

    @property
    def variance_inflation(self) -> tuple[float, float]:
        """What dropout costs, Lu, Luo & Chen's phi: those variances over the variance of the visit itself."""
        full = self._residual[:, self.visit, self.visit]
        return self.variances[0] / float(full[0]), self.variances[1] / float(full[1])

    @property
    def assumed(self) -> str:
        """The assumptions in one line."""
        deviations = np.sqrt(self._residual[:, self.visit, self.visit])
        spread = " and ".join(f"{value:.4g}" for value in dict.fromkeys(np.round(deviations, 12).tolist()))
        seen = " and ".join(f"{share:.3g}" for share in dict.fromkeys(row[self.visit] for row in self.retention))
        given = "" if self.baseline == "none" else " given baseline"
        return (
            f"Difference {self.effect:g} against {self.margin:g} at visit {self.visit + 1} of "
            f"{len(self.retention[0])}, standard deviation {spread}{given}, seen {seen}, "
            f"allocation {self.allocation:g}:1; MMRM, {self.better} is better"
        )

    def _standard_error(self, per_arm: Array) -> Array:
        """Standard error of the difference, for patients of shape (..., arms)."""
        with np.errstate(divide="ignore"):
            return np.sqrt((np.array(self.variances) / per_arm).sum(axis=-1))

    def information(self, per_arm: Sequence[float] | Array) -> float:
        """Information about the difference from these randomised patients, experimental and control."""
        return float(self._standard_error(arm_patients(per_arm))) ** -2

    def fixed_drift(self, level: float, per_arm: Array) -> float:
        """z_{1 - level} + z_power of the fixed test: the mean of its z."""
        return self.favourable / float(self._standard_error(per_arm))

    def fixed_size(self, level: float, power: float) -> float:
        """Unrounded patients of the fixed design in all."""
        from scipy.special import ndtri

        if self.favourable <= 0:
            side = "above" if self.better == "higher" else "below"
            raise InputError("effect", self.effect, f"an effect {side} the margin {self.margin:g}")
        drift = -float(ndtri(level)) + float(ndtri(power))
        return (drift * float(self._standard_error(self.split(1.0))) / self.favourable) ** 2

    def critical_effects(self, z: Array, information: Array, per_arm: Array) -> Array:
        """Differences on the bounds."""
        distance = z * self._standard_error(self.by_look(information, per_arm))
        return self.margin + (distance if self.better == "higher" else -distance)


def _pair(name: str, value: Any, dimensions: int) -> Array:
    """One array for both arms, or one for each, as shape (2, ...)."""
    what = "a matrix of shape (visits, visits)" if dimensions == 2 else "a share for each visit"
    expected = f"{what}, or two of them, experimental and control"
    array = real_array(name, value, expected)
    if array.ndim == dimensions:
        array = np.stack([array, array])
    if array.ndim != dimensions + 1 or len(array) != 2 or not array.size or not np.all(np.abs(array) <= LARGEST):
        raise InputError(name, value, expected)
    return array


def _check_covariance(matrix: Array) -> None:
    square = matrix.shape[0] == matrix.shape[1]
    if not square or not np.allclose(matrix, matrix.T, rtol=1e-10, atol=0):
        raise InputError("covariance", matrix.tolist(), "a symmetric matrix")
    scale = np.sqrt(np.abs(np.diag(matrix)))
    if np.any(np.diag(matrix) < SMALLEST) or np.linalg.eigvalsh(matrix / np.outer(scale, scale))[0] < 1e-12:
        raise InputError("covariance", matrix.tolist(), "a positive definite matrix")


def _tuples(array: Array) -> tuple[Any, ...]:
    """Nested tuples, so that the assumptions can be compared and hashed."""
    return tuple(_tuples(part) for part in array) if array.ndim > 1 else tuple(array.tolist())
