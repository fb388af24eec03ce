"""The (restricted) likelihood of eight trials at once: weights, coefficients, gradient and information.

The formulas are those of `likelihood`; see there. With H = sum_i X_i C X_i' and S = sum_i r_i r_i' of a pattern the
gradient and all of the observed information but two terms follow from the matrices n W, W H W and W S W. The two terms,
tr(C F_a C F_b) and s_a'C s_b with s_a = X'W V_a W r, are of relative size columns / patients. On the way to the maximum
the first is taken as if the data were complete and every column had a slope of its own at each visit, when it equals
sum_m tr(W V_a W V_b W H), and the second as zero; at the maximum both are computed (`information`).
"""

from __future__ import annotations

from .algebra import cholesky, gram, invert_lower, sandwich
from .lanes import compiled, fill, fma, load, pointer, store

__all__ = ["curvature", "evaluate", "gradient", "inside", "residuals", "solve_normal", "whiten"]

_PIVOT_OF_DESIGN = 1e-10
_PIVOT_OF_COVARIANCE = 1e-4


@compiled
def whiten(data, work):
    """Replace a by R a with sum R a a'R' = 1, R lower triangular, which leaves the model as it is; 1 where it could be
    done. R goes to `work.whitener`.
    """
    n_patterns, sizes, n_visits, n_rows = data.n_patterns, data.sizes, data.n_visits, data.n_rows
    total, whitener, scratch = work.normal, work.whitener, work.first
    for a in range(n_rows):
        for b in range(a + 1):
            value = fill(0.0)
            for m in range(n_patterns):
                value = value + load(data.design, (m * n_rows + a) * n_rows + b)
            store(total, a * n_rows + b, value)
    clear = cholesky(total, n_rows, _PIVOT_OF_DESIGN)
    invert_lower(total, n_rows, whitener)
    for m in range(n_patterns):
        at = m * n_rows * n_rows
        for a in range(n_rows):
            for b in range(n_rows):
                value = fill(0.0)
                for k in range(a + 1):
                    value = fma(load(whitener, a * n_rows + k), load(data.design, at + k * n_rows + b), value)
                store(scratch, a * n_rows + b, value)
        for a in range(n_rows):
            for b in range(a + 1):
                value = fill(0.0)
                for k in range(b + 1):
                    value = fma(load(scratch, a * n_rows + k), load(whitener, b * n_rows + k), value)
                store(data.design, at + a * n_rows + b, value)
                store(data.design, at + b * n_rows + a, value)
        at, size = m * n_rows * n_visits, sizes[m]
        for a in range(n_rows - 1, -1, -1):
            for j in range(size):
                value = fill(0.0)
                for k in range(a + 1):
                    value = fma(load(whitener, a * n_rows + k), load(data.cross, at + k * size + j), value)
                store(data.cross, at + a * size + j, value)
    return clear


@compiled
def inside(n_visits, work):
    """1 where the covariance is well inside its space."""
    for j in range(n_visits):
        for k in range(j + 1):
            store(work.first, j * n_visits + k, load(work.covariance, j * n_visits + k))
    return cholesky(work.first, n_visits, _PIVOT_OF_COVARIANCE)


@compiled
def _weigh(data, work):
    """Inverse covariance of the visits seen, for every pattern."""
    n_patterns, visits, sizes, n_visits = data.n_patterns, data.visits, data.sizes, data.n_visits
    for m in range(n_patterns):
        size = sizes[m]
        for j in range(size):
            for k in range(j + 1):
                store(work.first, j * size + k, load(work.covariance, visits[m, j] * n_visits + visits[m, k]))
        cholesky(work.first, size, 0.0)
        invert_lower(work.first, size, work.second)
        gram(work.second, size, pointer(work.weight, m * n_visits * n_visits))


