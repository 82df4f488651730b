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
from ..numbers import NONE, fixed, interval, percent
from ..palette import Styles, css
from ..payload import described, pieces
from ..run import Curve, Run
from ..table import finding, table


@dataclass(frozen=True)
class Figure:
    """A figure as a part of the page, under its name as a file."""

    name: str
    title: str
    caption: str
    svg: str


def render(
    run: Run,
    styles: Styles,
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
    run: Run, task: str, styles: Styles, figures: Sequence[Figure]
) -> dict[str, Any]:
    outcomes = [outcome for _, outcome in run.on(task)]
    made = table(run, task, styles)
    return {
        "name": task,
        "metric": next((o.metric for o in outcomes if o.metric), ""),
        "documents": max((o.documents for o in outcomes), default=0),
        "finding": finding(run, task),
        "columns": made.columns,
        "rows": made.rows,
        "levels": [percent(float(level), 0) for level in _levels(run, task)],
        "curves": [
            _curve(curve, _levels(run, task)) for curve in run.curves.get(task, [])
        ],
        "figures": [(figure, Markup(figure.svg)) for figure in figures],
    }


def _levels(run: Run, task: str) -> list[str]:
    levels = {level for curve in run.curves.get(task, []) for level in curve.cpt}
    return sorted(levels)


def _curve(curve: Curve, levels: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    area = curve.apgr
    said = [fixed(area, 3) if area else (NONE, "")]
    for share in map(curve.cpt.get, levels):
        said.append(
            (percent(share.value), interval(share, True)) if share else (NONE, "")
        )
    return curve.family, said


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
