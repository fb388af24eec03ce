"""Difference between arms at one visit from the mixed model for repeated measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Estimate
from .covariates import covariate_columns
from .planning.law import EndpointPlan, Law
from .planning.repeated_information import common_slope, given_baseline, mean_variance
from .results import ArmMean, Comparison, MeanResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..mixed import MixedFit
    from ..protocol import LongitudinalEndpoint, Protocol

__all__ = ["analysed", "estimate", "fit", "plan", "primary"]

_SPARE = 2


class _Model:
    """The model's columns: a mean for every visit, a difference for every further arm at every visit, covariates.

    A visit after the endpoint's own enters only once every arm has `_SPARE` more patients there than the model has
    columns a visit: at an interim look few have got so far, and a handful of scores would make the fit fail for a visit
    that is not asked about. Visits up to the endpoint's always enter, unless nobody has been seen there.
    """

    def __init__(self, protocol: Protocol, data: TrialData, endpoint: LongitudinalEndpoint) -> None:
        self.protocol, self.data = protocol, data
        columns = [data.visit_names.index(name) for name in protocol.modelled_visits]
        outcome = data.scores[:, columns]
        if protocol.analysis.outcome == "change":
            outcome = outcome - data.baseline[:, None]
        self.notes: list[str] = []
        chosen = self._choose(outcome, endpoint)
        self.visits = [name for name, taken in zip(protocol.modelled_visits, chosen, strict=True) if taken]
        outcome = outcome[:, chosen]
        seen = np.asarray(~np.isnan(outcome).all(axis=1))
        self.covariates = [covariate_columns(protocol, data, name, seen) for name in protocol.analysis.covariates]
        values = [found[1] for found in self.covariates]
        complete = ~np.isnan(np.concatenate([np.zeros((len(data), 1)), *values], axis=1)).any(axis=1)
        if not complete.all():
            self.notes.append(f"{int((~complete).sum())} of {len(data)} patients left out: a covariate missing")
        self.rows = complete & seen
        self.outcome = outcome[self.rows]
        self.arm = data.arm[self.rows]
        names, design = self._columns([value[self.rows] for value in values])
        self.used = (design[~np.isnan(self.outcome)] != 0).any(axis=0)
        if not self.used.all():
            unused = [name for name, used in zip(names, self.used, strict=True) if not used]
            self.notes.append(f"nobody to estimate {', '.join(unused)} from; left out of the model")
        self.names = [name for name, used in zip(names, self.used, strict=True) if used]
        self.design = design[:, :, self.used]

    def _choose(self, outcome: NDArray[np.float64], endpoint: LongitudinalEndpoint) -> NDArray[np.bool_]:
        names, arms = self.protocol.modelled_visits, range(len(self.data.arm_names))
        target = names.index(endpoint.visit)
        counts = np.stack([(~np.isnan(outcome[self.data.arm == arm])).sum(axis=0) for arm in arms])
        needed = len(arms) + len(self.protocol.analysis.by_visit) + _SPARE
        later = np.arange(len(names)) > target
        chosen = np.asarray((counts.sum(axis=0) > 0) & (~later | (counts.min(axis=0) >= needed)))
        for name, taken, count in zip(names, chosen, counts.sum(axis=0), strict=True):
            if not taken:
                why = "too few scores yet" if count else "no scores yet"
                self.notes.append(f"{why} at {self.protocol.visit(name).label or name}; left out of the model")
        return chosen

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
        contrast = np.zeros(len(self.used))
        contrast[arm * len(self.visits) + visit] = 1.0
        return contrast[self.used]

    def mean(self, arm: int, visit: int) -> NDArray[np.float64]:
        """Contrast of an arm's LS mean at a visit: covariates at their mean over the observations, levels weighing
        equally.
        """
        contrast = np.zeros(len(self.used))
        contrast[[visit, arm * len(self.visits) + visit]] = 1.0
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
        return contrast[self.used]


def fit(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> tuple[_Model, MixedFit]:
    """The fitted model of the protocol's analysis; raises `InputError` or `FitError` with the reason where it
    cannot be had.
    """
    from ..mixed import fit_mmrm

    model = _Model(protocol, data, endpoint)
    if not model.rows.any():
        raise InputError("outcome", "missing for everyone", "at least some patients seen after baseline")
    analysis = protocol.analysis
    fitted = fit_mmrm(
        model.outcome,
        model.design,
        names=model.names,
        method=analysis.method,
        degrees_of_freedom=analysis.degrees_of_freedom,
        covariance=(analysis.covariance, *analysis.covariance_fallback),
        times=[protocol.visit(name).day for name in model.visits],
        group=model.arm if analysis.covariance_by_arm else None,
        groups=[data.arm_names[arm] for arm in np.unique(model.arm)] if analysis.covariance_by_arm else None,
        variance=analysis.variance,
        visits=model.visits,
    )
    return model, fitted


def primary(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> tuple[Estimate, tuple[str, ...]]:
    """The experimental arm minus control at the endpoint's visit and nothing else, and which covariances could not be
    fitted before the one that was.
    """
    model, fitted = fit(endpoint, protocol, data)
    return _difference(endpoint, model, fitted, 1, _position(endpoint.visit, model)), fitted.notes


def analysed(endpoint: LongitudinalEndpoint, protocol: Protocol, data: TrialData) -> NDArray[np.bool_]:
    """Who enters the model: those seen at any of its visits, with all covariates; shape (patients,)."""
    return _Model(protocol, data, endpoint).rows


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
    model, fitted = fit(endpoint, protocol, data)
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
        notes=(*model.notes, *fitted.notes),
        means=tuple(means),
        by_visit=tuple(compare(arm, visit) for arm in arms for visit in range(len(model.visits))),
        model=str(fitted),
        covariance=np.asarray(fitted.covariance),
    )


def plan(endpoint: LongitudinalEndpoint, protocol: Protocol, law: Law) -> EndpointPlan:
    """Effect and variance under a scenario, dropout counted (Lu, Luo & Chen 2008, Int J Biostat 4(1):9).

    With baseline among the covariates the later visits are taken given baseline, by a slope for each visit or by the
    one slope that weighted least squares would find, as the analysis has it; a difference of the arms at baseline is
    taken out by the same slope. The information about an arm's mean vector is the average over dropout patterns of the
    inverse covariance of the visits seen; the variance at the endpoint's visit is the corresponding element of its
    inverse. Dropout is taken as independent of the scores, and each arm keeps its own covariance.
    """
    visits = [protocol.visit_names.index(name) for name in protocol.modelled_visits]
    target = protocol.modelled_visits.index(endpoint.visit)
    arms = law.arms[:2]
    joint = [arm.covariance[np.ix_([0, *visits], [0, *visits])] for arm in arms]
    staying = [arm.staying[visits] for arm in arms]
    slopes = np.full(len(visits), 1.0 if protocol.analysis.outcome == "change" else 0.0)
    if "baseline" in protocol.analysis.covariates:
        pooled = (joint[0] + joint[1]) / 2
        slopes = pooled[1:, 0] / pooled[0, 0]
        if "baseline" not in protocol.analysis.by_visit:
            slopes = np.full(len(visits), common_slope(pooled, (staying[0] + staying[1]) / 2))
    variances = [
        mean_variance(given_baseline(covariance, slopes), seen, target)
        for covariance, seen in zip(joint, staying, strict=True)
    ]
    gap = arms[1].means - arms[0].means
    effect = float(gap[visits[target]] - slopes[target] * gap[0])
    return EndpointPlan(effect, (variances[0], variances[1]), protocol.scale.better)
