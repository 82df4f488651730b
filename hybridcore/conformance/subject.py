"""The strategy that is examined: by name, as a class or as an instance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any

from ..discovery import GROUP, find_entry_point, load_entry_point
from ..dispatch import Dispatcher
from ..errors import ArgumentError
from ..strategy import Strategy
from . import evaluation, fresh_process
from .check import Child
from .child_process import ChildProcess
from .fresh_process import FreshReport

_STARTERS = {"fresh": fresh_process.start, "evaluation": evaluation.start}


class Subject:
    """What the checks ask for a strategy.

    :param strategy: ``"name"``, ``"name:option=value,..."``,
        ``"distribution:name"``, a subclass of Strategy, or an instance.
    :param in_process: evaluate in this process; so are classes and instances.
    :raises StrategyNotFound: no installed distribution provides the name.

    Attributes:
        point: its entry point; None for a class or an instance.
        options: values that differ from the defaults.
    """

    def __init__(
        self, strategy: str | type[Strategy] | Strategy, in_process: bool = False
    ) -> None:
        self.point: EntryPoint | None = None
        self.options: Mapping[str, Any] = {}
        self._class: type[Strategy] | None = None
        self._in_process = in_process
        self._children: dict[Child, ChildProcess] = {}
        if isinstance(strategy, str):
            self.name, self.options = parse(strategy)
            self.point = find_entry_point(self.name)
            self.label = strategy
        elif isinstance(strategy, Strategy):
            self._class = type(strategy)
            self.options = _fields(strategy)
            self.name = self.label = self._class.__name__
        elif isinstance(strategy, type) and issubclass(strategy, Strategy):
            self._class = strategy
            self.name = self.label = strategy.__name__
        else:
            raise ArgumentError(
                f"{strategy!r}: expected a strategy's name, class or instance"
            )

    @cached_property
    def cls(self) -> type[Strategy]:
        """The class.

        :raises StrategyBroken: it cannot be imported.
        """
        if self._class is not None:
            return self._class
        assert self.point is not None
        return load_entry_point(self.point)

    def instance(self, **changes: Any) -> Strategy:
        """Make a new instance with the examined options, and ``changes`` to them."""
        given = {**self.options, **changes}
        if self.point is not None:
            return self.cls.from_options(given)
        return self.cls(**given)

    def dispatcher(self, **changes: Any) -> Dispatcher:
        """Return the checked hooks of a new instance."""
        return Dispatcher(self.instance(**changes))

    def start(self, kind: Child) -> None:
        """Start a process that checks will want, so that nobody waits later."""
        here = self.point is None or (kind == "evaluation" and self._in_process)
        if not here and kind not in self._children:
            self._children[kind] = _STARTERS[kind](self.label)

    def stop(self) -> None:
        """End what was started and is not wanted any more."""
        for child in self._children.values():
            child.stop()

    @cached_property
    def fresh(self) -> FreshReport:
        """What a fresh process found; only of installed strategies."""
        self.start("fresh")
        return FreshReport(**self._children["fresh"].report())

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """What a run through lm_eval found."""
        if self.point is None:
            return evaluation.examine_instance(self.instance())
        if self._in_process:
            return evaluation.examine_here(self.label)
        self.start("evaluation")
        return self._children["evaluation"].report()

    @property
    def hooks(self) -> frozenset[str]:
        """Names of the hooks that it has."""
        return self.cls.hooks()

    @property
    def distribution(self) -> Distribution | None:
        """What installed it."""
        return None if self.point is None else self.point.dist

    @property
    def xfail(self) -> Mapping[str, str]:
        """Checks that are known to fail, with reasons."""
        return self.cls.conformance_xfail

    def others(self) -> list[EntryPoint]:
        """Entry points of strategies that other distributions provide."""
        own = None if self.distribution is None else self.distribution.name
        return [
            point
            for point in entry_points(group=GROUP)
            if point.dist is None or point.dist.name != own
        ]


def parse(text: str) -> tuple[str, dict[str, str]]:
    """Split ``name:option=value,option=value`` into name and options.

    :raises ArgumentError: an option has no value.
    """
    name, _, last = text.rpartition(":")
    if "=" not in last:
        return text, {}
    options: dict[str, str] = {}
    for part in last.split(","):
        option, equals, value = part.partition("=")
        if not equals or not name:
            raise ArgumentError(
                f"strategy {text!r}: expected name:option=value,option=value"
            )
        options[option.strip()] = value.strip()
    return name, options


def _fields(strategy: Strategy) -> dict[str, Any]:
    fields = dataclasses.fields(strategy)
    return {f.name: getattr(strategy, f.name) for f in fields if f.init}
