"""The colours of figures and page, told apart by colour-blind readers too.

Blue is the SLM, vermilion the LLM (Okabe and Ito, https://jfly.uni-koeln.de/color/);
strategies have the other hues, and a marker each. A figure is drawn in the light
colours; inside the page they become variables with a value for each theme.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#fefefd",
    "ink": "#1c2024",
    "muted": "#5d656e",
    "rule": "#dcdfe3",
    "slm": "#0072b2",
    "llm": "#d55e00",
    "front": "#30363d",
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
    "s0": "#37cfa0",
    "s1": "#ea7fbd",
    "s2": "#eab93d",
    "s3": "#8fd0f5",
    "s4": "#b79cf0",
    "s5": "#c5c85a",
}
MARKERS = ("o", "s", "D", "^", "v", "P")


class StrategyStyles:
    """A colour and a marker for each strategy, in the order they come."""

    def __init__(self, strategies: list[str]) -> None:
        self._places = {name: i for i, name in enumerate(dict.fromkeys(strategies))}

    def name(self, strategy: str) -> str:
        """Return the name of its colour: ``"s0"`` to ``"s5"``."""
        return f"s{self._places.get(strategy, 0) % len(MARKERS)}"

    def colour(self, strategy: str) -> str:
        """Return its colour on light paper."""
        return LIGHT[self.name(strategy)]

    def marker(self, strategy: str) -> str:
        """Return its marker; beyond six strategies colours and markers part."""
        place = self._places.get(strategy, 0)
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
