"""An ECG on paper: 25 mm a second, 10 mm a millivolt, in true squares; absent leads left out in grey."""

from collections.abc import Iterable, Sequence
from math import ceil, floor

import numpy as np
import plotly.graph_objects as go

from selfdana_lite.explore.colours import INK
from selfdana_lite.explore.ecg_layout import ROW_MV, ROWS, Cell, Rows, cells_of, is_stack, row_height_mv, rows_of
from selfdana_lite.explore.ecg_marks import Marks
from selfdana_lite.explore.ecg_traces import (
    ABSENT,
    View,
    absent_trace,
    calibration_trace,
    lead_trace,
    legend_traces,
    view_of,
    wave_traces,
)
from selfdana_lite.explore.sheet import FONT, sheet
from selfdana_lite.leads import LEADS
from selfdana_lite.recording import Recording

__all__ = ["ABSENT", "FONT", "ROWS", "ROW_MV", "describe_ecg", "ecg_figure"]

SHOWN_S = 10.0
PX_PER_MM = 3.2  # makes 10 s as wide as a notebook on a small laptop
MM_PER_S, MM_PER_MV = 25, 10
SCALE = "time (s); 25 mm/s and 10 mm/mV: a small square is 0.04 s wide and 0.1 mV high"
MARGIN_PX = {"l": 60, "r": 10, "t": 32, "b": 45}
MARK_S, CALIBRATION_MV = 0.5, 1.0  # room at the left for the calibration mark
SMALL_SQUARE, LARGE_SQUARE = "#f7dada", "#e9aaaa"
BENEATH = "#7fb2e5"  # a first view, wide and pale beneath the second


def ecg_figure(
    signals_mv: np.ndarray,
    leads: str | Iterable[str],
    sampling_rate_hz: float,
    title: str = "",
    layout: str = "3x4",
    marks: Marks | None = None,
    overlay: Recording | None = None,
) -> go.Figure:
    """The first ten seconds of one recording on ECG paper: one trace a cell, empty where the lead is absent.

    signals_mv: float [leads, samples] in millivolt, rows in the order of `leads` (there may be none); NaN leaves a gap.
    layout: one of LAYOUTS. marks: of find_marks. overlay: a second view with its own leads, "after" in the legend, as of
    an augmentation; the first view is then "before", wide and pale.

    Raises LeadError where leads and signals disagree. Voltages are never cut off: the paper grows with the largest.
    """
    views = [view_of(signals_mv, leads, sampling_rate_hz)]
    if overlay is not None:
        names = overlay.standard_leads
        views.append(view_of(overlay.select(names).signal_mv, names, overlay.sampling_rate_hz))
    duration_s = min(SHOWN_S, max(view.duration_s for view in views))
    rows = rows_of(layout, [name for view in views for name in view.names])
    cells, row_mv = cells_of(rows, duration_s), row_height_mv(rows)
    lines = [{"color": BENEATH, "width": 4}, {"color": INK, "width": 1.3}][-len(views) :]
    drawn = [lead_trace(view, cell, row_mv, line) for view, line in zip(views, lines, strict=True) for cell in cells]
    traces = [absent_trace(cells, views, row_mv), calibration_trace(len(rows), row_mv), *drawn]
    traces += legend_traces(lines) if overlay is not None else []
    traces += wave_traces(marks, views[-1], cells, row_mv) if marks is not None and marks.lead else []
    longest_s = max(view.duration_s for view in views)
    if longest_s > SHOWN_S:
        title = f"{title} (the first {SHOWN_S:g} of {longest_s:g} s)".strip()
    paper = _paper(title, duration_s, _reach(drawn, row_mv, len(rows)))
    paper |= {"annotations": _labels(rows, cells, views), "showlegend": overlay is not None}
    paper["shapes"] = [_small_squares(duration_s, paper["yaxis"]["range"]), *_ticks(cells, row_mv)]
    paper |= {"legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom", "font": FONT}}
    return go.Figure(traces, paper)


def describe_ecg(signals_mv: np.ndarray, leads: str | Iterable[str]) -> str:
    """One sentence that says what the figure shows to someone who does not see it; a second one where samples are missing."""
    view = view_of(signals_mv, leads, 1)
    names, signals_mv = view.names, view.signals_mv
    absent = [lead for lead in LEADS if lead not in names]
    shown = (
        f"The ECG shows {_listed(names or ['no lead'])}; {_listed(absent) if absent else 'no lead'} "
        f"{'is' if len(absent) < 2 else 'are'} absent."
    )
    missing = np.isnan(signals_mv)
    gaps = [name for name, row in zip(names, missing, strict=True) if row.any()]
    gaps = f" {missing.sum()} samples are missing, in {_listed(gaps)}." if gaps else ""
    if missing.all():
        return shown + gaps
    lead, _ = np.unravel_index(np.nanargmax(np.abs(signals_mv)), signals_mv.shape)
    low, high = np.nanmin(signals_mv[lead]), np.nanmax(signals_mv[lead])
    return f"{shown} The largest deflection is in lead {names[lead]}, which runs from {low:.2f} to {high:.2f} mV.{gaps}"


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _reach(drawn: Sequence[dict], row_mv: float, n_rows: int) -> tuple[float, float]:
    """The lowest and the highest millivolt on the paper: those of its rows, or of a deflection that leaves them."""
    values = np.concatenate([trace["y"] for trace in drawn])
    values = values[~np.isnan(values)]
    lowest, highest = values.min(initial=np.inf) - 0.1, values.max(initial=-np.inf) + 0.1
    return float(min(-row_mv * (n_rows - 0.5), lowest)), float(max(row_mv / 2, CALIBRATION_MV + 0.1, highest))


