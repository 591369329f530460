"""Self-checks take the right answer and say what is wrong with others; every folded solution is right."""

import itertools
import re
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from notebook_runner import ROOT

import selfdana_lite as sd
from selfdana_lite import explore

sys.path.append(str(ROOT / "notebooks"))
import course
import foreign_files
from course import lesson_00, lesson_09, lesson_10

SCORES = pd.DataFrame(
    {"lead_set": list(sd.LEAD_SETS), "macro_auroc": [0.85, 0.80, 0.82, 0.83, 0.79, 0.75], "low": 0.7, "high": 0.9}
)
MODEL = "dap, RLS"
RESULTS = pd.DataFrame(
    {
        "model": [MODEL] * 4 + ["zero-pad, RLS"] * 4,
        "stage": ["untrained", "untrained", "pre-trained", "pre-trained"] * 2,
        "lead_set": ["12-lead", "1-lead"] * 4,
        "macro_auroc": [0.75, 0.65, 0.85, 0.75, 0.78, 0.70, 0.80, 0.70],
    }
)


class Oracle:
    """Stands for a classifier whose score for any leads is known: V2 tells it most."""

    def score(self, leads):
        return 0.9 if {"V2"} & set(leads) else 0.8 if "II" in leads else 0.6


@pytest.fixture
def oracle(monkeypatch):

    def evaluate(asked, dataset, leads, bootstrap=1000):
        return sd.Scores(asked.score(sd.parse_leads(leads)), (0, 0), {}, {}, 1, 1)

    monkeypatch.setattr(sd, "evaluate", evaluate)
    return Oracle()


@pytest.mark.parametrize(
    ("fall", "said"),
    [
        (0.1, "Right: 0.100"),
        (None, "No answer yet"),
        (-0.1, "sign"),
        (10.0, "percentage"),
        (0.1 / 0.85, "share"),
        (0.06, "this is the fall to 2-lead"),
        (0.75, "0.750 is not the difference"),
    ],
)
def test_check_fall(fall, said):
    assert said in lesson_00.check_fall(fall, SCORES)
    assert lesson_00.check_fall(fall, SCORES).startswith("Right") == (fall == 0.1)


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("I, V2", "Right: I and V2 score 0.900, I and II 0.800."),
        (("v2", "avr"), "Right: V2 and aVR"),
        (None, "No answer yet"),
        ("I, V9", "Not yet: Unknown lead 'V9'"),
        ("I, II, V2", "Not yet: 3 named"),
        ("II, I", "Not yet: this is the pair to beat"),
        ("II, III", "Not yet: II and III score 0.800, I and II 0.800. But any two limb leads"),
        ("I, V1", "Not yet: I and V1 score 0.600, I and II 0.800. Not every chest lead"),
    ],
)
def test_check_pair(oracle, pair, said):
    assert lesson_00.check_pair(pair, oracle, None).startswith(said)


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (0.1, "Right: pre-training is worth +0.100; the rest of the 0.800"),
        (None, "No answer yet"),
        (-0.1, "sign"),
        (0.8, "credit for everything"),
        (0.3, "credit for everything"),
        (0.055, "mean over all models"),
        (0.2, "0.200 is not the difference"),
    ],
)
def test_check_gain(gain, said):
    assert said in lesson_00.check_gain(gain, RESULTS, MODEL)
    assert lesson_00.check_gain(gain, RESULTS, MODEL).startswith("Right") == (gain == 0.1)


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


def test_an_answer_stays_folded():
    shown = course.reveal("Open", "It is **0.8**.")
    assert shown.data.startswith("<details><summary>Open</summary>\n\nIt is **0.8**.")


def solutions_of(stem):
    """The folded solution under each exercise of a lesson, by the name of the check that follows the answer."""
    cells = nbformat.read(ROOT / f"notebooks/{stem}.ipynb", as_version=4).cells
    for answer, solution in itertools.pairwise(cells):
        if answer.cell_type == "code" and "print(checks.check_" in answer.source:
            (code,) = re.findall(r"<summary>Solution</summary>\n\n```python\n(.*?)```", solution.source, re.DOTALL)
            yield answer.source, code


def test_every_solution_of_lesson_00_is_right(oracle, capsys):
    names = {
        "sd": sd,
        "course": course,
        "checks": lesson_00,
        "scores": SCORES,
        "results": RESULTS,
        "MODELS": [MODEL],
        "clf": oracle,
        "test": None,
    }
    solutions = list(solutions_of("00_start_here"))
    assert len(solutions) == 3
    for answer, solution in solutions:
        exec(answer, names)
        assert capsys.readouterr().out.startswith("No answer yet"), "the lesson is committed unanswered"
        exec(solution, names)
        exec(answer.splitlines()[-1], names)
        assert capsys.readouterr().out.startswith("Right:")


