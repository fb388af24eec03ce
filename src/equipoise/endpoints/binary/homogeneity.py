"""Whether the odds ratio is the same in all strata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from .mantel_haenszel import stratified_estimate
from .restricted_rates import restricted_rates
from .strata import one_trial_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Homogeneity", "odds_ratio_homogeneity"]


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """Tests that the odds ratio is common to all strata; chi-square with one degree of freedom less than strata.

    Attributes
    ----------
    breslow_day, breslow_day_p_value
        Breslow & Day's (1980, Statistical Methods in Cancer Research I, section 4.4).
    tarone, tarone_p_value
        With Tarone's correction (1985, Biometrika 72:91).
    heterogeneity, heterogeneity_p_value
        Cochran's Q of the strata's log odds ratios about Mantel & Haenszel's, weighted by their inverse variances; half
        an event is added to every cell of a stratum that has an empty one.
    degrees_of_freedom
        Of all three.
    """

    breslow_day: float
    breslow_day_p_value: float
    tarone: float
    tarone_p_value: float
    heterogeneity: float
    heterogeneity_p_value: float
    degrees_of_freedom: int


def odds_ratio_homogeneity(events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike) -> Homogeneity:
    """Tests of one odds ratio in all strata; strata without both groups, events and patients without drop out.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of shape (strata,).

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total; with fewer than two strata that say something of
        odds; where the Mantel-Haenszel odds ratio is 0 or infinite.
    """
    from scipy.special import chdtrc

    strata = one_trial_of(events1, total1, events2, total2)
    telling = (strata.patients > 0) & ~strata.uniform
    if telling.sum() < 2:
        raise InputError("strata", int(telling.sum()), "at least two strata with events, and patients without")
    one, first, two, second = (part[telling] for part in strata.tables)
    common = stratified_estimate(one, first, two, second, "odds-ratio").effect
    fitted = restricted_rates(one / first, two / second, first, second, np.exp(common), "odds ratio")
    expected = first * fitted[0]
    variance = 1 / (1 / (first * fitted[0] * (1 - fitted[0])) + 1 / (second * fitted[1] * (1 - fitted[1])))
    breslow_day = float(((one - expected) ** 2 / variance).sum())
    tarone = breslow_day - float((one - expected).sum() ** 2 / variance.sum())
    cells = np.stack([one, first - one, two, second - two])
    cells = cells + 0.5 * (cells == 0).any(axis=0)
    distance = np.log(cells[0] * cells[3] / (cells[1] * cells[2])) - common
    heterogeneity = float((distance**2 / (1 / cells).sum(axis=0)).sum())
    freedom = int(telling.sum()) - 1
    tails = [float(chdtrc(freedom, statistic)) for statistic in (breslow_day, tarone, heterogeneity)]
    return Homogeneity(breslow_day, tails[0], tarone, tails[1], heterogeneity, tails[2], freedom)
