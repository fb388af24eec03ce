"""What a hierarchical composite promises under laws of its components: pairs won and lost, and their variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .win_components import WinComponent
from .win_laws import Normal, Points, against

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PatientClass", "WinPromise", "promised_wins"]


@dataclass(frozen=True, slots=True)
class PatientClass:
    """Patients within whom the components are independent: those of an arm who leave at the same time.

    Attributes
    ----------
    arm
        1 for experimental, 0 for control.
    probability
        Share of the arm's patients.
    laws
        Of each component; None for one that is not recorded of them.
    """

    arm: int
    probability: float
    laws: tuple[Points | Normal | None, ...]


@dataclass(frozen=True, slots=True)
class WinPromise:
    """Large-sample values of win statistics.

    Attributes
    ----------
    won, lost
        Probabilities that a patient of the experimental arm wins and loses against one of control.
    variance
        v: won - lost, by permutation, has variance v / n_control + v / n_experimental.
    recorded
        Share of control's and of the experimental arm's patients of whom a component is recorded.
    """

    won: float
    lost: float
    variance: float
    recorded: tuple[float, float]


def promised_wins(
    components: Sequence[WinComponent], classes: Sequence[PatientClass], experimental_share: float
) -> WinPromise:
    """Expectations over all pairs of classes, without drawing patients.

    A patient's score against all others is h(x) = sum over components of the probabilities that all before are tied
    times that she wins less that she loses by this one; v is the expectation of h^2 over both arms mixed as they are
    allocated, the limit of Finkelstein & Schoenfeld's permutation variance. Both factorise over components that are
    independent within classes.

    Parameters
    ----------
    experimental_share
        Of the patients of whom a component is recorded.
    """
    known = [item for item in classes if item.probability > 0 and any(law is not None for law in item.laws)]
    arm = np.array([item.arm for item in known])
    chance = np.array([item.probability for item in known])
    recorded = (float(chance[arm == 0].sum()), float(chance[arm == 1].sum()))
    if min(recorded) == 0:
        return WinPromise(0.0, 0.0, 0.0, recorded)
    within = chance / np.where(arm == 1, recorded[1], recorded[0])
    mixed = within * np.where(arm == 1, experimental_share, 1 - experimental_share)

    won = lost = variance = 0.0
    for one, item in enumerate(known):
        ties, scores, products = _expectations(components, item, known)
        if item.arm == 1:
            tied, net = _chain(ties, scores)
            rivals = np.where(arm == 0, within, 0.0)
            decided, difference = float((1 - tied) @ rivals), float(net @ rivals)
            won += within[one] * (decided + difference) / 2
            lost += within[one] * (decided - difference) / 2
        variance += mixed[one] * float(mixed @ _squares(ties, scores, products) @ mixed)
    return WinPromise(won, lost, variance, recorded)


def _expectations(
    components: Sequence[WinComponent], item: PatientClass, others: Sequence[PatientClass]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Over patients of a class, against each other class and by each component.

    Returns
    -------
    ties, scores
        Expectations of the probability T of a tie and of the score S, shape (components, classes).
    products
        Expectations of T T', S S' and S T' against two other classes, shape (3, components, classes, classes).
    """
    count = len(others)
    ties, scores = np.ones((len(components), count)), np.zeros((len(components), count))
    products = np.zeros((3, len(components), count, count))
    products[0] = 1.0
    for level, component in enumerate(components):
        law = item.laws[level]
        if law is None:
            continue
        nodes = law.nodes
        tie, score = np.ones((count, len(nodes.values))), np.zeros((count, len(nodes.values)))
        for at, other in enumerate(others):
            rival = other.laws[level]
            if rival is not None:
                won, lost = against(component, nodes, rival)
                tie[at], score[at] = np.maximum(1 - won - lost, 0.0), won - lost
        weighted = nodes.weights * tie, nodes.weights * score
        ties[level], scores[level] = weighted[0].sum(axis=1), weighted[1].sum(axis=1)
        products[:, level] = weighted[0] @ tie.T, weighted[1] @ score.T, weighted[1] @ tie.T
    return ties, scores, products


def _chain(ties: NDArray[np.float64], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probability of a tie at all levels, and expected score, against each class."""
    before = np.concatenate([np.ones((1, ties.shape[1])), np.cumprod(ties, axis=0)])
    return before[-1], np.sum(before[:-1] * scores, axis=0)


def _squares(
    ties: NDArray[np.float64], scores: NDArray[np.float64], products: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Expectation of the product of the scores against two classes, shape (classes, classes)."""
    both_tied, both_scored, scored_tied = products
    total = np.zeros(both_tied.shape[1:])
    before = np.ones(total.shape)
    for level in range(len(ties)):
        # the first class decides here, the second later: what follows for the second is independent of the first
        later = _chain(ties[level + 1 :], scores[level + 1 :])[1]
        mixed = scored_tied[level] * later[None, :]
        total += before * (both_scored[level] + mixed + mixed.T)
        before = before * both_tied[level]
    return total
