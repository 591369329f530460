"""The self-checks of lesson 07, Fewer leads downstream, and what it counts."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

import selfdana_lite as sd
from course.checks import UNANSWERED, check_that, near
from selfdana_lite.scores import auroc, score_difference

# Exercise 3: five comparisons as one meets them in papers and meetings. The last two columns are not shown.
COMPARISONS = pd.DataFrame(
    [
        (
            "Is pre-training worth it?",
            "encoder after pre-training; one head a set",
            "the same encoder before it, batch norm measured on the training recordings; one head a set",
            True,
            "only pre-training differs, and that is the question",
        ),
        (
            "Is our encoder better than zero-padding?",
            "ours, with the best of five learning rates; one head a set",
            "zero-padded, with the learning rate we began with; one head a set",
            False,
            "only one side was tuned, and tuning may be worth more than the idea",
        ),
        (
            "Is a head for the set worth its training?",
            "pre-trained encoder, a head for two leads; scored with I, II",
            "the same encoder, one head for any leads, which met each recording as often; scored with I, II",
            True,
            "encoder, recordings and leads are the same, and only the head differs",
        ),
        (
            "Is Random Lead Selection better than masking at one lead?",
            "ours, RLS; a head for one lead",
            "zero-padded, masking; one head for any leads",
            False,
            "augmentation, network and head all differ, so nobody knows which of them it was",
        ),
        (
            "Is another pair of leads better than I and II?",
            "the best of 66 pairs on the test patients, scored on the test patients",
            "I and II, scored on the same test patients",
            False,
            "one side was chosen on the patients that score it, so luck works for it alone",
        ),
    ],
    columns=["question", "first", "second", "fair", "why"],
    index=pd.Index(list("ABCDE"), name="comparison"),
)


def independent(leads: Iterable[str]) -> int:
    """How many of the leads are not sums of the others: at most two limb leads are, and every chest lead is."""
    limb = [lead for lead in leads if lead in sd.LEAD_SETS["6-lead"]]
    return min(2, len(limb)) + len(set(leads) - set(limb))


def false_alarms(
    dataset: sd.EcgDataset,
    first: Mapping[str, np.ndarray],
    second: Mapping[str, np.ndarray],
    times: int,
    seed: int,
    bootstrap: int = 200,
) -> pd.DataFrame:
    """For each patient a coin decides whether the two sides change places, so that no real difference is left.

    first, second: predictions [records, classes] by comparison. Returns whether the paired interval of each comparison
    leaves zero out all the same: bool, a row a toss, a column a comparison.
    """
    rng = np.random.default_rng(seed)
    patients, patient_of = np.unique(dataset.patient_ids, return_inverse=True)
    facts = dataset.label_names, dataset.patient_ids, bootstrap
    rows = []
    for _ in range(times):
        heads = rng.integers(2, size=len(patients)).astype(bool)[patient_of][:, None]  # [records, 1]
        sides = {
            name: (np.where(heads, first[name], second[name]), np.where(heads, second[name], first[name])) for name in first
        }
        rows.append({name: score_difference(dataset.labels, *both, *facts).excludes_zero for name, both in sides.items()})
    return pd.DataFrame(rows)


def check_interval(interval: Sequence[float] | None, dataset: sd.EcgDataset, predicted: np.ndarray, drawn: np.ndarray) -> str:
    """Are these the 2.5 % and 97.5 % points of the macro AUROC in the drawn resamples of patients [R, patients]?"""
    if interval is None:
        return UNANSWERED
    try:
        low, high = (float(end) for end in interval)
    except (TypeError, ValueError):
        return f"Not yet: two numbers are wanted, low and high; found {interval!r}."
    patients, patient_of = np.unique(dataset.patient_ids, return_inverse=True)
    times = np.array([np.bincount(np.searchsorted(patients, people), minlength=len(patients)) for people in drawn])
    macro = _macro(dataset, predicted, times[:, patient_of])
    once = _macro(dataset, predicted, (times[:, patient_of] > 0).astype(float))
    right, spread = _middle(macro), 1.96 * np.nanstd(macro)
    if np.isnan([low, high]).any():
        return "Not yet: a resample without one recording of some class has no AUROC; np.nanpercentile passes over it."
    slips = [
        (right[::-1], "low and high have changed places"),
        (_middle(once), "a patient who was drawn twice must count twice. np.isin asks only whether they were drawn at all"),
        (np.nanpercentile(macro, [5, 95]), "between these two lie 90 %. Leave out 2.5 % on each side"),
        (np.nanpercentile(macro, [0, 100]), "these are the lowest and the highest of all; they grow with every resample"),
        (np.nanmean(macro) + spread * np.array([-1, 1]), "close, but this takes a bell curve for granted. Take percentiles"),
    ]
    return check_that(
        interval,
        _same((low, high), right),
        f"95 % of the {len(drawn)} resamples score between {low:.3f} and {high:.3f}",
        [(_same((low, high), ends), why) for ends, why in slips],
        f"found {low:.3f} to {high:.3f}. For each row of drawn, score all recordings of its patients and take the mean over "
        f"the classes; then take the percentiles 2.5 and 97.5 of these means",
    )


def _macro(dataset: sd.EcgDataset, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.mean([auroc(labels, predicted[:, c], weights) for c, labels in enumerate(dataset.labels.T)], axis=0)


def _middle(macro: np.ndarray) -> np.ndarray:
    return np.nanpercentile(macro, [2.5, 97.5])


def _same(ends: Sequence[float], others: Sequence[float]) -> bool:
    return all(near(end, other) for end, other in zip(ends, others, strict=True))


def check_claims(
    supported: str | Iterable[str] | None, one_head: sd.Classifier, own_heads: Mapping[str, sd.Classifier], test: sd.EcgDataset
) -> str:
    """Which of exercise 2's claims, each that a first answer scores higher than a second, do these recordings support?"""
    found = _letters(supported, "ABC")
    if not isinstance(found, set):
        return found
    claims = {
        "A": (one_head, one_head, "12-lead", "1-lead"),
        "B": (one_head, one_head, "2-lead", "6-lead"),
        "C": (own_heads["1-lead"], one_head, "1-lead", "1-lead"),
    }
    gaps = {letter: sd.compare(one, other, test, *leads) for letter, (one, other, *leads) in claims.items()}
    right = {letter for letter, gap in gaps.items() if gap.interval[0] > 0}
    higher = {letter for letter, gap in gaps.items() if gap.macro_auroc > 0}
    apart = {letter for letter, claim in claims.items() if _apart(test, *claim)}
    intervals = ", ".join(f"{letter} [{gap.interval[0]:+.3f}, {gap.interval[1]:+.3f}]" for letter, gap in gaps.items())
    return check_that(
        supported,
        found == right,
        f"the paired intervals are {intervals}. Supported means: of this encoder, with this seed, for patients like these",
        [
            (found == higher, "these are all whose difference is above zero. How far below zero do their intervals reach?"),
            (found == apart, "these are those whose two intervals do not overlap. Others may differ too: use sd.compare"),
        ],
        f"look again at {', '.join(sorted(found ^ right))}. A claim needs its whole paired interval above zero",
    )


