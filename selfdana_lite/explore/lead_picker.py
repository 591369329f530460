"""Choose leads on a torso, with twelve buttons, or one of the usual sets; other widgets subscribe to `LeadPicker.leads`.

picker = LeadPicker("I, II, V2")   # among=dataset.leads where there are fewer than twelve
picker.observe(lambda change: print(change.new), "leads")
"""

import html
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import anywidget
import ipywidgets
import traitlets

from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.group import named
from selfdana_lite.explore.torso import describe_choice, describe_lead, torso_svg
from selfdana_lite.leads import LEAD_SETS, LEADS, LeadError, parse_leads


class Torso(anywidget.AnyWidget):
    """The drawing for a choice of leads and its words; reports a click on a lead as the message {"lead": name}."""

    _esm = Path(__file__).with_name("torso.js")
    svg = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)

    def show(self, leads: Iterable[str], among: Iterable[str]) -> None:
        """Draw these leads as chosen, in one message."""
        with self.hold_sync():
            self.text, self.svg = describe_choice(leads, among), torso_svg(leads, among)


class LeadPicker(Explorer):
    """The trait `leads` is what is chosen: names in the order of LEADS, at least one. It may be set as well, also by text.

    among: the leads that there are to choose from; without `leads`, all of them are chosen. LeadError for any other.
    """

    leads = traitlets.Any(())

    def __init__(self, leads: str | Iterable[str] | None = None, among: str | Iterable[str] = LEADS) -> None:
        self.among = _in_order(among)
        presets = {name: names for name, names in LEAD_SETS.items() if set(names) <= set(self.among)}
        self.torso, self.notice = Torso(), ipywidgets.HTML()
        self.presets = ipywidgets.ToggleButtons(
            options=list(presets),
            value=None,
            tooltips=[", ".join(names) for names in presets.values()],
            style={"button_width": "70px"},
        )
        self.buttons = {
            lead: ipywidgets.ToggleButton(layout={"width": "70px", "margin": "2px"}, disabled=lead not in self.among)
            for lead in LEADS
        }
        super().__init__()
        grid = ipywidgets.GridBox(list(self.buttons.values()), layout={"grid_template_columns": "repeat(6, 74px)"})
        groups = named(ipywidgets.HBox([self.presets]), "Usual lead sets"), named(grid, "Single leads")
        controls = ipywidgets.VBox([*groups, self.notice, self.error], layout={"width": "460px"})
        self.children = [ipywidgets.HBox([self.torso, controls], layout={"flex_flow": "row wrap"})]
        self.observe(self._show, "leads")
        self.leads = self.among if leads is None else leads
        for lead, button in self.buttons.items():
            button.observe(partial(self._pressed, lead), "value")
        self.presets.observe(self._preset_chosen, "value")
        self.torso.on_msg(lambda _torso, content, _buffers: self.toggle(content["lead"]))

    def toggle(self, lead: str) -> None:
        """Choose a lead, or leave it out. The last one stays, and one that is not there: a notice says so."""
        with self.errors_shown():
            if lead in LEADS and lead not in self.among:
                self.notice.value = f'<p role="status">{describe_lead(lead, self.leads, self.among)}.</p>'
            elif self.leads == (lead,):
                self._show()
                self.notice.value = f'<p role="status">At least one lead stays chosen: {lead}.</p>'
            else:
                self.leads = set(self.leads) ^ {lead}

    def static_html(self) -> str:
        return f"{torso_svg(self.leads, self.among)}<p>{html.escape(describe_choice(self.leads, self.among))}</p>"

    @traitlets.validate("leads")
    def _offered(self, proposal: dict) -> tuple[str, ...]:
        leads = _in_order(proposal["value"])
        if absent := [lead for lead in leads if lead not in self.among]:
            raise LeadError(f"There is no {', '.join(absent)} here; choose among {', '.join(self.among)}.")
        return leads

    def _pressed(self, lead: str, change: dict) -> None:
        if change["new"] != (lead in self.leads):  # else the button was set from here
            self.toggle(lead)

    def _preset_chosen(self, change: dict) -> None:
        if change["new"]:
            with self.errors_shown():
                self.leads = LEAD_SETS[change["new"]]

    def _show(self, _change: object = None) -> None:
        self.notice.value = ""
        self.torso.show(self.leads, self.among)
        self.presets.value = next((name for name, leads in LEAD_SETS.items() if leads == self.leads), None)
        for lead, button in self.buttons.items():
            chosen = lead in self.leads
            button.set_trait("value", chosen)
            button.description = f"✓ {lead}" if chosen else lead  # a screen reader is told of no other sign
            button.tooltip = describe_lead(lead, self.leads, self.among)


def _in_order(leads: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(parse_leads(leads), key=LEADS.index))
