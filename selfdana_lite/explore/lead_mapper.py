"""Say which lead each of a file's names means, and watch whether the limb leads then obey Einthoven's and Goldberger's laws.

mapper = LeadMapper(recording)
mapper.observe(lambda change: print(change.new.leads), "mapped")
"""

import html
from collections.abc import Mapping

import ipywidgets
import numpy as np
import plotly.graph_objects as go
import traitlets

from selfdana_lite.electrodes import LimbCheck, check_limb_leads
from selfdana_lite.explore.colours import INK
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.group import named
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.sheet import GRID, sheet
from selfdana_lite.faults import filled, in_millivolt, split_wander
from selfdana_lite.leads import LEAD_SETS, LEADS, LIMB_FROM_I_II, LeadError
from selfdana_lite.recording import Recording

AS_IT_IS = "leave as it is"
SHOWN_S = 4.0
COMPUTED = "#D55E00"  # Okabe and Ito's vermilion, and dashed


def renamed(recording: Recording, chosen: Mapping[str, str]) -> Recording:
    """The recording with each of the chosen names ({"ch1": "II"}); AS_IT_IS keeps the file's own.

    Raises LeadError where two names would be the same lead, and what Recording.rename refuses: a name that is not there,
    and a channel without millivolt that would become a lead.
    """
    wanted = {name: lead for name, lead in chosen.items() if lead != AS_IT_IS}
    after = [wanted.get(name, name) for name in recording.leads]
    for lead in after:
        if after.count(lead) > 1:
            claim = [name for name, new in zip(recording.leads, after, strict=True) if new == lead]
            raise LeadError(
                f"{' and '.join(claim)} would both be lead {lead}; a lead is one row. Choose another for one of them."
            )
    return recording.rename(wanted)


def limb_check(recording: Recording) -> LimbCheck:
    """check_limb_leads of a whole recording: residual and suspicion, NaN and "" where leads are missing."""
    signal_mv, leads = in_millivolt(recording)
    steady_mv, _ = split_wander(filled(signal_mv), recording.sampling_rate_hz)
    return check_limb_leads(signal_mv, np.where(np.isnan(signal_mv), np.nan, steady_mv), leads)


def describe_limb_leads(recording: Recording) -> str:
    """What the limb leads say about their names, in words."""
    check = limb_check(recording)
    if np.isnan(check.residual_mv):
        return (
            f"The limb leads cannot be checked: that takes I, II and one more of III, aVR, aVL, aVF, and here are "
            f"{', '.join(recording.leads)}."
        )
    found = f"{check.suspicion[0].upper()}{check.suspicion[1:]}." if check.suspicion else "Nothing is suspected."
    return (
        f"The limb leads break Einthoven's and Goldberger's laws by up to {check.residual_mv:.3f} mV, "
        f"{check.residual_share:.1%} of the largest of them. {found}"
    )


def limb_figure(recording: Recording) -> go.Figure:
    """The limb lead that fits worst, as recorded and as I and II give it: where the lines lie on each other the law holds.

    Low and empty where there is no third limb lead beside I and II.
    """
    lead, recorded_mv, computed_mv = _worst_limb_lead(recording)
    title = f"Lead {lead}: as recorded, and as I and II give it" if lead else "Nothing to check"
    time_s = np.arange(len(recorded_mv)) / recording.sampling_rate_hz
    figure = go.Figure(
        [
            go.Scatter(x=time_s, y=recorded_mv, name="recorded", line={"color": INK, "width": 1.5}),
            go.Scatter(x=time_s, y=computed_mv, name="from I and II", line={"color": COMPUTED, "width": 2, "dash": "dash"}),
        ]
    )
    axis = {"fixedrange": True, "zeroline": False, "visible": bool(lead)}
    figure.update_xaxes(axis, title="time (s)").update_yaxes(axis, title="mV", gridcolor=GRID)
    return figure.update_layout(
        sheet(title, 240 if lead else 120, (60, 10, 50, 45), width=600),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        showlegend=bool(lead),
    )


