"""What a frozen encoder knows, asked with labels: embeddings, a linear probe on them, and its scores."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.batches import alike_together, shuffled_batches
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.encoders import Encoder
from selfdana_lite.leads import LeadError, parse_leads
from selfdana_lite.mixed_leads import lead_counts, random_leads
from selfdana_lite.recording import Recording
from selfdana_lite.scores import Scores, refuse_constant_labels, refuse_no_labels, score

ANY = "any"  # leads="any": random lead subsets in training, so that one head serves every lead set
L2_PENALTIES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)  # tried for every probe, whatever the encoder
HELD_OUT_PATIENTS = 250  # at least so many choose a penalty, in up to four parts: fewer would choose by luck


class Classifier(nn.Module):
    """An encoder and a linear head: signals [B, k, T] and leads -> one logit a class, [B, classes]."""

    def __init__(self, encoder: Encoder, label_names: Iterable[str], leads: tuple[str, ...] | str, frozen: bool = True):
        super().__init__()
        self.encoder, self.label_names, self.leads, self.frozen = encoder, tuple(label_names), leads, frozen
        self.head = nn.Linear(encoder.embedding_size, len(self.label_names))
        self.history = pd.DataFrame()

    def forward(self, signals_mv: Tensor, leads: str | Iterable[str] | Tensor) -> Tensor:
        return self.head(self.encoder(signals_mv, leads))

    def train(self, mode: bool = True) -> "Classifier":
        """What has no weights to tune stays in eval mode, so that its batch statistics remain those of pre-training."""
        super().train(mode)
        for part in self.encoder.children():
            part.train(mode and not self.frozen and any(p.requires_grad for p in part.parameters()))
        return self

    def predict_proba(self, dataset: EcgDataset, leads: str | Iterable[str]) -> np.ndarray:
        """Probability of each class, float32 [records, classes], from the given leads alone.

        Raises LeadError where a recording lacks one of them: dataset.where(has=leads) keeps those that have them.
        """
        with torch.no_grad():
            logits = self.eval().head(torch.from_numpy(embed(self.encoder, dataset, leads)).to(self.head.weight.device))
        return torch.sigmoid(logits).cpu().numpy()


@torch.no_grad()
def embed(
    encoder: Encoder, dataset: EcgDataset | Recording, leads: str | Iterable[str] | None = None, batch_size: int = 256
) -> np.ndarray:
    """Embeddings float32 [records, embedding_size], from the given leads alone; the encoder is put in eval mode.

    leads: all of the dataset's if none are given. One recording, whole, with its standard leads or those given, makes [1, D]:

        embed(encoder, read_recording("visit.edf").resample(100).window(0, 10))

    Raises LeadError where a recording lacks one of them: dataset.where(has=leads) keeps those that have them. Raises
    ValueError for another sampling rate than the encoder's, for missing samples, and for what is no recording.
    """
    if not isinstance(dataset, EcgDataset | Recording):
        raise ValueError(
            f"Found a {type(dataset).__name__}, expected an EcgDataset or a Recording; read_recording reads one from a file."
        )
    if isinstance(dataset, Recording):
        return _embed_recording(encoder, dataset, leads)
    names, device = parse_leads(dataset.leads if leads is None else leads), next(encoder.parameters()).device
    encoder.refuse_other_rate(dataset.sampling_rate_hz)
    dataset.require(names)
    encoder.eval()
    starts = range(0, len(dataset), batch_size)
    batches = (np.arange(start, min(start + batch_size, len(dataset))) for start in starts)
    return torch.cat([encoder(dataset.batch(rows, names).to(device), names) for rows in batches]).cpu().numpy()


def _embed_recording(encoder: Encoder, recording: Recording, leads: str | Iterable[str] | None) -> np.ndarray:
    if leads is None and not recording.standard_leads:
        raise LeadError(f"None of {', '.join(recording.leads)} is one of the twelve leads; say with rename() which they are.")
    names = parse_leads(recording.standard_leads if leads is None else leads)
    encoder.refuse_other_rate(recording.sampling_rate_hz)
    signal_mv = torch.from_numpy(recording.select(names).signal_mv[None])  # [1, leads, samples]
    return encoder.eval()(signal_mv.to(next(encoder.parameters()).device), names).cpu().numpy()


def evaluate(clf: Classifier, dataset: EcgDataset, leads: str | Iterable[str], bootstrap: int = 1000) -> Scores:
    """Scores of the classifier on a dataset with only the given leads; intervals over patients."""
    predictions = predict_labels(clf, dataset, leads)
    return score(dataset.labels, predictions, dataset.label_names, dataset.patient_ids, bootstrap)


def predict_labels(clf: Classifier, dataset: EcgDataset, leads: str | Iterable[str]) -> np.ndarray:
    """Probabilities of exactly the dataset's labels, [records, classes]; ValueError where the classifier knows others."""
    refuse_no_labels(dataset.label_names)
    if clf.label_names != dataset.label_names:
        raise ValueError(
            f"The classifier knows {', '.join(clf.label_names)}; the dataset's labels are {', '.join(dataset.label_names)}. "
            f"Ask it about a dataset with the same labels in the same order."
        )
    return clf.predict_proba(dataset, leads)


