"""Two proportions fitted under a null hypothesis, and the variance of their comparison."""

from __future__ import annotations

import math

__all__ = ["contrast", "contrast_variance", "restricted_rates"]


def contrast(rate1: float, rate2: float, null: float, measure: str) -> float:
    """What the test looks at: p1 - p2 - null, p1 - null * p2, or the log odds ratio less log(null)."""
    if measure == "odds ratio":
        if not (0 < rate1 < 1 and 0 < rate2 < 1):
            return math.inf if rate1 >= 1 or rate2 <= 0 else -math.inf
        return math.log(rate1 / (1 - rate1)) - math.log(rate2 / (1 - rate2)) - math.log(null)
    return rate1 - null * rate2 if measure == "ratio" else rate1 - rate2 - null


def contrast_variance(rate1: float, rate2: float, size1: float, size2: float, null: float, measure: str) -> float:
    """Variance of that contrast at given rates, with `size1` and `size2` patients."""
    spread1, spread2 = rate1 * (1 - rate1), rate2 * (1 - rate2)
    if measure == "odds ratio":
        if min(spread1, spread2) <= 0:
            return math.inf
        return 1 / (size1 * spread1) + 1 / (size2 * spread2)
    return spread1 / size1 + (null**2 if measure == "ratio" else 1.0) * spread2 / size2


def restricted_rates(
    rate1: float, rate2: float, size1: float, size2: float, null: float, measure: str
) -> tuple[float, float]:
    """Maximum likelihood estimates of two proportions under the null hypothesis.

    Difference: the cubic of Farrington & Manning 1990 (Stat Med 9:1447, appendix) and Miettinen & Nurminen 1985 (Stat
    Med 4:213), its trigonometric root polished by Newton steps. Ratio: Farrington & Manning's quadratic. Odds ratio:
    Miettinen & Nurminen's.

    Parameters
    ----------
    rate1, rate2
        Observed or expected proportions.
    size1, size2
        Patients; only their ratio matters.
    null
        Null value: p1 - p2, p1 / p2 or the odds ratio, by `measure`.
    measure
        "difference", "ratio" or "odds ratio".
    """
    share = size2 / size1
    if (null == 0 and measure == "difference") or (null == 1 and measure != "difference"):
        pooled = (rate1 + share * rate2) / (1 + share)
        return pooled, pooled
    if measure == "ratio":
        a = 1 + share
        b = -(null * (1 + share * rate2) + share + rate1)
        c = null * (rate1 + share * rate2)
        first = 2 * c / (-b + math.sqrt(max(b * b - 4 * a * c, 0.0)))
        return first, first / null
    if measure == "odds ratio":
        events = rate1 + share * rate2
        a = share * (null - 1)
        b = null + share - events * (null - 1)
        second = 2 * events / (b + math.sqrt(max(b * b + 4 * a * events, 0.0)))
        return null * second / (1 + second * (null - 1)), second
    a = 1 + share
    b = -(1 + share + rate1 + share * rate2 + null * (share + 2))
    c = null * null + null * (2 * rate1 + share + 1) + rate1 + share * rate2
    d = -rate1 * null * (1 + null)
    v = (b / (3 * a)) ** 3 - b * c / (6 * a * a) + d / (2 * a)
    u = math.copysign(math.sqrt(max((b / (3 * a)) ** 2 - c / (3 * a), 0.0)), v)
    angle = (math.pi + math.acos(min(max(v / u**3, -1.0), 1.0))) / 3 if u else 0.0
    first = 2 * u * math.cos(angle) - b / (3 * a)
    for _ in range(3):
        slope = (3 * a * first + 2 * b) * first + c
        if slope == 0:
            break
        first -= (((a * first + b) * first + c) * first + d) / slope
    first = min(max(first, max(0.0, null)), min(1.0, 1.0 + null))
    return first, first - null
