"""The self-checks of lesson 09, the what-if lab."""

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


def check_luck(luck: float | None, confirmed: pd.DataFrame) -> str:
    """Is `luck` how far the chosen pair falls short of the best pair on the other patients?"""
    by_size = confirmed.set_index("n_leads")
    pair, shortfall = by_size.loc[2], by_size["best_there"] - by_size["confirmed_score"]
    other_patients = "this compares different patients, and one half may simply be harder. Both scores must be of the others"
    wrong = {
        -shortfall[2]: "the sign is turned round. What is missing is the best there minus the confirmed score",
        pair["chosen_score"] - pair["confirmed_score"]: other_patients,
        pair["chosen_score"]
        - pair["best_there"]: "these are two best scores. What the chosen pair scores on the others is missing",
        shortfall.mean(): "this is the mean over all sizes. Take the row of two leads",
    }
    wrong |= {shortfall[n]: f"this is the row of {n} leads. Take the row of two" for n in by_size.index if n != 2}
    praise = f"{pair['lead_set']} falls short by {shortfall[2]:.3f}; it ranks {pair['rank']} on the other patients"
    return check_number(luck, shortfall[2], praise, wrong, "this is not best_there minus confirmed_score")
