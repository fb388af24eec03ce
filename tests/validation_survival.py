"""Section of docs/validation.md: weighted log-rank tests, hazard ratios, ratios of restricted means."""

from __future__ import annotations

from equipoise.endpoints.survival.cox import cox_regression
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier
from equipoise.endpoints.survival.log_rank import log_rank
from equipoise.endpoints.survival.restricted_means import restricted_mean_ratio, restricted_time_lost_ratio
from survival_reference import CASES, columns, cox_columns
from validation_table import COLUMNS, Section, Table, row

RATIOS = {
    "ratio_arm1_over_arm0": ("restricted means", restricted_mean_ratio),
    "rmtl_ratio": ("mean times lost", restricted_time_lost_ratio),
}


def _name(inputs) -> str:
    return inputs["data"].removeprefix("data/").removesuffix(".csv")


def _tests():
    for case in CASES:
        inputs, expected = case["inputs"], case["expected"]
        if inputs["method"] == "fleming_harrington_g_rho":
            data = columns(inputs["data"])
            first = data[inputs["group"]] == expected["group_order"][0]
            test = log_rank(data["time"], data["event"], first, rho=inputs["rho"])
            theirs = (expected["observed"][0], expected["expected"][0], expected["z_first_group"], expected["p_value"])
            what = f"{_name(inputs)}: Fleming-Harrington test, ρ = {inputs['rho']:g}: O, E, z, p"
            yield row(what, case["source"], theirs, (test.observed, test.expected, test.z, test.p_value))


def _regressions():
    for case in CASES:
        inputs, expected = case["inputs"], case["expected"]
        if inputs["method"] != "cox":
            continue
        data = columns(inputs["data"])
        arm, covariates, names, terms = cox_columns(inputs)
        clusters = inputs.get("cluster_robust_by")
        fit = cox_regression(
            data["time"],
            data["event"],
            arm,
            covariates,
            strata=data[inputs["strata"]] if "strata" in inputs else None,
            ties=inputs["ties"],
            clusters=None if clusters is None else data[clusters],
            names=names or None,
        )
        what = f"{_name(inputs)} ~ {inputs['covariates']}, {inputs['ties']}"
        what += f", strata {inputs['strata']}" if "strata" in inputs else ""
        what += f", clusters {clusters}" if clusters else ""
        theirs = [expected["coefficients"][0], expected["standard_errors"][0]]
        ours = [fit.coefficients[0], fit.standard_errors[0]]
        for key in ("likelihood_ratio_chi_square", "score_chi_square", "concordance"):
            theirs.append(expected[key])
            ours.append(getattr(fit, key))
        yield row(f"{what}: log HR, SE, LR and score χ², concordance", case["source"], theirs, ours, floor=1e-10)
        rename = dict(zip(expected["coefficient_names"], fit.names, strict=True))
        test = fit.proportional_hazards({term: [rename[name] for name in own] for term, own in terms.items()})
        reference = expected["proportional_hazards_test"]["chi_square"]
        yield row(
            f"{what}: proportional hazards, χ²", "survival 3.5.3, cox.zph", reference, test.chi_squares, floor=1e-10
        )


def _ratios():
    for case in CASES:
        inputs, expected = case["inputs"], case["expected"]
        if inputs["method"] != "restricted_mean_survival_time":
            continue
        data = columns(inputs["data"])
        first = data[inputs["group"]] == inputs["arm1_level"]
        curves = [kaplan_meier(data["time"][arm], data["event"][arm]) for arm in (first, ~first)]
        for key, (name, ratio) in RATIOS.items():
            found = ratio(*curves, inputs["tau"])
            interval = found.interval()
            yield row(
                f"{_name(inputs)}: ratio of {name} to {inputs['tau']:g}, limits, p",
                case["source"],
                [expected[key][part] for part in ("estimate", "ci_lower", "ci_upper", "p_value")],
                (found.ratio, interval.lower, interval.upper, found.p_value),
                floor=1e-11,
            )


def hazards() -> Section:
    """Weighted tests, Cox regressions and ratios of restricted means against R."""
    text = """
The same data sets. Cox regressions with ties by Efron's and Breslow's approximations and exactly, in strata, with
covariates and with a variance by clusters; of several coefficients the first is shown, the tests compare all. Tests of
proportional hazards are on Kaplan-Meier time, term by term and together.
"""
    tables = (Table(COLUMNS, (*_tests(), *_ratios())), Table(COLUMNS, tuple(_regressions())))
    return Section("Hazard ratios, weighted tests and ratios of restricted means", text, tables)
