"""The teacher's page agrees with the lessons: titles, minutes, what builds on what, and plans that add up."""

import re
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from lesson_form import minutes
from notebook_runner import LESSONS

PAGE = (ROOT / "notebooks/README.md").read_text(encoding="utf-8")
NOTEBOOKS = {path.stem[:2]: nbformat.read(path, as_version=4) for path in LESSONS}
PLANS = {"## A workshop of 90 minutes": 90, "## A day": 7 * 60 + 24}  # minutes; the day from 9:00


def rows_under(heading):
    """The cells of the rows of the table below a heading, without its head."""
    section = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)[1]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", rows_under("## The path"), ids=lambda row: row[0][1:3])
def test_the_path_has_a_lesson_s_title_minutes_and_foundations(row):
    link, stated, one_thing, foundations = row
    title, number, file = re.fullmatch(r"\[((\d\d) · .+)\]\((.+)\)", link).groups()
    first = NOTEBOOKS[number].cells[0].source
    assert file in {path.name for path in LESSONS}
    assert first.startswith((f"# {title}: ", f"# {title} "))
    assert int(stated) == minutes(NOTEBOOKS[number])[0]
    assert one_thing
    builds_on = re.search(r"\*\*Builds on\*\*: (.+?)(?:\n\n|\Z)", first, re.DOTALL)[1]
    assert foundations.split(", ") == (sorted(set(re.findall(r"(?<!\()\b(\d\d)\b(?!_)", builds_on))) or [""])
    assert all(foundation < number for foundation in foundations.split(", "))


def test_every_lesson_is_on_the_path():
    assert [row[0][1:3] for row in rows_under("## The path")] == sorted(NOTEBOOKS)


@pytest.mark.parametrize("heading", PLANS)
def test_a_plan_adds_up_and_gives_each_part_its_minutes(heading):
    rows = rows_under(heading)
    assert sum(int(row[0]) for row in rows) == PLANS[heading]
    for planned, what, *_say in rows:
        found = re.match(r"\[(\d\d)\]\(\1_\w+\.ipynb\)(?: Part (\d+))?", what)
        if found:
            whole, parts = minutes(NOTEBOOKS[found[1]])
            longer = sum(int(by) for by in re.findall(r"\((\d+) min more", what))
            shorter = sum(int(by) for by in re.findall(r"\((\d+) min less", what))
            assert int(planned) == (parts[int(found[2]) - 1] if found[2] else whole) + longer - shorter, what


def test_the_sum_of_all_lessons_is_about_what_the_page_says():
    assert "about nine and a half hours" in PAGE
    assert sum(minutes(notebook)[0] for notebook in NOTEBOOKS.values()) / 60 == pytest.approx(9.5, abs=0.25)


def test_links_and_commands_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "notebooks" / target).exists(), target
    makefile = Path(ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", PAGE):
        assert re.search(rf"^{target}:|^torch-%:" if target.startswith("torch-") else rf"^{target}:", makefile, re.MULTILINE)
