"""A clock inside a dispatcher: the plugin layer apart from the strategy's own work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..dispatch import Dispatcher

_METHODS = (
    "start",
    "route_token",
    "draft",
    "check_drafted",
    "verify",
    "score",
    "observe",
)


class HookClock:
    """Wraps the methods of ``dispatcher``, and the functions that they end up in.

    Attributes:
        outside: seconds in the dispatcher's methods, everything included.
        inside: seconds in the strategy's functions.
        calls: of the dispatcher's methods.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.outside = self.inside = 0.0
        self.calls = 0
        for hook in dispatcher.hooks:
            for implementation in getattr(dispatcher._call, hook).get_hookimpls():
                function = implementation.function
                implementation.function = self._within(function)
        for name in _METHODS:
            setattr(dispatcher, name, self._around(getattr(dispatcher, name)))

    @property
    def layer(self) -> float:
        """Seconds in the plugin layer alone."""
        return self.outside - self.inside

    def _around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.outside += time.perf_counter() - start
                self.calls += 1

        return timed

    def _within(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.inside += time.perf_counter() - start

        return timed
