"""The graded response model of the items of a rating scale, and the law of their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TRAITS", "WEIGHTS", "category_probabilities", "cluster_means", "sums_from", "trait_weights"]

# The trait is standard normal on an even grid, whose sums stand for integrals: with discriminations up to 3 they agree
# to more than ten digits, beyond that the grid is what the trait can be.
TRAITS = np.linspace(-8.0, 8.0, 97)
WEIGHTS = np.exp(-0.5 * TRAITS**2) / np.exp(-0.5 * TRAITS**2).sum()


def category_probabilities(
    traits: NDArray[np.float64], discrimination: NDArray[np.float64], difficulties: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability of each score of each item given the trait, shape (traits, items, points + 1).

    Source: Samejima 1969, Psychometrika Monograph 17.

    Parameters
    ----------
    traits
        Of each item, shape (traits, items), or (traits, 1) where it is the same.
    discrimination
        Logistic, shape (items,).
    difficulties
        Rising along the points, shape (items, points).
    """
    from scipy.special import expit

    # sigma(x) - sigma(y) = sigma(x) sigma(-y) (1 - exp(y - x)), without cancellation
    logits = discrimination[:, None] * (traits[:, :, None] - difficulties)
    found = np.empty((*logits.shape[:2], logits.shape[2] + 1))
    found[:, :, 0] = expit(-logits[:, :, 0])
    found[:, :, -1] = expit(logits[:, :, -1])
    gaps = -np.expm1(-discrimination[:, None] * np.diff(difficulties, axis=1))
    found[:, :, 1:-1] = expit(logits[:, :, :-1]) * expit(-logits[:, :, 1:]) * gaps
    return found


def sums_from(categories: NDArray[np.float64]) -> NDArray[np.float64]:
    """Law of the sum of an item and those after it given the trait, shape (traits, items + 1, most + 1).

    Source: Lord & Wingersky 1984, Applied Psychological Measurement 8:453.
    """
    traits, items, scores = categories.shape
    most = items * (scores - 1)
    sums = np.zeros((traits, items + 1, most + 1))
    sums[:, items, 0] = 1.0
    for item in range(items - 1, -1, -1):
        for score in range(scores):
            sums[:, item, score:] += categories[:, item, score, None] * sums[:, item + 1, : most + 1 - score]
    return sums


def trait_weights(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each trait given the total, shape (most + 1, traits)."""
    joint = (WEIGHTS[:, None] * sums[:, 0]).T
    return joint / joint.sum(axis=1, keepdims=True)


def cluster_means(categories: NDArray[np.float64], cluster: NDArray[np.intp]) -> NDArray[np.float64]:
    """Mean of each cluster's sum given the total, shape (most + 1, clusters).

    Parameters
    ----------
    cluster
        Of each item, shape (items,).
    """
    traits, items, scores = categories.shape
    most, clusters = items * (scores - 1), int(cluster.max()) + 1
    law = np.zeros((traits, most + 1))
    law[:, 0] = 1.0
    # E[sum of the cluster; total], beside the law of the total
    partial = np.zeros((clusters, traits, most + 1))
    for item in range(items):
        next_law, next_partial = np.zeros_like(law), np.zeros_like(partial)
        for score in range(scores):
            chance, kept = categories[:, item, score, None], most + 1 - score
            moved = chance * law[:, :kept]
            next_law[:, score:] += moved
            next_partial[:, :, score:] += chance * partial[:, :, :kept]
            next_partial[cluster[item], :, score:] += score * moved
        law, partial = next_law, next_partial
    return (WEIGHTS @ partial / (WEIGHTS @ law)).T