def _apart(test: sd.EcgDataset, one: sd.Classifier, other: sd.Classifier, one_leads: str, other_leads: str) -> bool:
    return sd.evaluate(one, test, one_leads).interval[0] > sd.evaluate(other, test, other_leads).interval[1]


def check_unfair(unfair: str | Iterable[str] | None, comparisons: pd.DataFrame = COMPARISONS) -> str:
    """Which comparisons cannot answer their question?"""
    found = _letters(unfair, comparisons.index)
    if not isinstance(found, set):
        return found
    right = set(comparisons.index[~comparisons["fair"]])
    accused, missed = sorted(found - right), sorted(right - found)
    return check_that(
        unfair,
        found == right,
        "; ".join(f"{letter}: {comparisons.loc[letter, 'why']}" for letter in sorted(right)),
        [
            (bool(accused), f"{accused[0]} is fair: {comparisons.loc[accused[0], 'why']}" if accused else ""),
            (
                bool(missed),
                f"{len(right) - len(missed)} found, {len(missed)} still missing. What differs besides the question?",
            ),
        ],
        "name the letters",
    )


def _letters(answer: str | Iterable[str] | None, known: Iterable[str]) -> set[str] | str:
    """The letters that an answer names; a sentence where there is no answer, or it names something else."""
    if answer is None:
        return UNANSWERED
    known = list(known)
    if not isinstance(answer, str | list | tuple | set):
        return f"Not yet: letters are wanted as text, such as {known[0]!r}; found a {type(answer).__name__}."
    found = set(re.sub(r"[\s,;]|and", "", answer if isinstance(answer, str) else "".join(answer)).upper())
    if unknown := sorted(found - set(known)):
        return f"Not yet: {unknown[0]} is none of {', '.join(known)}."
    return found
