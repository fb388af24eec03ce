"""Poisson regression of counts of events on arm and covariates, with time of observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Scale
from .counts import CountBatch, CountFit, CountTrials
from .design import Design, gradient_of, information_of, linear_predictor
from .fitted import in_chunks
from .newton import Climb, climb, inverted
from .robust import ROBUST, sandwich
from .trials import many_trials, one_trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["PoissonVariance", "climb_poisson", "poisson_batch", "poisson_regression"]

PoissonVariance = Literal["model", "HC0", "HC1", "HC2", "HC3"]

_FULL = 1e-10
_INVOLVED = 1e-6
_SEVERAL = "arms (control first) whose rate does not hang on one patient alone (leverage 1), for a robust variance"


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Counts of the patients analysed in trials that can be fitted; 0 and 1 where nobody is analysed.

    Attributes
    ----------
    basis, aliased
        Of the design.
    count, present
        Shape (trials, patients).
    log_time
        Logarithm of the time of observation, 0 where nobody is analysed, shape (trials, patients).
    constant
        Sum of log(count!), shape (trials,).
    """

    basis: NDArray[np.float64]
    aliased: NDArray[np.bool_]
    count: NDArray[np.float64]
    present: NDArray[np.bool_]
    log_time: NDArray[np.float64]
    constant: NDArray[np.float64]

    @classmethod
    def of(cls, design: Design, counts: CountTrials, rows: NDArray[np.intp]) -> Observed:
        """The patients of the design in some trials."""
        from scipy.special import gammaln

        present = design.present[rows]
        count = np.where(present, counts.trials.outcome[rows], 0.0)
        return cls(
            design.basis[rows],
            design.aliased[rows],
            count,
            present,
            np.log(np.where(present, counts.exposure[rows], 1.0)),
            gammaln(count + 1).sum(axis=1),
        )

    def only(self, rows: NDArray[np.intp]) -> Observed:
        """Some of the trials."""
        return Observed(
            self.basis[rows],
            self.aliased[rows],
            self.count[rows],
            self.present[rows],
            self.log_time[rows],
            self.constant[rows],
        )

    def predictor(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logarithm of the expected counts, shape (trials, patients)."""
        return linear_predictor(self.basis, parameters) + self.log_time

    def expected(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected counts, 0 where nobody is analysed, shape (trials, patients)."""
        with np.errstate(over="ignore"):
            return np.where(self.present, np.exp(self.predictor(parameters)), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Poisson:
    observed: Observed

    def at(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        seen = self.observed
        mean = seen.expected(parameters)
        value = (seen.count * seen.predictor(parameters) - mean).sum(axis=1) - seen.constant
        with np.errstate(invalid="ignore", over="ignore"):
            return value, gradient_of(seen.basis, seen.count - mean), information_of(seen.basis, mean, seen.aliased)

    def only(self, rows: NDArray[np.intp]) -> _Poisson:
        return _Poisson(self.observed.only(rows))


def climb_poisson(design: Design, counts: CountTrials) -> tuple[NDArray[np.intp], Observed, Climb]:
    """Maximum likelihood on the columns of the design's basis, trial by trial.

    Trials without a maximum are added to the design's failures: an arm without events, or covariates that mark off
    patients without events, whose estimated rate runs to 0.

    Returns
    -------
    Numbers of the trials that have a maximum, their patients, and the maximum.
    """
    events = design.by_arm(np.where(design.present, counts.trials.outcome, 0.0))
    times = design.by_arm(np.where(design.present, counts.exposure, 0.0))
    for at in np.flatnonzero((events == 0).any(axis=1)):
        design.failures.setdefault(
            int(at),
            InputError("outcome", events[at].astype(int).tolist(), "at least one event in every arm (control first)"),
        )
    rows = np.setdiff1d(np.arange(len(events)), list(design.failures))
    observed = Observed.of(design, counts, rows)
    start = np.zeros((rows.size, len(design.names)))
    start[:, 0] = np.log(events[rows].sum(axis=1) / times[rows].sum(axis=1))
    found = climb(_Poisson(observed), start)
    for at in np.flatnonzero(~found.converged):
        row = int(rows[at])
        design.failures[row] = InputError(
            "covariates",
            design.running_away(row, found.step[at]),
            "arms and covariates that do not mark off patients without events: their estimated rate runs to 0",
        )
    good = np.flatnonzero(found.converged)
    return rows[good], observed.only(good), found.only(good)


def _decided_by_one(
    design: Design, rows: NDArray[np.intp], observed: Observed, mean: NDArray[np.float64], inverse: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which trials have an arm's coefficient that hangs on a patient of leverage 1, shape (rows,).

    The model fits her whatever her count, so that her residual tells a sandwich nothing of the variance. A patient who
    alone has a level of a covariate is of leverage 1 too, but only that level's coefficient hangs on her.
    """
    along = np.matmul(inverse, observed.basis)
    leverage = mean * (along * observed.basis).sum(axis=1)
    arms = np.abs(np.matmul(design.back[rows, 1 : design.arms], along)) * np.sqrt(mean)[:, None]
    hangs = arms > _INVOLVED * arms.max(axis=2, keepdims=True, initial=0.0)
    return (hangs & ((leverage > 1 - _FULL) & observed.present)[:, None]).any(axis=(1, 2))


def _fit(counts: CountTrials, variance: PoissonVariance, drop_absent: bool) -> CountBatch:
    design = counts.design(drop_absent)
    if variance != "model":
        for at in np.flatnonzero(design.patients <= (~design.aliased).sum(axis=1)):
            reason = f"more patients with complete data than the {len(design.names)} coefficients"
            design.failures.setdefault(int(at), InputError("patients", int(design.patients[at]), reason))
    rows, observed, found = climb_poisson(design, counts)
    covariance = inverted(found.information)
    if variance != "model":
        mean = observed.expected(found.parameters)
        alone = _decided_by_one(design, rows, observed, mean, covariance)
        for row in rows[alone].tolist():
            design.failures[row] = InputError("patients", design.sizes()[row].tolist(), _SEVERAL)
        covariance = sandwich(observed.basis, observed.count - mean, mean, covariance, variance)
        good = np.flatnonzero(~alone)
        rows, found, covariance = rows[good], found.only(good), covariance[good]
    none = np.zeros(rows.size)
    return CountBatch.of(
        counts, design, rows, found.parameters, covariance, found.log_likelihood, none, np.full(rows.size, np.nan)
    )


def poisson_batch(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    exposure: ArrayLike | None = None,
    variance: PoissonVariance = "model",
    names: Sequence[str] | None = None,
    arms: int | None = None,
    drop_absent: bool = False,
) -> CountBatch:
    """`poisson_regression` of many trials.

    Parameters
    ----------
    outcome, exposure, arm
        Shape (trials, patients): events, NaN where missing; time of observation, 1 when absent; 0 for control, 1, 2,
        ... for the other arms, -1 where there is no patient.
    covariates
        Shape (trials, patients, covariates), numeric; NaN where missing.
    variance
        As for `poisson_regression`.
    names, arms, drop_absent
        As for `logistic_batch`.

    Raises
    ------
    InputError
        For arrays that do not fit. A trial that cannot be fitted raises nothing: it is NaN, and `failures` says why.
    """
    choice("variance", variance, ("model", *ROBUST))
    counts = CountTrials.of(many_trials(outcome, arm, covariates, names=names, arms=arms), exposure)
    return in_chunks(lambda rows: _fit(counts.only(rows), variance, drop_absent), counts.trials)


def poisson_regression(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    exposure: ArrayLike | None = None,
    variance: PoissonVariance = "model",
    names: Sequence[str] | None = None,
    arms: int | None = None,
    better: Better = "lower",
    label: str = "",
) -> CountFit:
    """Poisson regression of counts of events on arm and covariates, by maximum likelihood.

    The logarithm of the expected count is that of the exposure plus a linear predictor (McCullagh & Nelder 1989,
    chapter 6).

    Parameters
    ----------
    outcome
        Events of each patient, NaN where missing; shape (patients,).
    arm
        0 (control), 1, 2, ... for each patient.
    covariates
        Shape (patients,) or (patients, covariates), numeric (factors as indicator columns); NaN where missing.
    exposure
        Time over which each patient was observed, in the unit that rates shall have; 1 when absent. A patient
        observed for no time is left out.
    variance
        "model", where the variance is the mean; or a sandwich that holds whatever the variance, HC0 to HC3 (White
        1980; MacKinnon & White 1985).
    names
        Of the covariates, for the table and for errors.
    arms
        Number of arms, control included; as many as there are in the data when absent.
    better
        Whether more or fewer events are good; carried to the estimates.
    label
        What is analysed, for people.

    Returns
    -------
    CountFit
        Log rate ratios and standard errors, and the rate of each arm. Patients with a missing value are left out.

    Raises
    ------
    InputError
        For an arm without patients or events; a covariate that is constant or determined by the arms and the
        covariates before it, or that marks off patients without events. The covariate is named. For a sandwich also
        where the rate of an arm hangs on one patient alone.
    """
    choice("better", better, ("higher", "lower"))
    choice("variance", variance, ("model", *ROBUST))
    counts = CountTrials.of(one_trial(outcome, arm, covariates, names=names, arms=arms), exposure)
    batch = _fit(counts, variance, drop_absent=False)
    return CountFit.of_batch(batch, scale=Scale.LOG_RATE_RATIO, better=better, label=label)
