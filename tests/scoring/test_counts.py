"""What is counted, and when results and progress arrive."""

import pytest
import torch

from hybridcore import Route, Step, Strategy, hookimpl
from hybridcore.dispatch import Dispatcher
from hybridcore.scoring import ScoreRequest, score
from hybridcore.tally import Tally

from .conftest import WINDOW, as_scoring, as_table, mixed_requests, scores


class AsksBehind(Strategy):
    """ASK behind token 7, else KEEP."""

    @hookimpl
    def route_token(self, step: Step) -> Route:
        last = torch.tensor([step.tokens(i)[-1] for i in range(len(step))])
        return Route((last == 7).to(torch.int8) * Route.ASK)


REQUESTS = [
    ScoreRequest((1, 2, 3), (4, 5)),  # alone, never asks
    ScoreRequest((1, 7), (4,)),  # asks; read with the next two
    ScoreRequest((1, 7), (5,)),
    ScoreRequest((1,), (7, 6)),  # cut before the 7: asks at its second token
    ScoreRequest((7, 2, 7), (2, 7, 7)),  # asks at the first and the last
    ScoreRequest((2, 2), (3,)),  # read with the next; neither asks
    ScoreRequest((2, 2), (4,)),
]


def tallies():
    table = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
    found = scores(REQUESTS, AsksBehind(), as_table(table), as_table(table.flip(1)))
    return [answer.tally for answer in found], found


def test_origins_and_scored_tokens():
    counted, found = tallies()
    assert [answer.from_llm for answer in found] == [
        (False, False),
        (True,),
        (True,),
        (False, True),
        (True, False, True),
        (False,),
        (False,),
    ]
    assert [t.scored_tokens for t in counted] == [2, 1, 1, 2, 3, 1, 1]
    assert [t.scored_from_llm for t in counted] == [0, 1, 1, 1, 2, 0, 0]
    assert [t.requests for t in counted] == [1] * 7
    assert all(answer.signals is None for answer in found)


def test_work_is_counted_once_on_the_first():
    counted, _ = tallies()
    assert [t.slm_forwards for t in counted] == [1, 1, 0, 0, 1, 1, 0]
    assert [t.slm_tokens_processed for t in counted] == [4, 2, 0, 0, 5, 2, 0]
    assert [t.llm_forwards for t in counted] == [0, 1, 0, 0, 1, 0, 0]
    assert [t.llm_tokens_processed for t in counted] == [0, 2, 0, 0, 5, 0, 0]
    assert [t.llm_prefill_tokens for t in counted] == [0, 2, 0, 0, 3, 0, 0]


def test_skipped_requests():
    counted, _ = tallies()
    assert [t.llm_requests_skipped for t in counted] == [1, 0, 0, 0, 0, 1, 1]


def test_only_requests_that_ask_reach_the_llm(small, large):
    requests = mixed_requests()
    llm = as_scoring(large)
    found = scores(requests, AsksBehind(), as_scoring(small), llm, batch_size=2)
    asking = {i for i, r in enumerate(requests) if 7 in before_scored(r)}
    assert {i for i, answer in enumerate(found) if any(answer.from_llm)} == asking
    assert 0 < len(asking) < len(requests)
    inputs = {tuple(inputs_of(requests[i])) for i in asking}
    rows = [row.tolist() for ids in llm.forward.read for row in ids]
    read = [any(tuple(row[: len(t)]) == t for t in inputs) for row in rows]
    assert all(read)
    assert len(rows) == len({key(requests[i]) for i in asking})


def key(request):
    return (*request.context, *request.continuation[:-1])


def inputs_of(request):
    return key(request)[-WINDOW:]


def before_scored(request):
    """The tokens that stand right before a scored one."""
    return (*request.context, *request.continuation)[len(request.context) - 1 : -1]


@pytest.mark.parametrize("batch_size", [1, 8])
def test_counts_of_the_llm_alone(large, batch_size):
    requests = mixed_requests()
    model = as_scoring(large)
    found = scores(requests, llm=model, batch_size=batch_size)
    total = Tally.total(answer.tally for answer in found)
    inputs = {key(r) for r in requests}
    assert total.requests == len(requests)
    assert total.llm_forwards == len(inputs) < len(requests)
    assert total.llm_tokens_processed == sum(min(len(i), WINDOW) for i in inputs)
    assert total.scored_tokens == sum(len(r.continuation) for r in requests)
    assert total.scored_from_llm == total.scored_tokens
    assert total.slm_forwards == total.slm_tokens_processed == 0
    assert total.llm_requests_skipped == 0
    cut = [len(r.context) + len(r.continuation) > WINDOW + 1 for r in requests]
    assert [bool(a.tally.truncated_prompts) for a in found] == cut
    assert any(cut)
    for answer in found:
        assert answer.from_llm == (True,) * answer.tally.scored_tokens


def test_results_come_as_they_are_finished(large):
    requests = [ScoreRequest((i,), (1, 2)) for i in range(9)]
    model = as_scoring(large)
    told = []
    stream = score(requests, slm=None, llm=model, batch_size=2, progress=told.append)
    assert model.forward.read == []
    next(stream)
    assert len(model.forward.read) == 1
    assert told == [1]
    assert len(list(stream)) == 8
    assert told == [1] * 9


def test_unasked_requests_are_finished_before_the_llm_runs(small, large):
    llm = as_scoring(large)
    requests = [ScoreRequest((7,), (1,)), ScoreRequest((6,), (1,))]
    stream = score(
        requests,
        slm=as_scoring(small),
        llm=llm,
        dispatcher=Dispatcher(AsksBehind()),
        mode="strategy",
    )
    assert next(stream)[0] == 1
    assert llm.forward.read == []
    assert next(stream)[0] == 0
    assert len(llm.forward.read) == 1


def test_nothing_to_score(large):
    assert scores([], llm=as_scoring(large)) == []
