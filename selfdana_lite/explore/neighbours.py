"""Who lies near whom, and who moves when leads go: counted in the whole embedding, never on a map of it."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist

METRICS = ("euclidean", "cosine")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest recordings of other patients, nearest first: their rows int [records, k] and distances [records, k]."""

    rows: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, eq=False)
class Drift:
    """How far each recording moves, [records]: 1 is as far as two recordings lie apart before, on average.

    common: the share of the mean squared drift that all recordings have in common, 0 to 1. It leaves distances alone.
    """

    relative: np.ndarray
    common: float


def nearest_neighbours(embeddings: np.ndarray, patient_ids: np.ndarray, k: int, metric: str = "euclidean") -> Neighbours:
    """Of embeddings [records, D]. A patient's other recordings do not count: they would resemble it whatever the encoder.

    Raises ValueError for an unknown metric, or where some recording has fewer than k of other patients beside it.
    """
    if metric not in METRICS:
        raise ValueError(f"Unknown metric {metric!r}; choose one of {', '.join(METRICS)}.")
    others = patient_ids[:, None] != patient_ids[None, :]  # [records, records]
    if (fewest := others.sum(axis=1).min()) < k:
        raise ValueError(f"{k} neighbours of other patients are wanted, but a recording has only {fewest}; take more patients.")
    distances = cdist(embeddings, embeddings, metric)  # [records, records]
    if np.isnan(distances).any():
        raise ValueError("An embedding of nothing but zeros, or of what is no number, has no neighbours; check the encoder.")
    distances = np.where(others, distances, np.inf)
    rows = distances.argsort(axis=1, kind="stable")[:, :k]
    return Neighbours(rows, np.take_along_axis(distances, rows, axis=1))


def drift_of(before: np.ndarray, now: np.ndarray) -> Drift:
    """How far embeddings [records, D] move from before to now."""
    moves = (now - before).astype(np.float64)  # [records, D]
    mean_square = (moves**2).sum(axis=1).mean()
    common = (moves.mean(axis=0) ** 2).sum() / mean_square if mean_square else 0.0
    return Drift(np.linalg.norm(moves, axis=1) / pdist(before).mean(), float(common))


def kept_share(before: Neighbours, now: Neighbours) -> np.ndarray:
    """The share of each recording's neighbours before that are among its neighbours now: [records], 0 to 1."""
    kept = before.rows[:, :, None] == now.rows[:, None, :]  # [records, k, k]
    return kept.any(axis=2).mean(axis=1)


def label_shared(labels: np.ndarray) -> np.ndarray:
    """bool [records, records] of labels 0/1 [records, classes]: whether two recordings have a label in common."""
    return labels.astype(int) @ labels.T.astype(int) > 0


def agreement(neighbours: Neighbours, labels: np.ndarray) -> np.ndarray:
    """The share of each recording's neighbours that have a label in common with it: [records]."""
    return np.take_along_axis(label_shared(labels), neighbours.rows, axis=1).mean(axis=1)


def chance_agreement(labels: np.ndarray, patient_ids: np.ndarray) -> np.ndarray:
    """What `agreement` would be on average for neighbours drawn blindly among the other patients: [records]."""
    others = patient_ids[:, None] != patient_ids[None, :]  # [records, records]
    return (label_shared(labels) & others).sum(axis=1) / others.sum(axis=1)
