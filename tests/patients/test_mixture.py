import numpy as np
import pytest
from lifelike_trials import alternating, lifelike_with, protocol_with, scores_of

from equipoise import InputError
from equipoise.patients import ScoreDistribution, Truth
from equipoise.patients.draws import Draws
from equipoise.patients.mixture import ResponderMixture


@pytest.mark.parametrize("fraction", [0.4, 0.6, 0.8, 0.95])
def test_the_arm_keeps_its_mean_and_where_it_can_its_sd(fraction):
    lifelike = lifelike_with(responders={"fraction": fraction})
    mixture, (control, arm) = lifelike.mixture, lifelike.arms
    assert mixture is not None
    own = np.array([law.sd for law in arm.scores])
    other = np.array([law.sd for law in control.scores])
    gap = arm.means - control.means
    np.testing.assert_allclose(mixture.mean(1), arm.means, atol=1e-9)
    np.testing.assert_allclose(mixture.mean(0), control.means)
    kept = (own**2 - (1 - fraction) * other**2 - (1 - fraction) * gap**2 / fraction) / fraction
    able = kept > other**2 / 4
    expected = np.where(
        able, own, np.sqrt((1 - fraction * 3 / 4) * other**2 + fraction * (1 - fraction) * (gap / fraction) ** 2)
    )
    assert able[0]
    np.testing.assert_allclose(mixture.sd(1), expected, rtol=0.005)


def test_drawn_patients_are_responders_or_like_control():
    lifelike = lifelike_with(responders={"fraction": 0.5})
    draws = Draws.of(3, "mixture", range(2))
    arm = alternating(2, 100_000)
    law = lifelike.law(draws, arm)
    scores = scores_of(lifelike, draws, law)
    assert set(np.unique(law[arm == 0])) == {0}
    assert set(np.unique(law[arm == 1])) == {0, 2}
    assert (law[arm == 1] == 2).mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(100_000))
    mixture = lifelike.mixture
    assert mixture is not None
    error = mixture.sd(1) / np.sqrt(100_000)
    np.testing.assert_array_less(np.abs(scores[arm == 1].mean(axis=0) - lifelike.arms[1].means), 4 * error)
    np.testing.assert_allclose(scores[arm == 1].std(axis=0), mixture.sd(1), rtol=0.01)
    rest = scores[(arm == 1) & (law == 0)]
    control = lifelike.arms[0].means
    np.testing.assert_array_less(np.abs(rest.mean(axis=0) - control), 4 * rest.std(axis=0) / np.sqrt(len(rest)))
    strong = scores[law == 2][:, 3]
    assert strong.mean() == pytest.approx(35.6 - 2 * 11.88, abs=0.15)


def test_the_latest_scores_of_a_mixed_arm_hang_together_more():
    draws, arm = Draws.of(3, "together", range(2)), np.ones((2, 50_000), dtype=np.intp)
    found = []
    for told in (None, {"fraction": 0.5}):
        lifelike = lifelike_with(responders=told)
        scores = scores_of(lifelike, draws, lifelike.law(draws, arm)).reshape(-1, 4)
        found.append(np.corrcoef(scores.T)[2, 3])
    assert found[1] > found[0] + 0.02


def test_shares_of_responders_add_up_to_the_response():
    lifelike = lifelike_with(responders={"fraction": 0.5})
    draws, arm = Draws.of(8, "response", range(2)), np.ones((2, 100_000), dtype=np.intp)
    scores = scores_of(lifelike, draws, lifelike.law(draws, arm))
    responded = (scores[..., 0] - scores[..., 3] >= 0.3 * scores[..., 0] - 1e-9).mean()
    exact = sum(share * kind.response_probability(3, 0.3, None, "lower") for share, kind in lifelike.components(1))
    assert responded == pytest.approx(exact, abs=4 * 0.5 / np.sqrt(200_000))


@pytest.mark.parametrize("told", [None, {"fraction": 1.0}, {"fraction": 1}])
def test_off_is_off(told):
    lifelike = lifelike_with(responders=told)
    arm = alternating(1, 6)
    assert lifelike.law(Draws.of(1, "off", [0]), arm) is arm
    assert lifelike.further == ()
    assert lifelike.components(1) == ((1.0, lifelike.arms[1]),)


def test_a_mean_beyond_the_scale_is_refused_with_the_least_fraction():
    arms = Truth.of(protocol_with(), "as-published").arms
    with pytest.raises(InputError, match=r"at least 0\.338: .* mean of -4 on a scale from 0 to 80") as caught:
        ResponderMixture.of(arms, 0.3, [False, True], 80.0)
    assert caught.value.field == "responders.fraction"
    assert ResponderMixture.of(arms, 0.339, [False, True], 80.0).further


@pytest.mark.parametrize("fraction", [0.339, 0.345])
def test_responders_close_to_the_end_have_one_hump_and_room(fraction):
    arms = Truth.of(protocol_with(), "as-published").arms
    mixture = ResponderMixture.of(arms, fraction, [False, True], 80.0)
    last = mixture.further[0][3]
    assert last.mean < 2
    assert last.sd < np.sqrt(last.mean * (80 - last.mean) / 3)
    np.testing.assert_allclose(mixture.mean(1), arms[1].means, atol=1e-9)
    assert isinstance(last, ScoreDistribution)
