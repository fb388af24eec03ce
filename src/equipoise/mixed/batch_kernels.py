"""Newton's method for eight trials at once, and the loop over the trials of a batch.

Every lane makes its own way: it takes its step or stands still, and all decisions are taken lane by lane from its own
numbers alone. A trial that is not brought to convergence well inside the parameter space is handed back unfitted.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numba import njit

from .batch_algebra import cholesky, solve_lower, solve_upper
from .batch_information import adjustment, contrast_variance, exact_information, inference_space
from .batch_lanes import LANES, choose, fill, fma, greater, load, store
from .batch_likelihood import curvature, evaluate, residuals, solve_normal, space, weigh, whiten
from .batch_products import accumulate, codes_of, sorted_patterns

__all__ = ["LANES", "fit_trials"]

# Distances to the maximum in standard errors of the parameters, and how many steps of each kind may lead there.
_NEAR = 1e-9
_CHEAP_STEPS = 15
_EXACT_STEPS = 15
_HALVINGS = 12
_START_PIVOT = 0.05
_SMALLEST_PIVOT = 1e-4
_PIVOT_OF_INFORMATION = 1e-10


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _start(data, n_patterns, visits, sizes, n_visits, n_slopes, n_rows, work, coefficients, covariance):
    """Least squares: `data` become those of its residuals, `covariance` their mean products over the patients seen at
    both visits, correlations drawn towards zero until positive definite; 1 where it could be had.
    """
    p = n_slopes * n_visits + n_rows - n_slopes
    one, zero = fill(1.0), fill(0.0)
    for m in range(n_patterns):
        size = sizes[m]
        for j in range(size):
            for k in range(size):
                store(work.weight, m * n_visits * n_visits + j * size + k, one if j == k else zero)
    clear = solve_normal(data, n_patterns, visits, sizes, n_visits, n_slopes, n_rows, work)
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
        residuals(data, m, visits, sizes, n_visits, n_slopes, n_rows, coefficients, work.first, work.second, 0)
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
        fine = cholesky(work.first, 0, n_visits, _START_PIVOT)
        store(work.first, 0, fine)
        if work.first[:LANES].min() > 0:
            break
        for j in range(n_visits):
            for k in range(n_visits):
                if j != k:
                    value = load(covariance, j * n_visits + k)
                    store(covariance, j * n_visits + k, choose(fine, value, value * shrunk))
    return clear


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _move(covariance, step, n_visits, moving, work):
    """Add the step, halved until no variance of a combination of visits falls below a tenth, in the lanes moving."""
    zero, half, kept = fill(0.0), fill(0.5), fill(0.9)
    length = fill(1.0)
    fine = zero
    for _ in range(_HALVINGS):
        for j in range(n_visits):
            for k in range(j + 1):
                change = length * load(step, j * (j + 1) // 2 + k)
                store(work.first, j * n_visits + k, fma(kept, load(covariance, j * n_visits + k), change))
        fine = cholesky(work.first, 0, n_visits, 0.0)
        store(work.first, 0, choose(moving, fine, fill(1.0)))
        if work.first[:LANES].min() > 0:
            break
        length = choose(fine, length, length * half)
    for j in range(n_visits):
        for k in range(j + 1):
            known = load(covariance, j * n_visits + k)
            moved = fma(length, load(step, j * (j + 1) // 2 + k), known)
            value = choose(moving, moved, known)
            store(covariance, j * n_visits + k, value)
            store(covariance, k * n_visits + j, value)


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _newton(work, pairs):
    """Factor the information in place and turn the gradient into the step; the squared distance to the maximum, and 1
    where the information is positive definite.
    """
    clear = cholesky(work.information, 0, pairs, _PIVOT_OF_INFORMATION)
    solve_lower(work.information, 0, pairs, work.gradient, 0)
    distance = fill(0.0)
    for a in range(pairs):
        value = load(work.gradient, a)
        distance = fma(value, value, distance)
    solve_upper(work.information, 0, pairs, work.gradient, 0)
    return distance, clear


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _climb(
    covariance,
    warm,
    state,
    iterations,
    data,
    n_patterns,
    visits,
    sizes,
    n_visits,
    n_slopes,
    n_rows,
    restricted,
    exact,
    halves,
    places,
    work,
    own,
    board,
):
    """Bring every lane with state 0 to its maximum: state 1 where reached, -1 where given up. `board` is (4, lanes).

    With `exact` the information at the maximum is left factored in `work`, and the last step in `work.gradient`.
    """
    pairs = n_visits * (n_visits + 1) // 2
    one, zero, half = fill(1.0), fill(0.0), fill(0.5)
    flat = board.reshape(-1)
    fisher, steps = board[2], board[3]
    for lane in range(LANES):
        fisher[lane] = 0.0 if warm[lane] else 1.0
        steps[lane] = 0.0
    near = _NEAR * _NEAR
    while True:
        clear = evaluate(covariance, data, n_patterns, visits, sizes, n_visits, n_slopes, n_rows, restricted, work)
        use = load(flat, 2)
        observed = one - use
        curvature(
            data,
            n_patterns,
            visits,
            sizes,
            n_visits,
            restricted,
            choose(use, half, zero - half),
            choose(use, zero - half, half),
            observed,
            halves,
            places,
            work,
        )
        distance, definite = _newton(work, pairs)
        store(flat, 0, distance)
        store(flat, 1, definite)
        store(work.first, 0, clear)
        waiting = False
        for lane in range(LANES):
            going = 0.0
            if state[lane] == 0 and steps[lane] < _CHEAP_STEPS:
                if not work.first[lane] > 0:
                    state[lane] = -1
                elif not board[1, lane] > 0 or not board[0, lane] < np.inf:
                    if fisher[lane] > 0:
                        state[lane] = -1
                    else:
                        fisher[lane] = 1.0
                        steps[lane] += 1
                        waiting = True
                elif fisher[lane] == 0 and board[0, lane] < near:
                    state[lane] = 1
                else:
                    going = 1.0
                    fisher[lane] = 0.0
                    steps[lane] += 1
                    iterations[lane] += 1
                    waiting = True
            board[0, lane] = going
        if not waiting:
            break
        _move(covariance, work.gradient, n_visits, load(flat, 0), work)
    waiting = False
    for lane in range(LANES):
        steps[lane] = 0.0
        waiting = waiting or state[lane] == 0
    if not (exact or waiting):
        return
    while True:
        exact_information(
            data, n_patterns, visits, sizes, n_visits, n_slopes, n_rows, restricted, halves, places, work, own
        )
        # The gradient was solved for the step of the approximate information.
        _regain_gradient(data, n_patterns, visits, sizes, n_visits, restricted, work)
        distance, definite = _newton(work, pairs)
        store(flat, 0, distance)
        store(flat, 1, definite)
        waiting = False
        for lane in range(LANES):
            going = 0.0
            if state[lane] >= 0:
                if not board[1, lane] > 0 or not board[0, lane] < np.inf:
                    state[lane] = -1
                elif board[0, lane] < 4 * near:
                    state[lane] = 1
                elif steps[lane] >= _EXACT_STEPS:
                    state[lane] = -1
                else:
                    going = 1.0
                    steps[lane] += 1
                    iterations[lane] += 1
                    waiting = True
            board[0, lane] = going
        if not waiting:
            break
        _move(covariance, work.gradient, n_visits, load(flat, 0), work)
        clear = evaluate(covariance, data, n_patterns, visits, sizes, n_visits, n_slopes, n_rows, restricted, work)
        store(flat, 0, clear)
        for lane in range(LANES):
            if not board[0, lane] > 0:
                state[lane] = -1


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _regain_gradient(data, n_patterns, visits, sizes, n_visits, restricted, work):
    """The gradient at the point last evaluated."""
    for a in range(n_visits * (n_visits + 1) // 2):
        store(work.gradient, a, fill(0.0))
    for m in range(n_patterns):
        size = sizes[m]
        at = m * n_visits * n_visits
        count = load(data.count, m)
        for j in range(size):
            for k in range(j + 1):
                here = at + j * size + k
                total = load(work.squared, here) - count * load(work.weight, here)
                if restricted:
                    total = total + load(work.traced, here)
                place = visits[m, j] * (visits[m, j] + 1) // 2 + visits[m, k]
                store(work.gradient, place, fma(fill(0.5 if j == k else 1.0), total, load(work.gradient, place)))


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _carry_contrast(contrast, covariate_means, whitener, n_visits, n_arms, n_slopes, n_rows, carried, scratch):
    """The contrast of the user's columns as one of the whitened columns."""
    common = n_rows - n_slopes
    first_common = n_slopes * n_visits
    zero = fill(0.0)
    sums = zero
    for j in range(n_visits):
        at_visit = fill(contrast[j])
        sums = sums + at_visit
        store(scratch, j, at_visit)
        for a in range(1, n_slopes):
            value = fill(contrast[a * n_visits + j])
            if a >= n_arms:
                value = value - load(covariate_means, a - n_arms) * at_visit
            store(scratch, a * n_visits + j, value)
    for c in range(common):
        mean = load(covariate_means, n_slopes - n_arms + c)
        store(scratch, first_common + c, fill(contrast[first_common + c]) - mean * sums)
    for a in range(n_slopes):
        for j in range(n_visits):
            total = zero
            for b in range(a + 1):
                total = fma(load(whitener, a * n_rows + b), load(scratch, b * n_visits + j), total)
            store(carried, a * n_visits + j, total)
    for c in range(common):
        a = n_slopes + c
        total = zero
        for b in range(n_slopes):
            for j in range(n_visits):
                total = fma(load(whitener, a * n_rows + b), load(scratch, b * n_visits + j), total)
        for d in range(c + 1):
            total = fma(load(whitener, a * n_rows + n_slopes + d), load(scratch, first_common + d), total)
        store(carried, first_common + c, total)


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _carry_back(coefficients, visit_means, covariate_means, whitener, n_visits, n_arms, n_slopes, n_rows, result):
    """Coefficients of the whitened columns as those of the user's columns."""
    common = n_rows - n_slopes
    first_common = n_slopes * n_visits
    zero = fill(0.0)
    for c in range(common):
        total = zero
        for d in range(c, common):
            value = load(whitener, (n_slopes + d) * n_rows + n_slopes + c)
            total = fma(value, load(coefficients, first_common + d), total)
        store(result, first_common + c, total)
    for a in range(n_slopes):
        for j in range(n_visits):
            total = zero
            for b in range(a, n_slopes):
                total = fma(load(whitener, b * n_rows + a), load(coefficients, b * n_visits + j), total)
            for c in range(common):
                value = load(whitener, (n_slopes + c) * n_rows + a)
                total = fma(value, load(coefficients, first_common + c), total)
            store(result, a * n_visits + j, total)
    for j in range(n_visits):
        total = load(result, j) + load(visit_means, j)
        for a in range(n_arms, n_slopes):
            total = fma(zero - load(covariate_means, a - n_arms), load(result, a * n_visits + j), total)
        for c in range(common):
            total = fma(zero - load(covariate_means, n_slopes - n_arms + c), load(result, first_common + c), total)
        store(result, j, total)


