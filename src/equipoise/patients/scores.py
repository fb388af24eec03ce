"""Whole-number scores with a given mean and SD, kept inside the range of their scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ScoreDistribution"]

ROUNDING_VARIANCE = 1 / 12


@dataclass(frozen=True, slots=True)
class ScoreDistribution:
    """The law of one total score: a beta distribution stretched over the scale and rounded to whole points.

    The beta lives on (minimum - 1/2, maximum + 1/2), its variance is lessened by the 1/12 that rounding adds
    (Sheppard), so the rounded score has the asked mean and SD to about 0.01 points wherever the scale's ends are
    not crowded. A score is made of a standard normal value by its quantile (the Gaussian copula; Cario & Nelson
    1997), so correlation is given on that latent scale.

    Attributes
    ----------
    minimum
        Lowest score.
    thresholds
        Latent standard normal values at which the score rises by one point, shape (maximum - minimum,).
    probabilities
        Of each whole score from the lowest up, shape (maximum - minimum + 1,).
    """

    minimum: float
    thresholds: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    @classmethod
    def with_moments(cls, mean: float, sd: float, minimum: float, maximum: float) -> ScoreDistribution:
        """The distribution with that mean and SD, in points; raises `InputError` where the scale cannot hold them."""
        from scipy.special import betainc, ndtri

        width = maximum - minimum + 1
        place = (mean - minimum + 0.5) / width
        variance = (sd**2 - ROUNDING_VARIANCE) / width**2
        if not minimum < mean < maximum:
            raise InputError("mean", mean, f"a mean between {minimum:g} and {maximum:g}")
        if not 0 < variance < place * (1 - place):
            raise InputError(
                "sd", sd, f"an SD that a mean of {mean:g} on {minimum:g} to {maximum:g} allows, at least 0.5"
            )
        concentration = place * (1 - place) / variance - 1
        cuts = np.arange(1, round(width)) / width
        below = betainc(place * concentration, (1 - place) * concentration, cuts)
        return cls(minimum, ndtri(below), np.diff(below, prepend=0.0, append=1.0))

    @property
    def scores(self) -> NDArray[np.float64]:
        """Every score of the scale, in points."""
        return self.minimum + np.arange(len(self.probabilities), dtype=np.float64)

    @property
    def mean(self) -> float:
        """Exact mean of the rounded score."""
        return float(self.scores @ self.probabilities)

    @property
    def sd(self) -> float:
        """Exact SD of the rounded score."""
        return float(np.sqrt((self.scores - self.mean) ** 2 @ self.probabilities))

    def at(self, latent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores that belong to latent standard normal values, any shape."""
        return self.minimum + np.searchsorted(self.thresholds, latent).astype(float)
