"""All lead subsets in one picture, what each lead is worth in another, and both in words."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from selfdana_lite.explore.colours import CHOSEN, FAINT, INK, LEAD_COLOURS
from selfdana_lite.explore.sheet import FONT, GRID, sheet
from selfdana_lite.lead_values import CHANCE
from selfdana_lite.leads import LEAD_SETS, LEADS, LeadError, parse_leads
from selfdana_lite.what_if import extremes, pareto_front

CLOUD, BEST, WORST = "#a9cbe3", "#0072B2", "#8c5a00"  # Okabe and Ito's, one paler, one darker
LEAST, MOST = "#f0a860", "#6db3e0"  # the ends of the heat map, white between them; ink is legible on all of it
GOLDEN = (5**0.5 - 1) / 2


def lattice_figure(
    table: pd.DataFrame, chosen: str | Iterable[str] | None = None, score: str = "macro_auroc", score_name: str = "macro AUROC"
) -> go.Figure:
    """Every lead set as a point, its score over its number of leads; the best, the worst and the Pareto front as lines.

    table: of what_if. chosen: leads to point out. Always the same six traces, for views that are updated in place.
    Raises LeadError where the table has no row for the chosen leads.
    """
    ends, front, presets = extremes(table, score), pareto_front(table, score), _presets(table)
    marked = table.iloc[:0] if chosen is None else _row(table, chosen)
    figure = go.Figure(
        [
            _points(table, score, f"{len(table)} lead sets", {"color": CLOUD, "size": 4}, x=_spread_out(table)),
            _line(ends["n_leads"], ends["worst_score"], ends["worst"], "worst of each size", WORST, "dot"),
            _line(ends["n_leads"], ends["best_score"], ends["best"], "best of each size", BEST, "solid"),
            _points(front, score, "Pareto front: nothing smaller scores as much", _ring(BEST, 11)),
            _points(presets, score, "the usual lead sets", {"color": INK, "size": 8, "symbol": "diamond"}),
            _points(marked, score, "chosen", {"color": CHOSEN, "size": 15, "symbol": "star"}),
        ]
    )
    figure.data[4].update(mode="markers+text", text=presets["preset"], textposition="bottom center", textfont=FONT)
    sizes = [table["n_leads"].min() - 0.6, table["n_leads"].max() + 0.6]
    figure.update_xaxes(title="number of leads", range=sizes, dtick=1, fixedrange=True, zeroline=False)
    figure.update_yaxes(title=score_name, fixedrange=True, zeroline=False, gridcolor=GRID)
    return figure.update_layout(
        sheet(_title("What every lead set scores", marked, score), 520, (60, 10, 40, 120)),
        legend={"orientation": "h", "y": -0.16, "font": {"size": 13}},
    )


def lead_set_at(table: pd.DataFrame, curve: int, point: int) -> str | None:
    """The lead set of a point of lattice_figure(table); None for the last trace, the lead set that is chosen already."""
    ends, front = extremes(table), pareto_front(table)
    by_curve = table["lead_set"], ends["worst"], ends["best"], front["lead_set"], _presets(table)["lead_set"]
    return by_curve[curve].iloc[point] if curve < len(by_curve) else None


def describe_lattice(table: pd.DataFrame, chosen: str | Iterable[str] | None = None, score: str = "macro_auroc") -> str:
    """The points and lines in words, with a warning that the best of many looks better than it is."""
    front, presets = pareto_front(table, score), _presets(table)
    steps = "; ".join(f"{row['lead_set']} {row[score]:.3f}" for _, row in front.iterrows())
    usual = ", ".join(f"{row['preset']} {row[score]:.3f}" for _, row in presets.iterrows())
    words = [f"The {len(table)} lead sets score {table[score].min():.3f} to {table[score].max():.3f}."]
    words += [f"Pareto front: {steps}."]
    words += [f"The usual lead sets: {usual}."] if usual else []
    if chosen is not None:
        row = _row(table, chosen).iloc[0]
        equals = table.loc[table["n_leads"] == row["n_leads"], score]
        words += [
            f"Chosen: {row['lead_set']}, {row[score]:.3f}, number {(equals > row[score]).sum() + 1} of {len(equals)} with as "
            f"many leads ({equals.min():.3f} to {equals.max():.3f})."
        ]
    words += ["The best of so many is best partly by luck: choose on some patients and score on others."]
    return " ".join(words)


def lead_value_figure(values: pd.DataFrame) -> go.Figure:
    """Bars for what each lead adds to the macro AUROC, beside a heat map of what it adds for each class.

    values: of lead_values, a row a lead.
    """
    classes = values.columns.drop(["lead", "macro_auroc"])
    titles = ["macro AUROC: mean gain", "AUROC of each class: mean gain"]
    figure = make_subplots(1, 2, shared_yaxes=True, column_widths=[0.4, 0.6], horizontal_spacing=0.03, subplot_titles=titles)
    figure.add_bar(
        x=values["macro_auroc"],
        y=values["lead"],
        orientation="h",
        marker={"color": [LEAD_COLOURS[lead] for lead in values["lead"]]},
        text=[f"{value:+.3f}" for value in values["macro_auroc"]],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
        row=1,
        col=1,
    )
    widest = np.abs(values[classes].to_numpy()).max()
    figure.add_heatmap(
        z=values[classes],
        x=list(classes),
        y=values["lead"],
        zmin=-widest,
        zmax=widest,
        colorscale=[[0, LEAST], [0.5, "white"], [1, MOST]],
        texttemplate="%{z:+.3f}",
        textfont={"color": INK},
        showscale=False,
        hovertemplate="%{y}, %{x}: %{z:+.4f}<extra></extra>",
        row=1,
        col=2,
    )
    low, high = min(0, values["macro_auroc"].min()), max(0, values["macro_auroc"].max())
    room = 0.25 * (high - low)
    figure.update_xaxes(range=[low - room * (low < 0), high + room], zerolinecolor=FAINT, gridcolor=GRID, col=1)
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    figure.update_annotations(font_size=15)
    title = f"What each lead is worth (together {values['macro_auroc'].sum():+.3f})"
    return figure.update_layout(sheet(title, 440, (50, 10, 70, 30)), showlegend=False)


def describe_lead_values(values: pd.DataFrame) -> str:
    """The bars and the heat map in words."""
    ranked = values.sort_values("macro_auroc", ascending=False)
    each = ", ".join(f"{row.lead} {row.macro_auroc:+.3f}" for row in ranked.itertuples())
    classes = values.columns.drop(["lead", "macro_auroc"])
    by_class = values.set_index("lead")
    best = "; ".join(f"{name}: {by_class[name].idxmax()} {by_class[name].max():+.3f}" for name in classes)
    return (
        f"Mean gain in macro AUROC from adding a lead, over all orders: {each}; together {values['macro_auroc'].sum():+.3f} "
        f"above chance ({CHANCE:g}). Worth most for each class: {best}. Leads that say the same share their worth."
    )


def _presets(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the table that have a name in LEAD_SETS, with it as preset."""
    names = {", ".join(leads): name for name, leads in LEAD_SETS.items()}
    return table.assign(preset=table["lead_set"].map(names)).dropna(subset="preset")


