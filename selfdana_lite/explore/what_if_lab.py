"""The whole lab: one lead picker over the what-if panel, the ECG, and all lead sets; lesson 09 and `make app` show it.

lab = WhatIfLab(clf, dataset)   # every subset is scored first; table=what_if(clf, dataset, "all") where that is done
"""

import ipywidgets
import pandas as pd

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier
from selfdana_lite.explore.ecg_paper import describe_ecg, ecg_figure
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.lattice import describe_lattice, lattice_figure, lead_set_at
from selfdana_lite.explore.lead_answers import LeadAnswers
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.what_if_figure import WhatIf, labels_of
from selfdana_lite.explore.what_if_panel import WhatIfPanel
from selfdana_lite.leads import LeadError

TABS = ("Scores and cost", "Its ECG", "All lead sets")


class WhatIfLab(Explorer):
    """Only the tab that is open is drawn anew. A click on a point of the last tab chooses that lead set."""

    def __init__(self, clf: Classifier, dataset: EcgDataset, table: pd.DataFrame | None = None, leads: str = "I, II, V2"):
        super().__init__()
        self.answers = LeadAnswers(clf, dataset, table)
        self.picker = LeadPicker(leads, among=self.answers.leads)
        self.panel = WhatIfPanel(picker=self.picker, answers=self.answers)
        self.ecg, self.lattice = LiveFigure(*self._ecg()), LiveFigure(*self._lattice())
        self.tabs = ipywidgets.Tab([self.panel, self.ecg, self.lattice], titles=TABS)
        self.children = [self.picker, self.error, self.tabs]
        self.panel.observe(self._changed, "leads")
        self.panel.recording.observe(self._changed, "value")
        self.tabs.observe(self._changed, "selected_index")
        self.lattice.observe(self._point_chosen, "clicked")

    def static_html(self) -> str:
        return self.picker.static_html() + self.panel.static_html()

    def _changed(self, _change: object) -> None:
        with self.errors_shown():
            if self.tabs.selected_index == 1:
                self.ecg.show(*self._ecg())
            elif self.tabs.selected_index == 2:
                self.lattice.show(*self._lattice())

    def _point_chosen(self, change: dict) -> None:
        with self.errors_shown():
            if change["new"] and (leads := lead_set_at(self.answers.table, change["new"]["curve"], change["new"]["point"])):
                self.picker.leads = leads

    def _ecg(self) -> tuple:
        asked, dataset = WhatIf(self.panel.leads, self.panel.recording.value), self.answers.dataset
        signals_mv = dataset.batch([asked.row], asked.leads)[0].numpy()
        title = f"Recording {asked.row}, labelled {', '.join(labels_of(asked.row, self.answers)) or 'nothing'}"
        return ecg_figure(signals_mv, asked.leads, dataset.sampling_rate_hz, title), describe_ecg(signals_mv, asked.leads)

    def _lattice(self) -> tuple:
        try:
            drawn = self.answers.table, self.panel.leads
            return lattice_figure(*drawn), describe_lattice(*drawn)
        except LeadError:  # a table of some lead sets need not have the chosen one
            return lattice_figure(self.answers.table), describe_lattice(self.answers.table)
