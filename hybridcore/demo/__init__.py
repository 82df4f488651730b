"""The embedded pair: two small models, their tasks, and how they were made."""

from __future__ import annotations

from pathlib import Path

from ..errors import ArgumentError

_HERE = Path(__file__).parent
MODELS = ("demo-slm", "demo-llm")


def model_path(name: str) -> Path:
    """Return the folder of ``demo-slm`` or ``demo-llm``.

    :raises ArgumentError: another name.
    """
    if name not in MODELS:
        raise ArgumentError(f"no embedded model {name!r}: expected one of {MODELS}")
    return _HERE / "models" / name.removeprefix("demo-")


def tasks_path() -> Path:
    """Return the folder to give lm_eval's ``--include_path``."""
    return _HERE / "tasks"
