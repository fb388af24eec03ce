"""Small dense linear algebra on eight trials at once, compiled into the kernels of the batch fit.

A matrix is given by a pointer to its vectors, row after row. Triangular factors keep the reciprocals of their diagonal.
"""

from __future__ import annotations

from .lanes import compiled, fill, fma, greater, load, root, store

__all__ = ["cholesky", "gram", "invert_lower", "outer_sandwich", "sandwich", "solve_lower", "solve_upper"]


@compiled
def cholesky(matrix, size, tolerance):
    """Factor a symmetric matrix given by its lower triangle in place; 1 where every pivot exceeds its share of the
    diagonal, 0 where the matrix is not clearly positive definite.
    """
    one = fill(1.0)
    share = fill(tolerance)
    clear = one
    for j in range(size):
        row = j * size
        diagonal = load(matrix, row + j)
        pivot = diagonal
        zero = fill(0.0)
        for k in range(j):
            value = load(matrix, row + k)
            pivot = fma(zero - value, value, pivot)
        clear = clear * greater(pivot, share * diagonal)
        inverse = one / root(pivot)
        store(matrix, row + j, inverse)
        for i in range(j + 1, size):
            lower = i * size
            total = zero
            for k in range(j):
                total = fma(load(matrix, lower + k), load(matrix, row + k), total)
            store(matrix, lower + j, (load(matrix, lower + j) - total) * inverse)
    return clear


@compiled
def invert_lower(factor, size, inverse):
    """Inverse of a lower triangular factor (reciprocal diagonal) with true diagonal; its upper triangle untouched."""
    zero = fill(0.0)
    for i in range(size):
        row = i * size
        reciprocal = load(factor, row + i)
        store(inverse, i * size + i, reciprocal)
        negative = zero - reciprocal
        for j in range(i):
            total = zero
            for k in range(j, i):
                total = fma(load(factor, row + k), load(inverse, k * size + j), total)
            store(inverse, i * size + j, total * negative)


@compiled
def gram(inverse, size, product):
    """R'R, whole, of a lower triangular R."""
    for i in range(size):
        for j in range(i + 1):
            total = fill(0.0)
            for k in range(i, size):
                total = fma(load(inverse, k * size + i), load(inverse, k * size + j), total)
            store(product, i * size + j, total)
            store(product, j * size + i, total)


@compiled
def solve_lower(factor, size, vector):
    """L^-1 x in place, L with reciprocal diagonal."""
    for i in range(size):
        total = load(vector, i)
        zero = fill(0.0)
        for k in range(i):
            total = fma(zero - load(factor, i * size + k), load(vector, k), total)
        store(vector, i, total * load(factor, i * size + i))


@compiled
def solve_upper(factor, size, vector):
    """L'^-1 x in place, L with reciprocal diagonal."""
    zero = fill(0.0)
    for i in range(size - 1, -1, -1):
        total = load(vector, i)
        for k in range(i + 1, size):
            total = fma(zero - load(factor, k * size + i), load(vector, k), total)
        store(vector, i, total * load(factor, i * size + i))


@compiled
def sandwich(weight, size, middle, scratch, product):
    """W M W, whole, of symmetric W and M."""
    for i in range(size):
        for j in range(size):
            total = fill(0.0)
            for k in range(size):
                total = fma(load(weight, i * size + k), load(middle, k * size + j), total)
            store(scratch, i * size + j, total)
    for i in range(size):
        for j in range(i + 1):
            total = fill(0.0)
            for k in range(size):
                total = fma(load(scratch, i * size + k), load(weight, k * size + j), total)
            store(product, i * size + j, total)
            store(product, j * size + i, total)


@compiled
def outer_sandwich(inverse, matrix, size, scratch, on, off, product):
    """The lower triangle of R M R', row after row, times `on` on the diagonal and `off` below it; R lower triangular, M
    symmetric and whole.
    """
    zero = fill(0.0)
    # Three sums at a time: each number loaded serves thrice.
    blocked = size - size % 3
    for i in range(0, blocked, 3):
        one, two, three = i * size, (i + 1) * size, (i + 2) * size
        for j in range(size):
            first = second = third = zero
            for k in range(j + 1):
                shared = load(inverse, j * size + k)
                first = fma(load(matrix, one + k), shared, first)
                second = fma(load(matrix, two + k), shared, second)
                third = fma(load(matrix, three + k), shared, third)
            store(scratch, one + j, first)
            store(scratch, two + j, second)
            store(scratch, three + j, third)
    for i in range(blocked, size):
        for j in range(size):
            first = zero
            for k in range(j + 1):
                first = fma(load(matrix, i * size + k), load(inverse, j * size + k), first)
            store(scratch, i * size + j, first)
    for i in range(size):
        row = i * (i + 1) // 2
        for j in range(0, i + 1, 3):
            first = second = third = zero
            for k in range(i + 1):
                shared = load(inverse, i * size + k)
                first = fma(shared, load(scratch, k * size + j), first)
                second = fma(shared, load(scratch, k * size + min(j + 1, i)), second)
                third = fma(shared, load(scratch, k * size + min(j + 2, i)), third)
            store(product, row + j, first * fill(on if i == j else off))
            if j + 1 <= i:
                store(product, row + j + 1, second * fill(on if i == j + 1 else off))
            if j + 2 <= i:
                store(product, row + j + 2, third * fill(on if i == j + 2 else off))
