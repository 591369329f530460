"""One visible training loop; nothing in it is specific to ECGs or to Self-DANA.

`fit` reads: shuffle, prepare a batch, loss, backward, step; after each epoch validate, report and
save. Pre-training (pretraining.py) and fine-tuning (fine_tuning.py) say what a batch and the loss are.
"""

import math
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from selfdana_lite.batches import rows_not_finite, shuffled_batches
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.draws import epoch_generator
from selfdana_lite.freed_memory import freed_memory_kept
from selfdana_lite.interrupts import HeldCtrlC
from selfdana_lite.many_devices import average_gradients, copy_first, from_first, is_first, own_part, shared_batch_norm
from selfdana_lite.resume import Run
from selfdana_lite.train_config import TrainConfig, learning_rate

VALIDATION = 2**32 - 1  # stands for the epoch in the draws for validation


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the epoch, the step and what to try."""


def fit(
    model: nn.Module,
    dataset: EcgDataset,
    prepare: Callable[[EcgDataset, np.ndarray, torch.Generator], Any],
    loss_of: Callable[[Any], Tensor],
    config: TrainConfig,
    *,
    validation: EcgDataset | None = None,
    checkpoint: str | os.PathLike | None = None,
    settings: Mapping[str, Any] | None = None,
    alike: Callable[[EcgDataset], np.ndarray] | None = None,
    after_epoch: Callable[[dict[str, float]], None] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train the parameters of model that ask for gradients; return the history, one row an epoch.

    prepare(dataset, rows, generator) reads and augments a batch: tensors, or lists of them, with an entry for each row;
    loss_of(batch) is the scalar to make small. The loss on the validation recordings is measured with the same random
    draws every time.
    alike: a number for each row of a dataset; batches hold rows of one number, as far as they go.
    settings: what, besides config and the number of recordings, a checkpoint must agree on to be gone on from.
    after_epoch: called with the history's new row after each epoch that is run here, when the checkpoint is written.

    In several processes (many_devices.py), prepare takes this process's part of the rows, and loss_of is the loss of all.
    """
    _check_recordings(dataset, validation, config)
    copy_first(model)
    optimizer = adamw(model, config)
    of_config = {one.name: getattr(config, one.name) for one in fields(config)}
    settings = {"recordings": len(dataset)} | of_config | dict(settings or {})
    run = Run(model, optimizer, config.patience, settings, None if checkpoint is None else Path(checkpoint))
    run.resume()
    rows = len(dataset)
    bar = tqdm(
        total=config.epochs * rows,
        initial=len(run.history) * rows,
        unit=" recordings",
        disable=not (progress and is_first()),
    )
    try:
        with HeldCtrlC() as ctrl_c, shared_batch_norm(model), freed_memory_kept():
            prepare = _between_steps(prepare, ctrl_c)
            while len(run.history) < config.epochs and not run.stalled():
                row = _one_epoch(model, optimizer, dataset, prepare, loss_of, config, alike, len(run.history), bar)
                if validation is not None:
                    row["validation_loss"] = _mean_loss(model, validation, prepare, loss_of, config, alike)
                    _refuse_not_finite("validation loss", row["validation_loss"], f"after epoch {row['epoch']}", config)
                run.finish_epoch(from_first(lambda row=row: row))
                if after_epoch is not None and is_first():
                    after_epoch(dict(run.history[-1]))
    except KeyboardInterrupt:
        kept = "best epoch so far" if run.best else "last step"
        warnings.warn(f"Stopped by hand in epoch {len(run.history) + 1}; the weights are those of the {kept}.", stacklevel=2)
    finally:
        bar.close()
        model.eval()
    run.take_best()
    return pd.DataFrame(run.history)


