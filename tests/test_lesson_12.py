"""Lesson 12: its checks say what is wrong, its sums are right, and what it claims of speed, resuming and budgets holds."""

import numpy as np
import pandas as pd
import pytest
import torch
from course import lesson_12
from course.budget_lab import BudgetLab, budget_figure, describe_budget
from hypothesis import given
from hypothesis import strategies as st
from small import differing, seeded_encoder, small_dataset, weights

import selfdana_lite as sd

PRICED = pd.DataFrame(
    {
        "lead_set": ["I", "V2", "I, II", "I, V2", "I, II, V2", ", ".join(sd.LEADS)],
        "n_leads": [1, 1, 2, 2, 3, 12],
        "macro_auroc": [0.70, 0.65, 0.74, 0.80, 0.82, 0.85],
        "gflop": [0.2, 0.2, 0.3, 0.3, 0.4, 1.0],
    }
)
OTHERS = PRICED.assign(macro_auroc=[0.72, 0.60, 0.79, 0.77, 0.80, 0.84])


# The checks

PTBXL = lesson_12.PTBXL_TRAINING
HOURS = PTBXL * 100 / 200 / 3600  # 100 epochs at 200 recordings a second


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (HOURS, "Right: 2.4 hours"),
        (round(HOURS, 2), "Right: 2.4 hours"),
        (None, "No answer yet"),
        (3600 * HOURS, "Not yet: these are seconds"),
        (60 * HOURS, "Not yet: these are minutes"),
        (HOURS / 100, "Not yet: this is one epoch"),
        (HOURS * lesson_12.PTBXL_RECORDINGS / PTBXL, "Not yet: this trains on all folds"),
        (100 * HOURS, "Not yet: recordings times epochs"),
        ("2.4", "Not yet: one number is wanted"),
    ],
)
def test_check_hours(hours, said):
    assert lesson_12.check_hours(hours, 200.0, 100).startswith(said)


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        (60 * 8 / 273, "Right: 480 steps are 1.76 epochs: the larger dataset is seen a few times"),
        (None, "No answer yet"),
        (60, "Not yet: with as many epochs the larger dataset takes 16,380 steps, not 480"),
        (480, "Not yet: these are the steps. How many"),
        (60 * 273 / 8, "Not yet: the ratio is upside down"),
        (273, "Not yet: these are the steps of one epoch"),
        (3, "Not yet: steps of the small run"),
        ([1.76], "Not yet: one number is wanted"),
    ],
)
def test_check_epochs(epochs, said):
    assert lesson_12.check_epochs(epochs, 473, 60, PTBXL, 64).startswith(said)


def test_a_dataset_that_is_not_seen_once_is_called_so():
    assert "not even once" in lesson_12.check_epochs(8 * 10 / 273, 473, 10, PTBXL, 64)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("I, V2", "Right: I, V2, 0.800 on the patients who chose, 0.770 on the others."),
        (("v2", "i"), "Right: I, V2"),
        (None, "No answer yet"),
        ("I, II, V2", "Not yet: I, II, V2 costs 0.4, more than the budget of 0.35"),
        ("12-lead", "Not yet: I, II, III, aVR"),
        ("I, II", "Not yet: I, II is best on the confirming patients"),
        ("I", "Not yet: I is affordable and scores 0.700; another affordable set scores 0.800"),
        ("V6", "Not yet: V6 was not scored"),
        ("V9", "Not yet: Unknown lead 'V9'"),
        (0.8, "Not yet: found the number 0.8"),
    ],
)
def test_check_choice(choice, said):
    assert lesson_12.check_choice(choice, PRICED, OTHERS, 0.35).startswith(said)


# What the lesson computes with


@given(st.integers(1, 5000), st.integers(1, 256), st.integers(1, 50))
def test_steps_are_batches_counted_one_by_one(recordings, batch_size, epochs):
    assert lesson_12.steps_in(recordings, batch_size, epochs) == epochs * len(range(0, recordings, batch_size))


@given(st.floats(0.05, 0.5), st.floats(0.05, 0.9), st.floats(0, 0.1))
def test_a_power_law_is_found_from_points_on_it(b, c, floor):
    n = np.array([20, 50, 100, 400])
    law = lesson_12.power_law(n, 1 - floor - b * n**-c, floor)
    assert law(17_418) == pytest.approx(1 - floor - b * 17_418**-c, abs=1e-6)


def test_two_curves_agree_where_they_were_fitted_and_part_far_out():
    n, auroc = np.array([25, 50, 100, 200]), np.array([0.70, 0.74, 0.77, 0.79])
    one, other = lesson_12.fitted_curves(n, auroc).values()
    assert np.abs(one(n) - auroc).max() < 0.01
    assert np.abs(other(n) - auroc).max() < 0.01
    assert one(17_418) - other(17_418) > 3 * np.abs(one(n) - other(n)).max()
    assert other(1e12) < 1 - 0.1
    assert one(1e12) > other(1e12)


