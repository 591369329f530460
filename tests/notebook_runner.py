"""Run a notebook headless within a time budget, and find every error, also those that only a widget shows.

papermill stops at an error in a cell. It passes over one raised in the body of an `interact` or in a callback under an
`Output` widget: IPython prints that traceback into the widget, and it ends up in the notebook's metadata, if it is not
cleared before. Hence two looks: at each message on its way from the kernel, and at what the finished notebook holds.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import zmq
from nbclient.exceptions import CellTimeoutError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))  # the lessons, and the page of `make app`
LESSONS = [path for path in NOTEBOOKS if path.stem[:2].isdigit()]
LIMIT_S = 600  # of wall-clock time, however busy the machine: a lesson that takes longer hangs
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"


@dataclass(frozen=True)
class Run:
    """An executed notebook, how long it took, one line for each error met, and the table it left at RESULTS_PATH."""

    notebook: nbformat.NotebookNode
    folder: Path  # where it ran, and left what it wrote
    wall_s: float
    cpu_s: float  # of its kernel and what that started
    errors: tuple[str, ...]
    table: pd.DataFrame | None = None  # of its results

    @property
    def results(self) -> pd.DataFrame:
        """The table that it left at RESULTS_PATH."""
        assert self.table is not None, f"it left no table of results; its errors: {self.errors}"
        return self.table

    @property
    def seconds(self) -> float:
        """What it would take on idle cores, at most: while others keep the machine busy, only the work done counts."""
        return min(self.wall_s, self.cpu_s)

    @property
    def my_results(self) -> pd.DataFrame:
        """The cumulative table that the lesson left, in its long form: lesson, column, data, lead_set, value."""
        return pd.read_csv(self.folder / "my_results.csv", dtype={"lesson": str})


Form = Callable[[nbformat.NotebookNode], nbformat.NotebookNode]


def unchanged(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The form that a student gets."""
    return notebook


def notebook_named(name: str) -> Path:
    """The notebook of that name, or of that number: "03" for 03_dimension_adaptive_pooling.ipynb."""
    (found,) = (path for path in NOTEBOOKS if path.stem == name or path.stem.startswith(f"{name}_"))
    return found


def own_metadata(notebook: Path) -> dict[str, dict[str, object]]:
    """Parameters of a lesson for other occasions: "full" for real recordings, "solved" for its second run in the tests."""
    return nbformat.read(notebook, as_version=4).metadata.get("selfdana", {})


def run_lesson(notebook: Path, workspace: Path, form: Form = unchanged, **parameters: object) -> Run:
    """Run a lesson; one with a parameter RESULTS_PATH must leave a table of results there."""
    if "RESULTS_PATH" not in papermill.inspect_notebook(str(notebook)):
        return run_notebook(notebook, workspace, LIMIT_S, form, **parameters)
    path = workspace / "results.csv"
    run = run_notebook(notebook, workspace, LIMIT_S, form, RESULTS_PATH=str(path), **parameters)
    lines = path.read_text().splitlines() if path.exists() else []
    if len(lines) < 2:
        return replace(run, errors=(*run.errors, f"left {len(lines)} lines at RESULTS_PATH, not a header and results"))
    return replace(run, table=pd.read_csv(path))


def run_notebook(notebook: Path, workspace: Path, limit_s: float, form: Form = unchanged, **parameters: object) -> Run:
    """Execute a copy of the notebook, beside a copy of its neighbours, so that nothing it writes lands in the project.

    form: what to make of the notebook first, such as its solved form. After limit_s seconds of wall-clock time it is stopped.
    Raises ValueError for a parameter that the notebook does not have: papermill would only log it.
    """
    known = papermill.inspect_notebook(str(notebook))
    if unknown := sorted(set(parameters) - set(known)):
        raise ValueError(f"{notebook.name} has no parameter {', '.join(unknown)}; it has {', '.join(known) or 'none'}.")
    copy = _copy_of(notebook, workspace)
    nbformat.write(form(nbformat.read(copy, as_version=4)), copy)
    errors: list[str] = []
    start, cpu_before_s = time.monotonic(), _children_cpu_s()
    try:
        # The copy is executed in place; papermill writes it after each cell, so that a failed run can be read.
        papermill.execute_notebook(
            str(copy), str(copy), parameters, engine_name="watchful", progress_bar=False, cwd=str(copy.parent),
            errors=errors, timeout_func=lambda cell: max(0.1, start + limit_s - time.monotonic()),
        )  # fmt: skip
    except PapermillExecutionError:
        pass  # the client noted it on its way
    except CellTimeoutError:
        errors.append(f"still running when its {limit_s:g} s were over")
    wall_s, cpu_s = time.monotonic() - start, _children_cpu_s() - cpu_before_s
    executed = nbformat.read(copy, as_version=4)
    # dict, not set: each error once, in the order in which they came
    return Run(executed, copy.parent, wall_s, cpu_s, tuple(dict.fromkeys([*errors, *errors_in(executed)])))


