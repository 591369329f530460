"""`make app` is a page without code, on the loopback address, that answers; its lab is that of lesson 09."""

import re
import subprocess
import sys

import nbformat
from browser import ROOT, SIZE, Screen, free_port, wait_until_it_answers
from notebook_runner import blemishes
from test_browser import button

import selfdana_lite as sd

APP = ROOT / "notebooks/what_if_app.ipynb"


def short_recordings(folder):
    """The simulated recordings, 0.64 s of each, so that all lead sets are scored in seconds."""
    whole = sd.EcgDataset.open(sd.SAMPLES)
    facts = {name: getattr(whole, name) for name in ("leads", "sampling_rate_hz", "label_names", "source")}
    table = whole.table.replace({"fold": {10: 9}})  # of data that are not the kit's own, fold 9 alone is shown
    sd.write_dataset(folder, whole.signals[:, :, :64], table, **facts, licence="")
    return folder


def command_of_make(target):
    """What make would run for a target, as arguments, without the set-up."""
    plan = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = re.findall(r"^\.venv/bin/voila .*$", plan, re.MULTILINE)
    return line.split()[1:]


def visit(browser, url, name):
    screen = Screen(browser.chromium.new_page(viewport=SIZE), name)
    screen.page.goto(url)
    return screen


def test_the_app_is_committed_clean():
    assert blemishes(APP) == []


def test_the_app_shows_the_lab_of_lesson_09():
    for path in (APP, ROOT / "notebooks/09_what_if_lab.ipynb"):
        code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert sum('explore.WhatIfLab(clf, confirming, table, leads="I, II")' in source for source in code) == 1


def test_make_app_listens_on_this_machine_alone():
    arguments = command_of_make("app")
    assert "notebooks/what_if_app.ipynb" in arguments
    assert "--Voila.ip=127.0.0.1" in arguments


def test_visitors_get_the_lab_without_code(browser, tmp_path):
    """As `make app` starts it, with shorter recordings and no window; two visitors, each with leads of their own."""
    notebook = nbformat.read(APP, as_version=4)
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source = parameters.source.replace('DATA = ""', f"DATA = {str(short_recordings(tmp_path / 'short'))!r}")
    nbformat.write(notebook, tmp_path / "app.ipynb")
    port = free_port()
    options = [option for option in command_of_make("app") if option.startswith("--")]
    command = [sys.executable, "-m", "voila", str(tmp_path / "app.ipynb"), *options, "--no-browser", f"--port={port}"]
    with (tmp_path / "voila.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path) as server:
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/voila/templates/lab/static/voila.js", server, tmp_path)
            first, second = (visit(browser, f"http://127.0.0.1:{port}/", f"app-{i}") for i in (1, 2))
            button(first, "1-lead").click()
            first.page.get_by_text("With I the macro AUROC is").first.wait_for()
            button(second, "✓ I").wait_for()
            second.page.get_by_text("With I, II the macro AUROC is").first.wait_for()
            first.screenshot()
            for screen in (first, second):
                assert "import" not in screen.page.inner_text("body")
                assert screen.errors() == []
        finally:
            server.terminate()
            server.wait(30)
