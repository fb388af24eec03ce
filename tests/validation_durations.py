"""Sections of docs/validation.md: durable response and adverse events."""

from __future__ import annotations

import numpy as np

from equipoise.endpoints.durations.principal_stratum import principal_stratum
from equipoise.endpoints.durations.time_in_response import time_in_response
from equipoise.endpoints.safety.poisson_rates import rate_difference_limits, rate_limits, rate_ratio_limits
from rate_values import R_POISSON_RATES, R_POISSON_RATIOS, STATSMODELS_RATE_DIFFERENCES
from response_law import MONOTONE, NOT_MONOTONE, bounds_by_programme
from survival_reference import CASES, columns
from validation_table import COLUMNS, Section, Table, row

LEVEL = "limits {:g} %"


def durability() -> Section:
    text = """
Mean time in response is the restricted mean of a curve that begins at the share of responders; where everybody responds
it is survRM2's. The bounds of the effect in those who would respond to the experimental arm are held against a linear
programme that chooses the control patients of the stratum, on trials drawn without censoring.
"""
    rows = []
    for case in CASES:
        inputs, expected = case["inputs"], case["expected"]
        if inputs["method"] != "restricted_mean_survival_time":
            continue
        data = columns(inputs["data"])
        arm = (data[inputs["group"]] == inputs["arm1_level"]).astype(int)
        found = time_in_response(arm, np.ones(arm.size), data["time"], data["event"], inputs["tau"])
        assert found.ratio is not None
        assert found.ratio_interval is not None
        difference, ratio = expected["difference_arm1_minus_arm0"], expected["ratio_arm1_over_arm0"]
        keys = ("estimate", "ci_lower", "ci_upper")
        what = f"{inputs['data'].removeprefix('data/').removesuffix('.csv')} to {inputs['tau']:g}, all respond"
        ours = (found.difference.effect, found.interval.lower, found.interval.upper)
        rows.append(row(f"{what}: difference, limits", case["source"], [difference[key] for key in keys], ours))
        ours = (found.ratio, found.ratio_interval.lower, found.ratio_interval.upper)
        rows.append(row(f"{what}: ratio, limits", case["source"], [ratio[key] for key in keys], ours))
    for name, law in (("monotone", MONOTONE), ("not monotone", NOT_MONOTONE)):
        arm, responded, time, observed = (part[0] for part in law.draw(np.random.default_rng(1), 1, 120))
        found = principal_stratum(arm, responded, time, observed, 20.0)
        theirs = bounds_by_programme(arm, responded, time, 20.0)
        what = f"120 patients, {name} law: bounds"
        rows.append(row(what, "scipy.optimize.linprog", theirs, (found.lower, found.upper), floor=1e-9))
    return Section("Durable response", text, (Table(COLUMNS, tuple(rows)),))


def adverse_events() -> Section:
    text = """
Counts of events over time under observation. Limits of one rate and of a ratio are exact, those of a difference are
score limits; statsmodels stops within 1e−8 of the root.
"""
    rows = []
    for events, level, lower, upper in R_POISSON_RATES:
        found = [float(limit) for limit in rate_limits(events, 1.0, level)]
        what = f"{events} events in time 1: {LEVEL.format(100 * level)}"
        rows.append(row(what, "poisson.test, R 4.2.2", (lower, upper), found))
    for *counts, level, lower, upper in R_POISSON_RATIOS:
        found = [float(limit) for limit in rate_ratio_limits(*counts, level)]
        what = f"{_rates(counts)}: ratio, {LEVEL.format(100 * level)}"
        rows.append(row(what, "poisson.test, R 4.2.2", (lower, upper), found, floor=1e-10))
    for *counts, level, lower, upper in STATSMODELS_RATE_DIFFERENCES:
        found = [float(limit) for limit in rate_difference_limits(*counts, level)]
        what = f"{_rates(counts)}: difference, {LEVEL.format(100 * level)}"
        source = "confint_poisson_2indep, statsmodels 0.15.0"
        rows.append(row(what, source, (lower, upper), found, digits=7, floor=1e-8))
    return Section("Adverse events", text, (Table(COLUMNS, tuple(rows)),))


def _rates(counts: list[float]) -> str:
    events1, time1, events2, time2 = counts
    return f"{events1}/{time1:g} against {events2}/{time2:g}"
