"""What may be claimed at a look of a group-sequential trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..estimate import Estimate, Interval
from ..plain import plain
from .decision import Decision
from .design import GroupSequential
from .effects import effects_table, estimate_dict, interval_dict
from .estimate_table import EffectEstimate, EstimateTable
from .inference import StoppedTrial
from .nested import at_level, nested, smallest_level

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .estimators import Estimator

__all__ = ["Conclusion"]


@dataclass(frozen=True)
class Conclusion:
    """What a group-sequential trial shows at one look.

    Effects are on the scale and with the sign of the observed `Estimate` (ratios as natural logarithms), limits cut
    where the scale ends; z-values and bounds are positive in favour of the experimental arm. Stage-wise results and
    the bias-adjusted estimate are None while the trial continues. Non-binding futility bounds are ignored by
    inference; binding ones are respected.

    Attributes
    ----------
    look
        The look, from 1.
    decision
        What the rule says.
    z
        Of the test of no effect, a t statistic turned into the z of the same tail probability.
    efficacy_bound, futility_bound
        Bounds on z at this look; two-sided designs also stop for harm below minus the efficacy bound.
    information
        Fractions of the planned maximum at looks 1..k.
    observed, observed_interval
        The estimate and its interval as if there had been no interim look, of the same level as `interval`.
    p_value
        Stage-wise ordering; one-sided in favour of the experimental arm, or two-sided, as the design.
    median_unbiased, interval
        Stage-wise ordering; level 1 - alpha when two-sided, 1 - 2 alpha when one-sided.
    bias_adjusted
        Whitehead's (1986) estimate: the effect under which the estimate at stopping would average the observed one.
    repeated_interval
        Valid at every look whether or not the rule is followed (Jennison & Turnbull 1989, JRSS B 51:305); its bounds
        are those of the design without futility, binding or not.
    path
        z at looks 1..k, None where no estimate was given.
    """

    look: int
    decision: Decision
    z: float
    efficacy_bound: float
    futility_bound: float | None
    information: tuple[float, ...]
    observed: Estimate
    observed_interval: Interval
    p_value: float | None
    median_unbiased: float | None
    interval: Interval | None
    bias_adjusted: float | None
    repeated_interval: Interval
    path: tuple[float | None, ...]
    design: GroupSequential = field(repr=False)
    final: bool = field(repr=False)
    trial: StoppedTrial = field(repr=False, compare=False)

    @property
    def _unit(self) -> float:
        """Effect per unit of drift, positive in favour of the experimental arm."""
        sign = 1.0 if self.observed.better == "higher" else -1.0
        return sign * self.observed.standard_error * math.sqrt(self.information[-1])

    @cached_property
    def repeated_p_value(self) -> float:
        """Smallest alpha (over both sides when two-sided) at which the design would stop at this look with this z.

        Valid at every look. At most the number of sides / 2. Futility bounds, binding or not, are left out, which can
        only make it larger (Jennison & Turnbull 2000, section 9.3). Bounds that do not move with alpha (Haybittle-Peto,
        fixed) are taken by the error they spend as planned. Below 1e-300 it is given as that.
        """
        from scipy.special import ndtr

        z = abs(self.z) if self.design.sided == 2 else self.z
        rule = nested(self.design)

        def excess(level: float) -> float:
            return z - float(at_level(rule, level).bounds_at(self.information, self.final).efficacy[-1])

        return self.design.sided * smallest_level(excess, min(max(float(ndtr(-z)), 1e-300), 0.49))

    def estimates(self, level: float | None = None, estimators: Sequence[Estimator] | None = None) -> EstimateTable:
        """Every estimate of the effect once the trial has stopped, each with the interval it brings.

        Maximum likelihood (as observed); median-unbiased by the stage-wise, sample-mean and likelihood-ratio orderings;
        bias-adjusted (Whitehead 1986); unbiased (Emerson & Fleming 1990); conditional maximum likelihood and
        conditional median-unbiased given the look (Fan, DeMets & Lan 2004). Review: Robertson et al. 2023, Stat Med
        42:122 and 42:2496. All is found on the scale of z, which a t statistic enters by its p-value, and read as
        effects by the t distribution (`Estimate.effect_at_mean`).

        Parameters
        ----------
        level
            Of the intervals; by default that of `interval`.
        estimators
            Which; all by default.

        Raises
        ------
        InputError
            While the trial goes on.
        """
        from .estimators import ESTIMATORS, estimates

        if not self.decision.stops:
            raise InputError("decision", str(self.decision), "a trial that has stopped")
        chosen = (
            self.interval.level if level is None and self.interval is not None else 0.95 if level is None else level
        )
        if not 0 < chosen < 1:
            raise InputError("level", level, "a confidence level between 0 and 1")
        root = math.sqrt(self.information[-1])

        def effect_of(drift: float) -> float:
            return self.observed.effect_at_mean(root * drift)

        rows = []
        for found in estimates(self.trial.space, self.trial.look, self.z, chosen, estimators or ESTIMATORS):
            interval = None
            if found.lower is not None and found.upper is not None:
                ends = sorted((effect_of(found.lower), effect_of(found.upper)))
                interval = Interval(ends[0], ends[1], chosen)
            rows.append(EffectEstimate(found.estimator, effect_of(found.estimate), interval))
        note = ""
        if math.isfinite(self.observed.degrees_of_freedom):
            note = f"z is the normal score of t with {self.observed.degrees_of_freedom:.4g} df; effects are by that t"
        return EstimateTable(tuple(rows), self.observed.scale, self.observed.null_value, note)

    def plot(self, scale: str = "effect") -> Figure:
        """A matplotlib figure of the bounds with the observed path.

        Parameters
        ----------
        scale
            "effect", that of the estimate (ratios not as logarithms); "z", "p-value", "conditional power", "conditional
            power at trend" or "predictive power".
        """
        from .plots import bounds_figure

        path = self.path if any(z is not None for z in self.path[:-1]) else None
        return bounds_figure(self.design, scale, conclusion=self, path=path)

    def expected_observed_given_stop(self, true_effect: npt.ArrayLike) -> Any:
        """Mean of the observed effect among trials that stop for efficacy at this look, if the effect is `true_effect`.

        Its distance to the truth is the exaggeration of a result known only because it crossed the bound (type M error,
        Gelman & Carlin 2014, Perspect Psychol Sci 9:641). Exact however rare such a stop is under that effect.

        Parameters
        ----------
        true_effect
            On the scale of the observed estimate, any shape; the result has the same.

        Raises
        ------
        InputError
            When an effect is not finite, or nothing may be spent at this look, so that no trial stops there.
        """
        effects = np.asarray(true_effect, dtype=np.float64)
        if not np.all(np.isfinite(effects)):
            raise InputError("true_effect", true_effect, "finite numbers")
        if math.isinf(self.efficacy_bound):
            raise InputError("look", self.look, "a look at which the trial can stop for efficacy")
        null = self.observed.null_value
        means = self.trial.mean_estimate_given_stop((effects.ravel() - null) / self._unit)
        result = null + self._unit * means.reshape(effects.shape)
        return float(result) if result.ndim == 0 else result

    def exaggeration(self, true_effect: npt.ArrayLike) -> Any:
        """`expected_observed_given_stop` relative to the truth, both as distances from the null value.

        Raises
        ------
        InputError
            When a true effect equals the null value.
        """
        distance = np.asarray(true_effect, dtype=np.float64) - self.observed.null_value
        if np.any(distance == 0):
            raise InputError("true_effect", true_effect, "effects other than the null value")
        ratio = (self.expected_observed_given_stop(true_effect) - self.observed.null_value) / distance
        return float(ratio) if np.ndim(ratio) == 0 else ratio

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None stands for an infinite bound or limit, and for what is not known yet."""
        return {
            "look": self.look,
            "decision": str(self.decision),
            "z": self.z,
            "efficacy_bound": plain(self.efficacy_bound),
            "futility_bound": plain(self.futility_bound),
            "information": list(self.information),
            **estimate_dict(self.observed),
            "observed_interval": interval_dict(self.observed_interval),
            "p_value": self.p_value,
            "median_unbiased": self.median_unbiased,
            "interval": interval_dict(self.interval),
            "bias_adjusted": self.bias_adjusted,
            "repeated_interval": interval_dict(self.repeated_interval),
            "repeated_p_value": self.repeated_p_value,
        }

    def __str__(self) -> str:
        level = f"{100 * self.observed_interval.level:g} %"
        bounds = f"efficacy bound {self.efficacy_bound:.4f}"
        if self.futility_bound is not None:
            bounds += f", futility bound {self.futility_bound:.4f}"
        effect = self.observed.effect
        sides = "one-sided" if self.design.sided == 1 else "two-sided"
        lines = [
            f"Look {self.look} at information fraction {self.information[-1]:.4g}: {self.decision}",
            f"z = {self.z:.4f}, {bounds}",
            f"p = {'-' if self.p_value is None else format(self.p_value, '.4g')} ({sides}, stage-wise ordering)",
            effects_table(
                self.observed.scale,
                [
                    (f"as observed, {level}", effect, self.observed_interval),
                    (f"median-unbiased, {level}", self.median_unbiased, self.interval),
                    ("bias-adjusted", self.bias_adjusted, None),
                    (f"repeated interval, {level}", None, self.repeated_interval),
                ],
            ),
        ]
        if math.isfinite(self.observed.degrees_of_freedom):
            freedom = f"{self.observed.degrees_of_freedom:.4g} df"
            lines.append(f"z is the normal score of t with {freedom}; effects are by that t")
        if self.observed.label:
            lines.insert(0, self.observed.label)
        return "\n".join(lines)

    __repr__ = __str__
