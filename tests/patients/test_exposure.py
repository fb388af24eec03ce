"""Exposure-response: shifts of dose arms against the formulae, their means against quadrature, and no more draws than
asked for.
"""

import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad

from equipoise.errors import InputError
from equipoise.patients.draws import Draws
from equipoise.patients.drugs import drug
from equipoise.patients.exposure import draw_kinetics, exposure_onset, exposure_shift, mean_exposure_shift
from equipoise.patients.plot_concentrations import plot_concentrations
from equipoise.protocol import Protocol
from protocols import plain_table

LINK = {"drug": "s-ketamine-venous", "dose_mg_per_kg": {"low": 0.2, "high": 0.5}, "ec50": 60.0, "maximum_points": 20.0}
LINEAR = {"model": "linear", "ec50": None, "reference_dose": 0.5}


def dose_trial(**changes):
    """Two doses of ketamine against midazolam, whose means all three have but for the link."""
    table = plain_table()
    control, ketamine = table["arms"]
    table["arms"] = [control, ketamine | {"name": "high"}, ketamine | {"name": "low", "dose": "0.2 mg/kg"}]
    table["analysis"]["experimental"] = "high"
    table["allocation"] = {"ratio": {"midazolam": 1, "high": 1, "low": 1}, "block_sizes": [3]}
    truth = table["scenarios"]["no-effect"]["arms"]["midazolam"]
    link = {key: value for key, value in (LINK | changes).items() if value is not None}
    table["scenarios"] = {
        "doses": {"arms": {"midazolam": truth, "high": truth, "low": truth}, "exposure": link},
        "off": {"arms": {"midazolam": truth, "high": truth, "low": truth}},
    }
    table["sample_size"]["scenario"] = "doses"
    protocol = Protocol.model_validate(table)
    return protocol, protocol.scenario("doses")


def same_patients(protocol, scenario, trials=50, patients=60):
    """Shifts of the same patients on each arm, shape (arms, trials, patients, visits)."""
    draws = Draws.of(7, "doses", np.arange(trials))
    arms = [np.full((trials, patients), at) for at in range(3)]
    return np.array([exposure_shift(draws, protocol, scenario, arm) for arm in arms]), draws


def test_arms_are_in_the_order_of_the_protocol():
    assert dose_trial()[0].arm_names == ("midazolam", "high", "low")


def test_two_doses_of_one_patient_are_as_the_emax_formula_says():
    protocol, scenario = dose_trial()
    (none, high, low), draws = same_patients(protocol, scenario)
    chosen = drug("s-ketamine-venous")
    weight, kinetics = draw_kinetics(draws, chosen, 60, 80.0, 17.0)
    peak = kinetics.peak(chosen.given(1.0, weight), 40 / 60)  # of 1 mg/kg
    assert not none.any()
    onset = np.array([0, 1, 3, 6]) / 6
    for shift, dose in ((high, 0.5), (low, 0.2)):
        expected = -20 * dose * peak / (60 + dose * peak)
        np.testing.assert_allclose(shift, expected[..., None] * onset, rtol=1e-12)
    ratio = 0.5 / 0.2 * (60 + 0.2 * peak) / (60 + 0.5 * peak)
    np.testing.assert_allclose(high[..., 1:] / low[..., 1:], ratio[..., None] + np.zeros(3), rtol=1e-12)
    assert 1 < ratio.min() < ratio.max() < 2.5


def test_two_doses_of_one_patient_are_proportional_when_linear():
    protocol, scenario = dose_trial(**LINEAR)
    (_, high, low), _ = same_patients(protocol, scenario)
    np.testing.assert_allclose(high[..., 1:] / low[..., 1:], 2.5, rtol=1e-12)


def test_a_typical_patient_on_the_reference_dose_gains_all_points():
    narrow = {"weight_sd": 1e-6, "measure": "auc", "drug": "midazolam", "dose_mg_per_kg": {"high": 0.045}}
    protocol, scenario = dose_trial(**LINEAR | narrow | {"reference_dose": 0.045})
    # mean of a log-normal reciprocal of clearance, variance 0.0087
    assert mean_exposure_shift(protocol, scenario)[1, -1] == pytest.approx(-20 * np.exp(0.0087 / 2), rel=1e-9)


def test_area_under_the_curve_as_exposure():
    protocol, scenario = dose_trial(measure="auc", ec50=180.0)
    (_, high, _), draws = same_patients(protocol, scenario)
    weight, kinetics = draw_kinetics(draws, drug("s-ketamine-venous"), 60, 80.0, 17.0)
    area = 1000 * 0.25 * weight / kinetics.clearance
    np.testing.assert_allclose(high[..., -1], -20 * area / (180 + area), rtol=1e-12)


def test_half_of_the_points_at_the_ec50():
    chosen = drug("s-ketamine-venous")
    typical = float(chosen.typical(80.0).peak(chosen.given(0.5, 80.0), 40 / 60))
    protocol, scenario = dose_trial(ec50=typical, weight_sd=1e-9)
    (_, high, _), _ = same_patients(protocol, scenario, trials=400)
    assert np.median(high[..., -1]) == pytest.approx(
        -10, abs=4 * 1.25 * high[..., -1].std() / np.sqrt(high[..., -1].size)
    )