def _worst_limb_lead(recording: Recording) -> tuple[str, np.ndarray, np.ndarray]:
    """Its name, its first seconds as recorded and as computed, each about its mean; "" and nothing where there is none."""
    others = [lead for lead in LEAD_SETS["6-lead"][2:] if lead in recording.leads]
    if not {"I", "II"} <= set(recording.leads) or not others:
        return "", np.empty(0), np.empty(0)
    i_ii_mv = filled(recording.select(("I", "II")).signal_mv)  # [2, samples]
    recorded_mv = filled(recording.select(others).signal_mv)  # [others, samples]
    weights = LIMB_FROM_I_II[[LEAD_SETS["6-lead"].index(lead) for lead in others]]
    computed_mv = weights @ i_ii_mv  # [others, 2] @ [2, samples]
    recorded_mv, computed_mv = (rows - rows.mean(axis=1, keepdims=True) for rows in (recorded_mv, computed_mv))
    worst = int(np.abs(recorded_mv - computed_mv).max(axis=1).argmax())
    shown = slice(0, round(SHOWN_S * recording.sampling_rate_hz))
    return others[worst], recorded_mv[worst, shown], computed_mv[worst, shown]


class LeadMapper(Explorer):
    """A list to choose from for each name in the file; the trait `mapped` is the recording with the chosen names.

    A choice that cannot be (two names for one lead, a channel without millivolt) is refused with a sentence, and `mapped`
    stays as it was until the choice is mended.
    """

    mapped = traitlets.Any()

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.lists: dict[str, ipywidgets.Dropdown] = {}
        self._made: dict[str, ipywidgets.Dropdown] = {}
        self.grid = ipywidgets.GridBox(layout={"grid_template_columns": "repeat(2, 150px)"})
        self.notice, self.limb = ipywidgets.HTML(), LiveFigure(go.Figure())
        lists = named(ipywidgets.VBox([self.grid, self.notice, self.error]), "Which lead each name means")
        self.children = [ipywidgets.HBox([lists, self.limb])]
        self.show(recording)

    def show(self, recording: Recording) -> None:
        """Ask about another reading of the same file.

        A name keeps its list, and with it what is chosen there: somebody may be choosing in it at this moment.
        """
        self.recording = recording
        for name in recording.leads:
            if name not in self._made:
                self._made[name] = self._list(name)
        self.lists = {name: self._made[name] for name in recording.leads}
        self.grid.children = tuple(self.lists.values())
        self._name(otherwise=recording)

    @property
    def chosen(self) -> dict[str, str]:
        return {name: one.value for name, one in self.lists.items()}

    def static_html(self) -> str:
        names = "".join(f"<tr><td>{html.escape(name)}</td><td>{lead}</td></tr>" for name, lead in self.chosen.items())
        table = f"<table><tr><th>in the file</th><th>means</th></tr>{names}</table>"
        return table + self.notice.value + self.limb.static_html()

    def _list(self, name: str) -> ipywidgets.Dropdown:
        known = name in LEADS
        made = ipywidgets.Dropdown(
            options=LEADS if known else (AS_IT_IS, *LEADS),
            value=name if known else AS_IT_IS,
            description=name,
            style={"description_width": "50px"},
            layout={"width": "145px"},
        )
        made.observe(lambda _change: self._name(otherwise=self.mapped), "value")
        return made

    def _name(self, otherwise: Recording) -> None:
        """Name the leads as chosen; where that cannot be, say why and show `otherwise`."""
        with self.errors_shown():
            try:
                mapped, words = renamed(self.recording, self.chosen), ""
            except LeadError as refusal:
                mapped, words = otherwise, f'<p role="status"><b>Not yet:</b> {html.escape(str(refusal))}</p>'
            self.notice.value = words
            self.limb.show(limb_figure(mapped), describe_limb_leads(mapped))
            self.mapped = mapped  # last: whoever observes it may take a while
