"""lm_eval's response cache belongs to one set-up."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.model import CachingLM
from sqlitedict import SqliteDict
from transformers import LlamaForCausalLM

from hybridcore import HybridLM
from hybridcore.errors import CacheMismatch
from hybridcore.models import packing
from hybridcore.models.packing_gain import shape_of

from .conftest import byte_model, byte_tokenizer, generation, likelihood, save

REQUESTS = [generation("one", max_gen_toks=4), generation("two", max_gen_toks=4)]


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "responses.db")


def test_answers_come_from_the_cache(loaded: HybridLM, database: str) -> None:
    first = loaded.with_strategy("entropy")
    texts = CachingLM(first, database).generate_until(REQUESTS)
    second = loaded.with_strategy("entropy")
    again = CachingLM(second, database)
    assert again.generate_until(REQUESTS) == texts
    assert not second.counts().tasks
    # what is not there yet is answered and counted
    assert again.loglikelihood([likelihood("a", "b")])
    assert second.counts().tasks["t"].requests == 1


def test_another_strategy_does_not_write_there(loaded: HybridLM, database: str) -> None:
    first = loaded.with_strategy("entropy")
    caching = CachingLM(first, database)
    caching.generate_until(REQUESTS[:1])
    before = set(caching.dbdict)
    first.with_strategy("slm-only").generate_until(REQUESTS[1:])
    assert set(caching.dbdict) == before
    first.generate_until(REQUESTS[1:])
    assert len(caching.dbdict) == len(before) + 1


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"strategy": "speculative"}, "strategy is hybridlm_strategy_entropy.Entropy"),
        ({"strategy": "entropy", "threshold": 1.0}, "options is {'threshold': 2.0}"),
        ({"strategy": "entropy", "scoring": "strategy"}, "scoring is llm there and"),
        (
            {"strategy": "entropy", "dtype": "bfloat16"},
            "llm dtype is torch.float32",
        ),
        ({"strategy": "entropy", "max_length": 50}, "max_length is 96 there and 50"),
        ({"strategy": "entropy", "slm": "llm"}, "slm is "),
        ({"strategy": "entropy", "seed": 77}, "and 77 here"),
        (
            {"strategy": "entropy", "slm_dtype": "bfloat16"},
            "slm dtype is torch.float32",
        ),
        ({"strategy": "entropy", "revision": "v2"}, ": llm revision is main there and"),
    ],
)
def test_another_set_up_is_refused(
    make: Callable[..., HybridLM],
    pair: dict[str, str],
    loaded: HybridLM,
    database: str,
    arguments: dict[str, Any],
    what: str,
) -> None:
    CachingLM(loaded.with_strategy("entropy"), database).generate_until(REQUESTS)
    if "slm" in arguments:
        arguments = {**arguments, "slm": pair["llm"]}
    with pytest.raises(CacheMismatch) as error:
        CachingLM(make(**arguments), database)
    line, advice = str(error.value).split("\n")
    assert line.startswith(f"response cache {database!r} belongs to another set-up: ")
    assert what in line
    assert "--use_cache" in advice


def test_models_are_known_by_their_weights(
    make: Callable[..., HybridLM], pair: dict[str, str], tmp_path: Path, database: str
) -> None:
    copy = str(tmp_path / "copy")
    shutil.copytree(pair["llm"], copy)
    CachingLM(make(), database)
    CachingLM(make(llm=copy), database)
    save(tmp_path / "copy", byte_model(9), byte_tokenizer())
    with pytest.raises(CacheMismatch, match=r"llm is .* there and .*copy"):
        CachingLM(make(llm=copy), database)


def test_packing_hides_no_weight(
    make: Callable[..., HybridLM],
    pair: dict[str, str],
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A packed layer has no values left to tell models apart by."""
    monkeypatch.setattr(
        packing,
        "gains",
        lambda groups, layouts: {shape_of(g): {layouts[0]: 2.0} for g in groups},
    )
    packed = make(strategy="llm-only", pack=True)
    packed.generate_until(REQUESTS)
    assert packed.pair.llm.packed_linears
    CachingLM(packed, database)
    CachingLM(make(strategy="llm-only", pack=False), database)
    changed = LlamaForCausalLM.from_pretrained(pair["llm"])
    with torch.no_grad():
        changed.model.layers[0].self_attn.q_proj.weight += 1
    other = make(strategy="llm-only", llm=save(tmp_path, changed, byte_tokenizer()))
    other.generate_until(REQUESTS)
    with pytest.raises(CacheMismatch, match="llm is "):
        CachingLM(other, database)


def test_defaults_of_generation_are_part_of_a_set_up(
    make: Callable[..., HybridLM], tmp_path: Path, database: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(make().given.llm, folder)
    CachingLM(make(), database)
    config = json.loads((folder / "generation_config.json").read_text())
    config["repetition_penalty"] = 1.25
    (folder / "generation_config.json").write_text(json.dumps(config))
    with pytest.raises(CacheMismatch, match=r"llm generation_config is .*1\.25"):
        CachingLM(make(llm=str(folder)), database)
    # the small model's count where it takes part
    CachingLM(make(strategy="llm-only"), f"{database}2")
    CachingLM(make(strategy="llm-only", slm=str(folder)), f"{database}2")


def test_a_cache_without_a_stamp_is_refused(loaded: HybridLM, database: str) -> None:
    with SqliteDict(database, autocommit=True) as foreign:
        foreign["some hash"] = "an answer of another model"
    with pytest.raises(CacheMismatch, match="it has answers of an unknown model"):
        CachingLM(loaded.with_strategy("entropy"), database)
    with SqliteDict(database) as untouched:
        assert list(untouched) == ["some hash"]


def test_a_damaged_cache_is_refused_in_one_line(
    loaded: HybridLM, database: str
) -> None:
    CachingLM(loaded.with_strategy("entropy"), database).dbdict.close()
    content = bytearray(Path(database).read_bytes())
    content[-400:] = b"x" * 400
    content[4096:4196] = b"x" * 100
    Path(database).write_bytes(content)
    with pytest.raises(CacheMismatch) as error:
        CachingLM(loaded.with_strategy("entropy"), database)
    line, advice = str(error.value).split("\n")
    assert line.startswith(f"response cache {database!r} is damaged: ")
    assert advice.startswith("delete it, or name another file")


def test_a_damaged_answer_is_refused_in_one_line(
    loaded: HybridLM, database: str
) -> None:
    caching = CachingLM(loaded.with_strategy("entropy"), database)
    caching.generate_until(REQUESTS)
    with closing(sqlite3.connect(database)) as file:
        file.execute("UPDATE unnamed SET value = x'00'")
        file.commit()
    with pytest.raises(CacheMismatch, match="is damaged: "):
        caching.generate_until(REQUESTS)
    with pytest.raises(CacheMismatch, match="is damaged: "):
        CachingLM(loaded.with_strategy("entropy"), database)
