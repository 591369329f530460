"""Lesson 09: its checks say what is wrong, and what it claims of lead sets and lead values holds."""

import pandas as pd
import pytest
from course import lesson_09

import selfdana_lite as sd

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
        (0.5, "this is not the mean"),
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
        "best_there": [0.78, 0.83, 0.91],
        "rank": [2, 5, 9],
    }
)


@pytest.mark.parametrize(
    ("short", "said"),
    [
        (0.08, "Right: I, V2, V5 fall short by 0.080; of 220 sets of three they rank 9"),
        (None, "No answer yet"),
        ([0.08], "one number"),
        (-0.08, "sign"),
        (0.09, "different patients"),
        (0.01, "two best scores"),
        (0.0433, "mean over all sizes"),
        (0.03, "this is the row of 2 leads"),
        (0.5, "this is not best_there minus confirmed_score"),
    ],
)
def test_check_shortfall(short, said):
    assert said in lesson_09.check_shortfall(short, CONFIRMED)
    assert lesson_09.check_shortfall(short, CONFIRMED).startswith("Right") == (short == 0.08)


@pytest.fixture(scope="module")
def table(lesson):
    """Every lead set and its score, as the lesson wrote them."""
    return lesson("09").results[["lead_set", "n_leads", "macro_auroc"]]


def test_the_values_of_all_leads_add_up_to_the_score_of_all_less_chance(table):
    assert len(table) == 4095
    all_leads = table.loc[table["n_leads"] == 12, "macro_auroc"].item()
    assert sd.lead_values(table)["macro_auroc"].sum() == pytest.approx(all_leads - 0.5, abs=1e-6)  # rounded in the CSV


def test_which_two_leads_matters_more_than_how_many(table):
    """From the worst pair to the best it is farther than from the average pair to all twelve leads."""
    by_size = table.groupby("n_leads")["macro_auroc"].agg(["min", "mean", "max"])
    assert by_size.loc[2, "max"] - by_size.loc[2, "min"] > by_size.loc[12, "mean"] - by_size.loc[2, "mean"]


def test_fewer_than_twelve_leads_score_highest(table):
    best = table.loc[table["macro_auroc"].idxmax()]
    assert best["n_leads"] < 12


def test_a_chest_lead_adds_more_to_two_limb_leads_than_a_third_limb_lead(table):
    gain = sd.next_lead(table, "I, II").set_index("lead")["gain"]
    assert gain[list(sd.LEADS[6:])].mean() > gain[["III", "aVR", "aVL", "aVF"]].mean()
