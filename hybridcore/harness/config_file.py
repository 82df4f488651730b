"""``config=FILE.toml``: model arguments that do not fit into a command line.

    scoring = "strategy"          # top level: any model argument
    batch_size = 8

    [llm]
    model = "Qwen/Qwen3-8B"       # the rest of the table: llm_<argument>
    dtype = "bfloat16"

    [slm]
    model = "Qwen/Qwen3-1.7B"

    [strategy]
    name = "entropy"              # the rest of the table: options of the strategy
    threshold = 1.5

What stands in the model arguments overrides the file: ``dtype`` there overrides that of
``[llm]`` and of ``[slm]`` here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli

from ..errors import ArgumentError


def read_config(path: str) -> dict[str, Any]:
    """Return the file as flat model arguments, options under ``strategy_options``.

    :raises ArgumentError: the file is missing, no TOML, or says a thing twice.
    """
    try:
        content = tomli.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(
            f"config={path!r} cannot be read: {error}\nexpected a TOML file"
        ) from None
    except tomli.TOMLDecodeError as error:
        raise ArgumentError(f"config={path!r} is not TOML: {error}") from None
    return _flat(path, content)


def _flat(path: str, content: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if name == "config":
            raise ArgumentError(f"config={path!r} names another config: expected none")
        added = {name: value}
        if name in ("slm", "llm") and isinstance(value, dict):
            added = _of_model(name, value)
        elif name == "strategy" and isinstance(value, dict):
            added = _of_strategy(value)
        _refuse_twice(path, name, set(added) & set(flat))
        flat |= added
    options = flat.get("strategy_options", {})
    _refuse_twice(path, "strategy", set(options) & set(flat))
    return flat


def _refuse_twice(path: str, table: str, names: set[str]) -> None:
    for name in sorted(names):
        raise ArgumentError(
            f"config={path!r} says {name} twice: expected it once\n"
            f"write it in the table [{table}] or above all tables"
        )


def _of_strategy(table: dict[str, Any]) -> dict[str, Any]:
    options = dict(table)
    named = {"strategy": options.pop("name")} if "name" in options else {}
    return {**named, "strategy_options": options}


def _of_model(name: str, table: dict[str, Any]) -> dict[str, Any]:
    table = dict(table)
    model = {name: table.pop("model")} if "model" in table else {}
    return model | {f"{name}_{argument}": value for argument, value in table.items()}
