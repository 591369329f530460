"""Lesson 06, Embeddings: its self-checks, what it measures of embeddings, and four maps of the same points."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.spatial.distance import cdist, pdist
from scipy.stats import spearmanr

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that
from course.halves import embed_half, found_rate, lifted
from selfdana_lite.explore.colours import CHOSEN, FAINT, OTHER
from selfdana_lite.explore.neighbours import agreement, chance_agreement, drift_of, kept_share, nearest_neighbours

NEAREST = 5  # neighbours that are counted
LOOKS = {"pre-trained": (CHOSEN, "solid", "circle"), "untrained": (FAINT, "dash", "square")}


def measure_leads(encoders: dict, dataset: sd.EcgDataset) -> pd.DataFrame:
    """What happens to embeddings when leads go: one row an encoder and lead set.

    drift: mean distance from the embedding through twelve leads, 1 is the mean distance of two recordings; common: the share
    of its square that all recordings have in common. neighbours_kept: of the nearest through twelve leads. found: how often
    the second half through these leads finds its own first half through twelve, among all. share_a_label: of the nearest.
    """
    rows = []
    for name, encoder in encoders.items():
        before, gallery = sd.embed(encoder, dataset, sd.LEADS), embed_half(encoder, dataset, sd.LEADS, 0)
        near_before = nearest_neighbours(before, dataset.patient_ids, NEAREST)
        for lead_set, leads in sd.LEAD_SETS.items():
            now = sd.embed(encoder, dataset, leads)
            drift, near = drift_of(before, now), nearest_neighbours(now, dataset.patient_ids, NEAREST)
            facts = {
                "drift": drift.relative.mean(),
                "common": drift.common,
                "neighbours_kept": kept_share(near_before, near).mean(),
                "found": found_rate(embed_half(encoder, dataset, leads, 1), gallery),
                "found_by_chance": 1 / len(dataset),
                "share_a_label": agreement(near, dataset.labels).mean(),
                "share_a_label_by_chance": chance_agreement(dataset.labels, dataset.patient_ids).mean(),
            }
            rows.append({"encoder": name, "lead_set": lead_set} | facts)
    return pd.DataFrame(rows)


def lead_set_figure(table: pd.DataFrame, column: str, title: str, chance: float | None = None) -> go.Figure:
    """A column of measure_leads over the lead sets, a line an encoder; dotted: chance."""
    figure = go.Figure()
    for name, (colour, dash, symbol) in LOOKS.items():
        rows = table[table["encoder"] == name]
        line = {"color": colour, "dash": dash, "width": 3}
        figure.add_scatter(x=rows["lead_set"], y=rows[column], name=name, line=line, marker={"symbol": symbol, "size": 10})
    if chance is not None:
        figure.add_hline(chance, line={"color": OTHER, "dash": "dot", "width": 2}, annotation={"text": "chance"})
    figure.update_layout(title=title, width=820, height=340, margin={"t": 45, "b": 40}, plot_bgcolor="white")
    return figure.update_yaxes(rangemode="tozero", gridcolor="#e4e4e4")


def measure_offsets(encoder, dataset: sd.EcgDataset, offsets_mv: Iterable[float]) -> pd.DataFrame:
    """How far a constant added to all leads moves embeddings through twelve leads, and how many still find their own half."""
    before, gallery = sd.embed(encoder, dataset), embed_half(encoder, dataset, sd.LEADS, 0)
    rows = []
    for offset_mv in offsets_mv:
        moved = lifted(dataset, offset_mv)
        drift = drift_of(before, sd.embed(encoder, moved)).relative.mean()
        rows.append((offset_mv, drift, found_rate(embed_half(encoder, moved, sd.LEADS, 1), gallery)))
    return pd.DataFrame(rows, columns=["offset_mv", "drift", "found"])


def class_distances(embeddings: np.ndarray, dataset: sd.EcgDataset) -> pd.Series:
    """How far the mean of the recordings with a label lies from that of the others, by the mean distance of two recordings."""
    labels = dataset.labels.astype(bool)
    apart = [np.linalg.norm(embeddings[has].mean(axis=0) - embeddings[~has].mean(axis=0)) for has in labels.T]
    return pd.Series(apart, index=dataset.label_names) / pdist(embeddings).mean()


def shuffled(embeddings: np.ndarray, seed: int) -> np.ndarray:
    """Embeddings of nobody: each of the numbers dealt anew among the recordings, so that no two belong together."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(column) for column in embeddings.T], axis=1)


