"""The clusters of a rating scale in the data, and whether they sum to its total."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..wording import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..protocol import Protocol
    from ..trial_batch import TrialBatch

__all__ = ["check_sums", "cluster_scores", "sums_differ"]

_ROUNDING = 1e-9


def cluster_scores(data: TrialData | TrialBatch, names: tuple[str, ...], visit: str) -> NDArray[np.float64]:
    """Sums of the clusters at a visit, shape (..., patients, clusters); raises `InputError` where the data lack one."""
    return np.stack([data.subscale(name, visit) for name in names], axis=-1)


def sums_differ(protocol: Protocol, data: TrialData | TrialBatch, visit: str) -> NDArray[np.bool_]:
    """Whose clusters at a visit do not sum to the total, shape (..., patients).

    Nothing is held against a patient of whom the total or a cluster is missing, nor where the scale's clusters do not
    hold each item once or the data do not hold them all. Whole points must agree exactly, fractions to rounding.
    """
    total = data.at(visit)
    items = [item for part in protocol.scale.subscales.values() for item in part.items]
    whole = sorted(items) == list(range(1, protocol.scale.items + 1))
    if not whole or any(name not in data.subscales for name in protocol.scale.subscales):
        return np.zeros(total.shape, dtype=bool)
    gap = -total
    for name in protocol.scale.subscales:
        gap += data.subscale(name, visit)
    gap = np.abs(gap, out=gap)
    wrong = np.asarray(gap > 0)
    if not wrong.any():
        return wrong
    parts, total, gap = cluster_scores(data, tuple(protocol.scale.subscales), visit)[wrong], total[wrong], gap[wrong]
    points = (parts % 1 == 0).all(axis=-1) & (total % 1 == 0)
    wrong[wrong] = gap > np.where(points, 0.0, _ROUNDING * np.maximum(np.abs(total), 1.0))
    return wrong


def check_sums(protocol: Protocol, data: TrialData, visits: tuple[str, ...]) -> None:
    """Refuse clusters that do not sum to the total, with the first such patient, visit and sums.

    Raises
    ------
    InputError
        Naming them.
    """
    wrong = [(visit, int(at)) for visit in visits for at in np.flatnonzero(sums_differ(protocol, data, visit))]
    if not wrong:
        return
    visit, at = wrong[0]
    names = tuple(protocol.scale.subscales)
    parts = cluster_scores(data, names, visit)[at]
    summed = " + ".join(f"{name} {part:g}" for name, part in zip(names, parts, strict=True))
    others = f" (and {counted(len(wrong) - 1, 'other assessment')} likewise)" if len(wrong) > 1 else ""
    raise InputError(
        f"clusters of patient {data.patient[at]} at {visit}",
        f"{summed} = {parts.sum():g}",
        f"the total of {protocol.scale.name} there, {data.at(visit)[at]:g}{others}",
    )
