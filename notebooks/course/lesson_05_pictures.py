"""Lesson 05's pictures: arrows on a circle, curves that grow while an encoder learns, and a temperature to turn."""

import ipywidgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from selfdana_lite.explore import Explorer, LiveFigure
from selfdana_lite.explore.colours import CHOSEN, FAINT, INK, MODEL_COLOURS, OTHER

LOSS, HELD_OUT = MODEL_COLOURS[:2]
GRID = "#e4e4e4"
NEAREST = 5  # candidates that are called near


def circle_figure(z1: np.ndarray, z2: np.ndarray) -> go.Figure:
    """Embeddings [B, 2] of two views as arrows of length 1; a colour a recording, dashed for the second view."""
    figure = go.Figure()
    for view, (z, dash) in enumerate(((z1, "solid"), (z2, "dash"))):
        for i, (x, y) in enumerate(z / np.linalg.norm(z, axis=1, keepdims=True)):
            name, colour = f"recording {i}, half {view + 1}", MODEL_COLOURS[i]
            text = ["", f"{i}{'ab'[view]}"]
            line = {"color": colour, "dash": dash, "width": 3}
            arrow = go.Scatter(x=[0, x], y=[0, y], name=name, line=line, mode="lines+markers+text", text=text)
            figure.add_trace(arrow.update(marker={"color": colour, "size": [1, 9]}, textposition="top center"))
    at = np.linspace(0, 2 * np.pi, 181)
    figure.add_trace(go.Scatter(x=np.cos(at), y=np.sin(at), line={"color": FAINT, "width": 1}, showlegend=False))
    axis = {"range": [-1.3, 1.3], "zeroline": False, "gridcolor": GRID}
    figure.update_layout(xaxis=axis, yaxis=axis | {"scaleanchor": "x"}, width=620, height=420, plot_bgcolor="white")
    return figure.update_layout(title="Six embeddings: three recordings, two halves each", margin={"t": 45, "b": 30})


def curves(history: list[dict], probes: dict[int, float], untrained: float, blind: float) -> tuple[go.Figure, str]:
    """The loss and the probe while an encoder learns, each beside what knowing nothing would give; and the same in words.

    history: the rows of pretrain, with validation_loss. probes: epoch -> macro AUROC. blind: the loss of a blind guess.
    """
    epochs = [row["epoch"] for row in history]
    figure = make_subplots(1, 2, subplot_titles=("Loss: the game", "Probe: what we want"), horizontal_spacing=0.1)
    for column, name, colour, dash in (
        ("loss", "learnt from", LOSS, "solid"),
        ("validation_loss", "other patients", HELD_OUT, "dot"),
    ):
        line = {"color": colour, "dash": dash, "width": 3}
        loss = [row[column] for row in history]
        figure.add_trace(go.Scatter(x=epochs, y=loss, name=name, line=line, mode="lines+markers"), 1, 1)
    line = {"color": CHOSEN, "width": 3}
    figure.add_trace(go.Scatter(x=list(probes), y=list(probes.values()), name="probe", line=line, mode="lines+markers"), 1, 2)
    figure.add_hline(blind, line={"color": FAINT, "dash": "dash"}, annotation={"text": "blind guess"}, row=1, col=1)
    twin = {"annotation_text": "untrained twin", "annotation_position": "bottom right"}  # the curve is above it
    figure.add_hline(untrained, line={"color": OTHER, "dash": "dash"}, **twin, row=1, col=2)
    figure.add_hline(0.5, line={"color": FAINT, "dash": "dash"}, annotation={"text": "chance"}, row=1, col=2)
    figure.update_xaxes(title="epoch").update_yaxes(gridcolor=GRID).update_yaxes(title="NT-Xent", row=1, col=1)
    figure.update_yaxes(title="macro AUROC", range=[0.45, 1], row=1, col=2)
    figure.update_layout(width=960, height=360, margin={"t": 45, "b": 45}, font={"color": INK}, plot_bgcolor="white")
    return figure, describe_curves(history, probes, untrained, blind)


def describe_curves(history: list[dict], probes: dict[int, float], untrained: float, blind: float) -> str:
    """The curves in words."""
    if not history:
        return f"Not yet trained. A blind guess costs {blind:.2f}; the untrained twin scores {untrained:.3f}."
    first, last = history[0], history[-1]
    words = (
        f"After epoch {last['epoch']}: the loss is {last['loss']:.2f} ({first['loss']:.2f} in the first epoch, {blind:.2f} for "
        f"a blind guess), on recordings of other patients {last['validation_loss']:.2f}."
    )
    if not probes:
        return words
    epoch, score = list(probes.items())[-1]
    return f"{words} The probe scores {score:.3f} (epoch {epoch}), the untrained twin {untrained:.3f}, chance 0.500."


