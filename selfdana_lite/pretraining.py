"""Pre-training without labels: two views of each recording, with leads of their own, must agree.

The loop itself is `fit` in loop.py. This file says what a view loses and what the loss is.
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection, random_gain, random_noise
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.draws import seeded
from selfdana_lite.encoders import SAMPLES_PER_FRAME, Encoder, EncoderConfig
from selfdana_lite.leads import LeadError
from selfdana_lite.loop import fit
from selfdana_lite.many_devices import own_part
from selfdana_lite.mixed_leads import lead_counts
from selfdana_lite.objectives import VIEWS, MaskedFrames, NTXent, TwoViews, VICReg, hide_spans
from selfdana_lite.resident import batch_reader
from selfdana_lite.train_config import TrainConfig

# What suits each kind of encoder best with "nt-xent" and a "conv" trunk, of the rates that tuning.py tries for all of them.
LEARNING_RATES = {"lead-attention": 8e-3, "dap": 2e-3, "zero-pad": 1e-3, "zero-pad-lean": 16e-3}


@dataclass(frozen=True)
class PretrainConfig(TrainConfig):
    """What is "the same" in pre-training: the objective, the views, and what each view loses."""

    epochs: int = 60
    learning_rate: float | None = None  # None: suited_learning_rate
    objective: str = "nt-xent"  # or "vicreg", or "masked" (transformer trunk only)
    temperature: float = 0.2  # of nt-xent and masked
    views: str = "halves"  # CMSC: two halves of one recording; or "crops", SimCLR's two random windows
    lead_augmentation: RandomLeadSelection | RandomLeadMasking = field(default_factory=RandomLeadSelection)
    same_leads: bool = False  # whether both views keep the same leads
    gain_spread: float = 0.0  # log-normal amplitude factor of each view
    noise_mv: float = 0.0  # most white noise added to a view

    def __post_init__(self):
        super().__post_init__()
        if self.objective not in ("nt-xent", "vicreg", "masked") or self.views not in VIEWS:
            raise ValueError(
                f"Unknown objective {self.objective!r} or views {self.views!r}; choose an objective of nt-xent, vicreg, masked "
                f"and views of {', '.join(VIEWS)}."
            )


def pretrain(
    encoder: Encoder,
    dataset: EcgDataset,
    config: PretrainConfig | None = None,
    *,
    validation: EcgDataset | None = None,
    checkpoint: str | os.PathLike | None = None,
    after_epoch: Callable[[dict[str, float]], None] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train the encoder in place, without labels, on the device that it is on; return the history.

    dataset: recordings with any leads, in any order; the augmentation takes some away of those that are there. Batches
        hold recordings with equally many leads (`lead_counts` says why). LeadError where recordings have fewer leads
        than the augmentation is to keep.
    checkpoint: a file, replaced after each epoch. If it is there already, training goes on from it,
        exactly as if it had never stopped; CheckpointError where it was made with other settings.
    after_epoch: called with the history's new row, a dict, after each epoch: to draw a curve while training runs, or to
        probe the encoder, which it may put in eval mode. Its time is not in the row's seconds. A resumed run calls it for
        the epochs that are still to do.
    history: one row an epoch: loss, validation_loss, learning_rate, seconds, recordings_per_s, and
        data_share, the part of the time that reading and augmenting took.

    Ctrl-C (or the notebook's stop button) ends training after the step; the encoder stays usable, and the history is
    that of the whole epochs. Under torchrun (python -m selfdana_lite.train --help), batch_size is that of all processes
    together, and everything is as with one of them up to rounding; files and after_epoch are the first one's.
    """
    config = config or PretrainConfig()
    if config.learning_rate is None:
        config = replace(config, learning_rate=suited_learning_rate(encoder.config, config.objective))
    for source in (dataset, validation):
        if source is not None:
            encoder.refuse_other_rate(source.sampling_rate_hz)
            _refuse_fewer_leads(source, config.lead_augmentation)
    device = next(encoder.parameters()).device
    with seeded(config.seed):  # the head's first weights
        model = _objective(encoder, config).to(device)
    readers = {part: batch_reader(part, device) for part in (dataset, validation) if part is not None}

    def prepare(source: EcgDataset, rows: np.ndarray, generator: torch.Generator) -> list[tuple[Tensor, ...]]:
        signals_mv, present = readers[source](rows)  # [B, 12, T], [B, 12]; with several processes only the own rows are read
        views = draw_views(signals_mv, config, generator, present)
        if config.objective == "masked":
            views = [(*view, _hidden_frames(view[0], generator)) for view in views]
        own = own_part(len(rows))  # every process draws for all rows, and so the same as one alone would
        return [tuple(part[own] for part in view) for view in views]

    return fit(
        model,
        dataset,
        prepare,
        loss_of=lambda views: model(*views),
        config=config,
        validation=validation,
        checkpoint=checkpoint,
        alike=lead_counts,
        settings={"encoder": encoder.config, "digests": [part and part.digest for part in (dataset, validation)]},
        after_epoch=after_epoch,
        progress=progress,
    )


def suited_learning_rate(encoder: EncoderConfig, objective: str = PretrainConfig.objective) -> float:
    """The highest learning rate for pre-training: the kind's own where it was searched, and the loop's where it was not."""
    searched = LEARNING_RATES if (encoder.backbone, objective) == ("conv", "nt-xent") else {}
    return searched.get(encoder.kind, TrainConfig.learning_rate)


def _refuse_fewer_leads(dataset: EcgDataset, augmentation: RandomLeadSelection | RandomLeadMasking) -> None:
    least, counts = getattr(augmentation, "min_leads", 1), lead_counts(dataset)
    if (poor := np.flatnonzero(counts < least)).size:
        raise LeadError(
            f"The augmentation keeps at least {least} leads, and {len(poor)} of {len(dataset)} recordings have fewer (first: "
            f"row {poor[0]}, which has {counts[poor[0]]}); lower min_leads, or leave those recordings out: "
            f"where(rows=dataset.present.sum(axis=1) >= {least})."
        )


def _objective(encoder: Encoder, config: PretrainConfig) -> nn.Module:
    if config.objective == "masked":
        return MaskedFrames(encoder, temperature=config.temperature)
    return TwoViews(encoder, NTXent(config.temperature) if config.objective == "nt-xent" else VICReg())


def _hidden_frames(signals_mv: Tensor, generator: torch.Generator) -> Tensor:
    frames = math.ceil(signals_mv.shape[2] / SAMPLES_PER_FRAME)
    return hide_spans(len(signals_mv), frames, generator).to(signals_mv.device)  # [B, frames]


def draw_views(
    signals_mv: Tensor, config: PretrainConfig, generator: torch.Generator, present: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Two views of each recording: [B, 12, T] -> two pairs (signals [B, k, T'], lead_ids [B, k]), each with its own k.

    present: bool [B, 12], the leads to choose from; all where None.
    """
    windows = VIEWS[config.views](signals_mv, generator)
    if config.same_leads:
        leads_seed = int(torch.randint(2**31, (), generator=generator))
        generators = [torch.Generator().manual_seed(leads_seed) for _ in windows]
    else:
        generators = [generator for _ in windows]
    views = [config.lead_augmentation(window, own, present) for window, own in zip(windows, generators, strict=True)]
    if config.gain_spread:
        views = [(random_gain(signals, config.gain_spread, generator), ids) for signals, ids in views]
    if config.noise_mv:
        views = [(random_noise(signals, config.noise_mv, generator), ids) for signals, ids in views]
    return views
