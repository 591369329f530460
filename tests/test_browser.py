"""What a person meets in JupyterLab and in Voila: figures appear, controls answer, and soon; nothing goes wrong unseen."""

import contextlib
import os
import statistics
import time
from types import SimpleNamespace

import pytest
import test_browser
from browser import ROOT, SCREENSHOTS, chromium

LATENCIES = ROOT / "build/latencies.csv"

PICKER = """
import numpy as np
import plotly.graph_objects as go
from selfdana_lite.explore import LEAD_COLOURS, LeadPicker, LiveFigure

def draw(leads):
    traces = [
        go.Scatter(y=np.sin(np.arange(20)) + i, name=lead, mode="markers", customdata=np.arange(40).reshape(20, 2),
                   marker={"color": LEAD_COLOURS[lead]})
        for i, lead in enumerate(leads)
    ]
    shapes = [{"y0": 0, "y1": i, "x0": 0, "x1": 9} for i in range(len(leads))]
    return go.Figure(traces, {"height": 250, "width": 600, "margin": {"t": 10, "b": 20}, "shapes": shapes})

def redraw(change):
    figure.show(draw(change.new), f"{len(change.new)} leads.")

picker = LeadPicker("I, II, V2")
figure, second = LiveFigure(draw(picker.leads), "3 leads."), LiveFigure(draw(["V6"]))
picker.observe(redraw, "leads")
"""
CLICKED = """
import ipywidgets
seen = ipywidgets.Label()
figure.observe(lambda change: setattr(seen, "value", str(change.new)), "clicked")
"""
EXPLORER = """
import torch
import selfdana_lite as sd
from selfdana_lite import explore

torch.manual_seed(0)
recordings = sd.EcgDataset.open().where(folds=[9])
clf = sd.Classifier(sd.build_encoder(), recordings.label_names, "any").eval()
explorer = explore.LeadSetExplorer(clf, recordings, explore.score_table(clf, recordings, bootstrap=20))
"""
everywhere = pytest.mark.parametrize("place", ["open_in_lab", "open_in_voila"])


def button(screen, name):
    return screen.page.get_by_role("button", name=name, exact=True)


def assert_soon(latencies_ms, screen):
    """Wanted on two idle cores are a median of 250 ms and 600 ms for 95 of 100 clicks, held where SELFDANA_STRICT_LATENCY
    is set; otherwise the bounds bear a machine with other work to do. What was measured is noted either way."""
    median, slow = statistics.median(latencies_ms), statistics.quantiles(latencies_ms, n=20)[-1]
    note_latency(screen.name, median, slow, len(latencies_ms))
    most_median, most_slow = (250, 600) if os.environ.get("SELFDANA_STRICT_LATENCY") else (1000, 3000)
    assert (median < most_median, slow < most_slow) == (True, True), f"{screen.name}: {median:.0f} ms, 95 % {slow:.0f} ms"


def note_latency(name, median, slow, clicks):
    """A line in LATENCIES; a screen is called after its view and its place, lab or voila."""
    LATENCIES.parent.mkdir(exist_ok=True)
    if not LATENCIES.exists():
        LATENCIES.write_text("view,place,median_ms,p95_ms,clicks,load_average\n")
    view, place = name.rsplit("-", 1)
    with LATENCIES.open("a") as table:
        table.write(f"{view},{place},{median:.0f},{slow:.0f},{clicks},{os.getloadavg()[0]:.2f}\n")


@everywhere
def test_the_picker_steers_figures(browser, place):
    browser.servers.write("picker", PICKER, CLICKED, "picker", "figure", "second", "seen")
    screen = getattr(browser, place)("picker")
    page = screen.page
    page.wait_for_function("document.querySelectorAll('.live-figure[data-drawn]').length == 2")
    figure = page.locator(".live-figure").first
    traces = figure.locator("g.trace")
    assert traces.count() == 3

    one, usual = (page.get_by_role("group", name=name) for name in ("Single leads", "Usual lead sets"))
    one.get_by_role("button", name="V5", exact=True).click()
    page.get_by_text("4 leads.", exact=True).wait_for()
    button(screen, "✓ V5").wait_for()
    said = "Chosen: I, II, V2, V5. III, aVR, aVL, aVF can be computed from I and II."
    assert page.locator("p", has_text=said).count() == 1
    page.locator("[data-lead=V5] text").click()  # in the drawing
    button(screen, "V5").wait_for()
    usual.get_by_role("button", name="1-lead", exact=True).click()
    usual.get_by_role("button", name="1-lead", exact=True, pressed=True).wait_for()
    page.get_by_text("1 leads.", exact=True).wait_for()
    figure.locator(".shapelayer path").nth(0).wait_for(state="attached")
    assert (traces.count(), figure.locator(".shapelayer path").count()) == (1, 1)  # nothing of the earlier figure is left
    button(screen, "✓ I").click()
    page.get_by_text("At least one lead stays chosen: I.").wait_for()
    button(screen, "✓ I").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # II, without a mouse
    button(screen, "✓ II").wait_for()

    figure.get_by_role("img", name="2 leads.").wait_for()  # the words are the drawing's name for a screen reader

    screen.settle()
    figure.scroll_into_view_if_needed()
    point = figure.locator(".points path").nth(10).bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    figure.locator(".hoverlayer .hovertext").wait_for()
    page.mouse.down()
    page.mouse.up()
    page.get_by_text("'curve': 0, 'point': 10, 'x': 10,").wait_for()
    assert page.get_by_text("'customdata': [20, 21]").count() == 1
    assert_soon(screen.latencies_ms([button(screen, "V6"), button(screen, "✓ V6")], 30, ".live-figure"), screen)
    screen.screenshot()
    assert screen.errors() == []


