"""``scoring=strategy``: the law that a strategy induces on gold tokens.

The laws are raw, at temperature 1, over the vocabulary both models share.

==============================  ==================================================
strategy                        law
==============================  ==================================================
has a ``score`` hook            what it returns; both models read everything
``lossless``                    p, the LLM's: exactly ``scoring=llm``
no ``verify, draft, start``     p where the LLM would emit the token, else q
                                (:mod:`.trail`)
any other                       none that is known: refused
==============================  ==================================================
"""

from __future__ import annotations

from ..errors import StrategyError
from ..strategy import Strategy

SCORE, LLM, ROUTED = "score", "llm", "routed"

_REASONS = {
    "verify": "its verify hook judges sampled drafts, and it is not lossless",
    "start": "it keeps state, so its law depends on how the text was generated",
    "draft": "its draft hook chooses tokens by a law of its own",
}


def kind_of(strategy: Strategy | type[Strategy], ignore_score: bool = False) -> str:
    """Tell how the induced law is found: ``SCORE``, ``LLM`` or ``ROUTED``.

    ``ignore_score`` answers for a ``score`` hook that declined.

    :raises StrategyError: no law is known; the message names the reason.
    """
    hooks = strategy.hooks()
    if "score" in hooks and not ignore_score:
        return SCORE
    if strategy.lossless:
        return LLM
    for hook, reason in _REASONS.items():
        if hook in hooks:
            cls = strategy if isinstance(strategy, type) else type(strategy)
            declined = "its score hook declined and " if "score" in hooks else ""
            raise StrategyError(
                f"strategy {cls.__name__} cannot be scored: {declined}"
                f"{reason}; expected a score hook, a lossless strategy, or one "
                "with neither verify, draft nor start\n"
                "add a score hook, or use scoring=llm"
            )
    return ROUTED
