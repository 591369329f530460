"""The pages of `make html`: what a widget shows is on them, formulas and links work, and they ask nothing of the network."""

import re

import nbformat
import plotly
import pytest
import run_lessons
from course import website
from course.formulas import with_mathml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

TITLE = "# 90 · Made by a test: it is <sound>\n\n**Time**: 20 min\n\n"
TITLE += "Half is $\\frac{1}{2}$; see [91](91_broken.ipynb), not `$HOME`."
SOUND = """
import ipywidgets, plotly.graph_objects as go
from IPython.display import Markdown, display
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
    ipywidgets.Checkbox(True, description="Marks < here"),
    ipywidgets.Text("a note"),
]
open(RESULTS_PATH, "w").write(f"leads,auroc,data\\nI,0.8,{DATA}\\n")
display(Markdown("$$E = m c^2$$"))
from tqdm.auto import tqdm
for _ in tqdm(range(1234), unit=" beats"):
    pass
ipywidgets.VBox([*controls, shown, figure, LeadPicker('I, II')])
"""


def write_lesson(folder, stem, source):
    parameters = new_code_cell('DATA = ""\nRESULTS_PATH = None', metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[new_markdown_cell(TITLE), parameters, new_code_cell(source)])
    notebook.metadata |= {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "selfdana": {"full": {}},
    }
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")
    return folder / f"{stem}.ipynb"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a site of one sound and one broken lesson, its exit status, and what was printed meanwhile."""
    folder = tmp_path_factory.mktemp("site")
    lessons = [write_lesson(folder / "lessons", "90_sound", SOUND), write_lesson(folder / "lessons", "91_broken", "1 / 0")]
    return folder / "pages", run_lessons.main(folder / "pages", "", lessons)


def test_the_index_tells_of_every_lesson(site):
    folder, status = site
    sound, broken = re.findall(r"^<tr><td>.*", (folder / "index.html").read_text(), re.MULTILINE)
    link = r'<a href="90_sound.html">90 · Made by a test</a><td>it is &lt;sound&gt;<td>20 min<td>\d+ s, '
    assert re.search(link + r'<a href="results/90_sound.csv">results</a>$', sound)
    assert (folder / "results/90_sound.csv").read_text().startswith("leads,auroc")
    assert "ZeroDivisionError: division by zero<br>left 0 lines" in broken
    assert status == 1
    assert "ZeroDivisionError" in (folder / "91_broken.html").read_text()  # a broken lesson can be read too
    assert {path.name for path in folder.iterdir()} == {
        "index.html", "90_sound.html", "91_broken.html", "plotly.min.js", "results",
    }  # fmt: skip


def test_a_page_shows_what_the_widgets_showed(site):
    page = (site[0] / "90_sound.html").read_text()
    for text in (
        "<b>bold</b>",
        "<p>epochs: <b>7</b></p>",
        "<p>leads: <b>2-lead</b></p>",
        "<p>Marks &lt; here: <b>yes</b></p>",
        "<p><b>a note</b></p>",
        "said under a widget",
        '"y":[0.25,0.5]',
        "A rising line, 0.25 &lt; 0.5.",
    ):
        assert text in page
    assert "<p>Chosen: I, II. III, aVR, aVL, aVF can be computed from I and II.</p>" in page
    assert page.count("data-lead=") == 12
    assert "widget-view" not in page
    assert "V2 False" not in page  # the picker's words say it
    assert "1234/1234" in page
    assert "1234.0" not in page


def test_a_page_does_not_show_where_results_were_written(site):
    assert "results.csv" not in (site[0] / "90_sound.html").read_text().replace("open(RESULTS_PATH", "")


@pytest.mark.parametrize(
    ("source", "tags", "hidden"),
    [
        ('# Parameters\nRESULTS_PATH = "/home/me/results.csv"\n', ["injected-parameters"], True),
        ('# Parameters\nRESULTS_PATH = "here.csv"\nEPOCHS = 40\n', ["injected-parameters"], False),  # how it was run
        ('RESULTS_PATH = ""', ["parameters"], False),
    ],
)
def test_only_the_place_of_results_is_hidden(source, tags, hidden):
    assert website.only_says_where(new_code_cell(source, metadata={"tags": tags})) == hidden


def test_code_that_is_hidden_in_the_notebook_waits_behind_a_click():
    shown = new_output("stream", text="what it says")
    cells = [new_code_cell("answer = 1", outputs=[shown], metadata={"jupyter": {"source_hidden": hide}}) for hide in (0, 1)]
    page = website.page(new_notebook(cells=cells), "made up")
    assert page.count("what it says") == 2
    assert page.count("<summary>The code of this cell</summary>") == 1
    assert len(re.findall(r'<div class="[^"]*jp-InputArea-editor', page)) == 1


def test_formulas_are_drawn_by_the_browser_itself(site):
    page = (site[0] / "90_sound.html").read_text()
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in page  # of prose
    assert re.search(r'<math[^>]* ?display="block"[^>]*><mrow><mi>E</mi>', page)  # of an output
    assert "<code>$HOME</code>" in page


@pytest.mark.parametrize(
    "plain", ["costs 5 $ today", "`$a$ and $b$`", "```bash\necho $HOME $PATH\n```", "one $\nanother $", "nothing"]
)
def test_a_dollar_alone_or_in_code_is_no_formula(plain):
    assert with_mathml(plain) == plain


def test_links_lead_to_pages(site):
    page = (site[0] / "90_sound.html").read_text()
    assert '<a href="91_broken.html">91</a>' in page
    assert '<a href="index.html">All lessons</a>' in page


def test_a_page_needs_no_network(site):
    page = (site[0] / "90_sound.html").read_text()
    assert set(re.findall(r'<(?:script|link|img|iframe)\b[^>]*(?:src|href)="(?!data:)([^"]+)"', page)) == {"plotly.min.js"}
    assert (site[0] / "plotly.min.js").read_text() == plotly.offline.get_plotlyjs()


def test_real_recordings_reach_a_lesson_with_its_own_settings(tmp_path):
    lesson = write_lesson(
        tmp_path / "lessons", "90_sound", "open(RESULTS_PATH, 'w').write(f'data,epochs\\n{DATA},{EPOCHS}\\n')"
    )
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells[1].source = "EPOCHS = 1\n" + notebook.cells[1].source
    notebook.metadata["selfdana"]["full"]["EPOCHS"] = 40
    nbformat.write(notebook, lesson)
    assert run_lessons.main(tmp_path / "out", str(tmp_path / "mine"), [lesson]) == 0
    assert (tmp_path / "out/results/90_sound.csv").read_text() == f"data,epochs\n{tmp_path / 'mine'},40\n"


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SystemExit, match="holds other files"):
        run_lessons.main(tmp_path, "", [])
    assert (tmp_path / "thesis.tex").exists()


def test_an_ordinary_output_stays_as_it_is():
    printed = new_output("stream", text="hello")
    assert list(website.shown(printed, {})) == [printed]
    assert website.drawn(printed) is printed


def test_a_widget_of_a_lesson_that_was_stopped_does_not_stop_the_site():
    view = new_output("display_data", {website.WIDGET: {"model_id": "lost"}})
    (said,) = website.shown(view, {})
    assert said.data["text/plain"] == "What this widget showed was not saved: the lesson was stopped."
