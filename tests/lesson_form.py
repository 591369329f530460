"""What every lesson has: the parts that a student leans on, in words that can be checked."""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from course.solutions import exercises, solved
from nbformat import NotebookNode

FOLDS = ("Hint", "Detailed hint", "Expected output")
WITHOUT_MINUTES = ("Recap", "Further reading", "Your results")
CLOSINGS = "\n## |\n\\*\\*"  # what ends a section of prose: a heading, or a line that opens in bold
FIGURE, WIDGET = "application/vnd.plotly.v1+json", "application/vnd.jupyter.widget-view+json"
WORDS = ("text/markdown", "text/html")


def shortcomings(path: Path) -> list[str]:
    """What a lesson lacks of the form that all share; empty for a sound one."""
    notebook = nbformat.read(path, as_version=4)
    return [*_opening(path, notebook), *_exercises(notebook), *_code(path, notebook), *_closing(path, notebook)]


def minutes(notebook: NotebookNode) -> tuple[int, list[int]]:
    """The minutes of a lesson as its title cell states them, and those of its parts."""
    stated = re.search(r"^\*\*Time\*\*: (\d+) min", notebook.cells[0].source, re.MULTILINE)
    parts = re.findall(r"^## .+ \((\d+) min\)$", _prose(notebook), re.MULTILINE)
    return int(stated[1]) if stated else 0, [int(part) for part in parts]


def undescribed(executed: NotebookNode) -> Iterator[str]:
    """The names of cells that show a figure which neither they nor the next code cell put into words or a table.

    Widgets are not among them: theirs carry their text with them.
    """
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    for cell, after in zip(code, [*code[1:], NotebookNode(outputs=[])], strict=True):
        if any(FIGURE in output.get("data", {}) for output in cell.outputs):
            shown = [output.get("data", {}) for output in [*cell.outputs, *after.outputs]]
            if not any(kind in data for data in shown if FIGURE not in data for kind in WORDS):
                yield cell.id


def _prose(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def _opening(path: Path, notebook: NotebookNode) -> Iterator[str]:
    title = notebook.cells[0].source
    if not re.match(rf"# {path.stem[:2]} · .+[:?] .+\n", title):
        yield f'its title is not "# {path.stem[:2]} · Title: the one thing"'
    if not re.search(r"\*\*By the end you will be able to\*\*\n\n(?:- .+\n(?:  .+\n)*){2,}", title):
        yield "no list of what one will be able to do"
    for word in ("**Builds on**", "**For learning and research, not for diagnosis.**"):
        if word not in title:
            yield f"its first cell has no {word}"
    stated, parts = minutes(notebook)
    if not stated or abs(stated - sum(parts)) > 8:  # beginning and end take a little, too
        yield f"it states {stated} min, its parts add up to {sum(parts)}"
    for heading in re.findall(r"^## (.+)$", _prose(notebook), re.MULTILINE):
        if not heading.startswith(WITHOUT_MINUTES) and not re.search(r" \(\d+ min\)$", heading):
            yield f'no minutes beside "{heading}"'


def _exercises(notebook: NotebookNode) -> Iterator[str]:
    try:
        found = exercises(notebook)
        solved(notebook)
    except ValueError as error:
        yield str(error)
        return
    if len(found) < 2:
        yield f"{len(found)} exercises, not two or more"
    for name, question, answer, _ in found:
        folds = re.findall(r"<details><summary>(.+?)</summary>", question.source)
        if tuple(folds) != FOLDS:
            yield f"{name}: folded under it are {', '.join(folds) or 'nothing'}, not {', '.join(FOLDS)}"
        if "print(checks.check_" not in answer.source:
            yield f"{name}: nothing checks its answer"


def _code(path: Path, notebook: NotebookNode) -> Iterator[str]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    parameters = "\n".join(cell.source for cell in code if "parameters" in cell.metadata.get("tags", []))
    names = re.findall(r"^([A-Z_]+) = ", parameters, re.MULTILINE)
    if "DATA" not in names or not {"SEED", "SEEDS"} & set(names) or names[-1] != "RESULTS_PATH":
        yield f"its parameters are {', '.join(names)}: DATA, SEED or SEEDS and, last, RESULTS_PATH are wanted"
    if unknown := set(notebook.metadata.get("selfdana", {}).get("full", ["no full profile"])) - set(names):
        yield f"its metadata has parameters that it does not know: {', '.join(sorted(unknown))}"
    if not any(f'course.add_column("{path.stem[:2]}"' in cell.source.replace("\n    ", "") for cell in code):
        yield "it adds no column to the table of results"
    for cell in code:
        if len(cell.source.splitlines()) > 40:
            yield f"the cell {cell.id} has more than 40 lines"
        if "course.reveal(" in cell.source and not cell.metadata.get("jupyter", {}).get("source_hidden"):
            yield f"the cell {cell.id} shows the code of an answer above the answer: hide it (jupyter.source_hidden)"
        if re.search(r"^\s*class \w+", cell.source, re.MULTILINE):
            yield f"the cell {cell.id} defines a class: that belongs in the package"


def _closing(path: Path, notebook: NotebookNode) -> Iterator[str]:
    prose = _prose(notebook)
    recap = re.search(rf"^## Recap\n(.+?)(?:{CLOSINGS}|\Z)", prose, re.DOTALL | re.MULTILINE)
    sentences = re.findall(r"[.!?](?=\s|$)", recap[1]) if recap else []
    if len(sentences) != 3:
        yield f"its recap has {len(sentences)} sentences, not three"
    reading = re.search(rf"^## Further reading\n(.+?)(?:{CLOSINGS}|\Z)", prose, re.DOTALL | re.MULTILINE)
    if not reading or "https://" not in reading[1]:
        yield "no further reading with a link"
    link = re.search(r"^\*\*Next:\*\* \[(\d\d) · .+?\]\((\1_\w+\.ipynb)\)", prose, re.MULTILINE)
    last = path.name.startswith("12_")
    if not last and (not link or int(link[1]) != int(path.stem[:2]) + 1):
        yield "no link to the next lesson"
    if link and not path.with_name(link[2]).exists():
        yield f"the next lesson, {link[2]}, does not exist"
