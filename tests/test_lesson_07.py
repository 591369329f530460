"""Lesson 07: its checks take the right answer and explain wrong ones; what its text claims holds in its own table."""

import sys

import numpy as np
import pandas as pd
import pytest
from notebook_runner import ROOT
from small import small_dataset

import selfdana_lite as sd
from selfdana_lite.scores import Difference, Scores, auroc, score_difference

sys.path.append(str(ROOT / "notebooks"))
from course import lesson_07


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[9, 10], records=120)


@pytest.fixture(scope="module")
def predicted(recordings):
    """A fair reader: the label, and as much noise."""
    return recordings.labels + np.random.default_rng(0).normal(size=recordings.labels.shape)


@pytest.fixture(scope="module")
def drawn(recordings):
    patients = np.unique(recordings.patient_ids)
    return np.random.default_rng(1).choice(patients, (60, len(patients)))


# Exercise 1, by hand


@pytest.fixture(scope="module")
def macro(recordings, predicted, drawn):
    """The macro AUROC of each resample, with copies; and with each patient drawn counted once."""

    def of(rows):
        return np.mean([auroc(recordings.labels[rows, c], predicted[rows, c])[0] for c in range(len(recordings.label_names))])

    copies = [np.concatenate([np.flatnonzero(recordings.patient_ids == one) for one in people]) for people in drawn]
    once = [np.flatnonzero(np.isin(recordings.patient_ids, people)) for people in drawn]
    return np.array([[of(rows) for rows in each] for each in (copies, once)])


def test_the_interval_by_hand_is_right(macro, recordings, predicted, drawn):
    low, high = np.nanpercentile(macro[0], [2.5, 97.5])
    said = lesson_07.check_interval((low, high), recordings, predicted, drawn)
    assert said.startswith(f"Right: 95 % of the 60 resamples score between {low:.3f} and {high:.3f}.")
    assert lesson_07.check_interval([round(low, 3), round(high, 3)], recordings, predicted, drawn).startswith("Right")
    assert lesson_07.check_interval(np.array([low, high]), recordings, predicted, drawn).startswith("Right")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda m: None, "No answer yet"),
        (lambda m: np.nanpercentile(m[0], [97.5, 2.5]), "have changed places"),
        (lambda m: np.nanpercentile(m[1], [2.5, 97.5]), "drawn twice must count twice"),
        (lambda m: np.nanpercentile(m[0], [5, 95]), "between these two lie 90 %"),
        (lambda m: (np.nanmin(m[0]), np.nanmax(m[0])), "the lowest and the highest"),
        (lambda m: np.nanmean(m[0]) + 1.96 * np.nanstd(m[0]) * np.array([-1, 1]), "takes a bell curve for granted"),
        (lambda m: (np.nan, np.nan), "np.nanpercentile passes over it"),
        (lambda m: m[0].mean(), "two numbers are wanted"),
        (lambda m: m[0], "two numbers are wanted"),
        (lambda m: "0.7", "two numbers are wanted"),
        (lambda m: (0.2, 0.3), "For each row of drawn"),
    ],
)
def test_an_interval_made_otherwise_is_told_apart(macro, recordings, predicted, drawn, wrong, said):
    found = lesson_07.check_interval(wrong(macro), recordings, predicted, drawn)
    assert said in found
    assert not found.startswith("Right")


# Exercise 2, claims


class Reader:
    """Stands for a classifier; the paired intervals of its claims are given below."""


ONE, OWN = Reader(), {"1-lead": Reader()}
GAPS = {"12-lead": (0.10, 0.05, 0.15), "2-lead": (0.02, -0.01, 0.05), "1-lead": (0.03, 0.01, 0.05)}  # A, B, C


@pytest.fixture
def oracle(monkeypatch):
    def compare(first, second, dataset, leads, second_leads):
        value, low, high = GAPS[leads]
        return Difference(value, (low, high), {}, {}, 1, 1)

    def evaluate(clf, dataset, leads):
        low = {"12-lead": 0.85, "1-lead": 0.70, "2-lead": 0.75, "6-lead": 0.73}[leads]
        return Scores(low, (low, low + 0.1), {}, {}, 1, 1)

    monkeypatch.setattr(sd, "compare", compare)
    monkeypatch.setattr(sd, "evaluate", evaluate)


@pytest.mark.parametrize(
    ("supported", "said"),
    [
        ("A, C", "Right: the paired intervals are A [+0.050, +0.150], B [-0.010, +0.050], C [+0.010, +0.050]"),
        ("ca", "Right"),
        (["A", "C"], "Right"),
        (None, "No answer yet"),
        ("A, B, C", "all whose difference is above zero"),
        ("A", "whose two intervals do not overlap. Others may differ too"),
        ("", "look again at A, C."),
        ("B", "look again at A, B, C."),
        ("A, D", "D is none of A, B, C"),
        (2, "letters are wanted as text"),
    ],
)
def test_check_claims(oracle, supported, said):
    found = lesson_07.check_claims(supported, ONE, OWN, None)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


# Exercise 3, fairness


