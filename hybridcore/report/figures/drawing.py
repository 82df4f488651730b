"""How figures look, and how they become files and parts of a page."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...whole_file import write_whole
from ..palette import LIGHT

_DPI = 200
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": LIGHT["ink"],
    "text.parse_math": False,
    "axes.titlesize": 9.5,
    "axes.labelcolor": LIGHT["ink"],
    "axes.edgecolor": LIGHT["muted"],
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 0.7,
    "xtick.color": LIGHT["muted"],
    "ytick.color": LIGHT["muted"],
    "xtick.labelcolor": LIGHT["muted"],
    "ytick.labelcolor": LIGHT["muted"],
    "legend.frameon": False,
    "figure.facecolor": LIGHT["paper"],
    "svg.fonttype": "none",
}


@contextmanager
def style(salt: str) -> Iterator[None]:
    """Draw and save in our style; ``salt`` keeps the ids of figures apart."""
    settings = matplotlib.rc_context({**_STYLE, "svg.hashsalt": salt})
    with settings, warnings.catch_warnings():
        # a name in a script that the font lacks
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        yield


def save(figure: Figure, path: Path) -> str:
    """Write ``path.svg`` and ``path.png``; return the SVG for a page.

    To be called in :func:`style`.
    """
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    write_whole(path.with_name(f"{path.name}.svg"), svg.getvalue())
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    write_whole(path.with_name(f"{path.name}.png"), png.getvalue())
    return inlined(svg.getvalue())


def inlined(svg: str) -> str:
    """Return an SVG without its head, in the colours and the font of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("'DejaVu Sans'", "var(--sans)")
    for name, colour in LIGHT.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg


def shortened(text: str, length: int) -> str:
    """Return a text that fits."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def in_percent(axis_of: Axes, which: str) -> None:
    """Label an axis of parts from 0 to 1 in per cent."""
    axis = axis_of.xaxis if which == "x" else axis_of.yaxis
    axis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
