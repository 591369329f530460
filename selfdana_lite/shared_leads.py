"""One classifier, many lead subsets of the same recordings: what the subsets share is computed once.

    signals -> the stem, once a lead -> what each subset makes of it -> frames -> trunk -> probabilities

It is exact because of how the leads meet in each kind of encoder:

    lead-attention       a softmax is a quotient, exp(score) over its sum; so is a mean ("dap" with one), with equal scores
    one slot, maximum    the maximum over a subset is the larger of two halves' maxima (I ... aVF and V1 ... V6), 64 of each
    zero-pad             the first convolution is linear, so it is a sum of what it makes of each lead, and of two halves' sums
    dap, several slots   which neighbours it merges depends on the whole subset: only the stem is shared

Whatever comes after must see every subset, so it is most of the work; folded.py spares its batch norms. Where it is the
default's single convolution after attention with one slot, shared_trunk.py shares it, too.
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
from selfdana_lite.freed_memory import freed_memory_kept
from selfdana_lite.leads import lead_ids
from selfdana_lite.partial_sums import partial_maxima, partial_sums
from selfdana_lite.shared_trunk import can_share_trunk, trunk_of_subsets

MANY = 256  # subsets from which sharing the trunk pays: 2 x 64 sums must be made before the first answer
CPU_BATCH = 512  # subsets times recordings at once: fewer wait for Python, more no longer fit a core's cache
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
        maps_of = _subset_maps(encoder.join_leads, network, signals_mv, as_lead_ids(signals_mv, ids), len(masks) > MANY)
        each = [clf.head(pool_time(maps_of(some))).unflatten(0, (len(some), len(rows))) for some in batches]
        return torch.sigmoid(torch.cat(each)).cpu().numpy()

    with freed_memory_kept(), one_thread(), ThreadPoolExecutor(threads) as pool:  # threads to come have what is set here
        predicted = list(tqdm(pool.map(predict, parts), "recordings", len(parts), disable=not progress))
    return np.concatenate(predicted, axis=1)


def _network(encoder: Encoder) -> nn.Sequential:
    """All that comes after the leads have met, and the trunk last: [B, C, T] -> [B, C', frames]."""
    join = encoder.join_leads
    return folded(nn.Sequential(join.merge if isinstance(join, PerLead) else join.rest, encoder.trunk))


def _subset_maps(
    join: PerLead | MixedLeads, network: nn.Sequential, signals_mv: Tensor, ids: Tensor, many: bool
) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [subsets] to what the trunk makes of these subsets, [subsets * R, C', frames].

    many: whether enough subsets will be asked about that the trunk is worth sharing.
    """
    if isinstance(join, MixedLeads):
        return _through(network, partial_sums(_zero_pad_terms(join, signals_mv, ids)))
    maps = join.lead_maps(signals_mv, ids)  # [R, C, k, T]
    if isinstance(join.pooling, LeadAttentionPooling):
        return _weighted_maps(network, join.pooling.scores(maps, ids), maps, many)
    if join.pooling.slots > 1:
        in_order = ids[0].argsort().tolist()  # neighbours are those in the order of LEADS
        return _through(network, lambda masks: torch.stack([_slot_frames(join, maps, mask, in_order) for mask in masks]))
    if join.pooling.op == "mean":
        return _weighted_maps(network, torch.zeros_like(maps[:, :1]), maps, many)
    return _through(network, partial_maxima(maps.permute(2, 0, 3, 1)))


def _through(network: nn.Module, frames_of: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """First the frames of each subset, [subsets, R, T, C], then the network."""
    return lambda masks: network(frames_of(masks).flatten(0, 1).transpose(1, 2))


def _weighted_maps(network: nn.Sequential, scores: Tensor, maps: Tensor, many: bool) -> Callable[[Tensor], Tensor]:
    """For a pooling by softmax: scores [R, slots, k, T] and maps [R, C, k, T]."""
    low, high = scores.amin(dim=2, keepdim=True), scores.amax(dim=2, keepdim=True)
    if (high - low).max() > WIDEST_SCORES:
        raise ValueError(
            f"The attention scores of two leads differ by {(high - low).max():.0f}, too much to share them between subsets "
            f"(at most {WIDEST_SCORES:.0f}); score each subset with evaluate, or train this encoder anew."
        )
    raw = (scores - (high + low) / 2).exp().transpose(2, 3).contiguous()  # [R, slots, T, k]
    if many and raw.shape[1] == 1 and can_share_trunk(network[-1]):  # with one slot, what is before the trunk does nothing
        return trunk_of_subsets(network[-1][0], maps, raw[:, 0].permute(2, 0, 1))
    bits = torch.arange(maps.shape[2], device=maps.device)

    def weights(masks: Tensor) -> Tensor:  # [subsets, R, slots, T, k]
        there = (masks[:, None] >> bits & 1).to(raw.dtype)
        sums = torch.einsum("nk,rstk->nrst", there, raw)
        return (there[:, None, None, None] / sums[..., None]).mul_(raw)

    by_frame = maps.permute(0, 3, 2, 1)  # [R, T, k, C]
    return _through(network, lambda masks: torch.einsum("nrstk,rtkc->nrtcs", weights(masks), by_frame).flatten(3))


def _slot_frames(join: PerLead, maps: Tensor, mask: Tensor, in_order: Sequence[int]) -> Tensor:
    """maps [R, C, k, T] -> [R, T, C * slots] of one subset. in_order: positions of the k leads, sorted by LEADS."""
    inside = [lead for lead in in_order if mask >> lead & 1]
    return join.pooling(maps[:, :, inside]).flatten(1, 2).transpose(1, 2)


def _zero_pad_terms(join: MixedLeads, signals_mv: Tensor, ids: Tensor) -> Tensor:
    """What the mixing convolution, of stride s, makes of each lead alone, [k, R, T / s, C]."""
    kernels = join.mix.weight.squeeze(2).transpose(0, 1)[ids[0]].flatten(0, 1)[:, None]  # [k * C, 1, taps]
    alone = F.conv1d(signals_mv, kernels, stride=join.mix.stride[1], padding=join.mix.padding[1], groups=ids.shape[1])
    return alone.unflatten(1, (ids.shape[1], -1)).permute(1, 0, 3, 2)  # [R, k * C, T / s] -> [k, R, T / s, C]
