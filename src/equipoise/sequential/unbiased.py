"""The unbiased estimate after a sequential trial: the first look's estimate, averaged over ways to the outcome.

The estimate S_1 / t_1 of the first look is unbiased. Its mean given the look T at which the trial stopped and the score
there does not depend on the drift, is unbiased too, and varies less (Rao-Blackwell; Emerson & Fleming 1990, Biometrika
77:875; Emerson & Kittelson 1997, Biometrics 53:365). Among unbiased estimates that do not depend on looks never held it
has the least variance at every drift (Liu & Hall 1999, Biometrika 86:71); for want of completeness there is none of
least variance among all.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .sample_space import Block, SampleSpace

__all__ = ["first_look_mean", "unbiased_estimate"]

Array = npt.NDArray[np.float64]


def unbiased_estimate(space: SampleSpace, look: int, z: Array) -> Array:
    """Unbiased estimate of the drift after stopping at `look` (from 1) with each of `z` (z,)."""
    scores = z * math.sqrt(space.information[look - 1])
    return first_look_mean(space, look, scores) / space.information[0]


def first_look_mean(space: SampleSpace, look: int, scores: Array) -> Array:
    """E[S_1 | T = look, S_T = score] for each of `scores` (scores,), by recursion from look to look.

    Weights of paths are kept relative to the likeliest, so that the mean is as exact for an outcome that hardly ever
    happens as for a common one.
    """
    if look == 1:
        return scores.astype(np.float64)
    means = np.empty(scores.shape)
    drifts = space.towards(look, scores / space.information[look - 1])
    for block, chosen in space.blocks(drifts, look, scores):
        exponent = space.log_kernel(look, scores[chosen], block)
        means[chosen] = _averaged(exponent, _first_look_means(space, block)[look - 1])
    return means


def _first_look_means(space: SampleSpace, block: Block) -> list[Array]:
    """E[S_1 | still running, S] at the nodes before each look but the first, kept with the sub-densities."""
    kept = space.first_look.setdefault(block, [])
    if not kept:
        states = space.states(block)
        kept.append(np.zeros(1))
        for look in range(1, space.looks):
            if look == 1:
                kept.append(states[1].score)
            else:
                kept.append(_averaged(space.log_kernel(look, states[look].score, block), kept[-1]))
    return kept


def _averaged(exponent: Array, values: Array) -> Array:
    """Means of `values` (nodes,) with weights exp(exponent), exponent (scores, nodes)."""
    exponent -= exponent.max(axis=1, keepdims=True)
    np.exp(exponent, out=exponent)
    return (exponent @ values) / exponent.sum(axis=1)
