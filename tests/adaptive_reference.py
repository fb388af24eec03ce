"""The trials behind tests/reference/adaptive.json."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from equipoise import Estimate, Scale
from equipoise.sequential.combination import InverseNormal
from equipoise.sequential.design import GroupSequential
from equipoise.sequential.families import WangTsiatis
from equipoise.sequential.fisher import FisherCombination
from equipoise.sequential.fixed import FixedBounds
from equipoise.sequential.spending import OBrienFlemingSpending
from equipoise.sequential.stages import StageTest
from reference_values import reference_cases

CASES = reference_cases("adaptive")
METHODS = {
    "equal_alpha": "equal alpha",
    "full_alpha": "full alpha",
    "no_interaction": "no interaction",
    "user_alpha": "user alpha",
}


def cases_of(problem, combination=None):
    """The cases of one problem, of one combination if given."""
    return [
        case
        for case in CASES
        if case["inputs"]["problem"] == problem
        and combination in (None, case["inputs"].get("design", {}).get("combination"))
    ]


def inverse_normal(given, *, with_their_bounds=False):
    """The test of a case; with rpact's own critical values where a comparison is finer than their error."""
    times, alpha = tuple(given["information_rates"]), given["alpha"]
    if with_their_bounds:
        bounds = FixedBounds(tuple(given["critical_values_z"]))
        return InverseNormal(GroupSequential(times, alpha * (1 + 1e-5), 1, bounds))
    family = (
        WangTsiatis(given["efficacy"]["delta"])
        if given["efficacy"]["type"] == "wang_tsiatis"
        else OBrienFlemingSpending()
    )
    return InverseNormal(GroupSequential(times, alpha, given["sided"], family))


def fisher(given):
    """The test of a case."""
    alpha0, spent = given.get("alpha0"), given.get("user_cumulative_alpha")
    return FisherCombination(
        tuple(given["information_rates"]),
        given["alpha"],
        METHODS[given["method"]],
        None if alpha0 is None else tuple(alpha0),
        given.get("binding_futility", False),
        None if spent is None else tuple(spent),
    )


def combination_test(given):
    """The test of a case."""
    return fisher(given) if given["combination"] == "fisher" else inverse_normal(given)


def farrington_manning(events1, n1, events2, n2):
    """z against a risk difference, variance under it (Farrington & Manning 1990, Stat Med 9:1447)."""
    rate1, rate2 = events1 / n1, events2 / n2

    def z(difference):
        theta = n2 / n1
        a = 1 + theta
        b = -(1 + theta + rate1 + theta * rate2 + difference * (theta + 2))
        c = difference**2 + difference * (2 * rate1 + theta + 1) + rate1 + theta * rate2
        d = -rate1 * difference * (1 + difference)
        v = b**3 / (27 * a**3) - b * c / (6 * a**2) + d / (2 * a)
        u = math.copysign(math.sqrt(max(b**2 / (9 * a**2) - c / (3 * a), 0.0)), v)
        cosine = min(max(v / u**3, -1.0), 1.0) if u else 1.0
        p1 = 2 * u * math.cos((math.pi + math.acos(cosine)) / 3) - b / (3 * a)
        p1 = min(max(p1, 0.0), 1.0)
        p2 = min(max(p1 - difference, 0.0), 1.0)
        variance = p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2
        return (
            (rate1 - rate2 - difference) / math.sqrt(variance)
            if variance > 0
            else math.copysign(math.inf, rate1 - rate2 - difference)
        )

    return z


def stages_of(inputs):
    """The stages of a case as evidence about the effect."""
    data, looks = inputs["stage_data"], inputs.get("analysis_stage", 1)
    if "log_rank_z" in data:
        errors = [2 / math.sqrt(events) for events in data["events"][:looks]]
        return [
            Estimate(z * error, error, scale=Scale.LOG_HAZARD_RATIO)
            for z, error in zip(data["log_rank_z"], errors, strict=False)
        ]
    if "events1" in data:
        columns = zip(data["events1"], data["n1"], data["events2"], data["n2"], strict=True)
        return [StageTest(farrington_manning(*row), Scale.RISK_DIFFERENCE) for row in list(columns)[:looks]]
    stages = []
    for look in range(looks):
        n1, n2 = data["n1"][look], data["n2"][look]
        squares = (n1 - 1) * data["sd1"][look] ** 2 + (n2 - 1) * data["sd2"][look] ** 2
        freedom = n1 + n2 - 2
        error = math.sqrt(squares / freedom * (1 / n1 + 1 / n2))
        stages.append(
            Estimate(
                data["mean1"][look] - data["mean2"][look],
                error,
                math.inf if inputs.get("normal_approximation") else freedom,
            )
        )
    return stages


def _pooled_deviation(data, looks):
    """Standard deviation within arms, of all stages up to `looks` together."""
    squares = freedom = 0.0
    for arm in "12":
        n, mean, sd = (np.array(data[name + arm][:looks], dtype=float) for name in ("n", "mean", "sd"))
        whole = (n * mean).sum() / n.sum()
        squares += ((n - 1) * sd**2 + n * (mean - whole) ** 2).sum()
        freedom += n.sum() - 1
    return math.sqrt(squares / freedom)


def rpact_final_stages(test, inputs, looks):
    """Stages whose z are those of the data and whose standard errors are those that rpact's final estimates suppose."""
    stages, data = stages_of(inputs)[:looks], inputs["stage_data"]
    if inputs["endpoint"] == "hazard_ratio":
        return stages
    n1, n2 = np.array(data["n1"][:looks], dtype=float), np.array(data["n2"][:looks], dtype=float)
    if inputs["endpoint"] == "mean_difference":
        deviation = _pooled_deviation(data, looks)
    else:
        rate = (sum(data["events1"][:looks]) + sum(data["events2"][:looks])) / (n1.sum() + n2.sum())
        deviation = math.sqrt(rate * (1 - rate))
    errors = deviation * np.sqrt(1 / n1 + 1 / n2)
    return [Estimate(float(z * error), float(error)) for z, error in zip(test.scores(stages), errors, strict=True)]


def rpact_conditional_means(test, inputs, stages):
    """Means of z of the stages to come under the assumed effect.

    For rates rpact adds a drift of q (1 - s0 / s1) over what is left, q the normal quantile of the conditional error,
    s0 and s1 the standard deviations of the difference under no effect and under the assumed rates.
    """
    if inputs["endpoint"] == "hazard_ratio":
        return math.log(inputs["assumed_effect"]) * np.sqrt(inputs["planned_events_remaining_stages"]) / 2
    n = np.array(inputs["planned_n_remaining_stages"], dtype=float)
    if inputs["endpoint"] == "mean_difference":
        return inputs["assumed_effect"] / inputs["assumed_sd"] * np.sqrt(n) / 2
    rate1, rate2 = inputs["assumed_p1"], inputs["assumed_p2"]
    common = (rate1 + rate2) / 2
    assumed = math.sqrt(rate1 * (1 - rate1) + rate2 * (1 - rate2))
    none = math.sqrt(2 * common * (1 - common))
    shares = np.diff(test.information, prepend=0.0)[len(stages) :]
    quantile = -float(ndtri(test.conditional_rejection_probability(stages)))
    return (rate1 - rate2) / assumed * np.sqrt(n / 2) + quantile * (1 - none / assumed) * np.sqrt(shares / shares.sum())
