"""Two by two tables of a response in many trials, counted in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .response_model import measured_on
from .strata import stratum_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol, ResponseEndpoint
    from ..trial_batch import TrialBatch

__all__ = ["response_counts"]


def response_counts(
    endpoint: ResponseEndpoint, protocol: Protocol, trials: TrialBatch
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Events and patients of the experimental arm, then of control, without imputation: as `count_tables` counts what
    `response_values` gives; shape (trials,), or (trials, strata) where the endpoint has strata.
    """
    from .binary.count_kernels import count_responses

    codes, none = stratum_codes(protocol, trials, endpoint.strata), np.empty((len(trials), 0))
    width = 1 if codes is None else int(codes.max(initial=0)) + 1
    found = np.zeros((len(trials), width, 4), dtype=np.int64)
    sign, share, points = 1.0, np.nan, endpoint.points or 0.0
    if not endpoint.measure:
        sign = -1.0 if protocol.scale.better == "lower" else 1.0
        share = np.nan if endpoint.improvement is None else float(endpoint.improvement)
    count_responses(
        trials.measure(endpoint.measure).value if endpoint.measure else trials.at(endpoint.visit),
        none if endpoint.measure else trials.baseline,
        trials.is_due(protocol.visit_of(endpoint)),
        trials.arm,
        none.astype(np.int64) if codes is None else codes,
        sign,
        share,
        points,
        endpoint.missing == "observed-only",
        0.0 if measured_on(endpoint, protocol)[1] == "higher" else 1.0,
        found,
    )
    counts = (found[:, 0] if codes is None else np.moveaxis(found, 2, 0)).astype(float)
    return tuple(counts.T) if codes is None else tuple(counts)  # type: ignore[return-value]
