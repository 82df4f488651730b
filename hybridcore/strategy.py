"""The base of every strategy: options as fields, capabilities as class attributes.

class Entropy(Strategy):
    '''Ask the LLM where the SLM's next-token entropy exceeds a threshold.'''

    threshold: float = option(2.0, minimum=0.0, unit="nats", help="...")

    @hookimpl
    def route_token(self, step):
        return Route.ask_above(entropy(step.logits), self.threshold)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .hookspecs import PROJECT, Hooks
from .options import check_names, coerced, option_fields

if TYPE_CHECKING:
    from typing_extensions import Self

HOOKS = tuple(name for name in vars(Hooks) if not name.startswith("_"))


@dataclasses.dataclass(frozen=True)
class Strategy:
    """Subclass it, declare options with :func:`option`, mark hooks with ``@hookimpl``.

    A subclass becomes a frozen dataclass: decoding never changes an instance, what
    a row must remember lives in the object that its ``start`` hook returns.

    Attributes:
        lossless: what is emitted follows the LLM's law exactly, so that
            ``scoring=strategy`` may score with the LLM.
        requires: what the strategy reads: ``"slm"``, ``"slm_hidden"``. Without
            ``"slm"`` the small model is neither needed nor run.
        conformance_xfail: check ids known to fail, each with a reason.
    """

    lossless: ClassVar[bool] = False
    requires: ClassVar[frozenset[str]] = frozenset({"slm"})
    conformance_xfail: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclasses.dataclass(frozen=True)(cls)

    def __post_init__(self) -> None:
        """Coerce and check every option; raise :class:`OptionError` otherwise."""
        for name in option_fields(type(self)):
            value = coerced(type(self), name, getattr(self, name))
            object.__setattr__(self, name, value)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Build an instance from option names and values, as ``model_args`` gives them.

        :raises OptionError: a name is unknown, a value of the wrong type or range.
        """
        check_names(cls, list(options))
        return cls(**options)

    def options(self) -> dict[str, Any]:
        """Return the option values of this instance by name."""
        return {name: getattr(self, name) for name in option_fields(type(self))}

    @classmethod
    def hooks(cls) -> frozenset[str]:
        """Return the names of the hooks this strategy implements."""
        marker = f"{PROJECT}_impl"
        return frozenset(n for n in HOOKS if hasattr(getattr(cls, n, None), marker))

    @classmethod
    def holds(cls) -> bool:
        """Tell whether drafts wait for a verdict (``verify``) or are trusted."""
        return "verify" in cls.hooks()

    @classmethod
    def adaptable(cls) -> bool:
        """Tell whether blocks may be cut short (``adaptive``): not if that shows.

        A lossless strategy emits the LLM's law at any length of its blocks; one that
        trusts has no blocks, and what another one emits depends on where they end.
        """
        return cls.lossless and cls.holds()