@compiled
def solve_normal(data, work):
    """X'WX, the inverse of its factor, C and the coefficients C X'Wy; 1 where the columns are independent."""
    n_patterns, visits, sizes, n_visits = data.n_patterns, data.visits, data.sizes, data.n_visits
    n_slopes, n_rows = data.n_slopes, data.n_rows
    common = n_rows - n_slopes
    p = n_slopes * n_visits + common
    first_common = n_slopes * n_visits
    zero = fill(0.0)
    for i in range(p):
        store(work.right, i, zero)
        for j in range(i + 1):
            store(work.normal, i * p + j, zero)
    for m in range(n_patterns):
        size = sizes[m]
        weight, design, cross = m * n_visits * n_visits, m * n_rows * n_rows, m * n_rows * n_visits
        everything = zero
        for j in range(size):
            row = visits[m, j]
            sums = zero
            for k in range(size):
                value = load(work.weight, weight + j * size + k)
                sums = sums + value
                column = visits[m, k]
                for a in range(n_slopes):
                    line = (a * n_visits + row) * p + column
                    for b in range(a):
                        at = line + b * n_visits
                        store(
                            work.normal,
                            at,
                            fma(load(data.design, design + a * n_rows + b), value, load(work.normal, at)),
                        )
                    if k <= j:
                        at = line + a * n_visits
                        store(
                            work.normal,
                            at,
                            fma(load(data.design, design + a * n_rows + a), value, load(work.normal, at)),
                        )
                    at = a * n_visits + row
                    store(work.right, at, fma(load(data.cross, cross + a * size + k), value, load(work.right, at)))
            everything = everything + sums
            for c in range(common):
                line = (first_common + c) * p + row
                for a in range(n_slopes):
                    at = line + a * n_visits
                    value = load(data.design, design + (n_slopes + c) * n_rows + a)
                    store(work.normal, at, fma(value, sums, load(work.normal, at)))
                at = first_common + c
                value = load(data.cross, cross + (n_slopes + c) * size + j)
                store(work.right, at, fma(value, sums, load(work.right, at)))
        for c in range(common):
            for d in range(c + 1):
                at = (first_common + c) * p + first_common + d
                value = load(data.design, design + (n_slopes + c) * n_rows + n_slopes + d)
                store(work.normal, at, fma(value, everything, load(work.normal, at)))
    clear = cholesky(work.normal, p, _PIVOT_OF_DESIGN)
    invert_lower(work.normal, p, work.inverse)
    gram(work.inverse, p, work.inner)
    for i in range(p):
        total = zero
        for k in range(p):
            total = fma(load(work.inner, i * p + k), load(work.right, k), total)
        store(work.solution, i, total)
    return clear


@compiled
def residuals(data, m, coefficients, cross, into):
    """B - A Theta of a pattern to the start of `cross`, and the sum of squares and products of its residuals."""
    visits, sizes, n_visits, n_slopes = data.visits, data.sizes, data.n_visits, data.n_slopes
    n_rows = data.n_rows
    size = sizes[m]
    first_common = n_slopes * n_visits - n_slopes
    zero = fill(0.0)
    origin = m * n_rows * n_visits
    for j in range(size):
        visit = visits[m, j]
        for a in range(n_rows):
            total = load(data.cross, origin + a * size + j)
            for b in range(n_rows):
                place = b * n_visits + visit if b < n_slopes else first_common + b
                value = load(data.design, (m * n_rows + a) * n_rows + b)
                total = fma(zero - value, load(coefficients, place), total)
            store(cross, a * size + j, total)
    for j in range(size):
        visit = visits[m, j]
        for k in range(j + 1):
            other = visits[m, k]
            total = load(data.outcome, m * n_visits * n_visits + j * size + k)
            for a in range(n_rows):
                place = a * n_visits + visit if a < n_slopes else first_common + a
                total = fma(zero - load(coefficients, place), load(data.cross, origin + a * size + k), total)
                place = a * n_visits + other if a < n_slopes else first_common + a
                total = fma(zero - load(coefficients, place), load(cross, a * size + j), total)
            store(into, j * size + k, total)
            store(into, k * size + j, total)


@compiled
def _spread(data, m, inner, into):
    """sum_i X_i C X_i' over the patients of a pattern."""
    visits, sizes, n_visits, n_slopes = data.visits, data.sizes, data.n_visits, data.n_slopes
    n_rows = data.n_rows
    size = sizes[m]
    p = n_slopes * n_visits + n_rows - n_slopes
    first_common = n_slopes * n_visits - n_slopes
    for j in range(size):
        for k in range(j + 1):
            total = fill(0.0)
            for a in range(n_rows):
                row = a * n_visits + visits[m, j] if a < n_slopes else first_common + a
                for b in range(n_rows):
                    column = b * n_visits + visits[m, k] if b < n_slopes else first_common + b
                    value = load(data.design, (m * n_rows + a) * n_rows + b)
                    total = fma(value, load(inner, row * p + column), total)
            store(into, j * size + k, total)
            store(into, k * size + j, total)


