"""Maps of embeddings: many numbers a recording drawn as two, in a frame that one lead set fixes for all others.

A map is made of the embeddings of the reference leads, all there are. Embeddings through other leads are placed in that same
map, never in one of their own, so that a point moves only because its embedding does.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

PERPLEXITY = 30  # how many neighbours t-SNE tries to keep; fewer where there are few recordings
NEEDS = {"PCA": None, "t-SNE": "openTSNE", "UMAP": "umap"}  # the module that each method is made by
PACKAGES = {"t-SNE": "opentsne", "UMAP": "umap-learn"}  # what pip calls them
WAIT = {"t-SNE": "some seconds", "UMAP": "half a minute the first time"}  # for some hundred recordings on a laptop


@dataclass(frozen=True, eq=False)
class FlatMap:
    """A frame of two axes. `place` turns embeddings [records, D] into places float [records, 2]."""

    method: str
    places: np.ndarray  # [records, 2], of the embeddings that the map was made of
    place: Callable[[np.ndarray], np.ndarray]
    explained: tuple[float, float] | None = None  # PCA: the share of the variance along each axis


def methods() -> tuple[str, ...]:
    """The methods that can be used here: PCA always, others where their package is installed."""
    return tuple(name for name, module in NEEDS.items() if module is None or find_spec(module))


def describe_missing() -> str:
    """How to get the methods that are not there; nothing where all are."""
    missing = [name for name in NEEDS if name not in methods()]
    return " ".join(f"For {name}: pip install {PACKAGES[name]}, then restart the kernel." for name in missing)


def make_map(method: str, embeddings: np.ndarray) -> FlatMap:
    """A map of embeddings [records, D]: "PCA" at once; "t-SNE" and "UMAP" take seconds. The same ones give the same map.

    Raises ValueError for a method that is unknown or not installed, and for embeddings that no map can be made of.
    """
    if method not in methods():
        raise ValueError(f"There is no method {method!r} here; choose one of {', '.join(methods())}. {describe_missing()}")
    check_embeddings(embeddings)
    return {"PCA": pca, "t-SNE": t_sne, "UMAP": umap}[method](embeddings)


def check_embeddings(embeddings: np.ndarray) -> None:
    """ValueError unless these are finite numbers [records, D], at least three different rows of them."""
    if embeddings.ndim != 2 or min(embeddings.shape) < 2 or len(embeddings) < 3:
        raise ValueError(
            f"A map needs at least 3 recordings with embeddings of at least 2 numbers; found an array {embeddings.shape}."
        )
    if bad := (~np.isfinite(embeddings)).any(axis=1).sum():
        raise ValueError(f"{bad} of {len(embeddings)} embeddings hold values that are not finite; check the encoder's weights.")
    if np.ptp(embeddings, axis=0).max() == 0:
        raise ValueError(f"All {len(embeddings)} embeddings are the same, so there is nothing to draw; is the encoder trained?")


def pca(embeddings: np.ndarray) -> FlatMap:
    """The plane in which the recordings differ most: distances on it are true ones, as far as it holds them (Pearson 1901)."""
    mean = embeddings.mean(axis=0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(embeddings - mean, full_matrices=False)  # sizes [min(records, D)], axes [.., D]
    axes = axes[:2]
    axes *= np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]  # a decomposition leaves open which way they point

    def place(others: np.ndarray) -> np.ndarray:
        return (others - mean) @ axes.T  # [records, D] @ [D, 2] -> [records, 2]

    first, second = sizes[:2] ** 2 / (sizes**2).sum()
    return FlatMap("PCA", place(embeddings), place, (float(first), float(second)))


def t_sne(embeddings: np.ndarray) -> FlatMap:
    """Neighbours stay neighbours, the rest is left to chance (van der Maaten and Hinton 2008; openTSNE, Poličar et al. 2024).

    Others are placed by openTSNE's transform: near the recordings of the map that they resemble.
    """
    perplexity = min(PERPLEXITY, (len(embeddings) - 1) / 3)
    settings = {"perplexity": perplexity, "neighbors": "exact", "negative_gradient_method": "bh", "n_jobs": 1}
    fitted = importlib.import_module("openTSNE").TSNE(random_state=0, **settings).fit(embeddings)
    nearby = min(5, perplexity)  # openTSNE's own choice for placing others
    return FlatMap("t-SNE", np.asarray(fitted), lambda others: np.asarray(fitted.transform(others, perplexity=nearby)))


def umap(embeddings: np.ndarray) -> FlatMap:
    """Like t-SNE, from a graph of neighbours (McInnes, Healy and Melville 2018)."""
    fitted = importlib.import_module("umap").UMAP(random_state=0, n_jobs=1).fit(embeddings)
    return FlatMap("UMAP", np.asarray(fitted.embedding_), fitted.transform)
