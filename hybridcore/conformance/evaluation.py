"""The strategy through lm_eval on the embedded pair.

What is called is what lm_eval's command line calls, less its index of thousands of
tasks and its survey of the machine.
"""

from __future__ import annotations

import functools
import io
import json
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from lm_eval.api.model import LM

    from ..harness.hybrid_lm import HybridLM
    from ..strategy import Strategy

TASK = "hybrid_demo_generation"
DOCUMENTS, SAMPLED_DOCUMENTS = 10, 3
PAIR = "slm=demo-slm,llm=demo-llm,device=cpu,dtype=float32,pack=false,batch_size=8"
SAMPLING = {"do_sample": True, "temperature": 1.0, "max_gen_toks": 24}

Texts = dict[str, Any]


def examine(label: str) -> dict[str, Any]:
    """Evaluate an installed strategy, created as ``--model hybrid`` creates it."""
    import lm_eval.models  # noqa: F401 - fills the registry
    from lm_eval.api.registry import get_model

    from .subject import parse

    name, options = parse(label)
    given = [PAIR, f"strategy={name}", *(f"{n}={v}" for n, v in options.items())]
    lm = get_model("hybrid").create_from_arg_string(",".join(given))
    return {"readme": readme_lines(name), **evaluated(lm, name, options)}


def readme_lines(name: str) -> dict[str, str]:
    """Return the model arguments that a strategy's README shows, each with its error.

    Names of models and ``...`` are left out; what is taken has the error "".
    """
    from ..discovery import find_entry_point
    from .distribution import readme_of

    found = find_entry_point(name)
    text = "" if found.dist is None else readme_of(found.dist)
    pattern = rf"[\w.=,/:+-]*\bstrategy={re.escape(found.name)}(?![\w-])[\w.=,/:+-]*"
    return {line: _refusal(line.strip(",.")) for line in re.findall(pattern, text)}


def _refusal(line: str) -> str:
    from lm_eval.utils import simple_parse_args_string

    from ..errors import HybridLMError
    from ..harness.arguments import parse

    try:
        parse(simple_parse_args_string(line) | {"slm": "demo-slm", "llm": "demo-llm"})
    except HybridLMError as error:
        return str(error)
    return ""


def examine_here(label: str) -> dict[str, Any]:
    """The same in this process, for those who examine many strategies in one."""
    with _silence():
        return examine(label)


def examine_instance(strategy: Strategy) -> dict[str, Any]:
    """Evaluate an instance in this process; the pair is loaded once."""
    with _silence():
        return evaluated(_embedded_pair().with_strategy(strategy), strategy, {})


@contextmanager
def _silence() -> Iterator[None]:
    # progress bars would stand between the outcomes of checks
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def evaluated(
    lm: HybridLM, strategy: str | Strategy, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the counts of one run, and the texts of several sampled ones."""
    results = run_on_lm_eval(lm, limit=DOCUMENTS)
    sampled = {"limit": SAMPLED_DOCUMENTS, "gen_kwargs": SAMPLING}

    def again(**more: Any) -> Texts:
        return texts_of(
            run_on_lm_eval(lm.with_strategy(strategy, **options), **sampled, **more)
        )

    with tempfile.TemporaryDirectory() as folder:
        cache = str(Path(folder) / "cache")
        texts = {
            "a first run": again(),
            "a second run": again(),
            "a run that fills the request cache": again(use_cache=cache),
            "a run that reads the request cache": again(use_cache=cache),
        }
    return {
        "documents": len(results["samples"][TASK]),
        "counts": results["config"]["hybrid"]["total"],
        "unserialisable": _unserialisable(results["config"]["hybrid"]),
        "texts": texts,
    }


def run_on_lm_eval(lm: LM, **settings: Any) -> dict[str, Any]:
    """Return lm_eval's results of a model on the demo's generation task.

    :param settings: more arguments of ``simple_evaluate``.
    """
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from ..demo import tasks_path

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = TaskManager(include_path=str(tasks_path()), include_defaults=False)
    # it lists compilers and packages for every results file, by a dozen processes
    with mock.patch("lm_eval.evaluator.add_env_info"):
        results: dict[str, Any] = simple_evaluate(
            model=lm,
            tasks=[TASK],
            task_manager=manager,
            bootstrap_iters=0,
            log_samples=True,
            **settings,
        )
    return results


def texts_of(results: dict[str, Any]) -> Texts:
    """Return the answers of a run by document."""
    return {str(s["doc_id"]): s["resps"] for s in results["samples"][TASK]}


def _unserialisable(info: dict[str, Any]) -> str:
    try:
        json.dumps(info)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


@functools.cache
def _embedded_pair() -> HybridLM:
    from ..harness.hybrid_lm import HybridLM
    from ..strategy import Strategy

    class Nothing(Strategy):
        """Has no hooks."""

    given: dict[str, Any] = dict(part.split("=") for part in PAIR.split(","))
    return HybridLM(**given, strategy=Nothing())
