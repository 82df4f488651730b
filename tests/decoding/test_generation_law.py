"""The law of a step is what transformers' ``generate`` draws from on that model."""

import accelerate
import pytest
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from hybridcore.conformance.tiny import tiny_model
from hybridcore.decoding.generation_law import GenerationLaws
from hybridcore.decoding.step_law import PositionLaws
from hybridcore.errors import RequestError

SIZE = 40
PROMPT = [3, 7, 7, 9, 11]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=SIZE,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=2,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(autouse=True)
def plain_generation_config(model):
    model.generation_config = GenerationConfig(eos_token_id=1, pad_token_id=0)


def generated(model, tokens=8, **kwargs):
    """The scores that ``generate`` drew from, and what it drew."""
    torch.manual_seed(5)
    out = model.generate(
        torch.tensor([PROMPT]),
        attention_mask=torch.ones(1, len(PROMPT), dtype=torch.long),
        max_length=len(PROMPT) + tokens,
        output_scores=True,
        output_logits=True,
        return_dict_in_generate=True,
        **kwargs,
    )
    return out.sequences[0].tolist(), torch.cat(out.logits), torch.cat(out.scores)


def made(law, prefix, logits):
    """The laws of all positions, as the engine makes them."""
    return PositionLaws([law] * len(logits), prefix, logits).law


CASES = {
    "greedy": {},
    "greedy-penalty": {"repetition_penalty": 1.8},
    "sample": {"do_sample": True, "temperature": 0.7},
    "top-k": {"do_sample": True, "temperature": 1.0, "top_k": 5},
    "top-p": {"do_sample": True, "temperature": 1.2, "top_p": 0.6, "top_k": 0},
    "min-p": {"do_sample": True, "temperature": 1.0, "min_p": 0.2},
    "ngram": {"no_repeat_ngram_size": 2},
    "min-new": {"min_new_tokens": 6, "do_sample": True, "temperature": 1.0},
    "suppress": {"suppress_tokens": [4, 5, 6]},
    "penalty-sample": {
        "do_sample": True,
        "temperature": 0.6,
        "top_k": 20,
        "top_p": 0.95,
        "repetition_penalty": 1.3,
    },
}


@pytest.mark.parametrize("kwargs", CASES.values(), ids=CASES)
def test_law_at_every_position(model, kwargs):
    sequence, logits, scores = generated(
        model,
        **({"do_sample": False} | kwargs if "do_sample" not in kwargs else kwargs),
    )
    law = GenerationLaws(model).law(kwargs, len(PROMPT), 8)
    got = made(law, lambda i: sequence[: len(PROMPT) + i], logits.float())
    if kwargs.get("do_sample"):
        torch.testing.assert_close(got, scores.softmax(-1))
    else:
        assert got.argmax(-1).tolist() == scores.argmax(-1).tolist()
        assert got.max(-1).values.eq(1).all()


@pytest.mark.parametrize(
    "own",
    [
        {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95},
        {"repetition_penalty": 1.5},
    ],
)
def test_the_models_own_generation_config_counts(model, own):
    model.generation_config = GenerationConfig(eos_token_id=1, pad_token_id=0, **own)
    # HFLM turns sampling off where the task gives no temperature
    sequence, logits, scores = generated(model, do_sample=False)
    law = GenerationLaws(model).law({}, len(PROMPT), 8)
    got = made(law, lambda i: sequence[: len(PROMPT) + i], logits.float())
    assert got.argmax(-1).tolist() == scores.argmax(-1).tolist()
    # a temperature alone leaves do_sample to the model
    kwargs = {"temperature": 0.5}
    sequence, logits, scores = generated(model, **kwargs)
    law = GenerationLaws(model).law(kwargs, len(PROMPT), 8)
    got = made(law, lambda i: sequence[: len(PROMPT) + i], logits.float())
    if own.get("do_sample"):
        torch.testing.assert_close(got, scores.softmax(-1))
    else:
        assert got.argmax(-1).tolist() == scores.argmax(-1).tolist()


@pytest.mark.parametrize("kwargs", [{"suppress_tokens": [3, 4]}, {"eos_token_id": 5}])
def test_laws_of_a_model_whose_weights_lie_elsewhere(kwargs):
    """accelerate leaves weights on no device that it fetches when they are needed."""
    cpu = torch.device("cpu")
    offloaded = accelerate.cpu_offload(tiny_model("llama"), cpu)
    assert offloaded.device.type == "meta"
    logits = torch.randn(2, 64)
    found, expected = (
        GenerationLaws(model).law({**kwargs, "min_new_tokens": 4}, 3, 8)
        for model in (offloaded, tiny_model("llama"))
    )
    laws = [made(law, lambda i: [1, 2, 3], logits) for law in (found, expected)]
    torch.testing.assert_close(*laws)


def test_laws_that_read_no_prefix_are_shared(model):
    laws = GenerationLaws(model)
    warm = {"do_sample": True, "temperature": 0.7}
    assert laws.law(warm, 5, 8) is laws.law(warm, 9, 20)
    penalty = {"repetition_penalty": 1.2}
    assert laws.law(penalty, 5, 8) is not laws.law(penalty, 5, 8)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"temprature": 0.5}, "unknown generation arguments ['temprature']"),
        ({"num_beams": 4}, "generation mode 'beam_search'"),
        ({"guidance_scale": 2.0}, "guidance_scale=2.0"),
        ({"do_sample": True, "temperature": 0.0}, "temperature above 0"),
        ({"temperature": -1.0, "do_sample": True}, "temperature"),
    ],
)
def test_what_the_loop_cannot_do_is_refused(model, kwargs, message):
    with pytest.raises(RequestError) as error:
        GenerationLaws(model).law(kwargs, 5, 8)
    assert message in str(error.value)
