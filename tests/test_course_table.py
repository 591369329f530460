"""The table that grows through the lessons: one number a lead set, a column a lesson, kept in a file."""

import course
import pytest


def test_columns_gather_in_the_order_of_the_lessons_and_survive(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    course.add_column("05", "probe", {"12-lead": 0.8, "1-lead": 0.7})
    table = course.add_column("02", "ms, zero-padded", {"1-lead": 3.0})
    assert [column[0] for column in table.columns] == ["02", "05"]
    assert table.loc["1-lead"].tolist() == [3.0, 0.7]
    assert table.loc["12-lead"].isna().tolist() == [True, False]


def test_a_lesson_run_again_replaces_its_column_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    course.add_column("05", "probe", {"12-lead": 0.8, "1-lead": 0.7})
    course.add_column("05", "probe", {"12-lead": 0.9}, data="archives/ptbxl")
    table = course.add_column("05", "probe", {"12-lead": 0.6})
    assert table["05", "probe", "samples"].dropna().to_dict() == {"12-lead": 0.6}
    assert table["05", "probe", "ptbxl"].dropna().to_dict() == {"12-lead": 0.9}


def test_only_lead_sets_have_a_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="Unknown lead sets 5-lead; the rows of the table are 12-lead"):
        course.add_column("05", "probe", {"5-lead": 0.8})
    assert not (tmp_path / course.MY_RESULTS).exists()


RIGHT, SLIPS = 0.25, {-0.25: "the sign is turned round", 25.0: "this is a percentage"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (0.25, "Right: a quarter."),
        (0.2505, "Right: a quarter."),
        (None, "No answer yet"),
        (-0.25, "Not yet: the sign is turned round."),
        (25, "Not yet: this is a percentage."),
        (0.5, "Not yet: look again."),
        ("0.25", "Not yet: one number is wanted, and this is a str."),
        (True, "Not yet: one number is wanted, and this is a bool."),
    ],
)
def test_a_number_is_judged_with_its_slips(answer, said):
    assert course.check_number(answer, RIGHT, "a quarter", SLIPS, "look again").startswith(said)


@pytest.mark.parametrize(
    ("right", "answer", "rounded"),
    [(0.8461, 0.85, True), (0.8461, 0.84, False), (1.2345, 1.23, True), (1234.5, 1230, True), (1234.5, 1200, False)],
)
def test_a_right_answer_with_too_few_digits_is_told_so(right, answer, rounded):
    said = course.check_number(answer, right, "right", {}, "look again")
    assert said.startswith("Not yet: this looks right, but rounded" if rounded else "Not yet: look again")


@pytest.mark.parametrize(
    ("answer", "said"),
    [("V1", "Right: it is."), ("I", "Not yet: a limb lead."), ("V2", "Not yet: not that one."), (None, "No answer yet")],
)
def test_another_answer_is_judged_by_the_first_slip_that_applies(answer, said):
    assert course.check_that(answer, answer == "V1", "it is", [(answer == "I", "a limb lead")], "not that one").startswith(said)


def test_an_answer_stays_folded():
    shown = course.reveal("Open", "It is **0.8**.")
    assert shown.data == "<details><summary>Open</summary>\n\nIt is **0.8**.\n\n</details>"
