"""The drawing of a turning heart: the loop of its arrow in two planes with the leads around it, and the twelve leads below."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from selfdana_lite.explore.colours import FAINT, INK, LEAD_COLOURS, LEAD_DASHES
from selfdana_lite.explore.ecg_paper import FONT
from selfdana_lite.leads import LEADS
from selfdana_lite.simulation.dipole import lead_vectors

REACH_MV = 1.7  # what fits into a plane
ROW_MV, COLUMNS = 4.0, 6  # the leads stand in two rows of six
PLANES = {  # the dipole's two axes that each shows, to the right and to the feet or the front, and the leads that lie in it
    "From the front (left arm at the right, feet below)": (0, 1, LEADS[:6]),
    "From the feet (left arm at the right, chest above)": (0, 2, LEADS[6:]),
}
PLAIN = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False}


def heart_figure(time_ms: np.ndarray, beat_mv: np.ndarray, sample: int, lead: str) -> go.Figure:
    """One beat [samples, 3] in mV: its loop, its arrow at one sample with its shadow on one lead, and the twelve leads."""
    figure = make_subplots(
        2,
        2,
        specs=[[{}, {}], [{"colspan": 2}, None]],
        row_heights=[0.6, 0.4],
        vertical_spacing=0.1,
        subplot_titles=[*PLANES, ""],
    )
    for column, (across, up, names) in enumerate(PLANES.values(), 1):
        plane = [across, up]
        for trace in plane_traces(beat_mv[:, plane], lead_vectors()[:, plane], sample, names, lead):
            figure.add_trace(trace, 1, column)
    for trace in lead_traces(time_ms, lead_vectors() @ beat_mv.T, sample, lead):
        figure.add_trace(trace, 2, 1)
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False}
    figure.update_xaxes(**hidden).update_yaxes(**hidden)
    ends = [-REACH_MV, REACH_MV]
    figure.update_xaxes(range=ends, row=1, col=1).update_yaxes(range=ends[::-1], scaleanchor="x", row=1, col=1)  # feet below
    figure.update_xaxes(range=ends, row=1, col=2).update_yaxes(range=ends, scaleanchor="x2", row=1, col=2)  # front above
    figure.update_yaxes(range=[-ROW_MV - 2.2, 2.6], row=2, col=1)
    return figure.update_layout(
        width=910, height=540, font=FONT, plot_bgcolor="white", margin={"l": 10, "r": 10, "t": 50, "b": 10}
    )


def plane_traces(loop: np.ndarray, vectors: np.ndarray, sample: int, names: tuple[str, ...], lead: str) -> list[dict]:
    """One plane: loop [samples, 2], lead vectors [12, 2]; leads of `names`, and the shadow if `lead` is one."""
    traces = []
    for name in names:
        end = 0.86 * REACH_MV * _unit(vectors[LEADS.index(name)])
        line = {"color": LEAD_COLOURS[name], "width": 4 if name == lead else 1.5, "dash": LEAD_DASHES[name]}
        label = {"mode": "lines+text", "text": ["", name], "textposition": "middle center"}
        traces.append(PLAIN | label | {"x": [0, end[0]], "y": [0, end[1]], "line": line, "name": name})
        traces[-1]["textfont"] = {"size": 14, "color": INK}
    traces.append(PLAIN | {"x": loop[:, 0], "y": loop[:, 1], "line": {"color": FAINT, "width": 2}, "name": "loop"})
    arrow = loop[sample]
    if lead in names:
        foot = (arrow @ _unit(vectors[LEADS.index(lead)])) * _unit(vectors[LEADS.index(lead)])
        traces.append(_line("plumb line", arrow, foot, {"color": INK, "width": 1.5, "dash": "dot"}))
        traces.append(_line("shadow", 0 * foot, foot, {"color": LEAD_COLOURS[lead], "width": 7}))
    head = {"marker": {"symbol": "arrow", "size": [0, 15], "angleref": "previous", "color": INK}, "mode": "lines+markers"}
    return [*traces, _line("arrow", 0 * arrow, arrow, {"color": INK, "width": 3.5}) | head]


def lead_traces(time_ms: np.ndarray, leads_mv: np.ndarray, sample: int, lead: str) -> list[dict]:
    """The leads [12, samples] in two rows of six, each with a mark at the sample."""
    traces, step = [], 1.15 * (time_ms[-1] - time_ms[0])
    for place, name in enumerate(LEADS):
        left, low = step * (place % COLUMNS), -ROW_MV * (place // COLUMNS)
        line = {"color": LEAD_COLOURS[name], "width": 3 if name == lead else 1.5}
        trace = {"x": left + time_ms - time_ms[0], "y": low + leads_mv[place], "line": line, "name": name}
        traces.append(PLAIN | trace)
        mark = {"x": [left, trace["x"][sample]], "y": [low + 1.7, trace["y"][sample]], "text": [name, ""]}
        look = {"mode": "markers+text", "marker": {"size": [0, 8], "color": INK}, "textposition": "middle right"}
        traces.append(PLAIN | look | mark | {"textfont": {"size": 14, "color": INK}, "name": f"{name} now"})
    return traces


def _line(name: str, start: np.ndarray, end: np.ndarray, line: dict) -> dict:
    return PLAIN | {"name": name, "x": [start[0], end[0]], "y": [start[1], end[1]], "line": line}


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
