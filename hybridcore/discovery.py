"""From a strategy's name to a checked instance.

Names are read from entry points of the group ``hybridlm.strategies``; only the one
that was asked for is imported, and it is registered in a plugin manager of its
own, so a broken plugin hurts only those who name it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from .errors import (
    ArgumentError,
    HybridLMError,
    StrategyBroken,
    StrategyCollision,
    StrategyNotFound,
    did_you_mean,
)
from .hookspecs import PROJECT, Hooks
from .strategy import HOOKS, Strategy

GROUP = "hybridlm.strategies"


@dataclass(frozen=True)
class Listing:
    """One installed strategy: its class, or why it could not be loaded.

    ``rivals`` are other distributions with a strategy of the same name.
    """

    name: str
    distribution: str
    version: str
    strategy: type[Strategy] | None
    reason: str = ""
    rivals: tuple[str, ...] = ()


def strategy_names() -> list[str]:
    """Return the installed names, sorted, without importing any strategy."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load_class(name: str) -> type[Strategy]:
    """Import the one strategy called ``name``, or ``distribution:name``.

    :raises StrategyNotFound: nothing provides it.
    :raises StrategyCollision: several distributions do.
    :raises StrategyBroken: it cannot be imported, or is no strategy.
    """
    return _usable(find_entry_point(name))


def create(strategy: str | Strategy, options: Mapping[str, Any]) -> Strategy:
    """Return an instance for a name and its options, or the instance as it is.

    :raises ArgumentError: options were given beside an instance.
    """
    if isinstance(strategy, Strategy):
        if options:
            raise ArgumentError(
                f"options {sorted(options)!r} beside a strategy instance\n"
                "give them to the instance, or name the strategy"
            )
        return strategy
    if not isinstance(strategy, str):
        raise ArgumentError(
            f"strategy={strategy!r}: expected a name or a Strategy instance"
        )
    return _made(strategy, load_class(strategy), options)


def _made(name: str, kind: type[Strategy], options: Mapping[str, Any]) -> Strategy:
    try:
        return kind.from_options(options)
    except HybridLMError:
        raise
    except Exception as error:  # whatever its constructor raises is the plugin's
        raise StrategyBroken(
            f"strategy {name!r} ({kind.__name__}) cannot be made: "
            f"{_first_line(error)}\nrepair it, or name another strategy"
        ) from error


def plugin_manager(strategy: Strategy) -> pluggy.PluginManager:
    """Register ``strategy`` alone in a fresh manager and check its hooks.

    :raises StrategyBroken: a hook is misspelt, unmarked or has a wrong argument.
    """
    kind = type(strategy).__name__
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    _check_methods(type(strategy))
    try:
        manager.register(strategy, name=kind)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise StrategyBroken(f"strategy {kind}: {error}") from None
    return manager


def listings() -> list[Listing]:
    """Import every installed strategy and say which are broken, and why."""
    found = []
    points = sorted(entry_points(group=GROUP), key=lambda p: p.name)
    for point in points:
        owner = _owner(point)
        named = {_owner(p)[0] for p in points if p.name == point.name}
        rivals = tuple(sorted(named - {owner[0]}))
        try:
            strategy = _usable(point)
            found.append(Listing(point.name, *owner, strategy, "", rivals))
        except StrategyBroken as error:
            found.append(Listing(point.name, *owner, None, str(error), rivals))
    return found


def find_entry_point(name: str) -> EntryPoint:
    """Return the entry point of ``name``, or ``distribution:name``; import nothing.

    :raises StrategyNotFound: nothing provides it.
    :raises StrategyCollision: several distributions do.
    """
    distribution, _, bare = name.rpartition(":")
    points = {
        _owner(p)[0]: p
        for p in entry_points(group=GROUP)
        if p.name == bare and distribution in ("", _owner(p)[0])
    }
    if not points:
        known = strategy_names()
        raise StrategyNotFound(
            f"no strategy named {name!r}{did_you_mean(bare, known)}\n"
            f"installed: {', '.join(known) or 'none'}"
        )
    if len(points) > 1:
        owners = sorted(points)
        raise StrategyCollision(
            f"two distributions provide the strategy {bare!r}: {', '.join(owners)}\n"
            f"uninstall one, or write strategy={owners[0]}:{bare}"
        )
    return next(iter(points.values()))


def load_entry_point(point: EntryPoint) -> type[Strategy]:
    """Import the class that an entry point names.

    :raises StrategyBroken: it cannot be imported, or is no strategy.
    """
    owner = _titled(point)
    try:
        loaded = point.load()
    # whatever a plugin's import raises is the plugin's, sys.exit() included
    except (Exception, SystemExit) as error:
        raise StrategyBroken(
            f"{owner} failed to import: {_first_line(error)}\n"
            "repair or uninstall that distribution, or name another strategy"
        ) from error
    subclass = inspect.isclass(loaded) and issubclass(loaded, Strategy)
    if not subclass or loaded is Strategy:
        raise StrategyBroken(
            f"{owner}: {point.value!r} is {loaded!r}, expected a subclass of Strategy"
        )
    return loaded


def _usable(point: EntryPoint) -> type[Strategy]:
    loaded = load_entry_point(point)
    try:
        _check_methods(loaded)
    except StrategyBroken as error:
        raise StrategyBroken(f"{_titled(point)}: {error}") from None
    return loaded


def _titled(point: EntryPoint) -> str:
    return f"strategy {point.name!r} from {' '.join(_owner(point))}".rstrip()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _owner(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "unknown distribution", ""
    return point.dist.name, point.dist.version


def _check_methods(cls: type[Strategy]) -> None:
    marker = f"{PROJECT}_impl"
    for name in (n for n in dir(cls) if not n.startswith("_")):
        method = inspect.getattr_static(cls, name)
        marked = hasattr(method, marker)
        if marked and name not in HOOKS:
            raise StrategyBroken(
                f"strategy {cls.__name__}: no hook named {name!r}"
                f"{did_you_mean(name, HOOKS)}\nhooks: {', '.join(HOOKS)}"
            )
        if name in HOOKS and callable(method) and not marked:
            raise StrategyBroken(
                f"strategy {cls.__name__}: {name} is not marked as a hook\n"
                "write @hookimpl above it"
            )
