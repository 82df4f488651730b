"""VERIFY: verdicts are well formed and end; lossless ones follow the LLM's law."""

from __future__ import annotations

import torch
from torch import Tensor

from ...decoding.step_law import WarpLaw
from ...dispatch import Dispatcher
from ...errors import HookError
from ...exchange import Block, Verdict
from .. import block_law
from ..block_law import Tables
from ..blocks import blocks, copied, described, drafts_itself, row_of, turned
from ..capabilities import DRAFTS, HOLDS, LOSSLESS, READS_SLM
from ..check import Capability, Failure, Family
from ..draft_limits import COUNT, draft_limits, longest_block
from ..lossless import check_blocks, check_samples, draft_counts
from ..pair import NoProgress, TablePair
from ..purity import pure
from ..states import check_states
from ..subject import Subject
from ..texts import (
    compare_texts,
    letters,
    same_table,
    similar_pair,
    until_letters,
    until_token,
)

VERIFY = Family("VERIFY")
_INTEGERS = (torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8)
STATELESS = Capability("keep no state", "keeps state", lambda s: "start" not in s.hooks)
SLM_DRAFTS = Capability(
    "leave drafting to the SLM", "drafts by itself", lambda s: not DRAFTS.holds(s)
)


@VERIFY.check("returns a Verdict with one count a row, or None", HOLDS, contract=True)
def well_formed(subject: Subject) -> None:
    strategy = subject.instance()
    for block in blocks(subject):
        verdict = strategy.verify(block=copied(block))  # type: ignore[attr-defined]
        if verdict is None:
            continue
        if not isinstance(verdict, Verdict):
            raise Failure("a Verdict", repr(verdict), described(block))
        counts = verdict.accepted
        whole = isinstance(counts, Tensor) and counts.dtype in _INTEGERS
        if not whole or counts.shape != block.length.shape:
            raise Failure(
                f"accepted: integers, shape {list(block.length.shape)}",
                repr(counts),
                described(block),
            )
        if ((counts < 0) | (counts > block.length)).any():
            raise Failure(
                f"accepted: 0 to length, {block.length.tolist()}",
                f"{counts.tolist()}",
                described(block),
            )
        if verdict.next_law is not None:
            _check_next_law(verdict.next_law, block.p[:, 0].shape, described(block))


