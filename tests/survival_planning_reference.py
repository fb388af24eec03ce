"""Survival cases of tests/reference/sample_size.json: assumptions, and our numbers by their names."""

from __future__ import annotations

import math

import numpy as np

from equipoise.endpoints.planning.accrual import Accrual
from equipoise.endpoints.planning.event_times import PiecewiseExponential, Weibull, constant_hazard
from equipoise.endpoints.planning.plan_survival import Survival
from equipoise.sequential import (
    FixedBounds,
    GroupSequential,
    HwangShihDeCaniSpending,
    OBrienFlemingSpending,
    Pocock,
)
from reference_values import reference_cases

CASES = {
    case["id"]: case for case in reference_cases("sample_size") if case["inputs"].get("endpoint", "") == "survival"
}
RPACT = [name for name, case in CASES.items() if case["source"].startswith("rpact")]
NSURV = [name for name, case in CASES.items() if case["source"].endswith("nSurv")]
GSSURV = [name for name, case in CASES.items() if case["source"].endswith("gsSurv")]
FORMULA = {"hsiehfreedman": "hsieh-freedman"}


def design_of(given):
    families = {
        "fixed": lambda rule: OBrienFlemingSpending(),
        "pocock": lambda rule: Pocock(),
        "spending_lan_demets_obrien_fleming": lambda rule: OBrienFlemingSpending(),
        "spending_hwang_shih_decani": lambda rule: HwangShihDeCaniSpending(rule["gamma"]),
        "fixed_z_bounds": lambda rule: FixedBounds(tuple(rule["z_bounds"])),
        "none": lambda rule: None,
    }
    efficacy, futility = given["efficacy"], given["futility"]
    return GroupSequential(
        tuple(given.get("information_rates", (1.0,))),
        given["alpha"],
        given["sided"],
        families[efficacy["type"]](efficacy),
        families[futility["type"]](futility),
        given["beta"],
        futility.get("binding", False),
    )


def rpact_assumptions(given):
    shape, breaks, intensities = given["weibull_shape"], given["accrual_time_breaks"], given.get("accrual_intensity")
    if "control_piecewise_hazard" in given:
        pieces = given["control_piecewise_hazard"]
        control = PiecewiseExponential(tuple(pieces["hazards"]), tuple(pieces["start_times"][1:]))
    elif shape != 1:
        control = Weibull(given["control_hazard"], shape)
    else:
        control = (
            given["control_hazard"] if "control_hazard" in given else constant_hazard(0.5, given["control_median"])
        )
    open_end = intensities is not None and len(intensities) == len(breaks)
    dropout = [constant_hazard(given[f"dropout_rate_group{arm}"], given["dropout_time"]) for arm in (1, 2)]
    return Survival(
        control,
        Accrual((*breaks, math.inf) if open_end else tuple(breaks), intensities and tuple(intensities)),
        given["hazard_ratio"],
        # rpact's Weibull case: see test_weibull_hazard_ratio_is_not_the_ratio_of_the_rates in test_plan_survival.py
        experimental=None if shape == 1 else Weibull(given["hazard_ratio"] * control.rate, shape),
        follow_up=None if intensities else given.get("follow_up_time"),
        dropout=tuple(dropout),
        margin=given["null_hazard_ratio"],
        allocation=given["allocation_ratio_group1_to_group2"],
        formula=FORMULA.get(given["event_formula"], given["event_formula"]),
    )


def gsdesign_assumptions(given):
    hazards = given.get("control_hazard_per_period", [given.get("control_hazard")])
    durations = given.get("accrual_durations", [given.get("accrual_duration")])
    methods = {"LachinFoulkes": "lachin-foulkes", "BernsteinLagakos": "bernstein-lagakos"}
    return Survival(
        PiecewiseExponential(tuple(hazards), tuple(np.cumsum(given.get("control_hazard_period_durations", [])))),
        Accrual((0.0, *np.cumsum(durations)), tuple(given.get("accrual_relative_rates", [1.0])), relative=True),
        given["hazard_ratio"],
        follow_up=given["min_follow_up"],
        dropout=given["dropout_hazard"],
        margin=given.get("null_hazard_ratio", 1.0),
        allocation=given["ratio_experimental_to_control"],
        formula=methods.get(given["method"], given["method"].lower()),
    )


