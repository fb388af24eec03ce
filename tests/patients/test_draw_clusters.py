"""Clusters add up to their total and share it as if points fell on the items at random."""

from itertools import product

import numpy as np
import pytest

import equipoise as eq
from equipoise.patients import Draws, draw_clusters
from equipoise.protocol import RatingScale, scales
from equipoise.protocol.scales import Subscale

CAPS = scales()["CAPS-5"]
WIDTHS = {"B": 20, "C": 8, "D": 28, "E": 24}
SMALL = RatingScale(
    "SMALL",
    "Three items of 1 to 3",
    "patient",
    3,
    3.0,
    9.0,
    "lower",
    {"x": Subscale("X", (2,)), "y": Subscale("Y", (1, 3))},
    "made up",
)


def totals(shape, seed=1, missing=0.2):
    generator = np.random.default_rng(seed)
    found = generator.integers(0, 81, shape).astype(float)
    return np.where(generator.random(shape) < missing, np.nan, found)


def test_they_add_up_and_stay_in_range():
    scores = totals((200, 30, 4))
    scores[0, 0] = [0, 80, 1, 79]
    parts = draw_clusters(Draws.of(1, "x", np.arange(200)), CAPS, scores)
    assert list(parts) == list(WIDTHS)
    np.testing.assert_array_equal(sum(parts.values()), scores)
    for name, values in parts.items():
        seen = values[~np.isnan(values)]
        assert seen.min() == 0
        assert seen.max() == WIDTHS[name]
        assert (seen == np.floor(seen)).all()


def test_each_is_the_quantile_of_what_is_left():
    from scipy.stats import hypergeom

    scores = totals((4, 25, 3), missing=0.0)
    draws = Draws.of(5, "y", np.arange(4))
    uniform = draws.uniform("clusters", 25, 3, 3)
    left, room = scores.copy(), 80
    parts = draw_clusters(draws, CAPS, scores)
    for at, name in enumerate(("B", "C", "D")):
        expected = hypergeom.ppf(uniform[..., at], room, WIDTHS[name], left)
        np.testing.assert_array_equal(parts[name], expected)
        left, room = left - expected, room - WIDTHS[name]


@pytest.mark.parametrize("total", [3.0, 4.0, 6.0, 9.0])
def test_the_law_is_that_of_points_counted_out(total):
    draws = 40_000
    parts = draw_clusters(Draws.of(1, "z", [0]), SMALL, np.full((1, draws, 1), total))
    np.testing.assert_array_equal(parts["x"] + parts["y"], total)
    falls = [fall for fall in product((0, 1), repeat=6) if sum(fall) == total - 3]
    for points in range(3):
        share = np.mean([sum(fall[:2]) == points for fall in falls])
        observed = (parts["x"] == 1 + points).mean()
        assert abs(observed - share) <= 4.5 * np.sqrt(share * (1 - share) / draws)
    assert parts["y"].min() >= 2


def test_moments_are_those_of_drawing_without_replacement():
    parts = draw_clusters(Draws.of(2, "m", [0]), CAPS, np.full((1, 100_000, 1), 37.0))
    found = np.stack([values.ravel() for values in parts.values()])
    shares = np.array(list(WIDTHS.values())) / 80
    covariance = 37 * 43 / 79 * (np.diag(shares) - np.outer(shares, shares))
    errors = np.sqrt(np.diag(covariance) / 100_000)
    assert (np.abs(found.mean(axis=1) - 37 * shares) < 4 * errors).all()
    np.testing.assert_allclose(np.cov(found), covariance, atol=0.06)


def test_a_split_depends_on_trial_patient_and_visit_only():
    scores = totals((6, 20, 4))
    many = draw_clusters(Draws.of(1, "x", np.arange(6)), CAPS, scores)
    alone = draw_clusters(Draws.of(1, "x", [4]), CAPS, scores[4:5, :7])
    for name, values in alone.items():
        np.testing.assert_array_equal(values[0], many[name][4, :7])


def test_they_need_a_scale_made_of_clusters():
    with pytest.raises(eq.InputError, match="clusters hold each item once"):
        draw_clusters(Draws.of(1, "x", [0]), scales()["MADRS"], np.zeros((1, 2, 2)))