def test_larger_sets_grow_from_the_best_of_the_size_before(monkeypatch):
    worth = dict(zip(sd.LEADS, np.random.default_rng(0).random(12), strict=True))

    def what_if(clf, dataset, lead_sets):
        sets = [tuple(sorted(leads, key=sd.LEADS.index)) for leads in lead_sets]
        scores = [sum(worth[lead] for lead in leads) for leads in sets]
        return pd.DataFrame(
            {"lead_set": [", ".join(leads) for leads in sets], "n_leads": [*map(len, sets)], "macro_auroc": scores}
        )

    monkeypatch.setattr(sd, "what_if", what_if)
    table = lesson_12.scored_sets(None, None, most=2)
    assert not table["lead_set"].duplicated().any()
    assert table["n_leads"].value_counts().sort_index().tolist() == [12, 66, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    ranked = sorted(worth, key=worth.get, reverse=True)
    for n, rows in table.groupby("n_leads"):  # what leads add here is a sum, so greedy is exact
        best = rows.loc[rows["macro_auroc"].idxmax(), "lead_set"]
        assert set(best.split(", ")) == set(ranked[:n])


def test_after_a_power_cut_the_same_call_goes_on_to_the_same_weights(tmp_path):
    recordings, config = small_dataset([1], 20, 128), sd.PretrainConfig(epochs=2, batch_size=10)

    def run(**options):
        encoder = seeded_encoder()
        sd.pretrain(encoder, recordings, config, progress=False, **options)
        return weights(encoder)

    file = tmp_path / "run.safetensors"
    with pytest.raises(lesson_12.PowerCut, match="in epoch 1"):
        run(checkpoint=file, after_epoch=lesson_12.power_cut_after(1))
    assert differing(run(checkpoint=file), run()) == set()


# The widget


def test_the_budget_buys_the_best_that_it_can_pay():
    lab = BudgetLab(PRICED, OTHERS, percent=35)
    assert lab.budget.min == 20, "the cheapest set can always be paid"
    assert "buys I, V2 (30%): 0.800 on the patients who chose, 0.770 on others; all leads have 0.840" in lab.figure.text
    lab.budget.value = 100
    assert f"buys {', '.join(sd.LEADS)} (100%)" in lab.figure.text
    lab.budget.value = 20
    assert "buys I (20%): 0.700" in lab.figure.text
    assert lab.figure.text in lab.static_html()


def test_only_sets_that_nothing_cheaper_beats_are_on_the_front():
    worse = PRICED.assign(macro_auroc=[0.70, 0.65, 0.69, 0.60, 0.82, 0.80])
    figure = budget_figure(worse, 0.35)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["Pareto front"].y) == [0.70, 0.82]
    assert list(by_name["bought"].y) == [0.70]
    assert "buys I (20%)" in describe_budget(worse, OTHERS, 0.35)


# What the lesson claims, on the samples


@pytest.fixture(scope="module")
def values(lesson):
    run = lesson("12")
    assert run.errors == ()
    return run.results.set_index(["section", "what", "quantity"])["value"]


def test_a_run_that_was_cut_ends_as_if_it_had_not_been(values):
    assert values["resume"].item() == 0


def test_bytes_and_operations_fall_with_the_leads(values):
    size = values["bytes"].droplevel("quantity")
    assert size["12-lead"] == 12 * size["1-lead"] == 24_000
    gflop = values["cost"].droplevel("quantity")
    gflop.index = gflop.index.astype(int)
    assert gflop.sort_index().is_monotonic_increasing
    assert gflop[12] / 12 < gflop[1] < 0.8 * gflop[12], "more than a twelfth: the trunk is always paid"
    growth = gflop.sort_index().diff().dropna()
    assert growth.max() / growth.min() == pytest.approx(1, abs=0.05), "each lead costs the same"


def test_the_hours_follow_from_the_speed(values):
    throughput = values["throughput"].droplevel("what")
    assert throughput["hours_for_ptbxl"] == pytest.approx(PTBXL * 60 / throughput["recordings_per_s"] / 3600)


def test_curves_that_agree_here_part_at_the_size_of_ptbxl(values):
    far = values["extrapolated"].unstack("quantity")
    gaps = (far.loc["goes on to 1"] - far.loc["stops half way"]).abs()
    assert gaps["at_ptbxl"] > 2 * gaps["at_all"]


def test_what_was_chosen_is_no_better_on_other_patients_than_the_best_there(values):
    tables = {name: values[name].droplevel("quantity") for name in ("choosing", "confirming")}
    assert set(tables["choosing"].index) == set(tables["confirming"].index)
    chosen = tables["choosing"].idxmax()
    assert tables["confirming"][chosen] <= tables["confirming"].max()
    assert ", ".join(sd.LEADS) in tables["choosing"].index
    assert torch.tensor(tables["choosing"].to_numpy()).isfinite().all()
