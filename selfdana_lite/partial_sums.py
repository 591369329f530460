"""Sums over every subset of up to twelve leads: each subset is one of at most 64 of the first leads, and one of as many others.

    4,095 subsets = (I ... aVF: 64 subsets) x (V1 ... V6: 64 subsets), less the empty one

So 128 sums are made, and what any subset asks for is a sum of two of them. Maxima can be shared in the same way.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


def partial_sums(terms: Tensor, merge: Callable = torch.add, neutral: float = 0.0) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [S] to the sum (or maximum) of the terms in each: terms [k, ...] -> [S, ...]."""
    rows = _halves(terms, merge, neutral)
    if merge is not torch.add:
        return lambda masks: merge(*rows[_pairs(masks, len(terms)).T])
    rows = rows.flatten(1)  # one call picks two rows and adds them, without copies of either
    return lambda masks: F.embedding_bag(_pairs(masks, len(terms)), rows, mode="sum").unflatten(1, terms.shape[1:])


def weighted_partial_sums(terms: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """A function from masks int64 [S] and weights [S, places, n] to sums over the leads in each mask and over n.

    Terms [k, places, n, C] -> [S, places, C]: at each place, n weights of a subset's own for n partial sums.
    """
    rows = _halves(terms, torch.add, 0.0)  # [128, places, n, C]
    spots = torch.arange(rows[0, ..., 0].numel(), device=terms.device).view(terms.shape[1:3])  # [places, n]

    def sums(masks: Tensor, weights: Tensor) -> Tensor:
        both = [row[:, None, None] * spots.numel() + spots for row in _pairs(masks, len(terms)).T]  # two of [S, places, n]
        bags, twice = (torch.cat(parts, dim=2).flatten(0, 1) for parts in (both, [weights, weights]))  # [S * places, 2 * n]
        found = F.embedding_bag(bags, rows.flatten(0, 2), mode="sum", per_sample_weights=twice)  # [S * places, C]
        return found.unflatten(0, weights.shape[:2])

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
