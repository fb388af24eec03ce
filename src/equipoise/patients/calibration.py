"""Logistic laws whose average over the scores is a given probability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .scores import ScoreDistribution

__all__ = ["expit", "joint_probabilities", "logistic_intercept"]

# Standard normal mass beyond this is below 2e-17.
_FAR = 8.5
_STEPS = 100
_PANEL, _NODES, _MOST_PANELS = 0.5, 16, 2_000


def expit(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of log odds, any size of them."""
    return 0.5 + 0.5 * np.tanh(0.5 * log_odds)


def joint_probabilities(first: ScoreDistribution, second: ScoreDistribution, correlation: float) -> NDArray[np.float64]:
    """Probability of each pair of scores whose latent normal values are correlated, shape (scores, scores).

    Rectangles of the bivariate normal distribution: Gauss-Legendre quadrature along the first, in panels that end where
    the first score changes, in closed form along the second.
    """
    from scipy.special import ndtr

    spread = math.sqrt(1 - correlation**2)
    edges = np.clip(first.thresholds, -_FAR, _FAR)
    panels = max(math.ceil(2 * _FAR / _PANEL), min(math.ceil(2 * _FAR / spread), _MOST_PANELS))
    breaks = np.sort(np.concatenate([np.linspace(-_FAR, _FAR, panels + 1), edges]))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(breaks)[:, None] / 2
    latent = (breaks[:-1, None] + breaks[1:, None]) / 2 + half * nodes
    weights = half * weights * np.exp(-0.5 * latent**2) / math.sqrt(2 * math.pi)
    below = ndtr((second.thresholds - correlation * latent[:, :, None]) / spread)
    cumulative = np.concatenate([(weights[:, None] @ below)[:, 0], weights.sum(axis=1)[:, None]], axis=1)
    score = np.searchsorted(edges, (breaks[:-1] + breaks[1:]) / 2)
    summed = np.zeros((len(first.probabilities), cumulative.shape[1]))
    np.add.at(summed, score, cumulative)
    return np.diff(summed, prepend=0.0, axis=1)


def logistic_intercept(slopes: NDArray[np.float64], weights: NDArray[np.float64], probability: float) -> float:
    """The intercept a with sum of weights x expit(a + slopes) = probability, by Newton's method inside a bracket.

    Parameters
    ----------
    slopes
        What the log odds have besides the intercept, any shape.
    weights
        Probabilities of it, of the same shape; sum to 1.
    probability
        Minus infinity is the answer for 0.
    """
    if probability == 0:
        return -math.inf
    target = math.log(probability / (1 - probability))
    low, high = target - float(slopes.max()), target - float(slopes.min())
    at = (low + high) / 2
    for _ in range(_STEPS):
        chance = expit(at + slopes)
        excess = float((weights * chance).sum()) - probability
        low, high = (low, at) if excess > 0 else (at, high)
        gradient = float((weights * chance * (1 - chance)).sum())
        step = at - excess / gradient if gradient > 0 else math.nan
        following = step if low < step < high else (low + high) / 2
        if abs(following - at) <= 1e-14 * max(1.0, abs(at)):
            return following
        at = following
    return at
