"""The exact observed information of eight trials at once, and what follows from it for one contrast.

With F_a = X'W V_a W X for every entry of the covariance, C = R'R and K_a = R F_a R', tr(C F_a C F_b) is the sum of the
products of the elements of K_a and K_b. The entries are taken one after another, so that only K_a need be kept.
"""

from __future__ import annotations

import math

from .algebra import outer_sandwich, solve_lower, solve_upper
from .lanes import compiled, fill, fma, load, pointer, store
from .likelihood import curvature, residuals

__all__ = ["adjustment", "contrast_variance", "exact_information"]


@compiled
def _carry_residuals(data, work):
    """W 1 and (B - A Theta) W of every pattern, to `sums` and `errors`."""
    n_patterns, sizes, n_visits, n_rows = data.n_patterns, data.sizes, data.n_visits, data.n_rows
    for m in range(n_patterns):
        size = sizes[m]
        weight, into = m * n_visits * n_visits, m * n_rows * n_visits
        residuals(data, m, work.solution, work.first, work.second)
        for j in range(size):
            total = fill(0.0)
            for k in range(size):
                total = total + load(work.weight, weight + j * size + k)
            store(work.sums, m * n_visits + j, total)
            for a in range(n_rows):
                total = fill(0.0)
                for k in range(size):
                    total = fma(load(work.first, a * size + k), load(work.weight, weight + k * size + j), total)
                store(work.errors, into + a * size + j, total)


@compiled
def _add_pattern(data, work, m, j, k, half, scores):
    """Add what a pattern contributes to F_a (lower triangle, in `third`) and s_a, where a is the entry of its j-th and
    k-th visit.
    """
    visits, n_visits, n_slopes, n_rows = data.visits, data.n_visits, data.n_slopes, data.n_rows
    size, common = data.sizes[m], n_rows - n_slopes
    first_common = n_slopes * n_visits
    p = first_common + common
    line_j, line_k = m * n_visits * n_visits + j * size, m * n_visits * n_visits + k * size
    design, errors = m * n_rows * n_rows, m * n_rows * n_visits
    sum_j, sum_k = load(work.sums, m * n_visits + j) * half, load(work.sums, m * n_visits + k) * half
    both = fill(0.0)
    for h in range(size):
        row = visits[m, h]
        at_j, at_k = load(work.weight, line_j + h) * half, load(work.weight, line_k + h) * half
        for a in range(n_slopes):
            place = a * n_visits + row
            value = fma(at_j, load(work.errors, errors + a * size + k), load(scores, place))
            store(scores, place, fma(at_k, load(work.errors, errors + a * size + j), value))
        for n in range(size):
            column = visits[m, n]
            value = fma(at_k, load(work.weight, line_j + n), at_j * load(work.weight, line_k + n))
            for a in range(n_slopes):
                line = (a * n_visits + row) * p + column
                for b in range(a + 1 if n <= h else a):
                    place = line + b * n_visits
                    known = load(work.third, place)
                    store(work.third, place, fma(load(data.design, design + a * n_rows + b), value, known))
        value = fma(sum_k, load(work.weight, line_j + h), sum_j * load(work.weight, line_k + h))
        both = both + value
        for c in range(common):
            line = (first_common + c) * p + row
            for a in range(n_slopes):
                place = line + a * n_visits
                known = load(data.design, design + (n_slopes + c) * n_rows + a)
                store(work.third, place, fma(known, value, load(work.third, place)))
    for c in range(common):
        place = first_common + c
        value = fma(sum_j, load(work.errors, errors + (n_slopes + c) * size + k), load(scores, place))
        store(scores, place, fma(sum_k, load(work.errors, errors + (n_slopes + c) * size + j), value))
        for d in range(c + 1):
            line = (first_common + c) * p + first_common + d
            known = load(data.design, design + (n_slopes + c) * n_rows + n_slopes + d)
            store(work.third, line, fma(known, both, load(work.third, line)))


@compiled
def exact_information(data, work):
    """The observed information at the point last evaluated, to `work.information` (lower triangle); with g = C c also g
    to `carrier`, s_a to `scores`, F_a g to `carried` and g'F_a g, the gradient of the variance, to `slope`.
    """
    n_visits, n_slopes, n_rows, restricted = data.n_visits, data.n_slopes, data.n_rows, data.restricted
    p = n_slopes * n_visits + n_rows - n_slopes
    pairs = n_visits * (n_visits + 1) // 2
    triangle = p * (p + 1) // 2
    features = triangle + p
    zero, one = fill(0.0), fill(1.0)
    curvature(data, fill(-0.5), one, one, work)
    for i in range(p):
        total = zero
        for k in range(p):
            total = fma(load(work.inner, i * p + k), load(work.contrast, k), total)
        store(work.carrier, i, total)
    _carry_residuals(data, work)
    a = 0
    for visit in range(n_visits):
        for other in range(visit + 1):
            scores, carried = pointer(work.scores, a * p), pointer(work.carried, a * p)
            for i in range(p):
                store(scores, i, zero)
                for j in range(i + 1):
                    store(work.third, i * p + j, zero)
            for m in range(data.n_patterns):
                j, k = data.ranks[m, visit], data.ranks[m, other]
                if j >= 0 and k >= 0:
                    _add_pattern(data, work, m, j, k, fill(data.halves[a]), scores)
            for i in range(p):
                for j in range(i):
                    store(work.third, j * p + i, load(work.third, i * p + j))
            slope = zero
            for i in range(p):
                total = zero
                for k in range(p):
                    total = fma(load(work.third, i * p + k), load(work.carrier, k), total)
                store(carried, i, total)
                slope = fma(total, load(work.carrier, i), slope)
            store(work.slope, a, slope)
            begin = a * features
            if restricted:
                into = pointer(work.features, begin)
                outer_sandwich(work.inverse, work.third, p, work.fourth, math.sqrt(0.5), 1.0, into)
            for i in range(p):
                total = zero
                for k in range(i + 1):
                    total = fma(load(work.inverse, i * p + k), load(scores, k), total)
                store(work.features, begin + triangle + i, total)
            a += 1
    _subtract_products(work.features, pairs, 0 if restricted else triangle, features, work.information)


