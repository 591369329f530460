"""Pick a lead set and a recording; see the ECG with those leads, and what the encoder still knows.

`Choice` is all the state there is. The functions turn it into a figure, a table and a sentence; the
widget hands the controls' values to them and shows what comes back.
"""

import html
from dataclasses import dataclass

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier
from selfdana_lite.explore.ecg_paper import describe_ecg, ecg_figure
from selfdana_lite.explore.scores import describe_scores, score_figure, score_table
from selfdana_lite.leads import LEAD_SETS

GAP_PX, BARS_PX, FOOT_PX = 85, 130, 25  # all of it fits under the controls on 1366 x 768


@dataclass(frozen=True)
class Choice:
    """What has been chosen: a name in LEAD_SETS, and a row of the dataset."""

    lead_set: str = "12-lead"
    row: int = 0

    @property
    def leads(self) -> tuple[str, ...]:
        return LEAD_SETS[self.lead_set]


def draw(choice: Choice, dataset: EcgDataset, table: pd.DataFrame) -> go.Figure:
    """The recording on ECG paper with the chosen leads, above the scores of all lead sets."""
    signals_mv = dataset.batch([choice.row], choice.leads)[0].numpy()
    title = f"Recording {choice.row} ({_labels(choice.row, dataset)}) with {choice.lead_set}"
    return _stacked(ecg_figure(signals_mv, choice.leads, dataset.sampling_rate_hz, title), score_figure(table, choice.lead_set))


def describe(choice: Choice, dataset: EcgDataset, table: pd.DataFrame) -> str:
    """What the figure shows, in words."""
    signals_mv = dataset.batch([choice.row], choice.leads)[0].numpy()
    return f"{describe_ecg(signals_mv, choice.leads)} {describe_scores(table, choice.lead_set)}"


def probabilities(choice: Choice, clf: Classifier, dataset: EcgDataset) -> pd.DataFrame:
    """A row a class: its label, and what the classifier makes of all twelve leads and of the chosen ones."""
    one = dataset.where(rows=[choice.row])
    return pd.DataFrame(
        {
            "label": np.where(one.labels[0] == 1, "yes", "no"),
            "12-lead": clf.predict_proba(one, LEAD_SETS["12-lead"])[0],
            choice.lead_set: clf.predict_proba(one, choice.leads)[0],
        },
        index=pd.Index(dataset.label_names, name="probability of"),
    )


class LeadSetExplorer(ipywidgets.VBox):
    """Controls over `draw`, `describe` and `probabilities`; an error is shown under the controls, and raised."""

    def __init__(self, clf: Classifier, dataset: EcgDataset, table: pd.DataFrame | None = None, choice: Choice | None = None):
        self.clf, self.dataset = clf, dataset
        self.table = score_table(clf, dataset) if table is None else table
        self.choice = choice or Choice()
        self.lead_set = ipywidgets.ToggleButtons(
            options=list(LEAD_SETS),
            value=self.choice.lead_set,
            tooltips=[", ".join(leads) for leads in LEAD_SETS.values()],
            style={"button_width": "70px"},
        )
        self.recording = ipywidgets.IntSlider(
            self.choice.row, 0, len(dataset) - 1, description="Recording", layout={"width": "460px"}
        )
        self.error, self.shown_probabilities, self.sentence = (ipywidgets.HTML() for _ in range(3))
        self.figure = go.FigureWidget(draw(self.choice, dataset, self.table))
        self._say()
        for control in (self.lead_set, self.recording):
            control.observe(self._chosen, "value")
        controls = ipywidgets.VBox([self.lead_set, self.recording, self.error])
        top = ipywidgets.HBox([controls, self.shown_probabilities], layout={"min_height": "130px"})  # so that nothing jumps
        super().__init__([top, self.figure, self.sentence])

    def _chosen(self, _change: object) -> None:
        self.error.value = ""
        try:
            self.choice = Choice(self.lead_set.value, self.recording.value)
            redraw(self.figure, draw(self.choice, self.dataset, self.table))
            self._say()
        except Exception as error:
            self.error.value = f'<p role="alert"><b>{type(error).__name__}: {html.escape(str(error))}</b></p>'
            raise

    def _say(self) -> None:
        self.sentence.value = f"<p>{html.escape(describe(self.choice, self.dataset, self.table))}</p>"
        self.shown_probabilities.value = _as_html(probabilities(self.choice, self.clf, self.dataset))


def redraw(widget: go.FigureWidget, figure: go.Figure) -> None:
    """Make a figure on the screen show what another of the same kind holds, in one message."""
    with widget.batch_update():
        for shown, new in zip(widget.data, figure.data, strict=True):
            shown.update(new.to_plotly_json())
        for part in ("shapes", "annotations", "title", "height", "yaxis", "yaxis2"):
            widget.layout[part] = figure.layout[part]


def _labels(row: int, dataset: EcgDataset) -> str:
    present = [name for name, label in zip(dataset.label_names, dataset.labels[row], strict=True) if label]
    return f"labelled {', '.join(present)}" if present else "no label"


def _as_html(table: pd.DataFrame) -> str:
    """Classes as columns, so that it fits beside the controls."""
    wide = table.T.drop_duplicates()  # with all twelve leads chosen there is one row of probabilities
    cells = wide.map(lambda value: value if isinstance(value, str) else f"{value:.2f}")
    return cells.rename(index=lambda name: name if name == "label" else f"with {name}").to_html(border=0, col_space=50)


def _stacked(ecg: go.Figure, scores: go.Figure) -> go.Figure:
    """Both in one figure, the ECG at its own scale: a notebook with two live figures is slow."""
    margin = ecg.layout.margin
    ecg_px = ecg.layout.height - margin.t - margin.b
    plot_px = ecg_px + GAP_PX + BARS_PX
    both = go.Figure(ecg)
    for trace in scores.data:
        both.add_trace(trace.update(xaxis="x2", yaxis="y2"))
    both.update_layout(
        xaxis2=scores.layout.xaxis.update(anchor="y2"),
        yaxis2=scores.layout.yaxis.update(anchor="x2", domain=[0, BARS_PX / plot_px]),
        yaxis={"domain": [1 - ecg_px / plot_px, 1]},
        height=plot_px + margin.t + FOOT_PX,
        margin={"b": FOOT_PX},
    )
    title = scores.layout.title.to_plotly_json()
    both.add_annotation(
        **title, xref="paper", yref="paper", x=0, xanchor="left", y=BARS_PX / plot_px, yanchor="bottom", showarrow=False
    )
    return both
