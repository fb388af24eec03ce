"""The ketamine trial with lifelike settings in its scenario, and helpers to check what is drawn from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from equipoise.patients import Truth
from equipoise.patients.draws import Draws
from equipoise.patients.lifelike import Lifelike
from equipoise.protocol import Protocol
from protocols import plain_table

ARMS, VISITS = 2, 4


def protocol_with(covariates: list[dict[str, Any]] | None = None, **settings: Any) -> Protocol:
    """The ketamine trial with settings of the scenario as-published; of an arm by `arm__key`."""
    table = plain_table()
    table["covariates"] += covariates or []
    scenario = table["scenarios"]["as-published"]
    for name, value in settings.items():
        arm, _, key = name.partition("__")
        if key:
            scenario["arms"][arm][key] = value
        else:
            scenario[name] = value
    return Protocol.model_validate(table)


def lifelike_with(**settings: Any) -> Lifelike:
    """The features of the scenario as-published with these settings."""
    protocol = protocol_with(**settings)
    truth = Truth.of(protocol, "as-published")
    return Lifelike.of(protocol, protocol.scenario("as-published"), truth.arms)


def alternating(trials: int, patients: int, arms: int = ARMS) -> np.ndarray:
    """Arms in turn, shape (trials, patients)."""
    return np.tile(np.arange(patients) % arms, (trials, 1))


def scores_of(lifelike: Lifelike, draws: Draws, law: np.ndarray) -> np.ndarray:
    """Scores of patients who follow the laws named, shape (trials, patients, visits)."""
    laws = [*(arm.scores for arm in lifelike.arms), *lifelike.further]
    latent = draws.normal("scores", law.shape[1], VISITS) @ lifelike.arms[0].cholesky.T
    scores = np.full(latent.shape, np.nan)
    for at, visits in enumerate(laws):
        for visit, distribution in enumerate(visits):
            members = law == at
            scores[members, visit] = distribution.at(latent[members, visit])
    return scores


def logistic_fit(columns: np.ndarray, happened: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood coefficients (intercept first) and their standard errors."""
    design = np.column_stack([np.ones(len(happened)), columns])
    found = np.zeros(design.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-(design @ found)))
        information = design.T @ (design * (chance * (1 - chance))[:, None])
        found = found + np.linalg.solve(information, design.T @ (happened - chance))
    return found, np.sqrt(np.diag(np.linalg.inv(information)))
