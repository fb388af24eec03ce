"""Correlations between the estimates of a trial's endpoints over resampled patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..checks import whole
from ..errors import InputError
from ..patients.draws import Draws
from ..text_table import text_table
from .named_correlations import NamedCorrelations, correlation_of, figure_text
from .refits import batches_of, names_of, refits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol

__all__ = ["BootstrapCorrelations", "bootstrap_correlations"]

_SAMPLES = "a whole number from 2 on"


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapCorrelations(NamedCorrelations):
    """Correlations between the estimates of a trial's endpoints over resampled patients.

    Attributes
    ----------
    names, matrix, standard_errors
        As of `EndpointCorrelations`; standard errors are the spread of the effects over the samples.
    matrix_standard_errors
        Monte-Carlo error alone: how far the correlations would move with other random numbers.
    used
        Samples in which both endpoints could be estimated, shape (endpoints, endpoints).
    resamples
        How many samples were drawn.
    """

    used: NDArray[np.intp]
    resamples: int

    def __str__(self) -> str:
        headings = ["Endpoint", "spread", "samples", *(str(number) for number in range(1, len(self.names) + 1))]
        rows = [
            [f"{at + 1} {name}", figure_text(self.standard_errors[at], 4), str(self.used[at, at])]
            + [figure_text(value, 2) for value in self.matrix[at]]
            for at, name in enumerate(self.names)
        ]
        return f"Correlations of estimates over {self.resamples} bootstrap samples\n{text_table(headings, rows)}"

    __repr__ = __str__


def bootstrap_correlations(
    protocol: Protocol,
    data: TrialData,
    followed: TrialData | None = None,
    names: Sequence[str] | None = None,
    *,
    resamples: int = 2000,
    seed: int = 1,
) -> BootstrapCorrelations:
    """Correlations between the estimates of a trial's endpoints, over trials made of its patients drawn again within
    their arms with replacement: a check on `endpoint_correlations`.

    Samples in which either endpoint cannot be estimated are left out of a correlation; see `used`.

    Parameters
    ----------
    data, followed, names
        As for `endpoint_correlations`.
    resamples
        How many trials to draw.
    seed
        Of the random numbers; the same seed draws the same patients.

    Raises
    ------
    InputError
        As `endpoint_correlations`, and for fewer than 2 samples or a negative seed.
    """
    chosen, number = names_of(protocol, names), whole("resamples", resamples, _SAMPLES)
    if number < 2:
        raise InputError("resamples", resamples, _SAMPLES)
    trials, later = batches_of(data, followed)
    uniform = Draws.of(seed, "bootstrap", np.arange(number)).uniform("patients", len(data))
    drawn = np.empty(uniform.shape, dtype=np.intp)
    for arm in np.unique(data.arm):
        members = np.flatnonzero(data.arm == arm)
        drawn[:, members] = members[(uniform[:, members] * len(members)).astype(np.intp)]
    rows = np.zeros(number, dtype=np.intp)
    found = refits(protocol, chosen, trials, later, rows, np.arange(number), lambda some: drawn[some])
    effects = np.stack([part.effect for part in found])
    count = len(chosen)
    matrix, errors = np.full((2, count, count), np.nan)
    there = ~np.isnan(effects)
    used = (there[:, None] & there[None]).sum(axis=2)
    for one, two in np.ndindex(count, count):
        both = there[one] & there[two]
        if both.sum() > 1:
            pair = effects[[one, two]][:, both]
            pair = pair - pair.mean(axis=1, keepdims=True)
            matrix[one, two], errors[one, two] = (part[0] for part in correlation_of(pair[:1], pair[1:]))
    spread = np.array(
        [part[kept].std(ddof=1) if kept.sum() > 1 else np.nan for part, kept in zip(effects, there, strict=True)]
    )
    return BootstrapCorrelations(chosen, matrix, errors, spread, used, number)
