"""Leaf through recordings on ECG paper: choose layout and leads, and have the waves marked.

`ECGView` is all the state there is; `draw` and `describe` turn it and a recording into a figure and its words.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import ipywidgets
import plotly.graph_objects as go

from selfdana_lite.dataset import EcgDataset, FlatLeadWarning
from selfdana_lite.explore.ecg_layout import LAYOUTS
from selfdana_lite.explore.ecg_marks import Marks, describe_marks, find_marks
from selfdana_lite.explore.ecg_paper import SHOWN_S, describe_ecg, ecg_figure
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.lead_view import LeadView
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.leads import LEADS
from selfdana_lite.recording import Recording


@dataclass(frozen=True)
class ECGView:
    """What has been chosen: a row of the dataset, leads (of which a recording may lack some), a layout, marks or none."""

    row: int = 0
    leads: tuple[str, ...] = LEADS
    layout: str = LAYOUTS[0]
    marked: bool = False


def recording_at(source: EcgDataset | Recording, row: int) -> Recording:
    """One recording of a dataset, with the leads that it has; its source tells the row and the labels."""
    if isinstance(source, Recording):
        return source
    leads = tuple(lead for lead, there in zip(source.leads, source.present[row], strict=True) if there)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FlatLeadWarning)  # a person sees it
        signal_mv = source.batch([row], leads)[0].numpy()  # [leads, samples]
    labels = [name for name, label in zip(source.label_names, source.labels[row], strict=True) if label]
    title = f"Recording {row} ({'labelled ' + ', '.join(labels) if labels else 'no label'})"
    return Recording(signal_mv, source.sampling_rate_hz, leads, source=title)


def draw(view: ECGView, recording: Recording, marks: Marks | None = None) -> go.Figure:
    """The chosen leads of the recording on ECG paper."""
    chosen = _chosen(view, recording)
    signal_mv = recording.signal_mv[[recording.leads.index(lead) for lead in chosen]]
    return ecg_figure(signal_mv, chosen, recording.sampling_rate_hz, recording.source, view.layout, marks)


def describe(view: ECGView, recording: Recording, marks: Marks | None = None) -> str:
    """The figure in words, with what is there besides: time and channels that are not drawn."""
    chosen, first = _chosen(view, recording), round(SHOWN_S * recording.sampling_rate_hz)
    words = [describe_ecg(recording.signal_mv[[recording.leads.index(lead) for lead in chosen], :first], chosen)]
    others = [name for name in recording.leads if name not in LEADS]
    lacking = [lead for lead in view.leads if lead not in recording.leads]
    words += [f"Chosen, but not in this recording: {', '.join(lacking)}."] if lacking else []
    words += [f"Not drawn: {', '.join(others)}."] if others else []
    words += [f"Shown are the first {SHOWN_S:g} of {recording.seconds:g} s."] if recording.seconds > SHOWN_S else []
    words += [describe_marks(marks)] if marks is not None else []
    return " ".join(words)


def marks_of(view: ECGView, recording: Recording) -> Marks | None:
    """The marks in the chosen leads where they are asked for, over the time that is drawn."""
    if not view.marked:
        return None
    chosen = _chosen(view, recording)
    if not chosen:
        return Marks(why_none="none of the chosen leads is there")
    return find_marks(recording.select(chosen).window(0, min(SHOWN_S, recording.seconds)))


def _chosen(view: ECGView, recording: Recording) -> tuple[str, ...]:
    return tuple(lead for lead in recording.standard_leads if lead in view.leads)


class ECGViewer(LeadView):
    """Controls over `draw` and `describe`: ECGViewer(dataset), or ECGViewer(recording), also with a picker for its leads."""

    def __init__(
        self,
        source: EcgDataset | Recording,
        leads: str | Iterable[str] = "12-lead",
        layout: str = LAYOUTS[0],
        picker: LeadPicker | None = None,
    ) -> None:
        super().__init__(leads, picker)
        self.source, self.view = source, ECGView(leads=self.leads, layout=layout)
        last = 0 if isinstance(source, Recording) else len(source) - 1
        self.recording = ipywidgets.IntSlider(0, 0, last, description="Recording", layout={"width": "420px"})
        self.recording.layout.display = None if last else "none"
        self.layout_menu = ipywidgets.Dropdown(options=LAYOUTS, value=layout, description="Layout", layout={"width": "250px"})
        self.marked = ipywidgets.Checkbox(description="Mark P, Q, R, S and T", indent=False, layout={"width": "190px"})
        self.figure = LiveFigure(*self._shown(self.view))
        for control in (self.recording, self.layout_menu, self.marked):
            control.observe(self.redraw, "value")
        wrap = ipywidgets.Layout(flex_flow="row wrap", width="910px")
        controls = ipywidgets.HBox([self.recording, self.layout_menu, self.lead_set, self.marked], layout=wrap)
        self.children = [controls, self.error, self.figure]

    def redraw(self, _change: object = None) -> None:
        with self.errors_shown():
            view = ECGView(self.recording.value, self.leads, self.layout_menu.value, self.marked.value)
            self.figure.show(*self._shown(view))
            self.view = view

    def static_html(self) -> str:
        return self.figure.static_html()

    def _shown(self, view: ECGView) -> tuple[go.Figure, str]:
        recording = recording_at(self.source, view.row)
        marks = marks_of(view, recording)
        return draw(view, recording, marks), describe(view, recording, marks)
