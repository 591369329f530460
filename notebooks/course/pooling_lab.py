"""What lesson 03 measures and draws: DANA's own formula, and how far a pooling heeds the order and the names of leads."""

import math
from collections.abc import Callable, Iterable, Sequence

import pandas as pd
import plotly.graph_objects as go
import torch
from torch import Tensor
from torch.nn import functional as F

import selfdana_lite as sd
from selfdana_lite.adapter import slot_bounds
from selfdana_lite.explore.colours import INK, MODEL_COLOURS

WIDTH_PX = 910
BROKEN, SOUND = "#D55E00", "#eeeeee"
COUNTS = range(1, 13)
Bounds = Sequence[tuple[int, int]]


def original_bounds(leads: int, slots: int) -> Bounds:
    """Which columns each slot pools, as [start, stop), by DANA's own formula, rebuilt from its public code's description.

    Its sensors have three axes. So, for every three slots that lack a sensor, it appends one copy of all of them (0 1 0 1 ...)
    and cuts the row of columns at the number of slots. A slot then begins a rounded step after the one before; with copies
    the step is rounded down, and for counts that are not multiples of three it can come out as 0, or lead past the end.
    """
    copies = max(math.ceil((slots - leads) / 3), 0)
    step = (copies + 1) * leads // slots if copies else leads / slots
    columns = min((copies + 1) * leads, max(leads, slots))
    return [(min(round(j * step), columns), min(round((j + 1) * step), columns)) for j in range(slots)]


def empty_slots(bounds: Bounds) -> int:
    """How many slots pool over nothing."""
    return sum(start >= stop for start, stop in bounds)


def broken_pairs(bounds_of: Callable[[int, int], Bounds]) -> pd.DataFrame:
    """Empty slots for 1..12 leads (rows) and 1..12 slots (columns)."""
    return pd.DataFrame(
        [[empty_slots(bounds_of(leads, slots)) for slots in COUNTS] for leads in COUNTS],
        index=pd.Index(COUNTS, name="leads"),
        columns=pd.Index(COUNTS, name="slots"),
    )


def slots_of(lead: str, leads: Iterable[str], slots: int) -> list[int]:
    """The slots, counted from 1, that a lead goes to in the order of LEADS; none where it is absent."""
    names = sorted(sd.parse_leads(leads), key=sd.LEADS.index)
    bounds = enumerate(slot_bounds(len(names), slots), start=1)
    return [slot for slot, (start, stop) in bounds if lead in names[start:stop]]


def relative_change(before: Tensor, after: Tensor) -> float:
    """How far one tensor is from another, as a share of its own size."""
    return float((after - before).norm() / before.norm())


@torch.no_grad()
def order_gap(pool: Callable[[Tensor], Tensor], maps: Tensor, orders: int = 20, seed: int = 0) -> float:
    """How much a pooling's output changes, on average, when the leads of maps [B, C, leads, T] are shuffled."""
    generator, kept = torch.Generator().manual_seed(seed), pool(maps)
    shuffles = [torch.randperm(maps.shape[2], generator=generator) for _ in range(orders)]
    return sum(relative_change(kept, pool(maps[:, :, shuffle])) for shuffle in shuffles) / orders


@torch.no_grad()
def named_gaps(
    pool: Callable[[Tensor, Tensor], Tensor], maps: Tensor, ids: Tensor, orders: int = 20, seed: int = 0
) -> dict[str, float]:
    """The same for a pooling of maps and lead_ids [leads]: leads shuffled with their names, and names shuffled alone."""
    generator, kept = torch.Generator().manual_seed(seed), pool(maps, ids.expand(len(maps), -1))
    with_names, names_alone = 0.0, 0.0
    for _ in range(orders):
        shuffle = torch.randperm(len(ids), generator=generator)
        shuffled = ids[shuffle].expand(len(maps), -1)
        with_names += relative_change(kept, pool(maps[:, :, shuffle], shuffled)) / orders
        names_alone += relative_change(kept, pool(maps, shuffled)) / orders
    return {"leads and names shuffled": with_names, "names alone shuffled": names_alone}


def torch_pooling(maps: Tensor, slots: int) -> Tensor:
    """PyTorch's adaptive pooling along the leads: [B, C, leads, T] -> [B, C, slots, T]."""
    return F.adaptive_max_pool2d(maps, (slots, maps.shape[3]))


def moved_by_nothing_new(clf: sd.Classifier, dataset: sd.EcgDataset) -> float:
    """How far the probabilities move, on average, when III joins I, II and V2: it is II - I, so nothing was learnt."""
    with_iii, without = (clf.predict_proba(dataset, leads) for leads in ("4-lead", "3-lead"))  # [records, classes] each
    return float(abs(with_iii - without).mean())


def broken_figure(broken: pd.DataFrame) -> go.Figure:
    """broken_pairs as a grid: orange, with their number, where slots are empty."""
    grid = go.Heatmap(
        z=(broken > 0).astype(int),
        x=broken.columns,
        y=broken.index,
        text=broken.replace(0, ""),
        texttemplate="%{text}",
        textfont={"size": 14, "color": "white"},
        colorscale=[SOUND, BROKEN],
        showscale=False,
        xgap=2,
        ygap=2,
        hovertemplate="%{y} leads, %{x} slots<extra></extra>",
    )
    picture = go.Figure(grid).update_xaxes(title="slots", dtick=1, fixedrange=True)
    picture.update_yaxes(title="leads", dtick=1, autorange="reversed", fixedrange=True)
    title = "How many slots are empty by the original formula (grey: none)"
    return picture.update_layout(title=title, width=640, height=440, plot_bgcolor="white", font={"color": INK})


def order_figure(order: pd.DataFrame) -> go.Figure:
    """order: columns merge, slots, change; a line for each way to merge."""
    lines = [
        go.Scatter(
            x=rows["slots"],
            y=rows["change"],
            name=merge,
            mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 3},
            marker={"size": 9, "symbol": symbol},
        )
        for (merge, rows), colour, dash, symbol in zip(
            order.groupby("merge"), MODEL_COLOURS, ("solid", "dot"), ("circle", "x"), strict=False
        )
    ]
    picture = go.Figure(lines).update_xaxes(title="slots", dtick=1, fixedrange=True)
    picture.update_yaxes(title="change of the result", tickformat=".0%", range=[-0.03, 1], gridcolor="#dddddd", fixedrange=True)
    title = "What shuffling twelve leads does to the pooled maps"
    return picture.update_layout(title=title, width=WIDTH_PX, height=320, plot_bgcolor="white", font={"color": INK})
