"""The costs of a training step that can be counted: operations and kept bytes, the same on every machine and every day.

What measure_resources times and weighs depends on the machine and on what else it does. These two do not, and all
models and lead sets take seconds instead of minutes. They leave out what a library or an allocator adds.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.leads import LEAD_SETS
from selfdana_lite.meter import count_work, training_step
from selfdana_lite.resources import models_of, refuse_unknown_job

COUNTED = ("gflop_per_recording", "tensor_mb")


def count_costs(
    dataset: EcgDataset,
    encoder: str = "lead-attention",
    phase: str = "fine-tune",
    *,
    lead_sets: Iterable[str] = tuple(LEAD_SETS),
    batch_size: int = 16,
) -> pd.DataFrame:
    """What one training step costs, counted: the models, lead sets and refusals of measure_resources, row by row.

    Columns: model, lead_set, n_leads, parameters; gflop_per_recording, operations in convolutions and matrix products,
    forward and backward; tensor_mb, kept for the backward pass of a batch of batch_size recordings.
    """
    lead_sets = tuple(lead_sets)
    refuse_unknown_job(encoder, phase, lead_sets, dataset.leads)
    rows = [(model, kind, name) for model, kind in models_of(encoder).items() for name in lead_sets]
    return pd.DataFrame([_count(dataset, phase, batch_size, *row) for row in rows])


def _count(dataset: EcgDataset, phase: str, batch_size: int, model: str, kind: str, lead_set: str) -> dict:
    job = {"model": model, "kind": kind, "lead_set": lead_set, "phase": phase, "precision": "float32"}
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn here; nobody else's draws change
        network, step = training_step(job, dataset, torch.device("cpu"))
    facts = {"model": model, "lead_set": lead_set, "n_leads": len(LEAD_SETS[lead_set])}
    facts["parameters"] = sum(parameter.numel() for parameter in network.parameters())
    work = count_work(step, np.arange(min(batch_size, len(dataset))))
    return facts | {cost: work[cost] for cost in COUNTED}