def _labels(rows: Rows, cells: Sequence[Cell], views: Sequence[View]) -> list[dict]:
    """Each lead's name: in its cell, or beside its row where rows are single leads; "absent" in the middle of the grey."""
    row_mv, labels = row_height_mv(rows), []
    for cell in cells:
        having = [cell.lead in view.names for view in views]
        zero_mv, beside = -row_mv * cell.row, is_stack(rows)
        if not any(having):
            labels.append(_absent_label(cell, zero_mv))
        if any(having) or beside:
            only = "" if len(set(having)) == 1 else "before" if having[0] else "after"
            at = {"x": 0, "xref": "paper", "xanchor": "right", "y": zero_mv, "yanchor": "middle"}
            top = {"x": cell.start_s, "xanchor": "left", "y": zero_mv + row_mv / 2 - 0.05, "yanchor": "top"}
            paint = {"bgcolor": "rgba(255,255,255,0.75)", "align": "left", "showarrow": False, "font": FONT}
            only = only and (f"<br>{only}" if beside else f", {only} only")
            labels.append((at if beside else top) | paint | {"text": f"<b>{cell.lead}</b>{only}"})
    return labels


def _absent_label(cell: Cell, zero_mv: float) -> dict:
    wide_s = cell.end_s - cell.start_s
    sayings = {1.2: f"{cell.lead} absent", 0.7: f"{cell.lead}<br>absent", 0.4: cell.lead}  # by the seconds that they take
    text = next((text for needed_s, text in sayings.items() if wide_s >= needed_s), "")
    at = {"x": (cell.start_s + cell.end_s) / 2, "y": zero_mv, "xanchor": "center", "yanchor": "middle"}
    return at | {"text": text, "font": FONT | {"color": "#555555"}, "showarrow": False}


def _ticks(cells: Sequence[Cell], row_mv: float) -> list[dict]:
    """The short strokes between two leads of a row, as one shape."""
    strokes = [
        f"M{cell.start_s},{-row_mv * cell.row - 0.4}L{cell.start_s},{-row_mv * cell.row + 0.4}"
        for cell in cells
        if cell.start_s
    ]
    return [{"type": "path", "path": "".join(strokes), "line": {"color": INK, "width": 1}}] if strokes else []


def _small_squares(duration_s: float, reach_mv: Sequence[float]) -> dict:
    """The lines of 1 mm between those of 5 mm, as one shape: as minor grid lines of plotly they would be hundreds of
    elements on the page, half of all there are, each made anew at each drawing."""
    low, high = reach_mv
    columns = range(ceil(-MARK_S * MM_PER_S), floor(duration_s * MM_PER_S) + 1)  # large squares begin at 0 s
    rows = range(ceil(low * MM_PER_MV), floor(high * MM_PER_MV) + 1)
    upright = [f"M{n / MM_PER_S:g},{low:g}V{high:g}" for n in columns if n % 5 or n < 0]
    level = [f"M{-MARK_S:g},{n / MM_PER_MV:g}H{duration_s:g}" for n in rows if n % 5]
    line = {"color": SMALL_SQUARE, "width": 1}
    return {"type": "path", "path": "".join(upright + level), "layer": "below", "line": line}


def _paper(title: str, duration_s: float, reach_mv: tuple[float, float]) -> dict:
    """Large squares of 5 mm, at one scale whatever the recording."""
    width, widest = ((time_s + MARK_S) * MM_PER_S * PX_PER_MM for time_s in (duration_s, SHOWN_S))
    height = (reach_mv[1] - reach_mv[0]) * MM_PER_MV * PX_PER_MM
    squares = {"zeroline": False, "showgrid": True, "gridcolor": LARGE_SQUARE, "fixedrange": True}
    fifths = np.arange(round(duration_s * 5) + 1)  # a large square is 0.2 s; whole seconds get a number
    time_axis = {
        "title": {"text": SCALE if width > widest / 2 else "25 mm/s, 10 mm/mV", "font": FONT},
        "range": [-MARK_S, duration_s],
        "domain": [0, width / widest],
        "tickvals": fifths / 5,
        "ticktext": [str(n // 5) if n % 5 == 0 else "" for n in fifths],
    }
    height_axis = {"range": list(reach_mv), "dtick": 0.5, "showticklabels": False}
    left, right, above, below = room = tuple(MARGIN_PX.values())
    page = sheet(title, round(height) + above + below, room, round(widest) + left + right)
    return page | {"xaxis": squares | time_axis, "yaxis": squares | height_axis}
