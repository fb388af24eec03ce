"""Drawing what is recorded besides the scores: measures of each kind, and the clusters that make up a total."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..data import Measured
from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Measure, MeasureTruth, RatingScale
    from .truth import Truth

__all__ = ["draw_clusters", "draw_measure"]

DAYS_PER_YEAR = 365.25
NEEDED = {
    "binary": "probability",
    "ordinal": "shares",
    "continuous": "mean",
    "count": "rate",
    "time": "median_days",
    "guess": "guesses_experimental",
}


def draw_measure(
    generator: np.random.Generator,
    measure: Measure,
    truth: Truth,
    arm: NDArray[np.intp],
    randomised: NDArray[np.float64],
    seen: NDArray[np.float64],
    until: NDArray[np.float64],
) -> Measured:
    """One measure of each patient, independent of her scores.

    Parameters
    ----------
    arm
        Shape (patients,).
    randomised
        Day of the trial, shape (patients,).
    seen
        Day on which the patient was seen at the measure's visit, NaN where she was not, shape (patients,).
    until
        Day to which times and counts are followed: the visit, or the day she left, shape (patients,).

    Raises
    ------
    InputError
        Where the scenario does not say what is true of the measure in some arm.
    """
    laws = [law.measures.get(measure.name) for law in truth.arms]
    needed = NEEDED[measure.kind]
    for law in laws:
        given = None if law is None else getattr(law, needed)
        if given is None or given == ():
            raise InputError(
                f"measures.{measure.name}.{needed}", None, "a value in each arm of the scenario, for virtual patients"
            )
    told: list[MeasureTruth] = [law for law in laws if law is not None]

    def of_arm(name: str) -> NDArray[np.float64]:
        return np.array([getattr(law, name) for law in told], dtype=float)[arm]

    uniform = generator.random(len(arm))
    if measure.kind == "time":
        scale = of_arm("median_days") / math.log(2) ** (1 / of_arm("shape"))
        time = np.ceil(scale * (-np.log1p(-uniform)) ** (1 / of_arm("shape")))
        followed = until - randomised
        return Measured(np.minimum(time, followed), observed=time <= followed)
    if measure.kind == "count":
        exposure = until - randomised
        mean, dispersion = of_arm("rate") * exposure / DAYS_PER_YEAR, of_arm("dispersion")
        frailty = np.ones(len(arm))
        spread = dispersion > 0
        frailty[spread] = generator.gamma(1 / dispersion[spread]) * dispersion[spread]
        return Measured(generator.poisson(mean * frailty).astype(float), exposure=exposure, known=until)
    if measure.kind == "binary":
        value = (uniform < of_arm("probability")).astype(float)
    elif measure.kind == "continuous":
        value = of_arm("mean") + of_arm("sd") * generator.standard_normal(len(arm))
    elif measure.kind == "ordinal":
        edges = np.cumsum([law.shares for law in told], axis=1)[:, :-1]
        value = (uniform[:, None] >= edges[arm]).sum(axis=1).astype(float)
    else:
        first, none = of_arm("guesses_experimental"), of_arm("does_not_know")
        value = np.where(uniform < first, 1.0, np.where(uniform < first + none, -1.0, 0.0))
    return Measured(np.where(np.isnan(seen), np.nan, value), known=seen)


def draw_clusters(
    generator: np.random.Generator, scale: RatingScale, scores: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Sums of the scale's clusters that add up to given totals, as if points fell on the items at random.

    Each point of the total falls on one of the points that the items can have, all alike (hypergeometric), so that the
    clusters share the total in proportion to their size and every arm acts on all of them alike.

    Parameters
    ----------
    scores
        Totals, NaN where not seen, shape (patients, visits).

    Raises
    ------
    InputError
        For a scale whose clusters do not hold each item once.
    """
    items = [item for part in scale.subscales.values() for item in part.items]
    if sorted(items) != list(range(1, scale.items + 1)):
        raise InputError("outcome.scale", scale.name, "a scale whose clusters hold each item once, to draw clusters")
    per_item = (scale.maximum - scale.minimum) / scale.items
    widths = {name: round(per_item * len(part.items)) for name, part in scale.subscales.items()}
    left = np.where(np.isnan(scores), 0, scores - scale.minimum).astype(np.int64)
    room = sum(widths.values())
    drawn: dict[str, NDArray[np.float64]] = {}
    for name, width in widths.items():
        room -= width
        points = generator.hypergeometric(width, room, left) if room else left
        lowest = scale.minimum * len(scale.subscales[name].items) / scale.items
        drawn[name] = np.where(np.isnan(scores), np.nan, lowest + points)
        left = left - points
    return drawn
