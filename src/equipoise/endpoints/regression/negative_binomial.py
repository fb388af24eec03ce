"""Negative binomial regression of counts of events on arm and covariates, with time of observation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Scale
from .counts import CountBatch, CountFit, CountTrials
from .design import gradient_of, information_of
from .fitted import in_chunks
from .newton import climb, inverted, solved
from .poisson import Observed, climb_poisson
from .trials import many_trials, one_trial

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["NO_OVERDISPERSION", "negative_binomial_batch", "negative_binomial_regression"]

NO_OVERDISPERSION = "the counts vary no more than Poisson counts would: dispersion 0, as in Poisson regression"


@dataclass(frozen=True, slots=True, eq=False)
class _NegativeBinomial:
    """Log-likelihoods in the coefficients and psi = log(1 + k m), k the dispersion and m a typical expected count.

    psi is like k where k is small and like log k where it is large, so that Newton's steps are good at either end.
    The gamma functions of the likelihood are sums of log(1 + k v) over the events v = 0, 1, ... before each event:
    exact down to k = 0.

    Attributes
    ----------
    observed
        The patients.
    earlier
        Patients with more than v events, shape (trials, most events).
    typical
        m, shape (trials,).
    """

    observed: Observed
    earlier: NDArray[np.float64]
    typical: NDArray[np.float64]

    def dispersion(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """k, shape (trials,)."""
        return np.expm1(parameters[:, -1]) / self.typical

    def slopes(
        self, mean: NDArray[np.float64], dispersion: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Log-likelihood but for count * log(mean) and its constant, and its first two derivatives by k."""
        from .count_kernels import dispersion_sums

        before = np.arange(self.earlier.shape[1])
        spread = 1 + dispersion[:, None] * before
        share = before / spread
        sums = np.empty((3, len(mean)))
        dispersion_sums(np.ascontiguousarray(self.observed.count), np.ascontiguousarray(mean), dispersion, sums)
        value = (self.earlier * np.log(spread)).sum(axis=1) - sums[0]
        first = (self.earlier * share).sum(axis=1) + sums[1]
        second = -(self.earlier * share**2).sum(axis=1) + sums[2]
        return value, first, second

    def at(
        self, parameters: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        seen, coefficients = self.observed, parameters[:, :-1]
        trials, size = parameters.shape
        inside = parameters[:, -1] > 0
        parameters = np.where(inside[:, None], parameters, 0.0)
        dispersion = self.dispersion(parameters)
        mean = seen.expected(coefficients)
        inside &= np.isfinite(mean).all(axis=1)
        mean = np.where(np.isfinite(mean), mean, 1.0)
        value, first, second = self.slopes(mean, dispersion)
        value += (seen.count * seen.predictor(coefficients)).sum(axis=1) - seen.constant
        rest = 1 / (1 + dispersion[:, None] * mean)
        bend = dispersion + 1 / self.typical
        gradient = np.concatenate(
            (gradient_of(seen.basis, (seen.count - mean) * rest), (bend * first)[:, None]), axis=1
        )
        weights = mean * (1 + dispersion[:, None] * seen.count) * rest**2
        information = np.zeros((trials, size, size))
        information[:, :-1, :-1] = information_of(seen.basis, weights, seen.aliased)
        across = bend[:, None] * gradient_of(seen.basis, (seen.count - mean) * mean * rest**2)
        along = (across * solved(information[:, :-1, :-1], across)).sum(axis=1)
        corner = -(bend**2) * second - bend * first
        apart = corner - along <= 0.01 * np.abs(corner)
        information[:, -1, -1] = np.where(apart, np.abs(corner) + along, corner)
        information[:, :-1, -1] = information[:, -1, :-1] = np.where(apart[:, None], 0.0, across)
        return np.where(inside, value, -np.inf), gradient, information

    def only(self, rows: NDArray[np.intp]) -> _NegativeBinomial:
        return _NegativeBinomial(self.observed.only(rows), self.earlier[rows], self.typical[rows])


def _earlier(count: NDArray[np.float64]) -> NDArray[np.float64]:
    """Patients with more than v events, for v from 0 to the most, shape (trials, most)."""
    trials, most = len(count), int(count.max(initial=0)) + 1
    place = (np.arange(trials)[:, None] * most + count).astype(np.intp)
    histogram = np.bincount(place.ravel(), minlength=trials * most).reshape(trials, most)
    return np.cumsum(histogram[:, :0:-1], axis=1)[:, ::-1].astype(float)


def _fit(counts: CountTrials, drop_absent: bool) -> CountBatch:
    design = counts.design(drop_absent)
    rows, observed, poisson = climb_poisson(design, counts)
    coefficients, value = poisson.parameters.copy(), poisson.log_likelihood.copy()
    covariance = inverted(poisson.information)
    dispersion, uncertain = np.zeros(rows.size), np.full(rows.size, np.nan)
    mean = observed.expected(coefficients)
    excess = ((observed.count - mean) ** 2 - observed.count).sum(axis=1)
    over = np.flatnonzero(excess > 0)
    fitted = np.ones(rows.size, dtype=bool)
    if over.size:
        seen, mean = observed.only(over), mean[over]
        typical = mean.sum(axis=1) / seen.present.sum(axis=1)
        model = _NegativeBinomial(seen, _earlier(seen.count), typical)
        start = np.log1p(typical * excess[over] / (mean**2).sum(axis=1))
        found = climb(model, np.concatenate((coefficients[over], start[:, None]), axis=1), 60)
        for at in np.flatnonzero(~found.converged):
            row = int(rows[over[at]])
            design.failures[row] = InputError(
                "covariates",
                design.running_away(row, found.step[at, :-1]),
                "arms and covariates that do not mark off patients without events: their estimated rate runs to 0",
            )
        good = np.flatnonzero(found.converged)
        fitted[over[~found.converged]] = False
        at, seen, model = over[good], seen.only(good), model.only(good)
        best = found.parameters[good]
        coefficients[at], value[at] = best[:, :-1], found.log_likelihood[good]
        dispersion[at] = model.dispersion(best)
        mean = seen.expected(best[:, :-1])
        shrunk = mean / (1 + dispersion[at][:, None] * mean)
        covariance[at] = inverted(information_of(seen.basis, shrunk, seen.aliased))
        second = model.slopes(mean, dispersion[at])[2]
        uncertain[at] = np.where(second < 0, 1 / np.sqrt(np.abs(second)), np.nan)
    return CountBatch.of(
        counts,
        design,
        rows[fitted],
        coefficients[fitted],
        covariance[fitted],
        value[fitted],
        dispersion[fitted],
        uncertain[fitted],
    )


def negative_binomial_batch(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    exposure: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    drop_absent: bool = False,
) -> CountBatch:
    """`negative_binomial_regression` of many trials.

    Parameters
    ----------
    outcome, exposure, arm
        Shape (trials, patients): events, NaN where missing; time of observation, 1 when absent; 0 for control, 1, 2,
        ... for the other arms, -1 where there is no patient.
    covariates
        Shape (trials, patients, covariates), numeric; NaN where missing.
    names, arms, drop_absent
        As for `logistic_batch`.

    Raises
    ------
    InputError
        For arrays that do not fit. A trial that cannot be fitted raises nothing: it is NaN, and `failures` says why.
    """
    counts = CountTrials.of(many_trials(outcome, arm, covariates, names=names, arms=arms), exposure)
    most = 0 if not counts.trials.outcome.size else int(np.nan_to_num(counts.trials.outcome).max())
    return in_chunks(lambda rows: _fit(counts.only(rows), drop_absent), counts.trials, most)


def negative_binomial_regression(
    outcome: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    exposure: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    arms: int | None = None,
    better: Better = "lower",
    label: str = "",
) -> CountFit:
    """Negative binomial regression of counts of events on arm and covariates (Lawless 1987, Can J Stat 15:209).

    The variance is mean + k mean^2 (NB2). Coefficients and dispersion k are found together by maximum likelihood; the
    coefficients' standard errors are from the expected information, in which they and k are orthogonal. Where the
    counts vary no more than Poisson counts, k is 0, and a note says so. The standard error of k takes the coefficients
    as known.

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
        Log rate ratios and standard errors, the rate of each arm, the dispersion. Patients with a missing value are
        left out.

    Raises
    ------
    InputError
        For an arm without patients or events; a covariate that is constant or determined by the arms and the
        covariates before it, or that marks off patients without events. The covariate is named.
    """
    choice("better", better, ("higher", "lower"))
    batch = _fit(
        CountTrials.of(one_trial(outcome, arm, covariates, names=names, arms=arms), exposure), drop_absent=False
    )
    notes = (NO_OVERDISPERSION,) if not batch.failures and batch.dispersion[0] == 0 else ()
    return CountFit.of_batch(batch, scale=Scale.LOG_RATE_RATIO, better=better, label=label, notes=notes)
