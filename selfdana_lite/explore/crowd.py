"""One recording among many: where its embedding lies, which samples are nearest, and what a probe makes of it.

A `Crowd` is the samples seen through some leads; an `Answer` is one recording beside them, seen through the same leads.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, embed
from selfdana_lite.leads import LEAD_SETS, LEADS, LeadError, parse_leads
from selfdana_lite.recording import Recording

UNLABELLED = "no label"


@dataclass(frozen=True, eq=False)
class Crowd:
    """Samples through some leads. Each number of an embedding is centred and scaled by all of them before distances count."""

    leads: tuple[str, ...]
    embeddings: np.ndarray  # [records, D], standardised
    mean: np.ndarray  # [D], of the raw embeddings
    deviation: np.ndarray  # [D]
    axes: np.ndarray  # [2, D], the first two principal components
    explained: float  # the share of the variance that lies along them
    loneliness: np.ndarray  # [records], from each to the nearest sample of another patient
    probabilities: np.ndarray  # [records, classes]
    labels: np.ndarray  # [records, classes]
    label_names: tuple[str, ...]
    table: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Answer:
    """One recording beside a crowd: its place on the map [2], its distance to each sample, a probability a class."""

    place: np.ndarray
    distances: np.ndarray  # [records]
    probabilities: np.ndarray  # [classes]


class Crowds:
    """The same samples through any leads; each set of leads is embedded once, and kept."""

    def __init__(self, clf: Classifier, samples: EcgDataset) -> None:
        self.clf, self.samples = clf, samples
        self._kept: dict[tuple[str, ...], Crowd] = {}

    def through(self, leads: str | Iterable[str]) -> Crowd:
        """crowd_of these leads, whose order does not matter."""
        names = tuple(sorted(parse_leads(leads), key=LEADS.index))
        if names not in self._kept:
            self._kept[names] = crowd_of(self.clf, self.samples, names)
        return self._kept[names]


def crowd_of(clf: Classifier, samples: EcgDataset, leads: str | Iterable[str]) -> Crowd:
    """The samples through these leads. Take samples that the classifier has not learnt from.

    Raises LeadError where a sample lacks one of the leads.
    """
    names = parse_leads(leads)
    raw = embed(clf.encoder, samples, names)  # [records, D]
    mean, deviation = raw.mean(axis=0), raw.std(axis=0) + 1e-6
    standard = (raw - mean) / deviation
    _, sizes, axes = np.linalg.svd(standard, full_matrices=False)
    strangers = samples.patient_ids[:, None] != samples.patient_ids[None, :]  # [records, records]
    return Crowd(
        leads=names,
        embeddings=standard,
        mean=mean,
        deviation=deviation,
        axes=_with_settled_signs(axes[:2]),
        explained=float((sizes[:2] ** 2).sum() / (sizes**2).sum()),
        loneliness=np.where(strangers, _distances(standard, standard), np.inf).min(axis=1),
        probabilities=_probabilities(clf, torch.from_numpy(raw).to(clf.head.weight.device)),
        labels=samples.labels,
        label_names=samples.label_names,
        table=samples.table,
    )


@torch.no_grad()
def _probabilities(clf: Classifier, raw: torch.Tensor) -> np.ndarray:
    """What the head makes of embeddings [records, D]: [records, classes]."""
    return torch.sigmoid(clf.head(raw)).cpu().numpy()


def _with_settled_signs(axes: np.ndarray) -> np.ndarray:
    """The same axes [2, D], the largest weight of each positive: a decomposition leaves open which way they point."""
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return axes * np.sign(largest)[:, None]


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean, from each row of a [n, D] to each row of b [m, D]: [n, m]."""
    return np.stack([np.linalg.norm(b - row, axis=1) for row in a])


@torch.no_grad()
def answer_for(clf: Classifier, recording: Recording, crowd: Crowd) -> Answer:
    """The recording through the crowd's leads; LeadError where it lacks one, ValueError for another sampling rate."""
    clf.eval().encoder.refuse_other_rate(recording.sampling_rate_hz)
    signals_mv = torch.from_numpy(recording.select(crowd.leads).signal_mv)[None]  # [1, leads, samples]
    raw = clf.encoder(signals_mv.to(clf.head.weight.device), crowd.leads)  # [1, D]
    standard = (raw[0].cpu().numpy() - crowd.mean) / crowd.deviation
    distances = _distances(standard[None], crowd.embeddings)[0]
    return Answer(crowd.axes @ standard, distances, _probabilities(clf, raw)[0])


def what_if_file(clf: Classifier, recording: Recording) -> pd.DataFrame:
    """The probabilities of one recording with each lead set that it has: lead_set, leads, n_leads, and one column a class.

    The first row is for all its leads, "all there are". Raises LeadError where none is among the twelve.
    """
    if not recording.standard_leads:
        raise LeadError(f"None of the leads {', '.join(recording.leads)} is one of the twelve; rename them first.")
    sets = {"all there are": recording.standard_leads}
    sets |= {name: leads for name, leads in LEAD_SETS.items() if set(leads) <= set(recording.standard_leads)}
    rows = []
    clf.eval().encoder.refuse_other_rate(recording.sampling_rate_hz)
    for name, leads in sets.items():
        signals_mv = torch.from_numpy(recording.select(leads).signal_mv)[None]  # [1, leads, samples]
        with torch.no_grad():
            logits = clf(signals_mv.to(clf.head.weight.device), leads)[0]
        found = dict(zip(clf.label_names, torch.sigmoid(logits).tolist(), strict=True))
        rows.append({"lead_set": name, "leads": ", ".join(leads), "n_leads": len(leads)} | found)
    return pd.DataFrame(rows)


def nearest_samples(answer: Answer, crowd: Crowd, count: int = 5) -> pd.DataFrame:
    """The nearest samples, nearest first: record_id, labels and distance."""
    nearest = answer.distances.argsort()[:count]
    return pd.DataFrame(
        {
            "record_id": crowd.table["record_id"].to_numpy()[nearest],
            "labels": [labels_in_words(row, crowd) for row in nearest],
            "distance": answer.distances[nearest],
        },
        index=pd.RangeIndex(1, len(nearest) + 1, name="rank"),
    )


def strangeness(answer: Answer, crowd: Crowd) -> float:
    """The share of the samples that lie nearer to another patient's sample than this recording does to any: 0 to 1."""
    return float((crowd.loneliness < answer.distances.min()).mean())


def labels_in_words(row: int, crowd: Crowd) -> str:
    """The labels of one of the samples."""
    return ", ".join(np.array(crowd.label_names)[crowd.labels[row] == 1]) or UNLABELLED
