"""Section of docs/validation.md: rank sums, shifts, win probabilities and hierarchical composites."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from equipoise import Scale
from equipoise.endpoints.ranks.hodges_lehmann import hodges_lehmann
from equipoise.endpoints.ranks.rank_sum import rank_sum
from equipoise.endpoints.ranks.win_components import WinComponent
from equipoise.endpoints.ranks.win_probability import win_probability
from equipoise.endpoints.ranks.win_statistics import WinStatistics, win_statistics
from ranks_reference import joined
from reference_values import reference_cases
from validation_table import COLUMNS, Section, Table, row

TEXT = """
Rank sums and shifts are held against R's wilcox.test, whose asymptotic limits are roots to 1e-4 of a step function that
we find exactly. Win statistics are held against the R package WINS (its arithmetic transcribed), whose standard errors
suppose no difference between the arms ("pooled"), and against Luo's variance, which divides by the patients of an arm
where ours divides by one less; the difference is taken after that factor. At a look we test with the permutation
variance of Finkelstein and Schoenfeld, which WINS does not give; tests hold it against all divisions of small trials.
"""


def statistics_of(inputs) -> WinStatistics:
    components = [
        WinComponent(time=time, margin=margin) for time, margin in zip(inputs["times"], inputs["margins"], strict=True)
    ]
    return win_statistics(
        inputs["values"], inputs["arm"], components, observed=inputs["observed"], strata=inputs.get("strata")
    )


def wilcoxon_rows() -> list[tuple[str, ...]]:
    rows = []
    for case in reference_cases("ranks"):
        if not case["id"].startswith("wilcox"):
            continue
        name, expected = case["id"].removeprefix("wilcox_").replace("_", " "), case["expected"]
        values, arm = joined(case["inputs"])
        tests = [rank_sum(values, arm, method="normal", continuity=correct).p_value for correct in (True, False)]
        theirs = [expected["normal_corrected"][0], expected["normal"][0]]
        rows.append(row(f"{name}: p with and without correction", "R wilcox.test", theirs, tests, relative=True))
        if "exact" in expected:
            found, shift = rank_sum(values, arm, method="exact"), hodges_lehmann(values, arm, method="exact")
            ours = [found.p_value, shift.shift, shift.interval.lower, shift.interval.upper]
            theirs = [expected["exact"][0], expected["exact_estimate"], *expected["exact_interval"]]
            rows.append(row(f"{name}: exact p, shift and limits", "R wilcox.test", theirs, ours, relative=True))
        limits = hodges_lehmann(values, arm, method="normal").interval
        theirs = expected["asymptotic_interval"]
        rows.append(row(f"{name}: asymptotic limits", "R wilcox.test", theirs, [limits.lower, limits.upper]))
    return rows


def win_probability_row() -> tuple[str, ...]:
    case = next(case for case in reference_cases("ranks") if case["id"] == "wilcox_levels")
    values, arm = joined(case["inputs"])
    theirs = stats.brunnermunzel(values[arm == 0], values[arm == 1])
    ours = win_probability(values, arm).estimate(error="unconstrained")
    return row(
        "levels: Brunner-Munzel statistic and p",
        "SciPy brunnermunzel",
        [theirs.statistic, theirs.pvalue],
        [ours.statistic, ours.p_value],
        relative=True,
    )


def win_rows() -> list[tuple[str, ...]]:
    rows = []
    names = ("win_ratio", "win_odds", "net_benefit")
    scales = (Scale.LOG_WIN_RATIO, Scale.LOG_WIN_ODDS, Scale.NET_BENEFIT)
    for case in reference_cases("ranks"):
        identity, expected = case["id"], case["expected"]
        if not identity.startswith(("wins", "luo")):
            continue
        found = statistics_of(case["inputs"])
        what = identity.removeprefix("wins_").removeprefix("luo_").replace("_", " ")
        if identity.startswith("luo"):
            size = np.count_nonzero(case["inputs"]["arm"])
            factor = math.sqrt((size - 1) / size)
            ours = [found.estimate(scale, "unconstrained").standard_error * factor for scale in scales[::2]]
            theirs = [expected["se_log_win_ratio"], expected["se_net_benefit"]]
            rows.append(row(f"{what}: errors of log win ratio and net benefit", "Luo in WINS", theirs, ours))
            continue
        ours, theirs = [found.ratio, found.odds, found.net_benefit], [expected[name] for name in names]
        rows.append(row(f"{what}: win ratio, win odds, net benefit", "WINS", theirs, ours))
        ours = [found.estimate(scale, "pooled").standard_error for scale in scales]
        theirs = [expected[f"se_{name if name == 'net_benefit' else 'log_' + name}"] for name in names]
        rows.append(row(f"{what}: their standard errors", "WINS", theirs, ours))
    return rows


def rank_methods() -> Section:
    """Everything that is compared by ranks or by pairs."""
    return Section("Ranks and pairs", TEXT, (Table(COLUMNS, (*wilcoxon_rows(), win_probability_row(), *win_rows())),))
