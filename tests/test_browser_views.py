"""ECG viewer, pooling view and augmentation view in a real browser: each control is operated, and the figures answer soon."""

import pytest
from test_browser import assert_soon, button, everywhere

RECORDINGS = "import selfdana_lite as sd\nfrom selfdana_lite import explore\nrecordings = sd.EcgDataset.open().where(folds=[9])"
ECG = "picker = explore.LeadPicker('12-lead')\nviewer = explore.ECGViewer(recordings, picker=picker)"


@pytest.fixture
def open_views(browser):
    """Open a notebook of widgets with this many figures, and wait until they are drawn."""

    def open_notebook(place, name, figures, *cells):
        browser.servers.write(name, RECORDINGS, *cells)
        screen = getattr(browser, place)(name)
        screen.page.wait_for_function(f"document.querySelectorAll('.live-figure[data-drawn]').length == {figures}")
        return screen

    return open_notebook


def said(screen, words):
    """Wait until a figure says so."""
    screen.page.locator(".live-figure p", has_text=words).first.wait_for()


def choose(screen, menu, option):
    screen.page.get_by_label(menu, exact=True).select_option(option)


def slide(screen, name, key="ArrowRight"):
    screen.page.get_by_role("slider", name=name, exact=True).press(key)  # by the name that a screen reader says


@everywhere
def test_the_ecg_viewer(open_views, place):
    screen = open_views(place, "ecg-viewer", 1, ECG, "viewer", "picker")
    page, figure = screen.page, screen.page.locator(".live-figure")
    said(screen, "no lead is absent")
    screen.screenshot("12-lead")
    assert_soon(screen.latencies_ms([button(screen, name) for name in ("2-lead", "12-lead")], 30, ".live-figure"), screen)

    button(screen, "3-lead").click()
    said(screen, "The ECG shows I, II and V2; III,")
    figure.get_by_text("V6 absent").wait_for()
    for layout, rows in (("3x4", 3), ("6x2", 6), ("12x1", 12), ("only leads present", 3), ("3x4 + rhythm strip", 4)):
        choose(screen, "Layout", layout)
        page.wait_for_function(f"document.querySelector('.js-plotly-plot').data[1].x.length == {7 * rows}")
        screen.screenshot(layout.replace(" ", "-"))
    page.get_by_label("Mark P, Q, R, S and T").check()
    said(screen, "by neurokit2, by rule and not by a physician")
    figure.locator("g.trace text", has_text="P").first.wait_for()
    screen.screenshot("marked")
    slide(screen, "Recording")
    figure.get_by_text("Recording 1 (").wait_for()
    assert screen.errors() == []


@everywhere
def test_the_pooling_view(open_views, place):
    screen = open_views(place, "pooling", 1, "explore.PoolingView('3-lead', slots=2)")
    figure = screen.page.locator(".live-figure")
    said(screen, "3 leads into 2 slots by max: more leads than slots, so neighbours merge")
    assert_soon(screen.latencies_ms([button(screen, name) for name in ("mean", "max")], 30, ".live-figure"), screen)

    merge = screen.page.get_by_role("group", name="Merge by", exact=True)
    merge.get_by_role("button", name="mean").click()
    said(screen, "3 leads into 2 slots by mean")
    merge.get_by_role("button", name="mean", pressed=True).wait_for()
    merge.get_by_role("button", name="max", pressed=False).wait_for()
    screen.page.get_by_role("cell", name="mean(0.6, 1) = 0.8").wait_for()
    for _ in range(3):
        slide(screen, "Slots")
    said(screen, "so leads repeat, beside themselves (repeat)")
    screen.page.get_by_role("group", name="Fill by", exact=True).get_by_role("button", name="tile").click()
    said(screen, "so leads repeat, all in turn (tile). Slot 1: I. Slot 2: II. Slot 3: V2. Slot 4: I. Slot 5: II.")
    figure.get_by_text("slot 5", exact=True).wait_for()
    choose(screen, "Leads", "12-lead")
    said(screen, "12 leads into 5 slots")
    figure.get_by_text("12 leads into 5 slots by mean; thick").wait_for()
    screen.screenshot()
    assert screen.errors() == []


@everywhere
def test_the_augmentation_view(open_views, place):
    screen = open_views(place, "augmentation", 2, "explore.AugmentationView(recordings)")
    said(screen, "Random Lead Selection leaves at most 3 of 12 leads with probability 25.0%")
    screen.screenshot("before")
    button(screen, "Draw again").click()
    said(screen, "Seed 1.")
    assert_soon(screen.latencies_ms([button(screen, "Draw again")], 20, ".live-figure"), screen)
    screen.page.get_by_label("Seed", exact=True).fill("7")
    screen.page.get_by_label("Seed", exact=True).press("Enter")
    said(screen, "Seed 7.")
    screen.page.get_by_role("group", name="Law of selection").get_by_role("button", name="binomial").click()
    said(screen, "Random Lead Selection leaves at most 3 of 12 leads with probability 7.3%")
    slide(screen, "Draws")
    said(screen, "of 3,000 draws")
    slide(screen, "Recording")
    screen.page.locator(".live-figure").first.get_by_text("Recording 1 (").wait_for()
    choose(screen, "Over the original", "Random Lead Masking, view 2")
    said(screen, "Of the original, after the augmentation: as it was: ")
    paper = screen.page.locator(".live-figure").nth(2)
    for words in ("Random Lead Masking, view 2, seed 7", "before", "after"):
        paper.get_by_text(words, exact=True).wait_for()
    screen.settle()
    paper.scroll_into_view_if_needed()
    screen.screenshot("over-the-original")
    choose(screen, "Over the original", "nothing")
    paper.wait_for(state="detached")
    choose(screen, "Leads", "2-lead")
    said(screen, "leaves at most 2 of 2 leads")
    screen.screenshot()
    assert screen.errors() == []
