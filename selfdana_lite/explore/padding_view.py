"""What leads that are not there cost: the bill of three networks that pad or slice, beside one that does neither.

The names are those of `measure_resources`, which times whole epochs in fresh processes. Here one small training step is
counted, not timed, so that the bill follows a control, and is the same on every machine.
"""

import html
from collections.abc import Iterable
from dataclasses import dataclass

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from torch import nn

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.encoders import build_encoder
from selfdana_lite.explore.colours import MODEL_COLOURS
from selfdana_lite.explore.ecg_paper import FONT
from selfdana_lite.explore.lead_picker import LeadPicker
from selfdana_lite.explore.lead_view import LeadView
from selfdana_lite.explore.live_figure import LiveFigure
from selfdana_lite.leads import LEADS, parse_leads
from selfdana_lite.meter import TwelveSlots, count_work

ITEMS = {"input_bytes": "input", "mflop": "operations", "kept_kb": "memory kept"}
PATTERNS = ("", "/", "x", ".")  # so that nobody needs the colours


@dataclass(frozen=True)
class Rival:
    """A network called with signals [B, k, T] and their leads; pads: inside, it fills up to twelve leads with zeros."""

    network: nn.Module
    pads: bool


def build_rivals(seed: int = 0) -> dict[str, Rival]:
    """Fresh networks: one that mixes leads at once, its sliced twin of the same weights, a per-lead one, padded and not."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mixing, sliced, per_lead = (build_encoder(kind) for kind in ("zero-pad", "zero-pad-sliced", "lead-attention"))
    sliced.load_state_dict(mixing.state_dict())
    return {
        "mix+zero-pad": Rival(mixing, pads=True),
        "mix+sliced": Rival(sliced, pads=False),
        "per-lead+zero-pad": Rival(TwelveSlots(per_lead), pads=True),
        "lead-attention": Rival(per_lead, pads=False),
    }


def padding_bill(rivals: dict[str, Rival], dataset: EcgDataset, leads: str | Iterable[str]) -> pd.DataFrame:
    """A row a rival, each number of one recording: bytes_read, input_bytes, mflop and kept_kb of one training step.

    kept_kb is what each further recording of a batch keeps for the backward pass: the weights, which are kept once, drop out.
    """
    leads = parse_leads(leads)
    rows = []
    for name, rival in rivals.items():
        slots = len(LEADS) if rival.pads else len(leads)
        two, four = (count_work(training_step(rival, dataset, leads), np.arange(count)) for count in (2, 4))
        rows.append(
            {
                "model": name,
                "n_leads": len(leads),
                "bytes_read": 2 * len(leads) * dataset.n_samples,  # int16; whoever pads can read as little
                "input_bytes": 4 * slots * dataset.n_samples,  # float32
                "mflop": 1000 * four["gflop_per_recording"],
                "kept_kb": 1000 * (four["tensor_mb"] - two["tensor_mb"]) / 2,
            }
        )
    return pd.DataFrame(rows)


def training_step(rival: Rival, dataset: EcgDataset, leads: tuple[str, ...]):
    """One step of training, forwards and backwards, on the recordings of some rows; what is trained does not matter here."""
    return lambda rows: rival.network(dataset.batch(rows, leads), leads).sum().backward()


def slicing_gap(rivals: dict[str, Rival], dataset: EcgDataset, leads: str | Iterable[str]) -> float:
    """How far embeddings of the padding network and its sliced twin lie apart, as a share of the largest number."""
    leads = parse_leads(leads)
    signals_mv = dataset.batch(np.arange(min(8, len(dataset))), leads)
    with torch.no_grad():
        padded, sliced = (rivals[name].network.eval()(signals_mv, leads) for name in ("mix+zero-pad", "mix+sliced"))
    return float((padded - sliced).abs().max() / padded.abs().max())


def bill_figure(bill: pd.DataFrame) -> go.Figure:
    """Bars in percent of the network that pads with zeros, for each item of the bill."""
    base = bill.set_index("model").loc["mix+zero-pad"]
    figure = go.Figure()
    for row, colour, pattern in zip(bill.to_dict("records"), MODEL_COLOURS, PATTERNS, strict=False):
        percent = [100 * row[item] / base[item] for item in ITEMS]
        marker = {"color": colour, "pattern": {"shape": pattern, "fgcolor": "white"}}
        figure.add_bar(x=list(ITEMS.values()), y=percent, name=row["model"], marker=marker, texttemplate="%{y:.0f}")
    figure.update_traces(textposition="outside", textfont=FONT)
    figure.update_yaxes(title="percent of mix+zero-pad", rangemode="tozero")
    return figure.update_layout(
        width=910,
        height=340,
        font=FONT,
        margin={"t": 50, "b": 30},
        legend={"orientation": "h", "y": 1.18},
        plot_bgcolor="white",
    )


def describe_bill(bill: pd.DataFrame, gap: float) -> str:
    """The same in words, with the proof that slicing changes nothing."""
    found = "not at all" if gap == 0 else f"by {gap:.0e} of the largest number, which is rounding"
    parts = [
        f"{row.model}: {row.input_bytes / 1000:.0f} kB in, {row.mflop:.0f} million operations, {row.kept_kb:.0f} kB kept"
        for row in bill.itertuples()
    ]
    return (
        f"With {bill['n_leads'].iloc[0]} of 12 leads, one recording in one training step. {'; '.join(parts)}. "
        f"The embeddings of mix+zero-pad and mix+sliced differ {found}."
    )


class PaddingView(LeadView):
    """Choose leads; see what each rival pays for them. Follows a LeadPicker where one is given."""

    def __init__(
        self, dataset: EcgDataset, leads: str | Iterable[str] = "3-lead", picker: LeadPicker | None = None, seed: int = 0
    ):
        super().__init__(leads, picker)
        self.dataset, self.rivals = dataset, build_rivals(seed)
        self.bills: dict[int, pd.DataFrame] = {}  # by the number of leads: which ones they are costs nothing
        self.figure = LiveFigure(*self._shown())
        self.children = [ipywidgets.HBox([self.lead_set]), self.error, self.figure]

    def redraw(self, _change: object = None) -> None:
        with self.errors_shown():
            self.figure.show(*self._shown())

    def static_html(self) -> str:
        return f"<p>{html.escape(', '.join(self.leads))}</p>{self.figure.static_html()}"

    def _shown(self) -> tuple[go.Figure, str]:
        if len(self.leads) not in self.bills:
            self.bills[len(self.leads)] = padding_bill(self.rivals, self.dataset, self.leads)
        bill = self.bills[len(self.leads)]
        return bill_figure(bill), describe_bill(bill, slicing_gap(self.rivals, self.dataset, self.leads))
