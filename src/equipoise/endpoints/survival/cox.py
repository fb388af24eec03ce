"""Cox regression of times to an event on arm and covariates, of one trial and of many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Estimate, Scale
from ..batch import BatchEstimates
from ..regression.design import Design, design_of
from ..regression.fitted import RegressionBatch, in_chunks, spread, two_arms
from ..regression.newton import Climb, climb, inverted
from ..regression.trials import Trials, many_trials, one_trial
from .censored_times import SurvivalTrials, checked_censored_times, checked_trials
from .cox_exact import ExactLikelihood
from .cox_likelihood import CoxLikelihood
from .cox_two_arms import arms_failures
from .log_rank import checked_strata
from .risk_rows import RiskRows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .cox_tests import ProportionalHazardsTest

__all__ = ["CoxBatch", "CoxFit", "CoxModel", "Ties", "cox_regression", "cox_trials"]

Ties = Literal["efron", "breslow", "exact"]
_SAME_RISK = "a covariate that varies between patients who are at risk together when events happen"
_RUNS_AWAY = "arms and covariates that do not tell who has events first: the estimates run away to infinity"


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
        lacking = least[:, 0] <= 1e-10 * events
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


@dataclass(frozen=True, slots=True, eq=False)
class CoxBatch(RegressionBatch):
    """A Cox regression fitted to many trials; as `RegressionBatch`, but without an intercept.

    `log_likelihood` is the partial likelihood's.
    """

    def estimates(self, arm: int = 1, reference: int = 0) -> BatchEstimates:
        """Log hazard ratios of an arm against another (0 = control), with the normal distribution as reference."""
        weights = _arm_weights(self.arms, arm, reference)
        arms = slice(0, self.arms - 1)
        variance = np.einsum("i,tij,j->t", weights, self.covariance[:, arms, arms], weights)
        reasons = {at: str(why) for at, why in self.failures.items()}
        return BatchEstimates.of(self.coefficients[:, arms] @ weights, np.sqrt(variance), failures=reasons)


def _arm_weights(arms: int, arm: int, reference: int) -> NDArray[np.float64]:
    two_arms(arms, arm, reference)
    return np.eye(arms)[arm, 1:] - np.eye(arms)[reference, 1:]


@dataclass(frozen=True, eq=False, repr=False)
class CoxFit:
    """A Cox regression of one trial (Cox 1972, JRSS B 34:187).

    Attributes
    ----------
    names
        Of the coefficients: arms but the first (control), covariates.
    coefficients, covariance
        Log hazard ratios, shape (p,), and their covariance, shape (p, p): robust where clusters were given, else the
        inverse of the information.
    naive_covariance
        The inverse of the information.
    arms
        Number of arms, control included.
    ties
        How ties were taken.
    log_likelihood, null_log_likelihood
        Partial likelihood at the estimates, and with all coefficients 0.
    score_chi_square
        Score test that all coefficients are 0; with two arms, no covariates and ties exact it is the log-rank test.
    patients, dropped, events
        Patients analysed, those left out because something was missing, and events.
    better
        Whether a higher or a lower hazard is good.
    label
        What was analysed, for people.
    """

    names: tuple[str, ...]
    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    naive_covariance: NDArray[np.float64]
    arms: int
    ties: Ties
    log_likelihood: float
    null_log_likelihood: float
    score_chi_square: float
    patients: int
    dropped: int
    events: int
    better: Better
    label: str
    model: CoxModel = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("coefficients", "covariance", "naive_covariance"):
            getattr(self, name).flags.writeable = False

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Standard errors of the coefficients, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def hazard_ratios(self) -> NDArray[np.float64]:
        """Shape (p,)."""
        return np.exp(self.coefficients)

    @property
    def wald_chi_square(self) -> float:
        """Wald test that all coefficients are 0."""
        return float(self.coefficients @ np.linalg.solve(self.covariance, self.coefficients))

    @property
    def likelihood_ratio_chi_square(self) -> float:
        """Likelihood ratio test that all coefficients are 0."""
        return 2 * (self.log_likelihood - self.null_log_likelihood)

    def p_value(self, test: Literal["wald", "likelihood-ratio", "score"] = "wald") -> float:
        """Of the test that all coefficients are 0, by chi-square on as many degrees of freedom."""
        from scipy.special import chdtrc

        choice("test", test, ("wald", "likelihood-ratio", "score"))
        statistic = getattr(self, f"{test.replace('-', '_')}_chi_square")
        return float(chdtrc(len(self.names), statistic))

    def compare(self, arm: int = 1, reference: int = 0) -> Estimate:
        """Log hazard ratio of `arm` against `reference` (0 = control), with the normal distribution as reference.

        Raises
        ------
        InputError
            For arms that do not exist or are the same.
        """
        weights, arms = _arm_weights(self.arms, arm, reference), slice(0, self.arms - 1)
        return Estimate(
            float(weights @ self.coefficients[arms]),
            math.sqrt(float(weights @ self.covariance[arms, arms] @ weights)),
            scale=Scale.LOG_HAZARD_RATIO,
            better=self.better,
            label=self.label,
        )

    @property
    def estimate(self) -> Estimate:
        """The first experimental arm against control."""
        return self.compare(1)

    @property
    def concordance(self) -> float:
        """Harrell's concordance of the linear predictor with the order of events; see `cox_tests.concordance`."""
        from .cox_tests import concordance

        return concordance(self)

    def proportional_hazards(self, terms: dict[str, Sequence[str]] | None = None) -> ProportionalHazardsTest:
        """Score tests that hazard ratios do not change with time; see `cox_tests.proportional_hazards`."""
        from .cox_tests import proportional_hazards

        return proportional_hazards(self, terms)

    def __str__(self) -> str:
        width = max(len(name) for name in self.names)
        left_out = f", {self.dropped} left out for missing values" if self.dropped else ""
        lines = [f"{self.label or 'Cox regression'}: {self.patients} patients, {self.events} events{left_out}"]
        for name, value, error in zip(self.names, self.coefficients, self.standard_errors, strict=True):
            lines.append(f"  {name:<{width}}  {value:>10.4g}  SE {error:.4g}  hazard ratio {math.exp(value):.4g}")
        return "\n".join(lines)

    __repr__ = __str__


