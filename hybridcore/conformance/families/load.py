"""LOAD: the strategy can be found, imported, made and copied. Gates all the rest."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
import typing
from types import NoneType
from typing import Any

from ...errors import OptionError, StrategyBroken, did_you_mean
from ...hookspecs import PROJECT, Hooks
from ...options import option_fields
from ...strategy import HOOKS, Strategy
from ..capabilities import INSTALLED
from ..check import Failure, Family
from ..distribution import check_distribution
from ..subject import Subject
from ..world import Untouched

LOAD = Family("LOAD")
HEAVY = frozenset(
    {"transformers", "lm_eval", "datasets", "accelerate", "tokenizers", "pandas"}
    | {"scipy", "sklearn", "tensorflow", "jax", "vllm", "matplotlib"}
)
CPU_SECONDS = 0.2
MADE = ("LOAD-7",)  # an instance without options


@LOAD.check(
    "imports in a fresh process, without other strategies", contract=True, job="fresh"
)
def imports(subject: Subject) -> None:
    try:
        _ = subject.cls
    except StrategyBroken as error:
        raise Failure("an import without errors", str(error)) from None
    if subject.point is None:
        return
    report = subject.fresh
    if report.error:
        raise Failure("an import without errors in a fresh process", report.error)
    others = {point.module for point in subject.others()} & set(report.modules)
    if others:
        raise Failure(
            "no other strategy's module is imported", f"it imports {min(others)}"
        )


@LOAD.check("its import is light", INSTALLED, contract=True, job="fresh")
def light(subject: Subject) -> None:
    report = subject.fresh
    loaded = {name.partition(".")[0] for name in report.modules} & HEAVY
    if loaded:
        raise Failure(
            "an import that loads nothing heavy beyond torch",
            f"{min(loaded)} is loaded",
        )
    if report.cpu_seconds > CPU_SECONDS:
        raise Failure(
            f"an import that takes at most {CPU_SECONDS} s of CPU time",
            f"{report.cpu_seconds:.2f} s",
        )


@LOAD.check("every hook has the name and arguments of a spec", contract=True)
def matches_specs(subject: Subject) -> None:
    for name, method in _methods(subject.cls).items():
        if not _marked(method):
            continue
        if name not in HOOKS:
            raise Failure(
                f"@hookimpl on one of {', '.join(HOOKS)}",
                f"{name!r}{did_you_mean(name, HOOKS)}",
            )
        allowed = list(inspect.signature(getattr(Hooks, name)).parameters)[1:]
        for argument in _arguments(method):
            if argument not in allowed:
                raise Failure(
                    f"{name} takes self and {', '.join(allowed)}", f"{argument!r}"
                )


@LOAD.check("no argument of a hook has a default", contract=True)
def no_defaults(subject: Subject) -> None:
    for name, method in _methods(subject.cls).items():
        if not _marked(method):
            continue
        for argument, parameter in _arguments(method).items():
            if parameter.default is not parameter.empty:
                raise Failure(
                    f"{name}(self, {argument}) without a default",
                    f"{argument}={parameter.default!r}",
                )


@LOAD.check("no method named like a hook lacks @hookimpl", contract=True)
def marked(subject: Subject) -> None:
    for name, method in _methods(subject.cls).items():
        if name in HOOKS and callable(method) and not _marked(method):
            raise Failure(f"@hookimpl above {name}", "none")


@LOAD.check("its distribution says what it is", INSTALLED, contract=True)
def distribution(subject: Subject) -> None:
    check_distribution(subject)


@LOAD.check("options have defaults, help, and refuse unknown names", contract=True)
def options(subject: Subject) -> None:
    cls = subject.cls
    try:
        cls()
        cls.from_options({})
    except Exception as error:  # whatever its constructor raises
        raise Failure("an instance without options", repr(error)) from None
    known = option_fields(cls)
    for name, field in known.items():
        if not field.metadata["option"].help.strip():
            raise Failure(f"option({name}=...) has help=...", "no help")
    unknown = "no_such_option"
    try:
        cls.from_options({unknown: "1"})
    except OptionError as error:
        if missing := [name for name in (unknown, *known) if name not in str(error)]:
            raise Failure(
                "an error that names the unknown option and the known ones",
                f"{str(error)!r}, without {missing[0]!r}",
            ) from None
    else:
        raise Failure("OptionError for an unknown option", f"{unknown}=1 was taken")


@LOAD.check("options given as text become typed values", contract=True, needs=MADE)
def text_options(subject: Subject) -> None:
    defaults = subject.cls().options()
    for name, default in defaults.items():
        declared = option_fields(subject.cls)[name].default
        if isinstance(default, str) and not isinstance(declared, (str, NoneType)):
            raise Failure(f"{name} is {declared!r} by default", f"{default!r}")
        text = str(default).lower() if default in (True, False, None) else str(default)
        value = subject.cls.from_options({name: text}).options()[name]
        if type(value) is not type(default) or value != default:
            raise Failure(
                f"{name}={text!r} is {default!r}", f"{value!r}", f"{name}={text}"
            )
        if _takes_any_text(subject.cls, name):
            continue
        nonsense = "no-such-value"
        try:
            value = subject.cls.from_options({name: nonsense}).options()[name]
        except OptionError:
            continue
        raise Failure(
            f"OptionError for {name}={nonsense!r}", f"{value!r}", f"{name}={nonsense}"
        )


@LOAD.check(
    "instances are independent, and nothing global changes", contract=True, needs=MADE
)
def independent(subject: Subject) -> None:
    with Untouched("making an instance"):
        one, two = subject.cls(), subject.cls()
    for name, value in vars(one).items():
        if isinstance(value, (list, dict, set)) and vars(two).get(name) is value:
            raise Failure(
                "instances that share nothing that can change",
                f"{name!r} is one {type(value).__name__} in both",
            )
    for name, value in vars(subject.cls).items():
        own = not name.startswith("__") and not hasattr(Strategy, name)
        if own and isinstance(value, (list, dict, set)):
            raise Failure(
                "no list, dict or set on the class, where all instances share it",
                f"{name} = {value!r}",
            )
    if subject.point is not None and subject.fresh.changed:
        raise Failure(
            "an import that changes nothing global",
            f"it changed {subject.fresh.changed[0]}",
        )


@LOAD.check(
    "can be copied, pickled and rebuilt from its repr", contract=True, needs=MADE
)
def copies(subject: Subject) -> None:
    strategy = subject.instance()
    cls = type(strategy)
    made = {"copy.deepcopy": lambda: copy.deepcopy(strategy)}
    if _importable(cls):
        made["pickle"] = lambda: pickle.loads(pickle.dumps(strategy))
    # a class in a function calls itself by its full name, which is no expression
    text = repr(strategy).replace(cls.__qualname__, cls.__name__)
    made["eval of its repr"] = lambda: eval(text, {cls.__name__: cls})
    for way, make in made.items():
        try:
            other = make()
        except Exception as error:  # whatever its own methods raise
            raise Failure(f"{way} rebuilds {strategy!r}", repr(error)) from None
        if type(other) is not cls or other.options() != strategy.options():
            raise Failure(f"{way} rebuilds {strategy!r}", repr(other))


def _takes_any_text(cls: type[Strategy], name: str) -> bool:
    """Tell whether the option is text, maybe among others, and not one of some choices.

    ``str | None`` is: ``"none"`` becomes None, and any other text stays what it is.
    """
    annotation = typing.get_type_hints(cls)[name]
    kinds = typing.get_args(annotation) or (annotation,)
    return str in kinds and option_fields(cls)[name].metadata["option"].choices is None


def _methods(cls: type[Strategy]) -> dict[str, Any]:
    names = [name for name in dir(cls) if not name.startswith("_")]
    return {name: inspect.getattr_static(cls, name) for name in names}


def _marked(method: Any) -> bool:
    return hasattr(method, f"{PROJECT}_impl")


def _arguments(method: Any) -> dict[str, inspect.Parameter]:
    found = dict(inspect.signature(method).parameters)
    found.pop(next(iter(found), ""), None)
    return found


def _importable(cls: type) -> bool:
    module = sys.modules.get(cls.__module__)
    return getattr(module, cls.__qualname__, None) is cls
