"""See leads flow into the slots of Dimension-Adaptive Pooling: which merge, which repeat, and what one example becomes.

`PoolingChoice` is all the state there is. The flow is asked of the pooling itself, so that the drawing cannot differ from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from selfdana_lite.adapter import DimensionAdaptivePooling
from selfdana_lite.explore.colours import FAINT, INK, LEAD_COLOURS, LEAD_DASHES
from selfdana_lite.explore.group import named
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.lead_view import LeadView
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.explore.sheet import FONT, sheet
from selfdana_lite.leads import LEADS

# The example: one number a lead, as a feature map may hold at one moment. No two are equal, so that a maximum has one winner.
EXAMPLE = dict(zip(LEADS, (0.6, 1.0, 0.4, -0.8, 0.1, 0.7, -0.5, 0.2, 0.9, 1.4, 1.2, 0.8), strict=True))
MOST_SLOTS = 6
DRAWN_PX, ABOVE_PX, BELOW_PX = 312, 40, 10  # one size, so that nothing jumps


@dataclass(frozen=True)
class PoolingChoice:
    """What has been chosen: the leads, and the arguments of DimensionAdaptivePooling."""

    leads: tuple[str, ...] = LEADS
    slots: int = 4
    op: str = "max"
    fill: str = "repeat"


@dataclass(frozen=True, eq=False)
class Flow:
    """What reaches a slot: `open` bool [slots, leads]; in the example, `share` of each lead and `pooled` float [slots]."""

    open: np.ndarray
    share: np.ndarray  # [slots, leads]: how much the slot moves when the lead does
    pooled: np.ndarray


def flow_of(choice: PoolingChoice) -> Flow:
    """Ask the pooling: once with a one in each lead by itself, once with the example and its derivative."""
    pooling = DimensionAdaptivePooling(choice.slots, choice.op, choice.fill)

    def pool(values: torch.Tensor) -> torch.Tensor:
        return pooling(values[:, None, :, None])[:, 0, :, 0]  # [B, leads] -> [B, 1, leads, 1] -> [B, slots]

    example = torch.tensor([[EXAMPLE[lead] for lead in choice.leads]], dtype=torch.float64)  # [1, leads]
    share = torch.autograd.functional.jacobian(pool, example)[0, :, 0]  # [1, slots, 1, leads] -> [slots, leads]
    ones = pool(torch.eye(len(choice.leads)))  # [leads, slots]
    return Flow((ones > 0).T.numpy(), share.numpy(), pool(example)[0].numpy())


def table_of(choice: PoolingChoice) -> pd.DataFrame:
    """A row a slot: what it pools, and the example's numbers."""
    flow, rows = flow_of(choice), []
    for slot, (entering, share, pooled) in enumerate(zip(flow.open, flow.share, flow.pooled, strict=True), start=1):
        names = [lead for lead, enters in zip(choice.leads, entering, strict=True) if enters]
        numbers = ", ".join(f"{EXAMPLE[name]:g}" for name in names)
        sum_up = f"{choice.op}({numbers}) = {_number(pooled)}" if len(names) > 1 else numbers
        taken = [lead for lead, part in zip(choice.leads, share, strict=True) if part > 0]
        rows.append({"slot": slot, "pools": _pools(choice.op, names), "example": sum_up, "takes": taken})
    return pd.DataFrame(rows).assign(takes=lambda table: table["takes"].map(", ".join))


def draw(choice: PoolingChoice) -> go.Figure:
    """Leads on the left, slots on the right; a line where a lead may enter, wide by its share in the example."""
    flow, table = flow_of(choice), table_of(choice)
    lead_y, slot_y = _spread(len(choice.leads)), _spread(choice.slots)
    links = [
        _link(lead, lead_y[column], slot_y[slot], flow.share[slot, column])
        for slot, column in zip(*np.nonzero(flow.open), strict=True)
        for lead in [choice.leads[column]]
    ]
    names = [f"<b>{lead}</b> = {EXAMPLE[lead]:g}" for lead in choice.leads]
    sums = [
        f"<b>slot {slot}</b> = {_number(pooled)}<br>{pools}"
        for slot, pooled, pools in zip(table["slot"], flow.pooled, table["pools"], strict=True)
    ]
    colours = [LEAD_COLOURS[lead] for lead in choice.leads]
    nodes = [_nodes(0, lead_y, names, "middle left", colours), _nodes(1, slot_y, sums, "middle right", INK)]
    title = f"{_count(len(choice.leads), 'lead')} into {_count(choice.slots, 'slot')}"
    axis = {"visible": False, "fixedrange": True}
    title = f"{title} by {choice.op}; thick: what gets through in the example"
    paper = sheet(title, DRAWN_PX + ABOVE_PX + BELOW_PX, (10, 10, ABOVE_PX, BELOW_PX)) | {
        "xaxis": axis | {"range": [-0.3, 2.7]},
        "yaxis": axis | {"range": [-DRAWN_PX, 0]},
        "showlegend": False,
    }
    return go.Figure(links + nodes, paper)


