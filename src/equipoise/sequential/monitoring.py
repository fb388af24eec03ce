"""A design as the monitoring committee sees it at a look: what the data may still become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..checks import any_shape, flag, instance, number, numbers, whole
from ..errors import InputError
from ..plain import plain
from ..text_table import text_table
from .bounds import Boundaries
from .conditional_power import (
    By,
    b_value,
    conditional_error,
    conditional_power,
    conditional_stops,
    expected_b_value,
    posterior_weights,
    predictive_power,
    reverse_conditional_power,
    trend,
)
from .design import GroupSequential
from .exit_probabilities import LaterStops
from .priors import DiscretePrior, NormalPrior
from .region import Region

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Monitoring"]

Array = npt.NDArray[np.float64]
Drift = npt.ArrayLike | Literal["planned", "trend"]
_WAYS: tuple[By, ...] = ("next", "any", "last")
_FLAT = NormalPrior()


@dataclass(frozen=True)
class Monitoring:
    """A design seen at a look; made by `Monitoring.of`.

    All is on the z scale, larger in favour of the experimental arm; drift is theta sqrt(I_max). The looks ahead are
    those still planned, with bounds recomputed at the information observed so far. In a two-sided design power counts
    the upper bound only, and a trial that crosses the lower bound first does not cross it later; the conditional error
    counts both. Whether the trial stops at a futility bound ahead (`respect_futility`) is by default as the design
    says: it does if the bound is binding.

    Attributes
    ----------
    design
        As planned.
    look
        The look seen, from 1.
    z
        Seen there. What is computed is for the case that the trial goes on, even if z lies beyond a bound.
    boundaries
        At every look, the observed information up to now and the planned one ahead.
    planned_drift
        Drift that "planned" means; by default the one at which the design has its power.
    """

    design: GroupSequential = field(repr=False)
    look: int
    z: float
    boundaries: Boundaries = field(repr=False, compare=False)
    planned_drift: float | None = None

    @classmethod
    def of(
        cls,
        design: GroupSequential,
        z: float,
        *,
        look: int | None = None,
        information: Sequence[float] | Array | None = None,
        later: Sequence[float] | Array | None = None,
        planned_drift: float | None = None,
    ) -> Monitoring:
        """The design at a look where `z` has been seen.

        Parameters
        ----------
        design
            As planned.
        z
            Seen at the look, positive in favour of the experimental arm; a t statistic as the z of the same tail
            probability.
        look
            The look, from 1; by default as many as there are fractions in `information`, or 1.
        information
            Observed information at looks 1..k as fractions of the planned maximum; by default as planned.
        later
            Information fractions of the looks ahead; by default those still planned.
        planned_drift
            Drift that "planned" means, where it is not the one at which the design has its power.

        Raises
        ------
        InputError
            When z is not finite, the look is the last, or information does not fit.
        """
        instance("design", design, GroupSequential, "a GroupSequential design")
        z = number("z", z, "a finite number, such as estimate.favourable_z")
        right = "information fractions above 0, rising, one for each look so far"
        given = None if information is None else numbers("information", information, right)
        if given is not None and (not given.size or not np.all(np.diff(given, prepend=0.0) > 0)):
            raise InputError("information", information, right)
        if look is None:
            look = 1 if given is None else given.size
        last = design.looks - (later is None)
        right = f"a look from 1 to {last}: conditional power needs a look ahead" if last > 1 else "1, the look before"
        if not last:
            right = "a design with more than one look"
        if not 1 <= whole("look", look, right) <= last:
            raise InputError("look", look, right)
        look = int(look)
        fractions = np.array(design.information[:look]) if given is None else given
        if fractions.size != look:
            right = (
                f"{look} information fractions, one for each look so far" if look > 1 else "one information fraction"
            )
            raise InputError("information", information, right)
        now = float(fractions[-1])
        if not now < 1:
            raise InputError("information", now, "less than the planned maximum, so that a look is ahead")
        if later is None:
            ahead = np.array([time for time in design.information[look:] if time > now])
            if not ahead.size:
                raise InputError("information", now, "less than the planned maximum, so that a look is ahead")
        else:
            right = f"information fractions above the {now:g} of now, rising, at least one"
            ahead = numbers("later", later, right)
            if not ahead.size or not np.all(np.diff(ahead, prepend=now) > 0):
                raise InputError("later", later, right)
            if np.any(ahead[:-1] >= 1):
                raise InputError("later", later, "no further look once the planned maximum is reached")
        return cls(design, look, z, design.bounds_at(np.concatenate((fractions, ahead)), True), planned_drift)

    def __post_init__(self) -> None:
        instance("design", self.design, GroupSequential, "a GroupSequential design")
        instance("boundaries", self.boundaries, Boundaries, "bounds such as design.bounds_at gives")
        looks = self.boundaries.information.size
        right = f"a look from 1 to {looks - 1}" if looks > 1 else "bounds at more than one look"
        if not 1 <= whole("look", self.look, right) < looks:
            raise InputError("look", self.look, right)
        number("z", self.z, "a finite number, such as estimate.favourable_z")
        if self.planned_drift is not None:
            number("planned_drift", self.planned_drift, "a finite drift, or None for that of the design")

    @property
    def information(self) -> float:
        """Information fraction now."""
        return float(self.boundaries.information[self.look - 1])

    @property
    def later_information(self) -> Array:
        """Information fractions of the looks ahead, shape (looks ahead,)."""
        return self.boundaries.information[self.look :]

    @property
    def later_efficacy_bounds(self) -> Array:
        """Upper bounds on z at the looks ahead, shape (looks ahead,)."""
        return self.boundaries.efficacy[self.look :]

    @property
    def later_futility_bounds(self) -> Array | None:
        """Futility bounds on z at the looks ahead, shape (looks ahead,); None without futility."""
        return None if self.boundaries.futility is None else self.boundaries.futility[self.look :]

    @property
    def b_value(self) -> float:
        """B(t) = z sqrt(t) (Lan & Wittes 1988, Biometrics 44:579)."""
        return b_value(self.z, self.information)

    @property
    def trend(self) -> float:
        """The drift the data so far point to, B(t) / t."""
        return trend(self.z, self.information)

    def expected_b_value(self, drift: Drift = "trend") -> Any:
        """Expected B at the last look if nothing stops the trial before; of the shape of `drift`."""
        end = float(self.boundaries.information[-1])
        return _plainly(expected_b_value(self.z, self.information, self._drifts(drift), end))

    def conditional_power(self, drift: Drift = "planned", by: By = "any", respect_futility: bool | None = None) -> Any:
        """Probability of crossing the efficacy bound later, given z now (Lan, Simon & Halperin 1982).

        Parameters
        ----------
        drift
            theta sqrt(I_max), any shape, as the result; "planned", the design's, or "trend", the one observed.
        by
            "any": at any look ahead; "next": at the next; "last": z above the last bound at the last look, whatever
            happens between.
        respect_futility
            Whether the trial stops at the futility bounds ahead; by default if they are binding.
        """
        drifts = self._drifts(drift)
        power = conditional_power(self._region(respect_futility), self.z, self.information, drifts.ravel(), by)
        return _plainly(power.reshape(drifts.shape))

    @property
    def conditional_error(self) -> float:
        """Probability under no effect of rejecting later, given z now (Müller & Schäfer 2001, Biometrics 57:886).

        Two-sided: in either direction. The rest of the trial may be replaced by any test of this level.
        """
        return conditional_error(self._region(None), self.z, self.information, self.design.sided)

    @property
    def reverse_conditional_power(self) -> float:
        """Probability of z at most this high now in a trial that will end exactly on its last efficacy bound.

        Free of the drift (Tan, Xiong & Kutner 1998, Biometrics 54:682): a small one says that the data do not look like
        those of a trial that will succeed. It equals the predictive power under the flat prior by the last look alone.
        """
        end, bound = float(self.boundaries.information[-1]), float(self.boundaries.efficacy[-1])
        return reverse_conditional_power(self.z, self.information, bound, end)

    def predictive_power(
        self,
        prior: NormalPrior | DiscretePrior = _FLAT,
        by: By = "any",
        respect_futility: bool | None = None,
    ) -> float:
        """Conditional power averaged over the posterior of the drift (Spiegelhalter, Freedman & Blackburn 1986).

        Parameters
        ----------
        prior
            Of the drift: `NormalPrior(mean, variance)`, by default flat, or `DiscretePrior(drifts, weights)`.
        by, respect_futility
            As for `conditional_power`.
        """
        region = self._region(respect_futility)
        if isinstance(prior, DiscretePrior):
            drifts = np.array(prior.drifts)
            powers = conditional_power(region, self.z, self.information, drifts, by)
            return float(self.posterior_weights(prior) @ powers)
        if not isinstance(prior, NormalPrior):
            raise InputError("prior", prior, "NormalPrior(mean, variance) or DiscretePrior(drifts, weights)")
        return predictive_power(region, self.z, self.information, prior.mean, prior.variance, by)

    def posterior_weights(self, prior: DiscretePrior) -> Array:
        """Probabilities of the drifts of a discrete prior in the light of z, shape (drifts,).

        Raises
        ------
        InputError
            When the prior is not discrete.
        """
        instance("prior", prior, DiscretePrior, "DiscretePrior(drifts, weights)")
        return posterior_weights(np.array(prior.drifts), np.array(prior.weights), self.z, self.information)

    def stopping_probabilities(self, drift: Drift = "planned", respect_futility: bool = True) -> LaterStops:
        """Where the trial will end; `drift` as for `conditional_power`. Stops for futility are counted by default."""
        drifts = self._drifts(drift)
        exits = conditional_stops(
            self._region(flag("respect_futility", respect_futility)), self.z, self.information, drifts.ravel()
        )
        two_sided = self.design.sided == 2
        futility = np.array(exits.inner if two_sided else exits.lower)
        futility[:, -1] = 0.0
        downward = exits.lower if two_sided else np.zeros_like(exits.lower)
        not_rejected = np.clip(1.0 - (exits.upper + downward + futility).sum(axis=1), 0.0, 1.0)
        shape = (*drifts.shape, self.later_information.size)
        return LaterStops(
            tuple(range(self.look + 1, self.boundaries.information.size + 1)),
            self.later_information,
            drifts,
            exits.upper.reshape(shape),
            downward.reshape(shape),
            futility.reshape(shape),
            not_rejected.reshape(drifts.shape),
        )

    def _region(self, respect_futility: bool | None) -> Region:
        respected = self.design.binding if respect_futility is None else flag("respect_futility", respect_futility)
        return self.boundaries.region(self.design.sided, respected)

    def _drifts(self, drift: Drift) -> Array:
        if isinstance(drift, str):
            if drift not in ("planned", "trend"):
                raise InputError("drift", drift, "numbers, 'planned' or 'trend'")
            drift = self._planned() if drift == "planned" else self.trend
        return any_shape("drift", drift, "finite numbers, 'planned' or 'trend'")

    def _planned(self) -> float:
        return self.design.drift if self.planned_drift is None else self.planned_drift

    def _named_drifts(self) -> dict[str, float]:
        drifts = {"no effect": 0.0, "trend": self.trend}
        if self.design.beta is not None or self.planned_drift is not None:
            drifts["planned"] = self._planned()
        return drifts

    def plot(self) -> Figure:
        """A matplotlib figure of conditional power against the true effect."""
        from .plots import monitoring_figure

        return monitoring_figure(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for an infinite bound."""
        named = self._named_drifts()
        drifts = np.array([*named.values()])
        powers = {by: self.conditional_power(drifts, by) for by in _WAYS}
        ends = self.expected_b_value(drifts)
        stops = self.stopping_probabilities(drifts)
        return {
            "look": self.look,
            "information": self.boundaries.information[: self.look].tolist(),
            "z": self.z,
            "b_value": self.b_value,
            "conditional_error": self.conditional_error,
            "predictive_power": {by: self.predictive_power(by=by) for by in _WAYS},
            "later": {
                "look": list(stops.looks),
                "information": stops.information.tolist(),
                "efficacy_bound": plain(self.later_efficacy_bounds),
                "futility_bound": plain(self.later_futility_bounds),
            },
            "under": {
                name: {
                    "drift": drift,
                    "expected_b_value": float(ends[index]),
                    "conditional_power": {by: float(powers[by][index]) for by in _WAYS},
                    "stopping_probabilities": {
                        "upward": stops.upward[index].tolist(),
                        "downward": stops.downward[index].tolist(),
                        "futility": stops.futility[index].tolist(),
                        "not_rejected": float(stops.not_rejected[index]),
                    },
                }
                for index, (name, drift) in enumerate(named.items())
            },
        }

    def __str__(self) -> str:
        named = self._named_drifts()
        drifts = np.array([*named.values()])
        columns = [self.conditional_power(drifts, by) for by in _WAYS]
        ends = self.expected_b_value(drifts)
        rows = [
            [name, f"{drift:.3f}", f"{ends[index]:.3f}", *(f"{column[index]:.4f}" for column in columns)]
            for index, (name, drift) in enumerate(named.items())
        ]
        rows.append(["unknown (flat prior)", "-", "-", *(f"{self.predictive_power(by=by):.4f}" for by in _WAYS)])
        futility = self.later_futility_bounds
        ahead = [
            [str(self.look + 1 + index), f"{time:.3f}", f"{self.later_efficacy_bounds[index]:.3f}"]
            + ([] if futility is None else [f"{futility[index]:.3f}"])
            for index, time in enumerate(self.later_information)
        ]
        two_sided = self.design.sided == 2
        headings = ["look", "information", "efficacy z"]
        if futility is not None:
            headings.append("futility |z|" if two_sided else "futility z")
        goal = "upper" if two_sided else "efficacy"
        return "\n".join(
            [
                f"Look {self.look} of {self.boundaries.information.size} at information fraction "
                f"{self.information:.4g}: z = {self.z:.4f}, B = {self.b_value:.4f}",
                f"Conditional error {self.conditional_error:.5f}",
                text_table(headings, ahead),
                f"Probability of crossing the {goal} bound, given z:",
                text_table(["if the drift is", "drift", "expected B", "next look", "any look", "last look"], rows),
            ]
        )

    __repr__ = __str__


def _plainly(values: Array) -> Any:
    """A Python number for an array without dimensions."""
    return float(values) if values.ndim == 0 else values
