"""Two answers to the same recordings: their scores side by side, and their difference in resamples of the patients.

What a person sees move: two intervals may overlap widely while their difference, patient by patient, is sure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ipywidgets
import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, predict_labels
from selfdana_lite.explore.colours import INK, MODEL_COLOURS
from selfdana_lite.explore.ecg_paper import FONT
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.scores import Difference, Scores, resampled_macro_auroc, score, score_difference

COLOURS = MODEL_COLOURS[0], MODEL_COLOURS[2]


@dataclass(frozen=True)
class Pair:
    """Two named answers, the scores of each, their paired difference, and that difference in each resample."""

    names: tuple[str, str]
    scores: tuple[Scores, Scores]
    difference: Difference
    resamples: np.ndarray


def pair_of(names: tuple[str, str], predictions: tuple[np.ndarray, np.ndarray], dataset: EcgDataset) -> Pair:
    """All that is shown of two predictions [records, classes] of the dataset's labels."""
    facts = dataset.label_names, dataset.patient_ids
    first, second = (resampled_macro_auroc(dataset.labels, each, dataset.patient_ids) for each in predictions)
    scores = tuple(score(dataset.labels, each, *facts) for each in predictions)
    return Pair(names, scores, score_difference(dataset.labels, *predictions, *facts), first - second)


def paired_figure(pair: Pair) -> go.Figure:
    """Left: each answer's macro AUROC with its interval. Right: a histogram of their differences, zero marked."""
    figure = make_subplots(
        1, 2, column_widths=[0.45, 0.55], horizontal_spacing=0.08, subplot_titles=["each with its interval", "the difference"]
    )
    for number, (found, colour) in enumerate(zip(pair.scores, COLOURS, strict=True)):
        figure.add_trace(_whisker(found, "first" if number == 0 else "second", colour), 1, 1)
    figure.add_trace(go.Histogram(x=pair.resamples, nbinsx=40, marker={"color": "#a9cbe3"}, hoverinfo="skip"), 1, 2)
    figure.add_vline(x=0, line={"color": INK, "width": 2}, row=1, col=2)
    for end in pair.difference.interval:
        figure.add_vline(x=end, line={"color": COLOURS[0], "width": 2, "dash": "dash"}, row=1, col=2)
    figure.update_xaxes(title="macro AUROC", gridcolor="#dddddd", zeroline=False, col=1)
    reach = 1.1 * np.nanmax(np.abs([*pair.resamples, 0.01]))
    figure.update_xaxes(title="first minus second, in resamples", range=[-reach, reach], zeroline=False, col=2)
    figure.update_yaxes(range=[-0.6, 1.6], autorange=False, categoryarray=["second", "first"], categoryorder="array", col=1)
    figure.update_yaxes(showticklabels=False, col=2).update_xaxes(fixedrange=True).update_yaxes(fixedrange=True)
    figure.update_annotations(font_size=15)
    margin = {"l": 60, "r": 10, "t": 40, "b": 50}
    return figure.update_layout(width=910, height=270, plot_bgcolor="white", font=FONT, margin=margin, showlegend=False)


def describe_pair(pair: Pair) -> str:
    """The same in words."""
    each = [
        f"{what}, {name}: {found.macro_auroc:.3f} [{found.interval[0]:.3f}, {found.interval[1]:.3f}]"
        for what, name, found in zip(("First", "Second"), pair.names, pair.scores, strict=True)
    ]
    one, other = (found.interval for found in pair.scores)
    overlap = "overlap" if one[0] <= other[1] and other[0] <= one[1] else "do not overlap"
    gap = pair.difference
    verdict = "leaves zero out" if gap.excludes_zero else "holds zero"
    return (
        f"{'. '.join(each)}. These intervals {overlap}. The difference, on the same patients, is {gap.macro_auroc:+.3f} "
        f"[{gap.interval[0]:+.3f}, {gap.interval[1]:+.3f}], which {verdict}."
    )


class PairedView(Explorer):
    """Two menus over named answers, and `paired_figure` of those chosen.

    answers: a classifier and the leads that it is given, by name. Predictions are made once and kept.
    """

    def __init__(self, answers: Mapping[str, tuple[Classifier, str | Iterable[str]]], dataset: EcgDataset):
        super().__init__()
        self.answers, self.dataset = dict(answers), dataset
        self._predicted: dict[str, np.ndarray] = {}
        names = list(self.answers)
        wide = {"style": {"description_width": "60px"}, "layout": {"width": "400px"}}
        self.first = ipywidgets.Dropdown(options=names, value=names[0], description="First", **wide)
        self.second = ipywidgets.Dropdown(options=names, value=names[-1], description="Second", **wide)
        self.figure = LiveFigure(*self._shown())
        for control in (self.first, self.second):
            control.observe(self._chosen, "value")
        self.children = [ipywidgets.HBox([self.first, self.second]), self.error, self.figure]

    def static_html(self) -> str:
        return self.figure.static_html()

    def _chosen(self, _change: object) -> None:
        with self.errors_shown():
            self.figure.show(*self._shown())

    def _shown(self) -> tuple[go.Figure, str]:
        names = self.first.value, self.second.value
        pair = pair_of(names, tuple(map(self._predict, names)), self.dataset)
        return paired_figure(pair), describe_pair(pair)

    def _predict(self, name: str) -> np.ndarray:
        if name not in self._predicted:
            clf, leads = self.answers[name]
            self._predicted[name] = predict_labels(clf, self.dataset, leads)
        return self._predicted[name]


def _whisker(found: Scores, what: str, colour: str) -> go.Scatter:
    low, high = found.interval
    whiskers = {"type": "data", "symmetric": False, "array": [high - found.macro_auroc]}
    whiskers |= {"arrayminus": [found.macro_auroc - low], "thickness": 3, "width": 8, "color": colour}
    marker = {"color": colour, "size": 12, "symbol": "circle" if what == "first" else "square"}
    hover = f"{what}: {found.macro_auroc:.3f} [{low:.3f}, {high:.3f}]"
    return go.Scatter(x=[found.macro_auroc], y=[what], error_x=whiskers, mode="markers", marker=marker, hovertext=hover)
