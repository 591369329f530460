"""One visible training loop; nothing in it is specific to ECGs or to Self-DANA.

`fit` reads: shuffle, prepare a batch, loss, backward, step; after each epoch validate, report and
save. Pre-training (pretraining.py) and fine-tuning (downstream.py) say what a batch and the loss are.
"""

import math
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from selfdana_lite.batches import shuffled_batches
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.resume import Run

VALIDATION = 2**32 - 1  # stands for the epoch in the draws for validation


class TrainingError(RuntimeError):
    """Training cannot go on; the message names the epoch, the step and what to try."""


@dataclass(frozen=True)
class TrainConfig:
    """What the loop needs to know."""

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 2e-3  # the highest, after the warm-up
    weight_decay: float = 0.01
    warm_up: float = 0.1  # share of all steps
    precision: str = "auto"  # "float32" or "bfloat16"; "auto" takes bfloat16 where the device computes in it natively
    patience: int | None = None  # stop after so many epochs without a better validation loss, and keep the best weights
    seed: int = 0

    def __post_init__(self):
        if self.epochs < 1 or self.batch_size < 3 or not self.learning_rate > 0:
            raise ValueError(
                f"epochs {self.epochs}, batch_size {self.batch_size} and learning_rate {self.learning_rate} must be at least "
                f"1, at least 3 (a batch of 2 can leave a recording alone) and above 0."
            )
        if not 0 <= self.warm_up <= 1 or (self.patience is not None and self.patience < 1) or self.seed < 0:
            raise ValueError(
                f"warm_up {self.warm_up}, patience {self.patience} and seed {self.seed} must lie in 0 to 1, be None or at "
                f"least 1, and be at least 0."
            )
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"Unknown precision {self.precision!r}; choose 'auto', 'float32' or 'bfloat16'.")

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which losses are computed on a device; weights stay float32."""
        native = computes_bfloat16(device) if self.precision == "auto" else self.precision == "bfloat16"
        return torch.autocast(device.type, torch.bfloat16, enabled=native)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware: most GPUs since 2020; CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Up in a straight line during the warm-up, then down along half a cosine to zero."""
    warm_up_steps = round(config.warm_up * steps)  # whole steps, or the last of them would overshoot
    if step < warm_up_steps:
        return config.learning_rate * (step + 1) / warm_up_steps
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up_steps) / (steps - warm_up_steps)))


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """All random draws of one epoch follow from (seed, epoch): that is what makes resuming exact."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


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

    prepare(dataset, rows, generator) reads and augments a batch; loss_of(batch) is the scalar to make
    small. The loss on the validation recordings is measured with the same random draws every time.
    alike: a number for each row of a dataset; batches hold rows of one number, as far as they go.
    settings: what, besides config and the number of recordings, a checkpoint must agree on to be gone on from.
    after_epoch: called with the history's new row after each epoch that is run here, when the checkpoint is written.
    """
    _check_recordings(dataset, validation, config)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=config.learning_rate, weight_decay=config.weight_decay
    )
    of_config = {one.name: getattr(config, one.name) for one in fields(config)}
    settings = {"recordings": len(dataset)} | of_config | dict(settings or {})
    run = Run(model, optimizer, config.patience, settings, None if checkpoint is None else Path(checkpoint))
    run.resume()
    rows = len(dataset)
    bar = tqdm(total=config.epochs * rows, initial=len(run.history) * rows, unit=" recordings", disable=not progress)
    try:
        while len(run.history) < config.epochs and not run.stalled():
            row = _one_epoch(model, optimizer, dataset, prepare, loss_of, config, alike, len(run.history), bar)
            if validation is not None:
                row["validation_loss"] = _mean_loss(model, validation, prepare, loss_of, config, alike)
                _refuse_not_finite("validation loss", row["validation_loss"], f"after epoch {row['epoch']}", config)
            run.finish_epoch(row)
            if after_epoch is not None:
                after_epoch(dict(row))
    except KeyboardInterrupt:
        kept = "best epoch so far" if run.best else "last step"
        warnings.warn(f"Stopped by hand in epoch {len(run.history) + 1}; the weights are those of the {kept}.", stacklevel=2)
    finally:
        bar.close()
        model.eval()
    run.take_best()
    return pd.DataFrame(run.history)


def _check_recordings(dataset: EcgDataset, validation: EcgDataset | None, config: TrainConfig) -> None:
    for what, part in (("train on", dataset), ("validate with", validation)):
        if part is not None and len(part) < 2:
            raise ValueError(f"Found {len(part)} recording to {what}; losses compare recordings and need at least 2.")
    if config.patience is not None and validation is None:
        raise ValueError(
            f"patience is {config.patience}, but there are no validation recordings whose loss could be watched; pass some."
        )


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
    device = next(model.parameters()).device
    generator = epoch_generator(config.seed, epoch)
    batches = shuffled_batches(len(dataset), config.batch_size, generator, alike and alike(dataset))
    total, data_s, start = 0.0, 0.0, time.perf_counter()
    for step, rows in enumerate(batches, epoch * len(batches)):
        asked = time.perf_counter()
        batch = prepare(dataset, rows, generator)
        data_s += time.perf_counter() - asked

        buffers = [buffer.clone() for buffer in model.buffers()]  # batch norm's running statistics
        optimizer.param_groups[0]["lr"] = learning_rate(step, config.epochs * len(batches), config)
        with config.autocast(device):
            loss = loss_of(batch)
        value = loss.item()
        optimizer.zero_grad()
        loss.backward()
        gradient = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]).item()
        if not (math.isfinite(value) and math.isfinite(gradient)):
            for buffer, before in zip(model.buffers(), buffers, strict=True):
                buffer.copy_(before)
        where = f"at step {step} (epoch {epoch + 1}, first rows {rows[:4].tolist()}); the weights are those of the step before"
        _refuse_not_finite("loss", value, where, config)
        _refuse_not_finite("gradient's norm", gradient, where, config)
        optimizer.step()

        total += value * len(rows)
        bar.update(len(rows))
        bar.set_postfix(epoch=f"{epoch + 1}/{config.epochs}", loss=f"{value:.3f}", refresh=False)
    seconds = time.perf_counter() - start
    return {
        "epoch": epoch + 1,
        "loss": total / len(dataset),
        "learning_rate": optimizer.param_groups[0]["lr"],
        "seconds": seconds,
        "recordings_per_s": len(dataset) / seconds,
        "data_share": data_s / seconds,
    }
