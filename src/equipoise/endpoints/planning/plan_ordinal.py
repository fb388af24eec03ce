"""Sample size and power for an ordered outcome, compared by a common odds ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...checks import choice
from ...errors import InputError
from ...estimate import Better
from .planning_checks import arm_patients, positive, real_numbers, settle
from .sample_size import Assumptions

__all__ = ["Ordinal", "common_odds_ratio", "common_win_probability"]

Array = npt.NDArray[np.float64]


def common_odds_ratio(control: Array, experimental: Array, experimental_share: float = 0.5) -> tuple[float, float]:
    """What proportional odds regression estimates from arms with these shares of the levels, and how well.

    Where odds are not proportional it is the log odds ratio that large trials come to (White 1982, Econometrica 50:1).

    Parameters
    ----------
    control, experimental
        Shares of the levels, lowest first, each summing to 1; shape (levels,).
    experimental_share
        Of the patients.

    Returns
    -------
    The log odds ratio of a higher level, experimental to control, and v: the estimate has variance
    v / n_control + v / n_experimental, from the information at these shares.

    Raises
    ------
    InputError
        When fewer than two levels have a share, or the arms separate them.
    """
    from ..regression.newton import climb, inverted
    from ..regression.proportional_odds import SEPARATED, Cumulative

    shares = np.stack([(1 - experimental_share) * control, experimental_share * experimental])
    shares = shares[:, shares.sum(axis=0) > 0]
    if shares.shape[1] < 2:
        raise InputError("shares", shares.sum(axis=0).tolist(), "shares of two or more levels")
    arm, level = np.nonzero(shares)
    spread = math.sqrt(experimental_share * (1 - experimental_share))
    column = np.asarray((arm - experimental_share) / spread, dtype=np.float64)
    weight = shares[arm, level][None]
    model = Cumulative.of(column[None, None], np.zeros((1, 1), dtype=bool), level[None], weight, shares.shape[1])
    found = climb(model, model.start())
    if not found.converged[0]:
        raise InputError("shares", shares.tolist(), SEPARATED)
    return float(found.parameters[0, -1] / spread), float(inverted(found.information)[0, -1, -1])


def common_win_probability(control: Array, experimental: Array, experimental_share: float = 0.5) -> tuple[float, float]:
    """The probability of a higher level under experimental treatment than under control, ties counting half, and v: the
    estimate has variance v / n_control + v / n_experimental where the arms do not differ.

    v is that of the rank sum with ties (Zhao, Rahardja & Qu 2008, Stat Med 27:462), 1/12 without them.

    Parameters
    ----------
    control, experimental, experimental_share
        As for `common_odds_ratio`.

    Raises
    ------
    InputError
        When fewer than two levels have a share.
    """
    below = np.cumsum(control) - control / 2
    pooled = (1 - experimental_share) * control + experimental_share * experimental
    variance = (1 - float((pooled**3).sum())) / 12
    if variance < 1e-12:
        raise InputError("shares", pooled.tolist(), "shares of two or more levels")
    return float(experimental @ below), variance


@dataclass(frozen=True)
class Ordinal(Assumptions):
    """An outcome of ordered levels whose odds of a higher level differ between arms by a common ratio.

    The estimated log odds ratio has information n1 n2 (1 - sum of p^3) / (3 (n1 + n2)), p the share of each level in
    both arms together (Whitehead 1993, Stat Med 12:2257). That is exact for small effects; large ones take somewhat
    more patients.

    Parameters
    ----------
    control
        Shares of the levels under control, lowest first; they sum to 1.
    odds_ratio
        Odds of a higher level, experimental to control.
    allocation
        Patients on experimental for each on control.
    margin
        Odds ratio under the null hypothesis.
    better
        Whether higher or lower levels are better.

    Raises
    ------
    InputError
        When a value is out of range, or the odds ratio does not lie on the better side of the margin (sample size
        only).
    """

    control: tuple[float, ...]
    odds_ratio: float
    allocation: float = 1.0
    margin: float = 1.0
    better: Better = "higher"
    _effect_name: ClassVar[str] = "odds_ratio"

    def __post_init__(self) -> None:
        expected = "shares of two or more levels, at least 0 and summing to 1"
        shares = real_numbers("control", self.control, expected)
        if min(shares, default=-1) < 0 or abs(sum(shares) - 1) > 1e-9 or max(shares) == 1:
            raise InputError("control", self.control, expected)
        settle(
            self,
            control=shares,
            odds_ratio=positive("odds_ratio", self.odds_ratio),
            allocation=positive("allocation", self.allocation),
            margin=positive("margin", self.margin),
            better=choice("better", self.better, ("higher", "lower")),
        )

    @property
    def experimental(self) -> tuple[float, ...]:
        """Shares of the levels under experimental treatment."""
        above = np.append(1 - np.cumsum(self.control)[:-1], 0.0).clip(0, 1)
        moved = self.odds_ratio * above / (1 - above + self.odds_ratio * above)
        return tuple((-np.diff(moved, prepend=1.0)).tolist())

    @property
    def favourable(self) -> float:
        """Log odds ratio less the log of the margin, positive in favour of the experimental arm."""
        distance = math.log(self.odds_ratio) - math.log(self.margin)
        return distance if self.better == "higher" else -distance

    @property
    def scale(self) -> str:
        """What the effects measure."""
        return "odds ratio"

    @property
    def assumed(self) -> str:
        """The assumptions in one line."""
        shares = ", ".join(f"{share:.4g}" for share in self.control)
        return (
            f"Odds ratio {self.odds_ratio:g} of a higher level against {self.margin:g}, shares of the levels under "
            f"control {shares}, allocation {self.allocation:g}:1; {self.better} is better"
        )

    def information(self, per_arm: Array | tuple[float, float]) -> float:
        """Information about the log odds ratio from patients on experimental and control."""
        counts = arm_patients(per_arm)
        total = float(counts.sum())
        pooled = (counts[0] * np.array(self.experimental) + counts[1] * np.array(self.control)) / total
        return float(counts[0] * counts[1] / total * (1 - (pooled**3).sum()) / 3)

    def fixed_drift(self, level: float, per_arm: Array) -> float:
        """z_{1 - level} + z_power of the fixed test."""
        return self.favourable * math.sqrt(self.information(per_arm))

    def fixed_size(self, level: float, power: float) -> float:
        """Unrounded patients of the fixed design in all."""
        from scipy.special import ndtri

        if self.favourable <= 0:
            side = "above" if self.better == "higher" else "below"
            raise InputError("odds_ratio", self.odds_ratio, f"an odds ratio {side} {self.margin:g}")
        drift = -float(ndtri(level)) + float(ndtri(power))
        return (drift / self.favourable) ** 2 / self.information(self.split(1.0))

    def critical_effects(self, z: Array, information: Array, per_arm: Array) -> Array:
        """Odds ratios on the bounds, at the variance assumed."""
        errors = 1 / np.sqrt(information * self.information(per_arm))
        distance = z * errors if self.better == "higher" else -z * errors
        with np.errstate(over="ignore"):
            return self.margin * np.exp(distance)
