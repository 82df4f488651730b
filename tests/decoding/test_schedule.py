"""Which model is called when: S and L, in order, against a schedule made by hand."""

import torch
from hybridlm_strategy_speculative import Speculative

from hybridcore import Route, Strategy, hookimpl


class AskOnSeven(Strategy):
    """Asks exactly at rows whose prompt begins with 7."""

    @hookimpl
    def route_token(self, step):
        asks = [step.tokens(i)[0] == 7 for i in range(len(step))]
        return Route(torch.tensor(asks).long() * Route.ASK)


def calls(pair, engine, requests, answers=None):
    """The order of calls until the run, or that many answers, are done."""
    order = []
    for runner, letter in ((pair.slm, "S"), (pair.llm, "L")):
        forward = type(runner).forward

        def noted(feeds, runner=runner, letter=letter, forward=forward):
            order.append(letter)
            return forward(runner, feeds)

        runner.forward = noted
    run = engine.run(requests)
    for _ in range(answers or len(requests)):
        next(run)
    run.close()
    return "".join(order)


def test_one_row_that_asks_sits_out_the_price(pair):
    engine = pair.engine(AskOnSeven(), price=3)
    requests = pair.requests([[7], [1], [2]], [3, 10, 10])
    # it asks, sits out three steps, and all move on; the others end at ten
    assert calls(pair, engine, requests) == "SSSSLSSSSLSS" + "L"


def test_two_rows_that_ask_share_the_price_and_the_call(pair):
    engine = pair.engine(AskOnSeven(), price=4)
    requests = pair.requests([[7], [7, 1], [2]], [2, 2, 9])
    assert calls(pair, engine, requests) == "SSSLSSSLSSS"


def test_a_call_is_made_at_once_where_all_wait(pair):
    engine = pair.engine(AskOnSeven(), price=99)
    assert calls(pair, engine, pair.requests([[7], [7, 1]], 3)) == "SL" * 3


def test_a_full_block_waits_from_the_step_that_filled_it(pair):
    engine = pair.engine(Speculative(num_drafts=9), batch=2, price=2)
    requests = pair.requests([[1], [2]], [3, 8])
    # full after two; two steps more; then the other one, full after seven
    assert calls(pair, engine, requests, answers=1)[:5] == "SSSSL"


def test_waiting_in_a_run_that_was_given_up_is_forgotten(pair):
    fresh = pair.engine(AskOnSeven(), price=4)
    expected = calls(pair, fresh, pair.requests([[7], [1]], [2, 9]))
    engine = pair.engine(AskOnSeven(), price=4)
    # the first row has waited for two steps when the second one ends
    given_up = pair.requests([[7], [1], [2]], [9, 3, 9])
    assert calls(pair, engine, given_up, answers=1) == "SSS"
    assert calls(pair, engine, pair.requests([[7], [1]], [2, 9])) == expected
