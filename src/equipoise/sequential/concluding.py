"""From the estimates of a trial to what may be claimed at its latest look."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks import numbers, whole
from ..errors import InputError
from ..estimate import Estimate, Interval
from .bounds import Boundaries
from .conclusion import Conclusion
from .decision import decide
from .design import GroupSequential
from .effects import differing
from .inference import StoppedTrial
from .nested import without_futility

__all__ = ["MOST", "conclude", "stopped_trial"]

MOST = 100.0


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
    fractions = None if information is None else numbers("information", information).tolist()
    if look is None:
        look = len(given) if fractions is None or len(given) > 1 else len(fractions)
    look = whole("look", look, f"a look from 1 to {design.looks}")
    if look != len(given) and len(given) > 1:
        raise InputError("look", look, f"{len(given)}, the number of estimates given, or a single estimate")
    if look < 1 or (look > design.looks and information is None):
        raise InputError("look", look, f"a look from 1 to {design.looks}, or with the information at every look")
    for estimate in given:
        if not abs(estimate.favourable_z) <= MOST:
            figures = f"effect {estimate.effect:g} with standard error {estimate.standard_error:g}"
            raise InputError("estimates", figures, f"an effect within {MOST:g} standard errors of the null value")
    if name := differing(given):
        values = sorted({getattr(estimate, name) for estimate in given})
        raise InputError(f"estimates.{name}", values, "the same at every look")
    if fractions is None:
        fractions = list(design.information[:look])
    if len(fractions) != look:
        raise InputError("information", fractions, f"one for each of the looks so far, {look}")
    return given, look, fractions


def _refuse_crossed(design: GroupSequential, estimates: list[Estimate], boundaries: Boundaries) -> None:
    for index, estimate in enumerate(estimates[:-1]):
        futility = boundaries.futility[index] if boundaries.futility is not None and design.binding else None
        decision = decide(design, estimate.favourable_z, boundaries.efficacy[index], futility, False)
        if decision.stops:
            raise InputError(
                f"z at look {index + 1}", round(estimate.favourable_z, 4), f"one that continues, not '{decision!s}'"
            )


def stopped_trial(design: GroupSequential, boundaries: Boundaries) -> StoppedTrial:
    """The trial at the last look of its `boundaries` so far, with the looks of the design that were still to come."""
    fractions, look = boundaries.information.tolist(), boundaries.information.size
    later = [fraction for fraction in design.information[look:] if not boundaries.complete and fraction > fractions[-1]]
    if not (boundaries.complete or later) and fractions[-1] < 1:
        later = [1.0]
    whole = design.bounds_at([*fractions, *later], True) if later else boundaries
    return StoppedTrial(whole.region(design.sided, design.binding), look)


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
        The look (from 1) of a single estimate; by default as many as there are fractions in `information`, or 1.
    information
        Observed information at looks 1..k as fractions of the planned maximum; by default as planned. Spending and
        bounds are recomputed there. At the last planned look, or once the maximum is reached, everything left is spent,
        and only ratios of information matter (Lan & DeMets 1983).
    final
        Whether the trial ends here, so that everything left is spent. By default it does at the last planned look or
        once the maximum is reached.

    Notes
    -----
    Everything is found on the scale of z and then read as effects (`Estimate.effect_at_mean`): the effect v at which z
    has mean m is the one whose own test, (effect - v) / SE as a normal or t statistic, gives z - m. At look j the mean
    is then m sqrt(t_j / t_k). At the first look the interval is exactly the t interval and the median-unbiased estimate
    the observed effect; at later looks rpact instead multiplies limits found on the z scale by SE, as if the degrees of
    freedom were infinite.

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
    plain = without_futility(design).bounds_at(fractions, final) if design.binding else boundaries
    half = observed.quantile(float(plain.efficacy[-1])) * observed.standard_error
    repeated = Interval(
        observed.possible(observed.effect - abs(half)), observed.possible(observed.effect + abs(half)), level
    )

    trial = stopped_trial(design, boundaries)

    p_value = median = interval = adjusted = None
    if decision.stops:
        p_value = min(1.0, 2 * trial.tail(abs(z)) if design.sided == 2 else trial.tail(z))
        means = trial.means(z, (0.5, design.level, 1 - design.level))
        median, *ends = (observed.effect_at_mean(float(mean)) for mean in means)
        interval = Interval(min(ends), max(ends), level)
        adjusted = observed.effect_at_mean(trial.bias_adjusted(z))
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