def _children_cpu_s() -> float:
    """CPU seconds of all children that have ended: a kernel's are added when papermill has shut it down."""
    times = os.times()
    return times.children_user + times.children_system


def _copy_of(notebook: Path, workspace: Path) -> Path:
    folder = workspace / notebook.parent.name  # a second run there finds what the first left
    ignored = shutil.ignore_patterns(".*", "__pycache__", "my_results.csv")
    shutil.copytree(notebook.parent, folder, ignore=ignored, dirs_exist_ok=True)
    data = notebook.parent.parent / "data_samples"
    if data.exists() and not (workspace / "data_samples").exists():
        (workspace / "data_samples").symlink_to(data.resolve())
    return folder / notebook.name


class _WatchfulClient(PapermillNotebookClient):
    def __init__(self, manager: object, errors: list[str], **settings: object) -> None:
        super().__init__(manager, **settings)
        self.errors = errors

    def process_message(self, msg: dict, cell: nbformat.NotebookNode, cell_index: int) -> nbformat.NotebookNode | None:
        self.errors.extend(_errors_shown_by(msg["msg_type"], msg["content"]))
        output = super().process_message(msg, cell, cell_index)
        # nbclient answers what an Output widget shows on the socket on which it awaits the cell's reply, past pyzmq's asyncio.
        # If the reply has just come, sending takes its signal away, and the reply lies unread until the time is over.
        # Asking which events there are makes pyzmq look again.
        self.kc.shell_channel.socket.get(zmq.EVENTS)
        return output


class _WatchfulEngine(Engine):
    @classmethod
    def execute_managed_notebook(cls, nb_man: object, kernel_name: str, *, errors: list[str], timeout_func, **_unused):
        return _WatchfulClient(nb_man, errors, kernel_name=kernel_name, timeout_func=timeout_func).execute()


papermill_engines.register("watchful", _WatchfulEngine)


def errors_in(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """One line for each error or warning in the outputs of the cells and of the widgets of an executed notebook."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            yield from _errors_shown_by(output["output_type"], output)
    for widget in notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {}).values():
        for output in widget["state"].get("outputs", []):
            yield from _errors_shown_by(output["output_type"], output)


def _errors_shown_by(kind: str, content: Mapping[str, object]) -> Iterator[str]:
    if kind == "error":
        yield f"{content['ename']}: {content['evalue']}"
    elif kind == "stream" and content["name"] == "stderr":
        # A thread or a forgotten task has its traceback printed; progress bars are printed there too, and are welcome.
        text = "".join(content["text"])
        yield from re.findall(r"^\S*Traceback \(most recent call last\):\n(?:[ ].*\n)*(\S.*)", text, re.MULTILINE)
        yield from re.findall(r"\b\w+Warning: .+", text)


def blemishes(notebook: Path) -> list[str]:
    """What keeps a notebook from being committed: saved results, no parameters, too many bytes."""
    nb = nbformat.read(notebook, as_version=4)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    tagged = sum("parameters" in cell.metadata.get("tags", []) for cell in code)
    size_kb = notebook.stat().st_size / 1000
    found = {
        "it has saved outputs": any(cell.outputs for cell in code),
        "it has execution counts": any(cell.execution_count is not None for cell in code),
        "it has saved widget state": "widgets" in nb.metadata,
        f"{tagged} cells are tagged 'parameters', not one": tagged != 1,
        f"it weighs {size_kb:.0f} kB, not under 100": size_kb >= 100,
    }
    return [blemish for blemish, there in found.items() if there]
