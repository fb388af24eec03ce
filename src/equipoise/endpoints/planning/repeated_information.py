"""Information of repeated measures about their means, when patients drop out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "common_slope",
    "contrast_variance",
    "given_baseline",
    "mean_covariance",
    "mean_information",
    "mean_variance",
    "slopes_by_visit",
]

Array = npt.NDArray[np.float64]


def mean_information(covariance: Array, staying: Array) -> Array:
    """Information of one patient about the means at the visits, averaged over where she leaves.

    The sum over monotone patterns of the share of patients with the pattern times the inverse covariance of the visits
    they have (Lu, Luo & Chen 2008, Int J Biostat 4(1):9, formula 3).

    Parameters
    ----------
    covariance
        Of the visits, shape (visits, visits).
    staying
        Probability of being seen at each visit, never rising, shape (visits,).
    """
    leaving = staying - np.append(staying[1:], 0.0)
    information = np.zeros_like(covariance)
    for seen in range(1, len(covariance) + 1):
        information[:seen, :seen] += leaving[seen - 1] * np.linalg.inv(covariance[:seen, :seen])
    return information


def mean_covariance(covariance: Array, staying: Array) -> Array:
    """Covariance of one randomised patient's contributions to the estimated means, shape (visits, visits).

    The inverse of `mean_information`: over n patients it is that of the arm's estimated means.
    """
    return np.asarray(np.linalg.inv(mean_information(covariance, staying)), dtype=np.float64)


def mean_variance(covariance: Array, staying: Array, visit: int) -> float:
    """Variance of one randomised patient's contribution to the estimated mean at a visit (from 0)."""
    return float(mean_covariance(covariance, staying)[visit, visit])


def contrast_variance(covariance: Array, staying: Array, weights: Array) -> float:
    """Variance of one randomised patient's contribution to a combination of the estimated means, `weights` (visits,)
    at the visits: an average, a slope, an area.
    """
    return float(weights @ mean_covariance(covariance, staying) @ weights)


def given_baseline(joint: Array, slopes: Array) -> Array:
    """Covariance of the later visits less `slopes` (visits,) times the baseline, which is first in `joint`."""
    crossed = np.outer(slopes, joint[0, 1:])
    return joint[1:, 1:] - crossed - crossed.T + joint[0, 0] * np.outer(slopes, slopes)


def slopes_by_visit(joints: Sequence[Array], weights: Sequence[Array]) -> Array:
    """Slopes on baseline by visit that a mixed model with one unstructured covariance comes to in large trials.

    Patients who leave do so whatever their scores. Likelihoods of what is seen of them factorise into regressions of
    each visit on baseline and the visits before (Anderson 1957, J Am Stat Assoc 52:200), each of the patients still
    there, whose covariances about the means of their arms are averaged.

    Parameters
    ----------
    joints
        Covariance of each arm with the baseline first, shape (1 + visits, 1 + visits).
    weights
        Share of all patients that are of the arm and seen at each visit, shape (visits,).
    """
    slopes = np.empty(len(weights[0]))
    for at in range(len(slopes)):
        pooled = np.average(joints, axis=0, weights=[part[at] for part in weights])[: at + 2, : at + 2]
        given = np.linalg.solve(pooled[:-1, :-1], pooled[:-1, -1])
        slopes[at] = given[0] + given[1:] @ slopes[:at]
    return slopes


def common_slope(joint: Array, staying: Array) -> float:
    """The one slope on baseline of generalised least squares, whose weights depend on it; found by repetition.

    `joint` has the baseline first, shape (1 + visits, 1 + visits); `staying` is of the later visits.
    """
    ones, slope = np.ones(len(joint) - 1), float(joint[1:, 0].mean() / joint[0, 0])
    for _ in range(200):
        weights = mean_information(given_baseline(joint, slope * ones), staying)
        slope, before = float(ones @ weights @ joint[1:, 0] / (joint[0, 0] * (ones @ weights @ ones))), slope
        if abs(slope - before) < 1e-12:
            break
    return slope
