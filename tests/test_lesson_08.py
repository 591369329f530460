"""Lesson 08: its checks take the right answer and explain wrong ones; what its text claims holds in its own table."""

import sys

import pandas as pd
import pytest
import torch
from notebook_runner import ROOT
from small import differing, small_dataset, weights

import selfdana_lite as sd

sys.path.append(str(ROOT / "notebooks"))
from course import lesson_08
from course.lesson_08 import by_leads, check_baselines, check_line, check_saved, claims, saved_percent

OURS = "lead-attention"
COUNTED = {  # model -> what 12, 3 and 1 leads cost
    "mix+zero-pad": (100.0, 100.0, 100.0),
    "mix+sliced": (100.0, 93.0, 90.0),
    "per-lead+zero-pad": (120.0, 120.0, 120.0),
    "lean-mix+zero-pad": (50.0, 50.0, 50.0),
    OURS: (120.0, 41.0, 20.0),
}


@pytest.fixture
def counts():
    """A table as of count_costs, with round numbers; three leads lie a little off the straight line."""
    sets = (("12-lead", 12), ("3-lead", 3), ("1-lead", 1))
    rows = [
        {"model": model, "lead_set": name, "n_leads": n, "gflop_per_recording": cost, "tensor_mb": 1.5 * cost}
        for model, costs in COUNTED.items()
        for (name, n), cost in zip(sets, costs, strict=True)
    ]
    return pd.DataFrame(rows)


def test_a_cost_by_leads_keeps_the_order(counts):
    wide = by_leads(counts, "tensor_mb")
    assert list(wide.index) == list(COUNTED)
    assert list(wide.columns) == ["12-lead", "3-lead", "1-lead"]
    assert wide.loc[OURS, "1-lead"] == 30.0


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (80.0, "Right: with one lead ours needs 80.0 % fewer operations than mix+zero-pad"),
        (80.04, "Right"),
        (None, "No answer yet"),
        (20.0, "this is what is left"),
        (0.8, "this is the share"),
        (400.0, "how much more the rival needs"),
        (100 * (1 - 20 / 120), "against per-lead+zero-pad, or ours at twelve leads, which costs the same"),
        (100 * (1 - 20 / 90), "this is against mix+sliced"),
        (60.0, "this is against lean-mix+zero-pad"),
        (-20.0, "this is the saving with twelve leads"),
        (59.0, "saved is 100 (1 - ours / rival's)"),
        ("80 %", "one number is wanted"),
    ],
)
def test_check_saved(counts, saved, said):
    found = check_saved(saved, counts)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


RIGHT = {"A": "per-lead+zero-pad", "B": "mix+zero-pad", "C": "lean-mix+zero-pad", "D": "mix+sliced"}


def test_the_claims_are_true_and_differ(counts):
    made = claims(counts)
    assert made.to_dict() == {letter: round(saved_percent(counts, "tensor_mb", name), 2) for letter, name in RIGHT.items()}
    assert made.is_unique


@pytest.mark.parametrize(
    ("against", "said"),
    [
        (RIGHT, "Right: one method, one machine, one lead, and four percentages"),
        (None, "No answer yet"),
        (RIGHT | {"A": "mix+zero-pad"}, "against mix+zero-pad ours saves 80.00 %, and claim A says 83.33 %"),
        (RIGHT | {"B": "mix+sliced"}, "against mix+sliced ours saves 77.78 %, and claim B says 80.00 %"),
        (dict(list(RIGHT.items())[:3]), "claim D has no baseline yet"),
        (RIGHT | {"C": "sliced"}, "sliced is none of the baselines mix+zero-pad, mix+sliced, per-lead+zero-pad, lean-mix"),
        ("mix+sliced", "a dictionary is wanted"),
        ({}, "claim A, B, C, D has no baseline yet"),
    ],
)
def test_check_baselines(counts, against, said):
    found = check_baselines(against, counts)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


ONE, TWELVE = 30.0, 180.0  # MB kept by ours
EACH = (TWELVE - ONE) / 11


@pytest.mark.parametrize(
    ("predicted", "said"),
    [
        (ONE + 2 * EACH, "Right: the line says 57.27 MB, counted are 61.50 MB: 13.64 MB for each lead and 16.36 fixed"),
        (None, "No answer yet"),
        (TWELVE / 4, "a quarter of twelve leads' cost"),
        (3 * ONE, "three times one lead's cost"),
        (ONE + 3 * EACH, "two leads more, not three"),
        (ONE + TWELVE / 6, "over 11, not a twelfth"),
        ((ONE + TWELVE) / 2, "this is the middle"),
        (ONE - EACH, "the fixed part alone"),
        (61.5, "go from 1 lead up by two steps"),
        (False, "one number is wanted"),
    ],
)
def test_check_line(counts, predicted, said):
    found = check_line(predicted, counts)
    assert said in found
    assert found.startswith("Right") == said.startswith("Right")


def test_the_libraries_weigh_what_a_fresh_process_holds():
    assert 100 < lesson_08.libraries_mb() < 1000


