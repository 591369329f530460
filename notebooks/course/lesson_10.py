"""The self-checks of lesson 10, Bring your own ECG, and what it does with leads of unknown names."""

import math
from collections.abc import Iterable
from numbers import Real
from pathlib import Path

import numpy as np

import selfdana_lite as sd
from course.checks import UNANSWERED, check_number
from selfdana_lite.leads import limb_lead_residual

UNITS_PER_MV = {0.001: "volt", 1: "millivolt", 1_000: "microvolt", 1_000_000: "nanovolt"}


def check_units(units_per_mv: float | None, path: str | Path) -> str:
    """Is this how many of the numbers in a file without a unit make a millivolt?"""
    if units_per_mv is None:
        return UNANSWERED
    if not isinstance(units_per_mv, Real) or not units_per_mv > 0:
        return f"Not yet: {units_per_mv!r} is not a number above 0. How many of the file's units make one millivolt?"
    swing = np.ptp(sd.read_recording(path, gain=1).signal_mv, axis=1).max()  # in file units
    right = next(size for size in UNITS_PER_MV if 0.3 < swing / size < 10)  # mV that the largest limb lead of a heart swings
    found = f"With {units_per_mv:g} units to the millivolt the largest lead swings over {swing / units_per_mv:.3g} mV"
    if math.isclose(units_per_mv, right):
        return f"Right: {found}, as a heart does. The file is in {UNITS_PER_MV[right]}."
    if math.isclose(units_per_mv, 1 / right):
        return f"Not yet: this is turned round, the millivolt in one of the file's units. {found}."
    if 0.3 < swing / units_per_mv < 10:
        return (
            f"Not yet: {found}. A heart may, but no unit is {units_per_mv:g} to the millivolt: V, mV, µV and nV lie a factor "
            f"of 1,000 apart, so the amplitude need only be right roughly. Which of the four is nearest?"
        )
    much = "more than any heart" if swing / units_per_mv >= 10 else "less than any heart that can be recorded from the skin"
    return f"Not yet: {found}: {much}. The R wave of a limb lead is about 1 mV high."


def check_exchange(pair: str | Iterable[str] | None, recording: sd.Recording) -> str:
    """Are these the two leads that bear each other's name?"""
    if pair is None:
        return UNANSWERED
    try:
        leads = sd.parse_leads(pair)
    except (sd.LeadError, TypeError) as error:
        return f'Not yet: {error} Write two lead names as text, for example "I, III".'
    if len(leads) != 2:
        return f"Not yet: {len(leads)} named; two leads are asked for."
    if chest := [lead for lead in leads if lead not in sd.LEAD_SETS["6-lead"]]:
        return (
            f"Not yet: {' and '.join(chest)} {'is a chest lead' if len(chest) == 1 else 'are chest leads'}. Einthoven's and "
            f"Goldberger's laws bind limb leads alone, and they are what is broken here."
        )
    one, other = leads
    before, after = (_residual_mv(a) for a in (recording, recording.rename({one: other, other: one})))
    found = f"with {one} and {other} exchanged the residual goes from {before:.3f} to {after:.3f} mV"
    if after < 0.05 * before:
        return f"Right: {found}, which is rounding."
    better = "better, yet" if after < before else "no better:"
    return f"Not yet: {found}, {better} far more than rounding. Try every pair of the six limb leads."


def check_samples(samples: int | None, recording: sd.Recording, seconds: float, rate_hz: float) -> str:
    """Is this how many samples a lead has after window(0, seconds).resample(rate_hz)?"""
    whole, found_hz = recording.signal_mv.shape[1], recording.sampling_rate_hz
    right = round(seconds * rate_hz)
    wrong = {
        whole: "these are all samples of the file, neither cut nor resampled",
        round(seconds * found_hz): f"these are {seconds:g} s at the old rate; resampling changes how many there are",
        round(recording.seconds * rate_hz): f"this is the whole file at {rate_hz:g} Hz; the window keeps {seconds:g} s of it",
        round(seconds * found_hz**2 / rate_hz): "the ratio of the rates is turned round: a lower rate has fewer samples",
    }
    praise = f"{seconds:g} s times {rate_hz:g} samples a second are {right}, whatever the rate was before"
    otherwise = f"a lead of {seconds:g} s at {rate_hz:g} Hz has as many samples as seconds times samples a second"
    return check_number(samples, right, praise, wrong, otherwise, tolerance=0)


def standard_leads_of(recording: sd.Recording) -> sd.Recording:
    """Its leads that an encoder takes; LeadError with the parameters to set where none of its names is known."""
    if not recording.standard_leads:
        first = recording.leads[0]
        raise sd.LeadError(
            f"{Path(recording.source).name}: none of {', '.join(recording.leads)} is one of the twelve leads; say with NAMES "
            f"and GAIN what they are: NAMES = {{{first!r}: 'II'}} for one, or -y '{{NAMES: {{{first}: II}}}}' with papermill."
        )
    return recording.select(recording.standard_leads)


def _residual_mv(recording: sd.Recording) -> float:
    limb = [lead for lead in sd.LEAD_SETS["6-lead"] if lead in recording.leads]
    return float(limb_lead_residual(recording.select(limb).signal_mv, limb))
