"""An ECG on paper: 25 mm a second, 10 mm a millivolt, three rows of four leads, absent leads left out in grey."""

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go

from selfdana_lite.leads import LEADS, LeadError, parse_leads

# The usual print: a lead has a quarter of the time, and each column goes on where the one before ended.
ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
SHOWN_S = 10.0
ROW_MV = 2.5  # from one row's zero line to the next
PX_PER_MM = 3.2  # makes 10 s as wide as a notebook on a small laptop
MM_PER_S, MM_PER_MV = 25, 10
MARGIN_PX = {"l": 60, "r": 10, "t": 32, "b": 45}
MARK_S = 0.5  # room at the left for the calibration mark
INK, SMALL_SQUARE, LARGE_SQUARE, ABSENT = "#1a1a1a", "#f7dada", "#e9aaaa", "#e4e4e4"
FONT = {"size": 14, "color": INK}


def ecg_figure(signals_mv: np.ndarray, leads: str | Iterable[str], sampling_rate_hz: float, title: str = "") -> go.Figure:
    """The first ten seconds of one recording on ECG paper: one trace a lead of LEADS, empty where the lead is absent.

    signals_mv: float [leads, samples] in millivolt, rows in the order of `leads`. Raises LeadError
    where they disagree. Voltages are never cut off: the paper grows with the largest deflection.
    """
    names, signals_mv = _checked(signals_mv, leads)
    duration_s = min(SHOWN_S, signals_mv.shape[1] / sampling_rate_hz)
    figure = go.Figure([_absent(names, duration_s), _mark()])
    for row, row_leads in enumerate(ROWS):
        for column, lead in enumerate(row_leads):
            start_s = column * duration_s / 4
            window = slice(round(start_s * sampling_rate_hz), round((column + 1) * duration_s / 4 * sampling_rate_hz))
            part_mv = signals_mv[names.index(lead), window] if lead in names else np.empty(0)
            time_s = start_s + np.arange(len(part_mv)) / sampling_rate_hz
            figure.add_scatter(x=time_s, y=part_mv - ROW_MV * row, name=lead, mode="lines", line={"color": INK, "width": 1.3})
            _label_cell(figure, lead, lead in names, (start_s, start_s + duration_s / 4), -ROW_MV * row)
    _rule_paper(figure, duration_s)
    if (whole_s := signals_mv.shape[1] / sampling_rate_hz) > SHOWN_S:
        title = f"{title} (the first {SHOWN_S:g} of {whole_s:g} s)".strip()
    return figure.update_layout(title={"text": title, "font": {"size": 16}, "x": 0.01, "y": 0.99, "yanchor": "top"})


def describe_ecg(signals_mv: np.ndarray, leads: str | Iterable[str]) -> str:
    """One sentence that says what the figure shows to someone who does not see it."""
    names, signals_mv = _checked(signals_mv, leads)
    absent = [lead for lead in LEADS if lead not in names]
    lead, _ = np.unravel_index(np.abs(signals_mv).argmax(), signals_mv.shape)
    low, high = signals_mv[lead].min(), signals_mv[lead].max()
    return (
        f"The ECG shows {_listed(names)}; {_listed(absent) if absent else 'no lead'} {'is' if len(absent) < 2 else 'are'} "
        f"absent. The largest deflection is in lead {names[lead]}, which runs from {low:.2f} to {high:.2f} mV."
    )


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _checked(signals_mv: np.ndarray, leads: str | Iterable[str]) -> tuple[tuple[str, ...], np.ndarray]:
    names, signals_mv = parse_leads(leads), np.asarray(signals_mv)
    if signals_mv.ndim != 2 or len(signals_mv) != len(names) or signals_mv.shape[1] == 0:
        raise LeadError(
            f"Leads {', '.join(names)} need signals [{len(names)}, samples] in mV; found shape {signals_mv.shape}. "
            f"Name exactly the leads that are there, in their order."
        )
    return names, signals_mv


