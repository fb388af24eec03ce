"""From the estimates of a trial to what may be claimed at its latest look."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import InputError
from ..estimate import Estimate, Interval
from .bounds import Boundaries
from .conclusion import Conclusion, without_futility
from .decision import decide
from .design import GroupSequential
from .inference import StoppedTrial

__all__ = ["conclude"]


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
    plain = boundaries if design.futility is None else without_futility(design).bounds_at(fractions, final)
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
        middle, *ends = (
            effect_at(float(mean))
            for mean in trial.standardised_effects((0.5, design.level, 1 - design.level), z_against)
        )
        median = observed.possible(middle)
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
        path=(*(None for _ in range(look - len(given))), *(estimate.favourable_z for estimate in given)),
        design=design,
        final=final,
        trial=trial,
    )
