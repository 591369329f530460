"""The embedding map in a real browser: each control is operated, a dot is clicked, and the figures answer soon."""

import pytest
from test_browser import assert_soon, button, everywhere
from test_browser_views import choose, said, slide

MAP = """
import selfdana_lite as sd
from selfdana_lite import explore
picker = explore.LeadPicker("12-lead")
lead_map = explore.EmbeddingMap(sd.load_encoder(), sd.EcgDataset.open(), picker=picker)
"""


@pytest.fixture
def open_map(browser):
    """A notebook with a map, drawn."""

    def open_notebook(place, name, *cells):
        browser.servers.write(name, MAP, *cells)
        screen = getattr(browser, place)(name)
        screen.page.wait_for_function("document.querySelectorAll('.live-figure[data-drawn]').length == 2")
        return screen

    return open_notebook


def click_dot(screen, trace):
    """Click the dot of a trace that lies farthest from all others; return its recording."""
    screen.settle()
    curve, dot, recording = screen.page.evaluate(
        """(name) => {
          const traces = document.querySelector(".js-plotly-plot")._fullData;  // decoded
          const curve = traces.findIndex((trace) => trace.name === name);
          const points = ({ x, y }) => Array.from(x, (value, i) => [value, y[i]]);
          const all = traces.filter((trace) => trace.customdata).flatMap(points);
          const room = points(traces[curve]).map(([x, y]) =>
            all.map(([u, v]) => Math.hypot(x - u, y - v)).filter((far) => far > 0).reduce((a, b) => Math.min(a, b)));
          const dot = room.indexOf(Math.max(...room));
          return [curve, dot, traces[curve].customdata[dot]];
        }""",
        trace,
    )
    figure = screen.page.locator(".live-figure").first
    figure.scroll_into_view_if_needed()
    box = figure.locator(".scatterlayer .trace").nth(curve).locator(".point").nth(dot).bounding_box()
    screen.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return recording


@everywhere
def test_the_embedding_map(open_map, place):
    screen = open_map(place, "embedding-map", "lead_map", "picker")
    page, figure = screen.page, screen.page.locator(".live-figure").first
    said(screen, "PCA map of 600 recordings through all twelve leads")
    screen.screenshot("12-lead")
    button(screen, "2-lead").click()
    said(screen, "PCA map of 600 recordings through I, II.")
    figure.get_by_text("PCA through I, II").wait_for()
    page.get_by_role("columnheader", name="near before too").wait_for()
    assert_soon(screen.latencies_ms([button(screen, name) for name in ("12-lead", "2-lead")], 30, ".live-figure"), screen)
    screen.screenshot("2-lead")

    recording = click_dot(screen, "several labels")
    page.get_by_text(f"Recording {recording} (").first.wait_for()
    page.get_by_text(f"Recording {recording} (labelled").first.wait_for()  # the ECG beside it
    screen.screenshot("clicked")
    slide(screen, "Recording")
    page.get_by_text(f"Recording {recording + 1} (").first.wait_for()

    for colouring, entry in (("fold", "fold 10"), ("lead set", "reference leads"), ("patient", "other patients")):
        choose(screen, "Colour by", colouring)
        figure.locator(".legend").get_by_text(entry).wait_for()
        screen.screenshot(colouring.replace(" ", "-"))
    choose(screen, "Distance", "cosine")
    page.get_by_text("Nearest by cosine distance in all 192 numbers").wait_for()
    lines = figure.locator(".scatterlayer .trace").count()
    page.get_by_label("Drift lines").uncheck()
    page.wait_for_function(f"document.querySelectorAll('.scatterlayer')[0].children.length == {lines - 1}")
    choose(screen, "Colour by", "label")
    choose(screen, "Method", "t-SNE")
    page.get_by_role("status").get_by_text("this takes some seconds").wait_for()
    assert page.get_by_label("Method", exact=True).is_disabled()
    said(screen, "t-SNE map of 600 recordings through I, II.")
    figure.get_by_text("t-SNE, first axis (no unit)").wait_for()
    page.wait_for_function("!document.querySelector('select:disabled')")
    screen.screenshot("t-sne")
    assert screen.errors() == []
