"""Delayed-response tests and estimates that several test files use."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from equipoise.estimate import Estimate
from equipoise.sequential.delayed import DelayedResponse
from equipoise.sequential.design import GroupSequential
from equipoise.sequential.spending import OBrienFlemingSpending

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "delayed_response.json").read_text())


def three_looks(binding: bool = True, pipeline: tuple[float, ...] = (0.5, 0.85), **changes: Any) -> DelayedResponse:
    parameters = {
        "information": (0.4, 0.65, 1.0),
        "alpha": 0.05,
        "sided": 1,
        "efficacy": OBrienFlemingSpending(),
        "futility": OBrienFlemingSpending(),
        "beta": 0.1,
        "binding": binding,
    }
    return DelayedResponse(GroupSequential(**(parameters | changes)), pipeline)


def seen(z: float, fraction: float, **changes: Any) -> Estimate:
    """An estimate with this z and as much information as the fraction says."""
    return Estimate(float(z / math.sqrt(fraction)), 1 / math.sqrt(fraction), **changes)
