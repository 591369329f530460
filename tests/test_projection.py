"""A map is what scikit-learn and openTSNE make of the same embeddings, keeps its frame, and says what it lacks."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from selfdana_lite.explore.projection import NEEDS, describe_missing, make_map, methods, pca


def some_embeddings(records=60, size=12, seed=0):
    """Four clouds, longer in some directions than in others, in float32 as encoders give them."""
    rng = np.random.default_rng(seed)
    centres = 4 * rng.normal(size=(4, size))
    return (centres[np.arange(records) % 4] + rng.normal(size=(records, size)) * np.linspace(2, 0.1, size)).astype(np.float32)


@pytest.mark.parametrize(("records", "size"), [(60, 12), (8, 40), (300, 2)])
def test_pca_agrees_with_scikit_learn(records, size):
    embeddings, others = some_embeddings(records, size), some_embeddings(20, size, seed=1)
    ours, theirs = make_map("PCA", embeddings), PCA(2, svd_solver="full").fit(embeddings.astype(np.float64))
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-6)
    signs = np.sign((theirs.transform(embeddings) * ours.places).sum(axis=0))
    np.testing.assert_allclose(ours.places, signs * theirs.transform(embeddings), atol=1e-4)
    np.testing.assert_allclose(ours.place(others), signs * theirs.transform(others), atol=1e-4)


@given(st.integers(0, 1000))
def test_a_turned_cloud_has_the_same_map(seed):
    """The signs are settled by the axes, so here only distances are compared."""
    embeddings = some_embeddings(20, 6, seed)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))
    np.testing.assert_allclose(pdist(pca(embeddings @ turn).places), pdist(pca(embeddings).places), rtol=1e-3, atol=1e-3)


def test_the_frame_stays_so_a_shift_moves_all_alike_and_nothing_moves_what_stays():
    embeddings = some_embeddings()
    flat_map = pca(embeddings)
    np.testing.assert_array_equal(flat_map.place(embeddings), flat_map.places)
    moved = flat_map.place(embeddings + 3) - flat_map.places
    np.testing.assert_allclose(moved, np.tile(moved[0], (60, 1)), atol=1e-5)
    one_more = embeddings.copy()
    one_more[7] += 100  # an outlier elsewhere does not disturb the others' places
    np.testing.assert_array_equal(np.delete(flat_map.place(one_more), 7, 0), np.delete(flat_map.places, 7, 0))


def test_signs_are_settled_whatever_the_decomposition_says(monkeypatch):
    embeddings, svd = some_embeddings(), np.linalg.svd
    usual = pca(embeddings).places
    flipped = lambda *args, **kwargs: [part * (-1 if i == 2 else 1) for i, part in enumerate(svd(*args, **kwargs))]  # noqa: E731
    monkeypatch.setattr(np.linalg, "svd", flipped)
    np.testing.assert_allclose(pca(embeddings).places, usual)


def test_t_sne_keeps_clouds_apart_and_places_others_among_their_own():
    embeddings, clouds = some_embeddings(), np.arange(60) % 4
    flat_map = make_map("t-SNE", embeddings)
    np.testing.assert_array_equal(make_map("t-SNE", embeddings).places, flat_map.places)  # the seed is fixed
    for places in (flat_map.places, flat_map.place(embeddings[::-1])[::-1]):
        distances = np.linalg.norm(places[:, None] - flat_map.places[None], axis=2)
        distances[np.eye(60, dtype=bool)] = np.inf
        assert (clouds[distances.argmin(axis=1)] == clouds).mean() > 0.9
    assert flat_map.explained is None


def test_few_recordings_get_a_smaller_perplexity_instead_of_an_error():
    assert make_map("t-SNE", some_embeddings(7)).places.shape == (7, 2)


@pytest.fixture
def fake_umap(monkeypatch):
    """A package called umap that takes the first two numbers of an embedding for the map."""

    class UMAP:
        def __init__(self, **settings):
            assert settings == {"random_state": 0, "n_jobs": 1}  # repeatable, and no warning about it

        def fit(self, embeddings):
            self.embedding_ = embeddings[:, :2]
            return self

        def transform(self, embeddings):
            return embeddings[:, :2]

    module = ModuleType("umap")
    module.UMAP, module.__spec__ = UMAP, ModuleSpec("umap", None)
    monkeypatch.setitem(sys.modules, "umap", module)


def test_umap_is_offered_where_it_is_installed(fake_umap):
    assert methods() == ("PCA", "t-SNE", "UMAP")
    assert describe_missing() == ""
    embeddings = some_embeddings()
    flat_map = make_map("UMAP", embeddings)
    np.testing.assert_array_equal(flat_map.places, embeddings[:, :2])
    np.testing.assert_array_equal(flat_map.place(embeddings[3:5]), embeddings[3:5, :2])


def test_what_is_not_installed_is_not_offered_and_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("selfdana_lite.explore.projection.find_spec", lambda name: None)
    assert methods() == ("PCA",)
    assert describe_missing() == (
        "For t-SNE: pip install opentsne, then restart the kernel. For UMAP: pip install umap-learn, then restart the kernel."
    )
    with pytest.raises(ValueError, match=r"no method 't-SNE' here; choose one of PCA\. For t-SNE: pip install opentsne"):
        make_map("t-SNE", some_embeddings())


@pytest.mark.parametrize(
    ("embeddings", "words"),
    [
        (np.zeros((2, 8)), r"at least 3 recordings.*found an array \(2, 8\)"),
        (np.zeros((8, 1)), r"at least 2 numbers; found an array \(8, 1\)"),
        (np.zeros(8), r"found an array \(8,\)"),
        (np.ones((8, 8)), "All 8 embeddings are the same"),
        (
            np.where(np.arange(8)[:, None] < 3, np.nan, some_embeddings(8, 8)),
            "3 of 8 embeddings hold values that are not finite",
        ),
        (np.where(np.eye(8) > 0, np.inf, 0), "8 of 8 embeddings"),
    ],
)
@pytest.mark.parametrize("method", ["PCA", "t-SNE"])
def test_what_no_map_can_be_made_of_is_refused(method, embeddings, words):
    with pytest.raises(ValueError, match=words):
        make_map(method, embeddings)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="no method 'pca' here; choose one of PCA"):
        make_map("pca", some_embeddings())
    assert set(methods()) <= set(NEEDS)
