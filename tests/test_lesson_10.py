"""Lesson 10: its checks say what is wrong, and each foreign file finds its way home."""

import foreign_files
import numpy as np
import pytest
from course import lesson_10

import selfdana_lite as sd


@pytest.fixture(scope="module")
def inbox(tmp_path_factory, samples_path):
    """The foreign files of lesson 10."""
    held_out = sd.EcgDataset.open(samples_path).where(folds=[9, 10])
    return foreign_files.make_foreign_files(tmp_path_factory.mktemp("lesson") / "inbox", held_out)[0]


@pytest.mark.parametrize(
    ("units_per_mv", "said"),
    [
        (1_000_000, "Right: With 1e+06 units to the millivolt"),
        (None, "No answer yet"),
        (1e-6, "turned round"),
        (1_000, "more than any heart"),
        (1, "more than any heart"),
        (1e9, "less than any heart"),
        (600_000, "no unit is 600000 to the millivolt"),
        (0, "not a number above 0"),
        ("nV", "not a number above 0"),
    ],
)
def test_check_units(inbox, units_per_mv, said):
    assert said in lesson_10.check_units(units_per_mv, inbox["unitless"])
    assert lesson_10.check_units(units_per_mv, inbox["unitless"]).startswith("Right") == (units_per_mv == 1_000_000)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("II, aVL", "Right: with II and aVL exchanged the residual goes from"),
        (("avl", "ii"), "Right: with aVL and II exchanged"),
        (None, "No answer yet"),
        ("I, II", "Not yet: with I and II exchanged"),
        ("III, aVF", "Not yet: with III and aVF exchanged"),
        ("V1, V2", "Not yet: V1 and V2 are chest leads"),
        ("II, V2", "Not yet: V2 is a chest lead."),
        ("II", "Not yet: 1 named"),
        ("II, VL", "Not yet: Unknown lead 'VL'"),
        (2, "Not yet: 'int' object"),
    ],
)
def test_check_exchange(inbox, pair, said):
    clinic = sd.read_recording(inbox["clinic"])
    assert lesson_10.check_exchange(pair, clinic).startswith(said)


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (1000, "Right: 10 s times 100 samples a second are 1000"),
        (None, "No answer yet"),
        (15_360, "neither cut nor resampled"),
        (5120, "at the old rate"),
        (3000, "this is the whole file at 100 Hz"),
        (26_214, "ratio of the rates is turned round"),
        (999, "has as many samples as seconds times samples a second"),
        ("1000", "one number is wanted"),
    ],
)
def test_check_samples(inbox, samples, said):
    watch = sd.read_recording(inbox["watch"])
    assert said in lesson_10.check_samples(samples, watch, 10, 100)
    assert lesson_10.check_samples(samples, watch, 10, 100).startswith("Right") == (samples == 1000)
    assert watch.window(0, 10).resample(100).signal_mv.shape[1] == 1000


def test_a_file_without_known_names_is_told_which_parameters_to_set():
    named = sd.Recording(np.zeros((3, 100)), 100, ("vx", "V2", "I"), "somewhere/my_diy.csv")
    assert lesson_10.standard_leads_of(named).leads == ("I", "V2")
    words = r"my_diy.csv: none of ch1, ch2 is .* say with NAMES and GAIN what they are.* -y '\{NAMES: \{ch1: II\}\}'"
    with pytest.raises(sd.LeadError, match=words):
        lesson_10.standard_leads_of(sd.Recording(np.zeros((2, 100)), 100, ("ch1", "ch2"), "somewhere/my_diy.csv"))


def test_every_usable_file_was_read_and_answered(lesson):
    results = lesson("10").results
    assert set(results["file"]) == {"watch", "holter", "archive", "strap", "clinic", "short"}
    assert results[["NORM", "MI", "STTC", "CD", "HYP"]].stack().between(0, 1).all()


def test_wrong_names_are_suspected_and_nothing_else_is(lesson):
    suspicion = lesson("10").results.groupby("file")["file_suspicion"].first().fillna("")
    assert suspicion.index[suspicion != ""].tolist() == ["clinic"]
