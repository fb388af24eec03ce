"""Newton's method for eight trials at once.

Every lane makes its own way: it takes its step or stands still, and all decisions are taken lane by lane from its own
numbers alone. A trial that is not brought to convergence well inside the parameter space is given up.
"""

from __future__ import annotations

import numpy as np

from .algebra import cholesky, solve_lower, solve_upper
from .information import exact_information
from .lanes import LANES, choose, compiled, every, fill, fma, greater, load, store
from .likelihood import curvature, evaluate, gradient, residuals, solve_normal

__all__ = ["climb", "start_from_given", "start_from_moments"]

# Distances to the maximum in standard errors of the parameters: where to stop, and where rounding may stop us. How many
# steps of each kind may lead there.
_NEAR = 2e-10
_ROUNDING = 1e-8
_CHEAP_STEPS = 15
_EXACT_STEPS = 15
_HALVINGS = 12
_START_PIVOT = 0.05
_GIVEN_PIVOT = 0.01
_PIVOT_OF_INFORMATION = 1e-10
# Twice what `fit_mmrm` asks for, which decides between the two.
_LEAST_INFORMATION = 2e-6


@compiled
def start_from_moments(data, work):
    """Least squares: `data` become those of its residuals, the covariance their mean products over the patients seen at
    both visits, its correlations drawn towards zero until positive definite; 1 where it could be had.
    """
    n_patterns, visits, sizes, n_visits = data.n_patterns, data.visits, data.sizes, data.n_visits
    n_slopes, n_rows = data.n_slopes, data.n_rows
    p = n_slopes * n_visits + n_rows - n_slopes
    coefficients, covariance = work.least_squares, work.covariance
    one, zero = fill(1.0), fill(0.0)
    for m in range(n_patterns):
        size = sizes[m]
        for j in range(size):
            for k in range(size):
                store(work.weight, m * n_visits * n_visits + j * size + k, one if j == k else zero)
    clear = solve_normal(data, work)
    for i in range(p):
        store(coefficients, i, load(work.solution, i))
    for j in range(n_visits * n_visits):
        store(covariance, j, zero)
        store(work.inner, j, zero)
    before = after = zero
    for m in range(n_patterns):
        size = sizes[m]
        at = m * n_visits * n_visits
        for j in range(size):
            before = before + load(data.outcome, at + j * size + j)
        residuals(data, m, coefficients, work.first, work.second)
        for x in range(n_rows * size):
            store(data.cross, m * n_rows * n_visits + x, load(work.first, x))
        for j in range(size):
            after = after + load(work.second, j * size + j)
            for k in range(size):
                value = load(work.second, j * size + k)
                store(data.outcome, at + j * size + k, value)
                place = visits[m, j] * n_visits + visits[m, k]
                store(covariance, place, load(covariance, place) + value)
                store(work.inner, place, load(work.inner, place) + load(data.count, m))
    clear = clear * greater(after, before * fill(1e-10))
    spent = fill(float(n_slopes))
    for j in range(n_visits * n_visits):
        count = load(work.inner, j)
        free = count - spent
        store(covariance, j, load(covariance, j) / choose(greater(free, one), free, one))
    shrunk = fill(0.8)
    for _ in range(15):
        for j in range(n_visits):
            for k in range(j + 1):
                store(work.first, j * n_visits + k, load(covariance, j * n_visits + k))
        fine = cholesky(work.first, n_visits, _START_PIVOT)
        if every(fine):
            break
        for j in range(n_visits):
            for k in range(n_visits):
                if j != k:
                    value = load(covariance, j * n_visits + k)
                    store(covariance, j * n_visits + k, choose(fine, value, value * shrunk))
    return clear


