"""Which columns of a design are combinations of others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import FitError

__all__ = ["aliases", "orthonormalised"]

Array = NDArray[np.floating[Any]]

_TOLERANCE = 1e-7
_CLEARLY_INDEPENDENT = 1e-4
_NO_PART = 1e-9


def _independent(x: Array) -> tuple[Array, Array | None]:
    """Lengths of the columns and, where these are clearly independent, their cosines."""
    lengths = np.sqrt(np.einsum("np,np->p", x, x))
    if x.shape[1] > x.shape[0] or not (lengths > 0).all():
        return lengths, None
    cosines = (x.T @ x) / np.outer(lengths, lengths)
    return lengths, cosines if np.linalg.eigvalsh(cosines)[0] > _CLEARLY_INDEPENDENT else None


def aliases(x: Array) -> tuple[NDArray[np.bool_], Array]:
    """Which columns to keep, going from left to right, and the others as combinations of them (kept, left out)."""
    kept = np.ones(x.shape[1], dtype=bool)
    lengths, cosines = _independent(x)
    if cosines is not None:
        return kept, np.empty((x.shape[1], 0))
    basis = np.empty((x.shape[0], 0))
    for index in range(x.shape[1]):
        rest = x[:, index]
        for _ in range(2):
            rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length <= _TOLERANCE * lengths[index]:
            kept[index] = False
        else:
            basis = np.column_stack([basis, rest / length])
    scaled = x / np.where(lengths > 0, lengths, 1.0)
    found = np.linalg.lstsq(scaled[:, kept], scaled[:, ~kept], rcond=None)[0]
    found[np.abs(found) < _NO_PART] = 0.0
    return kept, found * lengths[~kept] / lengths[kept][:, None]


def orthonormalised(x: Array, names: tuple[str, ...]) -> tuple[Array, Array]:
    """Q and R of x = QR; raises `FitError` where x is short of rank.

    By Cholesky factors of x'x, twice, where the columns are clearly independent, which is as accurate as Householder's
    QR (Yamamoto et al. 2015, Electron Trans Numer Anal 44:306) and many times as fast; else by Householder's.
    """
    lengths, cosines = _independent(x)
    if cosines is not None:
        first = np.linalg.cholesky(cosines)
        nearly = (x / lengths) @ np.linalg.inv(first).T
        second = np.linalg.cholesky(nearly.T @ nearly)
        return nearly @ np.linalg.inv(second).T, (second.T @ first.T) * lengths
    orthonormal, triangle = np.linalg.qr(x)
    short = np.abs(np.diagonal(triangle)) <= _TOLERANCE * lengths
    if short.any():
        aliased = ", ".join(name for name, is_short in zip(names, short, strict=True) if is_short)
        raise FitError(f"The design is short of rank: {aliased} is a combination of the columns before it.")
    return orthonormal, triangle
