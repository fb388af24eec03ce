"""Exact probabilities of stopping at each look of a trial of normal outcomes whose looks are t tests.

The difference of means D_k at look k and the residual sum of squares R_k (both in standard deviations of an outcome)
are independent, N(effect, v_k) and chi-square with f_k degrees of freedom. With m = f_k - f_(k-1) new patients the step
back to look k - 1 needs nothing else: R_(k-1) / R_k is Beta(f_(k-1) / 2, m / 2), and D_(k-1) = D_k - w sqrt(v_(k-1) -
v_k), where w is one coordinate of a point uniform on the sphere of m dimensions whose squared radius is R_k - R_(k-1).
Integrating backwards over that chain gives what Jennison & Turnbull (1991, Biometrika 78:133) find forwards. Nothing of
the package is used here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betainc, betaln, ndtr, stdtrit
from scipy.stats import chi2

_REACH = 6.5


def t_bound(z, freedom):
    """The t with the tail probability of z."""
    z = np.clip(z, -37.0, 37.0)
    return np.where(z > 0, -stdtrit(freedom, ndtr(-np.abs(z))), stdtrit(freedom, ndtr(-np.abs(z))))


@dataclass
class SequentialT:
    """A trial of two arms.

    Attributes
    ----------
    patients
        Seen at each look, in arms as equal as can be.
    lower, upper
        Bounds on z at each look between which the trial goes on; t statistics enter by their tail probability.
    effect
        Difference of the means in standard deviations.
    order
        Points of each of the Gauss-Legendre rules; by default enough for 1e-8 with two looks, 1e-5 with three.
    """

    patients: tuple[int, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    effect: float
    order: int = 0

    @cached_property
    def freedom(self):
        """Degrees of freedom at each look."""
        return np.array(self.patients) - 2

    @cached_property
    def variance(self):
        """Of the difference of the means at each look."""
        return np.array([1 / (count // 2) + 1 / (count - count // 2) for count in self.patients])

    @cached_property
    def _rule(self):
        """Nodes and weights on (0, 1)."""
        order = self.order or {1: 40, 2: 24}.get(len(self.patients), 16)
        nodes, weights = np.polynomial.legendre.leggauss(order)
        return (1 + nodes) / 2, weights / 2

    def _edges(self, look, squares):
        """Differences between which the trial goes on at a look with these sums of squares."""
        error = np.sqrt(self.variance[look] * squares / self.freedom[look])
        freedom = self.freedom[look]
        return [float(t_bound(bound[look], freedom)) * error for bound in (self.lower, self.upper)]

    def _before(self, look, difference, squares):
        """Probability of having gone on at all earlier looks, given the state at this one (arrays alike)."""
        if look == 0:
            return np.ones(np.broadcast_shapes(difference.shape, squares.shape))
        nodes, rule = self._rule
        f, more = self.freedom[look - 1], self.freedom[look] - self.freedom[look - 1]
        mean, spread = f / (f + more), np.sqrt(2 * f * more / (f + more) ** 2 / (f + more + 2))
        low, high = max(mean - _REACH * spread, 0.0), min(mean + _REACH * spread, 1.0)
        share = low + (high - low) * nodes
        density = np.exp((f / 2 - 1) * np.log(share) + (more / 2 - 1) * np.log1p(-share) - betaln(f / 2, more / 2))
        earlier = squares[..., None] * share
        radius = np.sqrt((squares[..., None] - earlier) * (self.variance[look - 1] - self.variance[look]))
        ends = [
            np.clip((difference[..., None] - edge) / radius, -1.0, 1.0) for edge in self._edges(look - 1, earlier)[::-1]
        ]
        weights = rule * (high - low) * density
        if look == 1:
            return (_coordinate_below(ends[1], more) - _coordinate_below(ends[0], more)) @ weights
        reach = min(1.0, _REACH * 1.2 / np.sqrt(more))
        ends = [np.clip(end, -reach, reach) for end in ends]
        at = ends[0][..., None] + (ends[1] - ends[0])[..., None] * nodes
        inner = np.exp((more - 3) / 2 * np.log1p(-np.minimum(at**2, 1 - 1e-15)) - betaln(0.5, (more - 1) / 2))
        inner = inner * self._before(
            look - 1,
            difference[..., None, None] - at * radius[..., None],
            np.broadcast_to(earlier[..., None], at.shape),
        )
        return ((inner @ rule) * (ends[1] - ends[0])) @ weights

    def exits(self):
        """Probabilities of first leaving above and below at each look; shape (2, looks)."""
        found = np.empty((2, len(self.patients)))
        nodes, rule = self._rule
        for look, freedom in enumerate(self.freedom):
            low, high = (np.sqrt(chi2.isf(tail, freedom)) for tail in (1 - 1e-11, 1e-11))
            root = low + (high - low) * nodes
            mass = rule * (high - low) * 2 * root * chi2.pdf(root**2, freedom)
            error = np.sqrt(self.variance[look])
            edges = [(edge - self.effect) / error for edge in self._edges(look, root**2)]
            for side, edge in ((0, np.minimum(-edges[1], _REACH)), (1, np.minimum(edges[0], _REACH))):
                sign = -1 if side == 0 else 1
                inside = np.maximum(edge + _REACH, 0.0)
                at = edge[:, None] - inside[:, None] * nodes
                normal = np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi) * rule * inside[:, None]
                state = self.effect + sign * at * error
                squares = np.broadcast_to((root**2)[:, None], state.shape)
                found[side, look] = mass @ (normal * self._before(look, state, squares)).sum(axis=1)
        return found


def _coordinate_below(value, dimensions):
    """Distribution function of one coordinate of a point uniform on the unit sphere."""
    return 0.5 + 0.5 * np.sign(value) * betainc(0.5, (dimensions - 1) / 2, value**2)
