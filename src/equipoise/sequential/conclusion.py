"""What may be claimed at a look of a group-sequential trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..estimate import Estimate, Interval
from ..plain import plain
from .bounds import Boundaries
from .design import GroupSequential
from .families import BoundaryFamily
from .inference import StoppedTrial
from .roots import rising_root
from .tables import text_table

__all__ = ["Conclusion", "Decision", "conclude", "decide"]

_SMALLEST_LEVEL = 1e-300


class Decision(StrEnum):
    """What the stopping rule says at a look."""

    EFFICACY = "stop for efficacy"
    HARM = "stop for harm"
    FUTILITY = "stop for futility"
    CONTINUE = "continue"
    NOT_REJECTED = "not rejected"

    @property
    def stops(self) -> bool:
        """Whether the trial is over."""
        return self is not Decision.CONTINUE

    @property
    def rejects(self) -> bool:
        """Whether the null hypothesis is rejected, in either direction."""
        return self in (Decision.EFFICACY, Decision.HARM)


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
        from scipy.special import ndtr, ndtri

        z = abs(self.z) if self.design.sided == 2 else self.z
        plain = _without_futility(self.design)
        if isinstance(plain.efficacy, BoundaryFamily) and not plain.efficacy.is_nested:
            plain = replace(plain, efficacy=plain.alpha_spending)

        def excess(normal_level: float) -> float:
            level = max(float(ndtr(normal_level)), _SMALLEST_LEVEL)
            design = replace(plain, alpha=level * plain.sided)
            return z - float(design.bounds_at(self.information, self.final).efficacy[-1])

        highest = float(ndtri(0.5 - (1e-6 if isinstance(plain.efficacy, BoundaryFamily) else 1e-12)))
        if excess(highest) <= 0:
            return 0.5 * plain.sided
        lowest = float(ndtri(_SMALLEST_LEVEL))
        if excess(lowest) >= 0:
            return plain.sided * _SMALLEST_LEVEL
        root = rising_root(lambda level: excess(min(level, highest)), max(min(-z, highest), lowest), tolerance=1e-12)
        return plain.sided * float(ndtr(root))

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

        def limits(interval: Interval | None) -> dict[str, float | None] | None:
            if interval is None:
                return None
            return {"lower": plain(interval.lower), "upper": plain(interval.upper), "level": interval.level}

        return {
            "look": self.look,
            "decision": str(self.decision),
            "z": self.z,
            "efficacy_bound": plain(self.efficacy_bound),
            "futility_bound": plain(self.futility_bound),
            "information": list(self.information),
            "effect": self.observed.effect,
            "standard_error": self.observed.standard_error,
            "degrees_of_freedom": plain(self.observed.degrees_of_freedom),
            "scale": str(self.observed.scale),
            "better": self.observed.better,
            "null_value": self.observed.null_value,
            "label": self.observed.label,
            "observed_interval": limits(self.observed_interval),
            "p_value": self.p_value,
            "median_unbiased": self.median_unbiased,
            "interval": limits(self.interval),
            "bias_adjusted": self.bias_adjusted,
            "repeated_interval": limits(self.repeated_interval),
            "repeated_p_value": self.repeated_p_value,
        }

    def __str__(self) -> str:
        scale = self.observed.scale

        def shown(value: float | None) -> str:
            if value is None:
                return "-"
            return f"{scale.natural(min(value, 700.0)) if scale.is_logarithmic else value:.4g}"

        def row(name: str, value: float | None, interval: Interval | None) -> list[str]:
            ends = ("-", "-") if interval is None else (shown(interval.lower), shown(interval.upper))
            return [name, shown(value), *ends]

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
            text_table(
                [scale.natural_name, "estimate", "lower", "upper"],
                [
                    row(f"as observed, {level}", effect, self.observed_interval),
                    row(f"median-unbiased, {level}", self.median_unbiased, self.interval),
                    row("bias-adjusted", self.bias_adjusted, None),
                    row(f"repeated interval, {level}", None, self.repeated_interval),
                ],
            ),
        ]
        if self.observed.label:
            lines.insert(0, self.observed.label)
        return "\n".join(lines)

    __repr__ = __str__


def decide(design: GroupSequential, z: float, efficacy: float, futility: float | None, last: bool) -> Decision:
    """What the rule says of a z-value against the bounds of its look.

    Harm only when two-sided; futility only before the last look.
    """
    if z >= efficacy:
        return Decision.EFFICACY
    if design.sided == 2 and z <= -efficacy:
        return Decision.HARM
    if last:
        return Decision.NOT_REJECTED
    if futility is not None and (z if design.sided == 1 else abs(z)) <= futility:
        return Decision.FUTILITY
    return Decision.CONTINUE


def _without_futility(design: GroupSequential) -> GroupSequential:
    return replace(design, futility=None, beta=None, binding=False)


def _checked(
    design: GroupSequential,
    estimates: Estimate | Sequence[Estimate],
    look: int | None,
    information: Sequence[float] | None,
) -> tuple[list[Estimate], int, list[float]]:
    """The estimates, the look of the last of them, and the information fractions up to it."""
    given = list(estimates) if isinstance(estimates, Sequence) else [estimates]
    if not given or not all(isinstance(estimate, Estimate) for estimate in given):
        raise InputError("estimates", estimates, "an Estimate, or one for each look so far")
    if look is None:
        look = len(given)
    if look != len(given) and len(given) > 1:
        raise InputError("look", look, f"{len(given)}, the number of estimates given, or a single estimate")
    if look < 1 or (look > design.looks and information is None):
        raise InputError("look", look, f"a look from 1 to {design.looks}, or with the information at every look")
    for name in ("better", "null_value", "scale"):
        values = {getattr(estimate, name) for estimate in given}
        if len(values) > 1:
            raise InputError(f"estimates.{name}", sorted(values), "the same at every look")
    fractions = [float(fraction) for fraction in (design.information[:look] if information is None else information)]
    if len(fractions) != look:
        raise InputError("information", fractions, f"{look} information fractions, one for each look so far")
    return given, look, fractions


def _refuse_crossed(design: GroupSequential, estimates: list[Estimate], boundaries: Boundaries) -> None:
    for index, estimate in enumerate(estimates[:-1]):
        futility = boundaries.futility[index] if boundaries.futility is not None and design.binding else None
        decision = decide(design, estimate.favourable_z, boundaries.efficacy[index], futility, False)
        if decision.stops:
            raise InputError(
                f"z at look {index + 1}", round(estimate.favourable_z, 4), f"one that continues, not '{decision!s}'"
            )


def conclude(
    design: GroupSequential,
    estimates: Estimate | Sequence[Estimate],
    *,
    look: int | None = None,
    information: Sequence[float] | None = None,
    final: bool | None = None,
) -> Conclusion:
    """What may be said after the latest of `estimates`.

    Parameters
    ----------
    design
        The design as planned.
    estimates
        Cumulative estimates at looks 1..k in order, of which the earlier must not have stopped the trial (a non-binding
        futility bound may have been overruled); or one estimate with `look` = k, the trial having passed the earlier
        looks, which is all the stage-wise ordering needs to know.
    look
        The look (from 1) of a single estimate; 1 by default.
    information
        Observed information at looks 1..k as fractions of the planned maximum; by default as planned. Spending and
        bounds are recomputed there. At the last planned look, or once the maximum is reached, everything left is spent,
        and only ratios of information matter (Lan & DeMets 1983).
    final
        Whether the trial ends here, so that everything left is spent. By default it does at the last planned look or
        once the maximum is reached.

    Notes
    -----
    For a hypothesised effect v the drift is such that z has mean (v - null) / SE at look k and that times
    sqrt(t_j / t_k) at look j. With finite degrees of freedom the z held against v is the normal score of the t
    statistic (effect - v) / SE, plus that mean. At the first look the interval is then exactly the t interval and the
    median-unbiased estimate the observed effect; at later looks rpact instead multiplies limits found on the z scale by
    SE, as if the degrees of freedom were infinite. The bias adjustment is normal theory on the observed effect itself.

    Raises
    ------
    InputError
        When an earlier estimate had already crossed, estimates outnumber the looks or differ in `better`, `null_value`
        or `scale`, or `information` does not fit them.
    """
    given, look, fractions = _checked(design, estimates, look, information)
    if final is None and (look == design.looks or information is None):
        final = look == design.looks
    boundaries = design.bounds_at(fractions, final)
    _refuse_crossed(design, given, boundaries)
    observed = given[-1]
    final = boundaries.complete
    z = observed.favourable_z
    efficacy = float(boundaries.efficacy[-1])
    futility = None if boundaries.futility is None else float(boundaries.futility[-1])
    decision = decide(design, z, efficacy, futility, final)

    level = 1 - 2 * design.level
    sign = 1.0 if observed.better == "higher" else -1.0
    plain = boundaries if design.futility is None else _without_futility(design).bounds_at(fractions, final)
    half = observed.quantile(float(plain.efficacy[-1])) * observed.standard_error
    repeated = Interval(
        observed.possible(observed.effect - abs(half)), observed.possible(observed.effect + abs(half)), level
    )

    later = [fraction for fraction in design.information[look:] if not final and fraction > fractions[-1]]
    whole = design.bounds_at([*fractions, *later], True) if later else boundaries
    trial = StoppedTrial(whole.region(design.sided, design.binding), look)

    p_value = median = interval = adjusted = None
    if decision.stops:

        def effect_at(mean: float) -> float:
            return observed.null_value + sign * mean * observed.standard_error

        def z_against(mean: float) -> float:
            return sign * observed.z_against(effect_at(mean))

        p_value = min(1.0, 2 * trial.tail(abs(z)) if design.sided == 2 else trial.tail(z))
        median = observed.possible(effect_at(trial.standardised_effect(0.5, z_against)))
        ends = [effect_at(trial.standardised_effect(p, z_against)) for p in (design.level, 1 - design.level)]
        interval = Interval(observed.possible(min(ends)), observed.possible(max(ends)), level)
        root = math.sqrt(fractions[-1])
        adjusted = observed.possible(effect_at(trial.bias_adjusted(sign * observed.statistic / root) * root))
    return Conclusion(
        look=look,
        decision=decision,
        z=z,
        efficacy_bound=efficacy,
        futility_bound=futility,
        information=tuple(fractions),
        observed=observed,
        observed_interval=observed.interval(level),
        p_value=p_value,
        median_unbiased=median,
        interval=interval,
        bias_adjusted=adjusted,
        repeated_interval=repeated,
        design=design,
        final=final,
        trial=trial,
    )
