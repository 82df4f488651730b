"""The colours of figures and page, told apart by colour-blind readers too.

Blue is the SLM, vermilion the LLM (Okabe and Ito, https://jfly.uni-koeln.de/color/);
strategies have the other hues, and a marker each. A figure is drawn in the light
colours; inside the page they become variables with a value for each theme.
"""

from __future__ import annotations

from collections.abc import Iterable

from .run import Cell

LIGHT = {
    "paper": "#fefefd",
    "ink": "#1c2024",
    "muted": "#5d656e",
    "rule": "#dcdfe3",
    "slm": "#0072b2",
    "llm": "#d55e00",
    "front": "#30363d",
    "signal": "#8250c4",
    "s0": "#009e73",
    "s1": "#aa3377",
    "s2": "#c28a00",
    "s3": "#3fa0d8",
    "s4": "#7a5ab8",
    "s5": "#7d8018",
}
DARK = {
    "paper": "#14171b",
    "ink": "#e8eaed",
    "muted": "#9aa3ad",
    "rule": "#30363e",
    "slm": "#5ab4ea",
    "llm": "#ff9350",
    "front": "#d4d9df",
    "signal": "#b48cff",
    "s0": "#37cfa0",
    "s1": "#ea7fbd",
    "s2": "#eab93d",
    "s3": "#8fd0f5",
    "s4": "#b79cf0",
    "s5": "#c5c85a",
}
MARKERS = ("o", "s", "D", "^", "v", "P")


_BY_ROLE = {
    "slm-only": ("slm", "o"),
    "llm-only": ("llm", "o"),
    "random": ("muted", "x"),
    "oracle": ("muted", "*"),
}


class Styles:
    """A colour and a marker for each cell: by its role, or else by its strategy."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        tried = [cell.strategy for cell in cells if cell.role not in _BY_ROLE]
        self._places = {name: i for i, name in enumerate(dict.fromkeys(tried))}

    def name(self, cell: Cell) -> str:
        """Return the name of its colour."""
        if cell.role in _BY_ROLE:
            return _BY_ROLE[cell.role][0]
        return f"s{self._places[cell.strategy] % len(MARKERS)}"

    def colour(self, cell: Cell) -> str:
        """Return its colour on light paper."""
        return LIGHT[self.name(cell)]

    def marker(self, cell: Cell) -> str:
        """Return its marker; beyond six strategies colours and markers part."""
        if cell.role in _BY_ROLE:
            return _BY_ROLE[cell.role][1]
        place = self._places[cell.strategy]
        return MARKERS[(place + place // len(MARKERS)) % len(MARKERS)]


def css() -> str:
    """Return the two themes as CSS variables."""
    light, dark = (
        "".join(f"--{name}:{value};" for name, value in theme.items())
        for theme in (LIGHT, DARK)
    )
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=light]{{color-scheme:light;{light}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
    )
