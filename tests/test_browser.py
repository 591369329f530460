"""What a person meets in JupyterLab and in Voila: figures appear, controls answer, and soon; nothing goes wrong unseen."""

import statistics

import pytest
from browser import SCREENSHOTS, chromium

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
    """The wanted medians are 250 and 600 ms on two idle cores; these bounds bear a machine with other work to do."""
    median, slow = statistics.median(latencies_ms), statistics.quantiles(latencies_ms, n=20)[-1]
    print(f"{screen.name}: click to redrawn figure, median {median:.0f} ms, 95 % {slow:.0f} ms")
    assert median < 1000
    assert slow < 3000


@everywhere
def test_the_picker_steers_figures(browser, place):
    browser.servers.write("picker", PICKER, CLICKED, "picker", "figure", "second", "seen")
    screen = getattr(browser, place)("picker")
    page = screen.page
    page.wait_for_function("document.querySelectorAll('.live-figure[data-drawn]').length == 2")
    figure = page.locator(".live-figure").first
    traces = figure.locator("g.trace")
    assert traces.count() == 3

    button(screen, "V5").click()
    page.get_by_text("4 leads.", exact=True).wait_for()
    button(screen, "✓ V5").wait_for()
    said = "Chosen: I, II, V2, V5. III, aVR, aVL, aVF can be computed from I and II."
    assert page.locator("p", has_text=said).count() == 1
    page.locator("[data-lead=V5] text").click()  # in the drawing
    button(screen, "V5").wait_for()
    button(screen, "1-lead").click()
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
    button(screen, "2-lead").click()
    screen.page.get_by_text("The ECG shows I and II; III,").wait_for()
    screen.page.get_by_text("With 2-lead (I, II) the macro AUROC is").wait_for()
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
    screen.page.wait_for_timeout(200)
    found = screen.errors()
    for words in ("ZeroDivisionError: division by zero", "from the console", "asked the network for https://example.org/x"):
        assert any(words in error for error in found)


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
