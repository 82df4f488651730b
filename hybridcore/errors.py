"""Every error that HybridLM raises on purpose.

    HybridLMError
    ├── ArgumentError (ValueError)     a model argument, a config file
    │   └── OptionError                an option of a strategy
    ├── ModelError                     a model that cannot be loaded or used
    │   └── VocabularyError            SLM and LLM do not share a tokenizer
    ├── StrategyError
    │   ├── StrategyNotFound           no such name
    │   ├── StrategyCollision          one name, several distributions
    │   ├── StrategyBroken             its import or construction failed
    │   └── HookError                  a hook returned what it must not
    ├── RequestError (ValueError)      a request no model could answer
    ├── CacheMismatch                  a response cache of another set-up, or damaged
    └── ReportError                    files that no report can be made from

A message says the bad value, what was expected and, on a new line, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HybridLMError(Exception):
    """Base of everything below: ``except HybridLMError`` catches them all."""


class ArgumentError(HybridLMError, ValueError):
    """A model argument is missing, unknown or out of range."""


class OptionError(ArgumentError):
    """An option of a strategy is unknown, of the wrong type or out of range."""


class ModelError(HybridLMError):
    """A model cannot be loaded, or is of a kind that cannot be used here."""


class VocabularyError(ModelError):
    """The two models do not speak the same token ids."""


class StrategyError(HybridLMError):
    """Something is wrong with a strategy."""


class StrategyNotFound(StrategyError):
    """No installed distribution provides a strategy of that name."""


class StrategyCollision(StrategyError):
    """Two distributions provide a strategy of the same name."""


class StrategyBroken(StrategyError):
    """The distribution that provides the strategy fails to import."""


class HookError(StrategyError):
    """A hook returned a value of the wrong shape, type or range."""


class RequestError(HybridLMError, ValueError):
    """A request asks for what neither model could do."""


class CacheMismatch(HybridLMError):
    """A response cache was written by another set-up, or cannot be read."""


class ReportError(HybridLMError):
    """Files that a report is asked for are missing, damaged or something else."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, else ``""``."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
