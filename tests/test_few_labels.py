"""Few labels: whole patients, every class with its share, and nobody is drawn by who they are but by the seed."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small import in_memory

import selfdana_lite as sd
from selfdana_lite.leads import LEADS

NAMES = ("NORM", "MI", "HYP")


def labelled(labels, patients, names=NAMES) -> sd.EcgDataset:
    """Recordings of two samples each, with these labels [records, classes] of these patients."""
    labels, signals_uv = np.asarray(labels), np.tile(np.int16([0, 1]), (len(labels), 12, 1))
    table = pd.DataFrame({"record_id": np.arange(len(labels)), "patient_id": patients, "fold": 1})
    return in_memory(signals_uv, table.assign(**dict(zip(names, labels.T, strict=True))), LEADS, list(names))


def crowd(n_records: int, seed: int) -> sd.EcgDataset:
    """Common, less common and rare classes, also together; one to four recordings a patient."""
    rng = np.random.default_rng(seed)
    patients = np.sort(rng.integers(0, max(4, n_records // 2), n_records))
    labels = (rng.random((n_records, 3)) < [0.4, 0.25, 0.1]).astype(int)
    return labelled(labels, patients)


def patients_with(dataset) -> np.ndarray:
    """How many patients have each class, and how many have none."""
    by_patient = pd.DataFrame(dataset.labels).groupby(dataset.patient_ids).max()
    return np.append(by_patient.sum(), (by_patient.sum(axis=1) == 0).sum())


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(60, 300), st.floats(0.01, 1), st.integers(0, 1000))
def test_every_class_keeps_its_share_of_patients_and_patients_stay_whole(n_records, share, seed):
    dataset = crowd(n_records, seed)
    few = sd.few_labels(dataset, share, seed, at_least=1)
    for patient in np.unique(few.patient_ids):
        assert (few.patient_ids == patient).sum() == (dataset.patient_ids == patient).sum()
    there, kept = patients_with(dataset), patients_with(few)
    assert (kept >= np.ceil(share * there)).all()
    assert kept[:3].min() >= 1
    assert kept[3] == np.ceil(share * there[3]), "nobody brings in a patient without any class"
    assert kept.sum() <= np.ceil(share * there).sum() + share * there.sum() + 4, "a share, not everybody"


def test_all_labels_are_all_recordings_in_their_order():
    dataset = crowd(80, 0)
    assert sd.few_labels(dataset, 1.0).table.equals(dataset.table)


def test_rare_classes_keep_a_few():
    dataset = crowd(400, 1)
    for seed in range(5):
        assert patients_with(sd.few_labels(dataset, 0.01, seed))[:3].min() >= 3
        assert patients_with(sd.few_labels(dataset, 0.01, seed, at_least=6))[:3].min() >= 6
    assert len(sd.few_labels(dataset, 0.01)) < 30


def test_the_seed_alone_decides_and_every_patient_has_a_chance():
    dataset = crowd(200, 2)
    first, again = (sd.few_labels(dataset, 0.1, seed=0) for _ in range(2))
    assert first.digest == again.digest
    drawn = [set(sd.few_labels(dataset, 0.1, seed).patient_ids) for seed in range(120)]
    assert len({frozenset(one) for one in drawn}) == 120
    assert set().union(*drawn) == set(dataset.patient_ids)


def test_rows_far_apart_of_one_patient_come_together():
    few = sd.few_labels(labelled(np.eye(3, dtype=int)[[0, 1, 2, 0]], [7, 8, 9, 7]), 0.5, at_least=1)
    assert sorted(few.patient_ids) == [7, 7, 8, 9]


def test_the_samples_and_their_shares():
    train = sd.EcgDataset.open().where(folds=range(1, 9))
    for share in (0.05, 0.1, 0.5):
        few = sd.few_labels(train, share, seed=3)
        assert len(few) / len(train) == pytest.approx(share, rel=0.5)
        assert few.labels.mean(axis=0) == pytest.approx(train.labels.mean(axis=0), abs=0.15)


@pytest.mark.parametrize("share", [0, -0.1, 1.01, 10, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match=r"share is .*; expected above 0 and up to 1: 0.1 is a tenth"):
        sd.few_labels(crowd(60, 0), share)


def test_what_cannot_be_kept_is_refused_by_name():
    rare = labelled([[1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1]], [1, 2, 3, 3])
    with pytest.raises(ValueError, match="Too few patients have MI 2, HYP 1: each class keeps at least 3; lower at_least"):
        sd.few_labels(rare, 0.5)
    assert len(sd.few_labels(rare, 0.5, at_least=1)) >= 2
    bare = labelled(np.zeros((4, 0), int), [1, 2, 3, 4], ())
    with pytest.raises(ValueError, match="dataset has no labels"):
        sd.few_labels(bare, 0.5)
