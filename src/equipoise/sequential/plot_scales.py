"""The scales on which a picture shows bounds and the path of a trial, and how numbers are written on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..estimate import Estimate
from .bounds import Boundaries
from .design import GroupSequential
from .futility_scales import SCALES, on_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PlotScale", "decimal", "effect_scale", "percent", "plot_scale", "scientific", "z_scale"]

MINUS = "\N{MINUS SIGN}"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALLEST = 1e-250  # p-values below are shown as this, so that there is room on the axis
_LABELS = {
    "conditional power": "Conditional power, planned effect",
    "conditional power at trend": "Conditional power, observed trend",
    "predictive power": "Predictive power",
}


@dataclass(frozen=True)
class PlotScale:
    """A vertical axis.

    Attributes
    ----------
    label
        Of the axis.
    value
        What z at a look (from 1) is on the axis; NaN where it is nothing.
    written
        A value as text.
    rises
        Whether the value rises with z.
    logarithmic, inverted
        How the axis runs; inverted when small values are on top.
    folded
        Whether z and -z have the same value.
    span
        Ends of the axis where the scale itself has ends.
    reach
        How far the picture goes at most for the sake of early bounds, as a multiple of the last bound's distance from
        `null`.
    null
        Value of z = 0, or NaN.
    marks
        Other values to mark by a line, with their names.
    estimates
        The estimates whose own scale this is, one a look; None for a scale of z.
    """

    label: str
    value: Callable[[float, int], float]
    written: Callable[[float], str]
    rises: bool = True
    logarithmic: bool = False
    inverted: bool = False
    folded: bool = False
    span: tuple[float, float] | None = None
    reach: float = 2.4
    null: float = math.nan
    marks: tuple[tuple[float, str], ...] = ()
    estimates: tuple[Estimate, ...] | None = None

    @property
    def is_symmetric(self) -> bool:
        """Whether z and -z have opposite values."""
        return self.null == 0 and self.estimates is None

    @property
    def favours_up(self) -> bool:
        """Whether results in favour of the experimental arm lie higher on the page."""
        return self.rises != self.inverted

    def forward(self, value: float) -> float:
        """Place of a value along the axis."""
        return math.log10(value) if self.logarithmic else value

    def backward(self, place: float) -> float:
        """The value at a place along the axis."""
        return 10.0 ** min(max(place, -300.0), 300.0) if self.logarithmic else place

    def dress(self, axes: Axes, low: float, high: float) -> None:
        """Set limits (places along the axis), ticks and label."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

        ends = self.backward(low), self.backward(high)
        if self.logarithmic:
            axes.set_yscale("log")
        axes.set_ylim(*(reversed(ends) if self.inverted else ends))
        if self.logarithmic:
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))
            axes.set_yticks(self._logarithmic_ticks(low, high))
        elif self.span is not None:
            places = (0.0, 0.25, 0.5, 0.75, 1.0)
            axes.set_yticks(places, [f"{place:.0%}" for place in places])
        else:
            axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axes.set_ylabel(self.label)

    def _logarithmic_ticks(self, low: float, high: float) -> list[float]:
        """Ticks at round values: of a p-value none above 1."""
        from matplotlib.ticker import MaxNLocator

        top = high if self.estimates is not None else min(high, 0.0)
        if top - low < 0.7:
            ticks = MaxNLocator(5).tick_values(10.0**low, 10.0**top)
            return [float(tick) for tick in ticks if 10.0**low <= tick <= 10.0**top]
        decades = range(math.floor(low), math.ceil(top) + 1)
        step = math.ceil((top - low) / 7)
        leads = (1.0, 2.0, 5.0) if top - low < 2.4 else (1.0,)
        places = [decade + math.log10(lead) for decade in decades if decade % step == 0 for lead in leads]
        return [10.0**place for place in places if max(low, -300.0) <= place <= top + 1e-9]


def plot_scale(
    scale: str,
    design: GroupSequential,
    boundaries: Boundaries,
    estimates: Sequence[Estimate | None] | None,
    drift: float | None,
) -> PlotScale:
    """The axis of a name.

    Parameters
    ----------
    scale
        One of `futility_scales.SCALES`.
    design, boundaries
        The design, and its bounds at every look at the information there.
    estimates
        Those seen at looks 1..k, None where there is none; "effect" is then their own scale.
    drift
        Planned, where it is not to be the design's own.

    Raises
    ------
    InputError
        When the scale is unknown, or needs an effect or a look that the design does not have.
    """
    if scale not in SCALES:
        raise InputError("scale", scale, "one of " + ", ".join(SCALES))
    if scale == "z":
        return z_scale()
    if scale == "p-value":
        return _p_scale(design.sided)
    if scale == "effect" and estimates is not None and any(estimate is not None for estimate in estimates):
        return effect_scale(boundaries.information, estimates)
    times, efficacy, sided = boundaries.information, boundaries.efficacy, design.sided
    if scale != "predictive power" and scale != "conditional power at trend":
        drift = _planned_drift(design) if drift is None else drift
    if scale == "effect":
        on_scale(0.0, scale, 1, times, efficacy, drift, sided)
        return PlotScale(
            "Effect (multiple of the planned one)",
            lambda z, look: on_scale(z, scale, look, times, efficacy, drift, sided),
            lambda value: decimal(value, 2),
            null=0.0,
            reach=3.2,
            marks=((1.0, "planned effect"),),
        )
    if design.looks == 1 and times.size == 1:
        raise InputError("scale", scale, "z, p-value or effect, for a design of one look")

    def power(z: float, look: int) -> float:
        if math.isinf(efficacy[look:].min(initial=math.inf)):
            return math.nan
        return min(max(on_scale(z, scale, look, times, efficacy, drift, sided), 0.0), 1.0)

    return PlotScale(_LABELS[scale], power, percent, span=(0.0, 1.0))