def test_every_solution_of_lesson_10_is_right(inbox, capsys):
    recordings = {name: sd.read_recording(path) for name, path in inbox.items() if name != "unitless"}
    limb = sd.LEAD_SETS["6-lead"]
    names = {"np": np, "sd": sd, "course": course, "checks": lesson_10, "files": inbox, "recordings": recordings, "limb": limb}
    names |= {"itertools": itertools, "residual_mv": residual_mv}
    solutions = list(solutions_of("10_bring_your_own_ecg"))
    assert len(solutions) == 3
    for answer, solution in solutions:
        exec(answer, names)
        assert capsys.readouterr().out.startswith("No answer yet"), "the lesson is committed unanswered"
        exec(solution, names)
        exec(answer.splitlines()[-1], names)
        assert capsys.readouterr().out.startswith("Right:")


def residual_mv(recording, one, other):
    """As lesson 10 defines it."""
    return explore.limb_check(recording.rename({one: other, other: one})).residual_mv


def test_the_exercises_meet_real_tables(samples_path):
    """The checks read the columns that the package writes."""
    recordings = sd.EcgDataset.open(samples_path).where(folds=[9])
    torch.manual_seed(0)
    clf = sd.Classifier(sd.build_encoder(), recordings.label_names, "any").eval()
    scores = explore.score_table(clf, recordings, bootstrap=0)
    by_set = scores.set_index("lead_set")["macro_auroc"]
    assert lesson_00.check_fall(by_set["12-lead"] - by_set["1-lead"], scores).startswith("Right")
    assert "score" in lesson_00.check_pair("I, V2", clf, recordings)
    results = pd.concat([scores.assign(model="m", stage=stage) for stage in ("untrained", "pre-trained")])
    assert lesson_00.check_gain(0.0, results, "m").startswith("Right")


LEAD_TABLE = pd.DataFrame({"lead_set": ["I", "V2", "I, V2"], "macro_auroc": [0.7, 0.65, 0.82]})  # V2: 0.15 first, 0.12 second


@pytest.mark.parametrize(
    ("worth", "said"),
    [
        (0.135, "Right: V2 gains +0.150 if it comes first and +0.120 after I"),
        (None, "No answer yet"),
        ("0.135", "one number"),
        (0.15, "if it comes first. In the other order"),
        (0.12, "after I. In the other order"),
        (0.27, "take the mean"),
        (0.385, "chance"),
        (0.185, "the value of I"),
        (0.32, "both leads are worth together"),
        (0.5, "0.500 is not the mean"),
    ],
)
def test_check_worth(worth, said):
    assert said in lesson_09.check_worth(worth, LEAD_TABLE)
    assert lesson_09.check_worth(worth, LEAD_TABLE).startswith("Right") == (worth == 0.135)


def test_the_value_by_hand_is_the_library_s():
    by_hand = sd.lead_values(LEAD_TABLE.assign(n_leads=[1, 1, 2])).set_index("lead")["macro_auroc"]["V2"]
    assert lesson_09.check_worth(by_hand, LEAD_TABLE).startswith("Right")


CONFIRMED = pd.DataFrame(
    {
        "n_leads": [1, 2, 3],
        "lead_set": ["V2", "I, V2", "I, V2, V5"],
        "chosen_score": [0.80, 0.90, 0.92],
        "confirmed_score": [0.76, 0.80, 0.83],
        "best_there": [0.77, 0.83, 0.91],
        "rank": [2, 5, 9],
    }
)


@pytest.mark.parametrize(
    ("luck", "said"),
    [
        (0.03, "Right: I, V2 falls short by 0.030; it ranks 5"),
        (None, "No answer yet"),
        ([0.03], "one number"),
        (-0.03, "sign"),
        (0.1, "different patients"),
        (0.07, "two best scores"),
        (0.04, "mean over all sizes"),
        (0.08, "this is the row of 3 leads"),
        (0.5, "0.500 is not best_there minus confirmed_score"),
    ],
)
def test_check_luck(luck, said):
    assert said in lesson_09.check_luck(luck, CONFIRMED)
    assert lesson_09.check_luck(luck, CONFIRMED).startswith("Right") == (luck == 0.03)


def test_every_solution_of_lesson_09_is_right(capsys):
    solutions = list(solutions_of("09_what_if_lab"))
    assert len(solutions) == 2
    names = {"course": course, "checks": lesson_09, "table": LEAD_TABLE, "confirmed": CONFIRMED}
    for answer, solution in solutions:
        exec(answer, names)
        assert capsys.readouterr().out.startswith("No answer yet"), "the lesson is committed unanswered"
        exec(solution, names)
        exec(answer.splitlines()[-1], names)
        assert capsys.readouterr().out.startswith("Right:")


def test_a_file_without_known_names_is_told_which_parameters_to_set():
    named = sd.Recording(np.zeros((3, 100)), 100, ("vx", "V2", "I"), "somewhere/my_diy.csv")
    assert lesson_10.standard_leads_of(named).leads == ("I", "V2")
    words = r"my_diy.csv: none of ch1, ch2 is .* say with NAMES and GAIN what they are.* -y '\{NAMES: \{ch1: II\}\}'"
    with pytest.raises(sd.LeadError, match=words):
        lesson_10.standard_leads_of(sd.Recording(np.zeros((2, 100)), 100, ("ch1", "ch2"), "somewhere/my_diy.csv"))
