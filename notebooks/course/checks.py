"""How a self-check judges an answer: no answer, not a number, right, a known slip with its reason, or simply wrong.

Every check returns one line that begins with "Right:", "Not yet:" or "No answer yet". A slip that students make is
worth a sentence of its own; `wrong` maps the number that it leads to onto that sentence.
"""

import math
from collections.abc import Iterable, Mapping
from numbers import Real

UNANSWERED = "No answer yet: replace None, then run the cell again."
TOLERANCE = 0.0011  # the difference of two numbers copied from a table with three digits will do


def near(answer: float, right: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers are the same but for rounding."""
    return math.isclose(answer, right, rel_tol=0, abs_tol=tolerance)


def check_number(
    answer: object,
    right: float,
    praise: str,
    wrong: Mapping[float, str] | Iterable[tuple[float, str]],
    otherwise: str,
    tolerance: float = TOLERANCE,
) -> str:
    """Judge one number. praise, the sentences of wrong, and otherwise: without "Right:", "Not yet:" and the full stop."""
    if answer is None:
        return UNANSWERED
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return f"Not yet: one number is wanted, and this is a {type(answer).__name__}."
    if near(answer, right, tolerance):
        return f"Right: {praise}."
    if answer in [float(f"{right:.{digits}g}") for digits in ((2, 3) if abs(right) < 1 else (3,))]:
        return "Not yet: this looks right, but rounded; hand over the number itself, or more of its digits."
    slips = wrong.items() if isinstance(wrong, Mapping) else wrong
    why = next((why for value, why in slips if near(answer, value, tolerance)), otherwise)
    return f"Not yet: {why}."


def check_that(answer: object, right: bool, praise: str, slips: Iterable[tuple[bool, str]], otherwise: str) -> str:
    """Judge an answer that is not a number: right as it stands, or the first slip that applies, with its reason."""
    if answer is None:
        return UNANSWERED
    if right:
        return f"Right: {praise}."
    return f"Not yet: {next((why for applies, why in slips if applies), otherwise)}."
