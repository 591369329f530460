"""Neighbours against a loop and scikit-learn, drift against closed forms, agreement against counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from selfdana_lite.explore.neighbours import (
    METRICS,
    Neighbours,
    agreement,
    chance_agreement,
    drift_of,
    kept_share,
    label_shared,
    nearest_neighbours,
)

some_seed = st.integers(0, 10_000)


def embeddings_of(seed, records=30, size=5):
    return np.random.default_rng(seed).normal(size=(records, size)) + 1


def distance_by_hand(a, b, metric):
    return np.sqrt(((a - b) ** 2).sum()) if metric == "euclidean" else 1 - a @ b / np.sqrt((a @ a) * (b @ b))


@pytest.mark.parametrize("metric", METRICS)
@given(some_seed)
def test_neighbours_are_those_of_a_plain_loop(metric, seed):
    embeddings, patient_ids = embeddings_of(seed), np.random.default_rng(seed).integers(0, 8, 30)
    found = nearest_neighbours(embeddings, patient_ids, 4, metric)
    for row, embedding in enumerate(embeddings):
        others = [other for other in range(30) if patient_ids[other] != patient_ids[row]]
        ranked = sorted(others, key=lambda other: distance_by_hand(embedding, embeddings[other], metric))
        assert found.rows[row].tolist() == ranked[:4]
        expected = [distance_by_hand(embedding, embeddings[other], metric) for other in ranked[:4]]
        np.testing.assert_allclose(found.distances[row], expected, rtol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_agree_with_scikit_learn(metric):
    embeddings = embeddings_of(0, 200, 64).astype(np.float32)
    distances, rows = NearestNeighbors(n_neighbors=6, metric=metric, algorithm="brute").fit(embeddings).kneighbors(embeddings)
    found = nearest_neighbours(embeddings, np.arange(200), 5, metric)
    np.testing.assert_array_equal(found.rows, rows[:, 1:])  # theirs begin with the recording itself
    np.testing.assert_allclose(found.distances, distances[:, 1:], rtol=1e-4)


def test_another_recording_of_the_patient_is_no_neighbour_even_if_it_is_the_same():
    embeddings = np.array([[0, 0], [0, 0], [1, 0], [5, 0]], float)
    found = nearest_neighbours(embeddings, np.array(["a", "a", "b", "c"]), 2)
    assert found.rows.tolist() == [[2, 3], [2, 3], [0, 1], [2, 0]]


@given(some_seed, st.floats(0.1, 10))
def test_cosine_ignores_the_length_of_an_embedding(seed, longer):
    embeddings, patient_ids = embeddings_of(seed), np.arange(30)
    one = nearest_neighbours(embeddings, patient_ids, 1, "cosine").distances
    np.testing.assert_allclose(nearest_neighbours(longer * embeddings, patient_ids, 1, "cosine").distances, one, atol=1e-9)


def test_neighbours_that_cannot_be_found_are_refused():
    embeddings = embeddings_of(0, 6)
    with pytest.raises(ValueError, match="Unknown metric 'l2'; choose one of euclidean, cosine"):
        nearest_neighbours(embeddings, np.arange(6), 2, "l2")
    with pytest.raises(ValueError, match="3 neighbours of other patients are wanted, but a recording has only 2"):
        nearest_neighbours(embeddings, np.array([0, 0, 0, 0, 1, 2]), 3)
    embeddings[2] = 0
    with pytest.raises(ValueError, match="nothing but zeros"):
        nearest_neighbours(embeddings, np.arange(6), 2, "cosine")


# Drift


def test_drift_of_nobody_is_zero():
    drift = drift_of(embeddings_of(0), embeddings_of(0))
    assert not drift.relative.any()
    assert drift.common == 0


def test_a_common_shift_is_all_common_and_as_long_as_it_is():
    corners = np.array([[0, 0], [3, 0], [0, 4]], float)  # 3, 4 and 5 apart: 4 on average
    drift = drift_of(corners, corners + np.array([6, 8]))
    np.testing.assert_allclose(drift.relative, 10 / 4)
    assert drift.common == pytest.approx(1)


def test_moves_that_cancel_have_nothing_in_common():
    before = np.array([[0, 0], [3, 0], [0, 4], [3, 4]], float)  # 3, 3, 4, 4, 5, 5 apart
    moves = np.array([[1, 0], [-1, 0], [0, 2], [0, -2]])
    drift = drift_of(before, before + moves)
    np.testing.assert_allclose(drift.relative, np.array([1, 1, 2, 2]) / 4)
    assert drift.common == pytest.approx(0)


@given(some_seed, st.floats(0.01, 100))
def test_drift_has_no_unit(seed, scale):
    before, now = embeddings_of(seed), embeddings_of(seed + 1)
    one, other = drift_of(before, now), drift_of(scale * before, scale * now)
    np.testing.assert_allclose(other.relative, one.relative, rtol=1e-9)
    assert other.common == pytest.approx(one.common)
    assert 0 <= one.common <= 1


def test_strangers_to_themselves_drift_by_one():
    """Embeddings drawn anew lie as far from their old places as any two lie apart."""
    drift = drift_of(embeddings_of(0, 2000, 20), embeddings_of(1, 2000, 20))
    assert drift.relative.mean() == pytest.approx(1, abs=0.02)
    assert drift.common < 0.01


# Who stays, and who shares a label


def neighbours_at(*rows):
    return Neighbours(np.array(rows), np.zeros((len(rows), len(rows[0]))))


def test_kept_neighbours_are_counted_in_any_order():
    before = neighbours_at([1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 3, 4])
    now = neighbours_at([4, 3, 2, 1], [1, 2, 3, 4], [9, 1, 8, 7])
    assert kept_share(before, now).tolist() == [1, 0, 0.25]


@given(some_seed)
def test_a_shift_and_a_scale_keep_every_neighbour(seed):
    embeddings, patient_ids = embeddings_of(seed), np.arange(30) // 2
    before, now = (nearest_neighbours(e, patient_ids, 3) for e in (embeddings, 2 * embeddings + 5))
    assert (kept_share(before, now) == 1).all()


def test_labels_are_shared_where_one_is_in_common():
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], np.uint8)
    assert label_shared(labels).astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert agreement(neighbours_at([1, 2], [0, 2], [0, 1], [0, 1]), labels).tolist() == [0.5, 1, 0.5, 0]
    assert chance_agreement(labels, np.arange(4)).tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 3, 0])
    assert chance_agreement(labels, np.array([0, 0, 1, 2])).tolist() == pytest.approx([0, 1 / 2, 1 / 3, 0])


def test_more_labels_than_a_byte_can_count_are_no_reason_to_miss_one():
    assert label_shared(np.ones((2, 256), np.uint8)).all()  # 256 in uint8 is 0


def test_blindly_drawn_neighbours_agree_as_by_chance():
    rng = np.random.default_rng(0)
    labels, patient_ids = (rng.random((400, 4)) < 0.3).astype(np.uint8), np.arange(400)
    found = agreement(nearest_neighbours(rng.normal(size=(400, 6)), patient_ids, 5), labels)
    assert found.mean() == pytest.approx(chance_agreement(labels, patient_ids).mean(), abs=0.03)
