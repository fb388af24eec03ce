"""What the kernels of the batch fit work on: the data of eight trials and the memory for everything derived from them.

Arrays are vectors of eight lanes, T the number of visits, pairs = T (T + 1) / 2 the number of entries of a covariance
in the order (0, 0), (1, 0), (1, 1), (2, 0), ..., p the number of columns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .lanes import compiled, fill, pointer, store

__all__ = ["Data", "Space", "space", "space_needed"]


class Data(NamedTuple):
    """Sufficient statistics and shape of the model.

    Attributes
    ----------
    count, design, cross, outcome
        Pattern after pattern n, A (rows, rows), B (rows, T) and Y (T, T); visits not seen are left out.
    visits, sizes
        (patterns, T) the visits seen, and how many.
    ranks
        (patterns, T) where among the visits seen each one stands, -1 where it was not seen.
    halves
        (pairs,) a half for a variance, one for a covariance.
    places
        (pairs, pairs, 4) where the four products of a pair of entries stand in `Space.outer`.
    n_slopes, n_rows
        Lengths of u and of a = (u, v).
    """

    count: Any
    design: Any
    cross: Any
    outcome: Any
    visits: Any
    sizes: Any
    ranks: Any
    halves: Any
    places: Any
    n_patterns: int
    n_visits: int
    n_slopes: int
    n_rows: int
    restricted: bool


class Space(NamedTuple):
    """Working arrays.

    Attributes
    ----------
    covariance
        (T, T).
    whitener
        (rows, rows).
    weight, squared, traced
        (patterns, T, T): W, W S W, W H W.
    normal, inverse, inner
        (p, p): X'WX, the inverse of its factor, C.
    right, solution, least_squares, contrast, carrier, result
        (p,).
    outer, information, inverse_information
        (pairs, pairs).
    gradient, slope, solved
        (pairs,).
    sums, errors
        (patterns, T), (patterns, rows, T).
    scores, carried, features
        (pairs, p), (pairs, p), (pairs and up to two rows of zeros, features).
    first, second, third, fourth
        Scratch.
    """

    covariance: Any
    whitener: Any
    weight: Any
    squared: Any
    traced: Any
    normal: Any
    inverse: Any
    inner: Any
    right: Any
    solution: Any
    least_squares: Any
    contrast: Any
    carrier: Any
    result: Any
    outer: Any
    information: Any
    inverse_information: Any
    gradient: Any
    slope: Any
    solved: Any
    sums: Any
    errors: Any
    scores: Any
    carried: Any
    features: Any
    first: Any
    second: Any
    third: Any
    fourth: Any


@compiled
def space_needed(patterns, n_visits, n_rows, n_columns):
    """Vectors of memory for the data of that many patterns and all working arrays."""
    pairs = n_visits * (n_visits + 1) // 2
    features = n_columns * (n_columns + 1) // 2 + n_columns
    square = max(n_visits, n_columns) ** 2
    needed = patterns * (1 + n_rows * n_rows + n_rows * n_visits + 4 * n_visits * n_visits)
    needed += 3 * n_columns * n_columns + 6 * n_columns + 3 * pairs * pairs + 3 * pairs + 4 * square
    needed += patterns * n_visits * (n_rows + 1) + 2 * pairs * n_columns + (pairs + 2) // 3 * 3 * features
    return needed + n_visits * n_visits + n_rows * n_rows


@compiled
def space(memory, patterns, n_visits, n_rows, n_columns):
    """That memory as arrays."""
    pairs = n_visits * (n_visits + 1) // 2
    features = n_columns * (n_columns + 1) // 2 + n_columns
    square = max(n_visits, n_columns) ** 2
    each, block = patterns * n_visits * n_visits, n_columns * n_columns
    at = 0
    small = (
        pointer(memory, at),
        pointer(memory, at + block),
        pointer(memory, at + 2 * block),
    )
    at += 3 * block
    vectors = (
        pointer(memory, at),
        pointer(memory, at + n_columns),
        pointer(memory, at + 2 * n_columns),
        pointer(memory, at + 3 * n_columns),
        pointer(memory, at + 4 * n_columns),
        pointer(memory, at + 5 * n_columns),
    )
    at += 6 * n_columns
    outer = pointer(memory, at)
    information = pointer(memory, at + pairs * pairs)
    inverse_information = pointer(memory, at + 2 * pairs * pairs)
    at += 3 * pairs * pairs
    gradient, slope, solved = pointer(memory, at), pointer(memory, at + pairs), pointer(memory, at + 2 * pairs)
    at += 3 * pairs
    scratch = (
        pointer(memory, at),
        pointer(memory, at + square),
        pointer(memory, at + 2 * square),
        pointer(memory, at + 3 * square),
    )
    at += 4 * square
    covariance = pointer(memory, at)
    whitener = pointer(memory, at + n_visits * n_visits)
    at += n_visits * n_visits + n_rows * n_rows
    statistics = (
        pointer(memory, at),
        pointer(memory, at + patterns),
        pointer(memory, at + patterns * (1 + n_rows * n_rows)),
        pointer(memory, at + patterns * (1 + n_rows * n_rows + n_rows * n_visits)),
    )
    at += patterns * (1 + n_rows * n_rows + n_rows * n_visits) + each
    weight, squared, traced = pointer(memory, at), pointer(memory, at + each), pointer(memory, at + 2 * each)
    at += 3 * each
    sums, errors = pointer(memory, at), pointer(memory, at + patterns * n_visits)
    at += patterns * n_visits * (n_rows + 1)
    scores, carried = pointer(memory, at), pointer(memory, at + pairs * n_columns)
    at += 2 * pairs * n_columns
    rows = pointer(memory, at)
    for x in range(pairs * features, (pairs + 2) // 3 * 3 * features):
        store(rows, x, fill(0.0))
    work = Space(
        covariance, whitener, weight, squared, traced, small[0], small[1], small[2], vectors[0], vectors[1],
        vectors[2], vectors[3], vectors[4], vectors[5], outer, information, inverse_information, gradient, slope,
        solved, sums, errors, scores, carried, rows, scratch[0], scratch[1], scratch[2], scratch[3],
    )  # fmt: skip
    return statistics, work
