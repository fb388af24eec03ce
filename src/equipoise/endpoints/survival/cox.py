"""Cox regression of times to an event on arm and covariates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Estimate, Scale
from ..regression.newton import inverted
from ..regression.trials import one_trial
from .censored_times import SurvivalTrials, checked_censored_times
from .cox_exact import ExactLikelihood
from .cox_model import CoxModel, arm_weights
from .log_rank import checked_strata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .cox_tests import ProportionalHazardsTest

__all__ = ["CoxFit", "Ties", "cox_regression"]

Ties = Literal["efron", "breslow", "exact"]


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
        weights, arms = arm_weights(self.arms, arm, reference), slice(0, self.arms - 1)
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
