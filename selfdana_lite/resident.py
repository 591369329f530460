"""Where the signals of a batch come from: from disk each time, or from the GPU's own memory where they all fit."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.leads import LEADS, lead_ids
from selfdana_lite.many_devices import own_part

Reader = Callable[[np.ndarray], tuple[Tensor, Tensor]]  # rows -> millivolt [B, 12, T], present bool [B, 12], on the device
_CHUNK_RECORDINGS = 1024


def batch_reader(dataset: EcgDataset, device: torch.device) -> Reader:
    """How to get a batch of all leads that the recordings have, as batch_with_gaps does, onto a device."""
    if fits(4 * len(dataset) * len(LEADS) * dataset.n_samples, device):  # float32
        return _from_memory(dataset, device)
    return lambda rows: _from_disk(dataset, rows, device)


def fits(n_bytes: int, device: torch.device) -> bool:
    """Whether so much may stay on a device: a GPU half of whose free memory is more. The CPU has its cache of the disk."""
    return device.type == "cuda" and n_bytes < torch.cuda.mem_get_info(device)[0] / 2


def _from_memory(dataset: EcgDataset, device: torch.device) -> Reader:
    starts = range(0, len(dataset), _CHUNK_RECORDINGS)
    chunks = (np.arange(start, min(start + _CHUNK_RECORDINGS, len(dataset))) for start in starts)
    parts = [[part.to(device) for part in dataset.batch_with_gaps(rows)] for rows in chunks]
    signals_mv, present = (torch.cat(kind) for kind in zip(*parts, strict=True))  # [records, 12, T], [records, 12]

    def read(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(rows).to(device)
        return signals_mv[index], present[index]

    return read


def _from_disk(dataset: EcgDataset, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """With several processes, only the own rows are read; the others are zeros, from which nothing but draws is made."""
    own = own_part(len(rows))
    signals_mv, present = (part.to(device) for part in dataset.batch_with_gaps(rows[own]))
    if len(signals_mv) == len(rows):
        return signals_mv, present
    of_twelve = torch.zeros(len(rows), len(LEADS), dtype=torch.bool)
    of_twelve[:, lead_ids(dataset.leads)] = torch.tensor(dataset.present[rows])
    whole = signals_mv.new_zeros(len(rows), *signals_mv.shape[1:])  # [B, 12, T]
    whole[own] = signals_mv
    return whole, of_twelve.to(device)
