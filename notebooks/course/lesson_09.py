"""The self-checks of lesson 09, the what-if lab."""

from math import comb

import pandas as pd

from course.checks import check_number


def check_worth(worth: float | None, table: pd.DataFrame) -> str:
    """Is `worth` the Shapley value of V2, were there only the leads I and V2?"""
    score = table.set_index("lead_set")["macro_auroc"]
    first, second, both = score["V2"] - 0.5, score["I, V2"] - score["I"], score["I, V2"] - 0.5
    right = (first + second) / 2
    wrong = {
        first + second: "this is the sum of the gains in both orders. Each order is as likely: take the mean",
        first: "this is what V2 gains if it comes first. In the other order I is there already",
        second: "this is what V2 gains after I. In the other order it comes first, and starts from chance",
        (score["V2"] + second) / 2: "without any lead the score is not 0 but 0.5, chance, so V2 gains less if it comes first",
        both - right: "this is the value of I. V2 was asked for",
        both: "this is what both leads are worth together. V2 gets its mean gain over the two orders",
    }
    praise = f"V2 gains {first:+.3f} if it comes first and {second:+.3f} after I; the mean is {right:+.3f}"
    return check_number(worth, right, praise, wrong, "this is not the mean of V2's two gains")


def check_shortfall(short: float | None, confirmed: pd.DataFrame) -> str:
    """Is `short` how far the chosen three leads fall short of the best three on the other patients?"""
    by_size = confirmed.set_index("n_leads")
    trio, shortfall = by_size.loc[3], by_size["best_there"] - by_size["confirmed_score"]
    other_patients = "this compares different patients, and one half may simply be harder. Both scores must be of the others"
    wrong = {
        -shortfall[3]: "the sign is turned round. What is missing is the best there minus the confirmed score",
        trio["chosen_score"] - trio["confirmed_score"]: other_patients,
        trio["chosen_score"]
        - trio["best_there"]: "these are two best scores. What the chosen leads score on the others is missing",
        shortfall.mean(): "this is the mean over all sizes. Take the row of three leads",
    }
    wrong |= {shortfall[n]: f"this is the row of {n} leads. Take the row of three" for n in by_size.index if n != 3}
    rank = f"of {comb(12, 3)} sets of three they rank {trio['rank']} on the other patients"
    praise = f"{trio['lead_set']} fall short by {shortfall[3]:.3f}; {rank}"
    return check_number(short, shortfall[3], praise, wrong, "this is not best_there minus confirmed_score")
