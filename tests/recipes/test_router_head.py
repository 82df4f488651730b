"""A head trained on texts of the training language, judged on held-out ones."""

import random

import pytest
import torch
from sklearn.metrics import roc_auc_score

from hybridcore.demo.language import problem


@pytest.fixture(scope="session")
def texts(base):
    """``texts(count, held_out)``: token ids and where the worked answer begins."""

    def draw(count, held_out):
        rng = random.Random(count)
        drawn = [problem(rng, held_out) for _ in range(count)]
        starts = [len(base.tok_encode(p.prompt)) - 1 for p in drawn]
        return [
            (base.tok_encode(p.text), s) for p, s in zip(drawn, starts, strict=True)
        ]

    return draw


@pytest.fixture(scope="session")
def trained(base, recipe, texts, tmp_path_factory):
    made = recipe("router_head")
    file = str(tmp_path_factory.mktemp("head") / "head.safetensors")
    made["train"](base.pair.slm.model, base.model, texts(50, held_out=False), file)
    return made, file


def test_a_trained_head_knows_where_the_models_differ(base, trained, texts):
    made, file = trained
    pairs = [
        made["examples"](base.pair.slm.model, base.model, *text)
        for text in texts(20, held_out=True)
    ]
    seen, differs = (torch.cat(part) for part in zip(*pairs, strict=True))
    head = made["read"](file)
    assert roc_auc_score(differs, seen @ head["weight"]) > 0.9


def test_a_trained_head_routes(base, trained, answers, llm_texts):
    made, file = trained
    lm = base.with_strategy(made["RouterHead"](head=file, threshold=0.05))
    routed = answers(lm)
    slm_only = answers(base.with_strategy("slm-only"))
    agreed = [sum(map(str.__eq__, texts, llm_texts)) for texts in (routed, slm_only)]
    assert agreed[0] > agreed[1]
    assert 0.0 < lm.get_model_info()["hybrid"]["total"]["llm_token_fraction"] < 0.4
