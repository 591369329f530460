"""Who is recorded: age, sex, diseases with their PTB-XL labels, the heart that follows, and the chest around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selfdana_lite.simulation.dipole import electrode_vectors
from selfdana_lite.simulation.diseases import EFFECTS, MI_WALLS, infarct, left_hypertrophy, right_hypertrophy, worn
from selfdana_lite.simulation.heart import Heart, drawn_within, healthy_heart

LABEL_NAMES = ("NORM", "MI", "STTC", "CD", "HYP")

# How often labels come together: close to the public archive PTB-XL (Wagner et al. 2020), where a
# third of the ill have two labels or more. Percent.
LABEL_MIX = {
    ("NORM",): 44.3,
    ("NORM", "CD"): 2.0,
    ("STTC",): 11.5,
    ("MI",): 10.5,
    ("CD",): 7.5,
    ("MI", "CD"): 4.5,
    ("STTC", "HYP"): 3.5,
    ("MI", "STTC"): 3.0,
    ("HYP",): 2.6,
    ("STTC", "CD"): 2.2,
    ("MI", "STTC", "HYP"): 2.0,
    ("CD", "HYP"): 1.6,
    ("MI", "STTC", "CD"): 1.2,
    ("MI", "STTC", "CD", "HYP"): 1.0,
    ("MI", "HYP"): 1.0,
    ("STTC", "CD", "HYP"): 0.9,
    ("MI", "CD", "HYP"): 0.7,
}

# Statements within a superclass, in percent of its patients.
STATEMENT_MIX = {
    "NORM": {"NORM": 100},
    "MI": {"IMI": 41, "ASMI": 35, "AMI": 7, "ILMI": 7, "ALMI": 4, "LMI": 4, "PMI": 2},
    "STTC": {"NDT": 49, "NST_": 15, "ISCAL": 15, "ISC_": 4, "ISCIN": 4, "ISCIL": 4, "ISCAS": 4, "DIG": 3, "LNGQT": 2},
    "CD": {"LAFB": 27, "IRBBB": 23, "1AVB": 14, "IVCD": 13, "CLBBB": 9, "CRBBB": 8, "LPFB": 3, "ILBBB": 2, "WPW": 1},
    "HYP": {"LVH": 78, "LAO/LAE": 14, "RVH": 5, "RAO/RAE": 3},
}
_STRAINED_STTC = {"ISC_": 85, "NDT": 10, "NST_": 5}  # what the strain of a thick ventricle is called
_MILD_CD = {"IRBBB": 70, "1AVB": 30}  # conduction delays that PTB-XL's cardiologists called otherwise normal
_COMPANIONS = {"LAFB": "CRBBB", "CRBBB": "LAFB", "IRBBB": "1AVB", "IVCD": "1AVB", "CLBBB": "1AVB"}
_SEEN_IN_P = {"1AVB", "LAO/LAE", "RAO/RAE", "WPW"}  # nobody could see these while the atria fibrillate
STAGES = {"old": 76, "recent": 17, "acute": 7}


@dataclass(frozen=True)
class Patient:
    """One simulated person: labels and statements name the diseases, electrode_vectors [9, 3] is the chest around the heart."""

    age: int
    female: bool
    labels: tuple[str, ...]
    statements: tuple[str, ...]
    stage: str
    fibrillating: bool
    heart: Heart
    electrode_vectors: np.ndarray


def _pick(rng: np.random.Generator, mix: dict):
    """One key of mix, each as likely as its weight."""
    weights = np.array(list(mix.values()), float)
    return list(mix)[rng.choice(len(mix), p=weights / weights.sum())]


def _draw_statements(rng: np.random.Generator, labels: tuple[str, ...]) -> tuple[str, ...]:
    """One statement a label; now and then a second conduction delay, as a worn bundle is seldom alone."""
    mix = dict(STATEMENT_MIX)
    if "NORM" in labels:
        mix["CD"] = _MILD_CD
    if "HYP" in labels:
        mix["STTC"] = _STRAINED_STTC
    statements = [_pick(rng, mix[label]) for label in labels]
    companion = next((_COMPANIONS[statement] for statement in statements if statement in _COMPANIONS), None)
    if companion and "NORM" not in labels and rng.uniform() < 0.2:
        statements.append(companion)
    return tuple(statements)


def _diseased(rng: np.random.Generator, heart: Heart, statements: tuple[str, ...], stage: str, strain: bool) -> Heart:
    """The heart after its diseases, each of a severity of its own, in an order of cause: thick, dead, starved, badly wired."""
    order = ["LVH", "RVH", *MI_WALLS, *EFFECTS]
    for statement in sorted(set(statements) - {"NORM"}, key=order.index):
        severity = rng.beta(1.2, 1.2)
        if statement == "LVH":
            heart = left_hypertrophy(heart, rng, severity, strain)
        elif statement == "RVH":
            heart = right_hypertrophy(heart, rng, severity, strain)
        elif statement in MI_WALLS:
            heart = infarct(heart, rng, severity, MI_WALLS[statement], stage)
        else:
            heart = EFFECTS[statement](heart, rng, severity)
    return heart


def labels_at(share: float) -> tuple[str, ...]:
    """The labels at this share, from 0 to 1, of a population sorted in the order of LABEL_MIX."""
    cumulative = np.cumsum(list(LABEL_MIX.values()))
    return list(LABEL_MIX)[np.searchsorted(cumulative, share * cumulative[-1], side="right")]


def draw_patient(rng: np.random.Generator, labels: tuple[str, ...]) -> Patient:
    """A patient with the given labels, a key of LABEL_MIX."""
    age = int(drawn_within(rng, 18, 96, *((52, 17) if "NORM" in labels else (67, 13))))
    female = bool(rng.uniform() < 0.5)
    statements = _draw_statements(rng, labels)
    stage = _pick(rng, STAGES) if "MI" in labels else ""
    regular = "NORM" in labels or bool(_SEEN_IN_P & set(statements))
    fibrillating = not regular and bool(rng.uniform() < 0.12)
    heart = healthy_heart(rng, age, female)
    if "NORM" not in labels:
        heart = worn(heart, rng, rng.uniform())
    heart = _diseased(rng, heart, statements, stage, strain="STTC" in labels)
    return Patient(age, female, labels, statements, stage, fibrillating, heart, draw_chest(rng))


def draw_chest(rng: np.random.Generator) -> np.ndarray:
    """Lead vectors [9, 3] of one chest: its size and fat scale all of them, its shape each a little."""
    vectors = electrode_vectors()
    length = np.linalg.norm(vectors, axis=1, keepdims=True)  # [9, 1]
    own = 1 + rng.normal(0, 0.12, (9, 1))
    return np.exp(rng.normal(0, 0.12)) * (vectors * own + 0.15 * length * rng.normal(size=(9, 3)))


def place_electrodes(rng: np.random.Generator, vectors: np.ndarray) -> np.ndarray:
    """The chest's lead vectors [9, 3] as this technician placed the electrodes.

    The whole row of V1..V6 sits too high or too low, and each of them a little towards a
    neighbour; limb electrodes, far from the heart, hardly matter.
    """
    placed = vectors.copy()
    chest = vectors[3:]
    neighbours = np.stack([chest[[1, *range(5)]], chest[[*range(1, 6), 4]]])  # [2 sides, 6, 3]
    shift = rng.normal(0, 0.12, 6)
    side = neighbours[(shift > 0).astype(int), np.arange(6)]  # [6, 3]
    placed[3:] += np.abs(shift)[:, None] * (side - chest)
    placed[3:, 1] += 0.10 * rng.normal() + 0.05 * rng.normal(size=6)
    return placed
