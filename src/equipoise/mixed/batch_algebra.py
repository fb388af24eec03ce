"""Small dense linear algebra on eight trials at once, compiled into the kernels of the batch fit.

A matrix is a float64 array of vectors, row after row, that starts at a given position of an array (both counted in
vectors). Triangular factors keep the reciprocals of their diagonal.
"""

from __future__ import annotations

from .batch_lanes import apart, compiled, fill, fma, greater, load, root, store

__all__ = ["cholesky", "gram", "invert_lower", "outer_sandwich", "sandwich", "solve_lower", "solve_upper"]


@compiled
def cholesky(matrix, start, size, tolerance):
    """Factor a symmetric matrix given by its lower triangle in place; 1 where every pivot exceeds its share of the
    diagonal, 0 where the matrix is not clearly positive definite.
    """
    apart()
    one = fill(1.0)
    share = fill(tolerance)
    clear = one
    for j in range(size):
        row = start + j * size
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
            lower = start + i * size
            total = zero
            for k in range(j):
                total = fma(load(matrix, lower + k), load(matrix, row + k), total)
            store(matrix, lower + j, (load(matrix, lower + j) - total) * inverse)
    return clear


@compiled
def invert_lower(factor, start, size, inverse, into):
    """Inverse of a lower triangular factor (reciprocal diagonal) with true diagonal; its upper triangle untouched."""
    apart()
    zero = fill(0.0)
    for i in range(size):
        row = start + i * size
        reciprocal = load(factor, row + i)
        store(inverse, into + i * size + i, reciprocal)
        negative = zero - reciprocal
        for j in range(i):
            total = zero
            for k in range(j, i):
                total = fma(load(factor, row + k), load(inverse, into + k * size + j), total)
            store(inverse, into + i * size + j, total * negative)


@compiled
def gram(inverse, start, size, product, into):
    """R'R, whole, of a lower triangular R."""
    apart()
    for i in range(size):
        for j in range(i + 1):
            total = fill(0.0)
            for k in range(i, size):
                total = fma(load(inverse, start + k * size + i), load(inverse, start + k * size + j), total)
            store(product, into + i * size + j, total)
            store(product, into + j * size + i, total)


@compiled
def solve_lower(factor, start, size, vector, position):
    """L^-1 x in place, L with reciprocal diagonal."""
    apart()
    for i in range(size):
        total = load(vector, position + i)
        zero = fill(0.0)
        for k in range(i):
            total = fma(zero - load(factor, start + i * size + k), load(vector, position + k), total)
        store(vector, position + i, total * load(factor, start + i * size + i))


@compiled
def solve_upper(factor, start, size, vector, position):
    """L'^-1 x in place, L with reciprocal diagonal."""
    apart()
    zero = fill(0.0)
    for i in range(size - 1, -1, -1):
        total = load(vector, position + i)
        for k in range(i + 1, size):
            total = fma(zero - load(factor, start + k * size + i), load(vector, position + k), total)
        store(vector, position + i, total * load(factor, start + i * size + i))


@compiled
def sandwich(weight, start, size, middle, at, scratch, product, into):
    """W M W, whole, of symmetric W and M."""
    apart()
    for i in range(size):
        for j in range(size):
            total = fill(0.0)
            for k in range(size):
                total = fma(load(weight, start + i * size + k), load(middle, at + k * size + j), total)
            store(scratch, i * size + j, total)
    for i in range(size):
        for j in range(i + 1):
            total = fill(0.0)
            for k in range(size):
                total = fma(load(scratch, i * size + k), load(weight, start + k * size + j), total)
            store(product, into + i * size + j, total)
            store(product, into + j * size + i, total)


@compiled
def outer_sandwich(inverse, matrix, size, scratch, on, off, product, into):
    """The lower triangle of R M R', row after row, times `on` on the diagonal and `off` below it; R lower triangular, M
    symmetric and whole.
    """
    apart()
    for i in range(size):
        for j in range(size):
            total = fill(0.0)
            for k in range(j + 1):
                total = fma(load(matrix, i * size + k), load(inverse, j * size + k), total)
            store(scratch, i * size + j, total)
    position = into
    for i in range(size):
        for j in range(i + 1):
            total = fill(0.0)
            for k in range(i + 1):
                total = fma(load(inverse, i * size + k), load(scratch, k * size + j), total)
            store(product, position, total * fill(on if i == j else off))
            position += 1
