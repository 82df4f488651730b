"""The table that is printed after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_COLUMNS = (
    ("requests", "requests"),
    ("tokens", "tokens_out"),
    ("LLM share", "llm_token_fraction"),
    ("SLM forwards", "slm_forwards"),
    ("LLM forwards", "llm_forwards"),
    ("LLM tokens read", "llm_tokens_processed"),
    ("accepted", "draft_acceptance_rate"),
    ("scored", "scored_tokens"),
    ("by LLM", "scored_from_llm"),
    ("LLM not run", "llm_requests_skipped"),
)


def table(info: Mapping[str, Any]) -> str:
    """Return the counts of a run as plain text, one line for each task.

    :param info: what ``HybridLM.get_model_info()`` has under ``hybrid``.
    """
    lines = {**info["tasks"], "all": info["total"]}
    if len(info["tasks"]) == 1:
        del lines["all"]
    names = [name for name, _ in _COLUMNS]
    body = [
        [task, *(_cell(key, counts.get(key)) for _, key in _COLUMNS)]
        for task, counts in lines.items()
    ]
    return "\n".join([_title(info), *_aligned([["task", *names], *body])])


def _title(info: Mapping[str, Any]) -> str:
    options = ", ".join(f"{name}={value}" for name, value in info["options"].items())
    strategy = info["strategy"] + (f" ({options})" if options else "")
    rate = info["total"]["tokens_per_s"]
    speed = f", {rate:.1f} tokens/s" if rate else ""
    wall = info["total"]["wall_s"]
    kept = info["total"]["cached_requests"]
    cached = f", {kept} answers from the response cache" if kept else ""
    return (
        f"hybrid: {strategy}, scoring={info['scoring']}, "
        f"{wall:.1f} s in the models{speed}{cached}"
    )


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    shares = ("llm_token_fraction", "draft_acceptance_rate")
    return f"{100 * value:.1f} %" if name in shares else f"{value:,}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