@VERIFY.check(
    f"every round makes progress, drafts at most {COUNT}, and rows end",
    HOLDS,
    contract=True,
)
def progress(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for block in blocks(subject):
        try:
            dispatcher.verify(copied(block))
        except HookError as error:
            raise Failure.of_hook_error(error, described(block)) from None
    prompts = [[i] for i in range(8)]
    for law in (WarpLaw(0.0), WarpLaw(1.0)):
        try:
            answers = TablePair.random(8, seed=1).run(dispatcher, prompts, 30, law=law)
        except NoProgress as error:
            raise Failure("30 tokens for each of 8 rows", str(error)) from None
        for prompt, answer in zip(prompts, answers, strict=True):
            if len(answer.tokens) != 30:
                raise Failure("30 tokens", f"{len(answer.tokens)}", f"prompt {prompt}")
    for count in draft_limits(subject) if SLM_DRAFTS.holds(subject) else ():
        longest = longest_block(subject.dispatcher(**{COUNT: count}))
        if longest > count:
            raise Failure(f"at most {count} drafts at {COUNT}={count}", f"{longest}")


@VERIFY.check("at temperature 0 the text is the LLM's", LOSSLESS)
def greedy_lossless(subject: Subject) -> None:
    for drafts in draft_counts(subject, (1, 2, 3, 5)):
        for agreeing in (False, True):
            pair = similar_pair(32, agreeing)
            prompts = [[i] for i in range(len(pair.p))]
            answers = pair.run(subject.dispatcher(**drafts), prompts, 9, batch=32)
            expected = pair.alone(pair.p, prompts, 9)
            compare_texts(prompts, answers, expected, f"{drafts or 'defaults'}")


@VERIFY.check("sampled texts follow the LLM's law", LOSSLESS)
def sampled_lossless(subject: Subject) -> None:
    counts: tuple[int, ...] = (1, 2)
    if HOLDS.holds(subject) and STATELESS.holds(subject):
        for tables in (Tables.random(0), Tables.random(1), Tables.random(2)):
            check_blocks(subject, tables)
        counts = (2,)
    pair = TablePair.random(6, seed=0)
    for drafts in draft_counts(subject, counts):
        check_samples(subject, pair, drafts)


@VERIFY.check(
    "accepts every draft where the models agree",
    *(LOSSLESS, HOLDS, READS_SLM, SLM_DRAFTS),
)
def accepts_agreement(subject: Subject) -> None:
    prompts = [[i] for i in range(8)]
    for law in (WarpLaw(0.0), WarpLaw(1.0)):
        answers = same_table(8).run(subject.dispatcher(), prompts, 12, law=law)
        for prompt, answer in zip(prompts, answers, strict=True):
            tally = answer.tally
            if tally.num_accepted_draft_tokens < tally.num_draft_tokens:
                raise Failure(
                    f"all {tally.num_draft_tokens} drafts accepted",
                    f"{tally.num_accepted_draft_tokens}",
                    f"both models the same table, prompt {prompt}, {law}",
                )


@VERIFY.check("accepts no draft that the LLM rules out", LOSSLESS, HOLDS)
def rejects_the_impossible(subject: Subject) -> None:
    tables = Tables.disjoint()
    if STATELESS.holds(subject):
        for length in (1, 2):
            point = drafts_itself(subject)
            block = block_law.every_block(tables, length, point, asked=False)
            verdict = subject.dispatcher().verify(copied(block))
            accepted = block.length if verdict is None else verdict.accepted
            ruled_out = block.drafted[:, 0] < 2
            if (wrong := (accepted > 0) & ruled_out).any():
                first = row_of(block, int(wrong.nonzero()[0, 0]))
                raise Failure(
                    "0 accepted", f"{int(accepted[wrong][0])}", described(first)
                )
        check_blocks(subject, tables)
    pair = TablePair(tables.q.log(), tables.p.log())
    prompts = [[i] for i in range(4)]
    for answer in pair.run(subject.dispatcher(), prompts, 12, law=WarpLaw(1.0)):
        if strange := [token for token in answer.tokens if token < 2]:
            raise Failure(
                "tokens that the LLM allows: 2 and 3",
                f"{strange[0]}",
                f"prompt {list(answer.request.prompt)}, q only 0 and 1, p only 2 and 3",
            )


@VERIFY.check("an end-of-sequence token inside a block ends the text there", HOLDS)
def ends_at_eos(subject: Subject) -> None:
    pair = similar_pair(12, agreeing=True)
    prompts = [[i] for i in range(12)]
    expected = pair.alone(pair.p, prompts, 10)
    for eos in (expected[0][4], expected[1][2], expected[2][1]):
        answers = pair.run(subject.dispatcher(), prompts, 10, eos=[eos])
        for prompt, answer in zip(prompts, answers, strict=True):
            if eos in answer.tokens[:-1]:
                raise Failure(
                    f"nothing behind the end-of-sequence token {eos}",
                    f"{list(answer.tokens)}",
                    f"prompt {prompt}, temperature 0",
                )
        if subject.cls.lossless:
            cut = [until_token(text, eos) for text in expected]
            compare_texts(prompts, answers, cut, f"end-of-sequence token {eos}")


@VERIFY.check("a stop string across blocks ends the text there", HOLDS)
def ends_at_stops(subject: Subject) -> None:
    pair = similar_pair(12, agreeing=True)
    prompts = [[i] for i in range(12)]
    expected = pair.alone(pair.p, prompts, 10)
    for text, at in ((expected[0], 3), (expected[1], 2), (expected[2], 1)):
        stop = letters(text[at : at + 2])
        answers = pair.run(
            subject.dispatcher(),
            prompts,
            10,
            stops=[stop],
            decode=letters,
            generation_kwargs={"until": [stop]},
        )
        for prompt, answer in zip(prompts, answers, strict=True):
            if stop in letters(answer.tokens[:-1]):
                raise Failure(
                    f"nothing behind the stop string {stop!r}",
                    f"{letters(answer.tokens)!r}",
                    f"prompt {prompt}, temperature 0, token i is the i-th letter",
                )
        if subject.cls.lossless:
            cut = [until_letters(text, stop) for text in expected]
            compare_texts(prompts, answers, cut, f"stop string {stop!r}")


@VERIFY.check("a verdict is a matter of its row, whatever stands beside it", HOLDS)
def rows_alone(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    check_states(dispatcher)
    for block in blocks(subject):
        together = _said(dispatcher, block)
        backwards = _said(dispatcher, turned(block))[::-1]
        for i in range(len(block.length)):
            alone = _said(dispatcher, row_of(block, i))[0]
            for other, where in (
                (together[i], "in this block"),
                (backwards[i], "turned"),
            ):
                if not _same(alone, other):
                    raise Failure(
                        f"row {i} alone: {_text_of(alone)}",
                        f"{_text_of(other)} {where}",
                        described(block),
                    )


@VERIFY.check("a verdict is a function of the block, and changes nothing", HOLDS)
def pure_function(subject: Subject) -> None:
    dispatcher = subject.dispatcher()
    for block in blocks(subject):
        given = copied(block)
        with pure("verify", dispatcher.strategy, given, described(block)):
            dispatcher.verify(given)
        first, again = _said(dispatcher, block), _said(dispatcher, block)
        new = _said(subject.dispatcher(), block)
        for one, two, when in (
            *((a, b, "asked again") for a, b in zip(first, again, strict=True)),
            *((a, b, "in a new instance") for a, b in zip(first, new, strict=True)),
        ):
            if not _same(one, two):
                raise Failure(
                    _text_of(one), f"{_text_of(two)} {when}", described(block)
                )


Said = tuple[int, "Tensor | None"]


def _said(dispatcher: Dispatcher, block: Block) -> list[Said]:
    """Return what each row is told: how many drafts stay, and the law behind them."""
    verdict = dispatcher.verify(copied(block))
    if verdict is None:
        return [(-1, None)] * len(block.length)
    following = verdict.next_law
    laws = [None] * len(block.length) if following is None else list(following)
    return list(zip(verdict.accepted.tolist(), laws, strict=True))


def _same(one: Said, other: Said) -> bool:
    (accepted, law), (others, moved) = one, other
    if law is None or moved is None:
        return accepted == others and law is moved
    return accepted == others and torch.allclose(law, moved, atol=1e-5)


def _text_of(said: Said) -> str:
    accepted, following = said
    if accepted < 0:
        return "None"
    if following is None:
        return f"{accepted} accepted, no law"
    rounded = [round(x, 4) for x in following.tolist()]
    return f"{accepted} accepted, next_law {rounded}"


def _check_next_law(law: Tensor, shape: torch.Size, example: str) -> None:
    if law.shape != shape or not law.dtype.is_floating_point:
        got = f"{list(law.shape)} of {law.dtype}"
        raise Failure(f"next_law: floats, shape {list(shape)}", got, example)
    if not torch.isfinite(law).all() or (law < 0).any():
        raise Failure("next_law: probabilities", f"{law.tolist()}", example)
    sums = law.sum(-1)
    off = (sums - 1).abs() > 1e-3
    if (off & (sums != 0)).any():
        raise Failure(
            "next_law: rows that sum to one (or zeros, for no token)",
            f"sums {sums.tolist()}",
            example,
        )
