"""What a scenario promises of mean time in response: its mean and the variance of one patient's part in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["observed_for", "planned_time"]


def observed_for(
    days: NDArray[np.float64], staying: NDArray[np.float64], at: int, follow_up: float, horizon: float
) -> NDArray[np.float64]:
    """Probability of being followed for at least 1, 2, ... days beyond a visit, for a patient seen there.

    Who leaves between two visits does so on a day spread evenly between them; who attends the last one is followed
    for `follow_up` days more.

    Parameters
    ----------
    days, staying
        Planned days of the visits and probability of still being in the trial at each, shape (visits,).
    at
        Column of the visit.
    follow_up
        In days.
    horizon
        Up to which it is asked.

    Returns
    -------
    Shape (ceil(horizon) - 1,).
    """
    wanted = np.arange(1, math.ceil(horizon))
    since = days[at:] - days[at]
    left = -np.diff(staying[at:]) / staying[at]
    until = np.clip((since[1:] - wanted[:, None]) / np.diff(since), 0.0, 1.0)
    return until @ left + (since[-1] + follow_up >= wanted) * staying[-1] / staying[at]


def planned_time(
    share: float, median: float | None, horizon: float, observed: NDArray[np.float64], shape: float = 1.0
) -> tuple[float, float]:
    """Mean time in response within the horizon, and n times the variance of its estimate from n patients.

    Responses last Weibull times of the given median, known in whole days, rounded up. The variance is Greenwood's
    at the expected numbers at risk (see `time_in_response`): m^2 p (1 - p) + p V, with p the share of responders, m and
    V the mean and the variance of one of them.

    Parameters
    ----------
    share
        Probability of response.
    median
        In days; responses last for ever when absent.
    horizon
        In days.
    observed
        As `observed_for` gives it.
    shape
        Of the Weibull times; 1 for exponential ones.

    Raises
    ------
    InputError
        Where nobody is followed to the horizon.
    """
    if observed.size and observed[-1] <= 0:
        reached = int(np.count_nonzero(observed > 0))
        raise InputError("within", horizon, f"days within the follow-up, which ends {reached} days after the visit")
    day = np.arange(math.ceil(horizon))
    lasting = np.ones(len(day)) if median is None else 2 ** -((day / median) ** shape)
    held = lasting * np.minimum(1.0, horizon - day)
    mean = float(held.sum())
    beyond = np.cumsum(held[::-1])[::-1][1:]
    some = lasting[1:] > 0
    before, after = lasting[:-1][some], lasting[1:][some]
    lost = (before - after) / before
    spread = float(np.sum((beyond[some] / after) ** 2 * after * lost / observed[some]))
    return share * mean, mean**2 * share * (1 - share) + share * spread