def cox_regression(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    strata: ArrayLike | None = None,
    ties: Ties = "efron",
    clusters: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    better: Better = "lower",
    label: str = "",
) -> CoxFit:
    """Cox's proportional hazards regression on arm and covariates (Cox 1972, JRSS B 34:187).

    Our own rather than lifelines', which has Efron's ties only and no test of proportional hazards as R's.

    Parameters
    ----------
    time, event
        Follow-up times and event flags (1 event, 0 censored), shape (patients,).
    arm
        0 for control, 1, 2, ... for the experimental arms, shape (patients,).
    covariates
        Shape (patients,) or (patients, covariates), numeric (factors as indicator columns); NaN where missing, which
        leaves the patient out.
    strata
        Labels, one a patient; each stratum has a baseline hazard of its own.
    ties
        "efron" (1977, JASA 72:557), "breslow" (1974, Biometrics 30:89) or "exact", the conditional likelihood of
        discrete times (Cox 1972, section 6).
    clusters
        Labels, one a patient, for a variance that holds with patients of a cluster dependent (Lin & Wei 1989, JASA
        84:1074); with a label of her own for each patient it is robust against hazards that are not proportional.
    names
        Of the covariates.
    better
        Whether a higher or a lower hazard is good; carried to the estimates.
    label
        What is analysed, for people.

    Raises
    ------
    InputError
        For times or flags out of range; an arm without patients; no events, or none that tell the arms apart, so that
        the hazard ratio runs away to 0 or infinity; a covariate that is constant, determined by the arms and the
        covariates before it or the same for all who are at risk together, or one that runs away to infinity; clusters
        with exact ties.
    """
    choice("ties", ties, get_args(Ties))
    choice("better", better, ("higher", "lower"))
    times, had_event = checked_censored_times(time, event)
    if ties == "exact" and clusters is not None:
        raise InputError("ties", ties, "'efron' or 'breslow' with clusters")
    trials = one_trial(times, arm, covariates, names=names)
    codes = None if strata is None else checked_strata(strata, times.size)[None]
    given = SurvivalTrials(times[None], had_event[None], trials.arm > 0, trials.arm >= 0, codes)
    model = CoxModel.of(trials, given, ties == "efron", drop_absent=False)
    the_only = model.sound()
    likelihood: Any = model.likelihood
    if ties == "exact":
        likelihood = ExactLikelihood(likelihood.rows, likelihood.columns)
    found = model.climb(the_only, likelihood) if the_only.size else None
    if found is None or model.design.failures:
        raise model.design.failures[0]
    null, score, information = likelihood.at(np.zeros(found.parameters.shape))
    inverse, back = inverted(found.information)[0], model.back[0]
    naive = back @ inverse @ back.T
    covariance = naive
    if clusters is not None:
        covariance = back @ _clustered(model, found.parameters, inverse, clusters, times.size) @ back.T
    return CoxFit(
        names=model.design.names[1:],
        coefficients=back @ found.parameters[0],
        covariance=covariance,
        naive_covariance=naive.copy(),
        arms=model.design.arms,
        ties=ties,
        log_likelihood=float(found.log_likelihood[0]),
        null_log_likelihood=float(null[0]),
        score_chi_square=float(score[0] @ np.linalg.solve(information[0], score[0])),
        patients=int(model.design.patients[0]),
        dropped=int(model.design.dropped[0]),
        events=int(model.given.event.sum()),
        better=better,
        label=label,
        model=model,
    )


