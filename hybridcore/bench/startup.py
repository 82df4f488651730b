"""``python -m hybridcore.bench.startup``: what the bridge adds to a start of Python.

``python -c pass`` in three environments that hold nothing else, in turns: without the
bridge, with it, and with it switched off by HYBRIDLM_BRIDGE=0.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

from tqdm import trange

from ..errors import HybridLMError

BRIDGE = ("_hybridlm_startup.py", "hybridlm.pth", "hybridlm.start")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="starts of each kind")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        print(table(measure(Path(folder), arguments.rounds)))
    return 0


def measure(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds that each start took, by kind; ``folder`` must be empty."""
    bare, bridged = environment(folder / "bare"), environment(folder / "bridged")
    for name in BRIDGE:
        (site_packages(bridged) / name).write_bytes(installed(name).read_bytes())
    kinds = {
        "no bridge": (bare, "1"),
        "bridge": (bridged, "1"),
        "bridge, HYBRIDLM_BRIDGE=0": (bridged, "0"),
    }
    for python, switch in kinds.values():  # compiles and reads once
        start(python, switch)
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in trange(rounds, desc="python -c pass", disable=None):
        for kind, (python, switch) in kinds.items():
            seconds[kind].append(start(python, switch))
    return seconds


def environment(folder: Path) -> Path:
    """Make a virtual environment without packages; return its Python."""
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


def site_packages(python: Path) -> Path:
    """Return the folder from which ``python`` reads .pth files."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([python, "-c", code], text=True).strip())


def installed(name: str) -> Path:
    """Return a file of the installed core distribution.

    :raises HybridLMError: it is not there.
    """
    path = Path(str(distribution("hybridlm").locate_file(name)))
    if not path.is_file():
        raise HybridLMError(f"no {name!r} beside hybridlm: expected an installed one")
    return path


def start(python: Path, switch: str) -> float:
    """Return how many seconds one start of Python took."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command, variables = (
        [str(python), "-c", "pass"],
        {**keep, "HYBRIDLM_BRIDGE": switch},
    )
    before = time.perf_counter()
    subprocess.run(command, env=variables, check=True)
    return time.perf_counter() - before


def table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Return medians and quartiles in milliseconds, and what each adds."""
    rounds = len(next(iter(seconds.values())))
    base = statistics.median(seconds["no bridge"])
    lines = [f"python {sys.version.split()[0]} -c pass, {rounds} starts each, in turns"]
    for kind, values in seconds.items():
        low, middle, high = statistics.quantiles(values, n=4)
        lines.append(
            f"{kind:<26} {1e3 * middle:6.1f} ms (quartiles {1e3 * low:.1f} to "
            f"{1e3 * high:.1f}), {1e3 * (middle - base):+.1f} ms"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
