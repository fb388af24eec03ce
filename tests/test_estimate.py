import math

import pytest
from scipy import stats

from equipoise import Estimate, GroupSequential, InputError, Interval, Scale


def test_published_ketamine_result_as_z_and_interval():
    estimate = Estimate(-11.88, 3.96, better="lower")
    assert estimate.z == pytest.approx(-3.0, abs=1e-12)
    assert estimate.favourable_z == pytest.approx(3.0, abs=1e-12)
    assert estimate.information == pytest.approx(3.96**-2, rel=1e-15)
    interval = estimate.interval()
    assert interval.lower == pytest.approx(-11.88 - stats.norm.ppf(0.975) * 3.96, rel=1e-14)
    assert interval.upper == pytest.approx(-11.88 + stats.norm.ppf(0.975) * 3.96, rel=1e-14)


@pytest.mark.parametrize("degrees_of_freedom", [1.5, 4, 28, 400, math.inf])
@pytest.mark.parametrize("statistic", [-6.5, -2.1, 0.0, 0.3, 4.0])
def test_t_statistic_enters_by_its_tail_probability(degrees_of_freedom, statistic):
    estimate = Estimate(2 * statistic, 2.0, degrees_of_freedom)
    law = stats.norm if math.isinf(degrees_of_freedom) else stats.t(degrees_of_freedom)
    assert stats.norm.sf(abs(estimate.z)) == pytest.approx(law.sf(abs(statistic)), rel=1e-12)
    assert math.copysign(1, estimate.z) == math.copysign(1, statistic)
    assert estimate.p_value == pytest.approx(2 * law.sf(abs(statistic)), rel=1e-12)
    assert estimate.quantile(estimate.z) == pytest.approx(statistic, rel=1e-10)


def test_interval_and_test_agree():
    estimate = Estimate(3.0, 1.2, 17)
    for level in (0.5, 0.9, 0.95, 0.999):
        interval = estimate.interval(level)
        for limit in (interval.lower, interval.upper):
            assert 2 * stats.norm.sf(abs(estimate.z_against(limit))) == pytest.approx(1 - level, rel=1e-10)


def test_null_value_shifts_the_test_and_not_the_effect():
    margin = Estimate(1.0, 0.5, null_value=-1.0)
    assert margin.z == pytest.approx(4.0)
    assert margin.z_against(0.0) == pytest.approx(2.0)
    assert margin.interval().lower == Estimate(1.0, 0.5).interval().lower


def test_ratios_are_logarithms():
    assert Scale.LOG_ODDS_RATIO.natural(math.log(8)) == pytest.approx(8)
    assert Scale.LOG_ODDS_RATIO.natural_name == "odds ratio"
    assert Scale.MEAN_DIFFERENCE.natural(-11.88) == -11.88


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("effect", {"effect": math.nan}),
        ("standard_error", {"standard_error": 0.0}),
        ("standard_error", {"standard_error": math.inf}),
        ("degrees_of_freedom", {"degrees_of_freedom": 0}),
        ("degrees_of_freedom", {"degrees_of_freedom": math.nan}),
        ("better", {"better": "bigger"}),
        ("null_value", {"null_value": math.nan}),
    ],
)
def test_bad_input_names_the_field(field, arguments):
    with pytest.raises(InputError, match=field):
        Estimate(**{"effect": 1.0, "standard_error": 1.0} | arguments)


def test_interval_refuses_crossed_limits():
    with pytest.raises(InputError, match="interval"):
        Interval(1.0, 0.0)
    assert 0.5 in Interval(0.0, math.inf)


def test_limits_of_a_risk_difference_end_where_risks_do():
    estimate = Estimate(0.667, 0.213, scale=Scale.RISK_DIFFERENCE)
    assert estimate.interval().upper == 1.0
    assert estimate.interval().lower == pytest.approx(0.667 - 1.959964 * 0.213, abs=1e-6)
    rule = GroupSequential(information=(0.5, 1.0), alpha=0.05, sided=2)
    conclusion = rule.conclude(estimate, look=1)
    assert conclusion.repeated_interval.upper == 1.0
    assert conclusion.interval.upper == 1.0
