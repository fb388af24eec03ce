"""Laws of a composite's components under a scenario, among patients who leave the trial at the same time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import InputError
from .ranks.win_laws import Normal, Points, counted, levels, timed
from .ranks.win_planning import PatientClass
from .survival.planned import followed_days

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Component, HierarchicalEndpoint, Measure, MeasureTruth, Protocol
    from .planning.law import ArmLaw, Law

__all__ = ["complete_after", "patient_classes"]

# Standard normal mass beyond this is below 2e-17.
_FAR = 8.5


def complete_after(protocol: Protocol, measure: Measure) -> float:
    """Days of follow-up that count as the whole of a count's: up to the window of its visit."""
    visit = protocol.visit(measure.visit)
    return visit.day - math.floor(visit.window[0])


def patient_classes(endpoint: HierarchicalEndpoint, protocol: Protocol, law: Law) -> list[PatientClass]:
    """Patients of control and the experimental arm by the last visit they attend.

    Raises
    ------
    InputError
        Where the scenario does not say what is true of a measure.
    """
    found = []
    for at, arm in enumerate(law.arms[:2]):
        leaving = np.append(np.asarray(arm.staying), 0.0)
        for last, chance in enumerate((leaving[:-1] - leaving[1:]).tolist()):
            if chance > 0:
                laws = tuple(_law(item, protocol, arm, last) for item in endpoint.components)
                found.append(PatientClass(at, chance, laws))
    return found


def _law(item: Component, protocol: Protocol, arm: ArmLaw, last: int) -> Points | Normal | None:
    """Of one component among the patients of an arm whose last visit is the one of that number."""
    from ..protocol.measures import untold

    if not item.measure:
        at = protocol.visit_names.index(item.visit)
        return _score(protocol, arm, at) if last >= at else None
    measure = protocol.measure(item.measure)
    truth = arm.measures.get(measure.name)
    key = untold(measure.kind, truth)
    if truth is None or key:
        raise InputError(f"measures.{measure.name}.{key}", None, "a value in each arm of the scenario, to plan by")
    at = protocol.visit_names.index(measure.visit)
    if measure.kind in ("time", "count"):
        return _followed(protocol, measure, truth, at, last)
    if last < at:
        return None
    if measure.kind == "continuous":
        return Normal(float(truth.mean or 0.0), float(truth.sd or 0.0))
    shares = np.array(truth.shares) if measure.kind == "ordinal" else _yes(float(truth.probability or 0.0))
    return levels(np.arange(len(shares)), shares / shares.sum())


def _yes(probability: float) -> NDArray[np.float64]:
    return np.array([1 - probability, probability])


def _followed(protocol: Protocol, measure: Measure, truth: MeasureTruth, at: int, last: int) -> Points:
    """A time or a count, followed to the measure's visit or a day between the last visit attended and the next."""
    planned = [float(visit.day) for visit in protocol.visits[: at + 1]]
    attended = (np.arange(at + 1) <= last).astype(float)
    beyond = followed_days(planned, [visit.window for visit in protocol.visits[: at + 1]], attended)
    chances = -np.diff(np.concatenate([[1.0], beyond, [0.0]]))
    days = np.flatnonzero(chances > 1e-12)
    weights = chances[days] / chances[days].sum()
    if measure.kind == "time":
        return timed(float(truth.median_days or 0.0), float(truth.shape), days.astype(float), weights)
    complete = complete_after(protocol, measure)
    return counted(float(truth.rate or 0.0), float(truth.dispersion), days.astype(float), weights, complete)


def _score(protocol: Protocol, arm: ArmLaw, at: int) -> Points:
    """The scale's score at a visit, or its change from baseline where the protocol analyses that."""
    truth = cast(Any, arm)
    end = truth.scores[at]
    if protocol.analysis.outcome != "change":
        return levels(end.scores, end.probabilities)
    start, correlation = truth.scores[0], float(truth.correlation[0, at])
    edges = np.concatenate([[-_FAR], np.clip(start.thresholds, -_FAR, _FAR), [_FAR]])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges)[:, None] / 2
    latent = (edges[:-1, None] + edges[1:, None]) / 2 + half * nodes
    density = half * weights * np.exp(-0.5 * latent**2) / math.sqrt(2 * math.pi)
    joint = np.stack([_given(end.thresholds, correlation, z) @ w for z, w in zip(latent, density, strict=True)])
    gaps = end.scores[None, :] - start.scores[:, None]
    lowest = gaps.min()
    chances = np.bincount(np.rint(gaps - lowest).astype(int).ravel(), joint.ravel())
    return levels(lowest + np.arange(len(chances)), chances / chances.sum())


def _given(thresholds: NDArray[np.float64], correlation: float, latent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of the scores given correlated latent values, shape (scores, values)."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore"):
        below = ndtr((thresholds[:, None] - correlation * latent) / math.sqrt(1 - correlation**2))
    ends = np.zeros((1, len(latent)))
    return np.diff(np.concatenate([ends, below, ends + 1]), axis=0)
