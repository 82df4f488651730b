"""What is shown while an experiment runs, and that nothing is where none looks."""

from __future__ import annotations

import io
from types import SimpleNamespace

from lm_eval.api.instance import Instance
from rich.console import Console
from tqdm import tqdm

from hybridcore import HybridLM
from hybridcore.decoding.engine import Engine
from hybridcore.experiment.progress import ExperimentProgress
from hybridcore.experiment.quiet import without_bars
from hybridcore.tally import Tally


class FakeLM:
    """Answers each request through its cache hook, as HybridLM does."""

    in_flight = 0

    def __init__(self) -> None:
        tally = Tally(tokens_out=8, tokens_from_llm=2)
        self.recorder = SimpleNamespace(ledger=SimpleNamespace(tasks={"t": tally}))
        self.cache_hook = None
        self.seen: list[int] = []

    def generate_until(self, requests, disable_tqdm=False):
        for left in reversed(range(len(requests))):
            self.in_flight = left
            self.cache_hook.add_partial("generate_until", None, "")
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
    assert "LLM 25 %" in text
    assert "a failed: [b]planted[/b]" in text


def test_no_terminal_shows_failures_alone() -> None:
    assert shown(terminal=False) == "a failed: [b]planted[/b]\n"


def test_rows_in_flight_are_those_of_the_engine(pair: HybridLM, monkeypatch) -> None:
    rows = []
    answers = Engine.run

    def watched(engine, feed):
        # what the engine has taken and not given back yet
        taken = []
        for answer in answers(engine, map(kept(taken), feed)):
            taken.pop()
            rows.append(len(taken))
            yield answer

    def kept(taken):
        return lambda request: taken.append(request) or request

    monkeypatch.setattr(Engine, "run", watched)
    progress = ExperimentProgress(Console(file=io.StringIO()))
    lm, notes = pair.with_strategy("llm-only"), []
    told = progress._answered
    monkeypatch.setattr(
        progress, "_answered", lambda lm: notes.append(progress._note(lm)) or told(lm)
    )
    progress.watch(lm, "x")
    lengths = (3, 9, 2, 7, 1, 4, 5, 6, 8, 10)
    lm.generate_until(
        [
            Instance("generate_until", {}, ("a b", {"max_gen_toks": n, "until": []}), i)
            for i, n in enumerate(lengths)
        ],
        disable_tqdm=True,
    )
    assert len(notes) == len(rows) == len(lengths)
    for note, count in zip(notes, rows, strict=True):
        said = note.split(" rows in flight")[0] if "rows" in note else "0"
        assert int(said) == count
    # less than what is left, more than one
    assert max(rows) == 7
    assert rows[-1] == 0


def test_bars_of_others_are_off_inside(capsys) -> None:
    with without_bars():
        list(tqdm([1, 2], disable=False))
    assert capsys.readouterr().err == ""
    list(tqdm([1, 2]))
    assert "2/2" in capsys.readouterr().err
