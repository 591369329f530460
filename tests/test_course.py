"""The course holds together: one form, two ways through every lesson, links that lead on, and time kept."""

import copy
import re

import nbformat
import pytest
from course.solutions import exercises, main, solved
from lesson_form import FIGURE, minutes, shortcomings, undescribed
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_runner import LESSONS, ROOT

LESSON_BUDGET_S, COURSE_BUDGET_S = 60, 6 * 60  # quick profile, two idle cores

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=[path.stem for path in LESSONS])


def said_by_checks(executed):
    """The verdict under each exercise of an executed lesson, by the exercise's name; its cell may print more above it."""
    printed = {e.name: "".join(output.get("text", "") for output in e.answer.outputs) for e in exercises(executed)}
    verdicts = {name: re.findall(r"^(?:Right: |Not yet|No answer yet).*", text, re.MULTILINE) for name, text in printed.items()}
    return {name: (found or ["no verdict"])[-1] for name, found in verdicts.items()}


@every_lesson
def test_a_lesson_has_all_its_parts(path):
    assert shortcomings(path) == []


@every_lesson
def test_a_lesson_runs_before_anything_is_answered(path, lesson):
    run = lesson(path.stem)
    assert run.errors == ()
    assert [name for name, said in said_by_checks(run.notebook).items() if not said.startswith("No answer yet")] == []


@every_lesson
def test_every_figure_is_put_into_words(path, lesson):
    assert list(undescribed(lesson(path.stem).notebook)) == []


@every_lesson
def test_a_lesson_runs_with_all_solutions_and_each_is_right(path, solved_lesson):
    run = solved_lesson(path.stem)
    assert run.errors == ()
    assert {name: said for name, said in said_by_checks(run.notebook).items() if not said.startswith("Right: ")} == {}


@every_lesson
def test_run_again_by_a_new_kernel_a_lesson_replaces_its_column(path, lesson, solved_lesson):
    """Both runs share a folder. The second finds the first one's table there, and leaves one value for each lead set."""
    again = solved_lesson(path.stem).my_results
    assert set(again["lesson"]) == {path.stem[:2]}, "each run was alone"
    assert not again.duplicated(["column", "data", "lead_set"]).any()
    assert again["lead_set"].nunique() == 6
    assert again["column"].nunique() == 1


@every_lesson
def test_a_lesson_keeps_its_time(path, lesson):
    run = lesson(path.stem)
    assert run.seconds < LESSON_BUDGET_S, f"{path.stem}: {run.wall_s:.0f} s, {run.cpu_s:.0f} of them at work"


def test_the_course_keeps_its_time(lesson):
    seconds = {path.stem: round(lesson(path.stem).seconds) for path in LESSONS}
    assert sum(seconds.values()) < COURSE_BUDGET_S, f"of {sum(seconds.values())} s: {seconds}"


def test_the_teacher_s_forms_are_written(tmp_path):
    main(tmp_path / "solutions")
    assert {path.name for path in (tmp_path / "solutions").glob("*")} == {path.name for path in LESSONS}
    for path in LESSONS:
        assert nbformat.read(tmp_path / "solutions" / path.name, as_version=4) == solved(nbformat.read(path, as_version=4))


# From here on: faults put into a sound lesson, to see that they are found.

FOLDED = "".join(
    f"\n<details><summary>{name}</summary>\n\nwords\n</details>" for name in ("Hint", "Detailed hint", "Expected output")
)
SOLUTION = "<details><summary>Solution</summary>\n\n```python\nhalf = 1 / 2\n{name} = half\n```\nBecause.\n</details>"
TITLE = """# 12 · Made by a test: it is sound

**By the end you will be able to**

- do this;
- and that.

**Time**: 20 min

**Builds on**: nothing.

> **For learning and research, not for diagnosis.** It is made up."""
PARAMETERS = 'DATA = ""\nSEED = 0\nRESULTS_PATH = ""'
END = """## Recap

One. Two, with 3.5 in it. Three!

## Further reading

- Somebody 2020, [doi:10.1/2](https://doi.org/10.1/2)."""


