"""The executed lessons as pages that need neither a kernel nor a network: `make html`.

Each widget is replaced by what it shows at that moment, formulas are MathML, and figures stay interactive: a copy of
plotly.js lies beside the pages.
"""

import copy
import html
import re
from collections.abc import Iterator
from pathlib import Path

import plotly
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_output

from course.formulas import with_mathml

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
FIGURE = "application/vnd.plotly.v1+json"
TITLE = re.compile(r"# (.+?\?|.+?(?=:)):? (.+)")  # "# 12 · Title: the one thing", or "# 12 · Question? The one thing"
WITHOUT_MATHJAX = "{% extends 'index.html.j2' %}{% block html_head_js_mathjax %}{% endblock %}"
STYLE = """body{font:17px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}
table{border-collapse:collapse}td,th{padding:.4rem .8rem;text-align:left;border-bottom:1px solid #ccc;vertical-align:top}
td:nth-child(n+3){white-space:nowrap}"""
ABOUT = """These pages are the lessons of selfdana_lite as they ran on this machine. Hints and solutions open on a click,
figures can be zoomed, widgets stand still. To move them and to answer the exercises, open the notebooks:
<code>make lab</code>."""


def publish(folder: Path, name: str, notebook: NotebookNode) -> None:
    """Write an executed lesson's page into a folder, and plotly.js beside it if it is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "plotly.min.js").exists():
        (folder / "plotly.min.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
    (folder / f"{name}.html").write_text(page(notebook, name), encoding="utf-8")


def index(lessons: dict[str, tuple[NotebookNode, str]], caption: str) -> str:
    """The list of lessons as a page. lessons: by name, the executed notebook and a line of HTML about its run."""
    rows = ""
    for name, (notebook, remark) in lessons.items():
        # Not the first cell: where a lesson stopped, papermill puts words of its own above it.
        opening = next(cell.source for cell in notebook.cells if cell.cell_type == "markdown" and cell.source.startswith("# "))
        title, one_thing = TITLE.match(opening).groups()
        minutes = re.search(r"\*\*Time\*\*: (\d+ min)", opening)
        link = f'<a href="{name}.html">{html.escape(title)}</a>'
        rows += f"<tr><td>{link}<td>{html.escape(one_thing)}<td>{minutes[1] if minutes else ''}<td>{remark}\n"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>The lessons</title><style>{STYLE}</style>\n'
        f"<h1>Which leads does an encoder need?</h1><p>{ABOUT}<p><b>For learning and research, not for diagnosis.</b>\n"
        f"<table><tr><th>Lesson<th>The one thing<th>For you<th>Its run\n{rows}</table>\n<p>{caption}\n"
    )


def page(notebook: NotebookNode, title: str) -> str:
    """An executed notebook as a page."""
    still = copy.deepcopy(notebook)
    widgets = still.metadata.pop("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    still.cells = [part for cell in still.cells if not only_says_where(cell) for part in with_code_folded(cell)]
    for cell in still.cells:
        if cell.cell_type == "markdown":
            cell.source = readable(cell.source)
        elif cell.cell_type == "code":
            cell.outputs = [drawn(plain) for output in cell.outputs for plain in shown(output, widgets)]
    still.cells.insert(0, new_markdown_cell("[All lessons](index.html)"))
    # Without require.js: where it is loaded, plotly registers with it and is not found by the figures.
    exporter = HTMLExporter(raw_template=WITHOUT_MATHJAX, require_js_url="")
    return exporter.from_notebook_node(still, resources={"metadata": {"name": title}})[0]


def only_says_where(cell: NotebookNode) -> bool:
    """Whether a cell holds nothing but the place on this machine where papermill was told to write results."""
    injected = "injected-parameters" in cell.metadata.get("tags", [])
    return injected and all(line.startswith(("#", "RESULTS_PATH")) for line in cell.source.splitlines())


def with_code_folded(cell: NotebookNode) -> list[NotebookNode]:
    """A cell whose code is hidden in the notebook, because it would give an answer away, hides it behind a click here, too."""
    if not cell.metadata.get("jupyter", {}).get("source_hidden"):
        return [cell]
    cell.metadata["transient"] = {"remove_source": True}
    code = f"<details><summary>The code of this cell</summary>\n\n```python\n{cell.source}\n```\n</details>"
    return [new_markdown_cell(code), cell]


def readable(markdown: str) -> str:
    """Markdown with formulas as MathML, and with links to other lessons' pages instead of their notebooks."""
    return re.sub(r"\((\d\d_\w+)\.ipynb\)", r"(\1.html)", with_mathml(markdown))


