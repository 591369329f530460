"""Fine-tuning: how much of an encoder is trained with labels or by a teacher, from everything to the head alone."""

import copy
import hashlib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.augment import random_crop
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import ANY, Classifier, on_device
from selfdana_lite.draws import seeded
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
# The fewer weights move, the farther each must go.
LEARNING_RATES = {"full": 1e-3, "partial": 1e-3, "bitfit": 1e-2, "layernorm": 1e-2, "linear": 1e-2}


@dataclass(frozen=True)
class FineTuneConfig(TrainConfig):
    """The loop's settings, with our defaults for tuning on labels."""

    epochs: int = 40
    learning_rate: float | None = None  # None: the strategy's own, in LEARNING_RATES
    window: float = 0.5  # share of a recording that a step sees, at a place of its own: few labels are soon learnt by heart

    def __post_init__(self):
        if not 0 < self.window <= 1:
            raise ValueError(f"window is {self.window:g}; expected a share of the recording, above 0 and up to 1.")
        super().__post_init__()


# A control of every table: a network that never learnt without labels, from random weights. For our kind this rate did best
# across two pairs of folds (.876, mean over the lead sets; half of it .873, twice .874), for the large rival a smaller one.
FROM_SCRATCH = FineTuneConfig(epochs=60, learning_rate=8e-3)
FROM_SCRATCH_RATES = {"zero-pad": 2e-3}  # of the kinds for which it is another


