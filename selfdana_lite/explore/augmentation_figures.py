"""The drawings of the augmentation view: what is left of each lead, and how many leads are left how often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from selfdana_lite.explore.colours import INK
from selfdana_lite.explore.ecg_paper import ABSENT
from selfdana_lite.explore.sheet import FONT, GRID, sheet
from selfdana_lite.leads import LEADS

ROW_MV, ROW_PX = 1.5, 21  # 14 px a millivolt: small, to have four views side by side
ZEROED, BARS = "#a04000", ("#56B4E9", "#E69F00")  # Okabe and Ito's blue for selection, orange for masking


@dataclass(frozen=True, eq=False)
class Drawn:
    """One view as an encoder gets it: signals [leads, samples], and whose they are."""

    signals_mv: np.ndarray
    leads: tuple[str, ...]

    def keeps(self, lead: str) -> bool:
        """The lead is there and is not zeros throughout."""
        return lead in self.leads and bool(self.signals_mv[self.leads.index(lead)].any())


def view_figure(views: Mapping[str, Sequence[Drawn]], sampling_rate_hz: float, title: str) -> go.Figure:
    """A column a view, a row a lead: its signal, a thick line where it became zeros, grey where it is not in the tensor."""
    columns = [(name, number, view) for name, both in views.items() for number, view in enumerate(both, start=1)]
    width_s = columns[0][2].signals_mv.shape[1] / sampling_rate_hz
    starts_s = [width_s * (1.06 * column + (0.08 if column >= 2 else 0)) for column in range(len(columns))]
    kept, zeroed, gone = [], [], []
    for start_s, (_, _, view) in zip(starts_s, columns, strict=True):
        for row, lead in enumerate(LEADS):
            if lead not in view.leads:
                gone.append(_rectangle(start_s, width_s, row))
                continue
            signal_mv = view.signals_mv[view.leads.index(lead)]
            where = kept if signal_mv.any() else zeroed
            time_s = start_s + np.arange(len(signal_mv)) / sampling_rate_hz
            where.append(_parted(time_s, signal_mv - row * ROW_MV))
    traces = [
        _trace(gone, "not in the tensor", width=0, fill="toself", fillcolor=ABSENT),
        _trace(zeroed, "zeros", color=ZEROED, width=3),
        _trace(kept, "kept", color=INK, width=1),
    ]
    labels = [
        {"x": start_s + width_s / 2, "text": f"<b>{name}</b><br>view {number}: {_kept(view)}"}
        for start_s, (name, number, view) in zip(starts_s, columns, strict=True)
    ]
    place = {"y": ROW_MV * 0.6, "yanchor": "bottom", "xanchor": "center", "showarrow": False, "font": FONT}
    hidden = {"showgrid": False, "zeroline": False, "fixedrange": True}
    names = {"tickvals": [-row * ROW_MV for row in range(len(LEADS))], "ticktext": list(LEADS)}
    bottom = -ROW_MV * (len(LEADS) - 0.4)
    paper = {
        "xaxis": hidden | {"range": [-0.01 * width_s, starts_s[-1] + 1.01 * width_s], "showticklabels": False},
        "yaxis": hidden | names | {"range": [bottom, ROW_MV * 0.6]},
        "annotations": [label | place for label in labels],
        "legend": {"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.01, "yanchor": "top", "font": FONT},
    }
    return go.Figure(traces, sheet(title, len(LEADS) * ROW_PX + 110, (50, 10, 76, 34)) | paper)


def count_figure(counts: Mapping[str, np.ndarray], laws: Mapping[str, np.ndarray], title: str) -> go.Figure:
    """Two panels: bars are the shares of draws that kept 0, 1, ... leads, diamonds the probabilities."""
    traces, axes = [], {}
    highest = max(
        max((found / found.sum()).max(), law.max()) for found, law in zip(counts.values(), laws.values(), strict=True)
    )
    for panel, (name, found) in enumerate(counts.items()):
        x, suffix = np.arange(len(found)), str(panel + 1) if panel else ""
        share = {"hovertemplate": "%{x} leads: %{y:.2%}<extra></extra>", "xaxis": f"x{suffix}"}
        bars = {"type": "bar", "x": x, "y": found / found.sum(), "name": "drawn", "marker": {"color": BARS[panel]}}
        diamonds = {"symbol": "diamond", "size": 9, "color": INK}
        law = {
            "type": "scatter",
            "x": x,
            "y": laws[name],
            "name": "the law",
            "mode": "markers",
            "marker": diamonds,
            "cliponaxis": False,
        }
        traces += [bars | share | {"showlegend": False}, law | share | {"showlegend": not panel}]
        domain = {"domain": [0.52 * panel, 0.52 * panel + 0.48], "range": [-0.6, len(found) - 0.4], "dtick": 1}
        axes[f"xaxis{suffix}"] = domain | {"fixedrange": True, "title": {"text": f"leads kept by {name}", "font": FONT}}
    shares = {"range": [-0.07 * highest, 1.1 * highest], "tickformat": ".0%", "gridcolor": GRID, "fixedrange": True}
    paper = axes | {
        "yaxis": shares,
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom", "font": FONT},
    }
    return go.Figure(traces, sheet(title, 210, (50, 10, 34, 45)) | paper)


def _kept(view: Drawn) -> str:
    return f"{sum(view.keeps(lead) for lead in view.leads)} kept, {len(view.leads)} sent"


def _rectangle(start_s: float, width_s: float, row: int) -> np.ndarray:
    low, high = -ROW_MV * (row + 0.46), -ROW_MV * (row - 0.46)
    end_s = start_s + width_s
    return np.array([[start_s, end_s, end_s, start_s, start_s, np.nan], [low, low, high, high, low, np.nan]])  # [2, 6]


def _parted(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A line and a gap behind it, [2, samples + 1]: many lines make one trace."""
    return np.append(np.array([x, y], np.float32), np.full((2, 1), np.nan, np.float32), axis=1)


def _trace(lines: Sequence[np.ndarray], name: str, *, width: float, color: str = INK, **fill: str) -> dict:
    x, y = np.concatenate([np.empty((2, 0), np.float32), *lines], axis=1)  # [2, points]
    line = {"color": color, "width": width}
    return {"type": "scatter", "x": x, "y": y, "name": name, "mode": "lines", "line": line, "hoverinfo": "skip"} | fill
