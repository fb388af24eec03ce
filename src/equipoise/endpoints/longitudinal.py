"""Difference between arms at one visit from the mixed model for repeated measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Estimate
from .covariates import covariate_columns
from .planning import EndpointPlan, Law
from .results import ArmMean, Comparison, MeanResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..mixed import MixedFit
    from ..protocol import LongitudinalEndpoint, Protocol

__all__ = ["estimate", "fit", "plan", "primary_estimate"]


class _Model:
    """The model's columns: a mean for every visit, a difference for every further arm at every visit, covariates."""

    def __init__(self, protocol: Protocol, data: TrialData) -> None:
        self.protocol, self.data = protocol, data
        columns = [data.visit_names.index(name) for name in protocol.modelled_visits]
        outcome = data.scores[:, columns]
        if protocol.analysis.outcome == "change":
            outcome = outcome - data.baseline[:, None]
        self.notes: list[str] = []
        seen = np.asarray(~np.isnan(outcome).all(axis=0))
        self.visits = [name for name, any_seen in zip(protocol.modelled_visits, seen, strict=True) if any_seen]
        if not seen.all():
            absent = [name for name in protocol.modelled_visits if name not in self.visits]
            self.notes.append(f"no scores yet at {', '.join(absent)}; left out of the model")
        self.covariates = [covariate_columns(protocol, data, name) for name in protocol.analysis.covariates]
        values = [found[1] for found in self.covariates]
        complete = ~np.isnan(np.concatenate([np.zeros((len(data), 1)), *values], axis=1)).any(axis=1)
        if not complete.all():
            self.notes.append(f"{int((~complete).sum())} patients without all covariates left out")
        self.rows = complete & ~np.isnan(outcome).all(axis=1)
        self.outcome = outcome[:, seen][self.rows]
        self.arm = data.arm[self.rows]
        self.names, self.design = self._columns([value[self.rows] for value in values])

    def _columns(self, values: list[NDArray[np.float64]]) -> tuple[list[str], NDArray[np.float64]]:
        visits, arms = len(self.visits), len(self.data.arm_names)
        eye = np.eye(visits)
        names = list(self.visits)
        blocks = [np.broadcast_to(eye, (len(self.arm), visits, visits))]
        for at in range(1, arms):
            names += [f"{self.data.arm_names[at]}:{visit}" for visit in self.visits]
            blocks.append((self.arm == at)[:, None, None] * eye)
        for name, (labels, _, _), value in zip(self.protocol.analysis.covariates, self.covariates, values, strict=True):
            if name in self.protocol.analysis.by_visit:
                names += [f"{label}:{visit}" for label in labels for visit in self.visits]
                blocks += [value[:, column, None, None] * eye for column in range(value.shape[1])]
            else:
                names += labels
                blocks.append(np.broadcast_to(value[:, None, :], (len(self.arm), visits, value.shape[1])))
        return names, np.concatenate(blocks, axis=2)

    def difference(self, arm: int, visit: int) -> NDArray[np.float64]:
        """Contrast of an arm minus control at a visit."""
        contrast = np.zeros(len(self.names))
        contrast[arm * len(self.visits) + visit] = 1.0
        return contrast

    def mean(self, arm: int, visit: int) -> NDArray[np.float64]:
        """Contrast of an arm's LS mean at a visit: covariates at their mean over the observations, levels weighing
        equally.
        """
        contrast = self.difference(arm, visit) if arm else np.zeros(len(self.names))
        contrast[visit] = 1.0
        observed = ~np.isnan(self.outcome)
        start = len(self.data.arm_names) * len(self.visits)
        for name, (labels, value, weights) in zip(self.protocol.analysis.covariates, self.covariates, strict=True):
            centre = weights if weights is not None else observed.sum(axis=1) @ value[self.rows] / observed.sum()
            if name in self.protocol.analysis.by_visit:
                for column in range(len(labels)):
                    contrast[start + visit] = centre[column]
                    start += len(self.visits)
            else:
                contrast[start : start + len(labels)] = centre
                start += len(labels)
        return contrast


