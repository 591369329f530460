"""An explorer of chosen leads: alone it has a menu of lead sets; with a LeadPicker it follows what is chosen there."""

from collections.abc import Iterable

import ipywidgets
import traitlets

from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.leads import LEAD_SETS, LEADS, parse_leads


class LeadView(Explorer):
    """The trait `leads` is what is looked at, in the order of LEADS; it may be set, also by text. Subclasses `redraw`."""

    leads = traitlets.Any(LEADS)

    def __init__(self, leads: str | Iterable[str], picker: LeadPicker | None) -> None:
        super().__init__()
        self.lead_set = ipywidgets.Dropdown(options=list(LEAD_SETS), description="Leads")
        self.lead_set.layout.display = "none" if picker else None
        self.leads = leads if picker is None else picker.leads
        self._name_set()
        self.lead_set.observe(self._set_chosen, "value")
        self.observe(self._leads_chosen, "leads")
        if picker is not None:
            traitlets.dlink((picker, "leads"), (self, "leads"))

    def redraw(self, _change: object = None) -> None:
        """Show what the controls and the leads say now; an error is shown and raised."""
        raise NotImplementedError

    @traitlets.validate("leads")
    def _in_order(self, proposal: dict) -> tuple[str, ...]:
        return tuple(sorted(parse_leads(proposal["value"]), key=LEADS.index))

    def _set_chosen(self, change: dict) -> None:
        if change["new"] is not None:
            self.leads = LEAD_SETS[change["new"]]

    def _leads_chosen(self, _change: object) -> None:
        self._name_set()
        self.redraw()

    def _name_set(self) -> None:
        """The menu names the lead set, or nothing where the leads are none of the usual sets."""
        self.lead_set.value = next((name for name, leads in LEAD_SETS.items() if leads == self.leads), None)
