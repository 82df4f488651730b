"""``hybridlm strategies``: what is installed, with options, and what is broken."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
from typing import Any

from ..discovery import Listing, listings
from ..errors import StrategyError
from ..options import OptionSpec, option_fields
from ..scoring.induced import kind_of
from ..strategy import Strategy

_LAWS = {
    "score": "by its own law",
    "llm": "as the LLM's",
    "routed": "by the law of its routes",
    None: "cannot be had",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Print every strategy; the exit code is 1 where one is broken."""
    found = listings()
    if arguments.json:
        # a default may be whatever Python object a plugin likes
        print(json.dumps([as_dict(entry) for entry in found], indent=2, default=str))
    else:
        print("\n".join(_as_text(entry) for entry in found) or "no strategy installed")
    return int(any(entry.strategy is None for entry in found))


def as_dict(entry: Listing) -> dict[str, Any]:
    """Return all that is known of a strategy; of a broken one, the reason."""
    known: dict[str, Any] = {
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "broken": entry.reason or None,
        "rivals": list(entry.rivals),
    }
    if entry.strategy is None:
        return known
    return known | {
        "summary": (entry.strategy.__doc__ or "").strip().partition("\n")[0],
        "hooks": sorted(entry.strategy.hooks()),
        "capabilities": capabilities(entry.strategy),
        "options": [_option(field) for field in option_fields(entry.strategy).values()],
    }


def capabilities(cls: type[Strategy]) -> dict[str, Any]:
    """Return what a strategy is, read off its class.

    ``scoring_strategy`` is where ``scoring=strategy`` takes the law from: ``"score"``,
    its hook; ``"llm"``; ``"routed"``; None where it is refused.
    """
    try:
        law = kind_of(cls)
    except StrategyError:
        law = None
    return {
        "lossless": cls.lossless,
        "holds": cls.holds(),
        "stateful": "start" in cls.hooks(),
        "requires": sorted(cls.requires),
        "scoring_strategy": law,
        "conformance_xfail": dict(cls.conformance_xfail),
    }


def _option(field: dataclasses.Field[Any]) -> dict[str, Any]:
    spec: OptionSpec = field.metadata["option"]
    return {
        "name": field.name,
        "type": inspect.formatannotation(field.type).strip("'"),
        "default": None if field.default is dataclasses.MISSING else field.default,
        "required": field.default is dataclasses.MISSING,
        "unit": spec.unit,
        "minimum": spec.minimum,
        "maximum": spec.maximum,
        "choices": spec.choices,
        "range": spec.range(),
        "help": spec.help,
    }


def _as_text(entry: Listing) -> str:
    head = f"{entry.name}  ({entry.distribution} {entry.version})"
    if entry.rivals:
        head += (
            f"\n    also in {', '.join(entry.rivals)}: write "
            f"strategy={entry.distribution}:{entry.name}"
        )
    if entry.strategy is None:
        return f"{head}\n    broken: {entry.reason.splitlines()[0]}"
    info = as_dict(entry)
    lines = [head, info["summary"], f"hooks: {', '.join(info['hooks']) or 'none'}"]
    lines.append(_words(info["capabilities"]))
    return "\n    ".join([*lines, *map(_option_text, info["options"])])


def _words(capable: dict[str, Any]) -> str:
    words = ["lossless"] if capable["lossless"] else []
    words.append("holds its drafts" if capable["holds"] else "trusts its drafts")
    if capable["stateful"]:
        words.append("keeps state")
    reads = " and ".join(capable["requires"])
    words.append(f"reads {reads}" if reads else "needs no slm")
    words.append(f"scoring=strategy {_LAWS[capable['scoring_strategy']]}")
    if known := capable["conformance_xfail"]:
        words.append(f"known to fail {', '.join(known)}")
    return ", ".join(words)


def _option_text(option: dict[str, Any]) -> str:
    value = "..." if option["required"] else option["default"]
    measured = " ".join(filter(None, [f"{option['name']}={value}", option["unit"]]))
    return f"{', '.join(filter(None, [measured, option['range']]))}: {option['help']}"