def fine_tune(
    encoder: Encoder | Classifier,
    dataset: EcgDataset,
    leads: str | Iterable[str] = ANY,
    strategy: str = "full",
    config: FineTuneConfig | None = None,
    *,
    teacher: Classifier | None = None,
    validation: EcgDataset | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool = True,
) -> Classifier:
    """A classifier tuned with labels from a copy of the encoder; its `history` tells how it went.

    encoder: or a classifier, whose head is gone on from, too. A linear probe first, then this: "LP-FT" (Kumar et al. 2022),
        which spares the encoder the large first steps that a random head asks of it.
    leads: one lead set, whose leads alone are read, and LeadError where a recording lacks one; or "any": in every batch
        a random subset of the leads that are there.
    strategy: one of STRATEGIES. A fresh encoder with "full" is supervised training from scratch. Batch norm: "full" measures
        its statistics on the new recordings, "partial" those of the trunk; all others keep those of pre-training.
    teacher: a classifier whose probabilities take the labels' place as soft targets (distillation, Hinton et al. 2015). It is
        asked with the leads that it was tuned for, or with all of the dataset's: what twelve leads tell is taught to a
        student that is shown few. Labels that the recordings may have are not looked at, so those without help, too.
    validation: recordings whose loss is watched each epoch; with config.patience the best epoch is kept.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"Unknown strategy {strategy!r}; choose one of {', '.join(STRATEGIES)}.")
    config = config or FineTuneConfig()
    if config.learning_rate is None:
        config = replace(config, learning_rate=LEARNING_RATES[strategy])
    leads = leads if leads == ANY else parse_leads(leads)
    _check_labels(encoder, dataset, validation, teacher)
    label_names = dataset.label_names if teacher is None else teacher.label_names
    encoder, head = (encoder.encoder, encoder.head) if isinstance(encoder, Classifier) else (encoder, None)
    for source in (dataset, validation or dataset):
        encoder.refuse_other_rate(source.sampling_rate_hz)
        if leads != ANY:
            source.require(leads)
    clf = _start(encoder, head, label_names, leads, strategy, config.seed)
    device = clf.head.weight.device
    targets_of = {part: _targets(part, teacher) for part in (dataset, validation) if part is not None}

    def prepare(source: EcgDataset, rows: np.ndarray, generator: torch.Generator) -> list[Tensor]:
        targets = targets_of[source][rows]  # [B, classes]
        if leads == ANY:
            signals_mv, ids = random_leads(source, rows, generator)
        else:
            signals_mv, ids = source.batch(rows, leads), torch.tensor(lead_ids(leads))
        if source is dataset:  # validation recordings are seen whole
            signals_mv = random_crop(signals_mv, math.ceil(config.window * source.n_samples), generator)
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
            "labels": label_names,
            "leads": leads,
            "strategy": strategy,
            "digests": [part and part.digest for part in (dataset, validation)],
        }
        | ({} if teacher is None else {"teacher": _digest(teacher)}),
        progress=progress,
    )
    return clf


def _check_labels(
    encoder: Encoder | Classifier, dataset: EcgDataset, validation: EcgDataset | None, teacher: Classifier | None
) -> None:
    """ValueError where there is nothing to learn, or what is there already knows other labels."""
    if teacher is None:
        refuse_constant_labels(dataset.labels, dataset.label_names)
        if validation is not None and validation.label_names != dataset.label_names:
            raise ValueError(
                f"The validation recordings have the labels {', '.join(validation.label_names)}; expected those of the "
                f"training recordings, {', '.join(dataset.label_names)}, in the same order."
            )
    elif not isinstance(teacher, Classifier):
        raise ValueError(
            f"The teacher is of type {type(teacher).__name__}; expected a Classifier, as linear_probe and fine_tune return."
        )
    whose, wanted = ("recordings'", dataset.label_names) if teacher is None else ("teacher's", teacher.label_names)
    if isinstance(encoder, Classifier) and encoder.label_names != wanted:
        raise ValueError(
            f"The classifier to go on from knows {', '.join(encoder.label_names)}; the {whose} labels are {', '.join(wanted)}. "
            f"Pass its encoder instead, for a new head: fine_tune(clf.encoder, ...)."
        )


def _targets(dataset: EcgDataset, teacher: Classifier | None) -> Tensor:
    """What is to be learnt of each recording, float32 [records, classes]: its labels, or what the teacher says of it."""
    if teacher is None:
        return torch.from_numpy(dataset.labels).float()
    probabilities = teacher.predict_proba(dataset, dataset.leads if teacher.leads == ANY else teacher.leads)
    if not np.isfinite(probabilities).all():
        raise ValueError("The teacher's probabilities are NaN or infinite; look at its weights, or train it anew.")
    return torch.from_numpy(probabilities)


def _digest(clf: Classifier) -> str:
    """Of the weights: a run goes on with the same teacher only."""
    arrays = (tensor.cpu().contiguous().numpy() for tensor in clf.state_dict().values())
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def _start(
    encoder: Encoder,
    head: nn.Linear | None,
    label_names: tuple[str, ...],
    leads: tuple[str, ...] | str,
    strategy: str,
    seed: int,
) -> Classifier:
    """The classifier before its first step, with what the strategy tunes asking for gradients."""
    with seeded(seed):  # the head's first weights
        clf = Classifier(copy.deepcopy(encoder), label_names, leads, frozen=strategy not in ("full", "partial"))
    if head is not None:
        clf.head.load_state_dict(head.state_dict())
    tuned = {id(parameter) for parameter in tuned_parameters(clf.encoder, strategy)}
    for parameter in clf.encoder.parameters():
        parameter.requires_grad_(id(parameter) in tuned)
    return clf.to(next(encoder.parameters()).device)


def tuned_parameters(encoder: Encoder, strategy: str) -> list[nn.Parameter]:
    """What one of STRATEGIES trains of an encoder; a head is always trained, too."""
    if strategy == "full":
        return list(encoder.parameters())
    if strategy == "partial":
        return list(encoder.trunk.parameters())
    if strategy == "bitfit":
        return [parameter for name, parameter in encoder.named_parameters() if name.endswith("bias")]
    if strategy == "layernorm":
        norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d | nn.LayerNorm)]
        return [parameter for module in norms for parameter in module.parameters()]
    return []
