"""A map of embeddings to walk about in: click a recording, change leads and watch who moves, and who stays a neighbour.

EmbeddingMap(encoder, dataset), or with a LeadPicker for its leads. `MapView` and what the Atlas is asked are all the state
there is; map_figure.py draws and describes it.
"""

import html
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import ipywidgets
import plotly.graph_objects as go

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.encoders import Encoder
from selfdana_lite.explore.atlas import Atlas, Scene
from selfdana_lite.explore.ecg_paper import MARGIN_PX, MARK_S, MM_PER_S, PX_PER_MM, describe_ecg, ecg_figure
from selfdana_lite.explore.ecg_viewer import recording_at
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.lead_view import LeadView
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.map_figure import MapView, describe, describe_neighbours, draw, neighbour_table
from selfdana_lite.explore.map_groups import GROUPINGS
from selfdana_lite.explore.neighbours import METRICS
from selfdana_lite.explore.projection import describe_missing, methods

ECG_S = 5.0  # of each recording: what fits beside the map


def ecg_of(dataset: EcgDataset, row: int, leads: tuple[str, ...]) -> tuple[go.Figure, str]:
    """The first seconds of a recording with these leads, as narrow as they allow, and the same in words."""
    recording = recording_at(dataset, row).select(leads)
    signals_mv = recording.signal_mv[:, : round(ECG_S * recording.sampling_rate_hz)]  # [leads, samples]
    shown_s = signals_mv.shape[1] / recording.sampling_rate_hz
    figure = ecg_figure(signals_mv, leads, recording.sampling_rate_hz, recording.source)
    width = round((shown_s + MARK_S) * MM_PER_S * PX_PER_MM) + MARGIN_PX["l"] + MARGIN_PX["r"]
    figure.update_layout(width=width, xaxis={"domain": [0, 1], "title": {"text": "time (s); 25 mm/s, 10 mm/mV"}})
    return figure, f"{describe_ecg(signals_mv, leads)} Shown are the first {shown_s:g} of {recording.seconds:g} s."


class EmbeddingMap(LeadView):
    """Controls over `draw`, `describe` and `neighbour_table`. Without leads, the map starts with all there are."""

    def __init__(
        self,
        encoder: Encoder,
        dataset: EcgDataset,
        leads: str | Iterable[str] | None = None,
        picker: LeadPicker | None = None,
    ) -> None:
        self.atlas = Atlas(encoder, dataset)
        super().__init__(self.atlas.reference if leads is None else leads, picker)
        self.view = MapView()
        self.method = ipywidgets.Dropdown(options=methods(), description="Method", layout={"width": "200px"})
        self.colour_by = ipywidgets.Dropdown(options=list(GROUPINGS), description="Colour by", layout={"width": "200px"})
        self.metric = ipywidgets.Dropdown(options=METRICS, description="Distance", layout={"width": "200px"})
        self.drift_lines = ipywidgets.Checkbox(True, description="Drift lines", indent=False, layout={"width": "110px"})
        self.recording = ipywidgets.IntSlider(
            0, 0, len(dataset) - 1, description="Recording", continuous_update=False, layout={"width": "420px"}
        )
        self.status = ipywidgets.HTML(describe_missing())
        scene = self.scene()
        self.map = LiveFigure(draw(self.view, scene), describe(self.view, scene))
        self.ecg = LiveFigure(*ecg_of(dataset, self.view.row, self.leads))
        self.neighbours = ipywidgets.HTML(neighbours_html(self.view, scene))
        for control in (self.method, self.colour_by, self.metric, self.drift_lines, self.recording):
            control.observe(self.redraw, "value")
        self.map.observe(self._clicked, "clicked")
        wrap = ipywidgets.Layout(flex_flow="row wrap")
        menus = ipywidgets.HBox([self.lead_set, self.method, self.colour_by, self.metric], layout=wrap)
        below = ipywidgets.HBox([self.recording, self.drift_lines, self.status], layout=wrap)
        beside = ipywidgets.VBox([self.ecg, self.neighbours], layout={"width": "520px"})
        shown = ipywidgets.HBox([ipywidgets.Box([self.map], layout={"width": "630px"}), beside], layout=wrap)
        self.children = [menus, below, self.error, shown]

    def scene(self) -> Scene:
        """What the controls ask of the atlas: at once where it is known, else with words of progress."""
        asked = (self.leads, self.method.value, self.metric.value)
        if self.atlas.knows(*asked):
            return self.atlas.scene(*asked)
        with self._busy():
            return self.atlas.scene(*asked, tell=self._tell)

    def redraw(self, _change: object = None) -> None:
        with self.errors_shown():
            scene = self.scene()
            view = MapView(self.recording.value, self.colour_by.value, self.drift_lines.value)
            ecg = ecg_of(self.atlas.dataset, view.row, self.leads)  # all that may be refused comes before anything changes
            self.view = view
            self.map.show(draw(view, scene), describe(view, scene))
            self.ecg.show(*ecg)
            self.neighbours.value = neighbours_html(view, scene)

    def static_html(self) -> str:
        return self.map.static_html() + self.ecg.static_html() + self.neighbours.value

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Nothing else can be asked for meanwhile; afterwards the controls answer again, whatever happened."""
        controls = (self.lead_set, self.method, self.metric)
        try:
            for control in controls:
                control.disabled = True
            yield
        finally:
            for control in controls:
                control.disabled = False
            self.status.value = describe_missing()

    def _tell(self, words: str) -> None:
        self.status.value = f'<p role="status">{html.escape(words)}</p>'

    def _clicked(self, change: dict) -> None:
        if change["new"].get("customdata") is not None:
            self.recording.value = change["new"]["customdata"]


def neighbours_html(view: MapView, scene: Scene) -> str:
    """The neighbours in words and as a table."""
    table = neighbour_table(view, scene).to_html(border=0, justify="left")
    words = html.escape(describe_neighbours(view, scene), quote=False)
    return f'<div style="line-height: 1.4"><p>{words}</p>{table}</div>'
