"""Every lesson runs, within its time, offline, without a hidden error; and the harness that says so can be trusted."""

import dataclasses
import time

import nbformat
import pytest
from nbclient.output_widget import OutputWidget
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_runner import NOTEBOOKS, ROOT, WIDGET_STATE, blemishes, errors_in, notebook_named, run_lesson, run_notebook

every_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def test_lessons_and_the_page_of_make_app_are_all_run():
    assert {"00_start_here", "09_what_if_lab", "what_if_app"} <= {path.stem for path in NOTEBOOKS}


@every_notebook
def test_notebook_is_committed_clean(notebook):
    assert blemishes(notebook) == []


@every_notebook
def test_notebook_runs(notebook, lesson):
    assert lesson(notebook.stem).errors == ()


# From here on: faults put into notebooks, to see that the harness finds them.


def write_notebook(folder, *cells, parameters="EPOCHS = 1"):
    """A notebook with a cell of parameters, then these cells."""
    notebook = new_notebook(cells=[new_code_cell(parameters, metadata={"tags": ["parameters"]}), *map(new_code_cell, cells)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder.joinpath("lessons").mkdir()
    path = folder / "lessons/90_made_by_a_test.ipynb"
    nbformat.write(notebook, path)
    return path


def errors_of(tmp_path, *cells, budget_s=60):
    """The errors found when a notebook of these cells is run."""
    return run_notebook(write_notebook(tmp_path, *cells), tmp_path / "copy", budget_s).errors


OBSERVED = """
import ipywidgets
shown, slider = ipywidgets.Output(), ipywidgets.IntSlider(1)
@shown.capture(clear_output=True)
def divide(change):
    print(1 / change.new)
slider.observe(divide, "value")
slider.value = 0
"""


def test_a_sound_notebook_has_no_errors(tmp_path):
    cells = (
        "from ipywidgets import interact\ninteract(lambda epochs: epochs + EPOCHS, epochs=(1, 5));",
        "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass",
        "import sys\nprint('half done', file=sys.stderr)",
    )
    assert errors_of(tmp_path, *cells) == ()


def test_parameters_arrive_and_neighbours_are_there(tmp_path):
    path = write_notebook(tmp_path, "print(EPOCHS + 1, open('notes.txt').read())\nopen('made.txt', 'w').close()")
    path.with_name("notes.txt").write_text("read me")
    run = run_notebook(path, tmp_path / "copy", 60, EPOCHS=41)
    assert run.notebook.cells[-1].outputs[0].text == "42 read me\n"
    assert not path.with_name("made.txt").exists()  # what a lesson writes stays in the copy


@pytest.mark.parametrize(
    "cell",
    [
        "1 / 0",
        "from ipywidgets import interact\ninteract(lambda epochs: 1 / 0, epochs=(0, 3));",
        OBSERVED,
        OBSERVED + "slider.value = 2",  # the next value clears the error away
        OBSERVED.replace("print(1 / change.new)", "try: 1 / 0\n    except: import traceback; traceback.print_exc()"),
        "import threading\nthread = threading.Thread(target=lambda: 1 / 0)\nthread.start(); thread.join()",
    ],
    ids=["cell", "interact", "observe", "observe, then cleared", "printed in a widget", "thread"],
)
def test_an_error_is_found_wherever_it_shows(tmp_path, cell):
    assert errors_of(tmp_path, cell, "fine = True") == ("ZeroDivisionError: division by zero",)


def test_a_reply_is_heard_that_comes_while_a_widget_is_written_to(tmp_path, monkeypatch):
    """The client's busy machine made certain: the cell has long ended when what its Output widget shows is sent back."""

    def send_late(widget, *message):
        time.sleep(1)
        send(widget, *message)

    send = OutputWidget.send
    monkeypatch.setattr(OutputWidget, "send", send_late)
    run = run_notebook(write_notebook(tmp_path, OBSERVED), tmp_path / "copy", 60)
    assert run.errors == ("ZeroDivisionError: division by zero",)
    assert run.wall_s < 55  # else it was found when the time was over


def test_a_warning_in_a_lesson_is_an_error(tmp_path):
    assert errors_of(tmp_path, "import warnings\nwarnings.warn('old news', FutureWarning)") == ("FutureWarning: old news",)


def test_a_notebook_saved_with_a_hidden_error_is_found_without_running_it():
    notebook = new_notebook(cells=[new_markdown_cell("prose"), new_code_cell("pass")])
    assert list(errors_in(notebook)) == []
    hidden = new_output("error", ename="KeyError", evalue="'V7'", traceback=[])
    notebook.metadata["widgets"] = {WIDGET_STATE: {"state": {"id": {"state": {"outputs": [hidden]}}}}}
    assert list(errors_in(notebook)) == ["KeyError: 'V7'"]


def test_a_misspelt_parameter_is_refused(tmp_path):
    path = write_notebook(tmp_path, "pass")
    with pytest.raises(ValueError, match="no parameter EPOCH; it has EPOCHS"):
        run_notebook(path, tmp_path / "copy", 60, EPOCH=3)


@pytest.mark.parametrize(
    ("cell", "errors"),
    [
        ("open(RESULTS_PATH, 'w').write('leads,auroc\\nI,0.8\\n')", ()),
        ("open(RESULTS_PATH, 'w').write('leads,auroc\\n')", ("left 1 lines at RESULTS_PATH, not a header and results",)),
        ("pass", ("left 0 lines at RESULTS_PATH, not a header and results",)),
    ],
)
def test_a_lesson_with_a_results_path_must_fill_it(tmp_path, cell, errors):
    path = write_notebook(tmp_path, cell, parameters="RESULTS_PATH = None")
    assert run_lesson(path, tmp_path / "copy").errors == errors


def test_a_slow_notebook_is_stopped(tmp_path):
    # Neither cell alone is over the budget: the budget is for the whole notebook.
    errors = errors_of(tmp_path, "import time; time.sleep(4)", "time.sleep(4)", budget_s=6)
    assert "still running when its 6 s were over" in errors


def test_work_is_counted_and_waiting_is_not(tmp_path):
    """Also the work of processes that a cell starts; so a busy machine cannot fail a lesson's budget."""
    work = "import time\nwhile time.process_time() < 2: pass"
    child = f"import subprocess, sys; subprocess.check_call([sys.executable, '-c', {work!r}])"
    run = run_notebook(write_notebook(tmp_path, child, "import time; time.sleep(5)"), tmp_path / "copy", 120)
    assert run.errors == ()
    assert 2 <= run.cpu_s < run.wall_s - 2
    assert run.seconds == run.cpu_s
    assert dataclasses.replace(run, wall_s=1.0).seconds == 1  # many cores: the wait is what counts


def test_a_lesson_is_found_by_its_number_or_its_name():
    assert notebook_named("09") == notebook_named("09_what_if_lab") == ROOT / "notebooks/09_what_if_lab.ipynb"
    assert notebook_named("what_if_app").name == "what_if_app.ipynb"


def test_a_lesson_without_results_says_why(tmp_path):
    run = run_lesson(write_notebook(tmp_path, "1 / 0", parameters="RESULTS_PATH = None"), tmp_path / "copy")
    with pytest.raises(AssertionError, match="ZeroDivisionError: division by zero"):
        _ = run.results


@pytest.mark.parametrize(
    "cell",
    [
        "import urllib.request; urllib.request.urlopen('http://example.org')",
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)",  # an address reserved for documentation
        "import subprocess, sys; subprocess.check_call([sys.executable, '-c', 'import socket; socket.gethostbyname(\"a.b\")'])",
    ],
    ids=["name", "number", "child process"],
)
def test_a_lesson_cannot_reach_the_network(tmp_path, cell):
    (error,) = errors_of(tmp_path, cell)
    assert "NetworkBlocked" in error or "CalledProcessError" in error


@pytest.mark.parametrize(
    ("fault", "blemish"),
    [
        (lambda nb: nb.cells[0].outputs.append(new_output("stream", text="1")), "it has saved outputs"),
        (lambda nb: nb.cells[0].update(execution_count=1), "it has execution counts"),
        (lambda nb: nb.metadata.update(widgets={}), "it has saved widget state"),
        (lambda nb: nb.cells[0].metadata.update(tags=[]), "0 cells are tagged 'parameters', not one"),
        (
            lambda nb: nb.cells.append(new_code_cell(metadata={"tags": ["parameters"]})),
            "2 cells are tagged 'parameters', not one",
        ),
        (lambda nb: nb.cells.append(new_markdown_cell("x" * 105_500)), "it weighs 106 kB, not under 100"),
    ],
)
def test_a_blemish_is_found(tmp_path, fault, blemish):
    path = write_notebook(tmp_path)
    assert blemishes(path) == []
    notebook = nbformat.read(path, as_version=4)
    fault(notebook)
    nbformat.write(notebook, path)
    assert blemishes(path) == [blemish]
