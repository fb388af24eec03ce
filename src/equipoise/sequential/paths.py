"""The rule on many trials at once: z-values of every look in, the look and the decision of each trial out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, instance, whole
from ..errors import InputError
from .bounds import Boundaries
from .decision import Decision

__all__ = ["PathDecisions", "decide_paths"]

_DECISIONS = tuple(Decision)
_CODES = {decision: code for code, decision in enumerate(_DECISIONS)}
_CHUNK = 1 << 14


@dataclass(frozen=True, eq=False)
class PathDecisions:
    """What the rule makes of many trials.

    Attributes
    ----------
    look
        Look at which each trial ended, from 1; the last one it was seen at if it goes on, shape (trials,).
    code
        Position of each trial's decision in `decisions`, shape (trials,).
    """

    look: npt.NDArray[np.int64]
    code: npt.NDArray[np.int8]

    decisions = _DECISIONS

    def of(self, decision: Decision) -> npt.NDArray[np.bool_]:
        """Which trials ended so, shape (trials,)."""
        try:
            return self.code == _CODES[Decision(decision)]
        except ValueError:
            raise InputError("decision", decision, "one of " + ", ".join(_DECISIONS)) from None

    @property
    def rejects(self) -> npt.NDArray[np.bool_]:
        """Which trials reject the null hypothesis, in either direction, shape (trials,)."""
        return self.of(Decision.EFFICACY) | self.of(Decision.HARM)


def decide_paths(bounds: Boundaries, sided: int, z: npt.ArrayLike) -> PathDecisions:
    """Take each trial along its z-values until the rule ends it.

    Parameters
    ----------
    bounds
        At the looks the z-values belong to.
    sided
        1 or 2.
    z
        Positive in favour of the experimental arm, shape (trials, looks); NaN at a look that was not taken, or could
        not be analysed, where the trial goes on.

    Raises
    ------
    InputError
        When z is not numeric or has another number of looks than the bounds.
    """
    instance("bounds", bounds, Boundaries, "bounds such as design.planned")
    if whole("sided", sided, "1 or 2") not in (1, 2):
        raise InputError("sided", sided, "1 or 2")
    looks = bounds.information.size
    right = f"an array of shape (trials, {looks}), a column for each look"
    values = any_shape("z", z, right, infinite=True, missing=True)
    if values.ndim != 2 or values.shape[1] != looks:
        raise InputError("z", values.shape, right)
    look = np.full(values.shape[0], looks, dtype=np.int64)
    code = np.empty(values.shape[0], dtype=np.int8)
    code[:] = _CODES[Decision.NOT_REJECTED if bounds.complete else Decision.CONTINUE]
    for first in range(0, values.shape[0], _CHUNK):
        chunk = slice(first, first + _CHUNK)
        _decide(bounds, sided, values[chunk], look[chunk], code[chunk])
    return PathDecisions(look, code)


def _decide(
    bounds: Boundaries,
    sided: int,
    values: npt.NDArray[np.float64],
    look: npt.NDArray[np.int64],
    code: npt.NDArray[np.int8],
) -> None:
    """From the last look to the first, so that the earliest stop is what stays."""
    for at in range(values.shape[1] - 1, -1, -1):
        column = np.ascontiguousarray(values[:, at])
        size = column if sided == 1 else np.abs(column)
        last = bounds.complete and at + 1 == values.shape[1]
        if bounds.futility is not None and not last:
            stopped = size <= bounds.futility[at]
            code[stopped], look[stopped] = _CODES[Decision.FUTILITY], at + 1
        stopped = size >= bounds.efficacy[at]
        look[stopped] = at + 1
        if sided == 1:
            code[stopped] = _CODES[Decision.EFFICACY]
        else:
            code[stopped] = np.where(column[stopped] > 0, _CODES[Decision.EFFICACY], _CODES[Decision.HARM])
