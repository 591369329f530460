"""Drop a file: its report, its leads' names, the tracing on ECG paper, and where it lies among samples.

The widget is a thin view: own_file.py reads, cuts and converts, lead_mapper.py names, crowd.py compares.
"""

import html
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path

import ipywidgets
import plotly.graph_objects as go

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier
from selfdana_lite.explore.crowd import Crowds, answer_for
from selfdana_lite.explore.crowd_figures import crowd_figure, describe_crowd, describe_probabilities, probability_figure
from selfdana_lite.explore.ecg_layout import ONLY_PRESENT
from selfdana_lite.explore.ecg_paper import describe_ecg, ecg_figure
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.group import named
from selfdana_lite.explore.lead_mapper import LeadMapper
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.own_file import REFUSALS, SUFFIXES, WINDOW_S, Asked, for_encoder, read_as_asked, save_uploads
from selfdana_lite.explore.quality_picture import describe_quality, quality_figure
from selfdana_lite.quality import quality_report
from selfdana_lite.recording import Recording

PAPER_PX = 910  # as wide as ten seconds on ECG paper
FEW_LEADS = 4  # so few are drawn whole, one below the other; more as a quarter each, as on paper


class OwnEcg(Explorer):
    """Upload a file or take one of `files`; say what it does not say; see report, tracing and answer follow.

    clf: takes any leads. samples: recordings that it has not learnt from, to stand beside. files: {"what it is": path}; the
    first is shown at once. `used` is what the encoder was given, None where a file or a choice was refused: a sentence
    beneath the controls says why. Uploads lie in a temporary folder of the kernel's machine and go with the widget.
    """

    def __init__(self, clf: Classifier, samples: EcgDataset, files: Mapping[str, Path] | None = None) -> None:
        super().__init__()
        self.clf, self.samples, self.crowds = clf, samples, Crowds(clf, samples)
        self.folder = Path(tempfile.mkdtemp(prefix="own-ecg-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.upload = ipywidgets.FileUpload(multiple=True, accept=",".join(SUFFIXES), description="Upload")
        self.files = ipywidgets.Dropdown(options=[("choose", ""), *(files or {}).items()], description="or take")
        self.gain, self.rate_hz, self.names = map(_field, ("units per mV", "hertz", "leads"))
        self.start_s = ipywidgets.FloatSlider(0, min=0, max=0, step=0.5, description="from (s)", continuous_update=False)
        self.notice, self.report, self.done = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.mapping = ipywidgets.VBox()
        self._forget()
        self.quality, self.paper, self.map, self.probabilities = (LiveFigure(go.Figure()) for _ in range(4))
        _clear(self.quality, self.paper, self.map, self.probabilities)
        self.children = [
            named(ipywidgets.HBox([self.upload, self.files]), "File"),
            named(ipywidgets.HBox([self.gain, self.rate_hz, self.names]), "What the file does not say"),
            *(self.notice, self.error, self.report, self.quality, self.mapping),
            *(ipywidgets.HBox([self.start_s, self.done]), self.paper, self.map, self.probabilities),
        ]
        self.upload.observe(self._uploaded, "value")
        self.files.observe(self._taken, "value")
        for field in (self.gain, self.rate_hz, self.names):
            field.observe(self._said, "value")
        self.start_s.observe(self._show_answer, "value")
        if files:
            self.files.value = next(iter(files.values()))

    def static_html(self) -> str:
        names = self.mapper.static_html() if self.mapper else ""
        figures = (figure for figure in (self.quality, self.paper, self.map, self.probabilities) if figure.text)
        drawn = "".join(figure.static_html() for figure in figures)
        return f"{self.notice.value}{self.report.value}{names}{self.done.value}{drawn}"

    def _uploaded(self, change: dict) -> None:
        with self.errors_shown():
            if not change["new"]:
                return
            self.files.value = ""
            self._forget()
            try:
                self._take(save_uploads(change["new"], Path(tempfile.mkdtemp(dir=self.folder))))
            except REFUSALS as refusal:
                self._refuse(refusal)

    def _taken(self, change: dict) -> None:
        with self.errors_shown():
            if change["new"]:
                self._take(change["new"])

    def _said(self, _change: object) -> None:
        """A field changed: read the same file again; the names that were chosen stay."""
        with self.errors_shown():
            if self.asked is not None:
                self._read(Asked(self.asked.path, self.gain.value, self.rate_hz.value, self.names.value))

    def _take(self, path: Path) -> None:
        """Another file, about which nothing has been said yet."""
        self._forget()
        for field in (self.gain, self.rate_hz, self.names):
            field.value = ""
        self._read(Asked(path))

    def _forget(self) -> None:
        self.asked = self.mapper = self.used = None
        self.mapping.children = ()

    def _read(self, asked: Asked) -> None:
        self.asked = asked
        try:
            recording = read_as_asked(asked)
        except REFUSALS as refusal:
            self._refuse(refusal)
            return
        self.notice.value = ""
        self._report(recording)
        self.start_s.max = max(0.0, recording.seconds - WINDOW_S)
        self.start_s.disabled = self.start_s.max == 0
        if self.mapper is None:
            self.mapper = LeadMapper(recording)
            self.mapper.observe(self._show_answer, "mapped")
            self.mapping.children = (self.mapper,)
            self._show_answer()
        else:  # the same lists: whoever chooses in one while the file is read again shall not lose the choice
            self.mapping.children = (self.mapper,)
            self.mapper.show(recording)  # and the answer follows

    def _refuse(self, refusal: Exception) -> None:
        """Say why, and show nothing of an earlier file as if it were this one."""
        self.notice.value = f'<p role="status"><b>Refused:</b> {html.escape(str(refusal))}</p>'
        self.used, self.mapping.children = None, ()
        self.report.value = self.done.value = ""
        _clear(self.quality, self.paper, self.map, self.probabilities)

    def _report(self, recording: Recording) -> None:
        self.report.value = f"<p>{html.escape(describe_quality(quality_report(recording).iloc[0]))}</p>"
        if all(f"units {lead}" in recording.notes for lead in recording.leads):
            _clear(self.quality)  # nothing is in millivolt, which the report says too
        else:
            words = "One row a lead, R peaks ticked; what is missing, flat or clipped is shaded."
            _show(self.quality, quality_figure(recording, recording.source), words)

    def _show_answer(self, _change: object = None) -> None:
        """The tracing, the map and the probabilities of the recording as it is named and cut now."""
        if not self.mapping.children:  # no file, or one that was refused
            return
        with self.errors_shown():
            try:
                rate_hz = self.samples.sampling_rate_hz
                self.used, words = for_encoder(self.mapper.mapped, self.start_s.value, rate_hz)
            except REFUSALS as refusal:
                self.used, words = None, f"No answer yet: {refusal}"
            self.done.value = f'<p role="status">{html.escape(words)}</p>'
            if self.used is None:
                _clear(self.paper, self.map, self.probabilities)
            else:
                self._answer(self.used)

    def _answer(self, used: Recording) -> None:
        crowd = self.crowds.through(used.leads)  # the one slow step, once for each set of leads
        answer = answer_for(self.clf, used, crowd)
        layout = ONLY_PRESENT if len(used.leads) <= FEW_LEADS else "3x4"
        paper = ecg_figure(used.signal_mv, used.leads, used.sampling_rate_hz, used.source, layout)
        _show(self.paper, paper, describe_ecg(used.signal_mv, used.leads))
        _show(self.map, crowd_figure(answer, crowd), describe_crowd(answer, crowd))
        _show(self.probabilities, probability_figure(answer, crowd), describe_probabilities(answer, crowd))


def _field(description: str) -> ipywidgets.Text:
    """A field that reports on Enter or when it loses focus."""
    style, layout = {"description_width": "90px"}, {"width": "260px"}
    return ipywidgets.Text(
        description=description, placeholder="as the file says", continuous_update=False, style=style, layout=layout
    )


def _show(live: LiveFigure, figure: go.Figure, text: str) -> None:
    live.layout.display = None
    live.show(figure, text)


def _clear(*figures: LiveFigure) -> None:
    """Take away what they showed, and hide them: plotly draws no figure without height."""
    for live in figures:
        live.layout.display = "none"
        live.show(go.Figure(layout={"width": PAPER_PX, "height": 200}))
