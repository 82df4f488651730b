"""Versions, and whether they are those that the distribution asks for."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from .. import __file__ as _package
from .. import __version__
from .finding import Finding

SHOWN = ("hybridlm", "torch", "transformers", "lm_eval", "accelerate")


def look() -> Finding:
    """Name what is installed; a requirement that is not met is a problem."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    found |= {name: installed(name) for name in SHOWN}
    said = (f"{name} {number or 'is missing'}" for name, number in found.items())
    return Finding(", ".join(said), found, (*_of_ourselves(), *_unmet()))


def installed(name: str) -> str | None:
    """Return the version of a distribution, None where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _of_ourselves() -> list[str]:
    said = installed("hybridlm")
    if said == __version__:
        return []
    return [
        f"the code in {str(Path(_package).parent)!r} is hybridlm {__version__}, "
        f"installed is {said or 'none'}\ninstall it: pip install hybridlm, or "
        "pip install -e . in a checkout"
    ]


def _unmet() -> list[str]:
    if installed("hybridlm") is None:
        return []
    wanted = [Requirement(line) for line in requires("hybridlm") or ()]
    # those of extras are asked for by whoever uses the extra
    own = [w for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})]
    return [
        f"{w.name} {installed(w.name) or 'is missing'}: expected {w}\n"
        f"install it: pip install '{w.name}{w.specifier}'"
        for w in own
        if not _met(w)
    ]


def _met(wanted: Requirement) -> bool:
    number = installed(wanted.name)
    return number is not None and wanted.specifier.contains(number, prereleases=True)
