"""How good are the predictions: AUROC per class and its mean, with bootstrap intervals over patients.

The AUROC is the chance that a recording with the diagnosis scores above one without. Intervals
resample patients, not recordings, because two recordings of one person are not two pieces of news.
Two classifiers asked about the same recordings share their luck with the patients, so their difference has an
interval of its own, often much narrower than theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch


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


@dataclass(frozen=True)
class Difference(Scores):
    """The same for one classifier's scores less another's, on the same recordings."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval of the macro AUROC lies on one side of zero, so that chance with patients is no excuse."""
        return self.interval[0] > 0 or self.interval[1] < 0

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {value:+.3f}" for name, value in self.per_class.items())
        return f"macro AUROC {self.macro_auroc:+.3f} [{self.interval[0]:+.3f}, {self.interval[1]:+.3f}] ({classes})"


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

    Counted as Mann and Whitney do (1947): how many negatives each positive outscores, and half of those it ties with. By
    PyTorch, because NumPy's searchsorted takes one row at a time, and NumPy's sort is the faster.
    """
    positive = np.asarray(labels) == 1
    negatives = torch.from_numpy(np.sort(np.ascontiguousarray(scores[:, ~positive]), axis=1))  # [M, negatives]
    positives = torch.from_numpy(np.ascontiguousarray(scores[:, positive]))  # [M, positives]
    below, not_above = (torch.searchsorted(negatives, positives, side=side) for side in ("left", "right"))
    return (below + not_above).sum(dim=1).numpy() / (2 * positives.shape[1] * negatives.shape[1])


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
    labels = _checked(labels, [predictions], label_names)
    resampled = _resampled(labels, predictions, patient_ids, bootstrap, seed)
    return Scores(**_summary(_each_class(labels, predictions)[0], resampled, label_names, patient_ids))


def score_difference(
    labels: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    label_names: Sequence[str],
    patient_ids: np.ndarray,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Difference:
    """How much higher the first predictions [N, classes] score than the second, of the same recordings in the same order.

    Paired: in each resample both are scored on the same patients, so what makes those patients hard for both cancels.
    bootstrap and errors: as for score.
    """
    labels = _checked(labels, [first, second], label_names)
    point = _each_class(labels, first)[0] - _each_class(labels, second)[0]
    both = [_resampled(labels, predictions, patient_ids, bootstrap, seed) for predictions in (first, second)]
    return Difference(**_summary(point, both[0] - both[1], label_names, patient_ids))


def resampled_macro_auroc(
    labels: np.ndarray, predictions: np.ndarray, patient_ids: np.ndarray, bootstrap: int = 1000, seed: int = 0
) -> np.ndarray:
    """The macro AUROC in each resample of the patients, [bootstrap]; the same seed draws the same patients each time."""
    return _resampled(np.asarray(labels, dtype=np.float64), predictions, patient_ids, bootstrap, seed)[:, -1]


def _checked(labels: np.ndarray, all_predictions: Iterable[np.ndarray], label_names: Sequence[str]) -> np.ndarray:
    labels = np.asarray(labels, dtype=np.float64)
    for predictions in all_predictions:
        if predictions.shape != labels.shape or not np.isfinite(predictions).all():
            raise ValueError(
                f"Expected a finite prediction for each of the labels {labels.shape}; found {predictions.shape}, of which "
                f"{np.count_nonzero(~np.isfinite(predictions))} are NaN or infinite."
            )
    refuse_constant_labels(labels, label_names)
    return labels


def _each_class(labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The AUROC of each class and, last, their mean: [R, classes + 1]."""
    each = np.stack([auroc(labels[:, c], predictions[:, c], weights) for c in range(labels.shape[1])], axis=1)
    return np.column_stack([each, each.mean(axis=1)])


def _resampled(labels: np.ndarray, predictions: np.ndarray, patient_ids: np.ndarray, bootstrap: int, seed: int) -> np.ndarray:
    """The same in resamples of the patients, each drawn with replacement: [bootstrap, classes + 1]."""
    if not bootstrap:
        return np.empty((0, labels.shape[1] + 1))
    patients, patient_of = np.unique(patient_ids, return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(len(patients), np.full(len(patients), 1 / len(patients)), size=bootstrap)
    return _each_class(labels, predictions, drawn[:, patient_of].astype(np.float64))


def _summary(point: np.ndarray, resampled: np.ndarray, label_names: Sequence[str], patient_ids: np.ndarray) -> dict:
    """The fields of Scores: values [classes + 1] and the middle 95 % of their resamples [R, classes + 1]."""
    low_high = np.nanpercentile(resampled, [2.5, 97.5], axis=0) if len(resampled) else np.full((2, len(point)), np.nan)
    intervals = [(float(low), float(high)) for low, high in low_high.T]
    return {
        "macro_auroc": float(point[-1]),
        "interval": intervals[-1],
        "per_class": dict(zip(label_names, point[:-1].tolist(), strict=True)),
        "per_class_interval": dict(zip(label_names, intervals[:-1], strict=True)),
        "n_records": len(patient_ids),
        "n_patients": len(np.unique(patient_ids)),
    }
