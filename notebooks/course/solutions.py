"""The teacher's form of a lesson, made from the student's: every answer replaced by its folded solution.

`make solutions` writes them all. The student's form is the one that is kept, so that the two cannot drift apart.
"""

import copy
import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

LESSONS = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^#+ (Exercise \d+ · .+) \(\d+ min\)$", re.MULTILINE)
ANSWER = re.compile(r"^.*# your answer.*$", re.MULTILINE)
SOLUTION = re.compile(r"<summary>Solution</summary>\s*```python\n(.*?)\n```", re.DOTALL)


class Exercise(NamedTuple):
    """The three cells of an exercise, as they stand in the notebook: the question, the answer's cell, the solution."""

    name: str
    question: NotebookNode
    answer: NotebookNode
    solution: NotebookNode


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a lesson, in order; ValueError names one that has not its three cells."""
    found = []
    for i, cell in enumerate(notebook.cells):
        heading = HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if heading is None:
            continue
        exercise = Exercise(heading[1], *(notebook.cells[i : i + 3] + [NotebookNode(source="")] * 2)[:3])
        if not ANSWER.search(exercise.answer.source):
            raise ValueError(f'{exercise.name}: the cell below has no line that ends in "# your answer".')
        if len(SOLUTION.findall(exercise.solution.source)) != 1:
            raise ValueError(f"{exercise.name}: below its answer there must be one folded solution with one block of Python.")
        found.append(exercise)
    return found


def solved(notebook: NotebookNode) -> NotebookNode:
    """A copy of a lesson with each answer replaced by the code of the solution folded below it."""
    form = copy.deepcopy(notebook)
    for exercise in exercises(form):
        code = SOLUTION.search(exercise.solution.source)[1]
        first, *others = ANSWER.findall(exercise.answer.source)
        lines = exercise.answer.source.replace(first, code, 1).splitlines()
        exercise.answer.source = "\n".join(line for line in lines if line not in others)
    return form


def main(folder: Path) -> None:
    """Write the solved form of every lesson into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
        nbformat.write(solved(nbformat.read(lesson, as_version=4)), folder / lesson.name)
        print(folder / lesson.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
