"""What is shown while an experiment runs, and that nothing is where none looks."""

from __future__ import annotations

import io
from types import SimpleNamespace

from rich.console import Console
from tqdm import tqdm

from hybridcore.experiment.progress import ExperimentProgress
from hybridcore.experiment.quiet import without_bars
from hybridcore.tally import Tally


class FakeLM:
    """Answers each request through its cache hook, as HybridLM does."""

    batch_size = 2

    def __init__(self) -> None:
        tally = Tally(tokens_out=8, tokens_from_llm=2)
        self.recorder = SimpleNamespace(ledger=SimpleNamespace(tasks={"t": tally}))
        self.cache_hook = None
        self.seen: list[int] = []

    def generate_until(self, requests, disable_tqdm=False):
        for request in requests:
            self.cache_hook.add_partial("generate_until", request, "")
        return ["x"] * len(requests)

    loglikelihood = loglikelihood_rolling = generate_until


def shown(terminal: bool) -> str:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, color_system=None)
    lm = FakeLM()
    with ExperimentProgress(console) as progress:
        progress.more_cells(2)
        progress.watch(lm, "entropy threshold=1")
        assert lm.generate_until([1, 2, 3]) == ["x"] * 3
        progress._bars.refresh()
        progress.cell_done()
        progress.say("a failed: [b]planted[/b]")
    return text.getvalue()


def test_a_terminal_shows_rows_and_share() -> None:
    text = shown(terminal=True)
    assert "entropy threshold=1" in text
    assert "3/3" in text
    assert "0 rows in flight, LLM 25 %" in text
    assert "a failed: [b]planted[/b]" in text


def test_no_terminal_shows_failures_alone() -> None:
    assert shown(terminal=False) == "a failed: [b]planted[/b]\n"


def test_rows_in_flight_are_no_more_than_are_left() -> None:
    progress = ExperimentProgress(Console(file=io.StringIO()))
    lm = FakeLM()
    progress.watch(lm, "x")
    for left, rows in ((5, 2), (1, 1), (0, 0)):
        progress._bars.reset(progress._inner, total=left)
        assert progress._note(lm).startswith(f"{rows} rows in flight")


def test_bars_of_others_are_off_inside(capsys) -> None:
    with without_bars():
        list(tqdm([1, 2], disable=False))
    assert capsys.readouterr().err == ""
    list(tqdm([1, 2]))
    assert "2/2" in capsys.readouterr().err
