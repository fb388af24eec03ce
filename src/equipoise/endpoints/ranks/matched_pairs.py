"""The win ratio of matched pairs, from counts of pairs won and lost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...checks import normal_quantile, whole
from ...errors import InputError
from ...estimate import Estimate, Interval, Scale

__all__ = ["MatchedPairs", "matched_win_ratio"]


@dataclass(frozen=True, slots=True)
class MatchedPairs:
    """Pairs of one experimental patient and one of control, matched by risk; ties say nothing.

    Attributes
    ----------
    won, lost
        Pairs in which the experimental patient did better, and worse.
    """

    won: int
    lost: int

    def __post_init__(self) -> None:
        for name in ("won", "lost"):
            count = whole(name, getattr(self, name), "a whole number of pairs, not below 0")
            if count < 0:
                raise InputError(name, count, "a whole number of pairs, not below 0")
            object.__setattr__(self, name, count)
        if self.won + self.lost == 0:
            raise InputError("won, lost", (0, 0), "at least one pair that is not tied")

    @property
    def ratio(self) -> float:
        """Win ratio, won / lost; infinite where no pair was lost."""
        return self.won / self.lost if self.lost else math.inf

    @property
    def z(self) -> float:
        """(p - 1/2) / sqrt(p (1 - p) / n), p the share of pairs won; infinite where all were won or all lost."""
        decided = self.won + self.lost
        share = self.won / decided
        if share in (0, 1):
            return math.copysign(math.inf, share - 0.5)
        return (share - 0.5) / math.sqrt(share * (1 - share) / decided)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of `z`."""
        from scipy.special import ndtr

        return 2 * float(ndtr(-abs(self.z)))

    def interval(self, level: float = 0.95) -> Interval:
        """Confidence interval of the win ratio: of the share p of pairs won, p +- z sqrt(p (1 - p) / n), as odds."""
        z = normal_quantile(level)
        decided = self.won + self.lost
        share = self.won / decided
        half = z * math.sqrt(share * (1 - share) / decided)
        lower, upper = max(share - half, 0.0), share + half
        return Interval(
            lower / (1 - lower) if lower < 1 else math.inf, upper / (1 - upper) if upper < 1 else math.inf, level
        )

    def estimate(self, label: str = "win ratio (matched pairs)") -> Estimate:
        """Log win ratio with its delta-method error, sqrt(1 / won + 1 / lost).

        Raises
        ------
        InputError
            Where all pairs were won or all lost.
        """
        if min(self.won, self.lost) == 0:
            raise InputError("won, lost", (self.won, self.lost), "pairs won and lost, for a standard error")
        effect, spread = math.log(self.won / self.lost), math.sqrt(1 / self.won + 1 / self.lost)
        return Estimate(effect, spread, scale=Scale.LOG_WIN_RATIO, better="higher", label=label)

    def __str__(self) -> str:
        return f"win ratio {self.ratio:.4g} (95% interval {self.interval()}): {self.won} pairs won, {self.lost} lost"


def matched_win_ratio(won: int, lost: int) -> MatchedPairs:
    """The win ratio of matched pairs (Pocock, Ariti, Collier & Wang 2012, Eur Heart J 33:176).

    Parameters
    ----------
    won, lost
        Pairs in which the experimental patient did better, and worse; tied pairs do not count.

    Raises
    ------
    InputError
        For counts that are not whole numbers from 0, or no pair that is not tied.
    """
    return MatchedPairs(won, lost)
