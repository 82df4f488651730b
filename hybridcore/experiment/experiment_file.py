"""``experiment.toml``: a whole experiment, to be read, edited and run again.

kind = "sweep"
tasks = ["gsm8k"]
limit = 200

[pair]                          # model arguments
slm = "Qwen/Qwen3-0.6B"
llm = "Qwen/Qwen3-8B"
batch_size = 16

[[strategies]]
name = "uncertainty"
options = {}
grid = { threshold = "0.1:0.9:9" }
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli
import tomli_w

from ..errors import ArgumentError
from .choice import Choice
from .experiment import Experiment, refuse_unknown
from .grid import span

_TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "pair": (dict,),
    "strategies": (list,),
    "tasks": (list,),
    "limit": (int, float),
    "num_fewshot": (int,),
    "include_path": (str,),
    "gen_kwargs": (dict,),
    "apply_chat_template": (bool,),
    "metric": (str, dict),
    "seed": (int,),
    "random_points": (int,),
    "resamples": (int,),
    "confidence": (int, float),
}
_TYPES_OF_CHOICE: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "options": (dict,),
    "grid": (dict,),
    "points": (int,),
    "max_share": (int, float),
}


def read_experiment(path: str | Path) -> Experiment:
    """Read an experiment; what it leaves out has its default.

    :raises ArgumentError: the file cannot be read, is no TOML, or says what no
        experiment has.
    """
    try:
        content = tomli.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentError(
            f"experiment {str(path)!r} cannot be read: {error}\nexpected a TOML file"
        ) from None
    except tomli.TOMLDecodeError as error:
        raise ArgumentError(f"experiment {str(path)!r} is not TOML: {error}") from None
    return experiment_of(content, f"experiment {str(path)!r}")


def experiment_of(content: Mapping[str, Any], where: str) -> Experiment:
    """Make an experiment of what a file says; ``where`` names it in messages."""
    refuse_unknown(where, content, list(_TYPES))
    for name, value in content.items():
        _check_type(where, name, value, _TYPES[name])
    if content.get("kind") not in ("compare", "sweep"):
        kind = content.get("kind")
        raise ArgumentError(f"{where}: kind={kind!r}: expected 'compare' or 'sweep'")
    known = dict(content)
    known["strategies"] = tuple(
        _choice(entry, where) for entry in content.get("strategies", ())
    )
    known["tasks"] = tuple(content.get("tasks", Experiment.tasks))
    if isinstance(known.get("metric"), str):
        known["metric"] = {"": known["metric"]}
    for task in known["tasks"]:
        _check_type(where, "task", task, (str,))
    for task, metric in known.get("metric", {}).items():
        _check_type(where, f"metric of {task!r}", metric, (str,))
    known.setdefault("pair", {})
    return Experiment(**known).checked()


def as_toml(experiment: Experiment) -> str:
    """Return an experiment as TOML, complete but for what is None."""
    fields = {n: _plain(v) for n, v in vars(experiment).items() if v is not None}
    fields["strategies"] = [_entry(choice) for choice in experiment.strategies]
    return tomli_w.dumps(fields)


def _check_type(where: str, name: str, value: Any, kinds: tuple[type, ...]) -> None:
    wrong_bool = isinstance(value, bool) and bool not in kinds
    if wrong_bool or not isinstance(value, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ArgumentError(f"{where}: {name}={value!r}: expected {names}")


def _choice(entry: Any, where: str) -> Choice:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise ArgumentError(
            f"{where}: strategy {entry!r}: expected a table with a name\n"
            'write [[strategies]] and name = "uncertainty"'
        )
    where = f"{where}: strategy {entry['name']!r}"
    refuse_unknown(where, entry, list(_TYPES_OF_CHOICE))
    for name, value in entry.items():
        _check_type(where, name, value, _TYPES_OF_CHOICE[name])
    grid = {
        name: _values(f"{where}: grid", name, values)
        for name, values in entry.get("grid", {}).items()
    }
    points, max_share = entry.get("points"), entry.get("max_share", 1.0)
    return Choice(entry["name"], entry.get("options", {}), grid, points, max_share)


def _values(where: str, name: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str):
        return span(f"{name}={values}", values)
    _check_type(where, name, values, (list, str))
    return tuple(values)


def _entry(choice: Choice) -> dict[str, Any]:
    entry = {"name": choice.name, "options": _plain(choice.options)}
    entry["grid"] = {name: _plain(values) for name, values in choice.grid.items()}
    if choice.points is None:
        return entry
    return {**entry, "points": choice.points, "max_share": choice.max_share}


def _plain(value: Any) -> Any:
    """Return what TOML can say; it has no None, which options read as ``"none"``."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (str, int, float)):
        return value
    return "none" if value is None else str(value)
