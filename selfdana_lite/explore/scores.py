"""Scores at several lead sets: as a table, as bars with intervals, model beside model, and in words."""

from collections.abc import Iterable, Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, evaluate
from selfdana_lite.explore.colours import CHOSEN, FAINT, MODEL_COLOURS, OTHER
from selfdana_lite.explore.sheet import FONT, GRID, sheet
from selfdana_lite.lead_values import CHANCE
from selfdana_lite.leads import LEAD_SETS


def score_table(
    clf: Classifier, dataset: EcgDataset, lead_sets: Mapping[str, Iterable[str]] = LEAD_SETS, bootstrap: int = 1000
) -> pd.DataFrame:
    """One row a lead set: lead_set, leads, n_leads, macro_auroc with its 95 % interval (low, high), and each class."""
    rows = []
    for name, leads in lead_sets.items():
        scores = evaluate(clf, dataset, leads, bootstrap)
        low, high = scores.interval
        row = {"lead_set": name, "leads": ", ".join(leads), "n_leads": len(leads), "macro_auroc": scores.macro_auroc}
        rows.append(row | {"low": low, "high": high} | scores.per_class)
    return pd.DataFrame(rows)


def score_figure(table: pd.DataFrame, chosen: str) -> go.Figure:
    """Bars of a score_table with their intervals, the chosen lead set in its own colour. Bars start at 0.5, chance."""
    _row_of(table, chosen)
    bars = go.Bar(
        x=table["lead_set"],
        y=table["macro_auroc"] - CHANCE,
        base=CHANCE,
        marker={"color": [CHOSEN if name == chosen else OTHER for name in table["lead_set"]]},
        error_y=_whiskers(table),
        hovertext=[f"{r.leads}<br>{r.macro_auroc:.3f} [{r.low:.3f}, {r.high:.3f}]" for r in table.itertuples()],
        hoverinfo="text",
    )
    title = "What the encoder still knows at each lead set"
    return go.Figure(
        bars,
        sheet(title, 260, (60, 10, 40, 30))
        | {
            "xaxis": {
                "tickvals": table["lead_set"].tolist(),
                "ticktext": [f"{r.lead_set}: <b>{r.macro_auroc:.2f}</b>" for r in table.itertuples()],
                "fixedrange": True,
            },
            "yaxis": {
                "title": {"text": "macro AUROC", "font": FONT},
                "range": _auroc_range(table),
                "dtick": 0.1,
                "fixedrange": True,
            },
            "showlegend": False,
        },
    ).update_yaxes(showgrid=True, gridcolor=GRID, zeroline=False)


def describe_scores(table: pd.DataFrame, chosen: str) -> str:
    """The bars in one sentence: the chosen lead set, and the best and the worst of all."""
    row = _row_of(table, chosen)
    best, worst = table.loc[table["macro_auroc"].idxmax()], table.loc[table["macro_auroc"].idxmin()]
    return (
        f"With {chosen} ({row['leads']}) the macro AUROC is {row['macro_auroc']:.3f}, 95 % interval {row['low']:.3f} to "
        f"{row['high']:.3f}. Highest of the {len(table)} lead sets: {best['lead_set']} with {best['macro_auroc']:.3f}; lowest: "
        f"{worst['lead_set']} with {worst['macro_auroc']:.3f}. Chance is {CHANCE:g}."
    )


def comparison_figure(results: pd.DataFrame) -> go.Figure:
    """One panel a model: its score at each lead set with intervals (colour), and its untrained twin's (grey, dotted).

    results: score_tables put together, with the columns model and stage ("pre-trained" or "untrained").
    """
    models = list(results["model"].unique())
    figure = make_subplots(1, len(models), shared_yaxes=True, subplot_titles=models, horizontal_spacing=0.02)
    for column, model in enumerate(models, 1):
        for stage in ("untrained", "pre-trained"):
            rows = results[(results["model"] == model) & (results["stage"] == stage)]
            figure.add_trace(_line(rows, stage, MODEL_COLOURS[(column - 1) % len(MODEL_COLOURS)]), 1, column)
    figure.update_xaxes(title="leads", type="category", fixedrange=True)
    figure.update_yaxes(range=_auroc_range(results), dtick=0.1, showgrid=True, gridcolor=GRID, fixedrange=True)
    figure.update_yaxes(title="macro AUROC", col=1)
    figure.update_annotations(font_size=15)  # the names of the models
    title = "Pre-trained (colour) beside its untrained twin (grey, dotted)"
    return figure.update_layout(sheet(title, 380, (60, 10, 80, 60)), showlegend=False)


def describe_comparison(results: pd.DataFrame) -> str:
    """The panels in words: the controls, what pre-training adds, and whether the models can be told apart."""
    wide = results.pivot(index="model", columns=["stage", "lead_set"], values="macro_auroc").loc[results["model"].unique()]
    trained, untrained = wide["pre-trained"], wide["untrained"]
    gains = ", ".join(f"{gain:+.3f} ({model})" for model, gain in (trained - untrained).mean(axis=1).items())
    gap, width = trained.max() - trained.min(), (results["high"] - results["low"]).median()
    verdict = (
        "No gap is wider than one score's own interval."
        if gap.max() < width
        else "A gap wider than one score's own interval deserves a second look."
    )
    return (
        f"The untrained twins score {_span(untrained)}, the pre-trained models {_span(trained)}. Averaged over the lead sets "
        f"pre-training adds {gains}. The widest gap between two pre-trained models is {gap.max():.3f}, at {gap.idxmax()} "
        f"(ahead: {trained[gap.idxmax()].idxmax()}); a typical 95 % interval is {width:.3f} wide. {verdict} To tell two models "
        f"apart, compare them on the same patients (sd.compare), and with several seeds."
    )


def _span(scores: pd.DataFrame) -> str:
    return f"{scores.min(axis=None):.3f} to {scores.max(axis=None):.3f}"


def format_scores(results: pd.DataFrame) -> pd.DataFrame:
    """The same as text, a row a model and stage, a column a lead set: "0.81 [0.77, 0.85]"."""
    text = [f"{r.macro_auroc:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in results.itertuples()]
    wide = results.assign(text=text).pivot(index=["model", "stage"], columns="lead_set", values="text")
    order = results[["model", "stage"]].drop_duplicates()
    return wide.loc[list(order.itertuples(index=False, name=None)), list(results["lead_set"].unique())]


def _line(rows: pd.DataFrame, stage: str, colour: str) -> go.Scatter:
    untrained = stage == "untrained"
    colour = FAINT if untrained else colour
    return go.Scatter(
        x=rows["n_leads"].astype(str),
        y=rows["macro_auroc"],
        error_y=_whiskers(rows),
        name=stage,
        mode="lines+markers",
        line={"color": colour, "dash": "dot" if untrained else "solid", "width": 2},
        marker={"symbol": "x" if untrained else "circle", "size": 8, "color": colour},
    )


def _whiskers(table: pd.DataFrame) -> dict:
    above, below = table["high"] - table["macro_auroc"], table["macro_auroc"] - table["low"]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.5, "width": 4}


def _auroc_range(table: pd.DataFrame) -> list[float]:
    """From chance to perfect, and lower where an interval reaches below chance."""
    return [min(CHANCE, table["low"].min() - 0.02), 1.0]


def _row_of(table: pd.DataFrame, chosen: str) -> pd.Series:
    rows = table[table["lead_set"] == chosen]
    if len(rows) != 1:
        raise ValueError(f"No lead set {chosen!r} in the table; it has {', '.join(table['lead_set'])}.")
    return rows.iloc[0]