@compiled
def _subtract_products(rows, n_rows, begin, end, product):
    """Take the products of rows, from a column to another, off the lower triangle of a square matrix."""
    for a in range(0, n_rows, 3):
        for b in range(0, a + 1, 3):
            aa = ab = ac = ba = bb = bc = ca = cb = cc = fill(0.0)
            first, second = a * end, b * end
            for i in range(begin, end):
                x, y, z = load(rows, first + i), load(rows, first + end + i), load(rows, first + 2 * end + i)
                u, v, w = load(rows, second + i), load(rows, second + end + i), load(rows, second + 2 * end + i)
                aa, ab, ac = fma(x, u, aa), fma(x, v, ab), fma(x, w, ac)
                ba, bb, bc = fma(y, u, ba), fma(y, v, bb), fma(y, w, bc)
                ca, cb, cc = fma(z, u, ca), fma(z, v, cb), fma(z, w, cc)
            _subtract_row(product, n_rows, a, b, aa, ab, ac)
            _subtract_row(product, n_rows, a + 1, b, ba, bb, bc)
            _subtract_row(product, n_rows, a + 2, b, ca, cb, cc)


@compiled
def _subtract_row(product, size, row, column, first, second, third):
    if row < size:
        at = row * size + column
        store(product, at, load(product, at) - first)
        if column + 1 <= row:
            store(product, at + 1, load(product, at + 1) - second)
        if column + 2 <= row:
            store(product, at + 2, load(product, at + 2) - third)


@compiled
def contrast_variance(p, pairs, work):
    """c'Cc at the point of the exact information; the inverse information times the gradient of it to `solved`."""
    variance = fill(0.0)
    for i in range(p):
        variance = fma(load(work.carrier, i), load(work.contrast, i), variance)
    for a in range(pairs):
        store(work.solved, a, load(work.slope, a))
    solve_lower(work.information, pairs, work.solved)
    solve_upper(work.information, pairs, work.solved)
    return variance


@compiled
def adjustment(data, work):
    """What Kenward and Roger (1997) add to the variance of the contrast: with g = C c and w the inverse information,
    2 sum_ab w_ab (g'Q_ab g - g'F_a C F_b g).
    """
    n_patterns, visits, sizes, n_visits = data.n_patterns, data.visits, data.sizes, data.n_visits
    n_slopes, n_rows = data.n_slopes, data.n_rows
    p = n_slopes * n_visits + n_rows - n_slopes
    first_common = n_slopes * n_visits - n_slopes
    pairs = n_visits * (n_visits + 1) // 2
    zero = fill(0.0)
    # Columns of the inverse, whole, by solving for unit vectors.
    for a in range(pairs):
        for b in range(pairs):
            store(work.inverse_information, a * pairs + b, fill(1.0 if a == b else 0.0))
        solve_lower(work.information, pairs, pointer(work.inverse_information, a * pairs))
        solve_upper(work.information, pairs, pointer(work.inverse_information, a * pairs))
    result = zero
    for a in range(pairs):
        for i in range(p):
            total = zero
            for k in range(i + 1):
                total = fma(load(work.inverse, i * p + k), load(work.carried, a * p + k), total)
            store(work.scores, a * p + i, total)
    for a in range(pairs):
        for b in range(a + 1):
            total = zero
            for i in range(p):
                total = fma(load(work.scores, a * p + i), load(work.scores, b * p + i), total)
            share = load(work.inverse_information, a * pairs + b) * fill(1.0 if a == b else 2.0)
            result = fma(zero - share, total, result)
    for m in range(n_patterns):
        size = sizes[m]
        weight = m * n_visits * n_visits
        # Products of X_i g over patients, A Gamma to `scratch` and Gamma'A Gamma to `first`.
        for j in range(size):
            for a in range(n_rows):
                total = zero
                for b in range(n_rows):
                    place = b * n_visits + visits[m, j] if b < n_slopes else first_common + b
                    total = fma(load(data.design, (m * n_rows + a) * n_rows + b), load(work.carrier, place), total)
                store(work.fourth, a * size + j, total)
        for j in range(size):
            for k in range(size):
                total = zero
                for a in range(n_rows):
                    place = a * n_visits + visits[m, k] if a < n_slopes else first_common + a
                    total = fma(load(work.fourth, a * size + j), load(work.carrier, place), total)
                store(work.first, j * size + k, total)
        for j in range(size):
            for n in range(size):
                total = zero
                for k in range(size):
                    total = fma(load(work.weight, weight + j * size + k), load(work.first, k * size + n), total)
                store(work.fourth, j * size + n, total)
        for j in range(size):
            for n in range(size):
                around = zero
                for k in range(size):
                    around = fma(load(work.fourth, j * size + k), load(work.weight, weight + k * size + n), around)
                middle = zero
                for k in range(size):
                    row = _pair(visits[m, j], visits[m, k]) * pairs
                    for h in range(size):
                        share = load(work.inverse_information, row + _pair(visits[m, h], visits[m, n]))
                        middle = fma(share, load(work.weight, weight + k * size + h), middle)
                result = fma(around, middle, result)
    return result + result


@compiled
def _pair(first, second):
    if first < second:
        first, second = second, first
    return first * (first + 1) // 2 + second
