"""A person uploads a file, mends what it does not say, and sees the answer follow: in JupyterLab and in Voila."""

import sys

import pytest
from notebook_runner import ROOT

import selfdana_lite as sd

sys.path.append(str(ROOT / "notebooks"))
import foreign_files

EXPLORER = """
import torch
import selfdana_lite as sd
from selfdana_lite import explore

torch.manual_seed(0)
recordings = sd.EcgDataset.open().where(folds=[9, 10])
clf = sd.Classifier(sd.build_encoder(), recordings.label_names, "any").eval()
own_ecg = explore.OwnEcg(clf, recordings)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory, samples_path):
    """The foreign files of lesson 10."""
    held_out = sd.EcgDataset.open(samples_path).where(folds=[9, 10])
    return foreign_files.make_foreign_files(tmp_path_factory.mktemp("foreign") / "inbox", held_out)[0]


def upload(screen, *paths):
    """Choose files in the dialogue that the button opens."""
    with screen.page.expect_file_chooser() as chooser:
        screen.page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(list(paths))


def say(screen, field, text):
    """Write into a field, and leave it."""
    box = screen.page.get_by_role("textbox", name=field)
    box.fill(text)
    box.press("Enter")


@pytest.mark.parametrize("place", ["open_in_lab", "open_in_voila"])
def test_from_an_upload_to_an_answer(browser, files, place):
    browser.servers.write("own_ecg", EXPLORER, "own_ecg")
    screen = getattr(browser, place)("own_ecg")
    page = screen.page
    page.get_by_role("button", name="Upload").wait_for()

    upload(screen, files["archive"].with_suffix(".dat"))
    page.get_by_text("archive.dat holds numbers alone").wait_for()
    upload(screen, files["archive"], files["archive"].with_suffix(".dat"))
    page.get_by_text("10 s at 360 Hz of II, V5").wait_for()
    page.get_by_text("The nearest samples:").wait_for()

    upload(screen, files["strap"])
    page.get_by_text("No answer yet: None of ch1, ch2").wait_for()
    say(screen, "units per mV", "250")
    group = page.get_by_role("group", name="Which lead each name means")
    group.get_by_role("combobox", name="ch1").select_option("II")  # at once: the kernel is still busy with the gain
    page.get_by_text("The ECG shows II;").wait_for()
    assert page.get_by_text("10 s at 130 Hz of ch1, ch2. To look at: no lead is among the twelve").count() == 1
    page.get_by_role("combobox", name="ch2").select_option("II")
    page.get_by_text("ch1 and ch2 would both be lead II").wait_for()
    page.get_by_role("combobox", name="ch2").select_option("V2")
    page.get_by_text("The ECG shows II and V2").wait_for()

    upload(screen, files["clinic"])
    for name, lead in (("II", "aVL"), ("aVL", "II")):
        page.get_by_text("II and aVL bear each other's label").first.wait_for()
        page.get_by_role("combobox", name=name, exact=True).select_option(lead)
    page.get_by_text("Nothing is suspected.").wait_for()
    screen.screenshot("names")
    page.get_by_text("The nearest samples:").scroll_into_view_if_needed()
    screen.screenshot("answer")

    upload(screen, files["watch"])
    page.get_by_text("Used: 0 to 10 of 30 s").wait_for()
    handle = page.get_by_role("slider", name="from (s)")
    handle.focus()
    handle.press("ArrowRight")
    page.get_by_text("Used: 0.5 to 10.5 of 30 s").wait_for()
    assert screen.errors() == []
