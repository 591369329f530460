"""Fine-tuning: how much of an encoder is trained with labels, from everything to the head alone."""

import copy
import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import ANY, Classifier, on_device
from selfdana_lite.encoders import Encoder
from selfdana_lite.leads import lead_ids, parse_leads
from selfdana_lite.loop import TrainConfig, fit
from selfdana_lite.mixed_leads import lead_counts, random_leads
from selfdana_lite.scores import refuse_constant_labels

STRATEGIES = {
    "full": "every weight",
    "partial": "the trunk, not the stem through which the leads come in",
    "bitfit": "the biases (Ben Zaken et al. 2022)",
    "layernorm": "scale and shift of the normalisation layers",
    "linear": "nothing but the head",
}  # what each one trains besides the head


@dataclass(frozen=True)
class FineTuneConfig(TrainConfig):
    """The loop's settings, with our defaults for tuning on labels."""

    epochs: int = 25
    learning_rate: float = 1e-3


def fine_tune(
    encoder: Encoder,
    dataset: EcgDataset,
    leads: str | Iterable[str] = ANY,
    strategy: str = "full",
    config: FineTuneConfig | None = None,
    *,
    validation: EcgDataset | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
) -> Classifier:
    """A classifier tuned with labels from a copy of the encoder; its `history` tells how it went.

    leads: one lead set, whose leads alone are read, and LeadError where a recording lacks one; or "any": in every batch
        a random subset of the leads that are there.
    strategy: one of STRATEGIES. A fresh encoder with "full" is supervised training from scratch.
    validation: recordings whose loss is watched each epoch; with config.patience the best epoch is kept.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"Unknown strategy {strategy!r}; choose one of {', '.join(STRATEGIES)}.")
    if validation is not None and validation.label_names != dataset.label_names:
        raise ValueError(
            f"The validation recordings have the labels {', '.join(validation.label_names)}; expected those of the training "
            f"recordings, {', '.join(dataset.label_names)}, in the same order."
        )
    config = config or FineTuneConfig()
    refuse_constant_labels(dataset.labels, dataset.label_names)
    leads = leads if leads == ANY else parse_leads(leads)
    for source in (dataset, validation or dataset):
        encoder.refuse_other_rate(source.sampling_rate_hz)
        if leads != ANY:
            source.require(leads)
    device = next(encoder.parameters()).device
    with torch.random.fork_rng(devices=[]):  # the head's first weights follow the seed, and nobody else's draws change
        torch.default_generator.manual_seed(config.seed)
        clf = Classifier(copy.deepcopy(encoder), dataset.label_names, leads, frozen=strategy not in ("full", "partial")).to(
            device
        )
    tuned = {id(parameter) for parameter in _tuned_parameters(clf.encoder, strategy)}
    for parameter in clf.encoder.parameters():
        parameter.requires_grad_(id(parameter) in tuned)

    def prepare(source: EcgDataset, rows: np.ndarray, generator: torch.Generator) -> list[Tensor]:
        targets = torch.from_numpy(source.labels[rows]).float()
        if leads == ANY:
            signals_mv, ids = random_leads(source, rows, generator)
        else:
            signals_mv, ids = source.batch(rows, leads), torch.tensor(lead_ids(leads))
        return on_device(device, (signals_mv, ids, targets))

    def loss_of(batch: list[Tensor]) -> Tensor:
        signals_mv, ids, targets = batch
        return F.binary_cross_entropy_with_logits(clf(signals_mv, ids), targets)

    clf.history = fit(
        clf,
        dataset,
        prepare,
        loss_of,
        config,
        validation=validation,
        checkpoint=checkpoint,
        alike=lead_counts if leads == ANY else None,
        settings={
            "encoder": encoder.config,
            "labels": dataset.label_names,
            "leads": leads,
            "strategy": strategy,
            "digests": [part and part.digest for part in (dataset, validation)],
        },
        progress=progress,
    )
    return clf


def _tuned_parameters(encoder: Encoder, strategy: str) -> list[nn.Parameter]:
    if strategy == "full":
        return list(encoder.parameters())
    if strategy == "partial":
        return list(encoder.trunk.parameters())
    if strategy == "bitfit":
        return [parameter for name, parameter in encoder.named_parameters() if name.endswith("bias")]
    if strategy == "layernorm":
        norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm1d | nn.LayerNorm)]
        return [parameter for module in norms for parameter in module.parameters()]
    return []
