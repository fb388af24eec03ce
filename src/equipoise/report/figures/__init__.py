"""Figures: each is one function of one result and returns a matplotlib figure that belongs to nobody."""

from __future__ import annotations

from .bounds import design_figure, path_figure
from .durability import durability_figure, durability_result
from .estimates import estimates_figure
from .flow import flow_figure
from .forest import forest_figure
from .means import mean_result, means_figure
from .response import response_figure, response_results
from .save import figure_bytes, inline_svg, save_figure

__all__ = [
    "design_figure",
    "durability_figure",
    "durability_result",
    "estimates_figure",
    "figure_bytes",
    "flow_figure",
    "forest_figure",
    "inline_svg",
    "mean_result",
    "means_figure",
    "path_figure",
    "response_figure",
    "response_results",
    "save_figure",
]
