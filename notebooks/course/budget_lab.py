"""Lesson 12's widget: a budget in one's hand, and the lead set that it buys."""

import ipywidgets
import pandas as pd
import plotly.graph_objects as go

from course.lesson_12 import best_within
from selfdana_lite.explore import Explorer, LiveFigure, figure_html

CHOSEN, FRONT, OTHERS = "#D55E00", "#0072B2", "#767676"


def budget_figure(priced: pd.DataFrame, budget: float) -> go.Figure:
    """Every lead set's score over its cost; the front as a line, the budget as a wall, what it buys as a star."""
    best = priced.loc[priced.groupby("gflop")["macro_auroc"].idxmax()].sort_values("gflop")
    front = best[best["macro_auroc"] > best["macro_auroc"].cummax().shift(fill_value=0)]
    bought = best_within(priced, budget)
    faint = {"color": OTHERS, "size": 4, "opacity": 0.5}
    star = {"color": CHOSEN, "symbol": "star", "size": 18}
    figure = go.Figure(
        [
            go.Scatter(x=priced["gflop"], y=priced["macro_auroc"], mode="markers", marker=faint, name="a lead set"),
            go.Scatter(
                x=front["gflop"], y=front["macro_auroc"], line={"color": FRONT}, mode="lines+markers", name="Pareto front"
            ),
            go.Scatter(
                x=[bought["gflop"]],
                y=[bought["macro_auroc"]],
                text=bought["lead_set"] if bought["n_leads"] <= 6 else f"{bought['n_leads']} leads",
                textposition="top center",
                mode="markers+text",
                marker=star,
                name="bought",
            ),
        ]
    )
    figure.add_vline(x=budget, line={"color": CHOSEN, "dash": "dash"})
    figure.update_xaxes(title="GFLOP of a training step, a recording", rangemode="tozero", fixedrange=True)
    figure.update_yaxes(title="macro AUROC, choosing patients", gridcolor="#dddddd", fixedrange=True)
    legend, margin = {"orientation": "h", "y": -0.25}, {"l": 60, "r": 10, "t": 10, "b": 50}
    return figure.update_layout(width=880, height=360, plot_bgcolor="white", legend=legend, margin=margin)


def describe_budget(priced: pd.DataFrame, confirming: pd.DataFrame, budget: float) -> str:
    """The star in words, with its score on patients who did not choose."""
    bought, dearest = best_within(priced, budget), priced["gflop"].max()
    elsewhere = confirming.set_index("lead_set")["macro_auroc"]
    return (
        f"A budget of {budget / dearest:.0%} of twelve leads buys {bought['lead_set']} ({bought['gflop'] / dearest:.0%}): "
        f"{bought['macro_auroc']:.3f} on the patients who chose, {elsewhere[bought['lead_set']]:.3f} on others; "
        f"all leads have {elsewhere[priced.loc[priced['n_leads'].idxmax(), 'lead_set']]:.3f} there."
    )


class BudgetLab(Explorer):
    """A slider for the budget, in percent of what twelve leads cost. confirming: the same lead sets, scored on others."""

    def __init__(self, priced: pd.DataFrame, confirming: pd.DataFrame, percent: int = 40):
        super().__init__()
        self.priced, self.confirming = priced, confirming
        least = int(-(-100 * priced["gflop"].min() // priced["gflop"].max()))  # rounded up: the cheapest set must fit
        self.budget = ipywidgets.IntSlider(
            max(percent, least), least, 100, description="Budget, %", layout={"width": "600px"}, continuous_update=False
        )
        self.figure = LiveFigure(*self._shown())
        self.budget.observe(self._show, "value")
        self.children = [self.budget, self.error, self.figure]

    def static_html(self) -> str:
        return figure_html(*self._shown())

    def _shown(self) -> tuple[go.Figure, str]:
        budget = self.budget.value / 100 * self.priced["gflop"].max()
        return budget_figure(self.priced, budget), describe_budget(self.priced, self.confirming, budget)

    def _show(self, _change: object) -> None:
        with self.errors_shown():
            self.figure.show(*self._shown())
