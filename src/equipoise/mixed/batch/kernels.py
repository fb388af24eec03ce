"""The loop of the batch fit over its trials, eight at once: data, maximum, inference for one contrast, results."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numba import njit

from .climb import climb, start_from_given, start_from_moments
from .information import adjustment, contrast_variance
from .lanes import LANES, compiled, fill, fma, load, store
from .likelihood import inside, whiten
from .products import accumulate, codes_of, sorted_patterns
from .space import Data, space, space_needed

__all__ = ["LANES", "fit_trials"]


@compiled
def _carry_contrast(contrast, covariate_means, n_visits, n_arms, n_slopes, n_rows, work):
    """The contrast of the user's columns as one of the whitened columns."""
    whitener, carried, scratch = work.whitener, work.contrast, work.result
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


@compiled
def _carry_back(visit_means, covariate_means, n_visits, n_arms, n_slopes, n_rows, work):
    """Coefficients of the whitened columns as those of the user's columns."""
    whitener, coefficients = work.whitener, work.least_squares
    common = n_rows - n_slopes
    first_common = n_slopes * n_visits
    zero = fill(0.0)
    for c in range(common):
        total = zero
        for d in range(c, common):
            value = load(whitener, (n_slopes + d) * n_rows + n_slopes + c)
            total = fma(value, load(coefficients, first_common + d), total)
        store(work.result, first_common + c, total)
    for a in range(n_slopes):
        for j in range(n_visits):
            total = zero
            for b in range(a, n_slopes):
                total = fma(load(whitener, b * n_rows + a), load(coefficients, b * n_visits + j), total)
            for c in range(common):
                value = load(whitener, (n_slopes + c) * n_rows + a)
                total = fma(value, load(coefficients, first_common + c), total)
            store(work.result, a * n_visits + j, total)
    for j in range(n_visits):
        total = load(work.result, j) + load(visit_means, j)
        for a in range(n_arms, n_slopes):
            total = fma(zero - load(covariate_means, a - n_arms), load(work.result, a * n_visits + j), total)
        for c in range(common):
            total = fma(zero - load(covariate_means, n_slopes - n_arms + c), load(work.result, first_common + c), total)
        store(work.result, j, total)


@compiled
def _gather(
    outcome, arm, covariates, places, n_arms, group, lanes, codes, data, means, covariate_means, scratch, state
):
    """Data of all lanes; lanes without a trial of their own repeat the last."""
    for lane in range(LANES):
        source = min(lane, lanes - 1)
        if lane >= lanes:
            for i in range(codes.shape[1]):
                codes[lane, i] = codes[source, i]
            for j in range(data.n_visits):
                means[j * LANES + lane] = means[j * LANES + source]
            for c in range(places.size):
                covariate_means[c * LANES + lane] = covariate_means[c * LANES + source]
        fits = accumulate(
            outcome, arm, covariates, places, n_arms, group + source, lane, codes, data, means, covariate_means, scratch
        )
        state[lane] = 0 if fits else -1


@compiled
def _infer(data, work, kind):
    """Variance and degrees of freedom of the contrast; coefficients and covariance, all at the maximum itself, a small
    step of Newton's further than where the likelihood was last evaluated.
    """
    n_visits = data.n_visits
    p = data.n_slopes * n_visits + data.n_rows - data.n_slopes
    pairs = n_visits * (n_visits + 1) // 2
    if kind == 0:
        variance = fill(0.0)
        for i in range(p):
            store(work.least_squares, i, load(work.least_squares, i) + load(work.solution, i))
            total = fill(0.0)
            for k in range(p):
                total = fma(load(work.inner, i * p + k), load(work.contrast, k), total)
            variance = fma(total, load(work.contrast, i), variance)
        return variance, fill(np.inf)
    variance = contrast_variance(p, pairs, work)
    spread = fill(0.0)
    for a in range(pairs):
        spread = fma(load(work.slope, a), load(work.solved, a), spread)
    degrees = fill(2.0) * variance * variance / spread
    for i in range(p):
        store(work.result, i, fill(0.0))
    for a in range(pairs):
        step = load(work.gradient, a)
        variance = fma(load(work.slope, a), step, variance)
        for i in range(p):
            store(work.result, i, fma(load(work.scores, a * p + i), step, load(work.result, i)))
    for i in range(p):
        total = load(work.solution, i)
        for k in range(p):
            total = total - load(work.inner, i * p + k) * load(work.result, k)
        store(work.least_squares, i, load(work.least_squares, i) + total)
    for j in range(n_visits):
        for k in range(n_visits):
            place = j * (j + 1) // 2 + k if k <= j else k * (k + 1) // 2 + j
            at = j * n_visits + k
            store(work.covariance, at, load(work.covariance, at) + load(work.gradient, place))
    if kind == 2:
        variance = variance + adjustment(data, work)
    return variance, degrees


def _stamp() -> int:
    """A number that changes with the source of the kernels, so that compiled code kept on disk is never out of date."""
    here = Path(__file__).parent
    sources = b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))
    return int.from_bytes(hashlib.sha256(sources).digest()[:6], "big")


