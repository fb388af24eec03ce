"""Concentrations of a drug over a course of infusions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..checks import number, whole
from ..errors import InputError
from ..figure_style import MUTED, arm_style, figure_function, new_figure, shorten
from ..wording import capital
from .draws import Draws
from .drugs import drug
from .exposure import draw_kinetics
from .pharmacokinetics import Infusions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["plot_concentrations"]

PERCENTILES = (5, 50, 95)
CLOSE_UP_HOURS = 8.0
DECADES = 4  # below the highest concentration


@figure_function
def plot_concentrations(
    name: str,
    dose_mg_per_kg: float | Mapping[str, float],
    schedule: Sequence[float] = (0, 2, 4, 7, 9, 11),
    *,
    infusion_minutes: float = 40.0,
    weight_mean: float = 80.0,
    weight_sd: float = 17.0,
    patients: int = 1_000,
    seed: int = 1,
) -> Figure:
    """Median and 5th to 95th percentile of patients' concentrations: over all infusions, and of the first close up.

    Weights and kinetics vary between patients as `draw_kinetics` has it; the error of measurement is not among it.

    Parameters
    ----------
    name
        Of the drug's published set.
    dose_mg_per_kg
        Of each infusion; several by label, at most five.
    schedule
        Days of the infusions.
    weight_mean, weight_sd
        In kg; 80 (17) is assumed.
    patients
        How many are drawn, from 20 on.

    Raises
    ------
    InputError
        For a drug that there is not, doses or weights that are not positive, or too few patients.
    """
    chosen = drug(name)
    if isinstance(dose_mg_per_kg, Mapping):
        doses = dict(dose_mg_per_kg)
    else:
        doses = {f"{number('dose_mg_per_kg', dose_mg_per_kg):g} mg/kg": dose_mg_per_kg}
    if not 1 <= len(doses) <= 5:
        raise InputError("dose_mg_per_kg", dose_mg_per_kg, "one to five doses")
    positive = {f"dose_mg_per_kg {label}": dose for label, dose in doses.items()}
    positive |= {"infusion_minutes": infusion_minutes, "weight_mean": weight_mean, "weight_sd": weight_sd}
    for field, value in positive.items():
        if number(field, value, "a positive number") <= 0:
            raise InputError(field, value, "a positive number")
    if whole("patients", patients) < 20:
        raise InputError("patients", patients, "20 patients or more")
    infusions = Infusions.on_days(sorted(schedule), infusion_minutes)
    if not len(infusions.starts):
        raise InputError("schedule", schedule, "the day of one infusion or more")
    weight, kinetics = draw_kinetics(Draws.of(seed, "concentrations", [0]), chosen, patients, weight_mean, weight_sd)
    figure, (course, close) = new_figure(5.4, rows=2, ratios=(1.0, 1.0))
    hours, first = _hours(infusions), _first_hours(infusions)
    whose = " racemate" if chosen.share == 0.5 else ""
    for at, (label, dose) in enumerate(doses.items()):
        given = chosen.given(dose, weight)
        concentrations = kinetics.concentration(given, infusions, np.concatenate([hours, first]))[0]
        name_and_form = shorten(label, 26) + whose
        _band(course, hours / 24, concentrations[:, : len(hours)], at, name_and_form, 1.2)
        _band(close, first - infusions.starts[0], concentrations[:, len(hours) :], at, name_and_form, 1.8)
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in close.lines]
    infused = f"{capital(chosen.compound.analyte)}: {_times(len(schedule))} of {infusion_minutes:g} min"
    _finish(course, DECADES, "Days", infused)
    below = np.log10(_top(close) / min(ends)) + 0.5 + 0.25 * len(doses)  # room for the legend
    _finish(close, float(below), "Hours since the first infusion began", "The first infusion, and the hours after it")
    close.axvspan(0, infusions.length, color=MUTED, alpha=0.13, linewidth=0, zorder=0)
    close.set_xlim(0, CLOSE_UP_HOURS)
    close.set_xticks(np.arange(0, CLOSE_UP_HOURS + 1))
    days = np.append(infusions.starts, hours[-1]) / 24
    course.set_xticks(days, [f"{day:g}" for day in days])
    course.set_xlim(infusions.starts[0] / 24 - 0.15, hours[-1] / 24)
    place = (min(infusions.length / CLOSE_UP_HOURS + 0.01, 0.3), 0.0)
    close.legend(
        loc="lower left",
        bbox_to_anchor=place,
        frameon=False,
        fontsize=9.5,
        title="Median, 5th to 95th percentile",
        title_fontsize=9,
        alignment="left",
    )
    return figure


def _times(count: int) -> str:
    return "1 infusion" if count == 1 else f"{count} infusions"


def _hours(infusions: Infusions) -> NDArray[np.float64]:
    """Hours from the first infusion to two days after the last, denser about each."""
    end = infusions.starts[-1] + max(48, 2 * infusions.length)
    during = infusions.starts[:, None] + np.linspace(0.02, 1, 12) * infusions.length
    after = infusions.ends[:, None] + np.geomspace(0.02, max(end - infusions.starts[0], 1.0), 90)
    hours = np.unique(np.concatenate([during.ravel(), after.ravel(), infusions.starts, [end]]))
    return hours[hours <= end]


def _first_hours(infusions: Infusions) -> NDArray[np.float64]:
    within = np.linspace(0.02, 1, 40) * infusions.length
    after = np.linspace(infusions.length, CLOSE_UP_HOURS, 200)
    return infusions.starts[0] + np.unique(np.concatenate([within, after]))


def _band(axes: Axes, x: NDArray[np.float64], found: NDArray[np.float64], at: int, label: str, width: float) -> None:
    style = arm_style(at + 1)
    low, middle, high = np.percentile(found, PERCENTILES, axis=0)
    axes.fill_between(x, low, high, color=style.colour, alpha=0.22, linewidth=0, zorder=2)
    axes.plot(x, middle, color=style.colour, linestyle=style.line, label=label, linewidth=width, zorder=3)


def _top(axes: Axes) -> float:
    return 2.5 * max(float(np.max(np.asarray(line.get_ydata()))) for line in axes.lines)


def _finish(axes: Axes, decades: float, across: str, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_yscale("log")
    axes.set_ylim(_top(axes) / 10**decades, _top(axes))
    axes.yaxis.set_major_locator(LogLocator(10, numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    axes.set_ylabel("ng/mL, log scale")
    axes.set_xlabel(across)
    axes.set_title(title)
