"""The self-checks of lesson 12, Scale up: hours, steps, lead sets for a budget; and what its curves and costs are made of."""

import math
from collections.abc import Callable, Iterable
from itertools import combinations
from numbers import Real

import numpy as np
import pandas as pd

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number

PTBXL_RECORDINGS, PTBXL_TRAINING = 21_799, 17_418  # of PTB-XL 1.0.3 (Wagner et al. 2020): all, and folds 1 to 8
BYTES_A_SAMPLE = 2  # int16 microvolt


class PowerCut(Exception):
    """Ends a training in the middle, as a killed process would: nothing in the kit knows it, so nothing can tidy up."""


def power_cut_after(epochs: int) -> Callable[[dict], None]:
    """For pretrain's after_epoch: the lights go out when so many epochs are done."""

    def cut(row: dict) -> None:
        if row["epoch"] == epochs:
            raise PowerCut(f"the power went in epoch {epochs}")

    return cut


def steps_in(recordings: int, batch_size: int, epochs: int = 1) -> int:
    """Optimiser steps of so many epochs."""
    return epochs * math.ceil(recordings / batch_size)


def power_law(recordings: np.ndarray, auroc: np.ndarray, floor: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """AUROC as 1 - floor - b N^-c, fitted as a straight line of log(1 - floor - AUROC) over log N."""
    slope, intercept = np.polyfit(np.log(recordings), np.log(1 - floor - np.asarray(auroc)), 1)
    return lambda n: 1 - floor - np.exp(intercept) * np.asarray(n, float) ** slope


def fitted_curves(recordings: np.ndarray, auroc: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Two curves through the same points: one goes to 1 with ever more recordings, the other stops half way there."""
    half = (1 - np.max(auroc)) / 2
    return {"goes on to 1": power_law(recordings, auroc), "stops half way": power_law(recordings, auroc, half)}


def scored_sets(clf: sd.Classifier, dataset: sd.EcgDataset, most: int) -> pd.DataFrame:
    """sd.what_if of every set of up to so many leads; beyond, the best set grows greedily, lead by lead, to all twelve."""
    sizes = range(1, most + 1)
    tables = [sd.what_if(clf, dataset, [leads for n in sizes for leads in combinations(sd.LEADS, n)])]
    for n in range(most, len(sd.LEADS)):
        largest = tables[-1][tables[-1]["n_leads"] == n]
        best = sd.parse_leads(largest.loc[largest["macro_auroc"].idxmax(), "lead_set"])
        tables.append(sd.what_if(clf, dataset, [(*best, lead) for lead in sd.LEADS if lead not in best]))
    return pd.concat(tables, ignore_index=True)


def best_within(priced: pd.DataFrame, budget: float) -> pd.Series:
    """The row with the highest score of those that cost no more than the budget."""
    affordable = priced[priced["gflop"] <= budget]
    return affordable.loc[affordable["macro_auroc"].idxmax()]


def check_hours(hours: float | None, recordings_per_s: float, epochs: int) -> str:
    """Is this how many hours so many epochs of all PTB-XL training recordings take at a measured speed?"""
    right = PTBXL_TRAINING * epochs / recordings_per_s / 3600
    wrong = [
        (right * 3600, "these are seconds. An hour has 3,600 of them"),
        (right * 60, "these are minutes. Divide by 60 once more"),
        (right / epochs, "this is one epoch. Every recording is seen once an epoch"),
        (right * PTBXL_RECORDINGS / PTBXL_TRAINING, "this trains on all folds. Folds 9 and 10 are for scoring"),
        (
            recordings_per_s * epochs / PTBXL_TRAINING / 3600,
            "the speed is upside down: more recordings a second take fewer hours",
        ),
    ]
    praise = f"{right:.2g} hours, if nothing else runs here and the larger file is read as fast"
    return check_number(
        hours, right, praise, wrong, "recordings times epochs, divided by recordings a second, in hours", 0.02 * right
    )


def check_epochs(epochs: float | None, few: int, few_epochs: int, many: int, batch_size: int) -> str:
    """Is this how many epochs of many recordings have as many steps as few_epochs of few?"""
    steps = steps_in(few, batch_size, few_epochs)
    right = steps / steps_in(many, batch_size)
    wrong = [
        (
            few_epochs,
            f"with as many epochs the larger dataset takes {steps_in(many, batch_size, few_epochs):,} steps, not {steps:,}",
        ),
        (steps, "these are the steps. How many of them has one epoch of the larger dataset?"),
        (
            few_epochs * steps_in(many, batch_size) / steps_in(few, batch_size),
            "the ratio is upside down: more recordings have more steps an epoch",
        ),
        (steps_in(many, batch_size), "these are the steps of one epoch of the larger dataset"),
    ]
    praise = (
        f"{steps:,} steps are {right:.2f} epochs: the larger dataset is seen {'not even once' if right < 1 else 'a few times'}"
    )
    return check_number(
        epochs, right, praise, wrong, "steps of the small run, divided by the steps of one large epoch", 0.02 * right
    )


def check_choice(choice: str | Iterable[str] | None, priced: pd.DataFrame, confirming: pd.DataFrame, budget: float) -> str:
    """Is this the lead set that scores highest within a budget, on the patients who choose?"""
    if choice is None:
        return UNANSWERED
    if isinstance(choice, Real):
        return f'Not yet: found the number {choice!r}; write a lead set as text, for example "I, V2".'
    try:
        leads = ", ".join(sorted(sd.parse_leads(choice), key=sd.LEADS.index))
    except (sd.LeadError, TypeError) as error:
        return f"Not yet: {error}"
    by_set = priced.set_index("lead_set")
    if leads not in by_set.index:
        return f"Not yet: {leads} was not scored; choose among the rows of priced."
    right, row = best_within(priced, budget), by_set.loc[leads]
    confirmed = confirming.set_index("lead_set")["macro_auroc"]
    if leads == right["lead_set"]:
        return f"Right: {leads}, {row['macro_auroc']:.3f} on the patients who chose, {confirmed[leads]:.3f} on the others."
    if row["gflop"] > budget:
        return f"Not yet: {leads} costs {row['gflop']:.3g}, more than the budget of {budget:.3g}."
    affordable = confirmed[priced.loc[priced["gflop"] <= budget, "lead_set"].tolist()]
    if leads == affordable.idxmax():
        return f"Not yet: {leads} is best on the confirming patients. If they choose, nobody is left to confirm."
    found, best = row["macro_auroc"], right["macro_auroc"]
    return f"Not yet: {leads} is affordable and scores {found:.3f}; another affordable set scores {best:.3f}."
