"""A pair of models and a strategy, for programs: texts in, tokens with origin out.

hybrid = Hybrid(slm="demo-slm", llm="demo-llm", strategy="entropy", threshold=0.5)
(answer,) = hybrid.generate("Question: ...", max_new_tokens=64)
print(answer.text, answer.llm_share)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lm_eval.api.instance import Instance

from .completion import Completion, Scored, Token
from .decoding.request import Answer, EmittedToken, GenerationRequest
from .decoding.stopping import TextTail
from .harness.arguments import Model, Scoring
from .harness.generation import text_of
from .harness.generation_call import GenerationCall
from .harness.hybrid_lm import HybridLM
from .harness.scoring_call import Encoded, ScoringCall
from .scoring import Score
from .strategy import Strategy

OnToken = Callable[[int, Token], None]


class Hybrid:
    """Answers prompts and scores texts by a strategy between two models.

    It is :class:`~hybridcore.HybridLM` without lm_eval's requests, and takes the same
    arguments: options of the strategy, ``device``, ``dtype``, ``batch_size`` and all
    others of :mod:`hybridcore.harness.arguments`.

    :param slm: the small model: hub id, folder, ``demo-slm``, or loaded.
    :param llm: the large one.
    :param strategy: a name, ``distribution:name``, or an instance [uncertainty].
    :raises HybridLMError: an argument, a model or the strategy cannot be used.
    """

    def __init__(
        self,
        slm: Model | None = None,
        llm: Model | None = None,
        strategy: str | Strategy | None = None,
        **arguments: Any,
    ) -> None:
        self.lm = HybridLM(slm, llm, strategy, **arguments)

    def with_strategy(self, strategy: str | Strategy, **options: Any) -> Hybrid:
        """Return one with another strategy that shares the loaded models."""
        other = object.__new__(Hybrid)
        other.lm = self.lm.with_strategy(strategy, **options)
        return other

    def generate(
        self,
        prompts: str | Sequence[str],
        max_new_tokens: int = 256,
        stop: str | Sequence[str] = (),
        *,
        apply_chat_template: bool = False,
        on_token: OnToken | None = None,
        **generation_kwargs: Any,
    ) -> list[Completion]:
        """Continue each prompt; return the answers in the order of the prompts.

        :param stop: strings that end an answer and are not part of it.
        :param on_token: told of each token at once: index of the prompt, and token.
        :param generation_kwargs: ``temperature``, ``do_sample``, ``top_p`` and what
            else transformers' ``generate`` takes; the default is greedy.
        :raises RequestError: a prompt cannot be answered, before any is.
        """
        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        stops = [stop] if isinstance(stop, str) else list(stop)
        asked = {**generation_kwargs, "max_gen_toks": max_new_tokens, "until": stops}
        shown = [self._shown(text) if apply_chat_template else text for text in texts]
        requests = [
            Instance("generate_until", {}, (text, dict(asked)), i, ("hybrid", i, 1))
            for i, text in enumerate(shown)
        ]
        found = answered(self.lm, requests, on_token)
        return [self._completion(*pair) for pair in zip(texts, found, strict=True)]

    def score(
        self, pairs: Sequence[tuple[str, str]], scoring: Scoring = "strategy"
    ) -> list[Scored]:
        """Score ``(context, text)`` pairs.

        :param scoring: ``"strategy"``: the law that the strategy induces; ``"llm"``:
            the LLM's.
        :raises StrategyError: the strategy induces no law that is known.
        """
        lm = self.lm.with_strategy(self.lm.strategy, scoring=scoring)
        found: dict[int, Scored] = {}

        def run(encoded: Sequence[Encoded], **_: Any) -> list[tuple[float, bool]]:
            def finish(index: int, scores: list[Score]) -> None:
                found[index] = self._scored(encoded[index], scores[0])

            done = ScoringCall(lm, [[one] for one in encoded], finish).run(quiet=True)
            return [(score.log_likelihood, score.is_greedy) for score in done]

        # HFLM's own encoding of the pairs, then scores with all that is known of them
        lm.__dict__["_loglikelihood_tokens"] = run
        requests = [
            Instance("loglikelihood", {}, pair, i, ("hybrid", i, 1))
            for i, pair in enumerate(pairs)
        ]
        lm.loglikelihood(requests, disable_tqdm=True)
        return [found[i] for i in range(len(pairs))]

    def _shown(self, prompt: str) -> str:
        chat = [{"role": "user", "content": prompt}]
        return str(self.lm.apply_chat_template(chat))

    def _completion(self, prompt: str, answer: Answer) -> Completion:
        reader = TokenReader(self.lm)
        return Completion(
            prompt=prompt,
            text=text_of(self.lm, answer.tokens, answer.request.stops),
            tokens=tuple(map(reader.read, answer.provenance)),
            finish=answer.finish,
            counts=answer.tally.as_dict(),
        )

    def _scored(self, encoded: Encoded, score: Score) -> Scored:
        (context, text), _, ids = encoded
        reader = TokenReader(self.lm)
        origin = score.from_llm or [None] * len(ids)
        signals = score.signals or [None] * len(ids)
        return Scored(
            context=context,
            text=text,
            log_likelihood=score.log_likelihood,
            is_greedy=score.is_greedy,
            tokens=tuple(
                reader.scored(token, from_llm, signal)
                for token, from_llm, signal in zip(ids, origin, signals, strict=True)
            ),
            counts=score.tally.as_dict(),
        )


def answered(
    lm: HybridLM, requests: Sequence[Any], on_token: OnToken | None = None
) -> list[Answer]:
    """Return the engine's answers to lm_eval's ``generate_until`` requests, in order.

    :raises RequestError: a request cannot be answered, before any is.
    """
    if not requests:
        return []
    call = _Call(lm, requests, on_token)
    try:
        call.run(quiet=True)
    except BaseException:
        # as HybridLM: what was in flight may have left the caches half way
        lm.pair.forget()
        raise
    return [call.answers[i] for i in range(len(requests))]


class TokenReader:
    """Turns the tokens of one text, in order, into :class:`Token`."""

    def __init__(self, lm: HybridLM) -> None:
        self._decode = partial(lm.tokenizer.decode, skip_special_tokens=True)
        self._tail = TextTail(self._decode)
        self._ids: list[int] = []

    def read(self, emitted: EmittedToken) -> Token:
        """Return an emitted token with its text."""
        drafted = emitted.rejected
        return Token(
            id=emitted.token,
            text=self._text(emitted.token),
            model="llm" if emitted.from_llm else "slm",
            signal=emitted.signal,
            accepted=emitted.accepted,
            replaced=None if drafted is None else self._decode([drafted]),
        )

    def scored(self, token: int, from_llm: bool | None, signal: float | None) -> Token:
        """Return a scored token with its text."""
        if from_llm is None:
            return Token(token, self._text(token), None, signal)
        return Token(token, self._text(token), "llm" if from_llm else "slm", signal)

    def _text(self, token: int) -> str:
        self._ids.append(token)
        return self._tail.new_text(self._ids)


class _Call(GenerationCall):
    """Keeps the answers, and tells of each token where that is wanted."""

    def __init__(
        self, lm: HybridLM, requests: Sequence[Any], on_token: OnToken | None
    ) -> None:
        self._on_token = on_token
        self.answers: dict[int, Answer] = {}
        super().__init__(lm, requests)

    def _engine_request(self, index: int) -> GenerationRequest:
        request = super()._engine_request(index)
        if self._on_token is None:
            return request
        reader, told = TokenReader(self._lm), self._on_token
        return dataclasses.replace(
            request, on_token=lambda emitted: told(index, reader.read(emitted))
        )

    def _finish(self, answer: Answer) -> None:
        super()._finish(answer)
        self.answers[answer.request.key] = answer
