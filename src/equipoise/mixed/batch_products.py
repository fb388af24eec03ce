"""Sufficient statistics of eight trials at once, from the outcomes as they are.

A patient's design row at visit j is (e_j (x) u, v): u has a slope of its own at every visit (a one for the visit means,
an indicator for every further arm, the covariates by visit), v one common slope. With a = (u, v) the likelihood of a
trial depends on the data, for every pattern of visits seen, through the number of patients, A = sum a a', B = sum a y'
and Y = sum y y' alone. Covariates and outcome are centred first.
"""

from __future__ import annotations

import numpy as np

from .batch_lanes import LANES, compiled, fill, fma, load, put, store

__all__ = ["accumulate", "codes_of", "sorted_patterns"]


@compiled
def codes_of(outcome, usable, covariates, places, trial, codes, visit_means, covariate_means, lane):
    """Pattern of every patient of a trial as a sum of powers of two, 0 for those left out; means by visit over what
    is seen and of the covariates over the patients usable, each at its place.
    """
    n_patients, n_visits = outcome.shape[1], outcome.shape[2]
    n_covariates = covariates.shape[2]
    of_usable = trial if usable.shape[0] > 1 else 0
    of_covariates = trial if covariates.shape[0] > 1 else 0
    seen = np.zeros(n_visits, dtype=np.int64)
    sums = np.zeros(n_visits)
    slopes = np.zeros(n_covariates)
    counted = 0
    for i in range(n_patients):
        code = np.int64(0)
        if usable[of_usable, i]:
            counted += 1
            for c in range(n_covariates):
                slopes[c] += covariates[of_covariates, i, c]
            for j in range(n_visits):
                value = outcome[trial, i, j]
                if value == value:
                    code |= np.int64(1) << j
                    seen[j] += 1
                    sums[j] += value
        codes[lane, i] = code
    for j in range(n_visits):
        visit_means[j * LANES + lane] = sums[j] / seen[j] if seen[j] > 0 else 0.0
    for c in range(n_covariates):
        covariate_means[places[c] * LANES + lane] = slopes[c] / counted if counted > 0 else 0.0


@compiled
def sorted_patterns(codes, lanes, keys, slots, patterns):
    """Replace codes by the position of their pattern in increasing order, -1 for 0; returns how many there are.

    `keys` and `slots` are a hash table of a power of two of places, at least twice the number of patients.
    """
    for place in range(keys.size):
        keys[place] = 0
    mask = keys.size - 1
    found = 0
    n_patients = codes.shape[1]
    for lane in range(lanes):
        for i in range(n_patients):
            code = codes[lane, i]
            if code == 0:
                continue
            place = (code * 2654435761 >> 7) & mask
            while keys[place] != code:
                if keys[place] == 0:
                    keys[place] = code
                    patterns[found] = code
                    found += 1
                    break
                place = (place + 1) & mask
    for position in range(1, found):
        code = patterns[position]
        while position > 0 and patterns[position - 1] > code:
            patterns[position] = patterns[position - 1]
            position -= 1
        patterns[position] = code
    for position in range(found):
        code = patterns[position]
        place = (code * 2654435761 >> 7) & mask
        while keys[place] != code:
            place = (place + 1) & mask
        slots[place] = position
    for lane in range(lanes):
        for i in range(n_patients):
            code = codes[lane, i]
            if code == 0:
                codes[lane, i] = -1
                continue
            place = (code * 2654435761 >> 7) & mask
            while keys[place] != code:
                place = (place + 1) & mask
            codes[lane, i] = slots[place]
    return found


@compiled
def accumulate(outcome, arm, covariates, places, n_arms, trial, lane, codes, data, means, covariate_means, sums):
    """Cross-products of one trial for all patterns, written into its lane of `data`; False where they cannot bear the
    model (too few patients at a visit, at a pair of visits, or in all).

    `means` are by visit. `sums` (patterns, width, wide) is scratch, wide a multiple of the lanes.
    """
    n_patterns, visits, sizes, n_visits = data.n_patterns, data.visits, data.sizes, data.n_visits
    n_slopes, n_rows = data.n_slopes, data.n_rows
    n_patients, n_covariates = outcome.shape[1], covariates.shape[2]
    width, wide = n_rows + n_visits, sums.shape[2]
    blocks = wide // LANES
    of_arm = trial if arm.shape[0] > 1 else 0
    of_covariates = trial if covariates.shape[0] > 1 else 0

    flat = sums.reshape(-1)
    zero = fill(0.0)
    for block in range(n_patterns * width * blocks):
        store(flat, block, zero)
    z = np.zeros(wide)
    for i in range(n_patients):
        m = codes[lane, i]
        if m < 0:
            continue
        z[0] = 1.0
        for g in range(1, n_arms):
            z[g] = 1.0 if arm[of_arm, i] == g else 0.0
        for c in range(n_covariates):
            place = places[c]
            z[n_arms + place] = covariates[of_covariates, i, c] - covariate_means[place * LANES + lane]
        for j in range(n_visits):
            value = outcome[trial, i, j]
            z[n_rows + j] = value - means[j * LANES + lane] if value == value else 0.0
        for row in range(width):
            factor = fill(z[row])
            at = (m * width + row) * blocks
            for block in range(row // LANES, blocks):
                store(flat, at + block, fma(factor, load(z, block), load(flat, at + block)))

    pairs = np.zeros((n_visits, n_visits))
    patients, observations, squares, level = 0.0, 0.0, 0.0, 0.0
    for m in range(n_patterns):
        size = sizes[m]
        count = sums[m, 0, 0]
        put(data.count, m * LANES + lane, count)
        patients += count
        observations += count * size
        at = m * n_rows * n_rows
        for a in range(n_rows):
            for b in range(a + 1):
                value = sums[m, b, a]
                put(data.design, (at + a * n_rows + b) * LANES + lane, value)
                put(data.design, (at + b * n_rows + a) * LANES + lane, value)
        at = m * n_rows * n_visits
        for a in range(n_rows):
            for j in range(size):
                put(data.cross, (at + a * size + j) * LANES + lane, sums[m, a, n_rows + visits[m, j]])
        at = m * n_visits * n_visits
        for j in range(size):
            first = visits[m, j]
            mean = means[first * LANES + lane]
            level += count * mean * mean
            squares += sums[m, n_rows + first, n_rows + first]
            for k in range(j + 1):
                second = visits[m, k]
                value = sums[m, n_rows + second, n_rows + first]
                put(data.outcome, (at + j * size + k) * LANES + lane, value)
                put(data.outcome, (at + k * size + j) * LANES + lane, value)
                pairs[first, second] += count
    columns = n_slopes * n_visits + n_rows - n_slopes
    if patients <= n_visits or observations <= columns or not squares > 1e-12 * level:
        return False
    for j in range(n_visits):
        for k in range(j):
            if pairs[j, k] < 1:
                return False
        if pairs[j, j] < 2:
            return False
    return True
