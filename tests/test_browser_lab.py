"""The what-if lab and the cost chart in a real browser: every control does what it says, and soon."""

from test_browser import assert_soon, button, everywhere

LAB = """
from itertools import combinations

import numpy as np
import pandas as pd
import torch
import selfdana_lite as sd
from selfdana_lite import explore

torch.manual_seed(0)
recordings = sd.EcgDataset.open().where(folds=[9, 10])
clf = sd.Classifier(sd.build_encoder(), recordings.label_names, "any").eval()
sets = [names for n in range(1, 13) for names in combinations(sd.LEADS, n)]
worth = {lead: 0.02 + 0.002 * i for i, lead in enumerate(sd.LEADS)}  # V6 is worth most
scores = [0.5 + sum(worth[lead] for lead in names) for names in sets]
table = pd.DataFrame({"lead_set": map(", ".join, sets), "n_leads": map(len, sets), "macro_auroc": scores})
table = table.assign(**{name: table["macro_auroc"] for name in recordings.label_names})
"""
COSTS = """
import numpy as np
import pandas as pd
from selfdana_lite.explore import CostChart

rows = [(model, f"{n}-lead", n, cost(n), n / 10) for model, cost in
        (("mix+zero-pad", lambda n: 240), ("lead-attention", lambda n: 20 * n)) for n in (12, 6, 4, 3, 2, 1)]
costs = pd.DataFrame(rows, columns=["model", "lead_set", "n_leads", "peak_cpu_mb", "tensor_mb"]).assign(peak_gpu_mb=np.nan)
"""


def wait_for(screen, words):
    screen.page.get_by_text(words).first.wait_for()


@everywhere
def test_the_lab_answers_every_control_and_soon(browser, place):
    browser.servers.write("lab", LAB, 'explore.WhatIfLab(clf, recordings, table, leads="I, II")')
    screen = getattr(browser, place)("lab")
    page = screen.page
    page.wait_for_function("document.querySelectorAll('.live-figure[data-drawn]').length >= 1")
    wait_for(screen, "With I, II the macro AUROC is")
    wait_for(screen, "To add next: V6 (+0.042 in the table).")

    assert_soon(screen.latencies_ms([button(screen, "V5"), button(screen, "✓ V5")], 10, ".live-figure"), screen)
    new = [button(screen, lead) for lead in ("III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5")]
    assert_soon(screen.latencies_ms(new, 9, ".live-figure"), screen)  # lead sets never asked about before
    button(screen, "3-lead").click()
    wait_for(screen, "With I, II, V2 the macro AUROC is")
    screen.screenshot("scores")
    page.locator("[data-lead=V2] text").click()  # on the torso
    wait_for(screen, "With I, II the macro AUROC is")
    slider = page.get_by_role("slider", name="Recording")
    slider.focus()
    page.keyboard.press("ArrowRight")
    wait_for(screen, "Recording 1, labelled")
    button(screen, "12-lead").click()
    wait_for(screen, "No lead is left to add.")
    page.locator(".live-figure").first.scroll_into_view_if_needed()
    screen.screenshot("panel")

    page.get_by_role("tab", name="Its ECG").click()
    wait_for(screen, "The ECG shows I, II, III, aVR, aVL, aVF, V1, V2, V3, V4, V5 and V6;")
    button(screen, "1-lead").click()
    wait_for(screen, "The ECG shows I; II,")
    screen.screenshot("ecg")

    page.get_by_role("tab", name="All lead sets").click()
    wait_for(screen, "Chosen: I, 0.520, number 12 of 12")
    figure = page.locator(".live-figure:visible").last
    screen.settle()
    figure.scroll_into_view_if_needed()
    screen.screenshot("lattice")
    point = figure.locator(".scatterlayer .trace").first.locator(".points path").nth(11).bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    figure.locator(".hoverlayer .hovertext").wait_for()
    page.mouse.down()
    page.mouse.up()
    button(screen, "✓ V6").wait_for()
    wait_for(screen, "Chosen: V6, 0.542, number 1 of 12")
    assert screen.errors() == []


@everywhere
def test_one_line_shows_the_panel_with_a_picker_of_its_own(browser, place):
    browser.servers.write("panel", LAB, "explore.WhatIfPanel(clf, recordings, table)")
    screen = getattr(browser, place)("panel")
    button(screen, "2-lead").click()
    wait_for(screen, "With I, II the macro AUROC is")
    screen.screenshot()
    assert screen.errors() == []


@everywhere
def test_the_cost_chart_answers_both_controls(browser, place):
    browser.servers.write("costs", COSTS, "CostChart(costs)")
    screen = getattr(browser, place)("costs")
    wait_for(screen, "Peak CPU memory of training, MB: mix+zero-pad 240 with 12-lead")
    cost, baseline = screen.page.get_by_role("combobox", name="Cost"), screen.page.get_by_role("combobox", name="Divided by")
    baseline.select_option("mix+zero-pad")
    wait_for(screen, "lead-attention 1 with 12-lead, 0.0833 with 1-lead")
    screen.screenshot()
    cost.select_option("Peak GPU memory of training, MB")
    wait_for(screen, "not measured, for want of a GPU.")
    screen.screenshot("not-measured")
    assert screen.errors() == []


def test_a_lead_that_the_dataset_lacks_cannot_be_chosen_and_its_arrow_says_so(browser):
    three = """
of_three = table[table["lead_set"].isin(["I", "II", "III", "I, II", "I, III", "II, III", "I, II, III"])]
stored = recordings.signals[:, :3].transpose(1, 0, 2)
three = sd.EcgDataset(stored, recordings.table, sd.LEADS[:3], 100, clf.label_names)
"""
    browser.servers.write("lacking", LAB, three, "explore.WhatIfPanel(clf, three, of_three)")
    screen = browser.open_in_lab("lacking")
    said = "Not there to choose: aVR, aVL, aVF, V1, V2, V3, V4, V5, V6."
    screen.page.locator("p", has_text=said).first.wait_for()  # the drawing says it too, unseen
    assert button(screen, "V1").is_disabled()
    screen.page.locator("[data-lead=V1] text").click()  # on the torso
    screen.page.get_by_role("status").get_by_text("V1: not there to choose; these recordings lack it.").wait_for()
    wait_for(screen, "With I, II, III the macro AUROC is")
    screen.screenshot()
    button(screen, "✓ III").click()
    wait_for(screen, "With I, II the macro AUROC is")
    assert screen.errors() == []
