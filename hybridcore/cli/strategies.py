"""``hybridlm strategies``: what is installed, with options, and what is broken."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from ..discovery import Listing, listings
from ..options import option_fields


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Print every strategy; the exit code is 1 where one is broken."""
    found = listings()
    if arguments.json:
        print(json.dumps([_as_dict(entry) for entry in found], indent=2))
    else:
        print("\n".join(_as_text(entry) for entry in found) or "no strategy installed")
    return int(any(entry.strategy is None for entry in found))


def _as_text(entry: Listing) -> str:
    head = f"{entry.name}  ({entry.distribution} {entry.version})"
    if entry.rivals:
        head += (
            f"\n    also in {', '.join(entry.rivals)}: write "
            f"strategy={entry.distribution}:{entry.name}"
        )
    if entry.strategy is None:
        return f"{head}\n    broken: {entry.reason.splitlines()[0]}"
    info = _as_dict(entry)
    lines = [head, f"    {info['summary']}"]
    lines.append(f"    hooks: {', '.join(info['hooks'])}; lossless: {info['lossless']}")
    for option in info["options"]:
        unit = f" {option['unit']}" if option["unit"] else ""
        lines.append(
            f"    {option['name']}={option['default']}{unit}: {option['help']}"
        )
    return "\n".join(lines)


def _as_dict(entry: Listing) -> dict[str, Any]:
    known: dict[str, Any] = {
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "broken": entry.reason or None,
        "rivals": list(entry.rivals),
    }
    if entry.strategy is None:
        return known
    cls = entry.strategy
    return known | {
        "summary": (cls.__doc__ or "").strip().splitlines()[0],
        "hooks": sorted(cls.hooks()),
        "lossless": cls.lossless,
        "holds": cls.holds(),
        "requires": sorted(cls.requires),
        "options": [_option(field) for field in option_fields(cls).values()],
    }


def _option(field: dataclasses.Field[Any]) -> dict[str, Any]:
    spec = field.metadata["option"]
    return {
        "name": field.name,
        "type": str(field.type),
        "default": None if field.default is dataclasses.MISSING else field.default,
        "unit": spec.unit,
        "range": spec.range(),
        "help": spec.help,
    }
