"""Published sets against concentrations that others computed from them, and patients drawn from them."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from equipoise.errors import InputError
from equipoise.patients.draws import Draws
from equipoise.patients.drugs import drug, drugs
from equipoise.patients.exposure import draw_kinetics
from equipoise.patients.pharmacokinetics import Infusions, Kinetics

MINUTES = np.array([10, 20, 30, 40, 60, 90, 120, 240, 480])
# 40 minutes from 0 at 70 kg, computed apart from this code when the sources were read.
CONCENTRATIONS = {
    "s-ketamine-venous": (0.5, [28.0, 49.0, 65.4, 79.0, 51.9, 35.5, 27.6, 12.6, 3.9]),
    "s-ketamine-arterial": (0.5, [97.5, 117.2, 132.3, 144.4, 45.3, 27.0, 19.1, 10.0, 4.2]),
    "midazolam": (0.045, [30.1, 47.8, 60.0, 69.6, 36.8, 24.4, 18.6, 7.7, 2.6]),
}
HALF_LIVES = {
    "s-ketamine-venous": ([7.37, 1.49, 0.215], [2, 2, 3]),
    "s-ketamine-arterial": ([3.22, 0.356, 0.024], [2, 3, 3]),
    "midazolam": ([5.13, 1.07, 0.129], [2, 2, 3]),
}


@pytest.mark.parametrize("name", CONCENTRATIONS)
def test_reference_concentrations_to_all_digits(name):
    chosen = drug(name)
    dose, expected = CONCENTRATIONS[name]
    found = chosen.typical().concentration(chosen.given(dose, 70), Infusions.on_days([0], 40), MINUTES / 60)
    np.testing.assert_array_equal(np.round(found, 1), expected)


@pytest.mark.parametrize("name", HALF_LIVES)
def test_reference_half_lives_to_all_digits(name):
    expected, digits = HALF_LIVES[name]
    found = drug(name).typical().half_lives
    assert [round(float(value), place) for value, place in zip(found, digits, strict=True)] == expected


def test_every_set_has_its_reference():
    assert set(drugs()) == set(CONCENTRATIONS) == set(HALF_LIVES)


def test_half_of_the_racemate_is_s_ketamine():
    assert drug("s-ketamine-venous").given(0.5, 70) == 17.5
    assert drug("s-ketamine-arterial").given(0.5, 70) == 17.5
    assert drug("midazolam").given(0.045, 70) == pytest.approx(3.15, rel=1e-15)


# 10 mg of S-ketamine in 30 minutes at 68 kg: S-ketamine and S-norketamine in ug/L, and at 70 kg Cmax, its hour and AUC,
# as rxode2 gives them in the nlmixr2lib article on Otto et al. 2021, from the parameters in full digits.
RXODE2 = {
    0.5: (50.9, 11.8), 1: (27.3, 20.9), 2: (15.4, 20.5), 3: (10.3, 17.1), 5: (5.06, 11.7), 6: (3.72, 9.90),
    8: (2.23, 7.41), 10: (1.51, 5.79),
}  # fmt: skip


def test_norketamine_is_that_of_another_program():
    formed = Kinetics(57.72 * (68 / 70) ** 0.75, [98.638 * 68 / 70, 160.04], [42.778])
    shipped = drug("s-ketamine-venous").typical(68)
    kinetics = Kinetics(shipped.clearance, shipped.volumes, shipped.flows, formed)
    infusion, hours = Infusions.on_days([0], 30), list(RXODE2)
    found = [kinetics.concentration(10, infusion, hours), kinetics.metabolite_concentration(10, infusion, hours)]
    for column in range(2):
        printed = np.array([values[column] for values in RXODE2.values()])
        np.testing.assert_array_equal([float(f"{value:.3g}") for value in found[column]], printed)
    np.testing.assert_allclose(shipped.metabolite_concentration(10, infusion, hours), found[1], rtol=2e-3)


def test_norketamine_peak_is_that_of_another_program():
    kinetics, infusion = drug("s-ketamine-venous").typical(), Infusions.on_days([0], 30)
    assert round(float(kinetics.peak(10, 0.5)) / 1000, 5) == 0.04987
    formed = Kinetics(57.72, [98.638, 160.04], [42.778])
    chain = Kinetics(kinetics.clearance, kinetics.volumes, kinetics.flows, formed)
    highest = minimize_scalar(
        lambda hour: -chain.metabolite_concentration(10, infusion, [hour])[0], bounds=(0.5, 3), method="bounded"
    )
    assert round(-highest.fun / 1000, 5) == 0.02145
    assert highest.x == pytest.approx(1.38, abs=0.011)  # there on a grid of 0.02 hours
    assert round(float(kinetics.area(10)) / 1000, 4) == 0.1050
    # its trapezoids miss 0.0001030% of the dose, as it says
    assert round(float(formed.area(10)) / 1000 * (1 - 0.0001030 / 100), 4) == 0.1732


def test_weight_scales_what_the_source_scales():
    for name, scaled in (
        ("s-ketamine-venous", [1, 1, 0, 0, 0, 0]),
        ("s-ketamine-arterial", [1, 1, 1, 1, 1, 1]),
        ("midazolam", [0, 0, 0, 0, 0, 0]),
    ):
        light, heavy = drug(name).typical(70), drug(name).typical(140)
        ratios = [heavy.clearance / light.clearance, *(heavy.volumes / light.volumes), *(heavy.flows / light.flows)]
        powers = np.array([0.75, 1, 1, 1, 0.75, 0.75]) * scaled
        np.testing.assert_allclose(ratios, 2**powers, rtol=1e-14)
    light, heavy = (drug("s-ketamine-venous").typical(weight).metabolite for weight in (70, 140))
    ratios = [heavy.clearance / light.clearance, *(heavy.volumes / light.volumes), *(heavy.flows / light.flows)]
    np.testing.assert_allclose(ratios, [2**0.75, 2, 1, 1], rtol=1e-14)


@pytest.mark.parametrize("name", CONCENTRATIONS)
def test_people_vary_as_published(name):
    chosen, count = drug(name), 40_000
    weight, kinetics = draw_kinetics(Draws.of(1, "people", [0]), chosen, count, 80.0, 17.0)
    assert weight.shape == kinetics.clearance.shape == (1, count)
    assert weight.mean() == pytest.approx(80, abs=4 * 17 / np.sqrt(count))
    assert weight.std() == pytest.approx(17, rel=0.03)
    typical = chosen.typical(weight)
    pairs = [(chosen.compound, kinetics, typical)]
    if chosen.metabolite:
        pairs.append((chosen.metabolite, kinetics.metabolite, typical.metabolite))
    for compound, own, centre in pairs:
        logs = np.log(
            [
                np.concatenate([part.clearance[..., None], part.volumes, part.flows], axis=-1)[0].T
                for part in (own, centre)
            ]
        )
        departures = logs[0] - logs[1]
        varying = compound.varying
        covariance = compound.factor @ compound.factor.T
        still = np.setdiff1d(np.arange(len(compound.names)), varying)
        np.testing.assert_allclose(departures[still], 0, atol=1e-14)
        error = np.sqrt((covariance**2 + np.outer(np.diag(covariance), np.diag(covariance))) / count)
        assert (np.abs(np.cov(departures[varying]) - covariance) < 4.5 * error).all()
        assert (np.abs(departures[varying].mean(axis=1)) < 4.5 * np.sqrt(np.diag(covariance) / count)).all()


def test_published_covariances():
    venous = drug("s-ketamine-venous")
    assert [venous.compound.names[at] for at in venous.compound.varying] == ["V1", "CL"]
    expected = [[0.084, 0.023], [0.023, 0.026]]
    np.testing.assert_allclose(venous.compound.factor @ venous.compound.factor.T, expected, rtol=1e-12)
    expected = [[0.040, 0.045], [0.045, 0.103]]
    np.testing.assert_allclose(venous.metabolite.factor @ venous.metabolite.factor.T, expected, rtol=1e-12)
    arterial = drug("s-ketamine-arterial").compound
    assert [arterial.names[at] for at in arterial.varying] == ["V1", "CL", "Q3"]
    np.testing.assert_allclose(arterial.factor @ arterial.factor.T, np.diag([0.057, 0.029, 0.026]), rtol=1e-12)
    other = drug("midazolam").compound
    assert [other.names[at] for at in other.varying] == ["V1", "CL", "V2", "Q2"]
    np.testing.assert_allclose(other.factor @ other.factor.T, np.diag([0.143, 0.0087, 0.168, 0.252]), rtol=1e-12)


def test_every_set_says_where_it_is_from():
    for chosen in drugs().values():
        assert "doi:10." in chosen.source
        assert chosen.note
        assert chosen.effects == len(chosen.compound.varying)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: drug("ketamine"), "drug"),
        (lambda: drug("midazolam").typical(0), "weight"),
        (lambda: drug("midazolam").typical([70, np.nan]), "weight"),
        (lambda: drug("midazolam").individual(70, np.zeros(3)), "normal"),
    ],
)
def test_what_cannot_be_is_refused(make, field):
    with pytest.raises(InputError, match=field):
        make()
