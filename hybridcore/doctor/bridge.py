"""Whether ``lm_eval --model hybrid`` finds the model, and by what.

Two fresh processes are asked: one as it would be, and one without the bridge, which
finds the model only where lm_eval reads the entry-point group ``lm_eval.models``.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .finding import Finding
from .versions import installed

SWITCH = "HYBRIDLM_BRIDGE"
FILE = "hybridlm.pth"
_INSTEAD = "hybridlm eval ... is lm_eval without it"
# a release that reads entry points may do so when a model is asked for
_ASKED = """
import importlib.util, json, sys
waits = any(type(f).__module__ == "_hybridlm_startup" for f in sys.meta_path)
there = importlib.util.find_spec("_hybridlm_startup") is not None
import lm_eval.models
from lm_eval.api import registry
def found():
    if "hybrid" in registry.model_registry:
        return True
    try:
        registry.get_model("hybrid")
    except Exception:
        return False
    return True
print("\\n" + json.dumps({"waits": waits, "module": there, "found": found()}))
"""


@dataclass(frozen=True)
class Seen:
    """What two fresh processes and the site folders say.

    Attributes:
        found: lm_eval knows the model ``hybrid``.
        alone: it does so without the bridge.
        waits: the bridge was started with the process.
        module: its module can be imported.
        files: where ``hybridlm.pth`` lies, of the folders that Python reads.
        switch: the value of ``HYBRIDLM_BRIDGE``.
        said: what the process said on standard error, the last line.
    """

    found: bool
    alone: bool
    waits: bool
    module: bool
    files: tuple[str, ...]
    switch: str | None
    said: str = ""


def look() -> Finding:
    """Say whether the bridge is active, and why; not finding the model is a problem."""
    seen = see()
    reason, remedy = judged(seen)
    active = "active" if seen.waits else "not active"
    problem = (f"the bridge is {active}: {reason}\n{remedy}",) if remedy else ()
    facts = {**asdict(seen), "active": seen.waits, "reason": reason}
    return Finding(f"{active}: {reason}", facts, problem)


def judged(seen: Seen) -> tuple[str, str]:
    """Return why things are as they are, and what to do where that is broken."""
    release = f"lm_eval {installed('lm_eval')}"
    if seen.alone:
        return f"{release} reads the entry-point group lm_eval.models by itself", ""
    if seen.found:
        return f"{FILE} registers the model with {release}", ""
    if seen.switch == "0":
        return f"{SWITCH}=0 switches it off; {_INSTEAD}", ""
    if not seen.files:
        folders = ", ".join(map(str, folders_of_site()))
        return f"no {FILE} in {folders}", f"install hybridlm anew; {_INSTEAD}"
    if not seen.module:
        return f"{seen.files[0]} is there, _hybridlm_startup.py is not", (
            f"install hybridlm anew; {_INSTEAD}"
        )
    if not seen.waits:
        return f"{seen.files[0]} was not run: does Python start with -S?", _INSTEAD
    said = seen.said or "it said nothing"
    return f"it ran, and {release} does not know the model: {said}", (
        f"install a release of lm_eval that hybridlm asks for; {_INSTEAD}"
    )


def see() -> Seen:
    """Ask two fresh processes, side by side."""
    switch = os.environ.get(SWITCH)
    usual, without = _start(switch), _start("0")
    (told, said), (told_alone, _) = _end(usual), _end(without)
    return Seen(
        found=told.get("found", False),
        alone=told_alone.get("found", False),
        waits=told.get("waits", False),
        module=told.get("module", False),
        files=tuple(str(f / FILE) for f in folders_of_site() if (f / FILE).exists()),
        switch=switch,
        said=said,
    )


def folders_of_site() -> list[Path]:
    """Return the folders whose ``.pth`` files Python runs."""
    folders = [*site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return [Path(folder) for folder in folders]


def _start(switch: str | None) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if k != SWITCH}
    return subprocess.Popen(
        [sys.executable, *_flags(), "-c", _ASKED],
        env=environment if switch is None else {**environment, SWITCH: switch},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _flags() -> list[str]:
    """Return what changes which ``.pth`` files this process has run."""
    flags = {"-S": sys.flags.no_site, "-s": sys.flags.no_user_site}
    isolated = ["-I"] if sys.flags.isolated else []
    return [*isolated, *(flag for flag, on in flags.items() if on)]


def _end(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    printed, said = process.communicate()
    lines = said.strip().splitlines()
    last = lines[-1] if lines else ""
    if process.returncode:
        return {}, last
    return json.loads(printed.strip().splitlines()[-1]), last
