"""Cox's model of many trials: the design, its partial likelihood, and why some have no maximum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..regression.design import Design, design_of
from ..regression.fitted import two_arms
from ..regression.newton import Climb, climb
from ..regression.trials import Trials
from .censored_times import SurvivalTrials
from .cox_exact import ExactLikelihood
from .cox_likelihood import CoxLikelihood
from .cox_two_arms import arms_failures
from .risk_rows import RiskRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CoxModel", "arm_weights"]

_NO_INFORMATION = 1e-10
_SAME_RISK = "a covariate that varies between patients who are at risk together when events happen"
_RUNS_AWAY = "arms and covariates that do not tell who has events first: the estimates run away to infinity"


def arm_weights(arms: int, arm: int, reference: int) -> NDArray[np.float64]:
    """Of the arms' coefficients in the log hazard ratio of one arm against another, shape (arms - 1,)."""
    two_arms(arms, arm, reference)
    return np.eye(arms)[arm, 1:] - np.eye(arms)[reference, 1:]


@dataclass(frozen=True, slots=True, eq=False)
class CoxModel:
    """Partial likelihoods of many trials with the design they are of."""

    design: Design
    likelihood: CoxLikelihood
    given: SurvivalTrials

    @classmethod
    def of(cls, trials: Trials, given: SurvivalTrials, efron: bool, drop_absent: bool) -> CoxModel:
        """The likelihoods over patients with complete data; why trials have none is added to the design's failures."""
        design = design_of(trials, given.present, drop_absent=drop_absent)
        present = design.present
        given = SurvivalTrials(given.time, given.event & present, given.experimental & present, present, given.strata)
        rows = RiskRows.of(given)
        columns = np.moveaxis(design.basis[:, 1:], 2, 1).reshape(-1, len(design.names) - 1)[rows.source]
        columns = np.moveaxis(np.where(rows.present[:, :, None], columns, 0.0), 2, 1)
        return cls(design, CoxLikelihood(rows, columns, design.aliased[:, 1:], efron), given)

    @property
    def back(self) -> NDArray[np.float64]:
        """Turns coefficients of the basis into those of the design, shape (trials, columns, columns)."""
        return self.design.back[:, 1:, 1:]

    def events_by_arm(self) -> NDArray[np.intp]:
        """Shape (trials, arms)."""
        return self.design.by_arm(self.given.event.astype(float)).astype(np.intp)

    def sound(self) -> NDArray[np.intp]:
        """Trials whose likelihood may have a maximum; why others have none is added to the design's failures."""
        failures, events = self.design.failures, self.events_by_arm()
        if self.design.arms == 2:
            rows = self.likelihood.rows
            experimental = rows.sorted(self.given.experimental) & rows.present
            for at, why in arms_failures(self.given, rows, experimental)[2].items():
                failures.setdefault(at, why)
        for at in np.flatnonzero(events.min(axis=1) == 0).tolist():
            value = 0 if not events[at].any() else events[at].tolist()
            wanted = (
                "at least one event; all times are censored" if not value else "events in every arm (control first)"
            )
            failures.setdefault(at, InputError("event", value, wanted))
        left = np.setdiff1d(np.arange(len(events)), list(failures))
        if left.size:
            start = self.likelihood.only(left)
            information = start.information(start.risk_sums(np.zeros((left.size, start.columns.shape[1]))))
            for at, column in self._without_information(left, information):
                failures[at] = InputError("covariates", self.design.names[1 + column], _SAME_RISK)
        return np.setdiff1d(left, list(failures))

    def _without_information(self, trials: NDArray[np.intp], information: NDArray[np.float64]) -> list[tuple[int, int]]:
        """Trials with a column that those at risk together do not differ in, and the first such column."""
        least, vectors = np.linalg.eigh(information)
        events = self.events_by_arm()[trials].sum(axis=1)
        lacking = least[:, 0] <= _NO_INFORMATION * events
        return [
            (int(at), int(np.argmax(np.abs(vector[:, 0]))))
            for at, vector in zip(trials[lacking], vectors[lacking], strict=True)
        ]

    def climb(self, trials: NDArray[np.intp], likelihood: CoxLikelihood | ExactLikelihood) -> Climb:
        """Maxima of the likelihoods of these trials; what has none is added to the design's failures."""
        found = climb(likelihood, np.zeros((trials.size, self.likelihood.columns.shape[1])))
        for at in np.flatnonzero(~found.converged):
            trial = int(trials[at])
            step = np.concatenate(([0.0], found.step[at]))
            names = self.design.running_away(trial, step)
            self.design.failures[trial] = InputError("covariates", names, _RUNS_AWAY)
        return found
