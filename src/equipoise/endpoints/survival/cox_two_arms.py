"""Cox's log hazard ratio of two arms without covariates, of many trials: all that counts is how many of each arm were
at risk at each event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ..batch import BatchEstimates
from ..regression.trials import chunks
from .censored_times import SurvivalTrials, checked_trials
from .risk_rows import RiskRows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["LONGEST_STEP", "SETTLED", "STALLED", "arms_failures", "hazard_ratio_trials", "no_hazard_ratio"]

SETTLED = 1e-12
STALLED = 1e-6
LONGEST_STEP = 3.0
_RUNS_AWAY = "without which the hazard ratio runs away to nought or infinity"


def arms_failures(
    given: SurvivalTrials, rows: RiskRows, experimental: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], dict[int, InputError]]:
    """At risk and with events of the experimental arm at each time, and why trials have no hazard ratio of two arms.

    The score falls, as the log hazard ratio goes from minus to plus infinity, from the experimental arm's events less
    those at which nobody else was at risk, to its events less those at which somebody of it was: there is a maximum if
    and only if the first is above 0 and the second below.
    """
    at = rows.at
    at_risk, events = at.members_at_risk(experimental), at.members_with_events(experimental)
    observed = at.by_trial(events)
    alone, involved = at.by_trial(at.events * (at_risk == at.at_risk)), at.by_trial(at.events * (at_risk > 0))
    total = at.by_trial(at.events)
    failures: dict[int, InputError] = {}
    for trial in np.flatnonzero((observed <= alone) | (observed >= involved)).tolist():
        sizes = [int(np.count_nonzero(given.present[trial] & (given.experimental[trial] == arm))) for arm in (0, 1)]
        failures[trial] = no_hazard_ratio(sizes, int(total[trial]), int(observed[trial]))
    return at_risk, events, failures


def no_hazard_ratio(sizes: list[int], events: int, observed: int) -> InputError:
    """Why a trial with so many patients (control first), events and events of the experimental arm has none."""
    if min(sizes) == 0:
        return InputError("arm", sizes, "at least one patient in both arms (control first)")
    if events == 0:
        return InputError("event", 0, "at least one event; all times are censored")
    both = [events - observed, observed]
    where = "in both arms" if min(both) == 0 else "of either arm while patients of the other are at risk"
    return InputError("event", both, f"events {where} (control first), {_RUNS_AWAY}")


def hazard_ratio_trials(
    time: ArrayLike, event: ArrayLike, arm: ArrayLike, strata: ArrayLike | None = None
) -> BatchEstimates:
    """Log hazard ratios, experimental arm against control, with Efron's ties and standard errors from the information.

    What `cox_regression` gives without covariates. With one binary covariate the partial likelihood is that of
    independent draws, one an event: an event is of the experimental arm with probability r1 h / (r0 + r1 h), r0 and r1
    the patients of the arms at risk (events of the same time leaving by and by, Efron 1977, JASA 72:557) and h the
    hazard ratio.

    Parameters
    ----------
    time, event, arm
        Shape (trials, patients): follow-up (NaN where not known), event flags, and 0 (control), 1 (experimental) or -1
        (no patient, or one of another arm).
    strata
        Codes 0, 1, ... in that shape, -1 where not known.

    Raises
    ------
    InputError
        For arrays that do not fit each other or hold what they should not. A trial whose hazard ratio does not exist or
        is 0 or infinite does not raise: its reason is among the `failures`.
    """
    given = checked_trials(time, event, arm, strata)
    effect, error = np.full(len(given), np.nan), np.full(len(given), np.nan)
    failures: dict[int, str] = {}
    for part in chunks(len(given), given.time.shape[1] * 8):
        effect[part], error[part], reasons = _hazard_ratios(given.only(part))
        failures |= {part.start + at: str(why) for at, why in reasons.items()}
    return BatchEstimates.of(effect, error, failures=failures)


def _hazard_ratios(
    given: SurvivalTrials,
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[int, InputError]]:
    """Log hazard ratios and standard errors, NaN where there are none, and why not."""
    rows = RiskRows.of(given)
    at = rows.at
    experimental = rows.sorted(given.experimental) & rows.present
    at_risk, events, failures = arms_failures(given, rows, experimental)
    first, second = (at.at_risk - at_risk).astype(float), at_risk.astype(float)
    if at.tied:
        times, share = at.of_event, at.tied_share
        first = first[times] - share * (at.events - events)[times]
        second = second[times] - share * events[times]
    counts = at.by_trial(at.events).astype(np.intp)
    sound = np.ones(len(given), dtype=bool)
    sound[list(failures)] = False
    effect, information = np.full(len(given), np.nan), np.full(len(given), np.nan)
    if sound.any():
        kept = np.repeat(sound, counts)
        observed = at.by_trial(events)[sound]
        effect[sound], information[sound] = _maxima(first[kept], second[kept], observed, counts[sound])
    return effect, information**-0.5, failures


def _maxima(
    first: NDArray[np.float64], second: NDArray[np.float64], observed: NDArray[np.float64], counts: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maximum and information of each trial by Newton's method, kept between the last values on either side.

    Parameters
    ----------
    first, second
        Of both arms at risk at each event, trial after trial, shape (events,).
    observed, counts
        Events of the second arm, and of both, shape (trials,).
    """
    effect, information = np.zeros(len(counts)), np.zeros(len(counts))
    low, high = np.full(len(counts), -np.inf), np.full(len(counts), np.inf)
    size, active = np.full(len(counts), np.inf), np.arange(len(counts))
    for _ in range(200):
        here = effect[active]
        share = second * np.repeat(np.exp(here), counts)
        share /= first + share
        start = np.cumsum(counts) - counts
        score = observed[active] - np.add.reduceat(share, start)
        share *= 1 - share
        information[active] = np.add.reduceat(share, start)
        rising = score > 0
        low[active], high[active] = np.where(rising, here, low[active]), np.where(rising, high[active], here)
        ahead = here + np.clip(score / information[active], -LONGEST_STEP, LONGEST_STEP)
        astray = (ahead < low[active]) | (ahead > high[active])
        ahead[astray] = (low[active] + high[active])[astray] / 2
        step = np.abs(ahead - here)
        effect[active] = ahead
        going = (step > SETTLED * (1 + np.abs(ahead))) & ((step > STALLED) | (step < 0.5 * size))
        if not going.any():
            break
        if not going.all():
            kept = np.repeat(going, counts)
            first, second, counts, active, step = first[kept], second[kept], counts[going], active[going], step[going]
        size = step
    return effect, information
