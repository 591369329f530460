"""What training costs at each lead set, model beside model: a chart, words and a widget over a table of measure_resources."""

import ipywidgets
import pandas as pd
import plotly.graph_objects as go

from selfdana_lite.costs import TITLES
from selfdana_lite.explore.colours import MODEL_COLOURS
from selfdana_lite.explore.explorer import Explorer
from selfdana_lite.explore.live_figure import LiveFigure, figure_html
from selfdana_lite.explore.sheet import FONT, GRID, sheet

COSTS = TITLES | {
    "gflop_per_recording": "Operations of a training step, GFLOP a recording (counted)",
    "tensor_mb": "Memory kept for the backward pass of a batch, MB (counted)",
}
SYMBOLS = ("circle", "square", "diamond", "x", "triangle-up", "cross")


def cost_figure(table: pd.DataFrame, cost: str = "peak_cpu_mb", baseline: str | None = None) -> go.Figure:
    """A line a model over the number of leads.

    cost: one of COSTS. baseline: a model of the table whose cost at the same leads every cost is divided by; None: as measured.
    Raises ValueError where the table has no such cost or model. A cost that is NaN leaves an empty chart that says so.
    """
    shown = _shown(table, cost, baseline)
    figure = go.Figure([_line(rows, i, model) for i, (model, rows) in enumerate(shown.groupby("model", sort=False))])
    sets = shown.drop_duplicates("n_leads").sort_values("n_leads")
    title = COSTS[cost] if baseline is None else f"{COSTS[cost].split(',')[0]}, over that of {baseline}"
    figure.update_xaxes(title="leads", tickvals=sets["n_leads"], fixedrange=True, zeroline=False)
    figure.update_yaxes(rangemode="tozero", fixedrange=True, gridcolor=GRID)
    if shown["value"].isna().all():
        figure.add_annotation(text="not measured", x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font_size=20)
        figure.update_yaxes(showticklabels=False, showgrid=False)
    legend = {"orientation": "h", "y": -0.2, "font": FONT}
    return figure.update_layout(sheet(title, 400, (60, 10, 40, 80)), legend=legend, showlegend=True)


def describe_costs(table: pd.DataFrame, cost: str = "peak_cpu_mb", baseline: str | None = None) -> str:
    """The lines in words: each model from its most leads to its fewest."""
    shown = _shown(table, cost, baseline)
    what = COSTS[cost] if baseline is None else f"{COSTS[cost]}, divided by {baseline}'s at the same leads"
    if shown["value"].isna().all():
        return f"{what}: not measured, for want of a GPU." if "gpu" in cost else f"{what}: not measured."
    lines = []
    for model, rows in shown.groupby("model", sort=False):
        rows = rows.sort_values("n_leads")
        first, last = rows.iloc[-1], rows.iloc[0]
        lines.append(f"{model} {first['value']:.3g} with {first['lead_set']}, {last['value']:.3g} with {last['lead_set']}")
    return f"{what}: {'; '.join(lines)}."


class CostChart(Explorer):
    """A chart of one cost at a time; the second control divides it by a model's."""

    def __init__(self, table: pd.DataFrame, cost: str = "peak_cpu_mb", baseline: str | None = None):
        super().__init__()
        self.table = table
        there = {title: name for name, title in COSTS.items() if name in table}
        models = [("nothing: as measured", ""), *((model, model) for model in table["model"].unique())]
        wide = {"style": {"description_width": "90px"}, "layout": {"width": "520px"}}
        self.figure = LiveFigure(cost_figure(table, cost, baseline), describe_costs(table, cost, baseline))
        self.cost = ipywidgets.Dropdown(options=list(there.items()), value=cost, description="Cost", **wide)
        self.baseline = ipywidgets.Dropdown(options=models, value=baseline or "", description="Divided by", **wide)
        for control in (self.cost, self.baseline):
            control.observe(self._chosen, "value")
        self.children = [self.cost, self.baseline, self.error, self.figure]

    def static_html(self) -> str:
        chosen = self._values()
        return figure_html(cost_figure(self.table, *chosen), describe_costs(self.table, *chosen))

    def _values(self) -> tuple[str, str | None]:
        return self.cost.value, self.baseline.value or None

    def _chosen(self, _change: object) -> None:
        with self.errors_shown():
            chosen = self._values()
            self.figure.show(cost_figure(self.table, *chosen), describe_costs(self.table, *chosen))


def _shown(table: pd.DataFrame, cost: str, baseline: str | None) -> pd.DataFrame:
    """model, lead_set, n_leads and the value to show."""
    if cost not in COSTS or cost not in table:
        raise ValueError(f"No cost {cost!r} here; choose of {', '.join(name for name in COSTS if name in table)}.")
    models = list(table["model"].unique())
    if baseline is not None and baseline not in models:
        raise ValueError(f"No model {baseline!r} in the table; it has {', '.join(models)}.")
    shown = table[["model", "lead_set", "n_leads"]].assign(value=table[cost])
    if baseline is not None:
        divisor = shown[shown["model"] == baseline].set_index("lead_set")["value"]
        shown["value"] /= shown["lead_set"].map(divisor)
    return shown


def _line(rows: pd.DataFrame, number: int, model: str) -> go.Scatter:
    rows = rows.sort_values("n_leads")
    colour = MODEL_COLOURS[number % len(MODEL_COLOURS)]
    return go.Scatter(
        x=rows["n_leads"],
        y=rows["value"],
        name=model,
        mode="lines+markers",
        line={"color": colour, "width": 2},
        marker={"color": colour, "size": 9, "symbol": SYMBOLS[number % len(SYMBOLS)]},
        hovertext=[f"{model}, {row.lead_set}: {row.value:.3g}" for row in rows.itertuples()],
        hoverinfo="text",
    )
