"""Figures of virtual trials: each is one function of operating characteristics or of a comparison of them."""

from __future__ import annotations

from .bias_forest import bias_forest_figure
from .estimate_distribution import estimate_distribution_figure
from .heat_map import heat_map_axes, heat_map_figure
from .points import points_figure
from .power_curve import curve_axis, power_curve_figure
from .stopping import stopping_figure
from .z_paths import z_paths_figure

__all__ = [
    "bias_forest_figure",
    "curve_axis",
    "estimate_distribution_figure",
    "heat_map_axes",
    "heat_map_figure",
    "points_figure",
    "power_curve_figure",
    "stopping_figure",
    "z_paths_figure",
]