def shown(output: NotebookNode, widgets: dict) -> Iterator[NotebookNode]:
    """The output itself, or if it is the view of a widget, what that widget and those inside it show."""
    if WIDGET in output.get("data", {}):
        yield from shown_by_widget(output["data"][WIDGET]["model_id"], widgets)
    else:
        yield output


def shown_by_widget(model_id: str, widgets: dict) -> Iterator[NotebookNode]:
    """What one widget and its children show, as ordinary outputs, from the top down."""
    if model_id not in widgets:  # they are saved at the end, which a lesson over its budget does not reach
        yield new_output("display_data", {"text/plain": "What this widget showed was not saved: the lesson was stopped."})
        return
    widget = widgets[model_id]
    state = widget["state"]
    for output in state.get("outputs", []):
        yield from shown(NotebookNode(output), widgets)
    if "figure" in state:  # a LiveFigure; its arrays are base64, which plotly.js reads
        yield new_output("display_data", {FIGURE: state["figure"]})
        yield new_output("display_data", {"text/html": f"<p>{html.escape(state['text'])}</p>"})
    elif "svg" in state:  # the torso of a LeadPicker
        yield new_output("display_data", {"text/html": f"{state['svg']}<p>{html.escape(state['text'])}</p>"})
    elif (value := value_of(widget)) is not None:
        yield new_output("display_data", {"text/html": value if is_html(widget) else setting(state.get("description"), value)})
    for child in state.get("children", []):
        yield from shown_by_widget(child.removeprefix("IPY_MODEL_"), widgets)


def is_html(widget: dict) -> bool:
    """Whether a widget's value is markup of its own, not what a control is set to."""
    return widget["model_name"].startswith("HTML")


def setting(name: str | None, value: str | float | bool) -> str:
    """What a control is set to, in words: a page can show it, but nobody can move it there."""
    words = ("yes" if value else "no") if isinstance(value, bool) else str(value)
    return f"<p>{f'{html.escape(name)}: ' if name else ''}<b>{html.escape(words)}</b></p>"


def value_of(widget: dict) -> str | float | None:
    """What a control is set to: its number, text or chosen option; None for a box or a button.

    Twelve buttons that are on or off say less than the words of the picker they belong to, and so does a progress bar's number.
    """
    state = widget["state"]
    if widget["model_name"] in ("ToggleButtonModel", "FloatProgressModel"):
        return None
    if state.get("_options_labels") and isinstance(state.get("index"), int):
        return state["_options_labels"][state["index"]]
    return state["value"] if isinstance(state.get("value"), str | int | float) else None


def drawn(output: NotebookNode) -> NotebookNode:
    """A plotly figure as HTML that draws it, Markdown with readable formulas; any other output as it is."""
    data = output.get("data", {})
    if "text/markdown" in data:
        return new_output("display_data", {"text/markdown": readable("".join(data["text/markdown"]))})
    if FIGURE not in data:
        return output
    figure = {key: data[FIGURE][key] for key in ("data", "layout")}
    markup = plotly.io.to_html(figure, full_html=False, include_plotlyjs="directory", validate=False)
    return new_output("display_data", {"text/html": markup})
