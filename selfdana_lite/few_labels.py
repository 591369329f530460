"""Few labels, drawn fairly: whole patients, and every class keeps its share."""

import numpy as np

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.scores import refuse_no_labels


def few_labels(dataset: EcgDataset, share: float, seed: int = 0, at_least: int = 3) -> EcgDataset:
    """A view of the recordings of a share of the patients, as if only these had been labelled.

    Every class keeps that share of its patients, and at least `at_least` of them, so that very few labels are some more
    than asked for: len() of the view says how many. Patients without any of the classes keep their share, too. Classes are
    served from the rarest to the most common, which hands over patients who have several (after Sechidis et al. 2011).

    Raises ValueError for a share outside 0 to 1, a dataset without labels, and a class with too few patients.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share:g}; expected above 0 and up to 1: 0.1 is a tenth of the patients.")
    refuse_no_labels(dataset.label_names)
    patients, patient_of = np.unique(dataset.patient_ids, return_inverse=True)
    has = np.zeros((len(patients), len(dataset.label_names)), bool)
    np.logical_or.at(has, patient_of, dataset.labels.astype(bool))  # [patients, classes]: in any of their recordings
    _refuse_rare(has.sum(axis=0), dataset.label_names, at_least)

    strata = np.column_stack([has, ~has.any(axis=1)])  # [patients, classes + 1]: the last are those without any class
    wanted = np.ceil(share * strata.sum(axis=0)).astype(int)
    wanted[:-1] = np.maximum(wanted[:-1], at_least)
    shuffled = np.random.default_rng(seed).permutation(len(patients))
    chosen = np.zeros(len(patients), bool)
    for stratum in strata.sum(axis=0).argsort(kind="stable"):
        candidates = shuffled[strata[shuffled, stratum] & ~chosen[shuffled]]
        chosen[candidates[: max(0, wanted[stratum] - (strata[:, stratum] & chosen).sum())]] = True
    return dataset.where(rows=chosen[patient_of])


def _refuse_rare(n_patients: np.ndarray, label_names: tuple[str, ...], at_least: int) -> None:
    rare = [f"{name} {n}" for name, n in zip(label_names, n_patients, strict=True) if n < at_least]
    if rare:
        raise ValueError(f"Too few patients have {', '.join(rare)}: each class keeps at least {at_least}; lower at_least.")
