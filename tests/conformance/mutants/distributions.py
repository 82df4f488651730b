"""Distributions with one thing wrong: what only an installed strategy can get wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

SOURCE = '''
from hybridcore import Route, Strategy, hookimpl, option
from hybridcore.signals import entropy


class Planted(Strategy):
    """Ask the LLM where the entropy is high."""

    threshold: float = option(1.0, minimum=-1.0, unit="nats", help="above: the LLM")

    @hookimpl
    def route_token(self, step):
        """ASK above the threshold."""
        return Route.ask_above(entropy(step.logits), self.threshold)
'''
README = (
    "# planted\n\n    lm_eval --model hybrid --model_args ...,strategy=planted ...\n"
)


@dataclass(frozen=True)
class Distribution:
    """A distribution as an installer leaves it: one module and its metadata."""

    entry: str = "planted"
    name: str = "hybridlm-strategy-planted"
    module: str = "hybridlm_strategy_planted"
    version: str = "0.1"
    requires: str = "hybridlm>=0.1,<0.2"
    source: str = SOURCE
    readme: str = README

    def install(self, folder: Path) -> None:
        """Write it to a folder of the import path."""
        info = folder / f"{self.name.replace('-', '_')}-{self.version}.dist-info"
        info.mkdir()
        metadata = ["Metadata-Version: 2.1", f"Name: {self.name}"]
        metadata += [f"Version: {self.version}"]
        metadata += [f"Requires-Dist: {self.requires}"] if self.requires else []
        (info / "METADATA").write_text("\n".join([*metadata, "", self.readme]))
        entry = f"[hybridlm.strategies]\n{self.entry} = {self.module}:Planted\n"
        (info / "entry_points.txt").write_text(entry)
        (folder / f"{self.module}.py").write_text(self.source)


@dataclass(frozen=True)
class InstalledMutant:
    """A wrong distribution, the check that is to kill it, and the checks to run."""

    name: str
    aim: str
    fault: str
    distribution: Distribution
    only: tuple[str, ...] = field(default=("LOAD",))


def _with(module: str, /, **changes: str) -> Distribution:
    """A module of its own for each, since modules stay imported."""
    return Distribution(module=f"hybridlm_strategy_{module.lower()}", **changes)


INSTALLED_MUTANTS = {
    mutant.name: mutant
    for mutant in (
        InstalledMutant(
            "FailsToImport",
            "LOAD-1",
            "imports what is not there",
            _with("FailsToImport", source=f"import no_such_module\n{SOURCE}"),
        ),
        InstalledMutant(
            "ImportsAnother",
            "LOAD-1",
            "imports another distribution's strategy",
            _with(
                "ImportsAnother", source=f"import hybridlm_strategy_entropy\n{SOURCE}"
            ),
        ),
        InstalledMutant(
            "ImportsTransformers",
            "LOAD-2",
            "imports transformers when it is imported",
            _with("ImportsTransformers", source=f"import transformers\n{SOURCE}"),
        ),
        InstalledMutant(
            "AnyName",
            "LOAD-6",
            "a distribution that is not named hybridlm-strategy-...",
            _with("AnyName", name="clever-routing"),
            only=("LOAD-6",),
        ),
        InstalledMutant(
            "NoRange",
            "LOAD-6",
            "works with every hybridlm to come, it says",
            _with("NoRange", requires="hybridlm>=0.1"),
            only=("LOAD-6",),
        ),
        InstalledMutant(
            "TakesAName",
            "LOAD-6",
            "calls itself `uncertainty`, as one of hybridlm's own",
            _with("TakesAName", entry="uncertainty"),
            only=("LOAD-6",),
        ),
        InstalledMutant(
            "SetsThreads",
            "LOAD-9",
            "sets torch's number of threads when it is imported",
            _with(
                "SetsThreads",
                source=f"import torch\ntorch.set_num_threads(3)\n{SOURCE}",
            ),
        ),
        InstalledMutant(
            "SaltedHash",
            "ROUTE-2",
            "decides by `hash()` of the text, which differs between processes",
            _with(
                "SaltedHash",
                source=SOURCE.replace(
                    "entropy(step.logits), self.threshold",
                    "torch.tensor([hash(str(step.tokens(i))) % 2 * 2.0 "
                    "for i in range(len(step))]), 1",
                ).replace("\nfrom", "\nimport torch\nfrom", 1),
            ),
            only=("ROUTE-1", "ROUTE-2", "ROUTE-3"),
        ),
    )
}
