"""The self-checks of lesson 02, The missing-lead problem."""

from collections.abc import Iterable

from torch import Tensor, nn

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that
from course.padding_lab import BREAKING, PREPARATIONS, largest_gap
from selfdana_lite.leads import lead_ids


def check_kernel(kernel: Tensor | None, conv: nn.Conv1d, signals_mv: Tensor, leads: str | Iterable[str]) -> str:
    """Does the kernel give, on the leads that are there, what the whole one gives with zeros for the others?"""
    if kernel is None:
        return UNANSWERED
    ids, weight = lead_ids(leads), conv.weight.data
    if not isinstance(kernel, Tensor):
        return f"Not yet: a tensor is wanted, and this is a {type(kernel).__name__}."
    found, wanted = list(kernel.shape), [len(weight), len(ids), weight.shape[2]]
    slips = [
        (found == list(weight.shape), "this is the whole kernel, still with a column for every lead"),
        (
            found == [len(ids), *weight.shape[1:]],
            "the first axis was sliced. It counts output channels; leads are the second axis",
        ),
        (found[:2] == [wanted[0], 1], "the columns were merged into one. Each lead keeps its own"),
        (found != wanted, f"the shape is {found}; wanted is {wanted}: output channels, leads that are there, kernel length"),
        (found == wanted and kernel.equal(weight[:, : len(ids)]), "these are the first columns. V2 is not the third of twelve"),
        (found == wanted and _columns(kernel) == _columns(weight[:, ids]), "the columns are in another order than the leads"),
    ]
    same = found == wanted and kernel.equal(weight[:, ids])
    gap = largest_gap(conv, signals_mv, leads)
    praise = (
        f"{found} does the work of {list(weight.shape)}; on these recordings the two differ by {gap:.0e} of the largest number"
    )
    return check_that(kernel, same, praise, slips, "the shape is right, but these are not the columns of the leads there")


def _columns(kernel: Tensor) -> set[tuple[float, ...]]:
    """The columns of a kernel [C, leads, K], in no order."""
    return {tuple(column.flatten().tolist()) for column in kernel.unbind(dim=1)}


def check_breaking(letters: Iterable[str] | None) -> str:
    """Are these the preparations that part the padded way from the sliced one?"""
    if letters is None:
        return UNANSWERED
    try:
        named = {
            str(letter).strip().upper()
            for letter in (letters.replace("and", " ").replace(",", " ") if isinstance(letters, str) else letters)
            if str(letter).strip()
        }
    except TypeError:
        return f'Not yet: letters are wanted, for example "A, B"; this is a {type(letters).__name__}.'
    unknown = sorted(named - set(PREPARATIONS))
    slips = [
        (bool(unknown), f"{', '.join(unknown)} is none of {', '.join(PREPARATIONS)}"),
        ("A" in named, "A looks at one lead at a time, and the mean of zeros is 0: an absent lead stays zero"),
        ("B" in named, "B divides by the largest absolute value, and zeros do not make it larger"),
        ("C" not in named, "C takes the mean of all leads: zeros pull it down, and the absent leads get minus it"),
        ("D" not in named, "D pools all samples: zeros make their standard deviation smaller, so what is there grows"),
    ]
    praise = (
        "C and D pool leads into a mean or a deviation, which zeros change. A looks at one lead, and zeros do not "
        "change B's largest "
        "absolute value"
    )
    return check_that(letters, named == BREAKING, praise, slips, "of the four, two pool leads in a way that zeros change")


def check_zeros(share: float | None, n_leads: int = 1) -> str:
    """Is this the share of the input's bytes that is zeros, with so many leads?"""
    twelve = len(sd.LEADS)
    right = (twelve - n_leads) / twelve
    wrong = {
        n_leads / twelve: "this is the share of what is there. The zeros are the rest",
        100 * right: "this is in percent. Give a share between 0 and 1",
        twelve - n_leads: "this is how many leads are zeros. Divide by how many go in",
    }
    praise = f"{right:.1%} of what the network is given says nothing"
    return check_number(share, right, praise, wrong, f"{twelve} leads go in, and {n_leads} of them is real", tolerance=0.002)
