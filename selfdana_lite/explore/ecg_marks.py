"""Where P, Q, R, S and T are, and how fast the heart beats: what neurokit2 finds in one clean lead."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from selfdana_lite.explore.ecg_layout import rhythm_lead
from selfdana_lite.faults import filled, r_peaks
from selfdana_lite.recording import Recording

WAVES = ("P", "Q", "R", "S", "T")
CLEAR_R_MV = 0.2  # two small squares
R_WITHIN_S = 0.06  # a lead's own R peak lies this near to that of all leads together: half of a usual QRS


@dataclass(frozen=True)
class Marks:
    """waves: of each, the times in seconds; those of one lead. why_none: the reason, where there are none."""

    lead: str = ""
    waves: Mapping[str, np.ndarray] = field(default_factory=dict)
    heart_rate_bpm: float = np.nan
    why_none: str = ""


def find_marks(recording: Recording) -> Marks:
    """The peaks of the waves in the lead of the rhythm strip; where its R waves point down or lack, in that with the highest.

    R peaks and rate come from all leads together, the other waves from the prominence of peaks around them (Emrich et
    al. 2024). No marks, with the reason, where neurokit2 fails: under 4 s, on flat lines, without any regular peak.
    """
    recording = recording.select(recording.standard_leads)
    at, why_none = r_peaks(recording)  # at: samples [beats]
    if why_none:
        return Marks(why_none=why_none)
    import neurokit2 as nk  # here, because it takes three seconds to import

    rate_hz = recording.sampling_rate_hz
    clean_mv = {
        lead: nk.ecg_clean(row, sampling_rate=rate_hz)
        for lead, row in zip(recording.leads, filled(recording.signal_mv), strict=True)
        if np.ptp(row) > 0
    }
    peaks = {lead: _own_peaks(row, at, round(R_WITHIN_S * rate_hz)) for lead, row in clean_mv.items()}
    lead = _lead_to_mark({lead: float(np.median(clean_mv[lead][found])) for lead, found in peaks.items()})
    bpm = float(60 * rate_hz / np.median(np.diff(at)))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "some peaks have a prominence of 0")  # a beat that this lead hardly shows
            _, found = nk.ecg_delineate(clean_mv[lead], peaks[lead], sampling_rate=rate_hz, method="prominence")
    except (IndexError, ValueError) as error:  # what neurokit2 raises where a beat has no peaks around it
        return Marks(heart_rate_bpm=bpm, why_none=f"the waves of lead {lead} cannot be told apart ({error})")
    samples = {wave: np.asarray(found.get(f"ECG_{wave}_Peaks", peaks[lead]), float) for wave in WAVES}
    return Marks(lead, {wave: where[~np.isnan(where)] / rate_hz for wave, where in samples.items()}, bpm)


def describe_marks(marks: Marks) -> str:
    """What was found, in words."""
    rate = "" if np.isnan(marks.heart_rate_bpm) else f"The heart beats {marks.heart_rate_bpm:.0f} times a minute. "
    if marks.why_none:
        return f"{rate}No waves are marked: {marks.why_none}."
    counts = ", ".join(f"{len(marks.waves[wave])} {wave}" for wave in WAVES)
    return f"{rate}Marked in lead {marks.lead} by neurokit2, by rule and not by a physician: {counts}."


def _own_peaks(row_mv: np.ndarray, at: np.ndarray, within: int) -> np.ndarray:
    """The highest sample of this lead [samples] near each beat [beats]."""
    window = np.clip(at[:, None] + np.arange(-within, within + 1), 0, len(row_mv) - 1)  # [beats, 2 * within + 1]
    return np.unique(np.take_along_axis(window, row_mv[window].argmax(axis=1)[:, None], axis=1))


def _lead_to_mark(heights_mv: Mapping[str, float]) -> str:
    """The lead of the rhythm strip, or else the one with the highest R; heights_mv: of a typical R wave in each lead."""
    usual = rhythm_lead(heights_mv)
    return usual if heights_mv[usual] >= CLEAR_R_MV else max(heights_mv, key=heights_mv.get)