def test_a_matrix_product_is_timed(monkeypatch):
    clock = iter([10.0, 12.0])
    monkeypatch.setattr(lesson_08.time, "process_time", lambda: next(clock))
    assert lesson_08.matrix_gflop_per_s(size=100, repeats=5) == pytest.approx(2 * 100**3 * 5 / 2 / 1e9)


def test_the_models_are_trained_alike_and_nobody_else_s_draws_change():
    recordings = small_dataset(folds=[1, 2], records=24)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again = (lesson_08.train_alike(recordings, epochs=1, seed=0) for _ in range(2))
    assert torch.rand(1) == expected
    assert list(first) == [OURS, "mix+zero-pad", "lean-mix+zero-pad"]
    assert [clf.encoder.config.kind for clf in first.values()] == ["lead-attention", "zero-pad", "zero-pad-lean"]
    assert all(clf.leads == "any" and len(clf.history) == 1 for clf in first.values())
    assert not differing(weights(first[OURS]), weights(again[OURS]))


# What the lesson claims, in its own table


@pytest.fixture(scope="module")
def run(lesson):
    run = lesson("08")
    assert run.errors == ()
    return run


@pytest.fixture(scope="module")
def cost(run):
    """cost("counted", "tensor_mb"): a row a model, a column a number of leads."""

    def wide(kind, name):
        rows = run.results[(run.results["kind"] == kind) & (run.results["cost"] == name)]
        return rows.pivot(index="model", columns="n_leads", values="value")

    return wide


@pytest.mark.parametrize("name", ["gflop_per_recording", "tensor_mb"])
def test_counted_ours_falls_with_the_leads_and_zeros_stay_flat(cost, name):
    counted = cost("counted", name)
    assert counted.loc[OURS].is_monotonic_increasing
    for padded in ("mix+zero-pad", "per-lead+zero-pad", "lean-mix+zero-pad"):
        assert counted.loc[padded].max() / counted.loc[padded].min() < 1.001
    assert counted.loc[OURS, 1] < 0.6 * counted.loc["mix+zero-pad", 1]
    assert counted.loc[OURS, 1] < 0.6 * counted.loc["per-lead+zero-pad", 1]
    assert counted.loc[OURS, 1] < counted.loc["lean-mix+zero-pad", 1], "one lead is cheaper than a mixing network as narrow"
    assert counted.loc[OURS, 12] > counted.loc["lean-mix+zero-pad", 12], "and twelve are dearer"


def test_slicing_saves_little_and_ours_more(cost):
    counted = cost("counted", "gflop_per_recording")
    sliced = 1 - counted.loc["mix+sliced", 1] / counted.loc["mix+zero-pad", 1]
    assert 0 < sliced < 0.2
    assert 1 - counted.loc[OURS, 1] / counted.loc["mix+zero-pad", 1] > 2 * sliced


def test_the_cost_is_a_straight_line_in_the_leads_and_one_lead_is_below_it(cost):
    for name in ("gflop_per_recording", "tensor_mb"):
        ours = cost("counted", name).loc[OURS]
        line = ours[2] + (ours.index - 2) * (ours[12] - ours[2]) / 10
        assert ours.iloc[1:].to_numpy() == pytest.approx(line[1:].to_numpy(), rel=0.01)
        assert 0.85 * line[0] < ours[1] < line[0], "a single lead needs no attention weights"


@pytest.mark.parametrize(("name", "most"), [("peak_cpu_mb", 0.8), ("epoch_cpu_s", 0.9)])
def test_measured_ours_is_cheaper_without_zeros_and_than_the_usual(cost, name, most):
    measured = cost("measured", name)[1]  # counted, it is far less; a busy machine and small batches blur it
    assert measured[OURS] < most * measured["per-lead+zero-pad"]
    assert measured[OURS] < most * measured["mix+zero-pad"]


def test_what_needs_a_gpu_is_measured_or_said_not_to_be(cost, run):
    measured = run.results[(run.results["kind"] == "measured") & run.results["cost"].str.contains("gpu")]
    shown = "".join(o.get("data", {}).get("text/markdown", "") for cell in run.notebook.cells for o in cell.get("outputs", []))
    assert measured["value"].isna().all() == ("not measured, for want of a GPU" in shown)


def test_scores_stand_beside_costs(cost):
    scored = cost("scored", "macro_auroc")
    assert scored.shape == (3, 3)
    assert scored.gt(0.4).all(axis=None)


def test_its_column_is_ours_over_the_usual(run, cost):
    counted = cost("counted", "gflop_per_recording")
    ratio = (counted.loc[OURS] / counted.loc["mix+zero-pad"]).to_dict()
    mine = run.my_results.set_index("lead_set")["value"]
    assert {len(sd.LEAD_SETS[name]): value for name, value in mine.items()} == pytest.approx(ratio, abs=1e-6)


def test_with_its_solutions_every_answer_is_right(solved_lesson):
    run = solved_lesson("08")
    assert run.errors == ()
    said = [o.text for cell in run.notebook.cells for o in cell.get("outputs", []) if o.output_type == "stream"]
    assert sum(text.count("Right: ") for text in said) == 3