def _clustered(
    model: CoxModel, parameters: NDArray[np.float64], inverse: NDArray[np.float64], clusters: ArrayLike, patients: int
) -> NDArray[np.float64]:
    """Sum over clusters of the outer product of what the cluster's patients change in the estimates, on the basis."""
    labels = np.asarray(clusters)
    if labels.shape != (patients,):
        raise InputError("clusters", labels.shape, f"one label for each of {patients} patients")
    code = np.unique(labels, return_inverse=True)[1].reshape(-1)
    rows = model.likelihood.rows
    residuals = model.likelihood.score_residuals(model.likelihood.risk_sums(parameters))
    changes = np.moveaxis(residuals, 1, 2)[rows.present] @ inverse
    summed = np.zeros((int(code.max()) + 1, changes.shape[1]))
    np.add.at(summed, code[rows.source[rows.present]], changes)
    return summed.T @ summed


def cox_trials(
    time: ArrayLike,
    event: ArrayLike,
    arm: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    strata: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    drop_absent: bool = False,
) -> CoxBatch:
    """`cox_regression` of two arms in many trials, with Efron's ties.

    Without covariates `cox_two_arms.hazard_ratios_of` gives the same estimates sooner.

    Parameters
    ----------
    time, event, arm
        Shape (trials, patients): follow-up (NaN where not known), event flags, and 0 (control), 1 (experimental) or -1
        (no patient, or one of another arm).
    covariates
        Shape (trials, patients, covariates), numeric; NaN where missing.
    strata
        Codes 0, 1, ... of shape (trials, patients), -1 where not known.
    names
        Of the covariates.
    drop_absent
        Whether covariates that are 0 for all patients analysed of a trial, as the indicator of a level that none of
        them has, are left out of its model; otherwise that trial fails.

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold what they should not. A trial that cannot be fitted does not
        raise: its reason is among the `failures`.
    """
    given = checked_trials(time, event, arm, strata)
    trials = many_trials(np.where(given.present, given.time, np.nan), arm, covariates, names=names, arms=2)

    def fit(part: slice) -> CoxBatch:
        model = CoxModel.of(trials.only(part), given.only(part), True, drop_absent)
        sound = model.sound()
        found = model.climb(sound, model.likelihood.only(sound)) if sound.size else None
        design, back = model.design, model.back
        count = len(design.names) - 1
        coefficients, covariance = np.empty((0, count)), np.empty((0, count, count))
        fitted, log_likelihood = sound[:0], np.empty(0)
        if found is not None:
            fitted = sound[found.converged]
            found = found.only(found.converged)
            here = back[fitted]
            coefficients = np.matmul(here, found.parameters[:, :, None])[:, :, 0]
            covariance = np.matmul(np.matmul(here, inverted(found.information)), here.swapaxes(1, 2))
            log_likelihood = found.log_likelihood
            trial, column = np.nonzero(design.aliased[fitted, 1:])
            coefficients[trial, column] = np.nan
            covariance[trial, column, :] = np.nan
            covariance[trial, :, column] = np.nan
        size = len(design.arm)
        return CoxBatch(
            design.names[1:],
            design.arms,
            spread(size, fitted, coefficients),
            spread(size, fitted, covariance),
            spread(size, fitted, log_likelihood),
            design.patients,
            design.dropped,
            design.failures,
        )

    return in_chunks(fit, trials, 12 * given.time.shape[1])
