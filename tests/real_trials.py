"""The gallery's real trials with what was published of them, and what of the data others computed."""

from __future__ import annotations

from functools import cache

from equipoise import TrialResult, analyse, gallery, read_data

# Elmunzer et al. 2012, N Engl J Med 366:1414: 27 of 295 and 52 of 307, P = 0.005.
INDOMETHACIN = {"patients": (295, 307), "percent": (9.2, 16.9), "p_value": 0.005}
# CDISC pilot, table 14-3.01 (ADAS-Cog, change at week 24, last observation carried forward): mean (SD), n.
XANOMELINE_MEANS = {"placebo": (79, 2.5, 5.80), "low": (81, 2.0, 5.55), "high": (74, 1.5, 4.26)}
# The same, differences from placebo: adjusted mean (SE), p, from site and baseline by least squares.
XANOMELINE_DIFFERENCES = {"low": (-0.5, 0.82, 0.569), "high": (-1.0, 0.84, 0.233)}
# Time to first dermatologic event: patients, events, median days (lifelines on the same data).
DERMATOLOGIC = {"placebo": (86, 29, None), "high": (84, 61, 36.0), "low": (84, 62, 33.0)}
# UMARU Impact Study: medians in days (lifelines), Cox's log hazard ratio and its standard error (statsmodels).
RELAPSE_MEDIANS, RELAPSE_COX = (142.0, 200.0), (-0.237, 0.093, 0.011)


@cache
def analysed(name: str) -> TrialResult:
    """A gallery trial on the data of the package it names."""
    protocol = gallery(name)
    return analyse(protocol, read_data(protocol))


def of(name: str, endpoint: str):
    """One endpoint's result."""
    result = analysed(name)
    return next(item for item in (result.primary, *result.secondary) if item.name == endpoint)
