"""The mixed model against R's mmrm 0.3.18 and emmeans 1.8.4.1.

117 fits of the project's own synthetic trial, and 127 of fev_data (mmrm) and Orthodont (nlme) where the folder with
them is there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrm_reference import CASES, PUBLISHED, case, fitted, structure_of

# Rounding; and what the reference's optimiser had still to go, as far as its largest gradient tells.
ROUNDING, PER_GRADIENT = 1e-9, 0.1


def tolerance_of(identity: str) -> float:
    return ROUNDING + PER_GRADIENT * case(identity)["expected"]["verification"]["max_abs_gradient"]


def close(ours: object, theirs: object, tolerance: float) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=tolerance, atol=0)


def test_published_data() -> None:
    if not PUBLISHED:
        pytest.skip("EQUIPOISE_SHARED does not name a folder with the data of mmrm.json")
    assert len(PUBLISHED) == 127


def test_how_well_the_references_converged() -> None:
    """All but a few of the tolerances below are 1e-7 or tighter; none is wider than 7e-6."""
    tolerances = np.array([tolerance_of(identity) for identity in [*CASES, *PUBLISHED]])
    assert tolerances.max() < 7e-6
    assert np.median(tolerances) < 1e-8


@pytest.mark.parametrize("identity", [*CASES, *PUBLISHED])
class TestAgainstMmrm:
    def test_coefficients(self, identity: str) -> None:
        fit, expected, tolerance = fitted(identity), case(identity)["expected"], tolerance_of(identity)
        errors = np.array(expected["standard_errors"])
        assert fit.names == tuple(expected["coefficient_names"])
        assert fit.structure == structure_of(case(identity)["inputs"])
        assert np.abs((fit.coefficients - expected["estimates"]) / errors).max() < tolerance
        close(fit.standard_errors, errors, tolerance)
        close(fit.degrees_of_freedom, expected["degrees_of_freedom"], tolerance)
        assert np.abs(fit.t_values - expected["t_values"]).max() < 10 * tolerance
        assert np.abs(np.log(fit.p_values / expected["p_values"])).max() < 1e3 * tolerance
        difference = fit.covariance_of_coefficients - expected["beta_covariance"]
        assert np.abs(difference / np.outer(errors, errors)).max() < tolerance

    def test_likelihood_and_covariance(self, identity: str) -> None:
        fit, expected, tolerance = fitted(identity), case(identity)["expected"], tolerance_of(identity)
        for name in ("log_likelihood", "aic", "aicc", "bic"):
            close(getattr(fit, name), expected[name], 1e-12)
        close(-2 * fit.log_likelihood, expected["deviance"], 1e-12)
        assert fit.n_observations == expected["n_observations"]
        assert fit.n_patients == expected["n_subjects"]
        assert fit.n_covariance_parameters == expected["n_covariance_parameters"]
        spatial = "spatial" in fit.structure
        ours = np.atleast_3d(fit.covariance_at([0.0, 1.0]) if spatial else fit.covariance)
        ours = ours if fit.groups else np.moveaxis(ours, 2, 0)
        for matrix, name in zip(ours, fit.groups or ("all",), strict=True):
            theirs = np.array(expected["covariance_estimate"][name])
            spread = np.sqrt(np.diagonal(theirs))
            assert np.abs((matrix - theirs) / np.outer(spread, spread)).max() < tolerance
        assert fit.gradient_norm < 1e-8
        assert np.abs(fit.gradient).max() < 1e-6

    def test_least_squares_means(self, identity: str) -> None:
        fit, inputs, expected = fitted(identity), case(identity)["inputs"], case(identity)["expected"]
        if "ls_means" not in expected:
            pytest.skip("no LS means in this case")
        means = fit.ls_means(inputs["arm"], by=inputs["visit"])
        assert len(means) == len(expected["ls_means"])
        for row in expected["ls_means"]:
            self.compare(means[row["arm"], row["visit"]], row, tolerance_of(identity))

    def test_contrasts(self, identity: str) -> None:
        fit, inputs, expected = fitted(identity), case(identity)["inputs"], case(identity)["expected"]
        if "contrasts_by_visit" not in expected:
            pytest.skip("no contrasts in this case")
        for row in expected["contrasts_by_visit"]:
            first, second = row["contrast"].split(" - ")
            estimate = fit.contrast({inputs["arm"]: (first, second)}, at={inputs["visit"]: row["visit"]})
            self.compare(estimate, row, tolerance_of(identity))

    def test_interaction(self, identity: str) -> None:
        fit, expected, tolerance = fitted(identity), case(identity)["expected"], tolerance_of(identity)
        expected = expected["interaction_f_test"]
        matrix = np.zeros((len(expected["coefficients_tested"]), len(fit.names)))
        for row, name in enumerate(expected["coefficients_tested"]):
            matrix[row, fit.names.index(name)] = 1
        test = fit.f_test(matrix)
        assert test.numerator_degrees_of_freedom == expected["num_df"]
        close(test.denominator_degrees_of_freedom, expected["denom_df"], tolerance)
        close(test.statistic, expected["f"], 10 * tolerance)
        assert abs(np.log(test.p_value / expected["p"])) < 1e3 * tolerance

    @staticmethod
    def compare(estimate: Any, row: dict[str, Any], tolerance: float) -> None:
        interval = estimate.interval()
        assert abs(estimate.effect - row["estimate"]) < tolerance * row["se"]
        close(estimate.standard_error, row["se"], tolerance)
        close(estimate.degrees_of_freedom, row["df"], tolerance)
        for bound, name in ((interval.lower, "ci_lower"), (interval.upper, "ci_upper")):
            assert abs(bound - row[name]) < 10 * tolerance * row["se"]
        if "t" in row:
            assert abs(estimate.statistic - row["t"]) < 10 * tolerance
            assert abs(np.log(estimate.p_value / row["p"])) < 1e3 * tolerance