def z_scale() -> PlotScale:
    """The scale of z itself."""
    return PlotScale("z-value", lambda z, _: z, lambda value: decimal(value, 3), null=0.0)


def _p_scale(sided: int) -> PlotScale:
    from scipy.special import ndtr

    def value(z: float, look: int) -> float:
        return max(sided * float(ndtr(-abs(z) if sided == 2 else -z)), _SMALLEST)

    return PlotScale(
        f"Nominal p-value ({'one' if sided == 1 else 'two'}-sided)",
        value,
        _p_text,
        rises=False,
        logarithmic=True,
        inverted=True,
        folded=sided == 2,
        reach=4.0,
        null=0.5 * sided,
    )


def effect_scale(information: np.ndarray, estimates: Sequence[Estimate | None]) -> PlotScale:
    """The scale of the estimates themselves, on which a bound is the estimate that just reaches it.

    At looks without an estimate the standard error is that of the nearest one, as information goes, and so are its
    degrees of freedom.
    """
    seen = {at: estimate for at, estimate in enumerate(estimates) if estimate is not None}
    held = []
    for at, time in enumerate(information):
        nearest = min(seen, key=lambda other: (abs(other - at), -other))
        ratio = float(time / information[nearest])
        estimate = seen[nearest]
        held.append(
            estimate
            if nearest == at
            else replace(
                estimate,
                standard_error=estimate.standard_error / math.sqrt(ratio),
                degrees_of_freedom=max(estimate.degrees_of_freedom * ratio, 1.0),
            )
        )
    first = held[0]
    sign = 1.0 if first.better == "higher" else -1.0

    def value(z: float, look: int) -> float:
        estimate = held[look - 1]
        effect = estimate.null_value + sign * estimate.quantile(z) * estimate.standard_error
        return first.scale.natural(min(max(effect, -690.0), 690.0)) if first.scale.is_logarithmic else effect

    name = first.scale.natural_name
    return PlotScale(
        name[0].upper() + name[1:],
        value,
        _significant,
        rises=sign > 0,
        logarithmic=first.scale.is_logarithmic,
        reach=3.2,
        null=first.scale.natural(first.null_value),
        estimates=tuple(held),
    )


def _planned_drift(design: GroupSequential) -> float:
    """The drift that fixed futility bounds refer to, so that they are shown as given; else that of the power."""
    return design.drift if math.isnan(design.spending_drift) else design.spending_drift


def decimal(value: float, digits: int) -> str:
    """A number with a true minus sign, and none before a zero."""
    shown = f"{value:.{digits}f}"
    return shown.lstrip("-") if float(shown) == 0 else shown.replace("-", MINUS)


def percent(probability: float, digits: int = 1) -> str:
    """A probability as a percentage, never 0% or 100% for what is neither."""
    smallest = 10.0**-digits
    value = 100 * probability
    if 0 < value < smallest / 2:
        return f"<{smallest:g}%"
    if 100 - smallest / 2 < value < 100:
        return f">{100 - smallest:g}%"
    return f"{value:.{digits}f}%"


def _significant(value: float) -> str:
    return f"{value:.3g}".replace("-", MINUS)


def _p_text(value: float) -> str:
    if value <= _SMALLEST:
        return f"<{_power_of_ten(_SMALLEST)}"
    if value >= 0.001:
        return f"{value:.2g}" if value >= 0.1 else f"{value:.4f}"
    return scientific(value)


def scientific(value: float) -> str:
    """A number as a multiple of a power of ten."""
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}·10{str(int(exponent)).translate(_RAISED)}"


def _power_of_ten(value: float) -> str:
    if 1e-4 <= value <= 1e4:
        return f"{value:.6g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    lead = value / 10.0**exponent
    head = "" if abs(lead - 1) < 1e-6 else f"{lead:.3g}·"
    return f"{head}10{str(exponent).translate(_RAISED)}"
