"""The columns of the mixed model for a trial's scores, and its contrasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..wording import visit_text
from .covariates import covariate_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import TrialData
    from ..mixed import MixedFit
    from ..protocol import Protocol

__all__ = ["FREEDOM_NAMES", "ScoreModel", "modelled_scores", "visits_with_enough"]

_SPARE = 2

# How the degrees of freedom of the mixed model are named in sentences.
FREEDOM_NAMES = {
    "satterthwaite": "Satterthwaite",
    "kenward-roger": "Kenward-Roger",
    "kenward-roger-mmrm": "Kenward-Roger (second derivatives of R's mmrm)",
    "residual": "residual",
    "normal": "infinite (normal)",
}


def modelled_scores(protocol: Protocol, data: TrialData) -> NDArray[np.float64]:
    """Scores at the modelled visits, or their changes from baseline, shape (patients, visits)."""
    columns = [data.visit_names.index(name) for name in protocol.modelled_visits]
    scores = data.scores[..., columns]
    return scores - data.baseline[..., None] if protocol.analysis.outcome == "change" else scores


def visits_with_enough(
    protocol: Protocol, counts: NDArray[np.intp], until: str
) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Which visits enter the model, and how many outcomes there are at each, both of shape (..., visits).

    A visit after `until` enters only once every arm has `_SPARE` more patients there than the model has columns a
    visit: at an interim look few have got so far, and a handful of scores would make the fit fail for a visit that is
    not asked about. Visits up to it always enter, unless nobody has been seen there.

    Parameters
    ----------
    counts
        Outcomes of each arm at each visit, shape (..., arms, visits).
    """
    names, arms = protocol.modelled_visits, len(protocol.arm_names)
    needed = arms + len(protocol.analysis.by_visit) + _SPARE
    later = np.arange(len(names)) > names.index(until)
    total = counts.sum(axis=-2)
    return (total > 0) & (~later | (counts.min(axis=-2) >= needed)), total


