"""Lets lm_eval 0.4.13 find the model "hybrid". (PYTEST_DONT_REWRITE)

Python runs ``install()`` at start-up, from hybridlm.pth. It imports nothing: it only
waits for lm_eval.models to be imported, and then tells lm_eval's registry where
HybridLM is. HYBRIDLM_BRIDGE=0 switches it off. Releases of lm_eval that read the
entry-point group "lm_eval.models" need none of this; it goes when they are the floor.
"""

import os
import sys

TYPE_CHECKING = False  # as in typing, which would cost every start of Python
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_WATCHED = "lm_eval.models"
_TARGET = "hybridcore.harness.hybrid_lm:HybridLM"


class _Finder:
    """Asks the other finders for lm_eval.models, and adds a step behind its import."""

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> "ModuleSpec | None":
        if name != _WATCHED:
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                _register_after(spec)
                return spec
        return None


def _register_after(spec: "ModuleSpec") -> None:
    execute: Callable[[ModuleType], None] | None
    execute = getattr(spec.loader, "exec_module", None)
    if execute is None:
        return

    def exec_module(module: "ModuleType") -> None:
        execute(module)
        try:
            _register()
        except Exception as error:  # a changed harness must still start
            _warn(error)

    try:
        spec.loader.exec_module = exec_module  # type: ignore[method-assign, union-attr]
    except AttributeError as error:  # a loader that takes no attributes
        _warn(error)


def _warn(error: Exception) -> None:
    import logging

    logging.getLogger("hybridlm").warning(
        "the model 'hybrid' could not be registered with lm_eval: %s", error
    )


def _register() -> None:
    from lm_eval.api.registry import model_registry

    if "hybrid" not in model_registry:
        model_registry.register("hybrid", target=_TARGET)


def install() -> None:
    """Wait for lm_eval.models, unless HYBRIDLM_BRIDGE=0 or it waits already."""
    if os.environ.get("HYBRIDLM_BRIDGE") == "0" or _WATCHED in sys.modules:
        return
    if not any(type(finder) is _Finder for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
