"""What a distribution of a strategy must say of itself."""

from __future__ import annotations

import json
import re
from importlib.metadata import Distribution
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from .. import __version__
from .check import Failure
from .subject import Subject

PREFIX = "hybridlm-strategy-"
# names that only these distributions may use
SHIPPED = {
    "uncertainty": "hybridlm-strategy-uncertainty",
    "entropy": "hybridlm-strategy-entropy",
    "speculative": "hybridlm-strategy-speculative",
    "slm-only": "hybridlm-strategy-baselines",
    "llm-only": "hybridlm-strategy-baselines",
    "random": "hybridlm-strategy-baselines",
}
_UPPER = {"<", "<=", "==", "~=", "==="}


def check_distribution(subject: Subject) -> None:
    """Fail where name, version, entry name or requirements are not as they must be."""
    assert subject.point is not None
    made = subject.distribution
    if made is None:
        raise Failure("an entry point that a distribution provides", "none")
    name = normalised(made.name)
    if not name.startswith(PREFIX):
        raise Failure(f"a distribution named {PREFIX}...", repr(made.name))
    if not made.version:
        raise Failure(f"a version of {made.name}", repr(made.version))
    owner = SHIPPED.get(subject.point.name, name)
    if owner != name:
        raise Failure(
            "an entry name that is not one of hybridlm's own",
            f"{subject.point.name!r}, which belongs to {owner}",
        )
    _check_requirement(made.requires or [])


def normalised(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _check_requirement(requires: list[str]) -> None:
    from packaging.requirements import Requirement

    for text in requires:
        requirement = Requirement(text)
        if normalised(requirement.name) != "hybridlm":
            continue
        if not requirement.specifier.contains(__version__, prereleases=True):
            raise Failure(f"a requirement that hybridlm {__version__} meets", text)
        if not {part.operator for part in requirement.specifier} & _UPPER:
            raise Failure("an upper bound, as in hybridlm>=0.1,<0.2", text)
        return
    raise Failure("a requirement such as hybridlm>=0.1,<0.2", repr(requires))


def readme_of(distribution: Distribution) -> str:
    """Return the README: of an editable install the file as it is now."""
    installed_from = json.loads(distribution.read_text("direct_url.json") or "{}")
    if installed_from.get("dir_info", {}).get("editable"):
        folder = Path(url2pathname(urlparse(installed_from["url"]).path))
        for file in sorted(folder.glob("README*")):
            return file.read_text(encoding="utf-8")
    return str(distribution.metadata.json.get("description", ""))
