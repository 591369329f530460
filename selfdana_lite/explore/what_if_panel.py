"""What if there were only these leads? Scores, one patient's probabilities, the next lead and the cost, as leads come and go.

panel = WhatIfPanel(clf, dataset)   # in a notebook, this line is all; picker=... takes the leads from a picker that is there

`WhatIf` is all the state there is; `draw` and `describe` are functions of it and of the answers to its questions.
"""

from dataclasses import replace

import ipywidgets
import pandas as pd
import traitlets

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.lead_answers import COUNTED, LeadAnswers
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.what_if_figure import WhatIf, cost_shares, draw, labels_of


def describe(asked: WhatIf, answers: LeadAnswers) -> str:
    """All four parts in words."""
    scores, everything = answers.scores(asked.leads), answers.scores(answers.leads)
    low, high = scores.interval
    classes = ", ".join(f"{name} {value:.3f}" for name, value in scores.per_class.items())
    words = [
        f"With {', '.join(asked.leads)} the macro AUROC is {scores.macro_auroc:.3f} [{low:.3f}, {high:.3f}] ({classes}); "
        f"with all {len(answers.leads)} leads {everything.macro_auroc:.3f}."
    ]
    parts = (_compared, _next_in_words, _cost_in_words, _patient_in_words)
    return " ".join([*words, *(part(asked, answers) for part in parts)])


def _compared(asked: WhatIf, answers: LeadAnswers) -> str:
    n_leads = len(asked.leads)
    best = answers.best(n_leads)
    if best is None:
        return f"The table has no lead set of {n_leads} to compare with."
    score = answers.scores(best).macro_auroc
    return f"The table's best set of {n_leads}, {', '.join(best)}, scores {score:.3f} here."


def _next_in_words(asked: WhatIf, answers: LeadAnswers) -> str:
    if asked.leads == answers.leads:
        return "No lead is left to add."
    candidates = answers.next_leads(asked.leads)
    if candidates.empty:
        return "The table lacks the lead sets that would tell which lead to add next."
    return f"To add next: {candidates['lead'][0]} ({candidates['gain'][0]:+.3f} in the table)."


def _cost_in_words(asked: WhatIf, answers: LeadAnswers) -> str:
    count, everything = len(answers.dataset), answers.costs.loc[len(answers.leads)]
    operations, memory = cost_shares(asked, answers)
    billions, kept_mb = everything["gflop"] * count, everything["kept_mb"]
    return (
        f"The cost is counted, not timed, in a step of fine-tuning on {min(COUNTED, count)} recordings: once through these "
        f"{count} (an epoch) takes {operations * billions:.3g} of {billions:.3g} billion multiplications and additions "
        f"({operations:.0%}), and each recording keeps {memory * kept_mb:.2f} of {kept_mb:.2f} MB in memory for the backward "
        f"pass ({memory:.0%}). How many seconds that is depends on the machine."
    )


def _patient_in_words(asked: WhatIf, answers: LeadAnswers) -> str:
    before, after = (answers.predict(leads)[asked.row] for leads in (answers.leads, asked.leads))
    names = answers.dataset.label_names
    each = ", ".join(f"{name} {b:.2f} to {a:.2f}" for name, b, a in zip(names, before, after, strict=True))
    labels = ", ".join(labels_of(asked.row, answers)) or "nothing"
    return f"Recording {asked.row}, labelled {labels}, from all leads to the chosen: {each}."


class WhatIfPanel(Explorer):
    """The trait `leads` is what is asked about; it is the picker's, and may be set as well.

    table: of what_if, perhaps of other patients than the dataset's; without one, every subset is scored first.
    answers: instead of all three, where they are there already.
    """

    leads = traitlets.Any(())

    def __init__(
        self,
        clf: Classifier | None = None,
        dataset: EcgDataset | None = None,
        table: pd.DataFrame | None = None,
        picker: LeadPicker | None = None,
        answers: LeadAnswers | None = None,
    ):
        self.answers = answers or LeadAnswers(clf, dataset, table)
        self.picker = picker or LeadPicker(among=self.answers.leads)
        super().__init__()
        self.asked = WhatIf(self.picker.leads)
        self.recording = ipywidgets.IntSlider(
            0, 0, len(self.answers.dataset) - 1, description="Recording", layout={"width": "460px"}
        )
        self.figure = LiveFigure(draw(self.asked, self.answers), describe(self.asked, self.answers))
        self.children = [*([] if picker else [self.picker]), self.recording, self.error, self.figure]
        self.leads = self.picker.leads
        self.picker.observe(self._picked, "leads")
        traitlets.dlink((self, "leads"), (self.picker, "leads"))
        self.observe(self._asked, "leads")
        self.recording.observe(self._asked, "value")

    def static_html(self) -> str:
        return self.figure.static_html()

    @traitlets.validate("leads")
    def _in_order(self, proposal: dict) -> tuple[str, ...]:
        return self.answers.in_order(proposal["value"])

    def _picked(self, change: dict) -> None:
        with self.errors_shown():  # a picker of somebody else's may offer leads that are not here
            self.leads = change["new"]

    def _asked(self, _change: object) -> None:
        with self.errors_shown():
            asked = replace(self.asked, leads=self.leads, row=self.recording.value)
            self.figure.show(draw(asked, self.answers), describe(asked, self.answers))
            self.asked = asked