def _compile(stamp: int):
    def fit_trials(
        outcome, arm, covariates, places, order, n_arms, n_slopes, contrast, start, kind, restricted,
        halves, gathered, first, last, effect, variance, degrees, coefficients, covariance, fitted, iterations,
    ):  # fmt: skip
        """Fit the trials first, ..., last - 1 and write the results of those fitted.

        `places` says where among the covariates by visit, then common, each one stands, `order` where each column does
        among the user's. `kind`: 0 normal, 1 Satterthwaite, 2 Kenward-Roger.
        """
        n_patients, n_visits = outcome.shape[1], outcome.shape[2]
        n_rows = n_arms + covariates.shape[2]
        p = n_slopes * n_visits + n_rows - n_slopes
        width = 1 + covariates.shape[2] + n_visits
        wide = (width + LANES - 1) // LANES * LANES
        codes = np.empty((LANES, n_patients), dtype=np.int64)
        table = 4
        while table < 2 * LANES * n_patients:
            table *= 2
        keys = np.empty(table, dtype=np.int64)
        slots = np.empty(table, dtype=np.int64)
        patterns = np.empty(LANES * n_patients, dtype=np.int64)
        means = np.zeros(n_visits * LANES)
        covariate_means = np.zeros(covariates.shape[2] * LANES)
        rows = np.zeros((n_patients, wide))
        pairs = np.empty((n_visits, n_visits))
        shifts = np.empty(width)
        numbers = np.empty((n_visits * n_visits + p + 3) * LANES)
        board = np.empty((4, LANES))
        fisher = np.empty(LANES)
        state = np.empty(LANES, dtype=np.int64)
        steps = np.empty(LANES, dtype=np.int64)
        taken = np.empty(LANES, dtype=np.int64)
        capacity = 2 * n_visits + 0 * stamp
        memory = np.empty(space_needed(capacity, n_visits, n_rows, p) * LANES)
        statistics, work = space(memory, capacity, n_visits, n_rows, p)
        visits = np.empty((capacity, n_visits), dtype=np.int64)
        sizes = np.empty(capacity, dtype=np.int64)
        ranks = np.empty((capacity, n_visits), dtype=np.int64)
        sums = np.empty((capacity * n_arms, width, wide))

        for group in range(first, last, LANES):
            lanes = min(LANES, last - group)
            for lane in range(lanes):
                codes_of(outcome, covariates, places, group + lane, codes, means, covariate_means, lane)
            found = sorted_patterns(codes, lanes, keys, slots, patterns)
            if found > capacity:
                capacity = found + found // 4
                memory = np.empty(space_needed(capacity, n_visits, n_rows, p) * LANES)
                statistics, work = space(memory, capacity, n_visits, n_rows, p)
                visits = np.empty((capacity, n_visits), dtype=np.int64)
                sizes = np.empty(capacity, dtype=np.int64)
                ranks = np.empty((capacity, n_visits), dtype=np.int64)
                sums = np.empty((capacity * n_arms, width, wide))
            for m in range(found):
                sizes[m] = 0
                for j in range(n_visits):
                    ranks[m, j] = -1
                    if patterns[m] >> j & 1:
                        ranks[m, j] = sizes[m]
                        visits[m, sizes[m]] = j
                        sizes[m] += 1
            data = Data(
                statistics[0], statistics[1], statistics[2], statistics[3], visits, sizes, ranks, halves, gathered,
                found, n_visits, n_slopes, n_rows, restricted,
            )  # fmt: skip
            scratch = (rows, sums, pairs, shifts)
            _gather(
                outcome,
                arm,
                covariates,
                places,
                n_arms,
                group,
                lanes,
                codes,
                data,
                means,
                covariate_means,
                scratch,
                state,
            )
            clear = whiten(data, work)
            clear = clear * start_from_moments(data, work)
            store(numbers, 0, clear)
            for lane in range(LANES):
                if not numbers[lane] > 0:
                    state[lane] = -1
                fisher[lane] = 1.0
                taken[lane] = 0
            if start.shape[0] > 0:
                start_from_given(start, group, lanes, n_visits, work, numbers, fisher)
            _carry_contrast(contrast, covariate_means, n_visits, n_arms, n_slopes, n_rows, work)
            climb(data, work, state, steps, taken, kind > 0, fisher, board)

            squared_error, freedom = _infer(data, work, kind)
            store(numbers, 0, inside(n_visits, work))
            store(numbers, 1, squared_error)
            store(numbers, 2, freedom)
            _carry_back(means, covariate_means, n_visits, n_arms, n_slopes, n_rows, work)
            for i in range(p):
                store(numbers, 3 + i, load(work.result, i))
            for j in range(n_visits * n_visits):
                store(numbers, 3 + p + j, load(work.covariance, j))
            for lane in range(lanes):
                trial = group + lane
                within, squared = numbers[lane], numbers[LANES + lane]
                free = numbers[2 * LANES + lane]
                if not (state[lane] == 1 and within > 0 and 0 < squared < np.inf and free > 0):
                    continue
                fitted[trial] = True
                iterations[trial] = taken[lane]
                variance[trial], degrees[trial] = squared, free
                total = 0.0
                for i in range(p):
                    value = numbers[(3 + i) * LANES + lane]
                    total += contrast[i] * value
                    coefficients[trial, order[i]] = value
                effect[trial] = total
                for j in range(n_visits):
                    for k in range(n_visits):
                        covariance[trial, j, k] = numbers[(3 + p + j * n_visits + k) * LANES + lane]
        # Until here the pointers into it are in use.
        memory[0] = 0.0

    try:
        return njit(nogil=True, cache=True, error_model="numpy")(fit_trials)
    except RuntimeError:
        # Nowhere to keep compiled code.
        return njit(nogil=True, error_model="numpy")(fit_trials)


fit_trials = _compile(_stamp())
