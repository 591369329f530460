"""Pick a lead set and a recording; see the ECG with those leads, and what the encoder still knows.

`Choice` is all the state there is. The functions turn it into figures with their words and a table; the widget hands the
controls' values to them and shows what comes back.
"""

from dataclasses import dataclass

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier
from selfdana_lite.explore.ecg_paper import describe_ecg, ecg_figure
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.group import named
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.scores import describe_scores, score_figure, score_table
from selfdana_lite.leads import LEAD_SETS

PAPER_PX, BARS_PX = 910, 190  # the bars are as wide as ten seconds of ECG paper


@dataclass(frozen=True)
class Choice:
    """What has been chosen: a name in LEAD_SETS, and a row of the dataset."""

    lead_set: str = "12-lead"
    row: int = 0

    @property
    def leads(self) -> tuple[str, ...]:
        return LEAD_SETS[self.lead_set]


def ecg_of(choice: Choice, dataset: EcgDataset) -> tuple[go.Figure, str]:
    """The recording on ECG paper with the chosen leads, and the same in words."""
    signals_mv = dataset.batch([choice.row], choice.leads)[0].numpy()
    title = f"Recording {choice.row} ({_labels(choice.row, dataset)}) with {choice.lead_set}"
    return ecg_figure(signals_mv, choice.leads, dataset.sampling_rate_hz, title), describe_ecg(signals_mv, choice.leads)


def scores_of(choice: Choice, table: pd.DataFrame) -> tuple[go.Figure, str]:
    """The scores of all lead sets as bars as wide as the ECG, the chosen one highlighted, and the same in words."""
    bars = score_figure(table, choice.lead_set).update_layout(width=PAPER_PX, height=BARS_PX)
    return bars, describe_scores(table, choice.lead_set)


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


class LeadSetExplorer(Explorer):
    """Controls over `ecg_of`, `scores_of` and `probabilities`; an error is shown under the controls, and raised."""

    def __init__(self, clf: Classifier, dataset: EcgDataset, table: pd.DataFrame | None = None, choice: Choice | None = None):
        super().__init__()
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
        self.shown_probabilities = ipywidgets.HTML(self._probabilities())
        self.ecg = LiveFigure(*ecg_of(self.choice, self.dataset))
        self.scores = LiveFigure(*scores_of(self.choice, self.table))
        for control in (self.lead_set, self.recording):
            control.observe(self._chosen, "value")
        controls = ipywidgets.VBox([named(ipywidgets.HBox([self.lead_set]), "Lead set"), self.recording, self.error])
        top = ipywidgets.HBox([controls, self.shown_probabilities], layout={"min_height": "130px"})  # so that nothing jumps
        self.children = [top, self.ecg, self.scores]

    def static_html(self) -> str:
        return self.shown_probabilities.value + self.ecg.static_html() + self.scores.static_html()

    def _chosen(self, _change: object) -> None:
        with self.errors_shown():
            choice = Choice(self.lead_set.value, self.recording.value)
            ecg, scores = ecg_of(choice, self.dataset), scores_of(choice, self.table)
            self.choice = choice
            self.ecg.show(*ecg)
            self.scores.show(*scores)
            self.shown_probabilities.value = self._probabilities()

    def _probabilities(self) -> str:
        return _as_html(probabilities(self.choice, self.clf, self.dataset))


def _labels(row: int, dataset: EcgDataset) -> str:
    present = [name for name, label in zip(dataset.label_names, dataset.labels[row], strict=True) if label]
    return f"labelled {', '.join(present)}" if present else "no label"


def _as_html(table: pd.DataFrame) -> str:
    """Classes as columns, so that it fits beside the controls."""
    wide = table.T.drop_duplicates()  # with all twelve leads chosen there is one row of probabilities
    cells = wide.map(lambda value: value if isinstance(value, str) else f"{value:.2f}")
    return cells.rename(index=lambda name: name if name == "label" else f"with {name}").to_html(border=0, col_space=50)
