"""Makes a run of loose files.

Results of the same pair, strategy and options are one cell; of two on one task the
newer one counts. Samples belong to the results written with them, traces to the
nearest results of their strategy and options.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..errors import ReportError
from .cell_files import CellFiles, read_cell
from .commands import command_of
from .json_values import number, table
from .loose_files import LooseFiles, SamplesFile, TraceFile, find, time_of
from .metric import Metrics
from .notes import Notes
from .results_file import Results
from .run import Cell, Run

_ROLES = ("slm-only", "llm-only", "random", "oracle")


@dataclass
class _Group:
    """The files of one cell to be."""

    strategy: str
    options: Mapping[str, Any]
    pair: str = ""
    scoring: str = ""
    files: CellFiles = field(default_factory=CellFiles)
    places: list[Path] = field(default_factory=list)

    def key(self) -> str:
        """Return what files of one cell have in common."""
        said = [self.strategy, self.options, self.pair, self.scoring]
        return json.dumps(said, sort_keys=True)

    def label(self, naming: Set[str]) -> str:
        """Return its name; ``naming`` is what else tells cells apart."""
        said = [f"{name}={value}" for name, value in self.options.items()]
        if "scoring" in naming and self.scoring:
            said.append(f"scoring={self.scoring}")
        if "pair" in naming and self.pair:
            said.append(f"({self.pair})")
        return " ".join([self.strategy, *said])


def read_loose(paths: Sequence[Path], metrics: Metrics) -> Run:
    """Read files, and what lies in folders.

    :raises ReportError: there is nothing that a report can be made from.
    """
    found = find(paths, metrics.notes)
    groups = _groups(found, metrics.notes)
    if not groups:
        raise ReportError(
            f"nothing to report on in {', '.join(repr(str(p)) for p in paths)}: "
            "expected a run directory, or lm_eval's results and samples, or traces\n"
            "run lm_eval with --output_path, --log_samples and trace=FILE.jsonl"
        )
    naming = {n for n in ("pair", "scoring") if len(_values(groups, n)) > 1}
    title = " and ".join(_values(groups, "pair")) or "Traces"
    run = Run(title, facts=_facts(found.results))
    bar = tqdm(groups, desc="Reading", disable=None, leave=False)
    for place, group in enumerate(bar):
        role = group.strategy if group.strategy in _ROLES else "candidate"
        label = group.label(naming)
        cell = Cell(str(place), label, group.strategy, group.options, role)
        read_cell(run, cell, group.files, metrics)
        commands = filter(None, map(command_of, group.files.results.values()))
        cell.commands = list(dict.fromkeys(commands))
        run.cells.append(cell)
    return run


def _values(groups: Sequence[_Group], name: str) -> list[str]:
    return list(dict.fromkeys(v for g in groups if (v := getattr(g, name))))


def _groups(found: LooseFiles, notes: Notes) -> list[_Group]:
    groups: dict[str, _Group] = {}
    for results in sorted(found.results, key=_age):
        made = _group_of(results)
        group = groups.setdefault(made.key(), made)
        group.places.append(results.path)
        for task in results.tasks:
            if task in group.files.results:
                older = group.files.results[task].path
                notes.add(f"{str(older)!r} is older on {task}: left out")
                group.files.samples.pop(task, None)
            group.files.results[task] = results
    for samples in found.samples:
        _add_samples(groups, samples, notes)
    for trace in sorted(found.traces, key=lambda t: -t.path.stat().st_mtime):
        _nearest(groups, trace).files.traces.append(trace.path)
    return list(groups.values())


def _group_of(results: Results) -> _Group:
    hybrid = results.hybrid
    if not hybrid:
        return _Group(str(results.content.get("model_name") or results.path.stem), {})
    models = [table(hybrid.get(role)) for role in ("slm", "llm")]
    names = [str(model["model"]) for model in models if "model" in model]
    return _Group(
        str(hybrid.get("strategy", "")),
        table(hybrid.get("options")),
        " + ".join(names),
        str(hybrid.get("scoring", "")),
    )


def _add_samples(groups: dict[str, _Group], samples: SamplesFile, notes: Notes) -> None:
    older = False
    for group in groups.values():
        for place in group.places:
            if place.parent == samples.path.parent and time_of(place) == samples.time:
                current = group.files.results.get(samples.task)
                if current is not None and current.path == place:
                    group.files.samples[samples.task] = samples.path
                    return
                older = True
    if older:
        return
    key = f"samples {samples.path.parent} {samples.time}"
    name = samples.path.parent.name or "samples"
    notes.add(f"{str(samples.path)!r}: no results file beside it says what ran")
    group = groups.setdefault(key, _Group(name, {}))
    group.files.samples[samples.task] = samples.path


def _nearest(groups: dict[str, _Group], trace: TraceFile) -> _Group:
    same = [
        group
        for group in groups.values()
        if group.strategy == trace.strategy and group.options == trace.options
    ]
    if not same:
        alone = _Group(trace.strategy, trace.options)
        return groups.setdefault(alone.key(), alone)
    return max(same, key=lambda group: _shared(group, trace.path))


def _shared(group: _Group, path: Path) -> int:
    """Return how much of its path a file shares with the nearest results."""
    own = str(path.resolve())
    shared = [os.path.commonpath([own, str(p.resolve())]) for p in group.places]
    return max(map(len, shared), default=0)


def _age(results: Results) -> float:
    return number(results.content.get("date")) or 0.0


def _facts(results: Sequence[Results]) -> dict[str, str]:
    """Return versions and settings that results files agree on or list."""
    facts: dict[str, dict[str, None]] = {}
    for one in results:
        settings = table(one.content.get("config"))
        llm = table(one.hybrid.get("llm"))
        said = {
            "lm_eval": one.content.get("lm_eval_version"),
            "transformers": one.content.get("transformers_version"),
            "limit": settings.get("limit"),
            "seed": one.hybrid.get("seed"),
            "device": llm.get("device"),
            "dtype": llm.get("dtype"),
        }
        for name, value in said.items():
            if value is not None:
                facts.setdefault(name, {})[str(value)] = None
    return {name: ", ".join(values) for name, values in facts.items()}
