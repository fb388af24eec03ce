import numpy as np
import pytest

from equipoise import InputError
from equipoise.patients import ScoreDistribution


@pytest.mark.parametrize(
    ("mean", "sd", "low", "high"),
    [
        (40, 7, 0, 80),
        (23.72, 10.2, 0, 80),
        (35.6, 10.2, 0, 80),
        (9.2, 8.0, 0, 63),
        (22.5, 11, 0, 63),
        (4.0, 3.0, 0, 60),
    ],
)
def test_mean_and_sd_are_those_asked(mean, sd, low, high):
    law = ScoreDistribution.with_moments(mean, sd, low, high)
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-12)
    assert law.mean == pytest.approx(mean, abs=0.05)
    assert law.sd == pytest.approx(sd, abs=0.05)
    if low + 3 * sd < mean < high - 3 * sd:
        assert law.mean == pytest.approx(mean, abs=1e-6)
        assert law.sd == pytest.approx(sd, abs=1e-6)


def test_scores_are_whole_points_inside_the_scale_and_rise_with_the_latent_value():
    law = ScoreDistribution.with_moments(20, 15, 0, 80)
    scores = law.at(np.linspace(-40, 40, 20001))
    assert scores.min() == 0
    assert scores.max() == 80
    assert (scores == scores.round()).all()
    assert (np.diff(scores) >= 0).all()


def test_sampled_frequencies_are_the_stated_probabilities():
    law = ScoreDistribution.with_moments(12, 9, 0, 63)
    generator = np.random.default_rng(5)
    counts = np.bincount(law.at(generator.standard_normal(200_000)).astype(int), minlength=64)
    expected = 200_000 * law.probabilities
    chosen = expected > 20
    chi_square = ((counts - expected)[chosen] ** 2 / expected[chosen]).sum()
    assert chi_square < chosen.sum() + 4 * np.sqrt(2 * chosen.sum())


def test_mirror_image_on_the_mirrored_scale():
    law = ScoreDistribution.with_moments(23.7, 10, 0, 80)
    mirror = ScoreDistribution.with_moments(80 - 23.7, 10, 0, 80)
    np.testing.assert_allclose(law.probabilities, mirror.probabilities[::-1], atol=1e-12)


@pytest.mark.parametrize(("mean", "sd"), [(0, 5), (80, 5), (40, 0.1), (40, 60), (1, 30)])
def test_impossible_moments_are_refused(mean, sd):
    with pytest.raises(InputError):
        ScoreDistribution.with_moments(mean, sd, 0, 80)
