"""Half a recording at a time, and recordings lifted by an offset: what lessons 05 and 06 ask about embeddings."""

import numpy as np
import torch
from scipy.spatial.distance import cdist

import selfdana_lite as sd
from selfdana_lite.objectives import two_halves


@torch.no_grad()
def embed_half(encoder: torch.nn.Module, dataset: sd.EcgDataset, leads: str, half: int) -> np.ndarray:
    """Embeddings [records, D] of the first (half 0) or second (half 1) five seconds, from the given leads alone."""
    names, device = sd.parse_leads(leads), next(encoder.parameters()).device
    encoder.eval()
    blocks = np.array_split(np.arange(len(dataset)), -(-len(dataset) // 256))  # as many as fit the memory at a time
    halves = (two_halves(dataset.batch(rows, names))[half] for rows in blocks)  # [B, k, T / 2]
    return torch.cat([encoder(signals_mv.to(device), names) for signals_mv in halves]).cpu().numpy()


def found_rate(queries: np.ndarray, gallery: np.ndarray) -> float:
    """How often the nearest of all gallery [N, D] to queries[i] is gallery[i]: 0 to 1, by chance 1 / N."""
    return float((cdist(queries, gallery).argmin(axis=1) == np.arange(len(queries))).mean())


def lifted(dataset: sd.EcgDataset, offset_mv: float | np.ndarray) -> sd.EcgDataset:
    """The same recordings, each lifted by a constant (or one of its own, [records]) in all its leads: an amplifier's offset."""
    offset_uv = np.rint(1000 * np.broadcast_to(offset_mv, len(dataset))).astype(np.int16)
    signals_uv = dataset.signals.transpose(1, 0, 2) + offset_uv[:, None]  # [leads, records, samples]
    source = f"{dataset.source}; lifted by an offset"
    return sd.EcgDataset(signals_uv, dataset.table, dataset.leads, dataset.sampling_rate_hz, dataset.label_names, source=source)