class ScoreModel:
    """The model's columns: a mean for every visit, a difference for every further arm at every visit, covariates.

    Parameters
    ----------
    until
        The last visit that is asked about; see `visits_with_enough`.

    Attributes
    ----------
    visits
        That entered.
    rows
        Who entered: patients seen at any of those visits, with all covariates, shape (all patients,).
    outcome, arm, design
        Of those, shapes (patients, visits), (patients,) and (patients, visits, columns).
    names
        Of the columns.
    notes
        What had to be left out.
    """

    def __init__(self, protocol: Protocol, data: TrialData, until: str) -> None:
        self.protocol, self.arm_names = protocol, data.arm_names
        outcome = modelled_scores(protocol, data)
        self.notes: list[str] = []
        found = ~np.isnan(outcome)
        by_arm = np.stack([found[data.arm == at].sum(axis=0) for at in range(len(protocol.arm_names))])
        chosen, counts = visits_with_enough(protocol, by_arm, until)
        for name, taken, count in zip(protocol.modelled_visits, chosen, counts, strict=True):
            if not taken:
                why = "too few scores yet" if count else "no scores yet"
                self.notes.append(f"{why} at {visit_text(protocol, name)}; left out of the model")
        self.visits = [name for name, taken in zip(protocol.modelled_visits, chosen, strict=True) if taken]
        outcome = outcome[:, chosen]
        seen = np.asarray(~np.isnan(outcome).all(axis=1))
        self._covariates = [covariate_columns(protocol, data, name, seen) for name in protocol.analysis.covariates]
        values = [found[1] for found in self._covariates]
        complete = ~np.isnan(np.concatenate([np.zeros((len(data), 1)), *values], axis=1)).any(axis=1)
        if not complete.all():
            self.notes.append(f"{int((~complete).sum())} of {len(data)} patients left out: a covariate missing")
        self.rows = complete & seen
        self.outcome = outcome[self.rows]
        self.arm = data.arm[self.rows]
        names, design = self._columns([value[self.rows] for value in values])
        self._used = (design[~np.isnan(self.outcome)] != 0).any(axis=0)
        if not self._used.all():
            unused = [name for name, used in zip(names, self._used, strict=True) if not used]
            self.notes.append(f"nobody to estimate {', '.join(unused)} from; left out of the model")
        self.names = [name for name, used in zip(names, self._used, strict=True) if used]
        self.design = design[:, :, self._used]

    def _columns(self, values: list[NDArray[np.float64]]) -> tuple[list[str], NDArray[np.float64]]:
        visits, analysis = len(self.visits), self.protocol.analysis
        eye = np.eye(visits)
        names = list(self.visits)
        blocks = [np.broadcast_to(eye, (len(self.arm), visits, visits))]
        for at in range(1, len(self.arm_names)):
            names += [f"{self.arm_names[at]}:{visit}" for visit in self.visits]
            blocks.append((self.arm == at)[:, None, None] * eye)
        for name, (labels, _, _), value in zip(analysis.covariates, self._covariates, values, strict=True):
            if name in analysis.by_visit:
                names += [f"{label}:{visit}" for label in labels for visit in self.visits]
                blocks += [value[:, column, None, None] * eye for column in range(value.shape[1])]
            else:
                names += labels
                blocks.append(np.broadcast_to(value[:, None, :], (len(self.arm), visits, value.shape[1])))
        return names, np.concatenate(blocks, axis=2)

    def fit(self) -> MixedFit:
        """The fit that the protocol's analysis asks for; raises `InputError` or `FitError` where it cannot be had."""
        from ..mixed import fit_mmrm

        if not self.rows.any():
            raise InputError("outcome", "missing for everyone", "at least some patients seen after baseline")
        analysis = self.protocol.analysis
        return fit_mmrm(
            self.outcome,
            self.design,
            names=self.names,
            method=analysis.method,
            degrees_of_freedom=analysis.degrees_of_freedom,
            covariance=(analysis.covariance, *analysis.covariance_fallback),
            times=[self.protocol.visit(name).day for name in self.visits],
            group=self.arm if analysis.covariance_by_arm else None,
            groups=[self.arm_names[arm] for arm in np.unique(self.arm)] if analysis.covariance_by_arm else None,
            variance=analysis.variance,
            visits=self.visits,
        )

    def knows(self, arm: int, visit: int) -> bool:
        """Whether anybody of an arm was seen at a visit, so that its mean there can be told."""
        return bool(self._used[arm * len(self.visits) + visit])

    def difference(self, arm: int, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Contrast of an arm minus control, `weights` (visits,) at the visits; raises `InputError` where nobody of the
        arm was seen at one of them.
        """
        for visit in np.flatnonzero(weights):
            if not self.knows(arm, int(visit)):
                where = f"{self.arm_names[arm]} at {self.visits[visit]}"
                raise InputError(where, 0, "at least one patient seen there")
        contrast = np.zeros(len(self._used))
        contrast[arm * len(self.visits) : (arm + 1) * len(self.visits)] = weights
        return contrast[self._used]

    def at_visit(self, visit: int) -> NDArray[np.float64]:
        """Weights of one visit alone."""
        return np.eye(len(self.visits))[visit]

    def mean(self, arm: int, visit: int) -> NDArray[np.float64]:
        """Contrast of an arm's LS mean at a visit: covariates at their mean over the observations, levels weighing
        equally.
        """
        analysis = self.protocol.analysis
        contrast = np.zeros(len(self._used))
        contrast[[visit, arm * len(self.visits) + visit]] = 1.0
        observed = ~np.isnan(self.outcome)
        start = len(self.arm_names) * len(self.visits)
        for name, (labels, value, weights) in zip(analysis.covariates, self._covariates, strict=True):
            centre = weights if weights is not None else observed.sum(axis=1) @ value[self.rows] / observed.sum()
            if name in analysis.by_visit:
                for column in range(len(labels)):
                    contrast[start + visit] = centre[column]
                    start += len(self.visits)
            else:
                contrast[start : start + len(labels)] = centre
                start += len(labels)
        return contrast[self._used]