@compiled
def _move(n_visits, moving, work):
    """Add the step, halved until no variance of a combination of visits falls below a tenth, in the lanes moving."""
    covariance, step = work.covariance, work.gradient
    half, kept = fill(0.5), fill(0.9)
    length = fill(1.0)
    fine = moving
    for _ in range(_HALVINGS):
        for j in range(n_visits):
            for k in range(j + 1):
                change = length * load(step, j * (j + 1) // 2 + k)
                store(work.first, j * n_visits + k, fma(kept, load(covariance, j * n_visits + k), change))
        fine = cholesky(work.first, n_visits, 0.0)
        if every(choose(moving, fine, fill(1.0))):
            break
        length = choose(fine, length, length * half)
    for j in range(n_visits):
        for k in range(j + 1):
            known = load(covariance, j * n_visits + k)
            moved = fma(length, load(step, j * (j + 1) // 2 + k), known)
            value = choose(moving, moved, known)
            store(covariance, j * n_visits + k, value)
            store(covariance, k * n_visits + j, value)


@compiled
def _newton(work, n_visits):
    """Factor the information in place and turn the gradient into the step; the squared distance to the maximum, and 1
    where the information is positive definite and tells every entry of the covariance.
    """
    pairs = n_visits * (n_visits + 1) // 2
    told = fill(1.0)
    for j in range(n_visits):
        for k in range(j + 1):
            entry = j * (j + 1) // 2 + k
            units = load(work.covariance, j * n_visits + j) * load(work.covariance, k * n_visits + k)
            told = told * greater(load(work.information, entry * pairs + entry) * units, fill(_LEAST_INFORMATION))
    clear = told * cholesky(work.information, pairs, _PIVOT_OF_INFORMATION)
    solve_lower(work.information, pairs, work.gradient)
    distance = fill(0.0)
    for a in range(pairs):
        value = load(work.gradient, a)
        distance = fma(value, value, distance)
    solve_upper(work.information, pairs, work.gradient)
    return distance, clear


@compiled
def start_from_given(start, group, lanes, n_visits, work, given, fisher):
    """Covariances given to begin with, in the lanes where they are finite and positive definite; `fisher` says, lane by
    lane, whether the first step shall be one of Fisher's, which is safe from afar.
    """
    size = n_visits * n_visits
    for lane in range(LANES):
        trial = group + min(lane, lanes - 1)
        for j in range(n_visits):
            for k in range(n_visits):
                given[(j * n_visits + k) * LANES + lane] = start[trial, j, k]
    for j in range(size):
        store(work.first, j, load(given, j))
    fine = cholesky(work.first, n_visits, _GIVEN_PIVOT)
    for j in range(size):
        store(work.covariance, j, choose(fine, load(given, j), load(work.covariance, j)))
    store(fisher, 0, choose(fine, fill(0.0), fill(1.0)))


@compiled
def _there(board, lane, near):
    """Whether the maximum is reached, as nearly as rounding allows."""
    distance = board[0, lane]
    if distance < near * near:
        return True
    return distance < _ROUNDING * _ROUNDING and distance > 0.25 * board[3, lane]


@compiled
def _settle(state, steps, iterations, fisher, board):
    """Decide lane by lane, after an approximate Newton step was computed, what becomes of it; whether any lane goes
    on. `board` holds the squared distance, whether the information is positive definite and whether the likelihood
    could be evaluated, and the squared distance before; its first row becomes 1 in the lanes that shall move.
    """
    waiting = False
    for lane in range(LANES):
        going = 0.0
        if state[lane] == 0 and steps[lane] < _CHEAP_STEPS:
            if not board[2, lane] > 0:
                state[lane] = -1
            elif not board[1, lane] > 0 or not board[0, lane] < np.inf:
                if fisher[lane] > 0:
                    state[lane] = -1
                else:
                    fisher[lane] = 1.0
                    steps[lane] += 1
                    waiting = True
            elif fisher[lane] == 0 and _there(board, lane, _NEAR):
                state[lane] = 1
            else:
                going = 1.0
                fisher[lane] = 0.0
                steps[lane] += 1
                iterations[lane] += 1
                waiting = True
        board[3, lane] = board[0, lane]
        board[0, lane] = going
    return waiting


@compiled
def _settle_exactly(state, steps, iterations, exact, board):
    """The same after an exact Newton step."""
    waiting = False
    for lane in range(LANES):
        going = 0.0
        if state[lane] == 0 or (exact and state[lane] == 1):
            if not board[1, lane] > 0 or not board[0, lane] < np.inf:
                state[lane] = -1
            elif _there(board, lane, 2 * _NEAR):
                state[lane] = 1
            elif steps[lane] >= _EXACT_STEPS:
                state[lane] = -1
            else:
                going = 1.0
                steps[lane] += 1
                iterations[lane] += 1
                waiting = True
        board[3, lane] = board[0, lane]
        board[0, lane] = going
    return waiting


@compiled
def climb(data, work, state, steps, iterations, exact, fisher, board):
    """Bring every lane of state 0 to its maximum: state 1 where reached, -1 where given up. `board` (4, lanes)
    and `steps` are scratch.

    With `exact` the exact information at the maximum is left factored in `work.information`, and the last step, small
    and not taken, in `work.gradient`.
    """
    one, zero, half = fill(1.0), fill(0.0), fill(0.5)
    flat = board.reshape(-1)
    for lane in range(LANES):
        steps[lane] = 0
        board[3, lane] = np.inf
    while True:
        store(flat, 2, evaluate(data, work))
        gradient(data, work)
        first = load(fisher, 0)
        curvature(data, choose(first, half, zero - half), choose(first, zero - half, half), one - first, work)
        distance, definite = _newton(work, data.n_visits)
        store(flat, 0, distance)
        store(flat, 1, definite)
        if not _settle(state, steps, iterations, fisher, board):
            break
        _move(data.n_visits, load(flat, 0), work)
    waiting = exact
    for lane in range(LANES):
        steps[lane] = 0
        board[3, lane] = np.inf
        waiting = waiting or state[lane] == 0
    if not waiting:
        return
    while True:
        exact_information(data, work)
        gradient(data, work)
        distance, definite = _newton(work, data.n_visits)
        store(flat, 0, distance)
        store(flat, 1, definite)
        if not _settle_exactly(state, steps, iterations, exact, board):
            break
        _move(data.n_visits, load(flat, 0), work)
        store(flat, 0, evaluate(data, work))
        for lane in range(LANES):
            if not board[0, lane] > 0:
                state[lane] = -1
