"""The recipes, as a reader would copy them, and the embedded pair to run them on."""

import json
import runpy
from pathlib import Path

import pytest
import torch
from lm_eval.api.instance import Instance

from hybridcore import HybridLM
from hybridcore.demo import tasks_path

RECIPES = {
    path.stem: path
    for path in Path(__file__).parent.glob("*.py")
    if path.stem != "conftest" and not path.stem.startswith("test_")
}
TOKENS = 32


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def recipes():
    """The files by name."""
    return RECIPES


@pytest.fixture(scope="session")
def recipe():
    """``recipe(name)``: what the file defines."""
    return lambda name: runpy.run_path(str(RECIPES[name]))


@pytest.fixture(scope="session")
def base():
    """The embedded pair, loaded once; recipes take ``base.with_strategy(...)``."""
    return HybridLM("demo-slm", "demo-llm", "llm-only", device="cpu", batch_size=4)


@pytest.fixture(scope="session")
def prompts():
    lines = (tasks_path().parent / "data" / "generation.jsonl").open(encoding="utf-8")
    return [
        json.loads(line)["prompt"] for line, _ in zip(lines, range(6), strict=False)
    ]


@pytest.fixture(scope="session")
def answers(prompts):
    """``answers(lm)``: the greedy texts of 32 tokens that a HybridLM gives."""

    def answer(lm):
        arguments = {"until": [], "max_gen_toks": TOKENS, "temperature": 0.0}
        return lm.generate_until(
            [
                Instance("generate_until", {}, (prompt, dict(arguments)), i)
                for i, prompt in enumerate(prompts)
            ],
            disable_tqdm=True,
        )

    return answer


@pytest.fixture(scope="session")
def generated(base, prompts):
    """``generated(model)``: the texts of transformers' own ``generate``."""

    def generate(model):
        texts = []
        for prompt in prompts:
            ids = torch.tensor([base.tok_encode(prompt)])
            out = model.generate(ids, max_new_tokens=TOKENS, do_sample=False)
            texts.append(base.tok_decode(out[0, ids.shape[1] :].tolist()))
        return texts

    return generate


@pytest.fixture(scope="session")
def llm_texts(base, generated):
    return generated(base.model)
