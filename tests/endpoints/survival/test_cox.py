import numpy as np
import pytest

from equipoise.endpoints.survival.cox import cox_regression
from survival_reference import cases, columns, cox_columns

CLOSE = {"rtol": 1e-7, "atol": 1e-12}


@pytest.mark.parametrize(("inputs", "expected"), cases("cox"))
def test_agrees_with_coxph(inputs, expected):
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
    rows = [fit.compare().interval()] if not names else []
    found = {
        "coefficients": fit.coefficients,
        "standard_errors": fit.standard_errors,
        "hazard_ratios": fit.hazard_ratios,
        "covariance": fit.covariance,
        "z": fit.coefficients / fit.standard_errors,
        "log_likelihood_null": fit.null_log_likelihood,
        "log_likelihood": fit.log_likelihood,
        "likelihood_ratio_chi_square": fit.likelihood_ratio_chi_square,
        "score_chi_square": fit.score_chi_square,
        "concordance": fit.concordance,
    }
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], **CLOSE, err_msg=name)
    assert fit.wald_chi_square == pytest.approx(expected["wald_chi_square"], abs=0.0050001)
    if expected["naive_standard_errors"] is not None:
        naive = np.sqrt(np.diag(fit.naive_covariance))
        np.testing.assert_allclose(naive, expected["naive_standard_errors"], **CLOSE)
    for interval in rows:
        limits = np.exp([interval.lower, interval.upper])
        np.testing.assert_allclose(limits, [expected["ci_lower"][0], expected["ci_upper"][0]], **CLOSE)
        assert fit.compare().p_value == pytest.approx(expected["p_values"][0], rel=1e-6)

    rename = dict(zip(expected["coefficient_names"], fit.names, strict=True))
    test = fit.proportional_hazards({term: [rename[name] for name in own] for term, own in terms.items()})
    reference = expected["proportional_hazards_test"]
    assert test.terms == (*terms, "all")
    assert list(test.degrees_of_freedom) == reference["df"]
    np.testing.assert_allclose(test.chi_squares, reference["chi_square"], **CLOSE)
    np.testing.assert_allclose(test.p_values, reference["p_value"], **CLOSE)
