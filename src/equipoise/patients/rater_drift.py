"""Raters who change over the calendar, and who differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data import DAYS_PER_YEAR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .draws import Draws

__all__ = ["RaterShifts"]


@dataclass(frozen=True, eq=False)
class RaterShifts:
    """What raters add to the scores they give, whatever the arm.

    A score given on day d of the trial by rater r is shifted by

        points_per_year d / 365.25 + sd u[r]

    with u independent standard normal numbers, drawn anew in every trial. A patient keeps one rater throughout; each
    site has raters of its own. Randomisation makes both alike in all arms.

    Attributes
    ----------
    points_per_year
        Drift; day 0 is that of the first patient's entry.
    raters
        At each site, or in the trial where there are none; 0 where raters do not differ.
    sd
        Between raters, in points.
    sites
        How many, 1 where there are none.
    """

    points_per_year: float
    raters: int
    sd: float
    sites: int

    def rater(self, draws: Draws, patients: int, site: NDArray[np.intp] | None) -> NDArray[np.intp]:
        """Number of each patient's rater from 0, all those of a site alike likely, shape (trials, patients)."""
        own = np.floor(draws.uniform("rater", patients) * self.raters).astype(np.intp)
        return own if site is None else own + site * self.raters

    def shifts(
        self, draws: Draws, site: NDArray[np.intp] | None, day: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """Points to add at each visit, shape (trials, patients, visits); None where raters neither drift nor differ.

        Parameters
        ----------
        site
            Shape (trials, patients), None without sites.
        day
            Of the trial on which each visit takes place, shape (trials, patients, visits).
        """
        points: NDArray[np.float64] | None = None
        if self.points_per_year:
            points = day * (self.points_per_year / DAYS_PER_YEAR)
        if self.raters and self.sd:
            offsets = draws.normal("raters", self.sites * self.raters)
            own = np.take_along_axis(offsets, self.rater(draws, day.shape[1], site), axis=1)[:, :, None] * self.sd
            points = np.repeat(own, day.shape[2], axis=2) if points is None else points + own
        return points
