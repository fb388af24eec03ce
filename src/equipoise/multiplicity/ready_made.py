"""Procedures by name, and the graphs that many of them are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..checks import choice, whole
from ..errors import InputError
from .graph import Graph
from .procedure import Procedure, PValueAdjustment

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "PROCEDURES",
    "bonferroni_graph",
    "fallback_graph",
    "fixed_sequence_graph",
    "holm_graph",
    "parallel_gatekeeping_graph",
    "procedure_named",
]

PROCEDURES = ("fixed-sequence", "bonferroni", "holm", "hochberg", "hommel", "fallback", "graphical")


def _names(hypotheses: int | Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """Number of hypotheses and their names, from either."""
    if isinstance(hypotheses, Sequence) and not isinstance(hypotheses, str):
        return len(hypotheses), tuple(hypotheses)
    right = "how many hypotheses there are, or their names"
    found = whole("hypotheses", hypotheses, right)
    if found < 1:
        raise InputError("hypotheses", hypotheses, right)
    return found, ()


def _shares(weights: Sequence[float], size: int) -> tuple[float, ...]:
    """Equal shares of alpha, or those given."""
    if len(weights) not in (0, size):
        raise InputError("weights", list(weights), f"{size} of them, one a hypothesis, or none for equal ones")
    return tuple(weights) or (1 / size,) * size


def _edges(matrix: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(map(tuple, matrix.tolist()))


def _chain(size: int) -> tuple[tuple[float, ...], ...]:
    return _edges(np.eye(size, k=1))


def bonferroni_graph(hypotheses: int | Sequence[str], weights: Sequence[float] = ()) -> Graph:
    """Shares of alpha, equal unless given, that go nowhere."""
    size, names = _names(hypotheses)
    return Graph(_shares(weights, size), _edges(np.zeros((size, size))), names, "Bonferroni")


def holm_graph(hypotheses: int | Sequence[str], weights: Sequence[float] = ()) -> Graph:
    """Shares of alpha, equal unless given, that go to all others in proportion to theirs (Holm 1979)."""
    size, names = _names(hypotheses)
    shares = np.array(_shares(weights, size), dtype=float)
    others = np.tile(shares, (size, 1)) * (1 - np.eye(size))
    sums = others.sum(axis=1, keepdims=True)
    edges = np.divide(others, sums, out=np.zeros_like(others), where=sums > 0)
    return Graph(tuple(shares.tolist()), _edges(edges), names, "Holm")


def fixed_sequence_graph(hypotheses: int | Sequence[str]) -> Graph:
    """All of alpha for the first hypothesis, from each to the next (Maurer, Hothorn & Lehmacher 1995)."""
    size, names = _names(hypotheses)
    return Graph((1.0, *(0.0 for _ in range(size - 1))), _chain(size), names, "fixed sequence")


def fallback_graph(hypotheses: int | Sequence[str], weights: Sequence[float] = ()) -> Graph:
    """Shares of alpha, equal unless given, from each to the next (Wiens 2003, Pharm Stat 2:211)."""
    size, names = _names(hypotheses)
    return Graph(_shares(weights, size), _chain(size), names, "fallback")


def parallel_gatekeeping_graph(
    primary: int | Sequence[str], secondary: int | Sequence[str], weights: Sequence[float] = ()
) -> Graph:
    """Secondary hypotheses open once any primary one is rejected (Dmitrienko, Offen & Westfall 2003, Stat Med 22:2387).

    Primary hypotheses are tested by Bonferroni's test; each that is rejected gives its share evenly to the secondary
    ones, which are tested by Holm's procedure (Bretz et al. 2009, Stat Med 28:586, section 3).

    Parameters
    ----------
    primary, secondary
        How many there are, or their names; all counted, or all named.
    weights
        Shares of alpha of the primary ones; equal by default.
    """
    first, names = _names(primary)
    second, others = _names(secondary)
    if bool(names) != bool(others):
        raise InputError("secondary", secondary, "names of all hypotheses, or numbers of both kinds")
    size = first + second
    edges = np.zeros((size, size))
    edges[:first, first:] = 1 / second
    if second > 1:
        edges[first:, first:] = (1 - np.eye(second)) / (second - 1)
    return Graph(
        (*_shares(weights, first), *(0.0 for _ in range(second))),
        _edges(edges),
        (*names, *others),
        "parallel gatekeeping",
    )


def procedure_named(
    name: str,
    hypotheses: int | Sequence[str],
    weights: Sequence[float] = (),
    transitions: Sequence[Sequence[float]] = (),
) -> Procedure:
    """A procedure by name, e.g. from a protocol file.

    Parameters
    ----------
    name
        "fixed-sequence", "bonferroni", "holm", "fallback": as graphs, so that they serve several looks; "hochberg",
        "hommel"; "graphical", with `weights` and `transitions`.
    hypotheses
        How many there are, or their names.
    weights
        Shares of alpha; of "graphical" needed, of "bonferroni", "holm" and "fallback" equal by default.
    transitions
        Of "graphical"; see `Graph`.

    Raises
    ------
    InputError
        When the name is unknown, something is missing, or given for a procedure that has no use for it.
    """
    choice("procedure", name, PROCEDURES)
    size, names = _names(hypotheses)
    if len(transitions) and name != "graphical":
        raise InputError("transitions", transitions, f"none, for the procedure {name} has its own")
    if name == "graphical":
        if len(weights) != size or len(transitions) != size:
            raise InputError("weights", weights, f"weights and transitions of the {size} hypotheses of the graph")
        return Graph(tuple(weights), tuple(map(tuple, transitions)), names)
    if name in ("bonferroni", "holm", "fallback"):
        of = {"bonferroni": bonferroni_graph, "holm": holm_graph, "fallback": fallback_graph}[name]
        return of(hypotheses, weights)
    if len(weights):
        raise InputError("weights", weights, f"none, for the procedure {name} has no use for them")
    if name == "fixed-sequence":
        return fixed_sequence_graph(hypotheses)
    return PValueAdjustment("hochberg" if name == "hochberg" else "hommel")
