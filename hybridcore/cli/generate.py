"""``hybridlm generate "prompt"``: an answer, each token in the colour of its model."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from typing import Any

from rich.console import Console
from rich.text import Text

from ..completion import Completion, Token
from ..experiment.choice import only_choice
from ..experiment.command_line import add_pair, pair_of
from ..experiment.quiet import without_bars
from ..hybrid import Hybrid

STYLES = {
    "SLM": "green",
    "SLM, accepted": "cyan",
    "LLM": "bold yellow",
    "LLM, in place of a draft": "bold magenta",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add prompts, strategy and generation arguments."""
    parser.add_argument("prompts", nargs="+", help="- reads standard input")
    parser.add_argument(
        "--strategy",
        metavar="NAME:OPTION=VALUE,...",
        help="[uncertainty, or that of --model-args calibration=FILE]",
    )
    parser.add_argument("--max-new-tokens", type=int, default=256)
    parser.add_argument("--stop", action="append", default=[], help="may be repeated")
    parser.add_argument("--temperature", type=float, help="[greedy]")
    parser.add_argument("--seed", type=int, default=1234, help="of sampling")
    parser.add_argument("--apply-chat-template", action="store_true")
    parser.add_argument("--json", action="store_true", help="for programs")
    add_pair(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answer each prompt and print it as it comes."""
    given: dict[str, Any] = {"seed": arguments.seed, **pair_of(arguments)}
    if arguments.strategy is not None:
        choice = only_choice(arguments.strategy)
        given |= {"strategy": choice.name, **choice.options}
    with without_bars():
        hybrid = Hybrid(**given)
        printer = Printer(Console(), quiet=arguments.json)
        answers = [
            _answer(hybrid, _prompt(text), arguments, printer)
            for text in arguments.prompts
        ]
    if arguments.json:
        print(json.dumps([_as_dict(answer) for answer in answers], indent=2))
    return 0


class Printer:
    """Streams tokens to a terminal in colours; elsewhere prints the text alone."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._streams = console.is_terminal and not quiet
        if self._streams:
            legend = [Text(name, style=style) for name, style in STYLES.items()]
            console.print(Text("  ").join(legend))

    def token(self, index: int, token: Token) -> None:
        """Print one token."""
        if self._streams:
            text = Text(visible(token.text), style=style_of(token))
            self._console.print(text, end="", soft_wrap=True)

    def answer(self, answer: Completion, seconds: float) -> None:
        """Print what is to be said of a finished answer."""
        if self._streams:
            line = Text(f"\n\n{summary(answer, seconds)}", style="dim")
            self._console.print(line, soft_wrap=True)
        elif not self._quiet:
            print(answer.text)
            print(summary(answer, seconds), file=sys.stderr)


def style_of(token: Token) -> str:
    """Return the colour of a token's origin."""
    if token.model == "llm":
        replaces = token.replaced is not None
        return STYLES["LLM, in place of a draft" if replaces else "LLM"]
    return STYLES["SLM, accepted" if token.accepted else "SLM"]


def visible(text: str) -> str:
    """Return text with control characters written out: a model may say anything."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode()
        for c in text
    )


def summary(answer: Completion, seconds: float) -> str:
    """Return a line on who said how much, and how it ended."""
    counts = answer.counts
    parts = [f"{counts['tokens_out']} tokens"]
    if answer.llm_share is not None:
        share = f"{100 * answer.llm_share:.1f} %"
        parts.append(f"{counts['tokens_from_llm']} by the LLM ({share})")
    if counts["num_draft_tokens"]:
        accepted = counts["num_accepted_draft_tokens"]
        parts.append(f"{accepted} of {counts['num_draft_tokens']} drafts accepted")
    parts.append(f"{counts['llm_forwards']} LLM forwards")
    parts.append(f"{counts['tokens_out'] / seconds:.0f} tokens/s")
    return ", ".join(parts) + f"; ended by {answer.finish}"


def _answer(
    hybrid: Hybrid, prompt: str, arguments: argparse.Namespace, printer: Printer
) -> Completion:
    more: dict[str, Any] = {}
    if arguments.temperature:
        more = {"do_sample": True, "temperature": arguments.temperature}
    start = time.perf_counter()
    (answer,) = hybrid.generate(
        prompt,
        arguments.max_new_tokens,
        arguments.stop,
        apply_chat_template=arguments.apply_chat_template,
        on_token=printer.token,
        **more,
    )
    printer.answer(answer, time.perf_counter() - start)
    return answer


def _prompt(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _as_dict(answer: Completion) -> dict[str, Any]:
    return {**dataclasses.asdict(answer), "llm_share": answer.llm_share}
