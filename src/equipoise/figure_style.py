"""One look for all figures: sizes, colours that hold for the colour-blind and in grey, and no global state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BOUND",
    "INK",
    "MUTED",
    "SHADE",
    "WIDTH",
    "ArmStyle",
    "arm_style",
    "drawing",
    "figure_function",
    "new_figure",
    "shorten",
    "spread",
]

INK, MUTED, BOUND = "#1c2430", "#5c6672", "#8a3b12"
SHADE = {"efficacy": "#d8ecf7", "harm": "#fbe3d3", "futility": "#e9e9e9"}
WIDTH = 4.4

_SETTINGS: dict[str, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelsize": 10,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 200,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True)
class ArmStyle:
    """How an arm is drawn wherever it appears: told apart by colour, by line and by marker."""

    colour: str
    line: Any
    marker: str
    face: str
    hatch: str


_ARMS = (
    ArmStyle("#4a5561", (0, (4, 2)), "s", "white", "////"),
    ArmStyle("#0072b2", "-", "o", "#0072b2", ""),
    ArmStyle("#b34700", (0, (1, 1.2)), "^", "#b34700", "...."),
    ArmStyle("#00785a", (0, (6, 2, 1.5, 2)), "D", "#00785a", "\\\\\\\\"),
    ArmStyle("#8e4585", (0, (3, 1, 1, 1, 1, 1)), "v", "#8e4585", "xx"),
)


def arm_style(at: int) -> ArmStyle:
    """Style of the arm at a position of `Protocol.arm_names`; control grey and dashed, the compared arm blue."""
    return _ARMS[at] if at < len(_ARMS) else _ARMS[1 + (at - 1) % (len(_ARMS) - 1)]


@contextmanager
def drawing() -> Iterator[None]:
    """Our settings while a figure is made or written, whatever the user's are, which come back afterwards.

    Names in letters that the font lacks are drawn as boxes without a warning.
    """
    import warnings

    from matplotlib import style

    with style.context(["default", _SETTINGS]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from font", category=UserWarning)
        warnings.filterwarnings(
            "ignore", message=r"(?s)Matplotlib currently does not support .* natively", category=UserWarning
        )
        yield


P = ParamSpec("P")


def figure_function(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a figure under our settings, whatever the user's are."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with drawing():
            return draw(*args, **kwargs)

    return drawn


def new_figure(
    height: float,
    rows: int = 1,
    ratios: tuple[float, ...] | None = None,
    layout: Literal["constrained"] | None = "constrained",
) -> tuple[Figure, list[Axes]]:
    """A figure `WIDTH` inches wide with its panels below each other; belongs to nobody, shows nowhere."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout=layout)
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, 1, squeeze=False, height_ratios=ratios)
    return figure, list(panels[:, 0])


def shorten(text: str, longest: int) -> str:
    """Text cut to a length, with an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def spread(values: list[float], gap: float, lowest: float, highest: float) -> list[float]:
    """Heights for labels near `values`, at least `gap` apart where room allows, in the order given."""
    order = sorted(range(len(values)), key=lambda at: values[at])
    gap = min(gap, (highest - lowest) / max(len(values) - 1, 1))
    placed = [min(max(values[at], lowest), highest) for at in order]
    for at in range(1, len(placed)):
        placed[at] = max(placed[at], placed[at - 1] + gap)
    over = placed[-1] - highest
    if over > 0:
        placed[-1] = highest
        for at in range(len(placed) - 2, -1, -1):
            placed[at] = min(placed[at], placed[at + 1] - gap)
    result = [0.0] * len(values)
    for at, height in zip(order, placed, strict=True):
        result[at] = height
    return result