def rpact_numbers(name):
    """Our numbers for a case of rpact, by its names."""
    given = CASES[name]["inputs"]
    design, assumed = design_of(given["design"]), rpact_assumptions(given)
    if given["problem"] == "sample_size":
        found = assumed.sample_size(design, patients=given.get("max_n"))
    else:
        found = assumed.power(design, patients=given["max_n"], events=given["max_events"])
    arms, ending, futility = found.patients_per_arm[-1], found.full_effect.stopping, found.futility_probabilities
    duration, expected_patients = found.full_effect.duration, found.full_effect.patients
    if design.sided == 2 and given["problem"] == "sample_size":
        # rpact leaves stops for harm out of these three (not of the events, nor in its power functions)
        ending = np.append(found.efficacy_probabilities[:-1], 1 - found.efficacy_probabilities[:-1].sum())
        theirs = ending @ found.analysis_times, ending @ found.cumulative_patients
        assert 0 <= theirs[0] - duration < 1e-5 * duration
        assert 0 <= theirs[1] - expected_patients < 1e-5 * expected_patients
        duration, expected_patients = theirs
    ours = {
        "events_fixed": found.fixed_events,
        "cumulative_events_per_look": found.events,
        "expected_events": found.full_effect.events,
        "expected_events_h0": found.no_effect.events,
        "expected_events_h01": found.half_effect.events,
        "expected_events_h1": found.full_effect.events,
        "analysis_times": found.analysis_times,
        "study_duration_h1": duration,
        "max_study_duration": found.duration,
        "follow_up_time": found.follow_up,
        "total_accrual_time": found.accrual.end,
        "accrual_intensity": found.accrual.rates,
        "n_fixed": found.fixed_patients,
        "max_n": found.patients,
        "max_n_group1": arms[0],
        "max_n_group2": arms[1],
        "cumulative_n_per_look": found.cumulative_patients,
        "expected_n_h1": expected_patients,
        "power": found.power_either_direction,
        "early_stop_probability": ending[:-1].sum(),
        "critical_values_effect_scale": found.efficacy_hazard_ratios,
        "critical_values_effect_scale_lower": found.efficacy_hazard_ratios,
        "critical_values_effect_scale_upper": found.harm_hazard_ratios,
        "rejection_probability_per_look": found.efficacy_probabilities
        + (found.harm_probabilities if given["problem"] == "power" and design.sided == 2 else 0),
        "lambda1": getattr(assumed.laws[0], "hazards", None) or assumed.laws[0].rate,
        "lambda2": getattr(assumed.laws[1], "hazards", None) or assumed.laws[1].rate,
        "median1": assumed.laws[0].median,
        "median2": assumed.laws[1].median,
    }
    if found.fixed_patients is not None:
        share = given["allocation_ratio_group1_to_group2"] / (1 + given["allocation_ratio_group1_to_group2"])
        ours |= {"n_fixed_group1": share * found.fixed_patients, "n_fixed_group2": (1 - share) * found.fixed_patients}
    looks = len(given["design"].get("information_rates", (1.0,)))
    ours["futility_probability_per_look"] = np.zeros(looks - 1) if futility is None else futility[:-1]
    if found.futility_hazard_ratios is not None:
        ours["futility_bounds_effect_scale"] = found.futility_hazard_ratios[:-1]
    return ours


def nsurv_numbers(name):
    """Our numbers for a case of nSurv, by its names."""
    given = CASES[name]["inputs"]
    assumed = gsdesign_assumptions(given)
    found = assumed.sample_size(GroupSequential((1.0,), given["alpha"], given["sided"], beta=given["beta"]))
    null = assumed.expected_events(found.duration, found.accrual, assumed.null_laws)
    return {
        "n": found.patients,
        "events": found.maximum_events,
        "accrual_rates": found.accrual.rates,
        "events_experimental_h1": found.events_per_arm[-1, 0],
        "events_control_h1": found.events_per_arm[-1, 1],
        "events_experimental_h0": null[0],
        "events_control_h0": null[1],
        "study_duration": found.duration,
        "accrual_total": found.accrual.end,
    }


def gssurv_numbers(name):
    """Our numbers for a case of gsSurv, by its names."""
    given = CASES[name]["inputs"]
    design = design_of(given["design"])
    found = gsdesign_assumptions(given).sample_size(design)
    return {
        "critical_values": found.efficacy_bounds,
        "futility_bounds": found.futility_bounds,
        "events_per_look": found.events,
        "n_per_look": found.cumulative_patients,
        "analysis_times": found.analysis_times,
        "hazard_ratio_at_efficacy_bound": found.efficacy_hazard_ratios,
        "expected_events_h0": found.no_effect.events,
        "expected_events_h1": found.full_effect.events,
    }
