"""How good are the predictions: AUROC per class and its mean, with bootstrap intervals over patients.

The AUROC is the chance that a recording with the diagnosis scores above one without. Intervals
resample patients, not recordings, because two recordings of one person are not two pieces of news.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scores:
    """Macro AUROC (mean over classes) and each class's own, with 95 % intervals (NaN where not asked for)."""

    macro_auroc: float
    interval: tuple[float, float]
    per_class: dict[str, float]
    per_class_interval: dict[str, tuple[float, float]]
    n_records: int
    n_patients: int

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {value:.3f}" for name, value in self.per_class.items())
        return f"macro AUROC {self.macro_auroc:.3f} [{self.interval[0]:.3f}, {self.interval[1]:.3f}] ({classes})"


def auroc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve, ties counted half: labels [N], scores [N], weights [R, N] -> [R].

    weights: how often each recording counts in each of R resamples (once each where None). A
    resample that lacks one of the two outcomes gives NaN.
    """
    order = np.argsort(scores, kind="stable")
    weights = np.ones((1, len(scores))) if weights is None else weights
    group_start = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)  # equal scores make one group
    positive = np.add.reduceat(weights[:, order] * labels[order], group_start, axis=1)  # [R, groups]
    negative = np.add.reduceat(weights[:, order] * (1 - labels[order]), group_start, axis=1)
    below = np.cumsum(negative, axis=1) - negative  # negatives that score lower than this group
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    wins = (positive * (below + negative / 2)).sum(axis=1)
    return np.divide(wins, pairs, out=np.full(len(weights), np.nan), where=pairs > 0)


def auroc_of_each(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The AUROC of many predictions of the same thing: labels [N], both outcomes among them, scores [M, N] -> [M].

    By Mann and Whitney's ranks (1947): the positives' ranks, less what they would be if every positive came first.
    """
    from scipy.stats import rankdata  # here, because it takes a second to import

    positive = np.asarray(labels) == 1
    ranks = rankdata(scores, axis=1)[:, positive]  # ties share their mean rank: [M, positives]
    n_positive, n_negative = positive.sum(), (~positive).sum()
    return (ranks.sum(axis=1) - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def refuse_no_labels(label_names: Sequence[str]) -> None:
    """ValueError for a dataset without labels: it can be pre-trained on and embedded, and nothing else."""
    if not len(label_names):
        raise ValueError("This dataset has no labels, so nothing can be learnt or scored; give label_names= to build.")


def refuse_constant_labels(labels: np.ndarray, label_names: Sequence[str], what: str = "") -> None:
    """ValueError where a class is present in all recordings or in none: nothing can be learnt or scored about it."""
    refuse_no_labels(label_names)
    constant = [name for name, column in zip(label_names, labels.T, strict=True) if len(np.unique(column)) < 2]
    if constant:
        raise ValueError(
            f"Among these {what or f'{len(labels)} recordings'} {', '.join(constant)} is present in all or in none, so nothing "
            f"can be learnt or scored about it; take more recordings."
        )


def score(
    labels: np.ndarray,
    predictions: np.ndarray,
    label_names: Sequence[str],
    patient_ids: np.ndarray,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Scores:
    """Scores of predictions [N, classes] against 0/1 labels [N, classes].

    bootstrap: resamples of patients behind the intervals; 0 for none. Raises ValueError where a
    class has no positive or no negative recording, because then it has no AUROC, or a prediction
    is missing or not finite.
    """
    labels = np.asarray(labels, dtype=np.float64)
    if predictions.shape != labels.shape or not np.isfinite(predictions).all():
        raise ValueError(
            f"Expected a finite prediction for each of the labels {labels.shape}; found {predictions.shape}, of which "
            f"{np.count_nonzero(~np.isfinite(predictions))} are NaN or infinite."
        )
    refuse_constant_labels(labels, label_names)
    point = np.array([auroc(labels[:, c], predictions[:, c])[0] for c in range(labels.shape[1])])
    patients, patient_of = np.unique(patient_ids, return_inverse=True)
    low_high = np.full((2, labels.shape[1] + 1), np.nan)
    if bootstrap:
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(patients), np.full(len(patients), 1 / len(patients)), size=bootstrap)
        weights = drawn[:, patient_of].astype(np.float64)  # [bootstrap, N]
        resampled = np.stack([auroc(labels[:, c], predictions[:, c], weights) for c in range(labels.shape[1])], axis=1)
        with_macro = np.column_stack([resampled, resampled.mean(axis=1)])  # [bootstrap, classes + 1]
        low_high = np.nanpercentile(with_macro, [2.5, 97.5], axis=0)
    intervals = [(float(low), float(high)) for low, high in low_high.T]
    return Scores(
        macro_auroc=float(point.mean()),
        interval=intervals[-1],
        per_class=dict(zip(label_names, point.tolist(), strict=True)),
        per_class_interval=dict(zip(label_names, intervals[:-1], strict=True)),
        n_records=len(labels),
        n_patients=len(patients),
    )
