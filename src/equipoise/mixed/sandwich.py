"""Sandwich variance of the coefficients, clustered by patient, with its degrees of freedom.

With W_i = L_i L_i', X~_i = L_i'X_i, H_i = X~_i C X~_i' and A_i = I (CR0), (I - H_i)^-1/2 (CR2) or (I - H_i)^-1 (CR3),
the variance is C [sum_i s_i s_i'] C with s_i = X~_i'A_i L_i'r_i (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018). The
degrees of freedom of a contrast match the first two moments of the estimated variance under the working covariance:
(sum_i G_ii)^2 / sum_ij G_ij^2, where G_ij = [i = j] a_i'a_i - b_i'C b_j, a_i = A_i X~_i C c and b_i = X~_i'a_i.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cross_products import CrossProducts
from .errors import FitError
from .inference import spectral_f_test
from .optimise import Maximum

__all__ = ["Sandwich"]

Array = NDArray[np.floating[Any]]

_SINGULAR = 1e-8


class Sandwich:
    """The sandwich estimator of one kind, "CR0", "CR2" or "CR3", in standardised units."""

    def __init__(self, data: CrossProducts, maximum: Maximum, kind: str) -> None:
        point = maximum.point
        p = data.n_columns
        self._inner = point.inner
        self._blocks: list[tuple[Array, Array]] = []
        signed = np.append(-point.coefficients, 1.0)
        meat = np.zeros((p, p))
        for m, seen in enumerate(data.observed):
            rows = data.rows[data.pattern_of_patient == m][:, seen]
            root = np.linalg.cholesky(point.weight[m][np.ix_(seen, seen)])
            design = root.T @ rows[:, :, :p]
            residual = (rows @ signed) @ root
            adjusted = design
            if kind != "CR0":
                hat = design @ point.inner @ design.swapaxes(1, 2)
                values, vectors = np.linalg.eigh(np.eye(hat.shape[1]) - hat)
                usable = values > _SINGULAR
                if kind == "CR3" and not usable.all():
                    raise FitError("One patient alone determines a coefficient, so the CR3 variance does not exist.")
                power = -1.0 if kind == "CR3" else -0.5
                factors = np.where(usable, np.where(usable, values, 1.0) ** power, 0.0)
                adjusted = vectors @ (factors[:, :, None] * (vectors.swapaxes(1, 2) @ design))
            scores = (adjusted.swapaxes(1, 2) @ residual[:, :, None])[:, :, 0]
            meat += scores.T @ scores
            self._blocks.append((design, adjusted))
        self.variance = point.inner @ meat @ point.inner

    def degrees(self, contrasts: Array) -> Array:
        """(rows,) degrees of freedom of contrasts (rows, p)."""
        return np.array([self._of_one(contrast) for contrast in contrasts])

    def _of_one(self, contrast: Array) -> float:
        carried = self._inner @ contrast
        outer = np.zeros_like(self._inner)
        trace = own = 0.0
        for design, adjusted in self._blocks:
            a = adjusted @ carried
            b = (design.swapaxes(1, 2) @ a[:, :, None])[:, :, 0]
            length = (a * a).sum(axis=1)
            explained = np.einsum("ip,pq,iq->i", b, self._inner, b)
            trace += float((length - explained).sum())
            own += float((length * (length - 2 * explained)).sum())
            outer += b.T @ b
        product = outer @ self._inner
        return trace**2 / (own + float((product * product.T).sum()))

    def f_test(self, contrasts: Array, coefficients: Array) -> tuple[float, float]:
        """F statistic and denominator degrees of freedom, single degrees combined after Fai & Cornelius (1996)."""
        return spectral_f_test(contrasts, coefficients, self.variance, self.degrees)
