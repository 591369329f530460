"""The faults of a recording where they are: one row a lead, with gaps, flat and clipped stretches shaded, R peaks ticked."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from selfdana_lite.explore.colours import INK
from selfdana_lite.explore.sheet import sheet
from selfdana_lite.faults import in_millivolt, problem_stretches, r_peaks
from selfdana_lite.recording import Recording, RecordingError

SHOWN_S = 30.0
LEAST_ROW_MV = 1.0  # from one row's zero line to the next
ROW_PX, WIDTH_PX = 62, 960
# Told apart by the colour-blind (Okabe and Ito 2008), and by their names in the legend.
SHADES = {"missing": "rgba(120,120,120,0.45)", "flat": "rgba(86,180,233,0.5)", "clipped": "rgba(230,159,0,0.6)"}


def quality_figure(recording: Recording, title: str = "") -> go.Figure:
    """The first thirty seconds of all leads that are in millivolt, each about its median; RecordingError if there is none.

    The rows share one scale, so that a lead that is off it runs over its neighbours.
    """
    signal_mv, leads = in_millivolt(recording)
    if not leads:
        raise RecordingError(f"{recording.source or 'This recording'} has no lead in millivolt to draw.")
    shown = round(min(SHOWN_S, recording.seconds) * recording.sampling_rate_hz)
    row_mv = _row_height_mv(signal_mv[:, :shown])
    figure = go.Figure(_shades(problem_stretches(recording), leads, row_mv, shown / recording.sampling_rate_hz))
    time_s = np.arange(shown) / recording.sampling_rate_hz
    for row, (lead, samples_mv) in enumerate(zip(leads, signal_mv[:, :shown], strict=True)):
        middle_mv = np.nanmedian(samples_mv) if not np.isnan(samples_mv).all() else 0.0
        line = {"color": INK, "width": 1}
        figure.add_scatter(x=time_s, y=samples_mv - middle_mv - row * row_mv, name=lead, line=line, showlegend=False)
    peaks, _ = r_peaks(recording)
    at_s = peaks[peaks < shown] / recording.sampling_rate_hz
    if len(at_s):
        mark = {"symbol": "triangle-down", "color": INK, "size": 9}
        figure.add_scatter(x=at_s, y=np.full(len(at_s), row_mv * 0.75), mode="markers", name="R peak", marker=mark)
    if recording.seconds > SHOWN_S:
        title = f"{title} (the first {SHOWN_S:g} of {recording.seconds:g} s)".strip()
    return _laid_out(figure, leads, row_mv, shown / recording.sampling_rate_hz, title)


def describe_quality(row: pd.Series | Mapping[str, object]) -> str:
    """What a row of quality_report says, in sentences for someone who does not see table or figure."""
    name = f"{row['source']}: " if row["source"] else ""
    if np.isnan(row["seconds"]):  # a file that could not be read
        return f"{name}{row['verdict']}. {row['remarks']}"
    rhythm = row["no_rhythm"] or f"{row['heart_rate_bpm']:.0f} beats a minute from {row['r_peaks']:.0f} R peaks"
    hum = "cannot be seen at this rate" if np.isnan(row["mains_noise_mv"]) else f"is {row['mains_noise_mv']:.3f} mV"
    limb = "cannot be checked" if np.isnan(row["limb_residual_mv"]) else f"fit within {row['limb_residual_mv']:.3f} mV"
    return (
        f"{name}{row['verdict']}. {row['seconds']:g} s at {row['sampling_rate_hz']:g} Hz of {row['leads']}. "
        f"{'To look at: ' + row['remarks'] if row['remarks'] else 'No remarks'}. Rhythm: {rhythm}. The baseline wanders "
        f"by {row['baseline_wander_mv']:.2f} mV, mains hum {hum}, and the limb leads {limb}."
    )


def _row_height_mv(signal_mv: np.ndarray) -> float:
    """Room for the typical lead: most of the swing (1st to 99th percentile) of the median lead."""
    there = signal_mv[~np.isnan(signal_mv).all(axis=1)]
    if not len(there):
        return LEAST_ROW_MV
    low, high = np.nanpercentile(there, [1, 99], axis=1)
    return max(LEAST_ROW_MV, 1.5 * float(np.median(high - low)))


def _shades(stretches: pd.DataFrame, leads: tuple[str, ...], row_mv: float, shown_s: float) -> list[go.Scatter]:
    """One filled trace a kind of fault, its rectangles parted by gaps."""
    traces = []
    for kind, colour in SHADES.items():
        found = stretches[(stretches["kind"] == kind) & (stretches["start_s"] < shown_s)]
        if found.empty:
            continue
        x, y = [], []
        for lead, start_s, end_s in zip(found["lead"], found["start_s"], found["end_s"].clip(upper=shown_s), strict=True):
            middle_mv = -leads.index(lead) * row_mv
            x += [start_s, end_s, end_s, start_s, start_s, None]
            y += [middle_mv + side * row_mv * 0.48 for side in (-1, -1, 1, 1, -1)] + [None]
        # The outline keeps a stretch of a few milliseconds visible.
        line = {"color": colour, "width": 2}
        traces.append(go.Scatter(x=x, y=y, name=kind, mode="lines", line=line, fill="toself", fillcolor=colour))
    return traces


def _laid_out(figure: go.Figure, leads: tuple[str, ...], row_mv: float, shown_s: float, title: str) -> go.Figure:
    plain = {"showgrid": False, "zeroline": False, "fixedrange": True}
    figure.update_xaxes(plain, title="time (s)", range=[-0.01 * shown_s, 1.01 * shown_s])
    figure.update_yaxes(
        plain,
        title=f"rows are<br>{row_mv:.1f} mV apart",  # one lead leaves little room
        range=[-row_mv * (len(leads) - 0.3), row_mv],
        tickvals=[-row * row_mv for row in range(len(leads))],
        ticktext=list(leads),
    )
    return figure.update_layout(
        sheet(title, ROW_PX * (len(leads) + 1) + 90, (85, 10, 50, 45), WIDTH_PX),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    )
