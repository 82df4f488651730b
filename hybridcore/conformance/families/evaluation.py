"""EVAL: the strategy runs through lm_eval, and runs again the same."""

from __future__ import annotations

from typing import Any

from ..check import Failure, Family
from ..subject import Subject

EVAL = Family("EVAL")
DOCUMENTS = 10


@EVAL.check(
    "ten documents run through lm_eval --model hybrid, and are counted",
    job="evaluation",
)
def runs(subject: Subject) -> None:
    found = _evaluation(subject)
    if found["documents"] != DOCUMENTS:
        raise Failure(f"{DOCUMENTS} documents answered", f"{found['documents']}")
    if found["unserialisable"]:
        raise Failure("results that JSON can hold", found["unserialisable"])
    counts = found["counts"]
    emitted = counts["tokens_from_slm"] + counts["tokens_from_llm"]
    if emitted != counts["tokens_out"] or not emitted:
        raise Failure(
            "tokens_from_slm + tokens_from_llm == tokens_out > 0",
            f"{counts['tokens_from_slm']} + {counts['tokens_from_llm']}, "
            f"{counts['tokens_out']}",
        )


@EVAL.check(
    "the same seed gives the same samples, with and without a request cache",
    job="evaluation",
)
def repeats(subject: Subject) -> None:
    texts = _evaluation(subject)["texts"]
    (first, expected), *others = texts.items()
    for name, found in others:
        for document, text in expected.items():
            if found[document] != text:
                raise Failure(
                    f"{text!r}, as in {first}",
                    f"{found[document]!r} in {name}",
                    f"document {document}, temperature 1, seed of lm_eval",
                )


def _evaluation(subject: Subject) -> dict[str, Any]:
    found = subject.evaluation
    if "error" in found:
        raise Failure("a run without errors", found["error"])
    return found
