"""Sufficient statistics of eight trials at once, from the outcomes as they are.

A patient's design row at visit j is (e_j (x) u, v): u has a slope of its own at every visit (a one for the visit means,
an indicator for every further arm, the covariates by visit), v one common slope. With a = (u, v) the likelihood of a
trial depends on the data, for every pattern of visits seen, through the number of patients, A = sum a a', B = sum a y'
and Y = sum y y' alone. Covariates and outcome are centred first.
"""

from __future__ import annotations

import numpy as np

from .lanes import LANES, compiled, fill, fma, load, put, store

__all__ = ["accumulate", "codes_of", "sorted_patterns"]


@compiled
def codes_of(outcome, covariates, places, trial, codes, visit_means, covariate_means, lane):
    """Pattern of every patient of a trial as a sum of powers of two, 0 for those left out; means by visit over what
    is seen and of the covariates over the patients with all of them, each at its place.
    """
    n_patients, n_visits = outcome.shape[1], outcome.shape[2]
    n_covariates = covariates.shape[2]
    of_covariates = trial if covariates.shape[0] > 1 else 0
    seen = np.zeros(n_visits, dtype=np.int64)
    sums = np.zeros(n_visits)
    slopes = np.zeros(n_covariates)
    counted = 0
    for i in range(n_patients):
        code = np.int64(0)
        usable = True
        for c in range(n_covariates):
            value = covariates[of_covariates, i, c]
            usable = usable and value == value
        if usable:
            counted += 1
            for c in range(n_covariates):
                slopes[c] += covariates[of_covariates, i, c]
            for j in range(n_visits):
                value = outcome[trial, i, j]
                there = np.int64(value == value)
                code |= there << j
                seen[j] += there
                sums[j] += value if there else 0.0
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
def accumulate(outcome, arm, covariates, places, n_arms, trial, lane, codes, data, means, covariate_means, scratch):
    """Cross-products of one trial for all patterns, written into its lane of `data`; False where they cannot bear the
    model (too few patients at a visit, at a pair of visits, or in all).

    `means` are by visit. `scratch` is rows (patients, wide), sums (patterns and arms, width, wide), pairs of visits
    (visits, visits) and shifts (width,): the products of (1, covariates, outcome) are summed over the patients of each
    pattern and arm.
    """
    n_patterns, visits, sizes, n_visits = data.n_patterns, data.visits, data.sizes, data.n_visits
    n_slopes, n_rows = data.n_slopes, data.n_rows
    rows, sums, pairs, shifts = scratch
    n_patients, n_covariates = outcome.shape[1], covariates.shape[2]
    from_outcome = 1 + n_covariates
    width, wide = from_outcome + n_visits, sums.shape[2]
    blocks = wide // LANES
    of_arm = trial if arm.shape[0] > 1 else 0
    of_covariates = trial if covariates.shape[0] > 1 else 0

    for c in range(n_covariates):
        shifts[1 + c] = covariate_means[places[c] * LANES + lane]
    for j in range(n_visits):
        shifts[from_outcome + j] = means[j * LANES + lane]
    for i in range(n_patients):
        if codes[lane, i] >= 0:
            rows[i, 0] = 1.0
            for c in range(n_covariates):
                rows[i, 1 + c] = covariates[of_covariates, i, c] - shifts[1 + c]
            for j in range(n_visits):
                value = outcome[trial, i, j] - shifts[from_outcome + j]
                rows[i, from_outcome + j] = value if value == value else 0.0
    zero = fill(0.0)
    for block in range(n_patterns * n_arms * width * blocks):
        store(sums, block, zero)
    for i in range(n_patients):
        if codes[lane, i] < 0:
            continue
        at = (codes[lane, i] * n_arms + arm[of_arm, i]) * width * blocks
        if blocks == 1:
            all_columns = load(rows, i)
            for row in range(width):
                store(sums, at + row, fma(fill(rows[i, row]), all_columns, load(sums, at + row)))
        else:
            for row in range(width):
                factor = fill(rows[i, row])
                for block in range(row // LANES, blocks):
                    place = at + row * blocks + block
                    store(sums, place, fma(factor, load(rows, i * blocks + block), load(sums, place)))

    for j in range(n_visits):
        for k in range(n_visits):
            pairs[j, k] = 0.0
    patients, observations, squares, level = 0.0, 0.0, 0.0, 0.0
    for m in range(n_patterns):
        size = sizes[m]
        design, cross = m * n_rows * n_rows, m * n_rows * n_visits
        # Rows of A and B of the arms, from the first row of their sums; then all arms together.
        base = m * n_arms
        for g in range(1, n_arms):
            for h in range(n_arms):
                _put_both(data.design, design, n_rows, g, h, lane, sums[base + g, 0, 0] if h == g or h == 0 else 0.0)
            for c in range(n_covariates):
                _put_both(data.design, design, n_rows, n_arms + places[c], g, lane, sums[base + g, 0, 1 + c])
            for j in range(size):
                value = sums[base + g, 0, from_outcome + visits[m, j]]
                put(data.cross, (cross + g * size + j) * LANES + lane, value)
        for g in range(1, n_arms):
            for row in range(width):
                for block in range(row // LANES, blocks):
                    place = (base * width + row) * blocks + block
                    store(sums, place, load(sums, place) + load(sums, place + g * width * blocks))
        count = sums[base, 0, 0]
        put(data.count, m * LANES + lane, count)
        patients += count
        observations += count * size
        for a in range(from_outcome):
            own = 0 if a == 0 else n_arms + places[a - 1]
            for b in range(a + 1):
                other = 0 if b == 0 else n_arms + places[b - 1]
                _put_both(data.design, design, n_rows, own, other, lane, sums[base, b, a])
            for j in range(size):
                value = sums[base, a, from_outcome + visits[m, j]]
                put(data.cross, (cross + own * size + j) * LANES + lane, value)
        for j in range(size):
            first = visits[m, j]
            mean = means[first * LANES + lane]
            level += count * mean * mean
            squares += sums[base, from_outcome + first, from_outcome + first]
            for k in range(j + 1):
                second = visits[m, k]
                value = sums[base, from_outcome + second, from_outcome + first]
                _put_both(data.outcome, m * n_visits * n_visits, size, j, k, lane, value)
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


@compiled
def _put_both(matrix, start, size, row, column, lane, value):
    """Write an element of one lane of a symmetric matrix."""
    put(matrix, (start + row * size + column) * LANES + lane, value)
    put(matrix, (start + column * size + row) * LANES + lane, value)
