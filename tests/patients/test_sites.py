import numpy as np
import pytest
from lifelike_trials import alternating, lifelike_with, protocol_with

from equipoise.patients import Truth
from equipoise.patients.draws import Draws
from equipoise.patients.lifelike import Lifelike

DAYS = np.zeros((1, 1, 4))


def drawn(told, trials, patients, seed=1):
    lifelike = lifelike_with(sites=told)
    draws = Draws.of(seed, "sites", range(trials))
    arm = alternating(trials, patients)
    site = lifelike.site(draws, patients)
    assert site is not None
    return arm, site, lifelike.shifts(draws, arm, site, None, DAYS)


def test_patients_fall_on_sites_by_their_shares():
    for told, shares in (
        ({"number": 4}, [0.25] * 4),
        ({"number": 4, "shares": [0.6, 0.2, 0.15, 0.05]}, [0.6, 0.2, 0.15, 0.05]),
    ):
        _, site, shifts = drawn(told, 2, 100_000)
        assert shifts is None
        found = np.bincount(site.ravel(), minlength=4) / site.size
        np.testing.assert_array_less(np.abs(found - shares), 4 * np.sqrt(0.25 / site.size))


def test_variance_components_are_recovered_by_analysis_of_variance():
    trials, sites, patients, residual = 400, 10, 400, 8.0
    arm, site, shifts = drawn({"number": sites, "mean_sd": 3.0, "effect_sd": 5.0}, trials, patients)
    assert shifts is not None
    noise = residual * Draws.of(1, "noise", range(trials)).normal("noise", patients)
    scores = shifts[:, :, 3] + noise
    cell = (np.arange(trials)[:, None] * sites + site) * 2 + arm
    size = np.bincount(cell.ravel(), minlength=2 * trials * sites).reshape(-1, 2)
    total = np.bincount(cell.ravel(), scores.ravel(), minlength=2 * trials * sites).reshape(-1, 2)
    means = total / size
    sampling = residual**2 / size
    difference = (means[:, 1] - means[:, 0]) ** 2 - sampling.sum(axis=1)
    middle = means.mean(axis=1) ** 2 - sampling.sum(axis=1) / 4
    for found, expected in ((difference, 5.0**2), (middle, 3.0**2 + 5.0**2 / 4)):
        assert abs(found.mean() - expected) < 4 * found.std() / np.sqrt(len(found))
    within = ((scores.ravel() - means.ravel()[cell.ravel()]) ** 2).sum() / (scores.size - 2 * trials * sites)
    assert within == pytest.approx(residual**2, rel=0.02)


def test_means_stay_and_effects_grow_from_nothing_at_baseline():
    arm, _, shifts = drawn({"number": 5, "effect_sd": 4.0}, 4000, 10)
    assert shifts is not None
    assert (shifts[:, :, 0] == 0).all()
    np.testing.assert_allclose(shifts[:, :, 1] * 14, shifts[:, :, 3], atol=1e-12)
    np.testing.assert_allclose(shifts[:, :, 2] * 2, shifts[:, :, 3], atol=1e-12)
    for at in range(2):
        of_trial = np.where(arm == at, shifts[:, :, 3], 0).sum(axis=1) / (arm == at).sum(axis=1)
        assert abs(of_trial.mean()) < 4 * of_trial.std() / np.sqrt(4000)
    _, _, level = drawn({"number": 5, "mean_sd": 4.0}, 2, 10)
    assert level is not None
    assert (level == level[:, :, :1]).all()


def test_one_site_and_arm_one_shift():
    arm, site, shifts = drawn({"number": 3, "mean_sd": 2.0, "effect_sd": 1.0}, 3, 60)
    assert shifts is not None
    for trial in range(3):
        for place in range(3):
            for at in range(2):
                assert len(np.unique(shifts[trial, (site[trial] == place) & (arm[trial] == at), 3])) == 1


def test_the_covariate_gives_the_shares_where_the_scenario_does_not():
    covariate = {"name": "site", "kind": "categorical", "levels": ["a", "b"], "shares": [0.9, 0.1]}
    protocol = protocol_with(covariates=[covariate], sites={"number": 2})
    lifelike = Lifelike.of(protocol, protocol.scenario("as-published"), Truth.of(protocol, "as-published").arms)
    site = lifelike.site(Draws.of(1, "covariate", [0]), 20_000)
    assert site is not None
    assert site.mean() == pytest.approx(0.1, abs=0.01)
