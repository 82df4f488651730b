"""Laws of the next token: warping, sampling, rejection sampling.

A law is ``[..., V]`` float32, non-negative, summing to one. Everything is done in
float32 (cumulative sums in float64 where the device has it) whatever the type of the
models.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .exchange import Block, Verdict
from .precision import widest_float
from .transfer import uniform_numbers

_CHUNK = 512  # ids


def one_hot(tokens: Tensor, size: int) -> Tensor:
    """The law that is certain of ``tokens [...]``: ``[..., size]`` float32."""
    law = torch.zeros(*tokens.shape, size, device=tokens.device)
    return law.scatter_(-1, tokens[..., None], 1.0)


def best(scores: Tensor) -> Tensor:
    """The id of the largest score, ``[...]`` of ``[..., V]``; the lowest id on ties."""
    size = scores.shape[-1]
    if size < 16 * _CHUNK or not scores.is_cpu:
        return scores.argmax(-1)
    # on a CPU torch vectorises amax but not argmax: find the chunk by its maximum
    whole = size // _CHUNK * _CHUNK
    largest = scores[..., :whole].unflatten(-1, (-1, _CHUNK)).amax(-1)
    if whole < size:
        rest = scores[..., whole:].amax(-1, keepdim=True)
        largest = torch.cat([largest, rest], -1)
    start = largest.argmax(-1, keepdim=True) * _CHUNK
    places = (start + torch.arange(_CHUNK)).clamp_max(size - 1)
    return (start + scores.gather(-1, places).argmax(-1, keepdim=True))[..., 0]


def greedy(logits: Tensor) -> Tensor:
    """The law of temperature 0: all mass on the largest logit, lowest id on ties."""
    return one_hot(best(logits), logits.shape[-1])


def warp(
    logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """Temperature, then top-k, then top-p, as transformers orders them.

    Temperature 0 is :func:`greedy`; ``top_k=0`` and ``top_p=1`` keep everything.
    Ties at the k-th place are all kept. Nucleus: Holtzman et al., arXiv 1904.09751.
    """
    if temperature == 0.0:
        return greedy(logits)
    return warped(logits, temperature, top_k, top_p).softmax(-1)


def warped(
    logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0
) -> Tensor:
    """The scores whose softmax is :func:`warp`'s law; ``temperature`` is not 0."""
    scores = logits.float()
    if temperature != 1.0:
        scores = scores / temperature
    if 0 < top_k < scores.shape[-1]:
        kth = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < kth, -torch.inf)
    if top_p < 1.0:
        ordered, order = scores.sort(dim=-1, descending=True)
        mass = ordered.softmax(-1)
        beyond = mass.cumsum(-1) - mass >= top_p
        scores = scores.masked_fill(
            torch.zeros_like(beyond).scatter(-1, order, beyond), -torch.inf
        )
    return scores


def sample(law: Tensor, uniform: Tensor) -> Tensor:
    """Draw one token from each law by inverting its cumulative sum.

    ``law`` is ``[..., V]`` and need not be normalised, ``uniform`` is ``[...]`` in
    [0, 1). A token without mass is never drawn. Returns ``[...]`` int64.
    """
    mass = law.to(widest_float(law.device), copy=True).cumsum_(-1)
    total = mass[..., -1:]
    point = uniform.to(mass.dtype)[..., None] * total
    drawn = torch.searchsorted(mass, point, right=True)
    last = torch.searchsorted(mass, total.contiguous())
    return torch.minimum(drawn, last)[..., 0]


def draw(law: Tensor, numbers: Sequence[float]) -> Tensor:
    """:func:`sample` from ``law [B, V]`` by one number each that lies on the host."""
    return sample(law, uniform_numbers(numbers, law.device))


def residual(p: Tensor, q: Tensor) -> Tensor:
    """``norm(max(p - q, 0))``, or p where the two laws agree to rounding."""
    rest = (p - q).clamp_min(0.0)
    mass = rest.sum(-1, keepdim=True)
    return torch.where(mass > 0.0, rest / mass.clamp_min(1e-38), p)


def accept_while(good: Tensor) -> Tensor:
    """Length of the leading run of True in ``good [B, K]``: ``[B]`` int64."""
    return good.long().cumprod(-1).sum(-1)


def at(laws: Tensor, index: Tensor) -> Tensor:
    """The law of each row at position ``index [B]`` of ``laws [B, K, V]``."""
    rows = torch.arange(laws.shape[0], device=laws.device)
    return laws[rows, index]


def speculative_sample(block: Block, target: Tensor | None = None) -> Verdict:
    """Rejection sampling: what is emitted follows ``target`` exactly.

    Accept x with probability ``min(1, p(x) / q(x))``; after the first rejection
    draw from ``norm(max(p - q, 0))``, after full acceptance from p. (Leviathan et
    al., arXiv 2211.17192; Chen et al., arXiv 2302.01318.)

    :param block: the drafted blocks; ``q`` must be the law the drafts came from.
    :param target: ``[B, K+1, V]`` the law to follow in place of ``block.p``.
    """
    p = block.p if target is None else target
    drafted = block.drafted[..., None]
    width = drafted.shape[1]
    p_drafted = p[:, :width].gather(-1, drafted)[..., 0]
    q_drafted = block.q[:, :width].gather(-1, drafted)[..., 0]
    # u < p/q without the division; a draft of q = 0 is then decided by p alone
    good = block.uniform * q_drafted < p_drafted
    accepted = accept_while(good & block.inside())
    p_next = at(p, accepted)
    rejected = accepted < block.length
    corrected = residual(p_next, at(block.q, accepted))
    return Verdict(accepted, torch.where(rejected[:, None], corrected, p_next))
