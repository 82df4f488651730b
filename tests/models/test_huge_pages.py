"""Weights lie in huge pages where the system has them, and are what they were."""

import gc
import mmap
from pathlib import Path

import pytest
import torch
from torch import nn

from hybridcore.conformance.tiny import tiny_model
from hybridcore.models import huge_pages, packing_gain
from hybridcore.models.blocked_linear import BlockedLayout
from hybridcore.models.huge_pages import HUGE, Shelf, settle

LINUX = huge_pages._offered()
IDS = torch.tensor([[5, 9, 11, 3, 40, 7]])


def mappings():
    """Yield where the memory of this process begins and ends, run by run."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        yield tuple(int(x, 16) for x in line.split(" ")[0].split("-"))


def advised(tensor):
    """Tell whether the kernel was asked for huge pages where a tensor lies."""
    place, inside = tensor.data_ptr(), False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            first, last = (int(x, 16) for x in line.split(" ")[0].split("-"))
            inside = first <= place < last
        elif inside and line.startswith("VmFlags:"):
            return "hg" in line.split()
    return False


@pytest.fixture(params=["no advice", "never", "no system", "no memory"])
def refused(request, monkeypatch, tmp_path):
    """Have no huge pages."""
    if request.param == "no advice":
        monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
        return
    if request.param in ("never", "no system"):
        mode = tmp_path / "enabled"
        if request.param == "never":
            mode.write_text("always madvise [never]\n")
        monkeypatch.setattr(huge_pages, "_MODE", mode)
        return

    def fail(*args, **kwargs):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", fail)


def drawn(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(7)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
def test_copies_stand_apart(dtype, monkeypatch):
    monkeypatch.setattr(huge_pages, "_SHELF", 4096)  # several, and one that is larger
    shelf = Shelf()
    sources = [drawn(n, 7, dtype=dtype) for n in (3, 1, 40, 90, 2, 900, 5)]
    copies = [shelf.moved(source) for source in sources]
    for i, (copy, source) in enumerate(zip(copies, sources, strict=True)):
        assert torch.equal(copy, source)
        assert copy.dtype == dtype
        assert copy.data_ptr() % 64 == 0
        copy.fill_(i)
    assert all((copy == i).all() for i, copy in enumerate(copies))


def test_a_copy_is_contiguous():
    copy = Shelf().moved(drawn(5, 3).t())
    assert torch.equal(copy, drawn(5, 3).t())
    assert copy.is_contiguous()


@pytest.mark.skipif(not LINUX, reason="this system has no huge pages to ask for")
def test_the_system_is_asked():
    assert advised(Shelf().moved(drawn(2)))
    assert not advised(drawn(2))


@pytest.mark.skipif(not LINUX, reason="this system has no huge pages to ask for")
def test_they_begin_at_one_and_go_with_the_last_tensor():
    shelf = Shelf()
    first, second = shelf.moved(drawn(2)), shelf.moved(drawn(2))
    place = first.data_ptr()
    assert place % HUGE == 0
    assert second.data_ptr() == place + 64
    del shelf, first
    gc.collect()
    assert advised(second)
    del second
    gc.collect()
    assert not any(first <= place < last for first, last in mappings())


@pytest.mark.usefixtures("refused")
def test_without_them_a_tensor_stays():
    tensor = drawn(5, 3)
    assert Shelf().moved(tensor) is tensor
    turned = Shelf().moved(tensor.t())
    assert torch.equal(turned, tensor.t())
    assert turned.is_contiguous()


def large(**config):
    return tiny_model("llama", vocab_size=20_000, **config)


def test_a_settled_model_is_what_it_was():
    model = large(tie_word_embeddings=True)
    before = model(IDS).logits
    places = {name: p.data_ptr() for name, p in model.named_parameters()}
    settle(model)
    assert torch.equal(model(IDS).logits, before)
    assert model.lm_head.weight is model.get_input_embeddings().weight
    now = {name: p.data_ptr() for name, p in model.named_parameters()}
    assert all((now[name] != places[name]) == LINUX for name in places)
    assert not LINUX or all(advised(p) for p in model.parameters())


def test_nothing_moves_where_memory_is_short(monkeypatch):
    model = large()
    size = sum(p.nbytes for p in model.parameters())
    places = [p.data_ptr() for p in model.parameters()]
    monkeypatch.setattr(huge_pages, "free_bytes", lambda device: 2 * size - 1)
    settle(model)
    assert [p.data_ptr() for p in model.parameters()] == places
    monkeypatch.setattr(huge_pages, "free_bytes", lambda device: 2 * size)
    settle(model)
    assert ([p.data_ptr() for p in model.parameters()] == places) is not LINUX


@pytest.mark.skipif(not LINUX, reason="this system has no huge pages to ask for")
def test_blocks_lie_in_them_and_so_does_what_they_are_measured_against():
    layers = [nn.Linear(32, 48), nn.Linear(32, 96)]
    packed = BlockedLayout().packed(layers, [True] * 2, Shelf())
    assert advised(packed[0].siblings.blocks)
    plain = packing_gain._settled(layers, Shelf())
    assert all(advised(layer.weight) for layer in plain)
    rows = drawn(3, 32)
    for before, after in zip(layers, plain, strict=True):
        assert torch.equal(before(rows), after(rows))


def test_a_model_smaller_than_a_page_stays():
    model = tiny_model("llama")
    assert sum(p.nbytes for p in model.parameters()) < HUGE
    places = [p.data_ptr() for p in model.parameters()]
    settle(model)
    assert [p.data_ptr() for p in model.parameters()] == places


def test_what_is_no_plain_parameter_stays():
    class Quantised(nn.Parameter):
        pass

    model = large()
    model.special = Quantised(drawn(4))
    model.nowhere = nn.Parameter(torch.empty(4, device="meta"))
    model.strided = nn.Parameter(drawn(4, 3).t())
    model.shared = nn.Parameter(drawn(4).share_memory_())
    model.sparse = nn.Parameter(drawn(4, 4).to_sparse())
    kept = [model.special, model.strided, model.shared]
    places = [p.data_ptr() for p in kept]
    settle(model)
    assert [p.data_ptr() for p in kept] == places
    assert model.sparse.is_sparse
    assert model.nowhere.device.type == "meta"
