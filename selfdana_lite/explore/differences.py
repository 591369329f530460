"""Differences of scores with their paired intervals, as a figure and in words."""

import pandas as pd
import plotly.graph_objects as go

from selfdana_lite.explore.colours import FAINT, INK, MODEL_COLOURS
from selfdana_lite.explore.ecg_paper import FONT


def difference_figure(table: pd.DataFrame, title: str) -> go.Figure:
    """One line a comparison: a point for the difference of macro AUROC, a whisker for its paired interval.

    table: the columns comparison (its name), macro_auroc, low and high, as of sd.compare. Blue circles where the interval
    lies on one side of zero, grey crosses where it does not.
    """
    sides = table["low"].gt(0) | table["high"].lt(0)
    figure = go.Figure([_points(table[sides], MODEL_COLOURS[0], "circle"), _points(table[~sides], FAINT, "x")])
    figure.add_vline(x=0, line={"color": INK, "width": 1.5})
    figure.update_xaxes(title="difference of macro AUROC", tickformat="+.2f", gridcolor="#dddddd", zeroline=False)
    order = table["comparison"].tolist()
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=order[::-1], range=[-0.6, len(order) - 0.4])
    figure.update_xaxes(fixedrange=True).update_yaxes(fixedrange=True)
    height = 130 + 30 * len(order)
    heading = {"text": title, "font": {"size": 16}, "y": 0.98, "yanchor": "top"}
    margin = {"l": 10, "r": 10, "t": 45, "b": 50}
    return figure.update_layout(
        title=heading, width=910, height=height, plot_bgcolor="white", font=FONT, margin=margin, showlegend=False
    ).update_yaxes(automargin=True)


def describe_differences(table: pd.DataFrame) -> str:
    """The lines in words, and how many intervals leave zero out beside how many would by chance alone."""
    sides = table["low"].gt(0) | table["high"].lt(0)
    each = "; ".join(f"{r.comparison} {r.macro_auroc:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in table.itertuples())
    return (
        f"{each}. {sides.sum()} of {len(table)} intervals leave zero out; were there no difference anywhere, about one in "
        f"twenty would by chance."
    )


def _points(rows: pd.DataFrame, colour: str, symbol: str) -> go.Scatter:
    above, below = rows["high"] - rows["macro_auroc"], rows["macro_auroc"] - rows["low"]
    whiskers = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 2, "width": 5}
    return go.Scatter(
        x=rows["macro_auroc"],
        y=rows["comparison"],
        error_x=whiskers,
        mode="markers",
        marker={"color": colour, "symbol": symbol, "size": 9},
        hovertext=[f"{r.comparison}: {r.macro_auroc:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in rows.itertuples()],
        hoverinfo="text",
    )
