"""The embedding map drawn, and the same in words and as a table; pure functions of a view and a scene."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from selfdana_lite.explore.atlas import NEAREST, Scene
from selfdana_lite.explore.colours import FAINT, INK
from selfdana_lite.explore.map_groups import GROUPINGS, RULES, UNLABELLED, Group, lead_words
from selfdana_lite.explore.sheet import FONT, sheet

WIDTH_PX, HEIGHT_PX = 620, 480
DRIFT_LINE = "#a0a0a0"


@dataclass(frozen=True)
class MapView:
    """What has been chosen beside leads, method and metric: a row of the dataset, the colouring, and drift lines or none."""

    row: int = 0
    colour_by: str = "label"  # one of GROUPINGS
    drift_lines: bool = True


def draw(view: MapView, scene: Scene) -> go.Figure:
    """A dot a recording, the chosen one a star, rings round its neighbours; lines from the places with the reference leads."""
    groups = list(GROUPINGS[view.colour_by](scene, view.row))
    traces = [_lines(_drift_path(scene, np.arange(len(scene.now))), DRIFT_LINE, 0.7)] if view.drift_lines else []
    traces += [_lines(scene.now[group.rows], group.colour, 1.5) for group in groups if group.joined]
    words = hover_words(scene)
    traces += [_dots(scene, group, words) for group in groups]
    traces.append(_lines(_drift_path(scene, np.array([view.row])), INK, 2))
    ring = {"symbol": "circle-open", "size": 14, "color": INK, "line": {"width": 1.7}}
    traces.append(_marks(scene.now[scene.near_now.rows[view.row]], f"{NEAREST} nearest", ring))
    star = {"symbol": "star", "size": 19, "color": "#ffd400", "line": {"width": 1.7, "color": INK}}
    traces.append(_marks(scene.now[[view.row]], "chosen recording", star))
    return go.Figure(traces, _paper(view, scene))


def hover_words(scene: Scene) -> list[str]:
    """What a dot says of its recording."""
    table, drift = scene.dataset.table, scene.drift.relative
    return [
        f"Recording {row} ({label_words(scene, row)})<br>patient {patient}, fold {fold}<br>drift {drift[row]:.2f}"
        for row, (patient, fold) in enumerate(zip(table["patient_id"], table["fold"], strict=True))
    ]


def label_words(scene: Scene, row: int) -> str:
    """The labels of one recording: "MI, CD"."""
    named = zip(scene.dataset.label_names, scene.dataset.labels[row], strict=True)
    return ", ".join(name for name, label in named if label) or UNLABELLED


def describe(view: MapView, scene: Scene) -> str:
    """The map in words: what it holds, who moved, which neighbours stayed, and what a map cannot show."""
    flat_map, count = scene.flat_map, len(scene.dataset)
    words = [f"{flat_map.method} map of {count} recordings through {lead_words(scene.leads)}. {RULES[view.colour_by]}"]
    words += [describe_drift(view, scene)] if scene.moved else []
    words.append(
        f"{_mean_percent(scene.agreed_now)} of the {NEAREST} nearest recordings share a label"
        + (f"; through {lead_words(scene.reference)} {_mean_percent(scene.agreed_before)} do" if scene.moved else "")
        + f", by chance {_mean_percent(scene.agreed_by_chance)} would."
    )
    return " ".join([*words, describe_limits(scene)])


def describe_drift(view: MapView, scene: Scene) -> str:
    """How far recordings move when leads go, and how many neighbours they keep."""
    drift = scene.drift.relative
    most = ", ".join(f"{row} ({label_words(scene, row)}, {drift[row]:.2f})" for row in drift.argsort()[::-1][:3])
    return (
        f"The frame is that of {lead_words(scene.reference)}; from there a recording drifts by {drift.mean():.2f} on average, "
        f"where 1 is the mean distance between two recordings; {scene.drift.common:.0%} of the squared drift is a shift of all "
        f"alike. Recordings {most} move most; {view.row} moves by {drift[view.row]:.2f}. {_mean_percent(scene.kept)} of the "
        f"{NEAREST} nearest stay the same."
    )


def describe_limits(scene: Scene) -> str:
    """What the map can and cannot show."""
    if scene.flat_map.explained:
        share = f"its axes hold {sum(scene.flat_map.explained):.0%} of the variance"
        return f"A map is a shadow, 2 numbers of {scene.size}: {share}, so what looks near need not be near."
    return (
        f"A map is 2 numbers made of {scene.size}: in {scene.flat_map.method} distances, gaps and the size of a cloud mean "
        f"little, and a short drift may be no more than how others are placed. Trust the neighbours, not the picture."
    )


def neighbour_table(view: MapView, scene: Scene) -> pd.DataFrame:
    """The nearest recordings of other patients, nearest first, with what they share with the chosen one."""
    rows, labels = scene.near_now.rows[view.row], scene.dataset.labels
    shares = (labels[rows] & labels[view.row]).any(axis=1)
    columns = {
        "recording": rows,
        "record id": scene.dataset.table["record_id"].to_numpy()[rows],
        "labels": [label_words(scene, row) for row in rows],
        "distance": [f"{distance:.3g}" for distance in scene.near_now.distances[view.row]],
        "shares a label": np.where(shares, "yes", "no"),
    }
    if scene.moved:
        columns["near before too"] = np.where(np.isin(rows, scene.near_before.rows[view.row]), "yes", "no")
    return pd.DataFrame(columns, index=pd.RangeIndex(1, len(rows) + 1))


def describe_neighbours(view: MapView, scene: Scene) -> str:
    """The table in words, beside the reference leads and chance, and how near was measured."""
    now, before, chance, kept = (
        shares[view.row] * NEAREST for shares in (scene.agreed_now, scene.agreed_before, scene.agreed_by_chance, scene.kept)
    )
    compared = (f"through {lead_words(scene.reference)} {before:.0f}, " if scene.moved else "") + f"by chance {chance:.1f}"
    stayed = f" {kept:.0f} of them were among the {NEAREST} nearest before." if scene.moved else ""
    return (
        f"Recording {view.row} ({label_words(scene, view.row)}): {now:.0f} of its {NEAREST} nearest share a label with it "
        f"({compared}).{stayed} Nearest by {scene.metric} distance in all {scene.size} numbers of an embedding, not on the "
        f"map, among other patients' recordings."
    )


def _mean_percent(shares: np.ndarray) -> str:
    return f"{shares.mean():.0%}"


def _dots(scene: Scene, group: Group, words: list[str]) -> dict:
    places = (scene.before if group.before else scene.now)[group.rows]
    size = 10 if group.joined else 7  # a few that belong together stand out
    marker = {"color": group.colour, "symbol": group.symbol, "size": size, "line": {"width": 0.4, "color": "white"}}
    if group.symbol.endswith("-open"):
        marker["line"] = {"width": 1.4}  # such a symbol is all line, in the marker's colour
    hover = {"customdata": group.rows.tolist(), "hovertext": [words[row] for row in group.rows], "hoverinfo": "text"}
    if not len(group.rows):  # a legend names only traces with points
        return _marks(np.full((1, 2), np.nan), group.name, marker)
    return _marks(places, group.name, marker) | hover


def _marks(places: np.ndarray, name: str, marker: dict) -> dict:
    at = {"type": "scatter", "x": places[:, 0], "y": places[:, 1], "mode": "markers"}
    return at | {"name": name, "marker": marker, "hoverinfo": "skip"}


def _lines(path: np.ndarray, colour: str, width: float) -> dict:
    line = {"color": colour, "width": width}
    at = {"type": "scatter", "x": path[:, 0], "y": path[:, 1], "mode": "lines", "line": line}
    return at | {"hoverinfo": "skip", "showlegend": False}


def _drift_path(scene: Scene, rows: np.ndarray) -> np.ndarray:
    """From each place before to the one now, with a gap after each: [3 * rows, 2]."""
    ends = np.stack([scene.before[rows], scene.now[rows], np.full((len(rows), 2), np.nan)], axis=1)  # [rows, 3, 2]
    return ends.reshape(-1, 2)


def _paper(view: MapView, scene: Scene) -> dict:
    """Both axes at one scale, as distances need it, and room for every dot."""
    (low_x, low_y), (high_x, high_y) = ends_of(np.concatenate([scene.before, scene.now]))
    titles, explained = ("first", "second"), scene.flat_map.explained
    if explained:
        x, y = (f"{nth} principal component: {share:.0%} of the variance" for nth, share in zip(titles, explained, strict=True))
    else:
        x, y = (f"{scene.flat_map.method}, {nth} axis (no unit)" for nth in titles)
    axis = {"zeroline": False, "gridcolor": "#e4e4e4", "linecolor": FAINT, "mirror": True}
    title = f"{scene.flat_map.method} through {lead_words(scene.leads)}"
    room = (60, 145, 32, 50)  # at the right for the legend, whatever stands in it
    return sheet(title, HEIGHT_PX, room, WIDTH_PX) | {
        "xaxis": axis | {"title": {"text": x, "font": FONT}, "range": [low_x, high_x]},
        "yaxis": axis | {"title": {"text": y, "font": FONT}, "range": [low_y, high_y], "scaleanchor": "x"},
        "legend": {"x": 1.02, "y": 1, "font": {"size": 13}, "itemsizing": "constant", "traceorder": "normal"},
        "uirevision": f"{scene.flat_map.method} {view.colour_by}",  # a part that was zoomed in on stays in sight
    }


def ends_of(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and highest of places [n, 2], with some room: [2] each."""
    low, high = places.min(axis=0), places.max(axis=0)
    room = 0.04 * (high - low) + 1e-9
    return low - room, high + room
