"""A recording among samples, drawn and in words: the map of embeddings, and the probabilities beside those of the samples."""

import numpy as np
import plotly.graph_objects as go

from selfdana_lite.explore.colours import FAINT, INK, class_colours
from selfdana_lite.explore.crowd import UNLABELLED, Answer, Crowd, labels_in_words, nearest_samples, strangeness
from selfdana_lite.explore.sheet import sheet

FAR = 0.95  # lonelier than nineteen samples of twenty
MIXED = "several labels"


def crowd_figure(answer: Answer, crowd: Crowd) -> go.Figure:
    """The samples along two principal components, coloured by label; the recording as a star, its five nearest ringed."""
    places = crowd.embeddings @ crowd.axes.T  # [records, 2]
    kinds = np.array([_kind(row, crowd) for row in range(len(places))])
    colours = class_colours(crowd.label_names) | {MIXED: FAINT, UNLABELLED: "#c0c0c0"}
    figure = go.Figure()
    for kind in (*crowd.label_names, MIXED, UNLABELLED):
        if (rows := np.flatnonzero(kinds == kind)).size:
            words = [f"record {crowd.table['record_id'].iat[row]}: {labels_in_words(row, crowd)}" for row in rows]
            figure.add_trace(_dots(places[rows], kind, {"color": colours[kind], "size": 7}, words))
    nearest = answer.distances.argsort()[:5]
    ring = {"symbol": "circle-open", "size": 13, "color": INK, "line": {"width": 1.5}}
    figure.add_trace(_dots(places[nearest], "five nearest", ring))
    star = {"symbol": "star", "size": 18, "color": "#ffd400", "line": {"width": 1.5, "color": INK}}
    figure.add_trace(_dots(answer.place[None], "this recording", star))
    axis = {"fixedrange": True, "zeroline": False, "gridcolor": "#dddddd"}
    figure.update_xaxes(axis, title="first principal component").update_yaxes(axis, title="second")
    title = f"Among the samples, through {', '.join(crowd.leads)}"
    return _laid_out(figure, title, 420)


def _dots(places: np.ndarray, name: str, marker: dict, words: list[str] | None = None) -> go.Scatter:
    hover = {"hovertext": words, "hoverinfo": "text"} if words else {"hoverinfo": "name"}
    return go.Scatter(x=places[:, 0], y=places[:, 1], name=name, mode="markers", marker=marker, **hover)


def describe_crowd(answer: Answer, crowd: Crowd) -> str:
    """The map in words: the nearest samples with their labels, and whether the recording is one of a kind."""
    nearest = nearest_samples(answer, crowd)
    listed = "; ".join(f"{row.record_id} ({row.labels}) at {row.distance:.1f}" for row in nearest.itertuples())
    share = strangeness(answer, crowd)
    far = " That is far from all of them: what the probe says is a guess about a kind it has not met." if share > FAR else ""
    return (
        f"The nearest samples: {listed}. {share:.0%} of the samples lie nearer to another patient's sample than this recording "
        f"to any.{far} The two axes hold {crowd.explained:.0%} of the variance, so what looks near on the map need not be."
    )


def probability_figure(answer: Answer, crowd: Crowd) -> go.Figure:
    """A row a class: the probe's probability for samples without and with the label as boxes, for the recording as a star."""
    colours, figure = class_colours(crowd.label_names), go.Figure()
    for value, name in ((0, "samples without the label"), (1, "samples with it")):
        for column, label in enumerate(crowd.label_names):
            given = crowd.probabilities[crowd.labels[:, column] == value, column]
            figure.add_box(
                x=given,
                y=[label] * len(given),
                orientation="h",
                name=name,
                legendgroup=name,
                offsetgroup=name,
                showlegend=column == 0,
                boxpoints=False,
                line={"color": colours[label] if value else FAINT, "width": 1.5},
            )
    star = {"symbol": "star", "size": 16, "color": "#ffd400", "line": {"width": 1.5, "color": INK}}
    figure.add_scatter(x=answer.probabilities, y=list(crowd.label_names), mode="markers", marker=star, name="this recording")
    figure.update_xaxes(title="probability that the probe gives", range=[-0.02, 1.02], fixedrange=True, gridcolor="#dddddd")
    figure.update_yaxes(fixedrange=True, autorange="reversed").update_layout(boxmode="group")
    return _laid_out(figure, f"What the probe makes of it, through {', '.join(crowd.leads)}", 380)


def describe_probabilities(answer: Answer, crowd: Crowd) -> str:
    """A sentence a class: the probability, and how it ranks among the samples without and with the label."""
    words = []
    for column, label in enumerate(crowd.label_names):
        own, given, has = answer.probabilities[column], crowd.probabilities[:, column], crowd.labels[:, column] == 1
        ranks = [
            f"{(given[of] < own).mean():.0%} of those {how}" for of, how in ((~has, "without it"), (has, "with it")) if of.any()
        ]
        words.append(f"{label} {own:.2f}: above {' and '.join(ranks)}.")
    return f"{' '.join(words)} For teaching: a linear probe on simulated recordings says nothing about a patient."


def _kind(row: int, crowd: Crowd) -> str:
    return MIXED if crowd.labels[row].sum() > 1 else labels_in_words(row, crowd)


def _laid_out(figure: go.Figure, title: str, height: int) -> go.Figure:
    return figure.update_layout(
        sheet(title, height, (70, 10, 45, 40)), legend={"orientation": "h", "y": -0.2, "font": {"size": 13}}
    )