def sound_lesson():
    """A lesson of the right form, whose exercises ask for a half."""
    cells = [new_markdown_cell(TITLE), new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    cells.append(new_markdown_cell("## Part 1 · Begin (20 min)"))
    for k, name in ((1, "one"), (2, "other")):
        cells.append(new_markdown_cell(f"### Exercise {k} · The {name} (2 min)\n{FOLDED}"))
        cells.append(new_code_cell(f"{name} = None  # your answer\n\nprint(checks.check_{name}({name}))"))
        cells.append(new_markdown_cell(SOLUTION.format(name=name)))
    cells += [new_markdown_cell(END), new_code_cell('course.add_column("12", "half", {"12-lead": 0.5}, data=DATA)')]
    return new_notebook(cells=cells, metadata={"selfdana": {"full": {}}})


def shortcomings_of(notebook, folder, name="12_made_by_a_test.ipynb"):
    nbformat.write(notebook, folder / name)
    return shortcomings(folder / name)


def test_a_sound_lesson_is_not_faulted(tmp_path):
    assert shortcomings_of(sound_lesson(), tmp_path) == []
    assert minutes(sound_lesson()) == (20, [20])


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("# 12 · Made by a test: it", "# 13 · Made by a test: it", 'its title is not "# 12 · Title: the one thing"'),
        ("- and that.\n", "", "no list of what one will be able to do"),
        ("> **For learning", "> **For", "its first cell has no **For learning and research, not for diagnosis.**"),
        ("**Time**: 20 min", "**Time**: 40 min", "it states 40 min, its parts add up to 20"),
        ("**Time**: 20 min", "Not long", "it states 0 min, its parts add up to 20"),
        ("## Part 1 · Begin (20 min)", "## Part 1 · Begin (20 min)\n## And more", 'no minutes beside "And more"'),
        ("### Exercise 2 ·", "### Exercise ·", "Exercise 1 · The one: 2 cells below have a folded solution"),
        ("# your answer", "# for you", "Exercise 1 · The one: the cell above its solution has no line"),
        ("```python\n", "```\n", "Exercise 1 · The one: 0 cells below have a folded solution"),
        ("<summary>Detailed hint", "<summary>Clue", "Exercise 1 · The one: folded under it are Hint, Clue, Expected output"),
        ("print(checks.check_one(one))", "one", "Exercise 1 · The one: nothing checks its answer"),
        ('DATA = ""\n', "", "its parameters are SEED, RESULTS_PATH: DATA, SEED or SEEDS and, last"),
        ("RESULTS_PATH", "RESULT_PATH", "its parameters are DATA, SEED, RESULT_PATH: DATA, SEED or SEEDS and, last"),
        ('add_column("12"', 'add_column("11"', "it adds no column to the table of results"),
        ("course.add", "class Net(Module):\n    pass\ncourse.add", "defines a class"),
        ("course.add", "\n" * 40 + "course.add", "has more than 40 lines"),
        ("course.add", "course.reveal('?', '42')\ncourse.add", "shows the code of an answer above the answer"),
        (" Three!", "", "its recap has 2 sentences, not three"),
        ("## Recap", "## Summary (0 min)", "its recap has 0 sentences"),
        ("https://", "", "no further reading with a link"),
        ("## Recap", "**Next:** [13 · More](13_more.ipynb)\n\n## Recap", "the next lesson, 13_more.ipynb, does not exist"),
    ],
)  # fmt: skip
def test_a_missing_part_is_found(tmp_path, before, after, found):
    notebook = sound_lesson()
    changed = next(cell for cell in notebook.cells if before in cell.source)
    changed.source = changed.source.replace(before, after)
    assert any(found in shortcoming for shortcoming in shortcomings_of(notebook, tmp_path))


def test_one_exercise_is_not_enough(tmp_path):
    notebook = sound_lesson()
    del notebook.cells[6:9]
    assert shortcomings_of(notebook, tmp_path) == ["1 exercises, not two or more"]


def test_only_the_last_lesson_needs_no_link_to_the_next(tmp_path):
    notebook = sound_lesson()
    notebook.cells[0].source = TITLE.replace("12", "11")
    notebook.cells[-1].source = notebook.cells[-1].source.replace("12", "11", 1)
    assert shortcomings_of(notebook, tmp_path, "11_made_by_a_test.ipynb") == ["no link to the next lesson"]
    notebook.cells[-2].source += "\n\n**Next:** [12 · More](12_made_by_a_test.ipynb): on."
    assert shortcomings_of(notebook, tmp_path, "11_made_by_a_test.ipynb") == [
        "the next lesson, 12_made_by_a_test.ipynb, does not exist"
    ]


def test_a_parameter_of_the_full_profile_must_exist(tmp_path):
    notebook = sound_lesson()
    notebook.metadata["selfdana"] = {"full": {"EPOCHS": 40}}
    assert shortcomings_of(notebook, tmp_path) == ["its metadata has parameters that it does not know: EPOCHS"]
    del notebook.metadata["selfdana"]
    assert "no full profile" in shortcomings_of(notebook, tmp_path)[0]


def test_a_solution_takes_the_place_of_the_answer_and_of_nothing_else():
    student = sound_lesson()
    student.cells[3 + 1].source = "a = 1\none = None  # your answer, a number\nother = None  # your answer\nprint(one)"
    before = copy.deepcopy(student)
    teacher = solved(student)
    assert student == before
    assert teacher.cells[4].source == "a = 1\nhalf = 1 / 2\none = half\nprint(one)"
    assert teacher.cells[7].source == "half = 1 / 2\nother = half\n\nprint(checks.check_other(other))"
    assert [i for i, (s, t) in enumerate(zip(student.cells, teacher.cells, strict=True)) if s != t] == [4, 7]


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ([], ["drawn"]),
        ([new_output("display_data", {"text/plain": "Figure"})], ["drawn"]),
        ([new_output("display_data", {FIGURE: {}, "text/html": "<div>"})], ["drawn", "after"]),  # a figure's own HTML
        ([new_output("display_data", {"text/markdown": "It rises."})], []),
        ([new_output("display_data", {"text/html": "<table>"})], []),
    ],
)
def test_a_figure_without_words_is_found(outputs, found):
    drawn = new_code_cell(id="drawn", outputs=[new_output("display_data", {FIGURE: {}})])
    after = new_code_cell(id="after", outputs=outputs)
    assert list(undescribed(new_notebook(cells=[drawn, new_markdown_cell("prose"), after]))) == found
    both = new_code_cell(id="drawn", outputs=[*drawn.outputs, *outputs])
    assert list(undescribed(new_notebook(cells=[both]))) == found[:1]


def test_all_thirteen_lessons_are_there():
    assert [path.stem[:2] for path in LESSONS] == [f"{number:02}" for number in range(13)]
    assert all((ROOT / f"tests/test_lesson_{path.stem[:2]}.py").exists() for path in LESSONS)
