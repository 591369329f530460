"""A live figure holds the whole figure, says it in words, and hands plotly.js to the page that asks."""

import base64
import gzip
import json

import numpy as np
import plotly
import plotly.graph_objects as go
import pytest

from selfdana_lite.explore import Explorer, LiveFigure, figure_html
from selfdana_lite.explore.live_figure import as_plain, send_plotly_js


def figure_of(*heights):
    return go.Figure(go.Bar(y=list(heights)), layout={"title": {"text": "<b>Heights</b>"}})


@pytest.fixture
def live():
    return LiveFigure(figure_of(1, 2), "Two bars.")


def test_show_replaces_figure_and_words_in_one_message(live, monkeypatch):
    sent = []
    monkeypatch.setattr(live, "send_state", lambda key: sent.append(set(key)))
    live.show(figure_of(3), "One bar.")
    assert sent == [{"figure", "text", "serial"}]
    assert live.figure["data"] == as_plain(figure_of(3))["data"]
    assert (live.text, live.serial) == ("One bar.", 1)


def test_the_same_figure_again_is_still_drawn_again(live):
    live.show(figure_of(1, 2), "Two bars.")
    assert live.serial == 1  # what the browser listens to


def test_arrays_keep_their_shape_and_values():
    rows = np.arange(6.0).reshape(3, 2)
    (trace,) = as_plain(go.Figure(go.Scatter(y=np.float32([1, np.nan, 3]), customdata=rows)))["data"]
    assert trace["customdata"]["shape"] == "3, 2"
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(trace["customdata"]["bdata"])), rows.ravel())
    heights = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), np.float32)
    np.testing.assert_array_equal(heights, np.float32([1, np.nan, 3]))


def test_what_is_sent_is_json_that_a_browser_reads():
    mixed = go.Figure(go.Scatter(x=["a", None, np.datetime64("2026-01-01")], y=[1.0, float("nan"), np.float64(2)]))
    assert json.loads(json.dumps(as_plain(mixed), allow_nan=False))["data"][0]["y"] == [1.0, None, 2.0]


def test_plotly_is_sent_once_however_many_figures_there_are(live):
    LiveFigure(figure_of(3))
    assert send_plotly_js.cache_info().misses == 1
    packed = send_plotly_js().get_state()["packed"]
    assert gzip.decompress(packed).decode() == plotly.offline.get_plotlyjs()
    assert len(packed) < 2_000_000
    assert len(json.dumps(live.get_state(), default=str)) < 30_000


def test_a_page_without_widgets_shows_figure_and_words(live):
    live.show(figure_of(5), "One bar & no more.")
    data, _metadata = live._repr_mimebundle_()
    assert data["text/plain"] == "One bar & no more."
    assert "<p>One bar &amp; no more.</p>" in data["text/html"]
    assert '"y":[5]' in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data
    assert len(figure_html(figure_of(5), "")) < 30_000  # plotly.js is not inside


def test_an_explorer_shows_its_errors_and_raises_them():
    class Broken(Explorer):
        def static_html(self):
            return "<p>nothing</p>"

        def press(self, key):
            with self.errors_shown():
                return {"a": 1}[key]

    broken = Broken()
    with pytest.raises(KeyError, match="<b>"):
        broken.press("<b>")
    assert broken.error.value == '<p role="alert"><b>KeyError: &#x27;&lt;b&gt;&#x27;</b></p>'
    assert broken.press("a") == 1
    assert broken.error.value == ""
    assert broken._repr_mimebundle_()["text/html"] == "<p>nothing</p>"
