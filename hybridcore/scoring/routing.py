"""Asks ``route_token`` at the positions of many trails at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..dispatch import Dispatcher
from ..exchange import Step
from ..models.finite import check_finite
from .gold import piece_of
from .page import Page
from .trail import Trail

# positions of one step where no logits bound it
UNBOUND = 4096

Place = tuple[Trail, int, int]


class Router:
    """Settles trails with the verdicts of one strategy.

    :param vocab_size: columns of the logits that the strategy sees.
    :param device: of the step where there are no logits.
    """

    def __init__(
        self, dispatcher: Dispatcher, vocab_size: int, device: torch.device
    ) -> None:
        self._dispatcher = dispatcher
        self._vocab_size = vocab_size
        self._device = device

    def settle(self, trails: Sequence[Trail], page: Page | None) -> None:
        """Walk ``trails`` to their ends; their rows are those of ``page``."""
        if "route_token" not in self._dispatcher.hooks:
            for trail in trails:
                trail.keep_all()
            return
        size = UNBOUND if page is None else piece_of(self._vocab_size)
        while places := [
            (trail, *unknown) for trail in trails for unknown in trail.unknown()
        ]:
            for start in range(0, len(places), size):
                self._ask(places[start : start + size], page)

    def _ask(self, places: Sequence[Place], page: Page | None) -> None:
        route = self._dispatcher.route_token(self._step(places, page))
        verdicts = [0] * len(places) if route is None else route.verdict.tolist()
        signals: list[float | None] = [None] * len(places)
        if route is not None and route.signal is not None:
            signals = route.signal.tolist()
        for place, verdict, signal in zip(places, verdicts, signals, strict=True):
            trail, position, pending = place
            trail.learn(position, pending, verdict, signal)

    def _step(self, places: Sequence[Place], page: Page | None) -> Step:
        logits = law = hidden = None
        device = self._device
        if page is not None:
            device = page.device
            rows = torch.tensor([t.rows[j] for t, j, _ in places], device=device)
            logits = page.logits(rows)[:, : self._vocab_size].float()
            check_finite("slm", logits.amax(-1).tolist())
            law = logits.softmax(-1)
            hidden = None if page.hidden is None else page.hidden[rows]
        return Step(
            logits=logits,
            law=law,
            pending=torch.tensor([pending for _, _, pending in places], device=device),
            budget=torch.tensor([t.budget(j) for t, j, _ in places], device=device),
            states=[None] * len(places),
            hidden=hidden,
            sequences=lambda i: places[i][0].before(places[i][1]),
        )
