"""Response at a visit and the days it then lasted, checked once for everything that is estimated from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import any_shape
from ...errors import InputError
from .response_curve import ResponseCurve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ARMS", "Responses", "checked_horizon", "checked_responses"]

ARMS = ("control", "experimental")


@dataclass(frozen=True, slots=True)
class Responses:
    """Responses and their durations of one trial, or of many along leading axes.

    Attributes
    ----------
    member
        Whether a patient is of the control arm (first) or of the experimental arm (second) and her response known,
        shape (2, ..., patients).
    responded
        False where it is not known, shape (..., patients).
    time
        Time from the response visit to loss or to last contact, 0 for non-responders, shape (..., patients).
    lost
        Whether `time` ends with not being in response: a loss seen, or no response, shape (..., patients).
    """

    member: NDArray[np.bool_]
    responded: NDArray[np.bool_]
    time: NDArray[np.float64]
    lost: NDArray[np.bool_]

    @property
    def patients(self) -> NDArray[np.int64]:
        """Patients whose response is known, by arm, shape (2, ...)."""
        return self.member.sum(axis=-1)

    @property
    def responders(self) -> NDArray[np.int64]:
        """Responders by arm, shape (2, ...)."""
        return (self.member & self.responded).sum(axis=-1)

    def only(self, trials: slice | NDArray[np.intp]) -> Responses:
        """Some of the trials of the leading axis."""
        return Responses(self.member[:, trials], self.responded[trials], self.time[trials], self.lost[trials])

    def curves(self) -> tuple[ResponseCurve, ResponseCurve]:
        """The curves of being in response among all randomised, of control and of the experimental arm."""
        control, experimental = (ResponseCurve.of(member, self.time, self.lost) for member in self.member)
        return control, experimental


def checked_responses(arm: ArrayLike, responded: ArrayLike, time: ArrayLike, observed: ArrayLike) -> Responses:
    """Responses and their durations as arrays that broadcast to one shape (..., patients).

    Parameters
    ----------
    arm
        0 for control, 1 for the experimental arm, -1 for no patient (or one of another arm).
    responded
        1 or True, 0 or False; NaN where it is not known, because the visit is not yet due or because only those seen
        there count. Such patients enter nothing.
    time
        Of responders, time from the response visit to the loss of response or else to last contact; not read of others.
    observed
        Of responders, 1 or True where the loss was seen at `time`, 0 or False where follow-up ended then in response.

    Raises
    ------
    InputError
        For other codes, for responders without a time of 0 or later or without a flag, and for shapes that differ.
    """
    given = {
        "arm": np.asarray(arm),
        "responded": np.asarray(responded),
        "time": np.asarray(time),
        "observed": np.asarray(observed),
    }
    arrays = {
        name: any_shape(name, value.astype(float) if value.dtype.kind == "b" else value, missing=name != "arm")
        for name, value in given.items()
    }
    try:
        arms, response, times, losses = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = tuple(value.shape for value in arrays.values())
        raise InputError("arm, responded, time, observed", shapes, "arrays of one shape") from None
    if arms.ndim == 0 or arms.shape[-1] == 0:
        raise InputError("arm", arms.shape, "at least one patient")
    wrong = arms[~np.isin(arms, (-1, 0, 1))]
    if wrong.size:
        raise InputError("arm", float(wrong[0]), "0 (control), 1 (experimental) or -1 (no patient)")
    wrong = response[~(np.isnan(response) | np.isin(response, (0, 1)))]
    if wrong.size:
        raise InputError("responded", float(wrong[0]), "1 (response), 0 (none) or NaN (not known)")
    member = np.stack([(arms == at) & ~np.isnan(response) for at in (0, 1)])
    responder = (response == 1) & (arms >= 0)
    wrong = times[responder & ~(times >= 0)]
    if wrong.size:
        raise InputError("time", float(wrong[0]), "a time of 0 or later for each responder")
    wrong = losses[responder & ~np.isin(losses, (0, 1))]
    if wrong.size:
        raise InputError("observed", float(wrong[0]), "1 (loss seen) or 0 (in response at last contact)")
    return Responses(member, responder, np.where(responder, times, 0.0), np.where(responder, losses == 1, True))


def checked_horizon(horizon: float | None) -> float | None:
    """A finite time above 0, or None for as long as the follow-up lasts.

    Raises
    ------
    InputError
        For anything else.
    """
    if horizon is None:
        return None
    from ...checks import number

    found = number("horizon", horizon, "a finite time above 0")
    if not found > 0:
        raise InputError("horizon", horizon, "a finite time above 0")
    return found