def _stamp() -> int:
    """A number that changes with the source of the kernels, so that compiled code kept on disk is never out of date."""
    here = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(here.glob("batch_*.py")))
    return int.from_bytes(hashlib.sha256(sources).digest()[:6], "big")


def _compiled(stamp: int):
    def fit_trials(
        outcome,
        usable,
        arm,
        covariates,
        by_visit,
        order,
        n_arms,
        contrast,
        start,
        kind,
        restricted,
        halves,
        places,
        first,
        last,
        effect,
        variance,
        degrees,
        coefficients,
        covariance,
        state,
        iterations,
    ):
        """Fit the trials first, ..., last - 1. `kind`: 0 normal, 1 Satterthwaite, 2 Kenward-Roger."""
        n_patients, n_visits = outcome.shape[1], outcome.shape[2]
        n_covariates = covariates.shape[2]
        n_slopes = n_arms + by_visit.sum()
        n_rows = n_arms + n_covariates
        common = n_rows - n_slopes
        p = n_slopes * n_visits + common
        pairs = n_visits * (n_visits + 1) // 2
        width = n_rows + n_visits
        wide = (width + LANES - 1) // LANES * LANES
        codes = np.empty((LANES, n_patients), dtype=np.int64)
        places_of_table = 4
        while places_of_table < 2 * LANES * n_patients:
            places_of_table *= 2
        keys = np.empty(places_of_table, dtype=np.int64)
        slots = np.empty(places_of_table, dtype=np.int64)
        patterns = np.empty(LANES * n_patients, dtype=np.int64)
        capacity = 2 * n_visits + stamp * 0
        data, work = space(capacity, n_visits, n_rows, p)
        own = inference_space(n_visits, p)
        visits = np.empty((capacity, n_visits), dtype=np.int64)
        sizes = np.empty(capacity, dtype=np.int64)
        sums = np.empty((capacity, width, wide))
        visit_means = np.zeros(n_visits * LANES)
        raw_means = np.zeros(n_covariates * LANES)
        covariate_means = np.zeros(n_covariates * LANES)
        sigma = np.empty(n_visits * n_visits * LANES)
        whitener = np.empty(n_rows * n_rows * LANES)
        least_squares = np.empty(p * LANES)
        direction = np.empty(p * LANES)
        result = np.empty(p * LANES)
        board = np.empty((4, LANES))
        numbers = np.empty((3, LANES))
        flat_numbers = numbers.reshape(-1)
        warm = np.empty(LANES, dtype=np.bool_)
        lane_state = np.empty(LANES, dtype=np.int64)
        lane_iterations = np.empty(LANES, dtype=np.int64)
        has_start = start.shape[0] > 0

        for group in range(first, last, LANES):
            lanes = min(LANES, last - group)
            for lane in range(lanes):
                codes_of(outcome, usable, covariates, group + lane, codes, visit_means, raw_means, lane)
            found = sorted_patterns(codes, lanes, keys, slots, patterns)
            if found > capacity:
                capacity = 2 * found
                data, work = space(capacity, n_visits, n_rows, p)
                visits = np.empty((capacity, n_visits), dtype=np.int64)
                sizes = np.empty(capacity, dtype=np.int64)
                sums = np.empty((capacity, width, wide))
            for m in range(found):
                size = 0
                for j in range(n_visits):
                    if patterns[m] >> j & 1:
                        visits[m, size] = j
                        size += 1
                sizes[m] = size
            for lane in range(LANES):
                lane_iterations[lane] = 0
                source = min(lane, lanes - 1)
                if lane >= lanes:
                    for i in range(n_patients):
                        codes[lane, i] = codes[source, i]
                    for j in range(n_visits):
                        visit_means[j * LANES + lane] = visit_means[j * LANES + source]
                    for c in range(n_covariates):
                        raw_means[c * LANES + lane] = raw_means[c * LANES + source]
                fits = accumulate(
                    outcome,
                    arm,
                    covariates,
                    by_visit,
                    n_arms,
                    group + source,
                    lane,
                    codes,
                    data,
                    visits,
                    sizes[:found],
                    visit_means,
                    raw_means,
                    sums,
                )
                lane_state[lane] = 0 if fits else -1
                own_place, common_place = 0, n_slopes - n_arms
                for c in range(n_covariates):
                    if by_visit[c]:
                        covariate_means[own_place * LANES + lane] = raw_means[c * LANES + lane]
                        own_place += 1
                    else:
                        covariate_means[common_place * LANES + lane] = raw_means[c * LANES + lane]
                        common_place += 1
            clear = whiten(data, found, sizes, n_visits, n_rows, work.normal, whitener, work.first)
            clear = clear * _start(data, found, visits, sizes, n_visits, n_slopes, n_rows, work, least_squares, sigma)
            store(flat_numbers, 0, clear)
            for lane in range(LANES):
                if not numbers[0, lane] > 0:
                    lane_state[lane] = -1
                warm[lane] = False
                if has_start:
                    given = start[group + min(lane, lanes - 1)]
                    fine = True
                    for j in range(n_visits):
                        for k in range(n_visits):
                            fine = fine and abs(given[j, k]) < np.inf
                    warm[lane] = fine
            if has_start:
                _take_start(start, group, lanes, sigma, n_visits, warm, work)
            _climb(
                sigma,
                warm,
                lane_state,
                lane_iterations,
                data,
                found,
                visits,
                sizes,
                n_visits,
                n_slopes,
                n_rows,
                restricted,
                kind > 0,
                halves,
                places,
                work,
                own,
                board,
            )
            _carry_contrast(
                contrast, covariate_means, whitener, n_visits, n_arms, n_slopes, n_rows, direction, work.first
            )
            total_variance = fill(0.0)
            freedom = fill(np.inf)
            if kind > 0:
                total_variance = contrast_variance(direction, p, pairs, work, own)
                spread = fill(0.0)
                for a in range(pairs):
                    spread = fma(load(own.slope, a), load(own.solved, a), spread)
                freedom = fill(2.0) * total_variance * total_variance / spread
                # The last step to the maximum, to first order.
                for i in range(p):
                    store(result, i, fill(0.0))
                for a in range(pairs):
                    step = load(work.gradient, a)
                    total_variance = fma(load(own.slope, a), step, total_variance)
                    for i in range(p):
                        store(result, i, fma(load(own.scores, a * p + i), step, load(result, i)))
                for i in range(p):
                    total = load(work.solution, i)
                    for k in range(p):
                        total = total - load(work.inner, i * p + k) * load(result, k)
                    store(least_squares, i, load(least_squares, i) + total)
                for j in range(n_visits):
                    for k in range(n_visits):
                        place = j * (j + 1) // 2 + k if k <= j else k * (k + 1) // 2 + j
                        at = j * n_visits + k
                        store(sigma, at, load(sigma, at) + load(work.gradient, place))
                if kind == 2:
                    total_variance = total_variance + adjustment(
                        data, found, visits, sizes, n_visits, n_slopes, n_rows, work, own
                    )
            else:
                for i in range(p):
                    store(least_squares, i, load(least_squares, i) + load(work.solution, i))
                    total = fill(0.0)
                    for k in range(p):
                        total = fma(load(work.inner, i * p + k), load(direction, k), total)
                    total_variance = fma(total, load(direction, i), total_variance)
            store(flat_numbers, 1, total_variance)
            store(flat_numbers, 2, freedom)
            clear = weigh(sigma, 0, visits, sizes, n_visits, work)
            store(flat_numbers, 0, clear)
            _carry_back(
                least_squares, visit_means, covariate_means, whitener, n_visits, n_arms, n_slopes, n_rows, result
            )
            for lane in range(lanes):
                trial = group + lane
                fitted = lane_state[lane] == 1 and numbers[0, lane] > 0
                fitted = fitted and 0 < numbers[1, lane] < np.inf and numbers[2, lane] > 0
                state[trial] = fitted
                if not fitted:
                    continue
                iterations[trial] = lane_iterations[lane]
                total_effect = 0.0
                for i in range(p):
                    value = result[i * LANES + lane]
                    total_effect += contrast[i] * value
                    coefficients[trial, order[i]] = value
                effect[trial] = total_effect
                variance[trial] = numbers[1, lane]
                degrees[trial] = numbers[2, lane]
                for j in range(n_visits):
                    for k in range(n_visits):
                        covariance[trial, j, k] = sigma[(j * n_visits + k) * LANES + lane]

    try:
        return njit(nogil=True, cache=True, error_model="numpy")(fit_trials)
    except RuntimeError:
        # Nowhere to keep compiled code.
        return njit(nogil=True, error_model="numpy")(fit_trials)


@njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _take_start(start, group, lanes, sigma, n_visits, warm, work):
    """Covariances given to begin with, in the lanes where they are positive definite."""
    for lane in range(LANES):
        given = start[group + min(lane, lanes - 1)]
        for j in range(n_visits):
            for k in range(n_visits):
                work.second[(j * n_visits + k) * LANES + lane] = (
                    given[j, k] if warm[lane] else sigma[(j * n_visits + k) * LANES + lane]
                )
    for j in range(n_visits * n_visits):
        store(work.first, j, load(work.second, j))
    fine = cholesky(work.first, 0, n_visits, 100 * _SMALLEST_PIVOT)
    for j in range(n_visits * n_visits):
        store(sigma, j, choose(fine, load(work.second, j), load(sigma, j)))
    store(work.first, 0, fine)
    for lane in range(LANES):
        warm[lane] = warm[lane] and work.first[lane] > 0


fit_trials = _compiled(_stamp())
