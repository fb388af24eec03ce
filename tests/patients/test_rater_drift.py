import numpy as np
import pytest
from lifelike_trials import alternating, lifelike_with

from equipoise.patients.draws import Draws


def shifts_of(told, day, trials, sites=None):
    lifelike = lifelike_with(rater_drift=told, sites=sites)
    draws = Draws.of(5, "raters", range(trials))
    arm = alternating(trials, day.shape[1])
    site = lifelike.site(draws, day.shape[1])
    return lifelike, draws, site, lifelike.shifts(draws, arm, site, None, day)


def test_drift_is_points_per_year_of_the_calendar_alike_in_all_arms():
    day = np.arange(80.0).reshape(1, 20, 4) * 36.525
    *_, shifts = shifts_of({"points_per_year": -2.0}, day, 1)
    np.testing.assert_allclose(shifts, -0.2 * np.arange(80.0).reshape(1, 20, 4), atol=1e-12)


def test_raters_differ_as_told_and_each_keeps_her_patients():
    day = np.zeros((4000, 30, 4))
    lifelike, draws, site, shifts = shifts_of({"raters": 3, "rater_sd": 2.5}, day, 4000)
    assert shifts is not None
    assert site is None
    assert lifelike.raters is not None
    rater = lifelike.raters.rater(draws, 30, None)
    assert (shifts == shifts[:, :, :1]).all()
    assert len(np.unique(shifts[0, :, 0])) == 3
    np.testing.assert_allclose(np.bincount(rater.ravel()) / rater.size, 1 / 3, atol=4 * 0.5 / np.sqrt(rater.size))
    offsets = np.array([[shifts[trial, rater[trial] == one, 0].mean() for one in range(3)] for trial in range(2000)])
    assert offsets.std() == pytest.approx(2.5, rel=4 / np.sqrt(2 * 6000))
    assert abs(offsets.mean()) < 4 * 2.5 / np.sqrt(6000)


def test_each_site_has_raters_of_its_own():
    told = {"raters": 2, "rater_sd": 1.0}
    lifelike, draws, site, shifts = shifts_of(told, np.zeros((2, 400, 4)), 2, {"number": 3})
    assert shifts is not None
    assert site is not None
    assert lifelike.raters is not None
    rater = lifelike.raters.rater(draws, 400, site)
    assert (rater // 2 == site).all()
    assert len(np.unique(shifts[0, :, 0])) == 6


@pytest.mark.parametrize("told", [None, {}, {"points_per_year": 0.0}])
def test_off_is_off(told):
    *_, shifts = shifts_of(told, np.ones((1, 4, 4)), 1)
    assert shifts is None
