"""What lesson 02 measures with: ways to fill absent leads and to prepare signals, the gap they leave, and a fair clock."""

import time
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor, nn

import selfdana_lite as sd
from selfdana_lite.explore.colours import MODEL_COLOURS
from selfdana_lite.explore.padding_view import Rival, training_step
from selfdana_lite.leads import lead_ids

DASHES = ("solid", "dot", "dashdot", "dash")  # so that nobody needs the colours

# What people write where a lead is absent: signals [B, k, T] -> something that fits into [B, 1, T].
FILLERS: dict[str, Callable[[Tensor], Tensor]] = {
    "zeros": lambda signals_mv: torch.zeros(1),
    "copies of the first lead": lambda signals_mv: signals_mv[:, :1],
    "the mean of the leads there": lambda signals_mv: signals_mv.mean(dim=1, keepdim=True),
    "a constant of 0.1 mV": lambda signals_mv: torch.full((1,), 0.1),
}

# What people do to all leads of a recording before the first convolution, [B, leads, T] -> the same shape.
PREPARATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "A": lambda mv: mv - mv.mean(dim=2, keepdim=True),
    "B": lambda mv: mv / mv.abs().amax(dim=(1, 2), keepdim=True),
    "C": lambda mv: mv - mv.mean(dim=1, keepdim=True),
    "D": lambda mv: mv / mv.std(dim=(1, 2), keepdim=True),
}
IN_WORDS = {
    "A": "take from each lead its own mean over time",
    "B": "divide the recording by its largest absolute value",
    "C": "take from each lead the mean of all leads at that moment",
    "D": "divide the recording by the standard deviation of all its samples",
}
BREAKING = {"C", "D"}


def filled(signals_mv: Tensor, leads: str | Iterable[str], filler: str = "zeros") -> Tensor:
    """Twelve leads [B, 12, T] from those there [B, k, T]; the others get what FILLERS says."""
    batch, _, samples = signals_mv.shape
    twelve = FILLERS[filler](signals_mv).expand(batch, len(sd.LEADS), samples).clone()
    twelve[:, lead_ids(leads)] = signals_mv
    return twelve


def sliced(conv: nn.Conv1d, leads: str | Iterable[str]) -> nn.Conv1d:
    """The convolution without the columns of absent leads: [B, k, T] -> [B, C, T']."""
    ids = lead_ids(leads)
    smaller = nn.Conv1d(len(ids), conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=conv.bias is not None)
    smaller.weight.data = conv.weight.data[:, ids]  # [C, 12, K] -> [C, k, K]
    if conv.bias is not None:
        smaller.bias.data = conv.bias.data
    return smaller


@torch.no_grad()
def largest_gap(
    conv: nn.Conv1d,
    signals_mv: Tensor,
    leads: str | Iterable[str],
    prepare: Callable[[Tensor], Tensor] = lambda mv: mv,
    filler: str = "zeros",
) -> float:
    """How far the padded and the sliced way lie apart: the largest difference, as a share of the largest number.

    Padded: fill up to twelve leads, prepare, convolve. Sliced: prepare what is there, convolve with the smaller kernel.
    """
    padded = conv(prepare(filled(signals_mv, leads, filler)))  # [B, C, T']
    gap = (padded - sliced(conv, leads)(prepare(signals_mv))).abs().max() / padded.abs().max()
    return float(gap)


def batch_norm_gap(conv: nn.Conv1d, train_mv: Tensor, signals_mv: Tensor, leads: str | Iterable[str]) -> float:
    """largest_gap where a batch norm of the leads, fitted on train_mv [records, 12, T], comes before the convolution.

    The padded way normalises twelve leads, the sliced way those there, each with its own lead's statistics.
    """
    mean, deviation = train_mv.mean(dim=(0, 2)), train_mv.std(dim=(0, 2))  # [12] each

    def normalise(signals_mv: Tensor) -> Tensor:
        ids = range(len(sd.LEADS)) if signals_mv.shape[1] == len(sd.LEADS) else lead_ids(leads)
        return (signals_mv - mean[list(ids), None]) / deviation[list(ids), None]

    return largest_gap(conv, signals_mv, leads, normalise)


def drift(whole: Tensor, reduced: Tensor) -> float:
    """How far embeddings [records, D] moved from those of all leads: the median, in units of two other recordings' distance."""
    scale = whole.std(dim=0).clamp_min(1e-9)
    apart = torch.cdist(whole / scale, whole / scale)
    others = apart[~torch.eye(len(whole), dtype=torch.bool)]
    return float(((whole - reduced) / scale).norm(dim=1).median() / others.median())


def time_rivals(rivals: dict[str, Rival], dataset: sd.EcgDataset, batch: int, repeats: int, seed: int = 0) -> pd.DataFrame:
    """CPU milliseconds a recording of a training step: median, low and high of some repeats, for every rival and lead set.

    In each round all take their turn, in a new order: whatever else the computer does meanwhile meets all alike. Counted are
    the seconds that this process works, on all cores, not those that it waits.
    """
    rows = np.arange(min(batch, len(dataset)))
    jobs = {
        (name, leads): training_step(rivals[name], dataset, sd.LEAD_SETS[leads]) for name in rivals for leads in sd.LEAD_SETS
    }
    rng, order = np.random.default_rng(seed), list(jobs)
    found = []
    for turn in range(repeats + 1):
        for place in rng.permutation(len(order)):
            before = time.process_time()
            jobs[order[place]](rows)
            spent_ms = 1000 * (time.process_time() - before) / len(rows)
            found.append((*order[place], turn, spent_ms))
    table = pd.DataFrame(found, columns=["model", "lead_set", "turn", "cpu_ms"])
    kept = table[table["turn"] > 0]  # in the first round, libraries choose kernels for shapes that they have not met
    return kept.groupby(["model", "lead_set"])["cpu_ms"].agg(cpu_ms="median", low="min", high="max").reset_index()


def bill_lines(bill: pd.DataFrame) -> go.Figure:
    """Operations, memory kept and CPU time against the lead sets, a line a model."""
    titles = {"mflop": "million operations", "kept_kb": "kB kept", "cpu_ms": "CPU ms (lowest to highest)"}
    figure = make_subplots(1, len(titles), subplot_titles=list(titles.values()), horizontal_spacing=0.06)
    for (model, part), colour, dash in zip(bill.groupby("model", sort=False), MODEL_COLOURS, DASHES, strict=False):
        for column, item in enumerate(titles, 1):
            spread = {"array": part["high"] - part["cpu_ms"], "arrayminus": part["cpu_ms"] - part["low"]}
            look = {"line": {"color": colour, "dash": dash, "width": 2.5}, "error_y": spread if item == "cpu_ms" else None}
            shown = {"name": model, "legendgroup": model, "showlegend": column == 1}
            figure.add_scatter(x=part["n_leads"], y=part[item], **look, **shown, row=1, col=column)
    figure.update_xaxes(title="leads", tickvals=[1, 2, 3, 4, 6, 12], autorange="reversed").update_yaxes(rangemode="tozero")
    return figure.update_layout(width=910, height=340, margin={"t": 70, "b": 40}, legend={"orientation": "h", "y": 1.3})
