"""A clock inside a dispatcher: the plugin layer apart from the strategy's own work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..dispatch import Dispatcher

_METHODS = (
    *("start", "unread_route", "route_token", "draft", "unread_verdict", "verify"),
    *("score", "observe"),
)
_CHECKS = ("route_values", "draft_values", "verdict_values", "score_values")


class HookClock:
    """Wraps the methods of ``dispatcher``, and the functions that they end up in.

    A method that calls another one is counted once, as a whole.

    Attributes:
        outside: seconds in the dispatcher's methods, everything included.
        inside: seconds in the strategy's functions.
        calls: of the strategy's functions.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.outside = self.inside = 0.0
        self.calls = 0
        self._depth = 0
        for hook in dispatcher.hooks:
            for implementation in getattr(dispatcher._call, hook).get_hookimpls():
                function = implementation.function
                implementation.function = self._within(function)
        for owner, names in ((dispatcher, _METHODS), (dispatcher.checks, _CHECKS)):
            for name in names:
                setattr(owner, name, self._around(getattr(owner, name)))

    @property
    def layer(self) -> float:
        """Seconds in the plugin layer alone."""
        return self.outside - self.inside

    def _around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            self._depth += 1
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.outside += time.perf_counter() - start

        return timed

    def _within(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.inside += time.perf_counter() - start
                self.calls += 1

        return timed
