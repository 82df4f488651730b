"""``scoring=llm`` beside HFLM's own spread, on text and the embedded tokenizer."""

from importlib.resources import files

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from transformers import AutoTokenizer

from hybridcore.conformance.tiny import tiny_model
from hybridcore.scoring import ScoreRequest

from .conftest import as_scoring, scores

SIZE = 512
MAX = 32
# the promise is 1e-3; what is seen is a tenth of this
ALLOWED = 3e-5

TEXTS = [
    ("The small house by the lake", [" is", " was", " and", " stood there alone"]),
    ("One plus two makes", [" three", " four", " a number"]),
    ("Her brother asked for", [" nothing at all.", " it"]),
    # beyond the window, cut at the left
    ("again and again " * 12, [" he", " they walked on"]),
    # only the prefix token in front
    ("", ["Once", "Once upon a time", "x"]),
]


@pytest.fixture(scope="module")
def llama512():
    return tiny_model("llama", vocab_size=SIZE)


@pytest.fixture(scope="module")
def lms(llama512):
    tokenizer = AutoTokenizer.from_pretrained(
        str(files("hybridcore.demo") / "models/llm")
    )
    return {
        n: HFLM(llama512, tokenizer=tokenizer, max_length=MAX, batch_size=n)
        for n in (1, 8)
    }


def encoded(lm):
    asked = []
    for context, endings in TEXTS:
        for ending in endings:
            if context:
                ids = lm._encode_pair(context, ending)
            else:
                ids = [lm.prefix_token_id], lm.tok_encode(ending)
            asked.append(((context, ending), *ids))
    return asked


def as_requests(asked):
    return [ScoreRequest(tuple(c), tuple(t)) for _, c, t in asked]


def apart(left, right):
    return max(abs(a - b) for a, b in zip(left, right, strict=True))


def test_differences_stay_within_hflms_own(llama512, lms, record_property):
    asked = encoded(lms[1])
    sizes = [len(c) for _, c, _ in asked]
    assert max(sizes) > MAX
    assert [lms[1].prefix_token_id] in [c for _, c, _ in asked]
    assert any(len(t) == 1 for _, _, t in asked)
    model = as_scoring(llama512, vocab_size=SIZE, max_length=MAX)
    theirs, ours = {}, {}
    for n, lm in lms.items():
        theirs[n] = lm._loglikelihood_tokens(asked, disable_tqdm=True)
        ours[n] = scores(as_requests(asked), llm=model, batch_size=n)
        greedy = [hit for _, hit in theirs[n]]
        assert [answer.is_greedy for answer in ours[n]] == greedy
    hflm = {n: [value for value, _ in found] for n, found in theirs.items()}
    mine = {n: [a.log_likelihood for a in found] for n, found in ours.items()}
    differences = {
        f"HFLM {m} - scoring=llm {n}": apart(hflm[m], mine[n])
        for m in hflm
        for n in mine
    }
    record_property(
        "measured",
        f"log-likelihoods of a random llama: {max(differences.values()):.1e} from HFLM "
        f"at batch 1 and 8; HFLM's own between the two: {apart(hflm[1], hflm[8]):.1e}",
    )
    assert max(differences.values()) < ALLOWED


@pytest.mark.parametrize("n", [1, 8])
def test_greedy_texts_are_greedy_for_both(llama512, lms, n):
    asked = []
    for text, context, _ in encoded(lms[n])[::3]:
        ids = context[-MAX // 2 :]
        said = []
        for _ in range(4):
            with torch.no_grad():
                logits = llama512(torch.tensor([ids + said])).logits
            said.append(int(logits[0, -1].argmax()))
        asked += [(text, ids, said), (text, ids, [*said[:-1], (said[-1] + 1) % SIZE])]
    model = as_scoring(llama512, vocab_size=SIZE, max_length=MAX)
    found = scores(as_requests(asked), llm=model, batch_size=n)
    theirs = lms[n]._loglikelihood_tokens(asked, disable_tqdm=True)
    greedy = [answer.is_greedy for answer in found]
    assert greedy == [hit for _, hit in theirs] == [True, False] * (len(asked) // 2)


@pytest.mark.parametrize("n", [1, 8])
def test_rolling_texts(llama512, lms, n):
    lm = lms[n]
    text = "Two friends met at the market and talked about the weather. " * 4
    instance = Instance("loglikelihood_rolling", {}, (text,), 0)
    (expected,) = lm.loglikelihood_rolling([instance], disable_tqdm=True)
    windows = [
        make_disjoint_window(window)
        for window in get_rolling_token_windows(
            lm.tok_encode(text), lm.prefix_token_id, MAX, context_len=1
        )
    ]
    assert len(windows) > 2
    model = as_scoring(llama512, vocab_size=SIZE, max_length=MAX)
    parts = [ScoreRequest(*window) for window in windows]
    found = scores(parts, llm=model, batch_size=n)
    difference = abs(sum(a.log_likelihood for a in found) - expected)
    print(f"rolling, batch {n}: {difference} of {expected}")
    # lm_eval and we sum over some hundred tokens each
    assert difference < 10 * ALLOWED
