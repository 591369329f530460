"""Which rows share a batch, and which of them cannot be used; nothing in it is specific to ECGs."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def shuffled_batches(
    n_rows: int, batch_size: int, generator: torch.Generator, alike: np.ndarray | None = None
) -> list[np.ndarray]:
    """Every row once, in random order, in batches of nearly equal size, none above batch_size.

    alike: a number for each row. Rows of equal number then share batches, which come in random order; only where the rows
    of one number run out does a batch hold those of the next number too.
    """
    order = torch.randperm(n_rows, generator=generator).numpy()
    if alike is None or (alike == alike[0]).all():
        return np.array_split(order, math.ceil(n_rows / batch_size))
    batches = np.array_split(alike_together(order, alike), math.ceil(n_rows / batch_size))
    return [batches[i] for i in torch.randperm(len(batches), generator=generator)]


def alike_together(order: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """The rows sorted by their number, and otherwise in the order given."""
    return order[np.argsort(alike[order], kind="stable")]


def rows_not_finite(batch: Tensor | Sequence, rows: np.ndarray) -> np.ndarray:
    """The rows of a batch that hold NaN or infinity; the batch is tensors, or lists of them, with an entry for each row."""
    if not isinstance(batch, Tensor):
        return np.unique(np.concatenate([rows_not_finite(part, rows) for part in batch]))
    if not batch.is_floating_point() or batch.sum().isfinite():  # one bad sample would spoil the sum, a fast first look
        return rows[:0]
    return rows[~batch.isfinite().flatten(1).all(dim=1).cpu().numpy()]