def judge_map(places: np.ndarray, embeddings: np.ndarray) -> dict[str, float]:
    """What a map [records, 2] keeps of embeddings [records, D]: the order of all distances (Spearman), and the neighbours."""
    nobody_twice = np.arange(len(places))
    near = [nearest_neighbours(points, nobody_twice, NEAREST) for points in (embeddings, places)]
    order = spearmanr(pdist(embeddings), pdist(places)).statistic
    return {"distances_in_order": float(order), "neighbours_kept": float(kept_share(*near).mean())}


def check_variance(share: float | None, embeddings: np.ndarray) -> str:
    """Is this the share of the variance that the first two principal components hold?"""
    sizes = np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False)
    of_all = sizes**2 / (sizes**2).sum()
    right = of_all[:2].sum()
    uncentred = np.linalg.svd(embeddings, compute_uv=False) ** 2
    wrong = {
        sizes[:2].sum() / sizes.sum(): "the singular values are not squared. Variance is a mean of squares",
        uncentred[:2].sum() / uncentred.sum(): (
            "the mean is still in: the first component then points from zero to the middle of the cloud. Take the mean away"
        ),
        of_all[0]: "this is the first component alone. A map has two axes",
        of_all[:3].sum(): "these are three components. A map has two axes",
        1 - right: "this is what the map leaves out. The share that it holds was asked for",
        100 * right: "this is in percent. A share lies between 0 and 1",
        2 / embeddings.shape[1]: "this would be so if all directions held as much as any other. Measure them",
    }
    praise = f"two numbers hold {right:.0%} of what {embeddings.shape[1]} hold; a map leaves out the other {1 - right:.0%}"
    return check_number(share, right, praise, wrong, "this is not the first two squared singular values over all")


def check_most_moved(row: int | None, before: np.ndarray, now: np.ndarray, other: np.ndarray) -> str:
    """Is this the row that moves most from `before` to `now`? other: the embeddings of another lead set, a likely slip."""
    if row is None:
        return UNANSWERED
    if isinstance(row, bool) or not isinstance(row, int | np.integer) or not 0 <= row < len(before):
        return f"Not yet: found {row!r}; give the row of one recording, a whole number from 0 to {len(before) - 1}."
    moved = np.linalg.norm(now - before, axis=1)
    stranger = np.linalg.norm(now - now.mean(axis=0), axis=1)
    slips = [
        (row == moved.argmin(), "this is the one that moves least"),
        (
            row == np.linalg.norm(other - before, axis=1).argmax(),
            "this is the one that moves most to I and II. Lead I was meant",
        ),
        (
            row == (now - before).sum(axis=1).argmax(),
            "moves in opposite directions cancel in a sum. Square them, or use a norm",
        ),
        (row == stranger.argmax(), "this one lies farthest from the others; it was there before. How far did it move?"),
    ]
    ranks = (-moved).argsort().argsort()
    praise = f"recording {row} moves by {moved[row] / pdist(before).mean():.2f} times the mean distance of two recordings"
    return check_that(row, row == moved.argmax(), praise, slips, f"its move is number {ranks[row] + 1} of {len(moved)} in size")


def check_found(rate: float | None, queries: np.ndarray, gallery: np.ndarray) -> str:
    """Is this how often the nearest of the gallery to a query is its own recording?"""
    distances, own = cdist(queries, gallery), np.arange(len(queries))
    right = found_rate(queries, gallery)
    among_five = (distances.argsort(axis=1)[:, :5] == own[:, None]).any(axis=1).mean()
    wrong = [
        (right * len(queries), "this is how many. Divide by how many there are"),
        (100 * right, "this is in percent. A share lies between 0 and 1"),
        (1 - right, "these are the ones that are not found"),
        ((distances.argmax(axis=1) == own).mean(), "this asks for the farthest. The nearest has the smallest distance"),
        ((distances.argmin(axis=0) == own).mean(), "this looks from the gallery for the queries. Each row of the distances is "
         "one query: take the minimum along axis 1"),
        (among_five, "this counts a recording as found among the five nearest. Only the nearest counts here"),
        (1 / len(queries), "this is chance"),
    ]  # fmt: skip
    praise = f"{right:.0%} find their own first half; by chance {1 / len(queries):.1%} would"
    return check_number(rate, right, praise, wrong, "this is not the share of rows whose smallest distance is on the diagonal")
