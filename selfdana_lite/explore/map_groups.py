"""By what an embedding map colours its recordings: groups with a name, a colour and a symbol each, so that colour never
speaks alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from plotly.colors import sample_colorscale

from selfdana_lite.explore.atlas import Scene
from selfdana_lite.explore.colours import CLASS_COLOURS, FAINT, class_colours
from selfdana_lite.leads import LEADS

SEVERAL, UNLABELLED, OTHERS = "several labels", "no label", "other patients"
PALE = "#a0a0a0"  # there for comparison only
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "triangle-down", "pentagon", "hexagon", "star-square", "bowtie")
PATIENTS = 5  # as many as are told apart at a glance


@dataclass(frozen=True, eq=False)
class Group:
    """Some rows of the dataset, drawn alike."""

    name: str
    rows: np.ndarray
    colour: str
    symbol: str
    before: bool = False  # drawn where they were with the reference leads
    joined: bool = False  # by lines, in the order of the rows


def by_label(scene: Scene, row: int) -> Iterator[Group]:
    """A recording with one label belongs to it; with several, to a group of its own kind, whatever these are."""
    labels, names = scene.dataset.labels, scene.dataset.label_names
    counts, colours = labels.sum(axis=1), class_colours(names)
    for column, name in enumerate(names):
        rows = np.flatnonzero((counts == 1) & (labels[:, column] == 1))
        yield Group(name, rows, colours[name], SYMBOLS[column % len(SYMBOLS)])
    yield Group(SEVERAL, np.flatnonzero(counts > 1), FAINT, "cross")
    yield Group(UNLABELLED, np.flatnonzero(counts == 0), FAINT, "circle-open")


def by_fold(scene: Scene, row: int) -> Iterator[Group]:
    """Folds from dark to lighter; they ought to lie well mixed."""
    folds = np.unique(scene.dataset.folds)
    colours = sample_colorscale("Cividis", np.linspace(0, 0.6, len(folds)))  # no lighter, to stand out from white
    for i, (fold, colour) in enumerate(zip(folds, colours, strict=True)):
        yield Group(f"fold {fold}", np.flatnonzero(scene.dataset.folds == fold), colour, SYMBOLS[i % len(SYMBOLS)])


def by_lead_set(scene: Scene, row: int) -> Iterator[Group]:
    """Each recording twice: through the reference leads, and through the chosen ones."""
    everyone = np.arange(len(scene.dataset))
    yield Group("reference leads", everyone, CLASS_COLOURS["NORM"], "circle-open", before=True)
    yield Group("chosen leads", everyone, CLASS_COLOURS["MI"], "diamond")


def by_patient(scene: Scene, row: int) -> Iterator[Group]:
    """The chosen recording's patient, and those with the most recordings; a line joins what belongs to one."""
    patient_ids = scene.dataset.patient_ids
    chosen = highlighted_patients(patient_ids, row)
    yield Group(OTHERS, np.flatnonzero(~np.isin(patient_ids, chosen)), PALE, "circle-open")
    for patient, colour, symbol in zip(chosen, CLASS_COLOURS.values(), SYMBOLS, strict=False):
        yield Group(f"patient {patient}", np.flatnonzero(patient_ids == patient), colour, symbol, joined=True)


GROUPINGS = {"label": by_label, "fold": by_fold, "lead set": by_lead_set, "patient": by_patient}
RULES = {
    "label": "Colour and symbol tell the label; a recording with more than one counts as 'several labels'.",
    "fold": "Colour and symbol tell the fold.",
    "lead set": "Each recording is drawn twice, through the reference leads and through the chosen ones.",
    "patient": f"The chosen recording's patient and those with the most recordings are coloured, {PATIENTS} in all; "
    "a line joins the recordings of one patient.",
}


def highlighted_patients(patient_ids: np.ndarray, row: int) -> list:
    """The patient of this row, then those with the most recordings, of equal ones the first."""
    most = pd.Series(patient_ids).value_counts(sort=False).sort_values(ascending=False, kind="stable").index
    return list(dict.fromkeys([patient_ids[row], *most]))[:PATIENTS]


def lead_words(leads: tuple[str, ...]) -> str:
    """The leads in words, short where they are all."""
    return "all twelve leads" if set(leads) == set(LEADS) else ", ".join(leads)
