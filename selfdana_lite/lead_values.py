"""What each lead is worth: exact Shapley values over all subsets.

A lead's gain depends on which leads are there already. Shapley's value (1953) is its mean gain over
all orders in which the leads could be added, one after the other, to none; the values of all leads
add up to the score of all leads less chance. Of 12! = 479 million orders only the 4,095 sets before and
after a lead matter, so a table with every subset gives the mean exactly.

Leads that say the same share its worth between them: a low value is no proof that a lead holds nothing.
"""

from math import comb

import numpy as np
import pandas as pd

from selfdana_lite.leads import LEADS, LeadError

CHANCE = 0.5  # the AUROC without any lead


def lead_values(table: pd.DataFrame) -> pd.DataFrame:
    """A row a lead, in the order of LEADS: lead, and its exact Shapley value for macro_auroc and for each class.

    table: what_if(clf, dataset, "all"), a row for every subset of n leads. Raises LeadError where one is missing or
    there twice.
    """
    sets = [row.split(", ") for row in table["lead_set"]]
    leads = [lead for lead in LEADS if any(lead in names for names in sets)]
    masks = np.array([sum(1 << leads.index(lead) for lead in names) for names in sets])
    _refuse_gaps(masks, leads)
    columns = table.columns.drop(["lead_set", "n_leads"])
    scores = np.full((2 ** len(leads), len(columns)), CHANCE)  # row m: the leads whose bits are set in m
    scores[masks] = table[columns]
    values = pd.DataFrame([_value(scores, bit) for bit in range(len(leads))], columns=columns)
    values.insert(0, "lead", leads)
    return values


def _value(scores: np.ndarray, bit: int) -> np.ndarray:
    """Mean gain of one lead over all orders: scores [2**n, columns] -> [columns]."""
    n = len(scores).bit_length() - 1
    masks = np.arange(len(scores))
    without = masks[masks >> bit & 1 == 0]
    gains = scores[without | 1 << bit] - scores[without]  # [2**(n - 1), columns]
    # An order puts any number of the other n - 1 leads before this one, each number as often, each set of them as often.
    weights = 1 / (n * np.array([comb(n - 1, size) for size in np.bitwise_count(without)]))
    return weights @ gains


def _refuse_gaps(masks: np.ndarray, leads: list[str]) -> None:
    missing = np.setdiff1d(np.arange(1, 2 ** len(leads)), masks)
    if len(missing) or len(masks) != 2 ** len(leads) - 1:
        first = "" if not len(missing) else f", {', '.join(leads[i] for i in range(len(leads)) if missing[0] >> i & 1)} for one"
        raise LeadError(
            f"The table has {len(masks)} lead sets; values of {len(leads)} leads take all {2 ** len(leads) - 1} subsets once "
            f'each ({len(missing)} are missing{first}). Make it with what_if(clf, dataset, "all").'
        )
