"""The README names every argument and every field that is reported."""

import json
import re
from pathlib import Path

import pytest

from hybridcore.harness.argument_names import OURS, SYNONYMS

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def named():
    if not README.exists():
        pytest.skip("no README here: this needs the whole checkout")
    return set(re.findall(r"`(\w+)`", README.read_text(encoding="utf-8")))


def test_every_argument_of_ours(named):
    assert named >= {*OURS, "slm_model_id", "llm_model_id", "pretrained", "device"}
    assert {"batch_size", "max_batch_size", "dtype"} <= named
    assert SYNONYMS["pretrained"] == "llm"


def test_every_field_that_is_reported(named, base, ask):
    lm = base.with_strategy("speculative")
    lm.generate_until([ask("generate_until", "Ada", {"max_gen_toks": 3})])
    lm.loglikelihood([ask("loglikelihood", "Ada", " has")])
    info = json.loads(json.dumps(lm.get_model_info()["hybrid"]))
    assert set(info) <= named
    assert {*info["slm"], *info["llm"]} <= named
    assert {"runner", "scoring_readers"} <= {*info["llm"]}
    assert {*info["total"], *info["tasks"]["by_hand"]} <= named
