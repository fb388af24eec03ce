"""The closed test behind a graph, and what Simes' test gains over Bonferroni's in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..checks import instance
from ..errors import InputError
from .adjust import checked_p_values
from .graph import Graph, without
from .procedure import Procedure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from .decisions import FamilyDecisions

    Array = NDArray[np.float64]

__all__ = ["SimesGraph", "closure_weights", "weighted_bonferroni_p_values", "weighted_simes_p_values"]

_MOST = 12
_VALUES = 1 << 22  # p-values held at once, families x intersections x hypotheses


def closure_weights(graph: Graph) -> tuple[NDArray[np.bool_], Array]:
    """Weights of a graph for every intersection of its hypotheses (Bretz et al. 2011, Biom J 53:894, section 2).

    Returns
    -------
    members
        Which hypotheses each intersection is of, shape (2^hypotheses - 1, hypotheses).
    weights
        What the graph gives them once all others are rejected; 0 elsewhere; same shape.

    Raises
    ------
    InputError
        When there are more than 12 hypotheses.
    """
    instance("graph", graph, Graph, "a Graph")
    if graph.hypotheses > _MOST:
        raise InputError(
            "graph", f"{graph.hypotheses} hypotheses", f"at most {_MOST}, for all intersections are tested"
        )
    return _closure(graph)


@lru_cache(maxsize=64)
def _closure(graph: Graph) -> tuple[NDArray[np.bool_], Array]:
    """By doubling: every graph so far with a hypothesis, and without it."""
    members = np.ones((1, graph.hypotheses), dtype=bool)
    weights, edges = np.array([graph.weights]), np.array([graph.transitions])
    for number in range(graph.hypotheses):
        fewer, left = without(weights, edges, np.full(len(weights), number))
        rest = members.copy()
        rest[:, number] = False
        members, weights = np.concatenate([members, rest]), np.concatenate([weights, fewer])
        edges = np.concatenate([edges, left])
    members, weights = members[:-1], weights[:-1]
    members.flags.writeable = weights.flags.writeable = False
    return members, weights


def weighted_bonferroni_p_values(p_values: Array, weights: Array) -> Array:
    """min p_i / w_i for each of several weightings (tests, hypotheses), p-values (..., hypotheses): (..., tests)."""
    ratio = np.full(np.broadcast_shapes(p_values[..., None, :].shape, weights.shape), np.inf)
    np.divide(p_values[..., None, :], weights, out=ratio, where=weights > 0)
    return np.minimum(1.0, ratio.min(axis=-1))


def weighted_simes_p_values(p_values: Array, weights: Array) -> Array:
    """min over i of p_i over the sum of the weights of all p-values up to p_i, shapes as for Bonferroni.

    Benjamini & Hochberg 1997, Scand J Statist 24:407; with equal weights Simes 1986, Biometrika 73:751.
    """
    order = np.argsort(p_values, axis=-1, kind="stable")
    rising = np.take_along_axis(p_values, order, axis=-1)[..., None, :]
    sums = np.cumsum(np.moveaxis(weights[:, order], 0, -2), axis=-1)
    ratio = np.full(sums.shape, np.inf)
    np.divide(rising, sums, out=ratio, where=sums > 0)
    return np.minimum(1.0, ratio.min(axis=-1))


@dataclass(frozen=True, repr=False)
class SimesGraph(Procedure):
    """The closed test of weighted Simes tests with a graph's weights (Bretz et al. 2011, Biom J 53:894).

    It rejects what the graph rejects, and more; it holds the familywise error rate under Simes' inequality, that is for
    independent or positively dependent tests. Equal weights with edges to all give Hommel's procedure.

    Parameters
    ----------
    graph
        Of at most 12 hypotheses.
    """

    graph: Graph

    def __post_init__(self) -> None:
        # seen to be possible before it is asked for
        closure_weights(self.graph)

    @property
    def name(self) -> str:
        """The procedure."""
        return f"{self.graph.name} with Simes tests"

    def check_size(self, hypotheses: int) -> None:
        """Whether the graph has so many hypotheses; `InputError` when it has not."""
        self.graph.check_size(hypotheses)

    def adjusted(self, p_values: ArrayLike) -> Array:
        """Largest p-value of the intersections with each hypothesis, shape (..., hypotheses) as the p-values."""
        given = checked_p_values(p_values, self.graph.hypotheses)
        flat = given.reshape(-1, self.graph.hypotheses)
        members, weights = closure_weights(self.graph)
        adjusted = np.empty(flat.shape)
        chunk = max(1, _VALUES // weights.size)
        for first in range(0, len(flat), chunk):
            part = slice(first, first + chunk)
            tests = weighted_simes_p_values(flat[part], weights)
            for number in range(self.graph.hypotheses):
                adjusted[part, number] = tests[:, members[:, number]].max(axis=1)
        return adjusted.reshape(given.shape)

    def decide(self, p_values: ArrayLike, alpha: float, names: Sequence[str] = ()) -> FamilyDecisions:
        """Decisions on every hypothesis; see `Procedure.decide`."""
        return super().decide(p_values, alpha, names or self.graph.names)

    def __str__(self) -> str:
        return f"{self.graph}\nwith Simes tests of the intersections"

    __repr__ = __str__
