"""Strata that a protocol names, as codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol
    from ..trial_batch import TrialBatch

__all__ = ["stratum_codes", "with_unknown_levels"]


def stratum_codes(protocol: Protocol, data: TrialData | TrialBatch, names: Sequence[str]) -> NDArray[np.intp] | None:
    """The stratum of each patient, 0, 1, ... over all combinations of levels, -1 where a covariate is missing.

    Parameters
    ----------
    data
        One trial, or many.
    names
        Of categorical covariates.

    Returns
    -------
    Shape (..., patients); None where no covariate makes strata. A level that the protocol does not know counts as
    missing in many trials, see `with_unknown_levels`.

    Raises
    ------
    InputError
        For a covariate the data lack, or, in one trial, a level the protocol does not know.
    """
    if not names:
        return None
    codes = np.zeros(data.arm.shape, dtype=np.intp)
    missing = np.zeros(data.arm.shape, dtype=bool)
    for name in names:
        levels, values = _levels(protocol, data, name)
        code = np.full(values.shape, -1)
        for at, level in enumerate(levels):
            code[values == level] = at
        strange = (code < 0) & (values != "")
        if values.ndim == 1 and strange.any():
            raise InputError(f"covariate {name}", sorted(set(values[strange]))[0], f"one of {', '.join(levels)}")
        codes = codes * len(levels) + code
        missing |= code < 0
    return np.where(missing, -1, codes)


def with_unknown_levels(protocol: Protocol, trials: TrialBatch, names: Sequence[str]) -> NDArray[np.bool_]:
    """Trials that hold a level of a stratum that the protocol does not know, shape (trials,)."""
    found = np.zeros(len(trials), dtype=bool)
    for name in names:
        levels, values = _levels(protocol, trials, name)
        known = values == ""
        for level in levels:
            known |= values == level
        found |= ~known.all(axis=1)
    return found


def _levels(protocol: Protocol, data: TrialData | TrialBatch, name: str) -> tuple[tuple[str, ...], NDArray[np.str_]]:
    """Levels of a categorical covariate and its values."""
    if name not in data.covariates:
        held = ", ".join(data.covariates) or "none"
        raise InputError("covariate", name, f"a covariate in the data; they have {held}")
    return tuple(next(item for item in protocol.covariates if item.name == name).levels), data.covariates[name]
