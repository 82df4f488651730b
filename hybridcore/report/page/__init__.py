"""The page: its template, its style and its program, and what fills them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..notes import Notes
from ..palette import StrategyStyles, css
from ..payload import described, pieces
from ..run import Run
from ..table import COLUMNS, finding, rows


@dataclass(frozen=True)
class Figure:
    """A figure as a part of the page, under its name as a file."""

    name: str
    title: str
    caption: str
    svg: str


def render(
    run: Run,
    styles: StrategyStyles,
    figures: Mapping[str, Sequence[Figure]],
    notes: Notes,
    version: str,
) -> str:
    """Return the page; ``figures`` are by task."""
    program = _part("report.js")
    return (
        _environment()
        .get_template("report.html")
        .render(
            run=run,
            tasks=[_task(run, task, styles, figures[task]) for task in run.tasks()],
            columns=COLUMNS,
            models=_models(run),
            failed=[cell for cell in run.cells if cell.error],
            commands=_commands(run),
            notes=list(notes),
            version=version,
            data=described(run),
            pieces=[(name, Markup(text)) for name, text in pieces(run)],
            css=Markup(css() + _part("report.css")),
            program=Markup(program),
            program_hash=_hash(program),
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("hybridcore.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _task(
    run: Run, task: str, styles: StrategyStyles, figures: Sequence[Figure]
) -> dict[str, Any]:
    outcomes = [outcome for _, outcome in run.on(task)]
    return {
        "name": task,
        "metric": next((o.metric for o in outcomes if o.metric), ""),
        "documents": max((o.documents for o in outcomes), default=0),
        "finding": finding(run, task),
        "rows": rows(run, task, styles),
        "figures": [(figure, Markup(figure.svg)) for figure in figures],
    }


def _models(run: Run) -> list[dict[str, Any]]:
    """Return what is known of each model, once."""
    found: dict[str, dict[str, Any]] = {}
    for cell in run.cells:
        for role in ("slm", "llm"):
            said = cell.info.get(role)
            if isinstance(said, Mapping):
                facts = {name: said.get(name) for name in _MODEL_FACTS}
                found.setdefault(f"{role} {facts['model']}", {"role": role, **facts})
    return list(found.values())


_MODEL_FACTS = (
    *("model", "revision", "dtype", "device"),
    *("active_parameters", "window", "runner"),
)


def _commands(run: Run) -> list[tuple[str, str]]:
    return [(cell.label, line) for cell in run.cells for line in cell.commands]


def _hash(program: str) -> str:
    digest = hashlib.sha256(program.encode()).digest()
    return base64.b64encode(digest).decode("ascii")


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