def fit(protocol: Protocol, data: TrialData) -> tuple[_Model, MixedFit]:
    """The fitted model of the protocol's analysis; raises `InputError` or `FitError` with the reason where it
    cannot be had.
    """
    from ..mixed import fit_mmrm

    model = _Model(protocol, data)
    if not model.rows.any():
        raise InputError("outcome", "missing for everyone", "at least some patients seen after baseline")
    analysis = protocol.analysis
    fitted = fit_mmrm(
        model.outcome,
        model.design,
        names=model.names,
        method=analysis.method,
        degrees_of_freedom=analysis.degrees_of_freedom,
        covariance=analysis.covariance,
        visits=model.visits,
    )
    return model, fitted


def primary_estimate(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> Estimate:
    """The experimental arm minus control at the endpoint's visit and nothing else, for looks and simulation."""
    model, fitted = fit(protocol, data)
    return _difference(endpoint, model, fitted, 1, _position(endpoint.visit, model))


def _position(visit: str, model: _Model) -> int:
    if visit not in model.visits:
        raise InputError("visit", visit, "a visit at which somebody has been seen")
    return model.visits.index(visit)


def _difference(endpoint: LongitudinalEndpoint, model: _Model, fitted: MixedFit, arm: int, visit: int) -> Estimate:
    return fitted.estimate(
        model.difference(arm, visit), better=model.protocol.scale.better, label=endpoint.label or endpoint.name
    )


def estimate(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> MeanResult:
    """The whole result: every arm against control at every visit, LS means, the model."""
    model, fitted = fit(protocol, data)
    position = _position(endpoint.visit, model)
    level = protocol.confidence_level
    arms = range(1, len(data.arm_names))

    def compare(arm: int, visit: int) -> Comparison:
        found = _difference(endpoint, model, fitted, arm, visit)
        return Comparison(data.arm_names[arm], model.visits[visit], found, found.interval(level))

    means = []
    for arm, name in enumerate(data.arm_names):
        for visit, visit_name in enumerate(model.visits):
            values = model.outcome[model.arm == arm, visit]
            values = values[~np.isnan(values)]
            adjusted = fitted.estimate(model.mean(arm, visit))
            means.append(
                ArmMean(
                    name,
                    visit_name,
                    len(values),
                    float(values.mean()) if len(values) else np.nan,
                    float(values.std(ddof=1)) if len(values) > 1 else np.nan,
                    adjusted.effect,
                    adjusted.standard_error,
                    adjusted.interval(level),
                )
            )
    return MeanResult(
        name=endpoint.name,
        label=endpoint.label or endpoint.name,
        kind=endpoint.type,
        comparisons=tuple(compare(arm, position) for arm in arms),
        patients=int(model.rows.sum()),
        notes=tuple(model.notes),
        means=tuple(means),
        by_visit=tuple(compare(arm, visit) for arm in arms for visit in range(len(model.visits))),
        model=str(fitted),
        covariance=np.asarray(fitted.covariance),
    )


def plan(endpoint: LongitudinalEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario, dropout counted (Lu, Luo & Chen 2008, Statistics in Medicine 27:6299).

    With baseline among the covariates the later visits are taken given baseline. The information about an arm's
    mean vector is the average over dropout patterns of the inverse covariance of the visits seen; the variance at
    the endpoint's visit is the corresponding element of its inverse. Dropout is taken as independent of the scores,
    and each arm keeps its own covariance.
    """
    visits = [protocol.visit_names.index(name) for name in protocol.modelled_visits]
    target = protocol.modelled_visits.index(endpoint.visit)
    variances = []
    for arm in law.arms[:2]:
        joint = arm.covariance
        covariance = joint[np.ix_(visits, visits)]
        if "baseline" in protocol.analysis.covariates:
            covariance = covariance - np.outer(joint[visits, 0], joint[0, visits]) / joint[0, 0]
        elif protocol.analysis.outcome == "change":
            covariance = covariance - joint[visits, 0][:, None] - joint[0, visits] + joint[0, 0]
        staying = np.append(arm.staying[visits], 0.0)
        information = np.zeros_like(covariance)
        for seen in range(1, len(visits) + 1):
            part = np.linalg.inv(covariance[:seen, :seen])
            information[:seen, :seen] += (staying[seen - 1] - staying[seen]) * part
        variances.append(float(np.linalg.inv(information)[target, target]))
    column = visits[target]
    effect = float(law.arms[1].means[column] - law.arms[0].means[column])
    if protocol.analysis.outcome == "change" and "baseline" not in protocol.analysis.covariates:
        effect -= float(law.arms[1].means[0] - law.arms[0].means[0])
    return EndpointPlan(effect, (variances[0], variances[1]))
