"""Kernels over the days of trials whose events fall on whole days: counting takes the place of sorting."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

__all__ = ["LAST_DAY", "PASSED", "hazard_ratio_sums", "log_rank_sums", "mean_sums"]

_compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

LAST_DAY = 16_384
"""An event after it is not counted by days."""

PASSED = 1
"""Of a trial that must be sorted, or refused, elsewhere."""


@_compiled
def _count(time, event, arm, strata, stratum, days, sizes):  # type: ignore[no-untyped-def]
    """Fill `days` (days, 4) with events of control and of the experimental arm on each day and who leaves after it, and
    `sizes` with who is there. Gives the last day used, or -1 where an event falls on no whole day.

    Who is censored within a day leaves with it: only whether she was at risk at the events matters.
    """
    last = 0
    sizes[0] = sizes[1] = 0
    sound = True
    for at in range(len(time)):
        group = arm[at]
        if group != 0 and group != 1:
            continue
        if len(strata) and strata[at] != stratum:
            continue
        here = time[at]
        if np.isnan(here):
            continue
        if not (here >= 0.0 and here < np.inf):
            sound = False
            break
        day = LAST_DAY + 1 if here > LAST_DAY else np.int64(here)
        if event[at]:
            if day > LAST_DAY or here != day:
                sound = False
                break
            days[day, group] += 1
        days[day, 2 + group] += 1
        sizes[group] += 1
        last = max(last, day)
    if not sound:
        days[: last + 1] = 0
        return -1
    return last


@_compiled
def log_rank_sums(time, event, arm, strata, count, found, failed):  # type: ignore[no-untyped-def]
    """Write observed and expected events of the experimental arm, their variance, events of both arms and patients of
    control and the experimental arm, shape (6, trials), and `PASSED` where a trial is not counted by days.

    `strata` has no columns where there are none; `count` is how many there are.
    """
    patients = time.shape[1]
    days = np.zeros((LAST_DAY + 2, 4), dtype=np.int32)
    sizes = np.zeros(2, dtype=np.int64)
    part = np.empty(patients + 1)
    part[0] = 0.0
    for at in range(1, patients + 1):
        part[at] = 1.0 / at
    for trial in range(len(time)):
        observed, total, expected, variance = 0, 0, 0.0, 0.0
        first, second = 0, 0
        for stratum in range(count):
            last = _count(time[trial], event[trial], arm[trial], strata[trial], stratum, days, sizes)
            if last < 0:
                failed[trial] = PASSED
                break
            first += sizes[0]
            second += sizes[1]
            control, experimental = sizes[0], sizes[1]
            for day in range(last + 1):
                own = np.int64(days[day, 1])
                events = days[day, 0] + own
                if events:
                    risk = control + experimental
                    share = part[risk]
                    expected += events * experimental * share
                    if risk > 1:
                        spread = events * experimental * share * (control * share)
                        variance += spread if events == 1 else spread * ((risk - events) * part[risk - 1])
                    observed += own
                    total += events
                control -= days[day, 2]
                experimental -= days[day, 3]
                days[day, 0] = days[day, 1] = days[day, 2] = days[day, 3] = 0
        found[0, trial], found[1, trial], found[2, trial] = observed, expected, variance
        found[3, trial], found[4, trial], found[5, trial] = total, first, second


@_compiled
def hazard_ratio_sums(time, event, arm, strata, count, settled, stalled, longest, found, failed):  # type: ignore[no-untyped-def]
    """Write log hazard ratio, information, events of the experimental arm and of both, and patients of control and the
    experimental arm, shape (6, trials); the ratio is NaN where the likelihood has no maximum.

    Newton's method as in `cox_two_arms`, whose bounds are `settled`, `stalled` and `longest`.
    """
    patients = time.shape[1]
    days = np.zeros((LAST_DAY + 2, 4), dtype=np.int32)
    sizes = np.zeros(2, dtype=np.int64)
    others, members = np.empty(patients), np.empty(patients)
    for trial in range(len(time)):
        observed, alone, involved, total = 0, 0, 0, 0
        first, second = 0, 0
        for stratum in range(count):
            last = _count(time[trial], event[trial], arm[trial], strata[trial], stratum, days, sizes)
            if last < 0:
                failed[trial] = PASSED
                break
            first += sizes[0]
            second += sizes[1]
            control, experimental = sizes[0], sizes[1]
            for day in range(last + 1):
                own = np.int64(days[day, 1])
                events = days[day, 0] + own
                for at in range(events):
                    gone = at / events
                    others[total + at] = control - gone * (events - own)
                    members[total + at] = experimental - gone * own
                if events:
                    alone += events if control == 0 else 0
                    involved += events if experimental > 0 else 0
                    observed += own
                    total += events
                control -= days[day, 2]
                experimental -= days[day, 3]
                days[day, 0] = days[day, 1] = days[day, 2] = days[day, 3] = 0
        found[2, trial], found[3, trial], found[4, trial], found[5, trial] = observed, total, first, second
        found[0, trial] = found[1, trial] = np.nan
        if failed[trial] or observed <= alone or observed >= involved:
            continue
        effect, information, low, high, size = 0.0, 0.0, -np.inf, np.inf, np.inf
        for _ in range(200):
            ratio, score, information = np.exp(effect), float(observed), 0.0
            for at in range(total):
                share = members[at] * ratio
                share /= others[at] + share
                score -= share
                information += share * (1.0 - share)
            if score > 0:
                low = effect
            else:
                high = effect
            ahead = effect + min(max(score / information, -longest), longest)
            if ahead < low or ahead > high:
                ahead = (low + high) / 2
            step = abs(ahead - effect)
            effect = ahead
            if not (step > settled * (1 + abs(ahead)) and (step > stalled or step < 0.5 * size)):
                break
            size = step
        found[0, trial], found[1, trial] = effect, information


@_compiled
def mean_sums(time, event, arm, horizon, found, failed):  # type: ignore[no-untyped-def]
    """Write, of control and the experimental arm, patients, the area under the product-limit curve up to the horizon,
    Greenwood's variance of it, the time up to which the curve is known and the longest follow-up; and the horizon;
    shape (11, trials).

    Without a horizon (NaN) each trial has the longest time up to which both curves are known or, where both have come
    to 0, the longest follow-up.
    """
    days = np.zeros((LAST_DAY + 2, 4), dtype=np.int32)
    sizes = np.zeros(2, dtype=np.int64)
    counted = np.zeros(2, dtype=np.int64)
    longest = np.empty(2)
    knots, curves, terms = np.empty((2, LAST_DAY + 2)), np.empty((2, LAST_DAY + 2)), np.empty((2, LAST_DAY + 2))
    nothing = np.empty(0, dtype=np.int64)
    for trial in range(len(time)):
        last = _count(time[trial], event[trial], arm[trial], nothing, 0, days, sizes)
        if last < 0:
            failed[trial] = PASSED
            continue
        longest[0] = longest[1] = -np.inf
        for at in range(time.shape[1]):
            group = arm[trial, at]
            if (group == 0 or group == 1) and time[trial, at] > longest[group]:
                longest[group] = time[trial, at]
        counted[0] = counted[1] = 0
        for group in range(2):
            risk, stays, steps = sizes[group], 1.0, 0
            for day in range(last + 1):
                events = np.int64(days[day, group])
                if events:
                    left = risk - events
                    stays *= left / risk
                    knots[group, steps], curves[group, steps] = day, stays
                    terms[group, steps] = events / (float(risk) * left) if left else 0.0
                    steps += 1
                risk -= days[day, 2 + group]
            counted[group] = steps
            ended = steps > 0 and curves[group, steps - 1] == 0.0
            found[5 * group, trial] = sizes[group]
            found[5 * group + 3, trial] = np.inf if ended else longest[group]
            found[5 * group + 4, trial] = longest[group]
        days[: last + 1] = 0
        until = horizon
        if np.isnan(until):
            until = min(found[3, trial], found[8, trial])
            if until == np.inf:
                until = max(longest[0], longest[1])
        found[10, trial] = until
        if not until > 0.0:
            continue
        for group in range(2):
            beyond, variance, after = 0.0, 0.0, until
            for at in range(counted[group] - 1, -1, -1):
                if knots[group, at] < until:
                    beyond += curves[group, at] * (after - knots[group, at])
                    variance += beyond * beyond * terms[group, at]
                    after = knots[group, at]
            found[5 * group + 1, trial] = beyond + after
            found[5 * group + 2, trial] = variance
