"""When virtual patients leave, and what is not seen of them then, for many trials at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .draw import draw_leaving

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .draws import Draws

__all__ = ["Leaving", "draw_left", "hide_unseen", "somebody_leaves"]

LeavingLaw = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]"]


@dataclass(frozen=True, eq=False)
class Leaving:
    """How far patients come.

    Attributes
    ----------
    last
        Column of the last visit that each attends, shape (trials, patients); None where nobody leaves.
    withdrawn
        Day of the trial on which each leaves, NaN for those who complete, shape (trials, patients).
    last_contact
        Day of the trial on which each is last heard of, shape (trials, patients).
    """

    last: NDArray[np.intp] | None
    withdrawn: NDArray[np.float64]
    last_contact: NDArray[np.float64]


def somebody_leaves(law: LeavingLaw) -> bool:
    """Whether a law of leaving, as `draw_leaving` takes it, lets anybody leave."""
    return not np.isneginf(law[0]).all()


def draw_left(
    draws: Draws,
    arm: NDArray[np.intp],
    scores: NDArray[np.float64],
    assessed: NDArray[np.float64],
    law: LeavingLaw,
    follow_up: float,
) -> Leaving:
    """Who leaves, on a day between the last visit attended and the next, any of them with equal probability.

    Parameters
    ----------
    scores, assessed
        Of all visits, seen or not; days of the trial; shape (trials, patients, visits).
    law
        Intercepts and slopes, as `draw_leaving` takes them.
    follow_up
        Days for which those who complete are heard of after the last visit.
    """
    if not somebody_leaves(law):
        return Leaving(None, np.broadcast_to(np.nan, arm.shape), assessed[:, :, -1] + follow_up)
    from .leaving_kernels import days_of_leaving

    last = draw_leaving(draws, arm, scores, *law)
    withdrawn, last_contact = draws.uniform("left", arm.shape[1]), np.empty(arm.shape)
    days_of_leaving(assessed, last, follow_up, withdrawn, last_contact)
    return Leaving(last, withdrawn, last_contact)


def hide_unseen(
    last: NDArray[np.intp] | None,
    missed: NDArray[np.bool_] | None,
    assessed: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    """Make days and scores of the visits NaN, in place, that were missed or after the patient left.

    Parameters
    ----------
    last
        Column of the last visit attended, shape (trials, patients), or None.
    missed
        Shape (trials, patients, visits), or None.
    """
    if last is not None:
        from .leaving_kernels import hide_later_visits

        hide_later_visits(last, assessed, scores)
    if missed is not None:
        assessed[missed] = np.nan
        scores[missed] = np.nan
