"""Some trials of many, and one of them as its tables, for methods that take trials one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Events, TrialData, patient_names
from ..errors import InputError, NotEstimable
from ..trial_batch import TrialBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..estimate import Estimate

__all__ = ["fill_singly", "one_trial_of", "some_of", "with_covariates"]

# A day on which visits had been reached, and one that is no later than any other: a batch says only whether, not when.
_REACHED, _CUT = 0.0, 1e9


def some_of(trials: TrialBatch, rows: NDArray[np.intp], places: NDArray[np.intp] | None = None) -> TrialBatch:
    """The trials of these numbers, in that order; of each the patients in `places`, shape (rows, places), or all."""
    taken = rows if places is None else (rows[:, None], places)
    return replace(
        trials,
        arm=trials.arm[taken],
        scores=trials.scores[taken],
        due=trials.due[taken],
        assessed=trials.assessed[taken],
        followed=trials.followed[taken],
        has_dates=trials.has_dates[rows],
        has_events=trials.has_events[rows],
        covariates={name: values[taken] for name, values in trials.covariates.items()},
        measures={name: item.only(taken) for name, item in trials.measures.items()},
        subscales={name: values[taken] for name, values in trials.subscales.items()},
        first_events={key: values[taken] for key, values in trials.first_events.items()},
    )


def with_covariates(trials: TrialBatch, rows: NDArray[np.intp], names: Sequence[str]) -> TrialBatch:
    """The trials of these numbers, in that order, with nothing but arms, baseline scores and these covariates."""
    held = replace(
        trials,
        scores=trials.scores[:, :, :1],
        due=trials.due[:, :, :1],
        assessed=trials.assessed[:, :, :1],
        covariates={name: trials.covariates[name] for name in names if name in trials.covariates},
        measures={},
        subscales={},
        first_events={},
    )
    return some_of(held, rows)


def one_trial_of(trials: TrialBatch, at: int) -> TrialData:
    """One trial's patients and scores, with identifiers as virtual patients have them and randomised on day 0.

    Everything at the visits is there; of events, which a batch holds only as first of their kind, there are none.
    """
    here = trials.arm[at] >= 0
    count = int(here.sum())
    due = np.where(trials.due[at, here], _REACHED, np.inf)
    return TrialData(
        arm_names=trials.arm_names,
        visit_names=trials.visit_names,
        scale="",
        patient=patient_names(count),
        arm=trials.arm[at, here],
        scores=trials.scores[at, here],
        covariates={name: values[at, here] for name, values in trials.covariates.items()},
        randomised=np.zeros(count),
        assessed=trials.assessed[at, here],
        due=due,
        withdrawn=np.full(count, np.nan),
        last_contact=trials.followed[at, here],
        events=Events(),
        measures={name: item.only((at, here)) for name, item in trials.measures.items()},
        subscales={name: values[at, here] for name, values in trials.subscales.items()},
        cut=_CUT,
        has_events=False,
    )


def fill_singly(
    found: NDArray[np.float64], chosen: NDArray[np.bool_], trials: TrialBatch, single: Callable[[TrialData], Estimate]
) -> dict[int, str]:
    """Write the estimates of the chosen trials, made one by one, into effect, standard error and degrees of freedom,
    shape (3, trials); why others have none is given back.
    """
    failures: dict[int, str] = {}
    for at in np.flatnonzero(chosen):
        try:
            one = single(one_trial_of(trials, int(at)))
            found[:, at] = one.effect, one.standard_error, one.degrees_of_freedom
        except (InputError, NotEstimable) as error:
            failures[int(at)] = str(error)
    return failures
