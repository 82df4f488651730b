"""The installed strategies, and which of them cannot be used."""

from __future__ import annotations

from ..discovery import Listing, listings
from .finding import Finding


def look() -> Finding:
    """Import every strategy; one that fails, or shares its name, is told of."""
    found = listings()
    broken = [entry for entry in found if entry.strategy is None]
    usable = [entry for entry in found if entry.strategy is not None]
    names = ", ".join(dict.fromkeys(entry.name for entry in usable))
    parts = [f"{len(usable)} usable: {names}" if usable else "none usable"]
    if broken:
        parts.append(f"{len(broken)} broken")
    if rivals := sorted({entry.name for entry in found if entry.rivals}):
        parts.append(f"of several distributions: {', '.join(rivals)}")
    return Finding(
        "; ".join(parts),
        {
            "usable": [_identity(entry) for entry in usable],
            "broken": [_identity(e) | {"reason": e.reason} for e in broken],
        },
        tuple(entry.reason for entry in broken),
    )


def _identity(entry: Listing) -> dict[str, object]:
    return {
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "rivals": list(entry.rivals),
    }
