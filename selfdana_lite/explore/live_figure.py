"""A plotly figure that changes in place in JupyterLab and Voila, with its meaning in words beneath it.

plotly's own FigureWidget carries 5 MB of JavaScript each and keeps shapes that the new figure no longer has. Here plotly.js
crosses to the page once, packed, with the kernel's first figure; a figure is drawn anew from its whole description
(`Plotly.react` finds what changed); and the browser reports what was clicked and when it was done.
"""

import gzip
import html
import json
from functools import cache
from pathlib import Path

import anywidget
import plotly
import plotly.graph_objects as go
import traitlets

PLOTLY_JS = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


class PlotlyJs(anywidget.AnyWidget):
    """plotly.js for all figures of a page. Sent unasked: a page that had to ask would wait until a busy kernel is free."""

    _esm = Path(__file__).with_name("plotly_js.js")
    packed = traitlets.Bytes().tag(sync=True)


@cache
def send_plotly_js() -> PlotlyJs:
    """Once a kernel; a page that is loaded again gets it with the other widgets."""
    return PlotlyJs(packed=gzip.compress(PLOTLY_JS.read_bytes(), compresslevel=4))


class LiveFigure(anywidget.AnyWidget):
    """A figure and its text equivalent; `show` replaces both in one message.

    clicked: what was clicked last, {"curve", "point", "x", "y", "customdata", "click"}; click counts, so that observers
    hear of a second click on the same point. drawn: {"serial", "ms"}, set when the browser has drawn the figure of that
    serial number, and in how many milliseconds.
    """

    _esm = Path(__file__).with_name("live_figure.js")
    _css = Path(__file__).with_name("live_figure.css")
    figure = traitlets.Dict().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    serial = traitlets.Int().tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)
    drawn = traitlets.Dict().tag(sync=True)

    def __init__(self, figure: go.Figure, text: str = "") -> None:
        send_plotly_js()
        super().__init__(figure=as_plain(figure), text=text)

    def show(self, figure: go.Figure, text: str = "") -> None:
        """Replace the figure and the words on every page that shows them."""
        with self.hold_sync():
            self.figure, self.text, self.serial = as_plain(figure), text, self.serial + 1

    def static_html(self) -> str:
        """What is shown now, for a page without widgets."""
        return figure_html(go.Figure(self.figure), self.text)

    def _repr_mimebundle_(self, **kwargs: object) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/html": self.static_html(), "text/plain": self.text}, metadata


def as_plain(figure: go.Figure) -> dict:
    """The figure as JSON holds it: arrays in base64, a missing value null."""
    return json.loads(figure.to_json(validate=False))


def figure_html(figure: go.Figure, text: str) -> str:
    """The figure and its words for a page without widgets; only the reader's own browser may fetch plotly.js for it."""
    drawn = figure.to_html(full_html=False, include_plotlyjs="cdn", validate=False)
    return f"{drawn}<p>{html.escape(text)}</p>"
