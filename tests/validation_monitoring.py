"""Section of docs/validation.md: what is said while a trial runs."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from after_stopping_reference import CASES, RPACT
from equipoise import Estimate
from equipoise.sequential.conditional_power import (
    conditional_error,
    conditional_power,
    conditional_stops,
    posterior_weights,
    predictive_power,
    reverse_conditional_power,
    trend,
)
from equipoise.sequential.futility_scales import on_scale
from equipoise.sequential.region import Region
from monitoring_reference import CONDITIONAL, GSDESIGN, POWER, assumed_effect, gsdesign_design, region_of, score
from validation_table import Section, Table, largest, upper_power

__all__ = ["while_it_runs"]

INDEPENDENT, PACKAGE, GS = "independent integration", "rpact 4.5.0.9315", "gsDesign 3.11.0.9003"
CONVERSIONS = [case for case in CASES if case["inputs"]["endpoint"] == "futility_scale_conversion"]
REVERSED_SIGN = "mean2_asOF3s2_cp_stage1"  # see the last section


def independent_values():
    for case in CONDITIONAL:
        inputs, expected = case["inputs"], case["expected"]
        region, z = region_of(inputs["design"]), inputs["z"]
        most = inputs["max_information"]
        now = inputs["information"][inputs["interim_look"] - 1] / most
        drifts = np.array([*(np.array(inputs["thetas"]) * math.sqrt(most)), trend(z, now)])
        for by, name in (("any", "any_later_look"), ("last", "final_look_only")):
            theirs = [*expected[f"conditional_power_{name}"], expected[f"conditional_power_at_estimate_{name}"]]
            yield "conditional power", conditional_power(region, z, now, drifts, by), theirs
            flat = [expected[f"predictive_power_flat_prior_{name}"]]
            yield "predictive power, flat prior", [predictive_power(region, z, now, by=by)], flat
        error = [expected["conditional_rejection_probability"]]
        yield "conditional error", [conditional_error(region, z, now)], error


def gsdesign_values():
    for case in GSDESIGN:
        inputs, expected = case["inputs"], case["expected"]
        times, upper = np.array(inputs["information"]), np.array(expected["critical_values"])
        futility = expected["futility_bounds"]
        lower = np.full(upper.shape, -np.inf) if futility is None else np.array(futility)
        region, z, now = Region(times, lower, upper), inputs["z"], times[inputs["interim_look"] - 1]
        stops = conditional_stops(region, z, now, np.array(expected["thetas_observed_null_design"]))
        theirs = np.array(expected["conditional_power_by_later_look"])
        yield "conditional power by later look, at gsDesign's bounds", stops.upper.T.ravel(), theirs.ravel()
        prior = np.array(inputs["prior_thetas"])
        weights = posterior_weights(prior, np.array(inputs["prior_weights"]), z, now)
        averaged = weights @ conditional_power(region, z, now, prior)
        predicted = [expected["predictive_power_discrete_prior"]]
        yield "predictive power, discrete prior, at gsDesign's bounds", [averaged], predicted
        design = gsdesign_design(inputs["design"])
        repeated = [
            design.conclude(Estimate(z, 1.0), look=look).repeated_p_value for look, z in enumerate(inputs["z_path"], 1)
        ]
        sequential = [min(expected["sequential_p_value"], 0.5)]
        yield "sequential p-value (smallest repeated p)", [min(repeated)], sequential


def rpact_values():
    for case in RPACT:
        inputs, expected = case["inputs"], case["expected"]
        region, sided = region_of(inputs["design"]), inputs["design"]["sided"]
        for look in range(min(inputs["analysis_stage"], region.looks - 1)):
            theirs = expected["conditional_rejection_probabilities"][look]
            if theirs is not None:
                ours = conditional_error(region, score(expected, look), region.information[look], sided)
                yield "conditional error", [ours], [theirs]
    for case in POWER:
        if case["id"] == REVERSED_SIGN:
            continue
        inputs, expected, look = case["inputs"], case["expected"], case["inputs"]["analysis_stage"]
        powers = rpact_conditional_power(case)
        yield "conditional power under an assumed effect", powers, expected["conditional_power"][look:]
    for case in CONVERSIONS:
        design, expected, z = case["inputs"]["design"], case["expected"], case["inputs"]["z_bounds"][0]
        times, upper = design["information_rates"], design["critical_values"]
        names = ("p_value", "predictive_power", "conditional_power_at_observed", "reverse_conditional_power")
        scales = ("p-value", "predictive power", "conditional power at trend")
        ours = [on_scale(z, scale, 1, times, upper, None) for scale in scales]
        ours.append(reverse_conditional_power(z, times[0], upper[-1]))
        yield "futility bound on other scales", ours, [expected[name][0] for name in names]


def rpact_conditional_power(case, sign: int = 1):
    """Ours, cumulative over the looks ahead, under the effect a case of rpact assumes, or its opposite."""
    inputs, expected, look = case["inputs"], case["expected"], case["inputs"]["analysis_stage"]
    region = region_of(inputs["design"], respect_futility=True)
    ahead = inputs.get("planned_n_remaining_stages") or inputs["planned_events_remaining_stages"]
    drift = assumed_effect(case) * math.sqrt(ahead[0] / np.diff(region.information)[look - 1])
    at = np.array([sign * drift])
    return np.cumsum(conditional_stops(region, score(expected, look - 1), region.information[look - 1], at).upper[0])


PROMISED = {
    (INDEPENDENT, None): "1e−14",
    (GS, None): "1e−9",
    (GS, "sequential p-value (smallest repeated p)"): "1e−5",
    (PACKAGE, None): "1e−8",
    (PACKAGE, "futility bound on other scales"): "1e−12",
}


def while_it_runs() -> Section:
    text = """
At an interim look: the probability of rejecting later given the data so far, under no effect, the observed trend or an
assumed effect, or averaged over what is known of the effect; of rejecting at any look ahead or at the last alone. Of
gsDesign's designs the bounds are taken as it found them, for they are its own to 1e−7 only; its sequential p-value is
from its own root search, accurate to 1e−5. rpact's conditional power is compared for means (one and two groups), rates
(one and two), and hazard ratios, but for one case that the last section tells of. Futility bounds are converted to a
p-value, predictive power, conditional power at the observed trend, and reverse conditional power. Differences are
absolute.
"""
    gaps, counts = defaultdict(float), defaultdict(int)
    for source, values in ((INDEPENDENT, independent_values), (GS, gsdesign_values), (PACKAGE, rpact_values)):
        for what, ours, theirs in values():
            key = what, source
            gaps[key] = max(gaps[key], largest(ours, theirs))
            counts[key] += len(theirs)
    rows = []
    for (what, source), gap in gaps.items():
        promised = PROMISED.get((source, what), PROMISED[source, None])
        rows.append((what, source, str(counts[what, source]), upper_power(gap, 1e-12), promised))
    columns = ("Quantity", "Source", "Values", "Largest difference", "Promised")
    return Section("While a trial runs", text, (Table(columns, tuple(rows)),))


if __name__ == "__main__":
    print(while_it_runs())
