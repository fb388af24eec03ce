"""Graphs of weighted Bonferroni tests: the share of alpha of each hypothesis, and where it goes once one is rejected.

Bretz, Maurer, Brannath & Posch 2009, Stat Med 28:586. What is left after some hypotheses are rejected does not depend
on their order (their lemma), so that the shares are a function of the set still to be tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import any_shape
from ..errors import InputError
from ..plain import plain
from ..text_table import text_table
from ..wording import capital
from .adjust import checked_p_values
from .procedure import Procedure, at_most

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from .decisions import FamilyDecisions
    from .looks import Crossing

    Array = NDArray[np.float64]

__all__ = ["Graph", "GraphStep", "without"]

_SLACK = 1e-9  # by which rounded shares may exceed 1
_NO_LOOP = 1e-12  # what leaves two hypotheses that give each other everything: nothing


@dataclass(frozen=True, repr=False)
class Graph(Procedure):
    """A sequentially rejective procedure of weighted Bonferroni tests.

    A hypothesis is rejected when its p-value is at most its share of alpha; its share then goes along its edges to the
    others. It is the closed test of weighted Bonferroni tests (Bretz et al. 2009, theorem 1), so that it holds the
    familywise error rate under any dependence.

    Parameters
    ----------
    weights
        Share of alpha that each hypothesis begins with: from 0, in sum at most 1, shape (hypotheses,).
    transitions
        Share of its own that a rejected hypothesis (row) gives to each other (column): from 0, 0 on the diagonal, no
        row's sum above 1, shape (hypotheses, hypotheses). A very small edge makes a hypothesis wait until all others
        on the row are rejected.
    names
        Of the hypotheses; H1, H2, ... by default.
    label
        Name of the procedure, for people.

    Raises
    ------
    InputError
        When weights, transitions or names are not as said.
    """

    weights: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
    names: tuple[str, ...] = ()
    label: str = "graphical procedure"

    def __post_init__(self) -> None:
        right = "shares of alpha from 0, in sum at most 1"
        weights = any_shape("weights", self.weights, right)
        if weights.ndim != 1 or not weights.size or np.any(weights < 0) or weights.sum() > 1 + _SLACK:
            raise InputError("weights", self.weights, right)
        size = weights.size
        right = f"{size} rows of {size} shares from 0, 0 on the diagonal, no row's sum above 1"
        edges = any_shape("transitions", self.transitions, right)
        if edges.shape != (size, size) or np.any(edges < 0) or np.any(edges.sum(axis=1) > 1 + _SLACK):
            raise InputError("transitions", self.transitions, right)
        if np.any(np.diag(edges) != 0):
            raise InputError("transitions", self.transitions, right)
        object.__setattr__(self, "weights", tuple(weights.tolist()))
        object.__setattr__(self, "transitions", tuple(map(tuple, edges.tolist())))
        object.__setattr__(self, "names", self.named(self.names, size))

    @property
    def name(self) -> str:
        """The procedure."""
        return self.label

    @property
    def hypotheses(self) -> int:
        """How many there are."""
        return len(self.weights)

    def check_size(self, hypotheses: int) -> None:
        """Whether the graph has so many hypotheses.

        Raises
        ------
        InputError
            When it has another number.
        """
        if hypotheses != self.hypotheses:
            raise InputError("hypotheses", hypotheses, f"{self.hypotheses}, as many as the graph has")

    def left(self, rejected: Sequence[int] | NDArray[np.bool_]) -> tuple[Array, Array]:
        """Weights and transitions once some hypotheses are rejected, in whatever order; theirs are 0.

        Parameters
        ----------
        rejected
            Their numbers, from 0; or True for each of them, shape (hypotheses,).
        """
        given = np.asarray(rejected)
        numbers = np.flatnonzero(given) if given.dtype == bool else given.astype(np.intp)
        return _left(self, frozenset(numbers.tolist()))

    def adjusted(self, p_values: ArrayLike) -> Array:
        """Adjusted p-values (Bretz et al. 2009, algorithm 2), shape (..., hypotheses) as the p-values.

        The hypothesis with the smallest ratio of p-value to share comes next; what it needs is never less than what
        the one before it needed.
        """
        given = checked_p_values(p_values, self.hypotheses)
        flat = given.reshape(-1, self.hypotheses)
        trials = np.arange(len(flat))
        weights = np.tile(np.array(self.weights), (len(flat), 1))
        edges = np.tile(np.array(self.transitions), (len(flat), 1, 1))
        open_ = np.ones(flat.shape, dtype=bool)
        adjusted, needed = np.ones(flat.shape), np.zeros(len(flat))
        for _ in range(self.hypotheses):
            ratio = np.full(flat.shape, np.inf)
            np.divide(flat, weights, out=ratio, where=open_ & (weights > 0))
            chosen = np.where(np.isinf(ratio) & open_, 1e300, ratio).argmin(axis=1)
            needed = np.maximum(needed, ratio[trials, chosen])
            adjusted[trials, chosen] = np.minimum(1.0, needed)
            open_[trials, chosen] = False
            weights, edges = without(weights, edges, chosen)
        return adjusted.reshape(given.shape)

    def steps(self, p_values: ArrayLike, alpha: float) -> tuple[GraphStep, ...]:
        """The rejections one by one, the hypothesis with the smallest ratio of p-value to share first."""
        given = checked_p_values(p_values, self.hypotheses)
        rejected: list[int] = []
        found: list[GraphStep] = []
        while len(rejected) < self.hypotheses:
            weights, _ = self.left(rejected)
            ratio = np.full(self.hypotheses, np.inf)
            np.divide(given, weights, out=ratio, where=weights > 0)
            ratio[rejected] = np.inf
            chosen = int(ratio.argmin())
            if not at_most(ratio[chosen], alpha):
                break
            found.append(self.step(rejected, chosen))
            rejected.append(chosen)
        return tuple(found)

    def step(self, rejected: Sequence[int], chosen: int, look: int | None = None) -> GraphStep:
        """The rejection of one hypothesis after others, all by number from 0."""
        weights, _ = self.left(rejected)
        after = [*rejected, chosen]
        left, edges = self.left(after)
        kept = [number for number in range(self.hypotheses) if number not in after]
        return GraphStep(
            self.names[chosen],
            float(weights[chosen]),
            tuple(self.names[number] for number in kept),
            tuple(left[kept].tolist()),
            tuple(map(tuple, edges[np.ix_(kept, kept)].tolist())),
            look,
        )

    def decide(self, p_values: ArrayLike, alpha: float, names: Sequence[str] = ()) -> FamilyDecisions:
        """Decisions on every hypothesis, with the graph after each rejection; see `Procedure.decide`."""
        from dataclasses import replace

        decisions = super().decide(p_values, alpha, names or self.names)
        named = self if decisions.names == self.names else replace(self, names=decisions.names)
        return replace(decisions, steps=named.steps(p_values, decisions.alpha))

    def further(self, rejected: NDArray[np.bool_], crossing: Crossing) -> NDArray[np.bool_]:
        """Rejections at a look added to those before, (trials, hypotheses); all that cross at once, until none does."""
        found = rejected.copy()
        active = np.flatnonzero(~found.all(axis=1))
        while active.size:
            before = found[active]
            states, which = _states(before)
            for number, state in enumerate(states):
                rows = active[which == number]
                weights, _ = self.left(state)
                found[rows] |= crossing(weights, rows) & ~state
            after = found[active]
            active = active[(after != before).any(axis=1) & ~after.all(axis=1)]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "procedure": self.name,
            "hypotheses": list(self.names),
            "weights": plain(self.weights),
            "transitions": plain(self.transitions),
        }

    def __str__(self) -> str:
        return f"{capital(self.name)}\n{_graph_table(self.names, self.weights, self.transitions)}"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class GraphStep:
    """One rejection, and the graph that is left.

    Attributes
    ----------
    hypothesis
        The one rejected.
    weight
        Its share of alpha when it was.
    names, weights, transitions
        Of the hypotheses left.
    look
        At which it was rejected, from 1; None where there are no looks.
    """

    hypothesis: str
    weight: float
    names: tuple[str, ...]
    weights: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
    look: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        entry: dict[str, Any] = {
            "rejected": self.hypothesis,
            "weight": self.weight,
            "left": {
                "hypotheses": list(self.names),
                "weights": list(self.weights),
                "transitions": plain(self.transitions),
            },
        }
        return entry if self.look is None else {"look": self.look, **entry}

    def __str__(self) -> str:
        when = "" if self.look is None else f" at look {self.look}"
        head = f"{self.hypothesis} rejected{when} with {self.weight:.4g} of alpha; left:"
        table = _graph_table(self.names, self.weights, self.transitions) if self.names else "nothing"
        return f"{head}\n{table}"

    __repr__ = __str__


def _graph_table(names: Sequence[str], weights: Sequence[float], edges: Sequence[Sequence[float]]) -> str:
    rows = [
        [name, f"{weight:.4g}", *(f"{edge:.4g}" if edge else "-" for edge in row)]
        for name, weight, row in zip(names, weights, edges, strict=True)
    ]
    return text_table(["hypothesis", "weight", *(f"to {name}" for name in names)], rows)


def without(weights: Array, edges: Array, chosen: NDArray[np.intp]) -> tuple[Array, Array]:
    """Graphs (trials, ...) without one hypothesis each (Bretz et al. 2009, algorithm 1)."""
    trials = np.arange(len(weights))
    out, into = edges[trials, chosen], edges[trials, :, chosen]
    weights = weights + weights[trials, chosen, None] * out
    back = out * into  # there and back
    passed = edges + into[:, :, None] * out[:, None, :]
    scale = 1 - back
    edges = np.zeros_like(edges)
    np.divide(passed, scale[:, :, None], out=edges, where=(scale > _NO_LOOP)[:, :, None])
    size = weights.shape[1]
    edges[:, range(size), range(size)] = 0.0
    edges[trials, chosen], edges[trials, :, chosen], weights[trials, chosen] = 0.0, 0.0, 0.0
    return np.minimum(weights, 1.0), edges


def _states(rejected: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The different rows of (trials, hypotheses), and which of them each trial is."""
    if rejected.shape[1] > 62:
        states, which = np.unique(rejected, axis=0, return_inverse=True)
        return states, which.ravel()
    codes = rejected @ (1 << np.arange(rejected.shape[1]))
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    return rejected[first], which.ravel()


@lru_cache(maxsize=1 << 14)
def _left(graph: Graph, rejected: frozenset[int]) -> tuple[Array, Array]:
    if not rejected:
        weights, edges = np.array(graph.weights), np.array(graph.transitions)
    else:
        last = max(rejected)
        before, between = _left(graph, rejected - {last})
        found = without(before[None], between[None], np.array([last]))
        weights, edges = found[0][0], found[1][0]
    weights.flags.writeable = edges.flags.writeable = False
    return weights, edges