@compiled
def gradient(data, work):
    """Derivatives over the entries of the covariance at the point last evaluated."""
    n_patterns, visits, sizes, n_visits = data.n_patterns, data.visits, data.sizes, data.n_visits
    restricted = data.restricted
    zero = fill(0.0)
    for a in range(n_visits * (n_visits + 1) // 2):
        store(work.gradient, a, zero)
    for m in range(n_patterns):
        size = sizes[m]
        at = m * n_visits * n_visits
        count = load(data.count, m)
        for j in range(size):
            row = visits[m, j] * (visits[m, j] + 1) // 2
            for k in range(j + 1):
                here = at + j * size + k
                total = load(work.squared, here) - count * load(work.weight, here)
                if restricted:
                    total = total + load(work.traced, here)
                place = row + visits[m, k]
                half = fill(0.5 if j == k else 1.0)
                store(work.gradient, place, fma(half, total, load(work.gradient, place)))


@compiled
def evaluate(data, work):
    """Weights, coefficients, W S W and W H W of every pattern; 1 where all could be had."""
    n_patterns, sizes, n_visits, restricted = data.n_patterns, data.sizes, data.n_visits, data.restricted
    clear = inside(n_visits, work)
    _weigh(data, work)
    clear = clear * solve_normal(data, work)
    for m in range(n_patterns):
        size = sizes[m]
        at = m * n_visits * n_visits
        weight, squared = pointer(work.weight, at), pointer(work.squared, at)
        residuals(data, m, work.solution, work.first, squared)
        sandwich(weight, size, squared, work.first, squared)
        if restricted:
            traced = pointer(work.traced, at)
            _spread(data, m, work.inner, traced)
            sandwich(weight, size, traced, work.first, traced)
    return clear


@compiled
def curvature(data, counted, traced, squared, work):
    """Lower triangle of sum_m tr(W V_a W V_b W (counted n V + traced H + squared S)), made symmetric.

    `halves` (pairs,) is a half for variances and one for covariances; `places` (pairs, pairs, 4) says where in `outer`
    the four products of a pair of entries stand.
    """
    n_patterns, visits, sizes, halves = data.n_patterns, data.visits, data.sizes, data.halves
    places, n_visits, restricted = data.places, data.n_visits, data.restricted
    pairs = n_visits * (n_visits + 1) // 2
    zero = fill(0.0)
    for x in range(pairs):
        for y in range(x + 1):
            store(work.outer, x * pairs + y, zero)
    for m in range(n_patterns):
        size = sizes[m]
        at = m * n_visits * n_visits
        count = load(data.count, m) * counted
        position = 0
        for j in range(size):
            for k in range(j + 1):
                here = at + j * size + k
                total = fma(count, load(work.weight, here), squared * load(work.squared, here))
                if restricted:
                    total = fma(traced, load(work.traced, here), total)
                store(work.first, position, total)
                position += 1
        x = 0
        for j in range(size):
            for k in range(j + 1):
                weight, middle = load(work.weight, at + j * size + k), load(work.first, x)
                line = (visits[m, j] * (visits[m, j] + 1) // 2 + visits[m, k]) * pairs
                y = 0
                for h in range(j + 1):
                    column = line + visits[m, h] * (visits[m, h] + 1) // 2
                    for n in range(h + 1 if h < j else k + 1):
                        place = column + visits[m, n]
                        value = fma(weight, load(work.first, y), load(work.outer, place))
                        store(work.outer, place, fma(middle, load(work.weight, at + h * size + n), value))
                        y += 1
                x += 1
    for a in range(pairs):
        for b in range(a + 1):
            total = load(work.outer, places[a, b, 0]) + load(work.outer, places[a, b, 1])
            total = total + load(work.outer, places[a, b, 2]) + load(work.outer, places[a, b, 3])
            store(work.information, a * pairs + b, total * fill(0.5 * halves[a] * halves[b]))
