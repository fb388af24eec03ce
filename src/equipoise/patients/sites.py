"""Sites: where a patient is seen, how ill its patients are, how much they gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .draws import Draws

__all__ = ["SiteEffects"]


@dataclass(frozen=True, eq=False)
class SiteEffects:
    """Random effects of sites (Fleiss 1986, Control Clin Trials 7:267), drawn anew in every trial.

    A patient of arm a at site s is shifted at visit v by

        mean_sd u[s] + growth[v] effect_sd / sqrt(2) w[s, a]

    with u and w independent standard normal numbers. Means over sites stay those of the arms; the difference between
    any two arms differs between sites with SD `effect_sd` at the last visit. The arms' SDs are those within a site.

    Attributes
    ----------
    shares
        Of the patients, shape (sites,); each patient's site is drawn from them, whoever else is there.
    mean_sd, effect_sd
        In points.
    growth
        Part of the effect there is at each visit: time since baseline over that of the last visit, shape (visits,).
    """

    shares: NDArray[np.float64]
    mean_sd: float
    effect_sd: float
    growth: NDArray[np.float64]

    @classmethod
    def of(cls, shares: Sequence[float], mean_sd: float, effect_sd: float, days: Sequence[float]) -> SiteEffects:
        """Sites with those shares; `days` are the planned ones of the visits, baseline first."""
        since = np.array(days, dtype=np.float64) - days[0]
        return cls(np.array(shares, dtype=np.float64), mean_sd, effect_sd, since / since[-1])

    def site(self, draws: Draws, patients: int) -> NDArray[np.intp]:
        """Number of each patient's site from 0, shape (trials, patients)."""
        return np.searchsorted(np.cumsum(self.shares)[:-1], draws.uniform("site", patients), side="right")

    def shifts(
        self, draws: Draws, site: NDArray[np.intp], arm: NDArray[np.intp], arms: int
    ) -> NDArray[np.float64] | None:
        """Points to add at each visit, shape (trials, patients, visits); None where sites do not differ.

        Parameters
        ----------
        site, arm
            Shape (trials, patients).
        arms
            How many there are.
        """
        sites = len(self.shares)
        points: NDArray[np.float64] | None = None
        if self.effect_sd:
            effects = draws.normal("site effects", sites, arms).reshape(len(site), -1)
            own = np.take_along_axis(effects, site * arms + arm, axis=1)
            points = (self.effect_sd / np.sqrt(2) * own)[:, :, None] * self.growth
        if self.mean_sd:
            means = np.take_along_axis(draws.normal("site means", sites), site, axis=1)[:, :, None] * self.mean_sd
            points = np.repeat(means, len(self.growth), axis=2) if points is None else points + means
        return points
