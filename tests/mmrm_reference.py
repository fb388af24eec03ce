"""The fits behind mmrm_ours.json, the project's own synthetic trial, and mmrm.json, data that others publish.

The second file and its data are read from the folder named by EQUIPOISE_SHARED; without it those cases are skipped.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from equipoise.mixed import MixedFit, mmrm
from reference_values import reference_cases

HERE = Path(__file__).parent
CASES: dict[str, dict[str, Any]] = {case["id"]: case for case in reference_cases("mmrm_ours")}
VARIANCES = {"empirical": "CR0", "empirical_jackknife": "CR3", "empirical_bias_reduced": "CR2"}
KENWARD_ROGER = {"kenward_roger": "kenward-roger-mmrm", "kenward_roger_linear": "kenward-roger"}
HETEROGENEOUS, HOMOGENEOUS = "-heterogeneous", "-homogeneous"


def published() -> dict[str, dict[str, Any]]:
    """The cases of mmrm.json; none where the folder is not there."""
    folder = os.environ.get("EQUIPOISE_SHARED")
    if not folder:
        return {}
    path = Path(folder) / "reference/mmrm.json"
    return {case["id"]: case for case in json.loads(path.read_text())["cases"]}


PUBLISHED = published()


def case(identity: str) -> dict[str, Any]:
    return CASES[identity] if identity in CASES else PUBLISHED[identity]


def structure_of(inputs: dict[str, Any]) -> str:
    return inputs["covariance"].replace("_", "-").removesuffix(HOMOGENEOUS)


def frame_of(inputs: dict[str, Any]) -> pl.DataFrame:
    committed = HERE / inputs["data"]
    if committed.exists():
        return pl.read_csv(committed)
    return pl.read_csv(Path(os.environ["EQUIPOISE_SHARED"]) / "reference" / inputs["data"])


@lru_cache
def fitted(identity: str) -> MixedFit:
    inputs = case(identity)["inputs"]
    degrees = inputs["df_method"].replace("_", "-")
    if degrees == "kenward-roger":
        degrees = KENWARD_ROGER[inputs["vcov"]]
    return mmrm(
        f"{inputs['response']} ~ {inputs['fixed_effects']}",
        frame_of(inputs),
        subject=inputs["subject"],
        visit=inputs["visit"],
        covariance=structure_of(inputs),  # type: ignore[arg-type]
        time=inputs.get("covariance_time_variable"),
        method="reml" if inputs["reml"] else "ml",
        degrees_of_freedom=degrees,  # type: ignore[arg-type]
        variance=VARIANCES.get(inputs["vcov"], "model"),  # type: ignore[arg-type]
        group=inputs.get("covariance_group"),
        weights=inputs.get("weights"),
        levels=inputs["factor_levels"],
    )
