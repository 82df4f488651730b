"""What is looked up, and that nothing else is needed."""


def test_lookup_copies_behind_the_last_longest_match(recipe):
    lookup = recipe("prompt_lookup")["PromptLookup"]
    strategy = lookup(num_drafts=2, max_ngram=2)
    assert strategy.found([1, 2, 8, 8, 1, 2, 9, 9, 1, 2]) == [9, 9]
    assert strategy.found([1, 2, 7, 5, 2, 6, 6, 1, 2]) == [7, 5]
    assert strategy.found([3, 2, 6, 6, 1, 2]) == [6, 6]
    assert strategy.found([1, 2, 3]) == []


def test_lookup_needs_no_slm(base, recipe, answers):
    lm = base.with_strategy(recipe("prompt_lookup")["PromptLookup"]())
    answers(lm)
    assert lm.get_model_info()["hybrid"]["total"]["slm_forwards"] == 0
