"""Mantel and Haenszel's comparisons of two proportions over strata, of one trial or of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...checks import choice
from ...errors import InputError
from ...estimate import Better, Estimate
from ..batch import BatchEstimates
from .comparisons import COMPARISONS, SCALES, Comparison
from .counts import tables_text
from .strata import Strata, one_trial_of, strata_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CochranMantelHaenszel",
    "cochran_mantel_haenszel",
    "compare_strata",
    "compared_strata",
    "stratified_estimate",
]

_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class CochranMantelHaenszel:
    """Test of no difference in any stratum, on 1 degree of freedom.

    Attributes
    ----------
    z
        Positive where group 1 has more events than expected.
    statistic, p_value
        z^2 and its chi-square p-value.
    corrected_statistic, corrected_p_value
        With the correction for continuity, half an event but never more than the distance from what is expected.
    """

    z: float
    statistic: float
    p_value: float
    corrected_statistic: float
    corrected_p_value: float


def _excess(strata: Strata) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Events of group 1 beyond those expected under no difference, and their variance given all margins, summed."""
    events = strata.events1 + strata.events2
    expected = strata.share(strata.total1 * events)
    spread = strata.weight * strata.share(events) * strata.share(strata.patients - events)
    variance = spread * strata.patients / np.maximum(strata.patients - 1, 1.0)
    return (strata.events1 - expected).sum(axis=-1), variance.sum(axis=-1)


def cochran_mantel_haenszel(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike
) -> CochranMantelHaenszel:
    """Cochran's test (1954, Biometrics 10:417) with Mantel & Haenszel's variance (1959, JNCI 22:719).

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of shape (strata,). Strata with one group only, or in which nobody or everybody had the event, drop out.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, and where no stratum has both groups and some but
        not all patients with the event.
    """
    from scipy.special import chdtrc

    strata = one_trial_of(events1, total1, events2, total2)
    excess, variance = (float(part) for part in _excess(strata))
    if variance <= _NOTHING:
        raise _reason(strata, "score")
    statistic = excess**2 / variance
    corrected = (abs(excess) - (0.5 if abs(excess) >= 0.5 else 0.0)) ** 2 / variance
    return CochranMantelHaenszel(
        excess / variance**0.5, statistic, float(chdtrc(1, statistic)), corrected, float(chdtrc(1, corrected))
    )


def compared_strata(
    strata: Strata, comparison: Comparison
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[int, InputError]]:
    """Effect, standard error, and what is wrong with the trials that have none; strata of shape (trials, strata)."""
    events1, total1, events2, total2 = strata.tables
    rest1, rest2 = total1 - events1, total2 - events2
    with np.errstate(divide="ignore", invalid="ignore"):
        if comparison in ("score", "wald"):
            weight = strata.weight.sum(axis=-1)
            effect = strata.share(events1 * total2 - events2 * total1).sum(axis=-1) / weight
            if comparison == "score":
                variance = _excess(strata)[1]
            else:
                tilt = (total1**2 * events2 - total2**2 * events1) + 0.5 * total1 * total2 * (total2 - total1)
                both = strata.share(events1 * rest2 + events2 * rest1) / 2
                variance = effect * strata.share(strata.share(tilt)).sum(axis=-1) + both.sum(axis=-1)
            variance = np.where(variance > _NOTHING, variance / weight**2, 0.0)
        elif comparison == "risk-ratio":
            above, below = (strata.share(events1 * total2).sum(axis=-1), strata.share(events2 * total1).sum(axis=-1))
            spread = strata.share(total1) * strata.share(total2) * (events1 + events2)
            effect = np.log(above / below)
            inner = (spread - strata.share(events1 * events2)).sum(axis=-1)
            variance = np.where(inner > _NOTHING, inner / (above * below), 0.0)
        else:
            concordant, discordant = strata.share(events1 * rest2), strata.share(rest1 * events2)
            one, other = strata.share(events1 + rest2), strata.share(rest1 + events2)
            above, below = concordant.sum(axis=-1), discordant.sum(axis=-1)
            effect = np.log(above / below)
            crossed = (one * discordant + other * concordant).sum(axis=-1) / (2 * above * below)
            variance = (
                (one * concordant).sum(axis=-1) / (2 * above**2)
                + crossed
                + (other * discordant).sum(axis=-1) / (2 * below**2)
            )
        sound = np.isfinite(effect) & np.isfinite(variance) & (variance > 0)
    failures = {row: _reason(strata.trial(row), comparison) for row in np.flatnonzero(~sound).tolist()}
    return np.where(sound, effect, np.nan), np.sqrt(np.where(sound, variance, np.nan)), failures