def spoilt_figure(table: pd.DataFrame) -> go.Figure:
    """Loss, found halves and probe of each encoder of Part 6, side by side; ticks where knowing nothing would be."""
    panels = {
        "loss": "Loss (tick: blind guess)",
        "found": "Other halves found (tick: untrained)",
        "probe": "Probe (tick: untrained)",
    }
    figure = make_subplots(1, 3, subplot_titles=list(panels.values()), shared_yaxes=True, horizontal_spacing=0.05)
    for column, measure in enumerate(panels, 1):
        nothing = table["blind loss"] if measure == "loss" else [table.loc["untrained", measure]] * len(table)
        bar = {"x": table[measure], "y": table.index, "orientation": "h", "marker": {"color": CHOSEN}, "name": measure}
        figure.add_bar(**bar, row=1, col=column)
        tick = {"symbol": "line-ns", "size": 20, "line": {"width": 3, "color": INK}}
        figure.add_scatter(x=nothing, y=table.index, mode="markers", marker=tick, row=1, col=column)
    figure.update_yaxes(autorange="reversed").update_xaxes(gridcolor=GRID).update_xaxes(range=[0.4, 0.9], row=1, col=3)
    return figure.update_layout(width=1000, height=330, margin={"t": 40, "b": 30}, showlegend=False, plot_bgcolor="white")


def attention(cosines: np.ndarray, temperature: float) -> np.ndarray:
    """The probability that NT-Xent gives each candidate of one anchor: a softmax of cosines [n] over temperature."""
    logits = (cosines - cosines.max()) / temperature  # the largest is 0: no exponential overflows
    return np.exp(logits) / np.exp(logits).sum()


def temperature_figure(cosines: np.ndarray, partner: int, temperature: float) -> tuple[go.Figure, str]:
    """Where one anchor looks: each candidate's cosine and probability; and the same in words."""
    looks, stranger = attention(cosines, temperature), np.arange(len(cosines)) != partner
    push = np.sort(looks[stranger] / looks[stranger].sum())[::-1]
    marks = [("strangers", stranger, OTHER, "circle", 8), ("its other half", ~stranger, CHOSEN, "star", 15)]
    figure = go.Figure(
        [
            go.Scatter(x=cosines[rows], y=looks[rows], name=name, mode="markers",
                       marker={"color": colour, "symbol": symbol, "size": size})
            for name, rows, colour, symbol, size in marks
        ]
    )  # fmt: skip
    figure.update_xaxes(title="cosine similarity to the anchor", gridcolor=GRID)
    figure.update_yaxes(title="probability", range=[-0.03, 1.03], gridcolor=GRID)
    title = f"Temperature {temperature:.3g}: where the anchor looks"
    figure.update_layout(title=title, width=720, height=340, margin={"t": 45, "b": 45}, plot_bgcolor="white")
    return figure, (
        f"Temperature {temperature:.3g}: its other half gets a probability of {looks[partner]:.2f} (blind: "
        f"{1 / len(cosines):.3f}), a loss of {-np.log(looks[partner]):.2f}. Of the push away from {stranger.sum()} strangers, "
        f"the {NEAREST} nearest get {push[:NEAREST].sum():.0%}; if all were pushed alike, {NEAREST / stranger.sum():.0%}."
    )


class TemperatureView(Explorer):
    """A temperature to turn, and where one anchor looks. cosines: of its candidates [n]; partner: which one is its half."""

    def __init__(self, cosines: np.ndarray, partner: int, temperature: float = 0.2) -> None:
        super().__init__()
        self.cosines, self.partner = cosines, partner
        self.temperature = ipywidgets.FloatLogSlider(
            temperature, min=-2, max=1, step=0.1, description="Temperature", layout={"width": "420px"}
        )
        self.figure = LiveFigure(*temperature_figure(cosines, partner, temperature))
        self.temperature.observe(self.redraw, "value")
        self.children = [self.temperature, self.error, self.figure]

    def redraw(self, _change: object = None) -> None:
        """Show where the anchor looks at the temperature of the slider."""
        with self.errors_shown():
            self.figure.show(*temperature_figure(self.cosines, self.partner, self.temperature.value))

    def static_html(self) -> str:
        return self.figure.static_html()