def adamw(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """The optimiser of whatever in the model asks for gradients; fused, it steps in one call instead of a dozen a tensor."""
    asking = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(asking, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def _check_recordings(dataset: EcgDataset, validation: EcgDataset | None, config: TrainConfig) -> None:
    for what, part in (("train on", dataset), ("validate with", validation)):
        if part is not None and len(part) < 2:
            raise ValueError(f"Found {len(part)} recording to {what}; losses compare recordings and need at least 2.")
    if config.patience is not None and validation is None:
        raise ValueError(
            f"patience is {config.patience}, but there are no validation recordings whose loss could be watched; pass some."
        )


def _between_steps(prepare: Callable, ctrl_c: HeldCtrlC) -> Callable:
    """prepare, which first lets a Ctrl-C through, and afterwards refuses samples that are missing."""

    def checked(dataset: EcgDataset, rows: np.ndarray, generator: torch.Generator) -> Any:
        ctrl_c.check()
        batch = prepare(dataset, rows, generator)
        bad = rows_not_finite(batch, rows[own_part(len(rows))])
        if len(bad):
            raise TrainingError(
                f"Row {bad[0]} holds NaN or infinite samples, as {len(bad)} of the {len(rows)} rows of this batch do; repair "
                f"or leave out those recordings: where(rows=...). The weights are those of the step before."
            )
        return batch

    return checked


@torch.no_grad()
def _mean_loss(model, dataset, prepare, loss_of, config, alike) -> float:
    model.eval()
    generator = epoch_generator(config.seed, VALIDATION)
    batches = shuffled_batches(len(dataset), config.batch_size, generator, alike and alike(dataset))
    with config.autocast(next(model.parameters()).device):
        return sum(loss_of(prepare(dataset, rows, generator)).item() * len(rows) for rows in batches) / len(dataset)


def _refuse_not_finite(what: str, value: float, where: str, config: TrainConfig) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            f"The {what} became {value} {where}. Lower learning_rate (now {config.learning_rate:g}), or look at those "
            f"recordings."
        )


def _one_epoch(model, optimizer, dataset, prepare, loss_of, config, alike, epoch, bar) -> dict[str, float]:
    model.train()
    generator = epoch_generator(config.seed, epoch)
    batches = shuffled_batches(len(dataset), config.batch_size, generator, alike and alike(dataset))
    total, data_s, start = 0.0, 0.0, time.perf_counter()
    for step, rows in enumerate(batches, epoch * len(batches)):
        asked = time.perf_counter()
        batch = prepare(dataset, rows, generator)
        data_s += time.perf_counter() - asked

        optimizer.param_groups[0]["lr"] = learning_rate(step, config.epochs * len(batches), config)
        where = f"at step {step} (epoch {epoch + 1}, rows {rows.tolist()}); the weights are those of the step before"
        loss = _step(model, optimizer, loss_of, batch, config, where)

        total += loss * len(rows)
        bar.update(len(rows))
        bar.set_postfix(epoch=f"{epoch + 1}/{config.epochs}", loss=f"{loss:.3f}", refresh=False)
    seconds = time.perf_counter() - start
    return {
        "epoch": epoch + 1,
        "loss": total / len(dataset),
        "learning_rate": optimizer.param_groups[0]["lr"],
        "seconds": seconds,
        "recordings_per_s": len(dataset) / seconds,
        "data_share": data_s / seconds,
    }


def _step(model, optimizer, loss_of, batch, config, where) -> float:
    """One step downhill; the loss before it. TrainingError where there is no telling which way is down."""
    buffers = [buffer.clone() for buffer in model.buffers()]  # batch norm's running statistics
    with config.autocast(next(model.parameters()).device):
        loss = loss_of(batch)
    value = loss.item()
    optimizer.zero_grad()
    loss.backward()
    average_gradients(model)
    gradient = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]).item()
    if not (math.isfinite(value) and math.isfinite(gradient)):
        for buffer, before in zip(model.buffers(), buffers, strict=True):
            buffer.copy_(before)
    _refuse_not_finite("loss", value, where, config)
    _refuse_not_finite("gradient's norm", gradient, where, config)
    optimizer.step()
    return value