def describe(choice: PoolingChoice) -> str:
    """The drawing in words: what merges, what repeats, and what each slot takes in the example."""
    flow, table = flow_of(choice), table_of(choice)
    leads, slots = len(choice.leads), choice.slots
    words = [f"{_count(leads, 'lead')} into {_count(slots, 'slot')} by {choice.op}: {_why(leads, slots, choice.fill)}."]
    words += [" ".join(f"Slot {row.slot}: {row.pools}." for row in table.itertuples())]
    repeated = [
        f"{lead} in slots {', '.join(str(slot + 1) for slot in np.flatnonzero(column))}"
        for lead, column in zip(choice.leads, flow.open.T, strict=True)
        if column.sum() > 1
    ]
    words += [f"More than once: {'; '.join(repeated)}."] if repeated else []
    if choice.op == "max" and (flow.open.sum(axis=1) > 1).any():
        left_out = [lead for lead, share in zip(choice.leads, flow.share.T, strict=True) if not share.any()]
        words += [f"In the example the slots take {', '.join(dict.fromkeys(table['takes']))}"]
        words[-1] += f"; nothing of {', '.join(left_out)} gets through." if left_out else "."
    return " ".join(words)


def _why(leads: int, slots: int, fill: str) -> str:
    if leads >= slots:
        merged = "each has a slot of its own" if leads == slots else "more leads than slots, so neighbours merge"
        return f"{merged}; how to fill slots makes no difference"
    return f"fewer leads than slots, so leads repeat, {'beside themselves' if fill == 'repeat' else 'all in turn'} ({fill})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:g}"  # + 0.0, because a mean of nothing but rounding errors is not minus zero


def _pools(op: str, names: list[str]) -> str:
    return f"{op} of {', '.join(names)}" if len(names) > 1 else names[0]


def _spread(count: int) -> np.ndarray:
    """Heights of this many nodes, evenly, from the top."""
    return -(np.arange(count) + 0.5) * DRAWN_PX / count


def _link(lead: str, from_y: float, to_y: float, share: float) -> dict:
    """A lead that is passed over, another being larger, stays a thin line."""
    line = {"color": LEAD_COLOURS[lead], "dash": LEAD_DASHES[lead], "width": 1 + 5 * share}
    hover = {"name": f"{lead}: share {share:.2f}", "hoverinfo": "name"}
    opacity = 1 if share else 0.55
    return {"type": "scatter", "x": [0, 1], "y": [from_y, to_y], "mode": "lines", "line": line, "opacity": opacity} | hover


def _nodes(x: float, y: np.ndarray, text: list[str], place: str, colour: str | list[str]) -> dict:
    mark = {"color": colour, "size": 13, "symbol": "circle" if x == 0 else "square", "line": {"color": FAINT, "width": 1}}
    words = {"text": text, "textposition": place, "textfont": FONT, "cliponaxis": False, "hoverinfo": "skip"}
    return {"type": "scatter", "x": [x] * len(y), "y": y, "mode": "markers+text", "marker": mark} | words


class PoolingView(LeadView):
    """Controls over `draw`, `describe` and `table_of`: PoolingView(), or with a picker for its leads."""

    def __init__(self, leads: str | Iterable[str] = "12-lead", slots: int = 4, picker: LeadPicker | None = None) -> None:
        super().__init__(leads, picker)
        self.choice = PoolingChoice(self.leads, slots)
        self.slots = ipywidgets.IntSlider(slots, 1, MOST_SLOTS, description="Slots", layout={"width": "300px"})
        self.op, self.fill = (
            ipywidgets.ToggleButtons(options=options, style={"button_width": "70px"}, tooltips=[f"{name} {o}" for o in options])
            for name, options in (("Merge by", ["max", "mean"]), ("Fill by", ["repeat", "tile"]))
        )
        self.figure = LiveFigure(draw(self.choice), describe(self.choice))
        self.table = ipywidgets.HTML(_as_html(self.choice))
        for control in (self.slots, self.op, self.fill):
            control.observe(self.redraw, "value")
        both = [
            named(ipywidgets.HBox([ipywidgets.Label(name), control]), name)
            for name, control in (("Merge by", self.op), ("Fill by", self.fill))
        ]
        controls = ipywidgets.HBox([self.lead_set, self.slots, *both], layout={"flex_flow": "row wrap"})
        self.children = [controls, self.error, self.figure, self.table]

    def redraw(self, _change: object = None) -> None:
        with self.errors_shown():
            self.choice = PoolingChoice(self.leads, self.slots.value, self.op.value, self.fill.value)
            self.figure.show(draw(self.choice), describe(self.choice))
            self.table.value = _as_html(self.choice)

    def static_html(self) -> str:
        return self.figure.static_html() + self.table.value


def _as_html(choice: PoolingChoice) -> str:
    return table_of(choice).to_html(index=False, border=0, justify="left")
