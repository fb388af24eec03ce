import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.endpoints.durations.response_curve import ResponseCurve
from equipoise.endpoints.survival.kaplan_meier import kaplan_meier

CLOSE = {"rtol": 1e-12, "atol": 1e-13}


def sample(generator, size, unit=1.0, share=0.6):
    """Times with ties, losses and censorings, and times at 0 for those without response."""
    responded = generator.random(size) < share
    lost = np.where(responded, generator.random(size) < 0.6, True)
    time = np.where(responded, np.ceil(generator.exponential(10, size)) * unit, 0.0)
    return time, lost


@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0.01, 3.0))
def test_curve_area_and_variance_are_those_of_kaplan_and_meier(seed, size, reach):
    generator = np.random.default_rng(seed)
    time, lost = sample(generator, size)
    reference = kaplan_meier(time, lost)
    curve = ResponseCurve.of(np.ones(size, dtype=bool), time, lost)
    assert curve.last_time == reference.last_time
    assert np.isinf(curve.known_until) == (reference.survival[-1] == 0)
    for at in (0.0, reference.last_time / 2, reference.last_time):
        height, parts = curve.at(at)
        np.testing.assert_allclose(height, reference.survival_at([at])[0], **CLOSE)
        np.testing.assert_allclose(np.sqrt(np.sum(parts**2)), reference.standard_error_at([at])[0], **CLOSE)
    horizon = reach * (reference.last_time + 1)
    if horizon > curve.known_until:
        return
    mean = reference.restricted_mean(horizon)
    area, parts = curve.mean_time(np.array(horizon))
    np.testing.assert_allclose(area, mean.value, **CLOSE)
    np.testing.assert_allclose(np.sqrt(np.sum(parts**2)), mean.standard_error, **CLOSE)
    assert np.sum(parts) == pytest.approx(0, abs=1e-12 * max(1.0, horizon))


def test_without_censoring_the_parts_are_the_distances_from_the_mean():
    generator = np.random.default_rng(2)
    time = np.where(generator.random(50) < 0.5, generator.exponential(10, 50), 0.0)
    curve = ResponseCurve.of(np.ones(50, dtype=bool), time, np.ones(50, dtype=bool))
    inside = np.minimum(time, 12.0)
    area, parts = curve.mean_time(np.array(12.0))
    np.testing.assert_allclose(area, inside.mean(), **CLOSE)
    np.testing.assert_allclose(parts, (inside - inside.mean()) / 50, **CLOSE)
    height, parts = curve.at(5.0)
    np.testing.assert_allclose(parts, ((time > 5) - height) / 50, **CLOSE)


def test_parts_are_derivatives_by_the_weights():
    generator = np.random.default_rng(3)
    time, lost = sample(generator, 30)
    weight = generator.uniform(0.2, 3.0, 30)
    member = generator.random(30) < 0.8
    horizon = np.array(9.0)
    _, parts = ResponseCurve.of(member, time, lost, weight).mean_time(horizon)
    _, parts_at = ResponseCurve.of(member, time, lost, weight).at(4.0)
    for row in range(30):
        for found, value in (
            (parts, lambda curve: curve.mean_time(horizon)[0]),
            (parts_at, lambda curve: curve.at(4.0)[0]),
        ):
            changed = []
            for factor in (1 - 1e-5, 1 + 1e-5):
                nudged = weight.copy()
                nudged[row] *= factor
                changed.append(value(ResponseCurve.of(member, time, lost, nudged)))
            assert found[row] == pytest.approx((changed[1] - changed[0]) / 2e-5, abs=2e-8)


def test_whole_weights_are_patients_repeated():
    generator = np.random.default_rng(4)
    time, lost = sample(generator, 20)
    weight = generator.integers(1, 4, 20)
    weighted = ResponseCurve.of(np.ones(20, dtype=bool), time, lost, weight.astype(float))
    repeated = kaplan_meier(np.repeat(time, weight), np.repeat(lost, weight))
    for at in (0.0, 3.0, 8.0):
        np.testing.assert_allclose(weighted.at(at)[0], repeated.survival_at([at])[0], **CLOSE)


def test_leading_axes_are_trials_of_their_own():
    generator = np.random.default_rng(5)
    time, lost = sample(generator, (4, 3, 25))
    member = generator.random((4, 3, 25)) < 0.7
    horizon = np.full((4, 3), 6.0)
    many = ResponseCurve.of(member, time, lost)
    area, parts = many.mean_time(horizon)
    height, _ = many.at(3.0)
    for place in np.ndindex(4, 3):
        one = ResponseCurve.of(
            np.ones(member[place].sum(), dtype=bool), time[place][member[place]], lost[place][member[place]]
        )
        single, own = one.mean_time(np.array(6.0))
        np.testing.assert_allclose(area[place], single, **CLOSE)
        np.testing.assert_allclose(parts[place][member[place]], own, **CLOSE)
        assert not parts[place][~member[place]].any()
        np.testing.assert_allclose(height[place], one.at(3.0)[0], **CLOSE)
        np.testing.assert_allclose(many.known_until[place], one.known_until)


def test_nobody_at_all():
    curve = ResponseCurve.of(np.zeros(3, dtype=bool), np.zeros(3), np.ones(3, dtype=bool))
    assert curve.last_time == 0
    assert curve.at_risk[0] == 0
