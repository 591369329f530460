"""A table that takes long: nothing is measured twice, nothing measured is lost, and rows that do not compare are refused."""

import pandas as pd
import pytest

from selfdana_lite.long_tables import fill_table, refuse_unfinished

WANTED = [("a", 1), ("a", 2), ("b", 1)]


def measure(name, seed):
    """Two rows for each, of which the number is made from the name and the seed."""
    return pd.DataFrame({"name": name, "seed": seed, "epochs": 3, "head": ["one", "many"], "score": [seed, ord(name)]})


def filled(path, wanted=WANTED, measure=measure, epochs=3):
    return fill_table(path, ["name", "seed"], wanted, measure, same={"epochs": epochs})


def test_every_wanted_row_is_measured_once_and_in_order(tmp_path, capsys):
    table = filled(tmp_path / "table.csv")
    assert list(zip(table["name"], table["seed"], strict=True)) == [one for one in WANTED for _ in range(2)]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "table.csv"), table)
    assert capsys.readouterr().out == "a, 1\na, 2\nb, 1\n"
    pd.testing.assert_frame_equal(filled(tmp_path / "table.csv"), table)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("n_done", range(len(WANTED)))
def test_stopped_after_any_row_it_goes_on_and_ends_the_same(tmp_path, n_done):
    whole, measured = filled(tmp_path / "whole.csv"), []

    def interrupted(*values):
        if len(measured) == n_done:
            raise KeyboardInterrupt
        measured.append(values)
        return measure(*values)

    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path / "table.csv", measure=interrupted)
    again = []
    resumed = filled(tmp_path / "table.csv", measure=lambda *values: again.append(values) or measure(*values))
    assert measured + again == WANTED
    pd.testing.assert_frame_equal(resumed, whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "whole.csv"]


def test_rows_made_otherwise_are_refused_and_left_alone(tmp_path):
    filled(tmp_path / "table.csv", WANTED[:1])
    before = (tmp_path / "table.csv").read_bytes()
    with pytest.raises(ValueError, match=r"table\.csv was made with epochs 3, not 4; name another file"):
        filled(tmp_path / "table.csv", epochs=4)
    assert (tmp_path / "table.csv").read_bytes() == before


def test_a_half_trained_model_is_not_a_result():
    refuse_unfinished(pd.DataFrame({"loss": [3.0, 2.0]}), epochs=2)
    with pytest.raises(KeyboardInterrupt, match="after 1 of 2 epochs"):
        refuse_unfinished(pd.DataFrame({"loss": [3.0]}), epochs=2)