@everywhere
def test_the_lead_set_explorer_answers_soon(browser, place):
    browser.servers.write("explorer", EXPLORER, "explorer")
    screen = getattr(browser, place)("explorer")
    screen.page.wait_for_function("document.querySelectorAll('.live-figure[data-drawn]').length == 2")
    sets = [button(screen, name) for name in ("2-lead", "3-lead", "6-lead", "12-lead")]
    assert_soon(screen.latencies_ms(sets, 32, ".live-figure"), screen)
    screen.screenshot("12-lead")
    lead_set = screen.page.get_by_role("group", name="Lead set", exact=True)
    lead_set.get_by_role("button", name="2-lead", exact=True).click()
    screen.page.get_by_text("The ECG shows I and II; III,").wait_for()
    screen.page.get_by_text("With 2-lead (I, II) the macro AUROC is").wait_for()
    screen.page.get_by_role("slider", name="Recording").press("ArrowRight")
    screen.page.locator(".live-figure").first.get_by_text("Recording 1 (").wait_for()
    screen.screenshot("2-lead")
    assert screen.errors() == []


def test_a_figure_is_drawn_while_the_kernel_is_busy_and_again_when_the_page_is_loaded_anew(browser):
    waiting = "import os, time\nwhile not os.path.exists('go on'): time.sleep(0.1)"
    browser.servers.write("busy", PICKER, "figure", waiting)
    screen = browser.open_in_lab("busy", wait=False)
    screen.page.wait_for_selector(".live-figure[data-drawn]", state="attached")
    (browser.servers.folder / "go on").touch()
    screen.page.evaluate("window.ran")
    screen.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    screen.page.reload()
    screen.page.wait_for_selector(".live-figure[data-drawn]", state="attached")
    assert screen.errors() == []


def test_an_error_that_a_widget_shows_is_found(browser):
    browser.servers.write(
        "broken",
        "from selfdana_lite.explore import LeadPicker\npicker = LeadPicker('I')\npicker.observe(lambda change: 1 / 0, 'leads')",
        "picker",
    )
    screen = browser.open_in_lab("broken")
    button(screen, "V1").click()
    screen.page.get_by_role("alert").wait_for()
    screen.page.evaluate("console.error('from the console')")
    screen.page.evaluate("fetch('https://example.org/x')")
    for words in ("ZeroDivisionError: division by zero", "from the console", "asked the network for https://example.org/x"):
        wait_until(screen, lambda words=words: any(words in error for error in screen.errors()), words)


def wait_until(screen, true, what):
    """Until something is so on this side; the browser's events arrive while its page is asked."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, f"{what} did not come; found {screen.errors()}"
        screen.page.evaluate("() => new Promise(requestAnimationFrame)")


@pytest.mark.parametrize(("strict", "held"), [("", True), ("1", False)])
def test_latencies_are_noted_and_the_wanted_ones_held_where_that_is_asked(tmp_path, monkeypatch, strict, held):
    monkeypatch.setenv("SELFDANA_STRICT_LATENCY", strict)
    monkeypatch.setattr(test_browser, "LATENCIES", tmp_path / "build/latencies.csv")
    screen = SimpleNamespace(name="embedding-map-voila")
    test_browser.assert_soon([100.0] * 30, screen)
    with contextlib.nullcontext() if held else pytest.raises(AssertionError, match="embedding-map-voila: 300 ms"):
        test_browser.assert_soon([300.0] * 30, screen)
    with pytest.raises(AssertionError, match="100 ms, 95 % 4000 ms"):
        test_browser.assert_soon([100.0] * 27 + [4000.0] * 3, screen)
    heads, *rows = [line.split(",") for line in (tmp_path / "build/latencies.csv").read_text().splitlines()]
    assert heads == ["view", "place", "median_ms", "p95_ms", "clicks", "load_average"]
    assert [row[:5] for row in rows] == [
        ["embedding-map", "voila", median, slow, "30"] for median, slow in (("100", "100"), ("300", "300"), ("100", "4000"))
    ]


def test_without_a_browser_users_skip_and_ci_fails(monkeypatch):
    monkeypatch.delenv("SELFDANA_CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must have Chromium"):
        chromium()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no Chromium here"):
        chromium()
    assert SCREENSHOTS.parent.name == "build"
