"""What is drawn on ECG paper: leads, grey where they are absent, calibration marks and the marks of waves, as plotly traces.

Plain dicts, not plotly's classes: checking every property of every trace would take longer than drawing them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from selfdana_lite.explore.colours import INK
from selfdana_lite.explore.ecg_layout import Cell
from selfdana_lite.explore.ecg_marks import WAVES, Marks
from selfdana_lite.leads import LeadError, parse_leads

ABSENT = "#e4e4e4"
MARKED = "#0058a3"
LINE = {"type": "scatter", "mode": "lines", "showlegend": False}
WAVE_MARKS = {  # one symbol a wave, its letter where those of its neighbours are not
    "P": ("circle", "top center"),
    "Q": ("triangle-left", "bottom left"),
    "R": ("diamond", "top center"),
    "S": ("triangle-right", "bottom right"),
    "T": ("square", "top center"),
}


@dataclass(frozen=True)
class View:
    """Signals and whose they are; made by `view_of`."""

    names: tuple[str, ...]
    signals_mv: np.ndarray  # [leads, samples]
    sampling_rate_hz: float

    @property
    def duration_s(self) -> float:
        return self.signals_mv.shape[1] / self.sampling_rate_hz

    def at(self, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
        """Times in seconds and millivolt of what belongs into the cell; nothing where the lead is absent."""
        if cell.lead not in self.names:
            return np.empty(0, np.float32), np.empty(0, np.float32)
        start, stop = (round(time_s * self.sampling_rate_hz) for time_s in (cell.start_s, cell.end_s))
        part_mv = self.signals_mv[self.names.index(cell.lead), start:stop]
        return ((start + np.arange(len(part_mv))) / self.sampling_rate_hz).astype(np.float32), part_mv


def view_of(signals_mv: np.ndarray, leads: str | Iterable[str], sampling_rate_hz: float) -> View:
    """Names in their canonical spelling beside their signals [leads, samples]; LeadError where these disagree."""
    leads = leads if isinstance(leads, str) else tuple(leads)
    names, signals_mv = parse_leads(leads) if leads else (), np.asarray(signals_mv)
    if signals_mv.ndim != 2 or len(signals_mv) != len(names) or signals_mv.shape[1] == 0:
        raise LeadError(
            f"Leads {', '.join(names)} need signals [{len(names)}, samples] in mV; found shape {signals_mv.shape}. "
            f"Name exactly the leads that are there, in their order."
        )
    return View(names, signals_mv, sampling_rate_hz)


def lead_trace(view: View, cell: Cell, row_mv: float, line: dict) -> dict:
    """One lead in its cell, about the zero line of its row."""
    time_s, part_mv = view.at(cell)
    hover = f"{cell.lead}: %{{x:.2f}} s<extra></extra>"
    y = part_mv - row_mv * cell.row
    return LINE | {"x": time_s, "y": y, "name": cell.lead, "line": line, "hovertemplate": hover}


def absent_trace(cells: Sequence[Cell], views: Sequence[View], row_mv: float) -> dict:
    """Grey over the cells of leads that no view has: one filled trace with gaps."""
    x, y = [], []
    for cell in cells:
        if not any(cell.lead in view.names for view in views):
            low, high = -row_mv * (cell.row + 0.5), -row_mv * (cell.row - 0.5)
            x += [cell.start_s, cell.end_s, cell.end_s, cell.start_s, cell.start_s, np.nan]
            y += [low, low, high, high, low, np.nan]
    fill = {"fill": "toself", "fillcolor": ABSENT, "line": {"width": 0}, "hoverinfo": "skip"}
    return LINE | fill | {"x": np.array(x, float), "y": np.array(y, float), "name": "absent"}


def calibration_trace(n_rows: int, row_mv: float) -> dict:
    """The calibration mark of each row: 1 mV high, 0.2 s wide; drawn as one trace with gaps (None)."""
    x = [-0.4, -0.35, -0.35, -0.15, -0.15, -0.1, None]
    y = [0, 0, 1, 1, 0, 0, None]
    heights = [None if v is None else v - row_mv * row for row in range(n_rows) for v in y]
    line = {"color": INK, "width": 1.3}
    return LINE | {"x": x * n_rows, "y": heights, "name": "1 mV, 0.2 s", "line": line}


def wave_traces(marks: Marks, view: View, cells: Sequence[Cell], row_mv: float) -> list[dict]:
    """One trace a wave: its symbol and letter on every stretch of the marked lead."""
    traces = []
    for wave in WAVES:
        symbol, place = WAVE_MARKS[wave]
        x, y = [], []
        for cell in cells:
            time_s, part_mv = view.at(cell)
            if cell.lead == marks.lead and len(time_s):
                here = marks.waves[wave][(marks.waves[wave] >= time_s[0]) & (marks.waves[wave] <= time_s[-1])]
                x += here.tolist()
                y += (np.interp(here, time_s, part_mv) - row_mv * cell.row).tolist()
        letters = {"mode": "markers+text", "text": [wave] * len(x), "textposition": place}
        paint = {"marker": {"symbol": symbol, "size": 5, "color": MARKED}, "textfont": {"size": 13, "color": MARKED}}
        hover = {"hovertemplate": f"{wave} in lead {marks.lead}: %{{x:.2f}} s<extra></extra>"}
        traces.append(LINE | letters | paint | hover | {"x": x, "y": y, "name": f"{wave} wave"})
    return traces


def legend_traces(lines: Sequence[dict]) -> list[dict]:
    """Two traces without a point, for the two names alone."""
    plain = LINE | {"x": [None], "y": [None], "showlegend": True}
    return [plain | {"name": name, "line": line} for name, line in zip(("before", "after"), lines, strict=True)]
