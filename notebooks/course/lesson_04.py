"""The self-checks of lesson 04, Random Lead Selection."""

import math
from collections.abc import Sequence
from numbers import Real

import numpy as np

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that
from course.lead_draws import FEW, MANY, at_least, at_most, masking_law, mean_leads, selection_law


def check_few(answer: object) -> str:
    """Is this (P(at most 2 leads) under selection, the same under masking)?"""
    if answer is None:
        return UNANSWERED
    if not _numbers(answer, 2):
        return "Not yet: two numbers are wanted, (under selection, under masking)."
    selection, masking = at_most(selection_law(), 2), at_most(masking_law(), 2)
    close = [bool(np.allclose(answer, right, atol=0.0011)) for right in ((selection, masking), (masking, selection))]
    slips = [
        (close[1], "the right numbers, the wrong way round. Selection first"),
        (max(answer) > 1, "these are percentages; write probabilities, from 0 to 1"),
        (_close(answer[0], 1 / 12), "1/12 is the probability of each count under selection. Two counts are at most 2"),
        (_close(answer[0], 2 / 13, 3 / 13), "selection never leaves 0 leads, so there are 12 counts, not 13"),
        (_close(answer[1], masking_law()[2]), "under masking this is exactly 2 leads. 1 lead and none count, too"),
        (
            not _close(answer[0], selection),
            "the first number is wrong. Of the 12 equally likely counts, how many are at most 2?",
        ),
    ]
    praise = f"{selection:.1%} under selection and {masking:.1%} under masking, {selection / masking:.1f} times less"
    otherwise = "the second number is wrong. Add the ways of choosing 0, 1 and 2 of 12 leads, and divide by 2¹²"
    return check_that(answer, close[0], praise, slips, otherwise)


def check_tensors(answer: object) -> str:
    """Is this (mean leads left by masking, lead slots sent by masking, mean leads left and sent by selection)?"""
    if answer is None:
        return UNANSWERED
    if not _numbers(answer, 3):
        return "Not yet: three numbers are wanted: left by masking, sent by masking, sent by selection."
    _, sent, selected = answer
    slips = [
        (_close(selected, 6), "selection is not masking: the mean of 1, 2, ..., 12 is wanted, not half of 12"),
        (not _close(selected, 6.5), "the last number is the mean of the counts 1, 2, ..., 12"),
        (_close(sent, 6), "masking zeroes leads and sends the zeros along. How many rows has its tensor?"),
        (not _close(sent, 12), "how many rows has the tensor that masking returns, whatever it zeroed?"),
    ]
    praise = (
        "masking leaves 6 leads on average and sends 12 rows for them; selection sends 6.5 rows, all of them leads, "
        f"{6.5 / 12:.0%} of the numbers"
    )
    otherwise = "the first number is 12 leads, each of them kept with probability 1/2"
    return check_that(answer, bool(np.allclose(answer, (6, 12, 6.5), atol=0.0011)), praise, slips, otherwise)


def check_p(p: object) -> str:
    """Does masking with this probability leave few leads as often as selection does?"""
    if p is None:
        return UNANSWERED
    if not _numbers((p,), 1) or not 0 <= p < 1:
        return f"Not yet: a probability from 0 to 1 is wanted, and this is {p!r}."
    wanted, found = at_most(selection_law(), FEW), at_most(masking_law(p), FEW)
    price = (
        f"with p = {p:g} masking leaves at most {FEW} leads in {found:.1%} of the views, at least {MANY} leads in "
        f"{at_least(masking_law(p), MANY):.2%}, and none in {masking_law(p)[0]:.2%}"
    )
    slips = [
        (found < wanted, f"{price}. Selection leaves so few in {wanted:.0%}; mask more"),
        (found > wanted, f"{price}. That is more often than selection's {wanted:.0%}; mask less"),
    ]
    paid = f"{price}. Selection leaves at least {MANY} in {at_least(selection_law(), MANY):.0%}, too: it rehearses both ends"
    return check_that(p, abs(found - wanted) < 0.01, paid, slips, "")


def check_watch(selection: object) -> str:
    """Does this selection rehearse one to three leads and nothing else?"""
    if selection is None:
        return UNANSWERED
    if not isinstance(selection, sd.RandomLeadSelection):
        return f"Not yet: write sd.RandomLeadSelection(min_leads=..., max_leads=...); this is a {type(selection).__name__}."
    law = selection.count_probabilities().numpy()
    useful = float(law[1 : FEW + 1].sum())
    slips = [
        (
            selection.max_leads > FEW,
            f"{1 - useful:.0%} of its views have more than {FEW} leads, which this watch will never see, and pays for them",
        ),
        (selection.min_leads > 1, f"no view has fewer than {selection.min_leads} leads, and today's watch has one"),
        (selection.max_leads < FEW, f"no view has more than {selection.max_leads}, and next year's watch has {FEW}"),
        (selection.law != "uniform", f"its law is {selection.law!r}: one lead in {law[1]:.0%} of the views. Leave it uniform"),
    ]
    praise = f"one, two and three leads in a third of the views each, and {mean_leads(law):g} leads in a tensor instead of 12"
    right = (selection.min_leads, selection.max_leads, selection.law) == (1, FEW, "uniform")
    return check_that(selection, right, praise, slips, "")


def check_bound(answer: object) -> str:
    """Is this the probability that at least two of six limb leads survive masking with p = 0.5?"""
    right = 57 / 64
    wrong = {
        1 - 1 / 64: "this is at least one. Subtract the six ways in which exactly one survives, too",
        1 - 6 / 64: "exactly one is only one of the two ways to have fewer than two. None is the other",
        15 / 64: "this is exactly two. Three, four, five and six will do as well",
        22 / 64: "this is at most two. At least two is asked for",
        7 / 64: "this is the probability that fewer than two survive. The opposite is asked for",
        100 * right: "this is a percentage; write a probability",
    }
    praise = "57 of 64, or 89 %: nine of ten times masking hides nothing of the limb leads"
    return check_number(
        answer, right, praise, wrong, "count, of the 64 ways to keep or lose six leads, those that keep at least two"
    )


def _close(number: float, *others: float) -> bool:
    return any(math.isclose(number, other, abs_tol=0.0011) for other in others)


def _numbers(answer: object, many: int) -> bool:
    whole = isinstance(answer, Sequence) and not isinstance(answer, str) and len(answer) == many
    return whole and all(isinstance(number, Real) and not isinstance(number, bool) for number in answer)
