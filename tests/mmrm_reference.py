"""The fits behind tests/reference/mmrm_ours.json: the project's own synthetic trial."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from equipoise.mixed import MixedFit, mmrm
from reference_values import reference_cases

HERE = Path(__file__).parent
CASES = {case["id"]: case for case in reference_cases("mmrm_ours")}
VARIANCES = {"empirical": "CR0", "empirical_jackknife": "CR3", "empirical_bias_reduced": "CR2"}
DEGREES = {"kenward_roger": "kenward-roger-log-cholesky", "kenward_roger_linear": "kenward-roger"}


@lru_cache
def fitted(identity: str) -> MixedFit:
    inputs = CASES[identity]["inputs"]
    options: dict[str, Any] = {}
    if inputs["df_method"] == "kenward_roger":
        options["degrees_of_freedom"] = DEGREES[inputs["vcov"]]
    return mmrm(
        f"{inputs['response']} ~ {inputs['fixed_effects']}",
        pl.read_csv(HERE / inputs["data"]),
        subject=inputs["subject"],
        visit=inputs["visit"],
        method="reml" if inputs["reml"] else "ml",
        variance=VARIANCES.get(inputs["vcov"], "model"),
        group=inputs.get("covariance_group"),
        weights=inputs.get("weights"),
        levels=inputs["factor_levels"],
        **options,
    )