def test_mean_shift_of_the_area_is_a_one_dimensional_integral():
    # log area is normal: log weight has power 1 - 0.75, clearance variance 0.026
    protocol, scenario = dose_trial(measure="auc", ec50=180.0)
    variance = np.log1p((17 / 80) ** 2)
    sd = np.sqrt(0.25**2 * variance + 0.026)
    centre = np.log(1000 * 0.25 / 95.2 * 70**0.75) + 0.25 * (np.log(80) - variance / 2)
    expected = quad(
        lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * -20 / (1 + 180 * np.exp(-centre - sd * z)),
        -9,
        9,
        epsabs=1e-12,
    )[0]
    assert mean_exposure_shift(protocol, scenario)[1, -1] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"measure": "auc", "ec50": 180.0},
        LINEAR,
        {"drug": "s-ketamine-arterial"},
        {"drug": "midazolam", "dose_mg_per_kg": {"low": 0.02, "high": 0.045}},
        {"onset": [0.0, 1.0, 0.8, 0.9], "infusion_minutes": 10.0},
    ],
)
def test_mean_shift_is_the_mean_of_the_shifts(changes):
    protocol, scenario = dose_trial(**changes)
    shifts, _ = same_patients(protocol, scenario, trials=500, patients=80)
    mean, error = shifts.mean(axis=(1, 2)), shifts.std(axis=(1, 2)) / np.sqrt(500 * 80)
    assert (np.abs(mean_exposure_shift(protocol, scenario) - mean) <= 4.5 * error).all()


def test_means_that_hold_the_gain_are_kept():
    protocol, scenario = dose_trial(in_means=True)
    plain, plain_scenario = dose_trial()
    kept, _ = same_patients(protocol, scenario)
    shifted, _ = same_patients(plain, plain_scenario)
    mean = mean_exposure_shift(plain, plain_scenario)
    np.testing.assert_allclose(kept, shifted - mean[:, None, None, :], atol=1e-12)
    assert not mean_exposure_shift(protocol, scenario).any()


def test_gains_go_up_where_higher_is_better(monkeypatch):
    protocol, scenario = dose_trial()
    down, _ = same_patients(protocol, scenario, trials=2)
    upwards = dataclasses.replace(protocol.scale, better="higher")
    monkeypatch.setattr(type(protocol), "scale", property(lambda self: upwards))
    up, _ = same_patients(protocol, scenario, trials=2)
    np.testing.assert_array_equal(up, -down)
    assert (mean_exposure_shift(protocol, scenario)[1:, 1:] > 0).all()


def test_onset_counts_infusions_before_the_visit():
    protocol, scenario = dose_trial()
    np.testing.assert_allclose(
        exposure_onset(protocol, scenario.exposure), [[0, 0, 0, 0], [0, 1 / 6, 3 / 6, 1], [0, 1 / 6, 3 / 6, 1]]
    )
    said, scenario = dose_trial(onset=[0.0, 1.0, 0.5, 0.25])
    np.testing.assert_array_equal(exposure_onset(said, scenario.exposure)[1:], [[0, 1, 0.5, 0.25]] * 2)


def test_off_by_default():
    protocol, _ = dose_trial()
    scenario = protocol.scenario("off")
    assert scenario.exposure is None
    assert not mean_exposure_shift(protocol, scenario).any()
    assert not exposure_shift(Draws.of(1, "off", [0]), protocol, scenario, np.ones((1, 4), dtype=int)).any()


def test_a_patient_does_not_depend_on_the_others():
    protocol, scenario = dose_trial()
    arm = np.random.default_rng(1).integers(-1, 3, (30, 20))
    everyone = exposure_shift(Draws.of(3, "s", np.arange(30)), protocol, scenario, arm)
    assert not everyone[arm < 1].any()
    one = exposure_shift(Draws.of(3, "s", [11]), protocol, scenario, arm[11:12])
    np.testing.assert_array_equal(one[0], everyone[11])
    fewer = exposure_shift(Draws.of(3, "s", [11]), protocol, scenario, arm[11:12, :9])
    np.testing.assert_array_equal(fewer[0], everyone[11, :9])


def test_figure_shows_every_dose_with_its_percentiles():
    figure = plot_concentrations("s-ketamine-venous", {"0.5 mg/kg": 0.5, "0.2 mg/kg": 0.2}, patients=100)
    course, close = figure.axes
    chosen = drug("s-ketamine-venous")
    for axes in (course, close):
        assert axes.get_yscale() == "log"
        high, low = (np.asarray(line.get_ydata()) for line in axes.lines)
        np.testing.assert_allclose(high[high > 0], 2.5 * low[high > 0], rtol=1e-9)
        assert len(axes.collections) == 2
    weight, kinetics = draw_kinetics(Draws.of(1, "concentrations", [0]), chosen, 100, 80.0, 17.0)
    peak = np.median(kinetics.peak(chosen.given(0.5, weight), 2 / 3))
    assert np.asarray(close.lines[0].get_ydata()).max() == pytest.approx(peak, rel=1e-9)
    assert [label.get_text() for label in close.get_legend().get_texts()] == [
        "0.5 mg/kg racemate",
        "0.2 mg/kg racemate",
    ]
    assert [label.get_text() for label in course.get_xticklabels()] == ["0", "2", "4", "7", "9", "11", "13"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "ketamine"}, "drug"),
        ({"dose_mg_per_kg": 0.0}, "dose_mg_per_kg"),
        ({"dose_mg_per_kg": "much"}, "dose_mg_per_kg"),
        ({"dose_mg_per_kg": {}}, "dose_mg_per_kg"),
        ({"patients": 3}, "patients"),
        ({"schedule": ()}, "schedule"),
        ({"weight_sd": -1.0}, "weight_sd"),
    ],
)
def test_figure_refuses_what_cannot_be(changes, field):
    arguments = {"name": "midazolam", "dose_mg_per_kg": 0.045} | changes
    with pytest.raises(InputError, match=field):
        plot_concentrations(**arguments)
