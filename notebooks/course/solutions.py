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
ANSWER = re.compile(r"^.* = None  # your answer.*$", re.MULTILINE)
SOLUTION = re.compile(r"<summary>Solution</summary>\s*```python\n(.*?)\n```", re.DOTALL)


class Exercise(NamedTuple):
    """The cells of an exercise as they stand in the notebook: the question, the answer's cell and, next to it, the solution."""

    name: str
    question: NotebookNode
    answer: NotebookNode
    solution: NotebookNode


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a lesson, in order; ValueError names one that has not its cells."""
    cells = notebook.cells
    starts = [i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and HEADING.search(cell.source)]
    return [_exercise(cells[i:j]) for i, j in zip(starts, [*starts[1:], len(cells)], strict=True)]


def _exercise(cells: list[NotebookNode]) -> Exercise:
    name = HEADING.search(cells[0].source)[1]
    below = [i for i, cell in enumerate(cells) if cell.cell_type == "markdown" and SOLUTION.search(cell.source)]
    if len(below) != 1 or len(SOLUTION.findall(cells[below[0]].source)) != 1:
        raise ValueError(f"{name}: {len(below)} cells below have a folded solution with one block of Python, not one cell.")
    return Exercise(name, cells[0], cells[below[0] - 1], cells[below[0]])


def solved(notebook: NotebookNode) -> NotebookNode:
    """A copy of a lesson with each answer replaced by the code of the solution folded below it.

    ValueError names an exercise that has not its cells, or no answer to replace.
    """
    form = copy.deepcopy(notebook)
    for exercise in exercises(form):
        answers = ANSWER.findall(exercise.answer.source)
        if not answers:
            raise ValueError(f'{exercise.name}: the cell above its solution has no line "... = None  # your answer".')
        code = SOLUTION.search(exercise.solution.source)[1]
        lines = exercise.answer.source.replace(answers[0], code, 1).splitlines()
        exercise.answer.source = "\n".join(line for line in lines if line not in answers[1:])
    return form


def main(folder: Path) -> None:
    """Write the solved form of every lesson into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
        nbformat.write(solved(nbformat.read(lesson, as_version=4)), folder / lesson.name)
        print(folder / lesson.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
