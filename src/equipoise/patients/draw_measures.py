"""Drawing what is recorded besides the scores: measures of each kind, for many trials at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..data import Measured
from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Measure, MeasureTruth
    from .draws import Draws
    from .truth import Truth

__all__ = ["draw_measure"]

DAYS_PER_YEAR = 365.25
MOST_EVENTS = 1e6
NEEDED = {
    "binary": "probability",
    "ordinal": "shares",
    "continuous": "mean",
    "count": "rate",
    "time": "median_days",
    "guess": "guesses_experimental",
}


def draw_measure(
    draws: Draws,
    measure: Measure,
    truth: Truth,
    arm: NDArray[np.intp],
    randomised: NDArray[np.float64],
    seen: NDArray[np.float64],
    until: NDArray[np.float64],
    value: NDArray[np.float64] | None = None,
) -> Measured:
    """One measure of each patient, independent of her scores unless its values are given.

    Every value is a quantile at the patient's one uniform number, so that trials under other truths that are drawn from
    the same numbers differ as little as they can.

    Parameters
    ----------
    arm
        Shape (trials, patients).
    randomised
        Day of the trial, shape (trials, patients).
    seen
        Day on which the patient was seen at the measure's visit, NaN where she was not, shape (trials, patients).
    until
        Day to which times and counts are followed: the visit, or the day she left, shape (trials, patients).
    value
        Of the measure, where it has been drawn already (a guess that follows what the patient believes), shape
        (trials, patients); not for times or counts.

    Raises
    ------
    InputError
        Where the scenario does not say what is true of the measure in some arm, or it says more than a million events
        of a patient.
    """
    if value is not None:
        return Measured(np.where(np.isnan(seen), np.nan, value), known=seen)
    told = _told(measure, truth)

    def of_arm(name: str) -> NDArray[np.float64]:
        return np.array([getattr(law, name) for law in told], dtype=float)[arm]

    purpose, patients = f"measure: {measure.name}", arm.shape[1]
    if measure.kind == "time":
        quantile = draws.exponential(purpose, patients) / math.log(2)
        time = np.ceil(of_arm("median_days") * quantile ** (1 / of_arm("shape")))
        followed = until - randomised
        return Measured(np.minimum(time, followed), observed=time <= followed)
    if measure.kind == "continuous":
        drawn = of_arm("mean") + of_arm("sd") * draws.normal(purpose, patients)
        return Measured(np.where(np.isnan(seen), np.nan, drawn), known=seen)
    uniform = draws.uniform(purpose, patients)
    if measure.kind == "count":
        from .count_kernel import counts_of

        exposure = until - randomised
        mean = of_arm("rate") * exposure / DAYS_PER_YEAR
        if mean.max(initial=0.0) > MOST_EVENTS:
            rate = max(law.rate or 0.0 for law in told)
            raise InputError(f"measures.{measure.name}.rate", rate, "at most a million events of a patient")
        counts_of(uniform, mean, of_arm("dispersion"))
        return Measured(uniform, exposure=exposure, known=until)
    if measure.kind == "binary":
        drawn = (uniform < of_arm("probability")).astype(float)
    elif measure.kind == "ordinal":
        drawn = np.zeros(arm.shape)
        for edge in np.cumsum([law.shares for law in told], axis=1)[:, :-1].T:
            drawn += uniform >= edge[arm]
    else:
        first, none = of_arm("guesses_experimental"), of_arm("does_not_know")
        drawn = np.where(uniform < first, 1.0, np.where(uniform < first + none, -1.0, 0.0))
    return Measured(np.where(np.isnan(seen), np.nan, drawn), known=seen)


def _told(measure: Measure, truth: Truth) -> list[MeasureTruth]:
    """What the scenario says of a measure, by arm."""
    laws = [law.measures.get(measure.name) for law in truth.arms]
    needed = NEEDED[measure.kind]
    for law in laws:
        given = None if law is None else getattr(law, needed)
        if given is None or given == ():
            raise InputError(
                f"measures.{measure.name}.{needed}", None, "a value in each arm of the scenario, for virtual patients"
            )
    return [law for law in laws if law is not None]