def linear_probe(
    encoder: Encoder, dataset: EcgDataset, leads: str | Iterable[str] = ANY, seed: int = 0, draws: int = 6
) -> Classifier:
    """A logistic regression a class on frozen embeddings; the encoder is shared, not changed.

    leads: one lead set, or "any": then every recording is embedded `draws` times with random subsets
    of the leads that it has, and one head learns from all of them. How strongly the head is regularised is chosen
    on a quarter of the patients, held out, or on more of the quarters in turn where one has fewer than 250 patients; then
    it is fitted on all.
    """
    refuse_constant_labels(dataset.labels, dataset.label_names)
    if leads == ANY:
        embeddings = _embed_random_subsets(encoder, dataset, draws, seed)  # [draws * N, D]
    else:
        leads, draws = parse_leads(leads), 1
        embeddings = embed(encoder, dataset, leads)
    labels, patients = np.tile(dataset.labels, (draws, 1)), np.tile(dataset.patient_ids, draws)
    mean, deviation = embeddings.mean(axis=0), embeddings.std(axis=0) + 1e-6
    standardised = torch.from_numpy((embeddings - mean) / deviation)
    weight, bias = _choose_logistic(standardised, torch.from_numpy(labels).float(), patients, dataset.label_names, seed)
    with torch.random.fork_rng(devices=[]):  # a new head draws weights, replaced here; nobody else's draws change
        clf = Classifier(encoder, dataset.label_names, leads)
    with torch.no_grad():  # the head takes raw embeddings: fold the standardisation into it
        clf.head.weight.copy_(weight / torch.from_numpy(deviation))
        clf.head.bias.copy_(bias - clf.head.weight @ torch.from_numpy(mean))
    return clf.to(next(encoder.parameters()).device).eval()


