"""Whether the patients seen can tell the parameters of a covariance structure."""

from __future__ import annotations

import numpy as np

from .covariance.structures import CovarianceStructure
from .cross_products import CrossProducts
from .errors import FitError

__all__ = ["check_identified"]


def check_identified(
    data: CrossProducts, structure: CovarianceStructure, groups: tuple[str, ...], visits: tuple[str, ...]
) -> None:
    """Raise `FitError` where nobody was seen who tells a variance or a correlation of some covariance group."""
    for index, part in enumerate(data.group_slices):
        of_group = f" of covariance group {groups[index]}" if groups else ""
        seen = data.observed[part].astype(np.float64)
        pairs = (seen.T * data.n_patients[part]) @ seen
        at_visit = np.diagonal(pairs)
        if structure.heterogeneous and at_visit.min(initial=np.inf) < 2:
            visit = int(at_visit.argmin())
            who = "Only 1 patient was" if at_visit[visit] else "No patient was"
            raise FitError(
                f"{who} observed at visit {visits[visit]}{of_group}; the variance there needs at least 2 patients."
            )
        fault = structure.unidentified(pairs, visits)
        if fault:
            raise FitError(f"No patient was observed at {fault}{of_group}.")
        n_patients = int(data.n_patients[part].sum())
        if structure.is_entries and n_patients <= data.n_visits:
            raise FitError(
                f"{n_patients} patients{of_group} are too few for an unstructured covariance of {data.n_visits} "
                f"visits; at least {data.n_visits + 1} are needed."
            )
