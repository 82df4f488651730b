"""What a strategy is, read off its class: hooks, ``lossless``, ``requires``."""

from __future__ import annotations

from .check import Capability
from .dial import DIALS, dial
from .subject import Subject


def induces_a_law(subject: Subject) -> bool:
    """Tell whether ``scoring=strategy`` knows a law that is not simply the LLM's."""
    hooks = subject.hooks
    if "score" in hooks:
        return True
    kept = hooks & {"verify", "start", "draft"}
    return "route_token" in hooks and not kept and not subject.cls.lossless


def _hook(name: str) -> Capability:
    return Capability(
        f"have `{name}`", f"has no {name} hook", lambda s: name in s.hooks
    )


ROUTES = _hook("route_token")
DRAFTS = _hook("draft")
HOLDS = _hook("verify")
SCORES = _hook("score")
INSTALLED = Capability(
    "are installed", "is not installed", lambda s: s.point is not None
)
READS_SLM = Capability(
    "read the SLM", "does not read the SLM", lambda s: "slm" in s.cls.requires
)
TRUSTS = Capability(
    "have no `verify`", "holds its drafts", lambda s: "verify" not in s.hooks
)
LOSSLESS = Capability("declare `lossless`", "is not lossless", lambda s: s.cls.lossless)
DIALLED = Capability(
    f"have an option {' or '.join(f'`{name}`' for name in DIALS)}",
    f"has no option named {' or '.join(DIALS)}",
    lambda s: dial(s) is not None,
)
INDUCES = Capability(
    "have a law of their own (`score`, or trusted routing without state)",
    "has no law of its own to score by",
    induces_a_law,
)