def _choose_logistic(
    x: Tensor, labels: Tensor, patients: np.ndarray, label_names: Sequence[str], seed: int
) -> tuple[Tensor, Tensor]:
    """Weight [classes, D] and bias [classes], regularised as suits held-out patients best."""
    everyone = np.random.default_rng(seed).permutation(np.unique(patients))
    quarter = max(1, len(everyone) // 4)
    parts = [everyone[i * quarter : (i + 1) * quarter] for i in range(min(4, math.ceil(HELD_OUT_PATIENTS / quarter)))]
    aurocs = [_aurocs_of_penalties(x, labels, patients, np.isin(patients, part), label_names) for part in parts]
    aurocs = [each for each in aurocs if each]
    if not aurocs:
        raise ValueError(
            f"No class ({', '.join(label_names)}) is both present and absent among {quarter} patients held out and among the "
            f"others, so the probe's regularisation cannot be chosen; take more recordings."
        )
    return fit_logistic(x, labels, L2_PENALTIES[np.mean(aurocs, axis=0).argmax()])


def _aurocs_of_penalties(
    x: Tensor, labels: Tensor, patients: np.ndarray, held_out: np.ndarray, label_names: Sequence[str]
) -> list[float]:
    """The macro AUROC on held-out rows, bool [N], for each of L2_PENALTIES; none where no class can be judged there."""
    fit_rows, check_rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    fitted, checks = labels[fit_rows].numpy(), labels[check_rows].numpy()
    judged = [c for c in range(labels.shape[1]) if len(np.unique(fitted[:, c])) == len(np.unique(checks[:, c])) == 2]
    if not judged:
        return []
    names, aurocs = [label_names[c] for c in judged], []
    for l2 in L2_PENALTIES:
        weight, bias = fit_logistic(x[fit_rows], labels[fit_rows], l2)
        predictions = (x[check_rows] @ weight.T + bias).numpy()
        scores = score(checks[:, judged], predictions[:, judged], names, patients[check_rows], bootstrap=0)
        aurocs.append(scores.macro_auroc)
    return aurocs


def fit_logistic(x: Tensor, labels: Tensor, l2: float) -> tuple[Tensor, Tensor]:
    """Logistic regression for all classes at once: x [N, D], labels [N, classes] -> weight [classes, D], bias [classes].

    Minimises the mean cross-entropy plus l2 / 2 times the squared weights, by L-BFGS from zero: what
    scikit-learn's LogisticRegression(C=1 / (l2 N)) finds one class at a time.
    """
    weight = torch.zeros(labels.shape[1], x.shape[1], requires_grad=True)
    bias = torch.zeros(labels.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(x @ weight.T + bias, labels, reduction="none").sum(1).mean()
        loss = loss + l2 / 2 * weight.pow(2).sum()
        loss.backward()
        return loss

    with one_thread():
        optimizer.step(closure)
    return weight.detach(), bias.detach()


@contextmanager
def one_thread() -> Iterator[None]:
    """For many small steps: a second thread saves nothing, and where another program wants its core each step waits for it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def _embed_random_subsets(encoder: Encoder, dataset: EcgDataset, draws: int, seed: int, batch_size: int = 64) -> np.ndarray:
    """Every recording `draws` times, each batch with a lead count of its own: [draws * records, embedding_size]."""
    encoder.refuse_other_rate(dataset.sampling_rate_hz)
    generator, device = torch.Generator().manual_seed(seed), next(encoder.parameters()).device
    encoder.eval()
    passes = []
    for _ in range(draws):
        shuffled = torch.randperm(len(dataset), generator=generator).numpy()
        order = torch.from_numpy(alike_together(shuffled, lead_counts(dataset)))
        batches = (random_leads(dataset, rows.numpy(), generator) for rows in order.split(batch_size))
        parts = [encoder(*on_device(device, batch)) for batch in batches]
        passes.append(torch.cat(parts)[order.argsort()])  # back to the order of the dataset
    return torch.cat(passes).cpu().numpy()


@torch.no_grad()
def settle_batch_norm(encoder: Encoder, dataset: EcgDataset, seed: int = 0) -> Encoder:
    """Measure an encoder's batch norm statistics on random subsets of the leads that are there; no weight changes.

    What a fair untrained control needs: fresh statistics (mean 0, variance 1) know nothing of
    millivolts, and would squash random features that are much better than that.
    """
    generator, device = torch.Generator().manual_seed(seed), next(encoder.parameters()).device
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    momentum = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over the batches
    encoder.train()
    for rows in shuffled_batches(len(dataset), 64, generator, lead_counts(dataset)):
        encoder(*on_device(device, random_leads(dataset, rows, generator)))
    for norm, usual in zip(norms, momentum, strict=True):
        norm.momentum = usual
    return encoder.eval()


def on_device(device: torch.device, tensors: Iterable[Tensor]) -> list[Tensor]:
    """The tensors of a batch, moved together."""
    return [tensor.to(device) for tensor in tensors]
