"""Kernels that draw the items of a rating scale given its total."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

__all__ = ["fill_item_sums", "fill_items", "persistent_uniform"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

_ROOT_HALF = math.sqrt(0.5)
_UNIT = 2.0**-53


@_compiled
def persistent_uniform(normal, profile, persistence):
    """Turn normal numbers (trials, patients, visits, items) into uniform ones that are correlated between visits, in
    place, through the patient's own of shape (trials, patients, items).
    """
    own, other = math.sqrt(persistence), math.sqrt(1.0 - persistence)
    trials, patients, visits, items = normal.shape
    for trial in range(trials):
        for patient in range(patients):
            for visit in range(visits):
                for item in range(items):
                    latent = own * profile[trial, patient, item] + other * normal[trial, patient, visit, item]
                    uniform = 0.5 * math.erfc(-latent * _ROOT_HALF)
                    normal[trial, patient, visit, item] = min(max(uniform, _UNIT), 1.0 - _UNIT)


@_compiled
def _fill_one(total, at_trait, uniform, trait_below, categories, sums, found):
    """Items of one patient at one visit: a trait given the total, then item by item given the trait and what is left.

    Parameters
    ----------
    trait_below
        (most + 1, traits).
    categories
        (traits, items, points + 1).
    sums
        (traits, items + 1, most + 1).
    """
    low, high = 0, trait_below.shape[1] - 1
    while low < high:
        middle = (low + high) >> 1
        if trait_below[total, middle] <= at_trait:
            low = middle + 1
        else:
            high = middle
    items, points, left = categories.shape[1], categories.shape[2] - 1, total
    for item in range(items - 1):
        target = uniform[item] * sums[low, item, left]
        score, most = 0, min(points, left)
        below = categories[low, item, 0] * sums[low, item + 1, left]
        while below <= target and score < most:
            score += 1
            below += categories[low, item, score] * sums[low, item + 1, left - score]
        found[item] = score
        left -= score
    found[items - 1] = left


@_compiled
def fill_items(scores, minimum, lowest, which, arm, at_trait, uniform, trait_below, categories, sums, out):
    """Fill items that add up to the totals, shape (trials, patients, visits, items); NaN where the total is.

    Parameters
    ----------
    scores, at_trait
        (trials, patients, visits).
    minimum, lowest
        Of the scale and of an item.
    which
        Law by arm and visit, (arms, visits).
    uniform
        (trials, patients, visits, items - 1).
    trait_below, categories, sums
        As `_fill_one` takes them, by law.
    """
    trials, patients, visits, items = out.shape
    found = np.zeros(items, dtype=np.int64)
    for trial in range(trials):
        for patient in range(patients):
            for visit in range(visits):
                total = scores[trial, patient, visit]
                if np.isnan(total):
                    out[trial, patient, visit] = np.nan
                    continue
                law = which[arm[trial, patient], visit]
                _fill_one(
                    int(total - minimum + 0.5),
                    at_trait[trial, patient, visit],
                    uniform[trial, patient, visit],
                    trait_below[law],
                    categories[law],
                    sums[law],
                    found,
                )
                for item in range(items):
                    out[trial, patient, visit, item] = lowest + found[item]


@_compiled
def fill_item_sums(scores, minimum, lowest, which, arm, at_trait, uniform, trait_below, categories, sums, cluster, out):
    """Fill sums of the items that `fill_items` draws, by cluster, shape (clusters, trials, patients, visits)."""
    trials, patients, visits = scores.shape
    items = cluster.size
    found = np.zeros(items, dtype=np.int64)
    for trial in range(trials):
        for patient in range(patients):
            for visit in range(visits):
                total = scores[trial, patient, visit]
                if np.isnan(total):
                    out[:, trial, patient, visit] = np.nan
                    continue
                law = which[arm[trial, patient], visit]
                _fill_one(
                    int(total - minimum + 0.5),
                    at_trait[trial, patient, visit],
                    uniform[trial, patient, visit],
                    trait_below[law],
                    categories[law],
                    sums[law],
                    found,
                )
                out[:, trial, patient, visit] = 0.0
                for item in range(items):
                    out[cluster[item], trial, patient, visit] += lowest + found[item]