def _reason(strata: Strata, comparison: Comparison) -> InputError:
    """Why a trial has no estimate."""
    if not strata.patients.any():
        return InputError("strata", "of one group each", "a stratum with patients of both groups")
    events1, total1, events2, total2 = (part.sum() for part in strata.tables)
    counts = f"{tables_text(events1, total1, events2, total2)} in all"
    expected = {
        "score": "a stratum with both groups in which some but not all patients had the event",
        "wald": "a stratum with both groups in which some but not all patients of one had the event",
        "risk-ratio": "events in both groups of some strata, and a patient without one",
        "odds-ratio": "strata in which group 1 has events and group 2 patients without, and the other way round",
    }
    return InputError("counts", counts, expected[comparison])


def stratified_estimate(
    events1: ArrayLike,
    total1: ArrayLike,
    events2: ArrayLike,
    total2: ArrayLike,
    comparison: Comparison = "score",
    better: Better = "higher",
    label: str = "",
) -> Estimate:
    """Mantel-Haenszel estimate of group 1 against group 2 over strata.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of shape (strata,). A stratum with one group only compares nothing and drops out. One in which nobody, or
        everybody, had the event adds nothing to the test and the odds ratio, and a difference of 0, with its weight, to
        the risk difference.
    comparison
        "score": differences of risk weighted by n1 n2 / (n1 + n2), with the standard error that holds if there are
        none, so that z is that of `cochran_mantel_haenszel` without correction; "wald": the same difference with Sato's
        standard error (1989, Biometrics 45:1323), sound with few large and with many small strata; "risk-ratio": log
        risk ratio of Greenland & Robins (1985, Biometrics 41:55); "odds-ratio": log odds ratio of Mantel & Haenszel
        (1959) with the standard error of Robins, Breslow & Greenland (1986, Biometrics 42:311).
    better
        Whether more or fewer events are good.
    label
        What was compared, for people.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total, and where the tables bear no such estimate.
    """
    choice("comparison", comparison, COMPARISONS)
    effect, error, failures = compared_strata(one_trial_of(events1, total1, events2, total2).alone, comparison)
    if failures:
        raise failures[0]
    return Estimate(float(effect[0]), float(error[0]), scale=SCALES[comparison], better=better, label=label)


def compare_strata(
    events1: ArrayLike, total1: ArrayLike, events2: ArrayLike, total2: ArrayLike, comparison: Comparison = "score"
) -> BatchEstimates:
    """Mantel-Haenszel estimates of group 1 against group 2 over strata, trial by trial.

    Parameters
    ----------
    events1, total1, events2, total2
        Counts of shape (trials, strata).
    comparison
        See `stratified_estimate`.

    Returns
    -------
    BatchEstimates
        NaN and a reason where a trial bears no estimate.

    Raises
    ------
    InputError
        For counts that are not whole, negative or above their total.
    """
    choice("comparison", comparison, COMPARISONS)
    strata = strata_of(events1, total1, events2, total2)
    if strata.patients.ndim != 2:
        raise InputError("events1", strata.patients.shape, "counts of two dimensions, trials and strata")
    effect, error, failures = compared_strata(strata, comparison)
    return BatchEstimates.of(effect, error, failures={row: str(reason) for row, reason in failures.items()})
