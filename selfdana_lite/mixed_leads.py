"""Training on recordings that do not all have the same leads: who shares a batch, and which leads are drawn."""

import numpy as np
import torch
from torch import Tensor

from selfdana_lite.augment import RandomLeadSelection
from selfdana_lite.dataset import EcgDataset


def lead_counts(dataset: EcgDataset) -> np.ndarray:
    """How many leads each recording has [records]; in training, recordings of one count share batches.

    A tensor has one shape, so the recordings of a batch all keep the same number of leads. In a batch mixed at random the
    poorest would set that number: one watch among sixty-four, and twelve leads would be rehearsed as one. Padding the
    others instead would let their zeros tell recordings apart. Sorted by count, rich recordings are used in full, and how
    many leads a view has says nothing about whose it is. Where a count runs out, one batch also holds the next count and
    keeps to the smaller, so that no recording is dropped and no batch is too small to contrast.

    What remains: recordings of one count may have different leads (six limb or six chest leads), and those are a hint.
    """
    return dataset.present.sum(axis=1)


def random_leads(dataset: EcgDataset, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random subset of the leads that each recording has: signals [B, k, T] in millivolt, lead_ids int64 [B, k]."""
    signals_mv, present = dataset.batch_with_gaps(rows)
    return RandomLeadSelection()(signals_mv, generator, present)
