"""The mixed model against R's mmrm 0.3.18 and emmeans 1.8.4.1 on the project's own synthetic trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrm_reference import CASES, fitted

# The references were maximised to a gradient of at most 2e-6, so estimates may differ by 1e-7 standard errors.
TOLERANCE = 1e-7


def close(ours: object, theirs: object, tolerance: float = TOLERANCE) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=0)


@pytest.mark.parametrize("identity", CASES)
class TestAgainstMmrm:
    def test_coefficients(self, identity: str) -> None:
        fit, expected = fitted(identity), CASES[identity]["expected"]
        errors = np.array(expected["standard_errors"])
        assert fit.names == tuple(expected["coefficient_names"])
        assert np.abs((fit.coefficients - expected["estimates"]) / errors).max() < TOLERANCE
        close(fit.standard_errors, errors)
        close(fit.degrees_of_freedom, expected["degrees_of_freedom"])
        assert np.abs(fit.t_values - expected["t_values"]).max() < 2 * TOLERANCE
        close(fit.p_values, expected["p_values"], 1e-6)
        difference = fit.covariance_of_coefficients - expected["beta_covariance"]
        assert np.abs(difference / np.outer(errors, errors)).max() < TOLERANCE

    def test_likelihood_and_covariance(self, identity: str) -> None:
        fit, expected = fitted(identity), CASES[identity]["expected"]
        close(fit.log_likelihood, expected["log_likelihood"], 1e-12)
        close(fit.aic, expected["aic"], 1e-12)
        close(fit.bic, expected["bic"], 1e-12)
        assert fit.n_observations == expected["n_observations"]
        assert fit.n_patients == expected["n_subjects"]
        assert fit.n_covariance_parameters == expected["n_covariance_parameters"]
        matrices = expected["covariance_estimate"]
        if fit.groups:
            close(fit.covariance, [matrices[name] for name in fit.groups])
        else:
            close(fit.covariance, matrices["all"])
        assert fit.gradient_norm < 1e-8

    def test_least_squares_means(self, identity: str) -> None:
        fit, expected = fitted(identity), CASES[identity]["expected"]
        means = fit.ls_means("arm", by="visit")
        assert len(means) == len(expected["ls_means"])
        for row in expected["ls_means"]:
            estimate = means[row["arm"], row["visit"]]
            self.compare(estimate, row)

    def test_contrasts(self, identity: str) -> None:
        fit, expected = fitted(identity), CASES[identity]["expected"]
        for row in expected["contrasts_by_visit"]:
            first, second = row["contrast"].split(" - ")
            estimate = fit.contrast({"arm": (first, second)}, at={"visit": row["visit"]})
            self.compare(estimate, row)
            assert abs(estimate.statistic - row["t"]) < 2 * TOLERANCE
            close(estimate.p_value, row["p"], 1e-6)

    def test_interaction(self, identity: str) -> None:
        fit, expected = fitted(identity), CASES[identity]["expected"]["interaction_f_test"]
        matrix = np.zeros((len(expected["coefficients_tested"]), len(fit.names)))
        for row, name in enumerate(expected["coefficients_tested"]):
            matrix[row, fit.names.index(name)] = 1
        test = fit.f_test(matrix)
        assert test.numerator_degrees_of_freedom == expected["num_df"]
        close(test.denominator_degrees_of_freedom, expected["denom_df"])
        close(test.statistic, expected["f"])
        close(test.p_value, expected["p"], 1e-6)

    @staticmethod
    def compare(estimate: Any, row: dict[str, Any]) -> None:
        interval = estimate.interval()
        assert abs(estimate.effect - row["estimate"]) < TOLERANCE * row["se"]
        close(estimate.standard_error, row["se"])
        close(estimate.degrees_of_freedom, row["df"])
        assert abs(interval.lower - row["ci_lower"]) < 3 * TOLERANCE * row["se"]
        assert abs(interval.upper - row["ci_upper"]) < 3 * TOLERANCE * row["se"]
