"""Figures as files and as the SVG text a page holds, the same bytes each time."""

from __future__ import annotations

import io
import re
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...conduct import replace_file
from ...errors import InputError
from ...figure_style import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure_bytes", "inline_svg", "save_figure"]

_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def figure_bytes(figure: Figure, kind: str, salt: str = "equipoise") -> bytes:
    """A figure as the bytes of a "png", "svg" or "pdf" file, free of dates; `salt` seeds identifiers in an SVG."""
    import matplotlib

    content = io.BytesIO()
    with drawing(), matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(content, format=kind, metadata=_METADATA[kind])
    return content.getvalue()


def save_figure(figure: Figure, path: str | PathLike[str]) -> None:
    """Write a figure as PNG, SVG or PDF, by the suffix of the path; the file appears whole or not at all.

    Raises
    ------
    InputError
        For another suffix, or a folder that cannot be written to.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in _METADATA:
        raise InputError("path", str(path), "a file name that ends in .png, .svg or .pdf")
    content = figure_bytes(figure, kind)
    with replace_file(path) as temporary:
        temporary.write_bytes(content)


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """A figure as an SVG element for an HTML page: scalable, named for screen readers, its identifiers its own.

    Parameters
    ----------
    name
        Prefix of every identifier; unique in the page, letters, digits and hyphens.
    title
        What the figure shows, read aloud in place of it.
    """
    from html import escape

    text = figure_bytes(figure, "svg", salt=name).decode()
    text = re.sub(r"<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r"\n\s*", "\n", text)
    opening, rest = text.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', opening)
    assert view is not None
    head = f'<svg {view[0]} xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
    return f'{head}aria-labelledby="{name}-title"><title id="{name}-title">{escape(title)}</title>{rest.strip()}'
