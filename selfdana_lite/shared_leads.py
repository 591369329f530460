"""One classifier, many lead subsets of the same recordings: what the subsets share is computed once.

    leads          the stem, once a lead; then a term a lead
    I ... aVF      their 64 partial sums  --+
                                            +-- one addition a subset -> frames -> trunk -> probabilities
    V1 ... V6      their 64 partial sums  --+

It is exact because of how the leads meet in each kind of encoder:

    zero-pad         the first convolution is linear, so it is a sum of what it makes of each lead
    lead-attention   a softmax is a quotient of sums over the leads: sum(exp(score) map) / sum(exp(score))
    one slot         a maximum over leads is the larger of two halves' maxima, a mean another quotient of sums
    more slots       which neighbours "dap" merges depends on the whole subset: only the stem is shared

The trunk must see every subset, so it is most of the work; folded.py makes it faster.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from selfdana_lite.adapter import LeadAttentionPooling
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, one_thread
from selfdana_lite.encoders import Encoder, MixedLeads, PerLead, as_lead_ids, check_samples, pool_time
from selfdana_lite.folded import folded
from selfdana_lite.leads import lead_ids

CPU_BATCH = 128  # subsets at once: fewer wait for Python, more no longer fit a core's cache
GPU_BATCH = 8192
WIDEST_SCORES = 160.0  # exp(80) and exp(-80) are still ordinary float32 numbers


def can_share(clf: Classifier) -> bool:
    """Whether the leads meet in a way known here: in this kit's own classifier and encoder, nobody's subclass."""
    return type(clf) is Classifier and type(clf.encoder) is Encoder


def predict_subsets(
    clf: Classifier, dataset: EcgDataset, leads: Sequence[str], masks: np.ndarray, progress: bool = False
) -> np.ndarray:
    """Probabilities float32 [subsets, records, classes], as clf.predict_proba gives them one subset at a time.

    leads: 1 to 12 names. masks: int64 [subsets]; bit i of a mask says whether leads[i] is in the subset.
    On a CPU every thread works on recordings of its own, which keeps each one's working set in its core's cache.
    """
    encoder, device = clf.eval().encoder, clf.head.weight.device
    encoder.refuse_other_rate(dataset.sampling_rate_hz)
    network, ids = _network(encoder), torch.tensor(lead_ids(leads))
    threads, per_batch = (torch.get_num_threads(), CPU_BATCH) if device.type == "cpu" else (1, GPU_BATCH)
    rows_at_once = max(1, per_batch // len(masks))
    parts = np.split(np.arange(len(dataset)), range(rows_at_once, len(dataset), rows_at_once))
    batches = torch.from_numpy(masks).to(device).split(per_batch)

    @torch.inference_mode()  # holds in one thread only, so each enters it
    def predict(rows: np.ndarray) -> np.ndarray:
        signals_mv = dataset.batch(rows, leads).to(device)
        check_samples(signals_mv)
        frames_of = _subset_frames(encoder.join_leads, signals_mv, as_lead_ids(signals_mv, ids))
        return torch.cat([_probabilities(clf, network, frames_of(some)) for some in batches]).cpu().numpy()

    with one_thread(), ThreadPoolExecutor(threads) as pool:  # threads to come have what is set here
        predicted = list(tqdm(pool.map(predict, parts), "recordings", len(parts), disable=not progress))
    return np.concatenate(predicted, axis=1)


def _network(encoder: Encoder) -> nn.Module:
    """All that comes after the leads have met: [B, C, T] -> [B, C', frames]."""
    join = encoder.join_leads
    return folded(nn.Sequential(join.merge if isinstance(join, PerLead) else join.rest, encoder.trunk))


def _probabilities(clf: Classifier, network: nn.Module, frames: Tensor) -> Tensor:
    """[subsets, R, T, C] -> [subsets, R, classes]."""
    maps = network(frames.flatten(0, 1).transpose(1, 2))  # [subsets * R, C, T] -> [subsets * R, C', frames]
    return torch.sigmoid(clf.head(pool_time(maps))).unflatten(0, frames.shape[:2])


def _subset_frames(join: PerLead | MixedLeads, signals_mv: Tensor, ids: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [subsets] to the frames of these subsets, [subsets, R, T, C]."""
    if isinstance(join, MixedLeads):
        return partial_sums(_zero_pad_terms(join, signals_mv, ids))
    maps = join.lead_maps(signals_mv, ids)  # [R, C, k, T]
    if isinstance(join.pooling, LeadAttentionPooling):
        return _softmax_frames(join.pooling.scores(maps, ids), maps)
    if join.pooling.slots > 1:
        return lambda masks: torch.stack([_slot_frames(join, maps, mask) for mask in masks])
    if join.pooling.op == "mean":  # equal scores
        return _softmax_frames(torch.zeros_like(maps[:, :1]), maps)
    return partial_sums(maps.permute(2, 0, 3, 1), torch.maximum, neutral=-torch.inf)


def partial_sums(terms: Tensor, merge: Callable = torch.add, neutral: float = 0.0) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [S] to the sum (or maximum) of the terms in each: terms [k, ...] -> [S, ...].

    Every subset is one of at most 64 of the first leads merged with one of at most 64 of the others.
    """
    half = len(terms) // 2
    low, high = (_every_subset(part, merge, neutral) for part in (terms[:half], terms[half:]))
    if merge is not torch.add:
        return lambda masks: merge(low[masks % 2**half], high[masks >> half])
    rows = torch.cat([low, high]).flatten(1)  # one call that picks two rows and adds them, without copies of either

    def sums(masks: Tensor) -> Tensor:
        pairs = torch.stack([masks % 2**half, 2**half + (masks >> half)], dim=1)  # [S, 2]
        return F.embedding_bag(pairs, rows, mode="sum").unflatten(1, terms.shape[1:])

    return sums


def _every_subset(terms: Tensor, merge: Callable, neutral: float) -> Tensor:
    """[k, ...] -> [2**k, ...]: row m merges the terms whose bits are set in m, each from a row before it."""
    rows = terms.new_full((2 ** len(terms), *terms.shape[1:]), neutral)
    for bit, term in enumerate(terms):
        rows[2**bit : 2 ** (bit + 1)] = merge(rows[: 2**bit], term)
    return rows


def _softmax_frames(scores: Tensor, maps: Tensor) -> Callable[[Tensor], Tensor]:
    """scores [R, slots, k, T] and maps [R, C, k, T] -> from masks to what the softmax over each subset pools."""
    low, high = scores.amin(dim=2, keepdim=True), scores.amax(dim=2, keepdim=True)
    if (high - low).max() > WIDEST_SCORES:
        raise ValueError(
            f"The attention scores of two leads differ by {(high - low).max():.0f}, too much to share sums between subsets "
            f"(at most {WIDEST_SCORES:.0f}); score each subset with evaluate, or train this encoder anew."
        )
    weights = (scores - (high + low) / 2).exp().permute(2, 0, 3, 1)  # [k, R, T, slots]
    with_one = F.pad(maps.permute(2, 0, 3, 1), (0, 1), value=1.0)  # [k, R, T, C + 1]: the last sums the weights
    sums = partial_sums(weights[..., None] * with_one[..., None, :])  # of [k, R, T, slots, C + 1]

    def frames(masks: Tensor) -> Tensor:
        pooled = sums(masks)
        pooled = pooled[..., :-1] / pooled[..., -1:]  # [subsets, R, T, slots, C]
        return pooled.transpose(-1, -2).flatten(-2)  # [subsets, R, T, C * slots], as PerLead flattens them

    return frames


def _slot_frames(join: PerLead, maps: Tensor, mask: Tensor) -> Tensor:
    """maps [R, C, k, T], in the order of LEADS -> [R, T, C * slots] of one subset."""
    inside = [lead for lead in range(maps.shape[2]) if mask >> lead & 1]
    return join.pooling(maps[:, :, inside]).flatten(1, 2).transpose(1, 2)


def _zero_pad_terms(join: MixedLeads, signals_mv: Tensor, ids: Tensor) -> Tensor:
    """What the mixing convolution makes of each lead alone, [k, R, T / 2, C]."""
    kernels = join.mix.weight.squeeze(2).transpose(0, 1)[ids[0]].flatten(0, 1)[:, None]  # [k * C, 1, 15]
    alone = F.conv1d(signals_mv, kernels, stride=join.mix.stride[1], padding=join.mix.padding[1], groups=ids.shape[1])
    return alone.unflatten(1, (ids.shape[1], -1)).permute(1, 0, 3, 2)  # [R, k * C, T / 2] -> [k, R, T / 2, C]
