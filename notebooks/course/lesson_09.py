"""The self-checks of lesson 09, the what-if lab."""

from numbers import Real

import pandas as pd

from course.checks import UNANSWERED, near, one_number


def check_worth(worth: float | None, table: pd.DataFrame) -> str:
    """Is `worth` the Shapley value of V2, were there only the leads I and V2?"""
    if worth is None:
        return UNANSWERED
    if not isinstance(worth, Real):
        return one_number(worth)
    score = table.set_index("lead_set")["macro_auroc"]
    first, second, both = score["V2"] - 0.5, score["I, V2"] - score["I"], score["I, V2"] - 0.5
    if near(worth, (first + second) / 2):
        return f"Right: V2 gains {first:+.3f} if it comes first and {second:+.3f} after I; the mean is {worth:+.3f}."
    wrong = {
        first + second: "this is the sum of the gains in both orders. Each order is as likely: take the mean",
        first: "this is what V2 gains if it comes first. In the other order I is there already",
        second: "this is what V2 gains after I. In the other order it comes first, and starts from chance",
        (score["V2"] + second) / 2: "without any lead the score is not 0 but 0.5, chance, so V2 gains less if it comes first",
        both - (first + second) / 2: "this is the value of I. V2 was asked for",
        both: "this is what both leads are worth together. V2 gets its mean gain over the two orders",
    }
    why = next((why for value, why in wrong.items() if near(worth, value)), f"{worth:.3f} is not the mean of V2's two gains")
    return f"Not yet: {why}."


def check_luck(luck: float | None, confirmed: pd.DataFrame) -> str:
    """Is `luck` how far the chosen pair falls short of the best pair on the other patients?"""
    if luck is None:
        return UNANSWERED
    if not isinstance(luck, Real):
        return one_number(luck)
    by_size = confirmed.set_index("n_leads")
    pair, shortfall = by_size.loc[2], by_size["best_there"] - by_size["confirmed_score"]
    if near(luck, shortfall[2]):
        return f"Right: {pair['lead_set']} falls short by {shortfall[2]:.3f}; it ranks {pair['rank']} on the other patients."
    wrong = {
        -shortfall[2]: "the sign is turned round. What is missing is the best there minus the confirmed score",
        pair["chosen_score"] - pair["confirmed_score"]: (
            "this compares different patients, and one half may simply be harder. Both scores must be of the other patients"
        ),
        pair["chosen_score"]
        - pair["best_there"]: "these are two best scores. What the chosen pair scores on the others is missing",
        shortfall.mean(): "this is the mean over all sizes. Take the row of two leads",
    }
    others = [n for n in by_size.index if n != 2 and near(luck, shortfall[n])]
    wrong |= {shortfall[n]: f"this is the row of {n} leads. Take the row of two" for n in others}
    why = next(
        (why for value, why in wrong.items() if near(luck, value)), f"{luck:.3f} is not best_there minus confirmed_score"
    )
    return f"Not yet: {why}."
