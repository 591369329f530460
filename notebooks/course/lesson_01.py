"""The self-checks of lesson 01, Twelve views of one heart, and how much of each lead a linear map predicts."""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number, check_that
from selfdana_lite.leads import lead_ids

LIMB = sd.LEAD_SETS["6-lead"]
ENOUGH = 0.01  # of the largest singular value: far above the rounding of a file, far below what any electrode adds


def independent_leads(signals_mv: np.ndarray) -> int:
    """How many leads of signals [records, leads, samples] cannot be computed from the others: their rank, by SVD."""
    by_lead = signals_mv.transpose(1, 0, 2).reshape(signals_mv.shape[1], -1)  # [leads, records * samples]
    sizes = np.linalg.svd(by_lead.astype(np.float64), compute_uv=False)  # largest first
    return int((sizes > ENOUGH * sizes[0]).sum())


def predictable(train_mv: np.ndarray, test_mv: np.ndarray, leads: str | Iterable[str]) -> pd.Series:
    """R^2 on test of every lead, computed from `leads` by the weights that fit train best (least squares).

    train_mv, test_mv: [records, 12, samples] in the order of LEADS, each lead about its mean. 1: the lead is known; 0: no
    better than a flat line. One set of weights serves all patients.
    """
    known = lead_ids(leads)
    train, test = (mv.transpose(1, 0, 2).reshape(len(sd.LEADS), -1).astype(np.float64) for mv in (train_mv, test_mv))
    weights = np.linalg.lstsq(train[known].T, train.T, rcond=ENOUGH)[0]  # [leads, 12]; what is only rounding gets no weight
    error = test - weights.T @ test[known]  # [12, records * samples]
    return pd.Series(1 - (error**2).sum(axis=1) / (test**2).sum(axis=1), index=sd.LEADS)


def check_lead(lead: str | None) -> str:
    """Is `lead` the one that is -(I + II) / 2?"""
    if lead is None:
        return UNANSWERED
    try:
        names = sd.parse_leads(lead)
    except (sd.LeadError, TypeError) as error:
        return f'Not yet: {error} Write one lead name as text, for example "V1".'
    slips = [
        (len(names) != 1, f"{len(names)} leads are named; one is asked for"),
        (names == ("III",), "III is II - I, the difference of the two. Here their mean is taken, upside down"),
        (names[0] in ("aVL", "aVF"), f"{names[0]} takes half of one lead from the other whole one. Here both count alike"),
        (names[0] in ("I", "II"), f"{names[0]} is one of the two that go in"),
        (names[0] not in LIMB, f"{names[0]} has an electrode on the chest, and no sum of I and II knows what that sees"),
    ]
    praise = "aVR, which looks from the right arm and so sees nearly everything upside down"
    return check_that(lead, names == ("aVR",), praise, slips, f"{names[0]} is another sum")


def check_axis(degrees: float | None, i_mv: float, avf_mv: float) -> str:
    """Is this the direction of the arrow, in degrees, whose shadows in Einthoven's triangle are I and aVF?"""
    down_mv = avf_mv * 2 / math.sqrt(3)  # aVF is the height of a triangle whose side is I
    right, plain = (math.degrees(math.atan2(down, i_mv)) for down in (down_mv, avf_mv))
    wrong = {
        math.radians(right): "these are radians. np.degrees turns them into degrees",
        plain: "so far so good, but aVF is a shorter ruler than I. Multiply it by 2 / sqrt(3) first",
        math.degrees(math.atan(down_mv / i_mv)): "the arrow would point the other way. np.arctan2 keeps the signs of both",
        math.degrees(math.atan2(i_mv, down_mv)): "the two are exchanged: np.arctan2 takes what points to the feet first",
        -right: "the sign is turned round. Here degrees grow from the left arm towards the feet, and aVF points to the feet",
        math.degrees(math.atan2(avf_mv * math.sqrt(3) / 2, i_mv)): "the factor is turned round: aVF must grow, not shrink",
    }
    side = "normal: between -30 and 90" if -30 <= right <= 90 else "beyond 90: the axis is turned to the right"
    side = side if right >= -30 else "above -30: the axis is turned to the left"
    praise = f"{right:.0f} degrees ({side})"
    otherwise = "lead I points to 0 degrees and aVF to 90. np.arctan2(down, left) gives the angle of such a pair"
    return check_number(degrees, right, praise, wrong, otherwise, tolerance=0.5)


def check_independent(count: int | None, leads: str | Iterable[str]) -> str:
    """Is this how many of the leads cannot be computed from the others?"""
    names = sd.parse_leads(leads)
    limb, chest = (len(set(names) & set(group)) for group in (LIMB, sd.LEADS[6:]))
    right = min(limb, 2) + chest
    wrong = [
        (len(names), "this is how many there are. Of the limb leads some can be computed from two others"),
        (min(limb, 2), "this counts the limb leads alone. Each chest lead has an electrode of its own"),
        (chest, "this counts the chest leads alone. The limb leads bring up to two more"),
        (3, "a single arrow has three numbers, but each electrode also has noise and a piece of heart of its own"),
    ]
    praise = f"{right}: {min(limb, 2)} from {limb} limb leads, and {chest} chest leads that nothing replaces"
    return check_number(count, right, praise, wrong, "two limb leads give all six; chest leads give no other lead")
