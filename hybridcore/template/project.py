"""What ``hybridlm new`` writes: a small distribution around one strategy."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template

from lm_eval.utils import handle_arg_string

from .. import __version__
from ..discovery import strategy_names
from ..errors import ArgumentError

_FILES = Path(__file__).parent / "files"
# what the modules import
_RESERVED = {"Block", "Draft", "Positions", "Route", "Sequence", "Step", "Strategy"}
_RESERVED |= {"Tensor", "Verdict"}


@dataclass(frozen=True)
class Kind:
    """A family of strategies: what its example does, and the example's one option."""

    summary: str
    option: str
    value: str
    help: str


KINDS = {
    "router": Kind(
        "Ask the LLM where the SLM's two best tokens are close.",
        "threshold",
        "0.2",
        "margin below which the LLM decides; 0 never, 2 always",
    ),
    "verifier": Kind(
        "Draft a few tokens with the SLM, and let the LLM verify them.",
        "num_drafts",
        "4",
        "tokens the SLM drafts before a verdict",
    ),
    "drafter": Kind(
        "Draft without an SLM what followed before, and let the LLM verify it.",
        "num_drafts",
        "4",
        "tokens drafted in one go",
    ),
    "scorer": Kind(
        "Decode and score by a mixture of both models' laws.",
        "weight",
        "0.3",
        "share of the SLM in the mixture",
    ),
}


@dataclass(frozen=True)
class Project:
    """A distribution to be written.

    :raises ArgumentError: the name cannot be one, or is taken, or lm_eval reads it as
        another value than a word.
    """

    name: str
    kind: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.name):
            raise ArgumentError(
                f"name {self.name!r}: expected small letters and digits, in words "
                "joined by '-', such as 'my-router'"
            )
        if handle_arg_string(self.name) != self.name:
            raise ArgumentError(
                f"name {self.name!r}: strategy={self.name} would be read as "
                f"{handle_arg_string(self.name)!r}: expected a word that is no value\n"
                f"choose another, such as '{self.name}-router'"
            )
        if self.name in strategy_names():
            raise ArgumentError(
                f"name {self.name!r}: a strategy of that name is installed\n"
                "choose another, or uninstall that one"
            )

    @property
    def distribution(self) -> str:
        """The name on an index."""
        return f"hybridlm-strategy-{self.name}"

    @property
    def module(self) -> str:
        """The name to import."""
        return self.distribution.replace("-", "_")

    @cached_property
    def class_name(self) -> str:
        """``MyRouter`` for ``my-router``."""
        name = "".join(word.capitalize() for word in self.name.split("-"))
        return f"{name}Strategy" if name in _RESERVED else name

    def files(self) -> dict[str, str]:
        """Return the contents of each file by its path."""
        words = self._words()
        paths = {
            "pyproject.toml": "pyproject.toml",
            "README.md": "README.md",
            f"{self.module}.py": f"{self.kind}.py",
            f"tests/test_{self.name.replace('-', '_')}.py": f"{self.kind}_test.py",
            ".github/workflows/test.yml": "test.yml",
        }
        return {path: _filled(source, words) for path, source in paths.items()}

    def command_line(self) -> str:
        """Return a line for a shell that evaluates it on the embedded pair."""
        from ..demo import tasks_path

        arguments = f"slm=demo-slm,llm=demo-llm,strategy={self.name},device=cpu"
        tasks = shlex.quote(str(tasks_path()))
        return (
            f"lm_eval --model hybrid --model_args {arguments} "
            f"--tasks hybrid_demo_generation --include_path {tasks} --limit 10"
        )

    def _words(self) -> dict[str, str]:
        major, minor = __version__.split(".")[:2]
        kind = KINDS[self.kind]
        return {
            "name": self.name,
            "distribution": self.distribution,
            "module": self.module,
            "class_name": self.class_name,
            "range": f">={major}.{minor},<{major}.{int(minor) + 1}",
            **vars(kind),
        }


def write(project: Project, into: Path) -> Path:
    """Write the files of ``project`` to a new folder inside ``into``; return it.

    :raises ArgumentError: the folder exists, or there is no ``into``.
    """
    if not into.is_dir():
        raise ArgumentError(f"--into {str(into)!r}: expected a folder that exists")
    folder = into / project.distribution
    if folder.exists():
        raise ArgumentError(
            f"{str(folder)!r} exists\nremove it, or choose another name"
        )
    for path, text in project.files().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def _filled(name: str, words: dict[str, str]) -> str:
    text = (_FILES / f"{name}.tmpl").read_text(encoding="utf-8")
    return Template(text).substitute(words)
