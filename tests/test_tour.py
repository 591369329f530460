"""The pages of `make tour`: what a widget shows is on them, and they ask nothing of the network but MathJax."""

import re

import nbformat
import plotly
import pytest
import tour
from nbformat.v4 import new_code_cell, new_notebook, new_output

LESSON = """
import ipywidgets, plotly.graph_objects as go
from selfdana_lite.explore import LeadPicker, LiveFigure
figure = LiveFigure(go.Figure())
figure.show(go.Figure(go.Scatter(y=[0.25, 0.5])), "A rising line, 0.25 < 0.5.")
shown = ipywidgets.Output()
with shown:
    print("said under a widget")
controls = [
    ipywidgets.HTML("<b>bold</b>"),
    ipywidgets.IntSlider(7, description="epochs"),
    ipywidgets.Dropdown(options=["12-lead", "2-lead"], value="2-lead", description="leads"),
    ipywidgets.Button(description="go"),
]
open(RESULTS_PATH, "w").write("leads,auroc\\nI,0.8\\n")
ipywidgets.VBox([*controls, shown, figure, LeadPicker('I, II')])
"""


def write_lesson(folder, stem, source):
    parameters = new_code_cell("RESULTS_PATH = None", metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[parameters, new_code_cell(source)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")
    return folder / f"{stem}.ipynb"


@pytest.fixture(scope="module")
def toured(tmp_path_factory):
    """The folder of a tour through one sound and one broken lesson, and its exit status."""
    folder = tmp_path_factory.mktemp("tour")
    lessons = [write_lesson(folder / "lessons", "90_sound", LESSON), write_lesson(folder / "lessons", "91_broken", "1 / 0")]
    return folder / "pages", tour.main(folder / "pages", lessons)


def test_the_index_tells_of_every_lesson(toured):
    folder, status = toured
    sound, broken = (folder / "index.html").read_text().splitlines()[2:4]
    assert re.search(r'"90_sound.html">90_sound</a><td>\d+ s<td>none<td><a href="90_sound/results.csv"', sound)
    assert "ZeroDivisionError: division by zero; left 0 lines" in broken
    assert status == 1
    assert "ZeroDivisionError" in (folder / "91_broken.html").read_text()  # a broken lesson can be read too


def test_a_page_shows_what_the_widgets_showed(toured):
    page = (toured[0] / "90_sound.html").read_text()
    for text in (
        "<b>bold</b>",
        "epochs 7",
        "leads 2-lead",
        "said under a widget",
        '"y":[0.25,0.5]',
        "A rising line, 0.25 &lt; 0.5.",
    ):
        assert text in page
    assert "<p>Chosen: I, II. III, aVR, aVL, aVF can be computed from I and II.</p>" in page
    assert page.count("data-lead=") == 12
    assert "widget-view" not in page


def test_a_page_needs_no_network(toured):
    folder = toured[0]
    sources = set(re.findall(r'<script[^>]* src="([^"]+)"', (folder / "90_sound.html").read_text()))
    assert [source for source in sources if "mathjax" not in source] == ["plotly.min.js"]
    assert (folder / "plotly.min.js").read_text() == plotly.offline.get_plotlyjs()


def test_an_ordinary_output_stays_as_it_is():
    printed = new_output("stream", text="hello")
    assert list(tour.shown(printed, {})) == [printed]
    assert tour.drawn(printed) is printed
