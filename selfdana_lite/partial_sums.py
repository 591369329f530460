"""Every subset of twelve leads is a subset of the first six and one of the last six: 4,096 = 64 x 64.

So 64 + 64 sums are made, and the sum over any subset is one of the first plus one of the last. Picking rows of a table and
adding them is what PyTorch's embedding_bag does in one call: here a subset is a bag, or a subset at one place.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def partial_sums(terms: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [S] to the sum of the terms in each: terms [k, ...] -> [S, ...]."""
    table = _halves(terms, torch.add, 0.0).flatten(1)
    return lambda masks: F.embedding_bag(_pairs(masks, len(terms)), table, mode="sum").unflatten(1, terms.shape[1:])


def partial_maxima(terms: Tensor) -> Callable[[Tensor], Tensor]:
    """The same for maxima."""
    table = _halves(terms, torch.maximum, -torch.inf)
    return lambda masks: torch.maximum(*table[_pairs(masks, len(terms)).T])


def weighted_partial_sums(terms: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """A function from masks int64 [S] and weights [S, places, taps], other ones for each subset, to sums [S, places, C].

    terms: [k, places, taps, C]. At each place, the sums of a subset's leads at each tap are weighted and added.
    """
    table = _halves(terms, torch.add, 0.0)  # [at most 128, places, taps, C]
    places, taps = terms.shape[1:3]
    within = (
        torch.arange(places * taps, device=terms.device).view(places, taps).repeat(1, 2)
    )  # for either half: [places, 2 taps]

    def sums(masks: Tensor, weights: Tensor) -> Tensor:
        first_rows = (places * taps * _pairs(masks, len(terms))).repeat_interleave(taps, dim=1)  # [S, 2 taps]
        rows, twice = first_rows[:, None] + within, torch.cat([weights, weights], dim=2)  # [S, places, 2 taps]
        bags = F.embedding_bag(rows.flatten(0, 1), table.flatten(0, 2), mode="sum", per_sample_weights=twice.flatten(0, 1))
        return bags.unflatten(0, weights.shape[:2])  # [S * places, C] -> [S, places, C]

    return sums


def _pairs(masks: Tensor, k: int) -> Tensor:
    """The two rows of _halves that make up each mask, int64 [S, 2]."""
    half = k // 2
    return torch.stack([masks % 2**half, 2**half + (masks >> half)], dim=1)


def _halves(terms: Tensor, merge: Callable, neutral: float) -> Tensor:
    """Every subset of the first half of the terms, then every subset of the others: [k, ...] -> [at most 128, ...]."""
    half = len(terms) // 2
    return torch.cat([_every_subset(part, merge, neutral) for part in (terms[:half], terms[half:])])


def _every_subset(terms: Tensor, merge: Callable, neutral: float) -> Tensor:
    """[k, ...] -> [2**k, ...]: row m merges the terms whose bits are set in m, each from a row before it."""
    rows = terms.new_full((2 ** len(terms), *terms.shape[1:]), neutral)
    for bit, term in enumerate(terms):
        rows[2**bit : 2 ** (bit + 1)] = merge(rows[: 2**bit], term)
    return rows
