"""Run every notebook and leave pages to read under build/tour: `make tour`.

A page has no kernel and perhaps no network. So each widget is replaced by what it shows at that moment, and figures are
drawn by the copy of plotly that lies beside the pages.
"""

import copy
import html
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import plotly
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_output
from notebook_runner import NOTEBOOKS, ROOT, WIDGET_STATE, Run, run_lesson

WIDGET = "application/vnd.jupyter.widget-view+json"
FIGURE = "application/vnd.plotly.v1+json"


def main(folder: Path, notebooks: Sequence[Path]) -> int:
    """Write a page for each notebook, its table of results, and an index; the exit status is 1 if one has errors."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "plotly.min.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
    runs = {}
    for notebook in notebooks:
        name = notebook.stem
        print(f"{name} ...", flush=True)
        runs[name] = run_lesson(notebook, folder / name)
        (folder / f"{name}.html").write_text(page(runs[name].notebook, name), encoding="utf-8")
        print(f"  {runs[name].seconds:.0f} s", *runs[name].errors, sep="\n  ")
    (folder / "index.html").write_text(index(folder, runs), encoding="utf-8")
    print(f"To read: {folder / 'index.html'}")
    return int(any(run.errors for run in runs.values()))


def index(folder: Path, runs: dict[str, Run]) -> str:
    """The list of the lessons, with the time each took, its errors and its table of results, as a page."""
    rows = ""
    for name, run in runs.items():
        errors = html.escape("; ".join(run.errors)) or "none"
        table = f'<a href="{name}/results.csv">CSV</a>' if (folder / name / "results.csv").exists() else ""
        rows += f'<tr><td><a href="{name}.html">{name}</a><td>{run.seconds:.0f} s<td>{errors}<td>{table}\n'
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>The lessons</title><h1>The lessons</h1>'
    return f"{head}\n<table><tr><th>Lesson<th>Run time<th>Errors<th>Results\n{rows}</table>\n"


def page(notebook: NotebookNode, title: str) -> str:
    """An executed notebook as a page that needs neither kernel nor network (but formulas: MathJax is fetched if it can be)."""
    still = copy.deepcopy(notebook)
    widgets = still.metadata.pop("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for cell in still.cells:
        if cell.cell_type == "code":
            cell.outputs = [drawn(plain) for output in cell.outputs for plain in shown(output, widgets)]
    # Without require.js: where it is loaded, plotly registers with it and is not found by the figures.
    exporter = HTMLExporter(require_js_url="")
    return exporter.from_notebook_node(still, resources={"metadata": {"name": title}})[0]


def shown(output: NotebookNode, widgets: dict) -> Iterator[NotebookNode]:
    """The output itself, or if it is the view of a widget, what that widget and those inside it show."""
    if WIDGET in output.get("data", {}):
        yield from shown_by_widget(output["data"][WIDGET]["model_id"], widgets)
    else:
        yield output


def shown_by_widget(model_id: str, widgets: dict) -> Iterator[NotebookNode]:
    """What one widget and its children show, as ordinary outputs, from the top down."""
    widget = widgets[model_id]
    state = widget["state"]
    for output in state.get("outputs", []):
        yield from shown(NotebookNode(output), widgets)
    if "figure" in state:  # a LiveFigure; its arrays are base64, which plotly.js reads
        yield new_output("display_data", {FIGURE: state["figure"]})
        yield new_output("display_data", {"text/html": f"<p>{html.escape(state['text'])}</p>"})
    elif "svg" in state:  # the torso of a LeadPicker
        yield new_output("display_data", {"text/html": f"{state['svg']}<p>{html.escape(state['text'])}</p>"})
    elif (value := value_of(state)) is not None:
        kind = "text/html" if widget["model_name"].startswith("HTML") else "text/plain"
        yield new_output("display_data", {kind: f"{state.get('description', '')} {value}".strip()})
    for child in state.get("children", []):
        yield from shown_by_widget(child.removeprefix("IPY_MODEL_"), widgets)


def value_of(state: dict) -> str | float | None:
    """What a control is set to: its number, text or chosen option; None for a box or a button."""
    if state.get("_options_labels") and isinstance(state.get("index"), int):
        return state["_options_labels"][state["index"]]
    return state["value"] if isinstance(state.get("value"), str | int | float) else None


def drawn(output: NotebookNode) -> NotebookNode:
    """A plotly figure as HTML that draws it; any other output as it is."""
    if FIGURE not in output.get("data", {}):
        return output
    figure = {key: output["data"][FIGURE][key] for key in ("data", "layout")}
    markup = plotly.io.to_html(figure, full_html=False, include_plotlyjs="directory", validate=False)
    return new_output("display_data", {"text/html": markup})


if __name__ == "__main__":
    sys.exit(main(ROOT / "build" / "tour", NOTEBOOKS))
