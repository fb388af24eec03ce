"""Drawing what is recorded besides the scores: measures of each kind, for many trials at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..data import DAYS_PER_YEAR, Measured
from ..errors import InputError
from ..protocol.measures import untold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Measure, MeasureTruth
    from .draws import Draws
    from .truth import Truth

__all__ = ["draw_measure"]

MOST_EVENTS = 1e6


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
        values = np.array([getattr(law, name) for law in told], dtype=float)
        same = (values == values[0]).all()
        return np.broadcast_to(values[0], arm.shape) if same else np.take(values, arm, mode="clip")

    def where_seen(drawn: NDArray[np.float64]) -> Measured:
        np.copyto(drawn, np.nan, where=np.isnan(seen))
        return Measured(drawn, known=seen)

    purpose, patients = f"measure: {measure.name}", arm.shape[1]
    if measure.kind == "time":
        time = draws.exponential(purpose, patients)
        time /= math.log(2)
        if any(law.shape != 1 for law in told):
            time **= 1 / of_arm("shape")
        time *= of_arm("median_days")
        np.ceil(time, out=time)
        followed = until - randomised
        observed = time <= followed
        return Measured(np.minimum(time, followed, out=time), observed=observed)
    if measure.kind == "continuous":
        drawn = draws.normal(purpose, patients)
        drawn *= of_arm("sd")
        drawn += of_arm("mean")
        return where_seen(drawn)
    uniform = draws.uniform(purpose, patients)
    if measure.kind == "count":
        from .count_kernel import counts_of

        exposure = until - randomised
        mean = of_arm("rate") * exposure / DAYS_PER_YEAR
        if mean.max(initial=0.0) > MOST_EVENTS:
            rate = max(law.rate or 0.0 for law in told)
            raise InputError(f"measures.{measure.name}.rate", rate, "at most a million events of a patient")
        counts_of(uniform, mean, np.ascontiguousarray(of_arm("dispersion")))
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
    return where_seen(drawn)


def _told(measure: Measure, truth: Truth) -> list[MeasureTruth]:
    """What the scenario says of a measure, by arm."""
    laws = [law.measures.get(measure.name) for law in truth.arms]
    for law in laws:
        if key := untold(measure.kind, law):
            raise InputError(
                f"measures.{measure.name}.{key}", None, "a value in each arm of the scenario, for virtual patients"
            )
    return [law for law in laws if law is not None]