@pytest.mark.parametrize(
    ("unfair", "said"),
    [
        ("B, D, E", "Right: B: only one side was tuned"),
        ("e and b and d", "Right"),
        (None, "No answer yet"),
        ("B", "1 found, 2 still missing"),
        ("", "0 found, 3 still missing"),
        ("A, B, D, E", "A is fair: only pre-training differs"),
        ("C", "C is fair: encoder, recordings and leads are the same"),
        ("F", "F is none of A, B, C, D, E"),
        (3, "letters are wanted as text"),
    ],
)
def test_check_unfair(unfair, said):
    found = lesson_07.check_unfair(unfair)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


# What the lesson counts


def test_independent_leads_are_the_rank_of_real_signals():
    recordings = sd.EcgDataset.open().where(folds=[9])
    for leads in (*sd.LEAD_SETS.values(), ("aVR", "aVF", "V1"), ("III",), ("V1", "V6")):
        signals = recordings.batch(range(5), leads).numpy().transpose(1, 0, 2).reshape(len(leads), -1)
        assert np.linalg.matrix_rank(signals, tol=1.0) == lesson_07.independent(leads)  # rounding to 1 uV is far below


def test_a_coin_leaves_nothing_but_false_alarms(recordings, predicted):
    """A reader and one who guesses differ for sure; after the tosses an interval leaves zero out about one time in twenty."""
    guess = np.random.default_rng(2).normal(size=predicted.shape)
    facts = recordings.label_names, recordings.patient_ids
    assert score_difference(recordings.labels, predicted, guess, *facts).excludes_zero
    found = lesson_07.false_alarms(recordings, {"I": predicted}, {"I": guess}, times=60, seed=0, bootstrap=100)
    assert found.shape == (60, 1)
    assert found["I"].mean() < 0.2
    again = lesson_07.false_alarms(recordings, {"I": predicted}, {"I": guess}, times=60, seed=0, bootstrap=100)
    pd.testing.assert_frame_equal(found, again)


# What the lesson claims, in its own table


@pytest.fixture(scope="module")
def results(lesson):
    run = lesson("07")
    assert run.errors == ()
    return run.results


@pytest.fixture(scope="module")
def by_stage(results):
    scored = results[(results["kind"] == "score") & (results["model"] == "shipped")]
    return scored.pivot(index="lead_set", columns="stage", values="macro_auroc")


def test_an_own_head_is_no_worse_than_the_one_head(by_stage):
    gain = by_stage["own head"] - by_stage["one head"]
    assert gain.mean() > -0.02  # on average over six sets; a set alone may fall behind by luck
    assert gain.min() > -0.05


def test_sets_with_the_same_information_score_alike(by_stage):
    for more, fewer in (("6-lead", "2-lead"), ("4-lead", "3-lead")):
        gap = (by_stage.loc[more] - by_stage.loc[fewer]).abs()
        assert gap.max() < 0.08, f"{more} and {fewer}; a habit of the model, but a small one"


def test_six_leads_computed_from_two_are_six_leads(results):
    computed = results[results["model"] == "6 computed - 6 recorded"]["macro_auroc"].item()
    assert abs(computed) < 0.003  # of rounding to a microvolt


def test_a_paired_interval_is_narrower_than_unpaired_ones(results):
    scored = results[(results["kind"] == "score") & (results["model"] == "shipped")]
    width = (scored["high"] - scored["low"]).groupby(scored["lead_set"])
    gaps = results[results["model"] == "own head - one head"].set_index("comparison")
    paired = gaps["high"] - gaps["low"]
    assert set(paired.index) == set(sd.LEAD_SETS)
    assert (paired < width.sum()[paired.index]).all()
    assert paired.mean() < 0.9 * width.apply(lambda both: np.hypot(*both)).mean()


def test_twelve_leads_beat_one(results):
    gap = results[results["comparison"] == "12-lead - 1-lead, own head"].iloc[0]
    assert gap["macro_auroc"] > 0


def test_the_rivals_are_near_each_other_and_have_all_their_controls(results):
    rivals = results[(results["kind"] == "score") & results["model"].isin(["lead-attention", "zero-pad-lean"])]
    counts = rivals.groupby(["model", "stage"]).size()
    assert len(counts) == 6
    assert counts.nunique() == 1
    gaps = results[results["model"] == "lead-attention - zero-pad-lean"]
    trained = gaps[gaps["stage"] == "pre-trained"]
    assert trained["seed"].nunique() >= 2
    assert abs(trained["macro_auroc"].mean()) < 0.15  # parity, within the noise of few recordings, few epochs and few seeds
    wide = rivals.pivot(index=["stage", "lead_set", "seed"], columns="model", values="macro_auroc")
    expected = (wide["lead-attention"] - wide["zero-pad-lean"]).loc[
        pd.MultiIndex.from_frame(gaps[["stage", "lead_set", "seed"]])
    ]
    np.testing.assert_allclose(gaps["macro_auroc"], expected, atol=1e-6)


def test_its_column_is_the_score_with_one_head(lesson, by_stage):
    mine = lesson("07").my_results.set_index("lead_set")["value"]
    assert mine.to_dict() == pytest.approx(by_stage["one head"].to_dict(), abs=1e-6)


def test_with_its_solutions_every_answer_is_right(solved_lesson):
    run = solved_lesson("07")
    assert run.errors == ()
    said = [o.text for cell in run.notebook.cells for o in cell.get("outputs", []) if o.output_type == "stream"]
    assert sum(text.count("Right: ") for text in said) == 3
