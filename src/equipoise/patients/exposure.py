"""What patients gain from the concentrations of drug that they reach."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from .drugs import Drug, drug

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..protocol import Protocol
    from ..protocol.exposure import Exposure
    from ..protocol.scenarios import Scenario
    from .draws import Draws
    from .pharmacokinetics import Kinetics

__all__ = ["draw_kinetics", "exposure_onset", "exposure_shift", "mean_exposure_shift"]

NODES = 7


def exposure_shift(draws: Draws, protocol: Protocol, scenario: Scenario, arm: NDArray[np.intp]) -> NDArray[np.float64]:
    """Points that each patient's score is shifted by at each visit, for her exposure to the drug.

    Parameters
    ----------
    arm
        Index into `protocol.arm_names`, -1 for nobody, shape (trials, patients).

    Returns
    -------
    Shape (trials, patients, visits), baseline first; 0 in arms without a dose, at baseline, and in a scenario without
    exposure. Not cut to the scale.
    """
    shift = np.zeros((*arm.shape, len(protocol.visits)))
    exposure = scenario.exposure
    if exposure is None:
        return shift
    chosen = drug(exposure.drug)
    weight, normal = _people(draws, chosen, arm.shape[1], exposure.weight_mean, exposure.weight_sd)
    onset = exposure_onset(protocol, exposure)
    means = _mean_effects(protocol, exposure) if exposure.in_means else np.zeros(len(protocol.arms))
    for at, name in enumerate(protocol.arm_names):
        dose = exposure.dose_mg_per_kg.get(name)
        if dose is None:
            continue
        members = np.nonzero(arm == at)
        effect = _effect(exposure, chosen, dose, weight[members], normal[members])
        shift[members] = (effect - means[at])[:, None] * onset[at]
    return shift * _points(protocol, exposure)


def mean_exposure_shift(protocol: Protocol, scenario: Scenario) -> NDArray[np.float64]:
    """Mean of `exposure_shift` over patients, to be added to the means of the scenario's arms, shape (arms, visits).

    By Gauss-Hermite quadrature over weight and kinetics, to about seven digits; arms in the order of
    `protocol.arm_names`. 0 where the arms' means hold it already. Before scores are cut to the scale.
    """
    exposure = scenario.exposure
    if exposure is None or exposure.in_means:
        return np.zeros((len(protocol.arms), len(protocol.visits)))
    effects = _mean_effects(protocol, exposure)
    return effects[:, None] * exposure_onset(protocol, exposure) * _points(protocol, exposure) + 0.0  # never -0


def exposure_onset(protocol: Protocol, exposure: Exposure) -> NDArray[np.float64]:
    """Share of the effect that each arm has by each visit, shape (arms, visits); 0 in arms without a dose.

    Unless it is said, the share of the arm's infusions that are scheduled before the visit's planned day: patients are
    rated before an infusion of the same day.
    """
    days = np.array([visit.day for visit in protocol.visits])
    schedules = {arm.name: np.array(arm.schedule) for arm in protocol.arms}
    onset = np.zeros((len(protocol.arms), len(days)))
    for at, name in enumerate(protocol.arm_names):
        if name in exposure.dose_mg_per_kg:
            onset[at] = exposure.onset or (schedules[name][:, None] < days).mean(axis=0)
    onset[:, 0] = 0
    return onset


def draw_kinetics(
    draws: Draws, chosen: Drug, patients: int, weight_mean: float, weight_sd: float
) -> tuple[NDArray[np.float64], Kinetics]:
    """Weights in kg, shape (trials, patients), and the kinetics of those patients.

    The same patients as `exposure_shift` has, with the metabolite's kinetics besides.
    """
    weight, normal = _people(draws, chosen, patients, weight_mean, weight_sd)
    formed = chosen.metabolite
    further = None if formed is None else draws.normal("exposure: metabolite", patients, formed.effects)
    return weight, chosen.individual(weight, normal, further)


def _people(
    draws: Draws, chosen: Drug, patients: int, weight_mean: float, weight_sd: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and the standard normal numbers of the kinetics, shapes (trials, patients) and (..., effects)."""
    weight = _weights(draws.normal("exposure: weight", patients), weight_mean, weight_sd)
    return weight, draws.normal("exposure: kinetics", patients, chosen.effects)


def _weights(normal: NDArray[np.float64], mean: float, sd: float) -> NDArray[np.float64]:
    """Log-normal weights with that mean and SD."""
    variance = np.log1p((sd / mean) ** 2)
    return mean * np.exp(np.sqrt(variance) * normal - variance / 2)


def _points(protocol: Protocol, exposure: Exposure) -> float:
    return exposure.maximum_points * (-1 if protocol.scale.better == "lower" else 1)


def _effect(
    exposure: Exposure, chosen: Drug, dose: float, weight: NDArray[np.float64], normal: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Effect of a dose as a share of the maximum, or of that at the reference dose, in the shape of `weight`."""
    reached = _reached(exposure, chosen, dose, weight, normal)
    if exposure.ec50 is not None:
        return reached / (exposure.ec50 + reached)
    typical = np.array(exposure.weight_mean)
    return reached / _reached(exposure, chosen, exposure.reference_dose or dose, typical, None)


def _reached(
    exposure: Exposure, chosen: Drug, dose: float, weight: NDArray[np.float64], normal: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Exposure to one infusion, ng/mL or ng h/mL."""
    kinetics, given = chosen.individual(weight, normal), chosen.given(dose, weight)
    return kinetics.area(given) if exposure.measure == "auc" else kinetics.peak(given, exposure.infusion_minutes / 60)


def _mean_effects(protocol: Protocol, exposure: Exposure) -> NDArray[np.float64]:
    """Mean effect of each arm, 0 without a dose, shape (arms,)."""
    doses = [exposure.dose_mg_per_kg.get(name) for name in protocol.arm_names]
    return np.array([0.0 if dose is None else _mean_effect(exposure.model_dump_json(), dose) for dose in doses])


@lru_cache(maxsize=256)
def _mean_effect(exposure_json: str, dose: float) -> float:
    from ..protocol.exposure import Exposure

    exposure = Exposure.model_validate_json(exposure_json)
    chosen = drug(exposure.drug)
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    grid = np.array(list(product(nodes, repeat=chosen.effects + 1)))
    mass = np.prod(list(product(weights / weights.sum(), repeat=chosen.effects + 1)), axis=1)
    people = _weights(grid[:, 0], exposure.weight_mean, exposure.weight_sd)
    return float(mass @ _effect(exposure, chosen, dose, people, grid[:, 1:]))
