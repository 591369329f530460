"""What each design of the search knows over what it costs: the front that no design beats, as a chart and in words."""

import math

import pandas as pd
import plotly.graph_objects as go

from selfdana_lite.design_search import DEFAULT, MIXING, unbeaten
from selfdana_lite.explore.colours import CHOSEN, INK, OTHER
from selfdana_lite.explore.ecg_paper import FONT
from selfdana_lite.leads import LEAD_SETS

COSTS = {"tensor_mb": "memory kept for the backward pass of a batch, MB", "gflop_per_recording": "GFLOP a recording and step"}


def design_figure(designs: pd.DataFrame, cost: str = "tensor_mb", lead_set: str = "1-lead") -> go.Figure:
    """A point a design: mean macro AUROC over the six lead sets, over one counted cost at 12 leads or at 1.

    designs: of design_search. cost: a key of COSTS. The line joins the designs that no other beats at this cost.
    """
    rows = _shown(designs, cost, lead_set)
    front = rows[rows["unbeaten"]]
    line = go.Scatter(x=front["cost"], y=front["score"], mode="lines", line={"color": INK, "dash": "dot"}, name="unbeaten")
    points = [
        _points(rows[~rows["design"].isin(MIXING)], "per-lead designs", CHOSEN, "circle"),
        _points(rows[rows["design"].isin(MIXING)], "mixing networks", OTHER, "square"),
    ]
    figure = go.Figure([line, *points])
    figure.update_xaxes(title=f"{COSTS[cost]}, {lead_set}", type="log", fixedrange=True, gridcolor="#dddddd")
    span = [math.log10(rows["cost"].min() / 2), math.log10(rows["cost"].max() * 1.3)]  # room for a name at the left
    figure.update_xaxes(range=span, dtick=math.log10(2))
    figure.update_yaxes(title="macro AUROC, mean of six lead sets", fixedrange=True, gridcolor="#dddddd")
    return figure.update_layout(
        title={"text": f"What a design knows for its cost, {lead_set}", "font": {"size": 16}},
        width=910,
        height=460,
        plot_bgcolor="white",
        font=FONT,
        margin={"l": 70, "r": 20, "t": 45, "b": 90},
        legend={"orientation": "h", "y": -0.2},
    )


def describe_designs(designs: pd.DataFrame, cost: str = "tensor_mb", lead_set: str = "1-lead") -> str:
    """The front in words, and how far the default is from it."""
    rows = _shown(designs, cost, lead_set)
    front = "; ".join(f"{row.design} {row.cost:.3g}, {row.score:.3f}" for row in rows[rows["unbeaten"]].itertuples())
    default = rows.set_index("design").loc[DEFAULT]
    place = "on it" if default["unbeaten"] else f"not on it: {default['cost']:.3g}, {default['score']:.3f}"
    return f"Unbeaten, from the cheapest ({COSTS[cost]}, {lead_set}; then macro AUROC): {front}. The default design is {place}."


def _shown(designs: pd.DataFrame, cost: str, lead_set: str) -> pd.DataFrame:
    column = f"{cost}, {lead_set}"
    if column not in designs:
        raise ValueError(f"The table has no column {column!r}; choose a cost of {', '.join(COSTS)} at 12-lead or 1-lead.")
    score = designs[list(LEAD_SETS)].mean(axis=1)
    rows = pd.DataFrame({"design": designs["design"], "cost": designs[column], "score": score})
    return rows.assign(unbeaten=unbeaten(rows["cost"], rows["score"])).sort_values("cost")


def _points(rows: pd.DataFrame, name: str, colour: str, symbol: str) -> go.Scatter:
    marker = {"color": colour, "size": 12, "symbol": symbol, "line": {"color": INK, "width": 1}}
    # All names would hide each other; hovering tells the rest.
    named = rows["design"].where(rows["unbeaten"] | rows["design"].isin([DEFAULT, *MIXING]), "")
    hover = "%{customdata}<br>%{x:.3g}, %{y:.3f}<extra></extra>"
    text = {"text": named, "customdata": rows["design"], "textposition": "middle left", "textfont": FONT}
    return go.Scatter(
        x=rows["cost"], y=rows["score"], mode="markers+text", name=name, marker=marker, hovertemplate=hover, **text
    )