def _absent(names: Iterable[str], duration_s: float) -> go.Scatter:
    """Grey over the cells of absent leads: one filled trace with gaps, because browsers do not take back changed shapes."""
    corners = np.array([[0, -0.5], [1, -0.5], [1, 0.5], [0, 0.5], [0, -0.5], [np.nan, np.nan]])  # in columns and rows
    cells = [
        corners + np.array([column, -row])
        for row, leads in enumerate(ROWS)
        for column, lead in enumerate(leads)
        if lead not in names
    ]
    x, y = np.concatenate([np.empty((0, 2)), *cells]).T * [[duration_s / 4], [ROW_MV]]
    return go.Scatter(
        x=x, y=y, name="absent", mode="lines", line={"width": 0}, fill="toself", fillcolor=ABSENT, hoverinfo="skip"
    )


def _mark() -> go.Scatter:
    """The calibration mark of each row: 1 mV high, 0.2 s wide; drawn as one trace with gaps (None)."""
    x = [-0.4, -0.35, -0.35, -0.15, -0.15, -0.1, None]
    y = [0, 0, 1, 1, 0, 0, None]
    heights = [None if v is None else v - ROW_MV * row for row in range(len(ROWS)) for v in y]
    return go.Scatter(x=x * len(ROWS), y=heights, name="1 mV, 0.2 s", mode="lines", line={"color": INK, "width": 1.3})


def _label_cell(figure: go.Figure, lead: str, present: bool, span_s: tuple[float, float], zero_mv: float) -> None:
    top = zero_mv + ROW_MV / 2
    figure.add_shape(  # the tick between two leads of a row
        type="line", x0=span_s[0], x1=span_s[0], y0=zero_mv - 0.4, y1=zero_mv + 0.4, line={"color": INK, "width": 1}
    )
    figure.add_annotation(
        x=span_s[0] if present else sum(span_s) / 2,
        y=top - 0.05 if present else zero_mv,
        xanchor="left" if present else "center",
        yanchor="top" if present else "middle",
        text=f"<b>{lead}</b>" if present else f"{lead} absent",
        font={"size": 14, "color": INK if present else "#555555"},
        bgcolor="rgba(255,255,255,0.75)" if present else "rgba(0,0,0,0)",
        showarrow=False,
    )


def _rule_paper(figure: go.Figure, duration_s: float) -> None:
    """Small squares of 1 mm and large ones of 5 mm, at one scale whatever the recording."""
    highest = max(trace.y.max(initial=-np.inf) for trace in figure.data[2:] if len(trace.y))
    lowest = min(trace.y.min(initial=np.inf) for trace in figure.data[2:] if len(trace.y))
    top = max(ROW_MV / 2, highest + 0.1)
    bottom = min(-ROW_MV * (len(ROWS) - 0.5), lowest - 0.1)
    squares = {"zeroline": False, "showgrid": True, "gridcolor": LARGE_SQUARE, "fixedrange": True}
    small = {"showgrid": True, "gridcolor": SMALL_SQUARE}
    fifths = np.arange(round(duration_s * 5) + 1)  # a large square is 0.2 s; whole seconds get a number
    figure.update_xaxes(
        squares,
        title={"text": "time (s): 25 mm/s, 0.04 s a small square", "font": FONT},
        range=[-MARK_S, duration_s],
        minor=small | {"dtick": 0.04},
        tickvals=fifths / 5,
        ticktext=[str(n // 5) if n % 5 == 0 else "" for n in fifths],
    )
    figure.update_yaxes(
        squares,
        title={"text": "10 mm/mV, 0.1 mV a small square", "font": FONT},
        range=[bottom, top],
        minor=small | {"dtick": 0.1},
        dtick=0.5,
        showticklabels=False,
    )
    figure.update_layout(
        width=round((duration_s + MARK_S) * MM_PER_S * PX_PER_MM) + MARGIN_PX["l"] + MARGIN_PX["r"],
        height=round((top - bottom) * MM_PER_MV * PX_PER_MM) + MARGIN_PX["t"] + MARGIN_PX["b"],
        margin=MARGIN_PX,
        plot_bgcolor="white",
        paper_bgcolor="white",
        showlegend=False,
        font=FONT,
    )