def _row(table: pd.DataFrame, chosen: str | Iterable[str]) -> pd.DataFrame:
    text = ", ".join(sorted(parse_leads(chosen), key=LEADS.index))
    row = table[table["lead_set"] == text]
    if row.empty:
        raise LeadError(
            f"The table has no row for {text}; make it with what_if(clf, dataset, ...) for lead sets that include it."
        )
    return row


def _spread_out(table: pd.DataFrame) -> np.ndarray:
    """Number of leads plus up to 0.35 to either side: multiples of the golden ratio spread evenly, without any chance."""
    place = np.arange(len(table)) * GOLDEN % 1 - 0.5
    alone = table.groupby("n_leads")["lead_set"].transform("size") == 1
    return table["n_leads"].to_numpy() + 0.7 * np.where(alone, 0, place)


def _points(rows: pd.DataFrame, score: str, name: str, marker: dict, x: np.ndarray | None = None) -> go.Scatter:
    x, texts = rows["n_leads"] if x is None else x, _hover(rows["lead_set"], rows[score])
    return go.Scatter(x=x, y=rows[score], name=name, mode="markers", marker=marker, hovertext=texts, hoverinfo="text")


def _line(x: pd.Series, y: pd.Series, lead_sets: pd.Series, name: str, colour: str, dash: str) -> go.Scatter:
    line = {"color": colour, "width": 2, "dash": dash}
    return go.Scatter(x=x, y=y, name=name, mode="lines", line=line, hovertext=_hover(lead_sets, y), hoverinfo="text")


def _hover(lead_sets: pd.Series, scores: pd.Series) -> list[str]:
    return [f"{lead_set}<br>{value:.3f}" for lead_set, value in zip(lead_sets, scores, strict=True)]


def _ring(colour: str, size: int) -> dict:
    return {"symbol": "circle-open", "size": size, "color": colour, "line": {"width": 2}}


def _title(text: str, marked: pd.DataFrame, score: str) -> str:
    return text if marked.empty else f"{text}; {marked['lead_set'].iloc[0]}: {marked[score].iloc[0]:.3f}"
