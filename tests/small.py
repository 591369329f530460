"""Recordings few and short enough to train on in a second, and ways to look at what training did."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from selfdana_lite.dataset import SAMPLES, EcgDataset
from selfdana_lite.encoders import Encoder, build_encoder


def small_dataset(folds: list[int], records: int = 64, samples: int = 256) -> EcgDataset:
    """The first 2.56 s of some of the simulated recordings."""
    few = EcgDataset.open(SAMPLES).where(folds=folds).where(rows=range(records))
    return in_memory(few.signals[:, :, :samples], few.table, few.leads, few.label_names)


def in_memory(signals_uv: np.ndarray, table: pd.DataFrame, leads, label_names) -> EcgDataset:
    """A dataset of int16 microvolt [records, leads, samples]."""
    return EcgDataset(signals_uv.transpose(1, 0, 2), table, leads, 100, label_names)


def seeded_encoder(seed: int = 0, kind: str = "lead-attention", **options) -> Encoder:
    """A fresh encoder, the same for the same seed, that leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build_encoder(kind, **options)


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of all parameters and buffers, to compare with later."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def differing(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Names of the tensors that are not the same to the last bit."""
    assert before.keys() == after.keys()
    return {name for name in before if not before[name].equal(after[name])}


def on_batch(dataset: EcgDataset, call: int, do) -> EcgDataset:
    """A view of the dataset whose batch() hands its call-th result (counted from 0) to do(signals_mv) first."""
    view = dataset.where(rows=range(len(dataset)))
    calls = iter(range(10**9))
    view.batch = lambda *args, **kwargs: (do if next(calls) == call else lambda x: x)(dataset.batch(*args, **kwargs))
    return view


def stop_by_hand(signals_mv: torch.Tensor):
    """What Ctrl-C does."""
    raise KeyboardInterrupt


class PowerCut(Exception):
    """Ends a run as nothing in the library expects, so that nothing in the library can tidy up."""


def cut_power(signals_mv: torch.Tensor):
    """End training at this batch."""
    raise PowerCut
