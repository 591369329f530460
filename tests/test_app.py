"""`make app` is a page without code, on the loopback address, that answers; its lab is that of lesson 09."""

import os
import re
import shlex
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
    facts = {name: getattr(whole, name) for name in ("leads", "sampling_rate_hz", "label_names")}
    table = whole.table.replace({"fold": {10: 9}})  # of data that are not the kit's own, fold 9 alone is shown
    sd.write_dataset(folder, whole.signals[:, :, :64], table, **facts, source="0.64 s of the samples", licence="")
    return folder


def command_of_make(*arguments):
    """What make would run, without the set-up: what it adds to the surroundings, and the arguments for voila."""
    plan = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = re.findall(r"^.*\.venv/bin/voila .*$", plan, re.MULTILINE)
    words = shlex.split(line)
    program = words.index(".venv/bin/voila")
    return dict(word.split("=", 1) for word in words[:program]), words[program + 1 :]


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
    surroundings, arguments = command_of_make("app")
    assert surroundings == {"SELFDANA_DATA": ""}
    assert "notebooks/what_if_app.ipynb" in arguments
    assert "--Voila.ip=127.0.0.1" in arguments


def test_make_app_takes_data_that_are_there():
    assert command_of_make("app", "DATA=my data")[0] == {"SELFDANA_DATA": "my data"}
    refused = subprocess.run(["make", "-o", "install", "app", "DATA=no/where"], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "DATA=no/where: nothing is there; name a dataset folder or an archive." in refused.stderr


def test_visitors_get_the_lab_without_code(browser, tmp_path):
    """As `make app DATA=...` starts it, without a window; two visitors, each with leads of their own."""
    surroundings, arguments = command_of_make("app", f"DATA={short_recordings(tmp_path / 'short ones')}")
    port = free_port()
    command = [sys.executable, "-m", "voila", *arguments, "--no-browser", f"--port={port}"]
    environment = os.environ | surroundings
    with (
        (tmp_path / "voila.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT, env=environment) as server,
    ):
        try:
            wait_until_it_answers(f"http://127.0.0.1:{port}/voila/templates/lab/static/voila.js", server, tmp_path)
            first, second = (visit(browser, f"http://127.0.0.1:{port}/", f"app-{i}") for i in (1, 2))
            button(first, "1-lead").click()
            first.page.get_by_text("With I the macro AUROC is").first.wait_for()
            first.page.get_by_text("The recordings. 0.64 s of the samples. Shown here:").wait_for()
            button(second, "✓ I").wait_for()
            second.page.get_by_text("With I, II the macro AUROC is").first.wait_for()
            first.screenshot()
            for screen in (first, second):
                assert "import" not in screen.page.inner_text("body")
                assert screen.errors() == []
        finally:
            server.terminate()
            server.wait(30)
