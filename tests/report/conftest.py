"""Run directories made by hand, one that lm_eval wrote, and a browser to look with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from .opened import Opened

pytest.importorskip("matplotlib", reason="the extra hybridlm[report] is not installed")

TASK = "sums"


@dataclass
class Made:
    """A cell to be written.

    ``right``: for each document whether it was answered rightly; ``kinds``: for each
    token of every answer how it came to be (see the legend of the page).
    """

    strategy: str
    options: dict[str, Any] = field(default_factory=dict)
    right: Sequence[bool] = (True, False, True, True)
    kinds: str = "sslsas"
    texts: Sequence[str] = ("The", " sum", " is", "\n", "1", "2")
    draft: str = "9"
    role: str = "candidate"

    @property
    def id(self) -> str:
        return "-".join([self.strategy, *(f"{k}={v}" for k, v in self.options.items())])


def token(made: Made, position: int) -> dict[str, Any]:
    kind = made.kinds[position]
    said = {
        "id": position,
        "text": made.texts[position % len(made.texts)],
        "model": "llm" if kind in "lr" else "slm",
        "signal": round(0.1 * position, 3) if kind in "sl" else None,
        "accepted": {"a": True, "r": False}.get(kind),
        "rejected": 7 if kind == "r" else None,
    }
    return {**said, "rejected_text": made.draft} if kind == "r" else said


def tally(made: Made) -> dict[str, Any]:
    by_llm = sum(kind in "lr" for kind in made.kinds)
    accepted, rejected = made.kinds.count("a"), made.kinds.count("r")
    return {
        "requests": 1,
        "tokens_out": len(made.kinds),
        "tokens_from_llm": by_llm,
        "tokens_from_slm": len(made.kinds) - by_llm,
        "num_draft_tokens": accepted + rejected,
        "num_accepted_draft_tokens": accepted,
        "num_spec_steps": int(accepted + rejected > 0),
        "acceptance_histogram": [0] * accepted + [1] if accepted + rejected else [],
    }


def trace_line(made: Made, document: int) -> dict[str, Any]:
    tokens = [token(made, i) for i in range(len(made.kinds))]
    return {
        "strategy": made.strategy,
        "options": made.options,
        "task": TASK,
        "doc_id": document,
        "repeat": 0,
        "kind": "generation",
        "finish": "eos",
        "text": "".join(t["text"] for t in tokens),
        "tokens": tokens,
        "tally": tally(made),
    }


def sample_line(made: Made, document: int) -> dict[str, Any]:
    return {
        "doc_id": document,
        "target": f"target {document}",
        "arguments": {"gen_args_0": {"arg_0": f"What is {document}?", "arg_1": {}}},
        "resps": [["".join(made.texts)]],
        "filtered_resps": ["12"],
        "filter": "none",
        "metrics": ["exact_match"],
        "exact_match": float(made.right[document]),
    }


def results(made: Made, **changes: Any) -> dict[str, Any]:
    count = len(made.right)
    value = sum(made.right) / count if count else 0.0
    hybrid = {
        "strategy": made.strategy,
        "options": made.options,
        "scoring": "llm",
        "slm": {"model": "small", "dtype": "float32", "active_parameters": 1000},
        "llm": {"model": "large", "dtype": "float32", "active_parameters": 9000},
    }
    return {
        "results": {TASK: {"exact_match,none": value, "alias": TASK}},
        "configs": {TASK: {}},
        "higher_is_better": {TASK: {"exact_match": True}},
        "n-samples": {TASK: {"original": count, "effective": count}},
        "config": {"model": "hybrid", "model_args": {"slm": "small"}, "hybrid": hybrid},
        **changes,
    }


def write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def write_cell(folder: Path, made: Made) -> None:
    folder.mkdir(parents=True)
    documents = range(len(made.right))
    said = {"id": made.id, "label": made.id.replace("-", " "), "role": made.role}
    said |= {"strategy": made.strategy, "options": made.options}
    said |= {"status": "done", "error": None}
    (folder / "cell.json").write_text(json.dumps(said))
    (folder / "results.json").write_text(json.dumps(results(made)))
    write_lines(folder / "trace.jsonl", [trace_line(made, i) for i in documents])
    samples = [sample_line(made, i) for i in documents]
    write_lines(folder / f"samples_{TASK}.jsonl", samples)


def write_run(folder: Path, cells: Sequence[Made], **changes: Any) -> Path:
    said = {
        "format": 1,
        "kind": "compare",
        "versions": {"hybridlm": "0.0.1", "torch": "9.9"},
        "seed": 1234,
        "pair": {"slm": "small", "llm": "large"},
        "tasks": [TASK],
        "command": "hybridlm compare --slm small --llm large",
        "created": "2026-01-02T03:04:05+00:00",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({**said, **changes}))
    for made in cells:
        write_cell(folder / "cells" / made.id, made)
    return folder


CELLS = (
    Made(
        "slm-only", right=[False, False, True, False], kinds="ssssss", role="slm-only"
    ),
    Made("llm-only", right=[True, True, True, False], kinds="llllll", role="llm-only"),
    Made("uncertainty", {"threshold": 0.1}, kinds="sllsls"),
    Made("uncertainty", {"threshold": 0.5}, right=[True, False, True, False]),
    Made("speculative", {"num_drafts": 4}, [True] * 4, "aaalar"),
)


@dataclass(frozen=True)
class Writer:
    """Writes what a test wants into its own folder."""

    folder: Path
    Cell: Callable[..., Made] = Made

    def run(self, *cells: Made, **changes: Any) -> Path:
        """Write a run directory; the usual cells where none are named."""
        return write_run(self.folder / "run", cells or CELLS, **changes)

    def lines(self, name: str, lines: Sequence[dict[str, Any]]) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_lines(path, lines)
        return path

    def results(self, name: str, made: Made, **changes: Any) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results(made, **changes)))
        return path

    def trace(self, made: Made) -> list[dict[str, Any]]:
        return [trace_line(made, i) for i in range(len(made.right))]

    def samples(self, made: Made) -> list[dict[str, Any]]:
        return [sample_line(made, i) for i in range(len(made.right))]


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


@pytest.fixture(scope="session")
def writer_of() -> Callable[[Path], Writer]:
    return Writer


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium; one for all tests, as it takes a second to start."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is missing")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser here: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    flags = ("--headless=new", "--no-sandbox", "--window-size=1240,1400")
    # scrolling is at once
    for flag in (*flags, "--force-prefers-reduced-motion"):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    service = webdriver.ChromeService(executable_path=driver)
    started = webdriver.Chrome(options=options, service=service)
    yield started
    started.quit()


@pytest.fixture(scope="session")
def usual(tmp_path_factory, writer_of):
    """The page on the usual cells."""
    from hybridcore.report import write_report

    return write_report([writer_of(tmp_path_factory.mktemp("usual")).run()]).page


@pytest.fixture
def opened(write, browser, usual):
    """``opened(*cells)``: write a run of such cells, report on it, look at it."""

    from hybridcore.report import write_report

    def make(*cells, **changes):
        if not cells:
            return Opened(browser, usual)
        return Opened(browser, write_report([write.run(*cells, **changes)]).page)

    return make
