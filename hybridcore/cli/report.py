"""``hybridlm report RUN_DIR``: one page on a run, and its figures as files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..errors import ReportError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the paths and options of a report."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a run directory; or results, samples and traces, or folders of them",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="the page (default: report.html in the folder)"
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="judge tasks by it (default: their first)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Write the page; what was left out is said on standard error."""
    from ..report import write_report  # its packages are an extra

    written = write_report(arguments.paths, arguments.output, arguments.metric)
    for note in written.notes:
        print(f"note: {note}", file=sys.stderr)
    if arguments.json:
        files = [str(path) for path in written.figures]
        said = {"page": str(written.page), "figures": files, "notes": written.notes}
        print(json.dumps(said, indent=2))
    else:
        print(written.page)
    return 0


def page_of(run: Path) -> tuple[str | None, str]:
    """Write the page of a run that was just made; return it, or None, and a line."""
    try:
        from ..report import write_report

        page = str(write_report([run]).page)
    except ReportError as error:
        return None, f"no report: {str(error).splitlines()[0]}"
    return page, f"report: {page}"
