"""What a step tells of its rows: pending, budget, tokens, against a plain count."""

import pytest
import torch

from hybridcore import Draft, Route, Strategy, hookimpl, laws
from hybridcore.decoding.step_law import WarpLaw

PROMPTS = [[1], [2, 3], [0, 5, 1, 1], [7], [4, 4]]
BUDGETS = [1, 2, 5, 11, 8]
SEEN = {}


class Recording(Strategy):
    """Checks after three tokens of the SLM, asks at every seventh position."""

    def record(self, step, hook):
        for i in range(len(step)):
            ids = tuple(step.tokens(i))
            numbers = int(step.pending[i]), int(step.budget[i])
            SEEN.setdefault(step.states[i], []).append((hook, ids, *numbers))
            # rows of a smaller step are still those of its logits
            assert torch.equal(step.logits[i], TABLE[ids[-1]])
            torch.testing.assert_close(step.law[i], TABLE[ids[-1]].softmax(-1))

    @hookimpl
    def start(self, request):
        return request.prompt, request.max_new_tokens

    @hookimpl
    def route_token(self, step):
        self.record(step, "route")
        asks = torch.tensor([len(step.tokens(i)) % 7 == 6 for i in range(len(step))])
        route = Route.check_at(step, 3).verdict
        return Route(route.masked_fill(asks, Route.ASK))

    @hookimpl
    def draft(self, step):
        self.record(step, "draft")


class RecordingRuns(Recording):
    """Drafts two tokens at once where there is room for two."""

    @hookimpl
    def draft(self, step):
        self.record(step, "draft")
        last = torch.tensor([step.tokens(i)[-1] for i in range(len(step))])
        tokens = (last[:, None] + torch.arange(1, 3)) % 8
        return Draft(tokens, step.budget.clamp_max(2))


class Held(Recording):
    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


class HeldRuns(RecordingRuns):
    @hookimpl
    def verify(self, block):
        return laws.speculative_sample(block)


TABLE = None


def expected(prompt, budget, answer, runs, held):
    """Follow an answer token by token and count what each step must have said."""
    seen, emitted, done = [], answer.provenance, 0
    while done < budget:
        pending, block = 0, []
        while True:
            room = budget - done - len(block) - held
            if room <= 0:
                break
            ids = (*prompt, *answer.tokens[:done], *block)
            seen.append(("route", ids, pending, room))
            if len(ids) % 7 == 6:
                break
            seen.append(("draft", ids, pending, room))
            check = pending + 1 >= 3
            for _ in range(min(room, 2) if runs else 1):
                pending += 1
                if held:
                    block.append(drafted(prompt, answer, done, block, ids, pending))
                else:
                    done += 1
            if check:
                break
        if held:
            while done < budget and not emitted[done].from_llm:
                done += 1
        done += 1
    return seen


def drafted(prompt, answer, done, block, ids, pending):
    """What was drafted here: emitted, named as rejected, or any token behind that."""
    place = done + len(block)
    for k, draft in enumerate(block):
        if answer.provenance[done + k].rejected is not None:
            return None
        assert draft == answer.tokens[done + k]
    emitted = answer.provenance[place]
    return emitted.token if emitted.rejected is None else emitted.rejected


def matches(got, wanted):
    """Equal, where None in the wanted ids stands for any token."""
    return (got[0], *got[2:]) == (wanted[0], *wanted[2:]) and all(
        b is None or a == b for a, b in zip(got[1], wanted[1], strict=True)
    )


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("strategy", [Recording, RecordingRuns, Held, HeldRuns])
def test_pending_budget_and_tokens(pair, strategy, batch):
    global TABLE
    TABLE = pair.q
    SEEN.clear()
    answers = pair.run(strategy(), PROMPTS, BUDGETS, batch=batch, law=WarpLaw(1.0))
    runs, held = issubclass(strategy, RecordingRuns), strategy.holds()
    rejections = 0
    for prompt, budget, answer in zip(PROMPTS, BUDGETS, answers, strict=True):
        got = SEEN.get((tuple(prompt), budget), [])
        wanted = expected(prompt, budget, answer, runs, int(held))
        assert [g[2:] for g in got] == [w[2:] for w in wanted]
        assert all(map(matches, got, wanted))
        rejections += sum(e.rejected is not None for e in answer.provenance)
    assert bool(rejections) == held
