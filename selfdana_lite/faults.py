"""Faults that show in one recording without knowing the heart: gaps, flat and clipped stretches, wander, mains; and R peaks."""

import numpy as np
import pandas as pd

from selfdana_lite.leads import LEADS
from selfdana_lite.recording import Recording, offsets_mv

FLAT_S = 0.5  # a living lead never keeps one value so long: of 2,322 recordings of PTB-XL one does, with an electrode off
# Where the converter's steps are as high as an amplifier's noise, a small lead keeps one value between two beats, but not
# through a beat, and the slowest hearts have one every two seconds. PTB-XL has steps of 1 µV, the MIT-BIH databases of 5.
COARSE_STEP_MV, COARSE_FLAT_S = 0.0025, 2.0
# An R wave has one highest sample; an amplifier at the end of its range gives many, and gives them again at other beats, or
# for long. One short plateau is the turn of a slow wander: with one alone 8 recordings would be marked, all of them wrongly.
PLATEAU_S, PLATEAU_SAMPLES, LONG_PLATEAU_S = 0.02, 3, 0.2
PLATEAU_SHARE = 0.4  # how far from the median, in swings of the lead: a value held near zero is no clipping
WANDER_BELOW_HZ = 0.5  # breathing and moving; the slowest heart beats faster
MAINS_HZ, MAINS_HALF_WIDTH_HZ = (50.0, 60.0), 1.0
SHORTEST_RHYTHM_S, SLOWEST_RHYTHM_HZ = 4.0, 50.0  # below, neurokit2 fails or counts noise
LEAST_SWING_MV = 0.05  # half a millimetre on paper; the smallest of 27,864 leads of PTB-XL swings over 0.15 mV
LARGEST_OFFSET_MV = 0.3  # three small squares of paper, an amplifier's; 0.6 % of the same 2,322 recordings exceed it
LARGEST_SWING_MV = 10.0  # a hundred millimetres of paper from the lowest sample to the highest; 0.4 % of recordings exceed it


def in_millivolt(recording: Recording) -> tuple[np.ndarray, tuple[str, ...]]:
    """The signal [leads, samples] and names of its leads, without the extra channels that have another unit."""
    rows = [row for row, lead in enumerate(recording.leads) if f"units {lead}" not in recording.notes]
    return recording.signal_mv[rows], tuple(recording.leads[row] for row in rows)


def largest_offset(recording: Recording) -> tuple[float, str]:
    """The median in mV that is farthest from zero among its standard leads, and its lead; NaN and "" where it has none."""
    signal_mv, leads = in_millivolt(recording)
    found = {lead: mv for lead, mv in zip(leads, offsets_mv(signal_mv), strict=True) if lead in LEADS}
    worst = max(found, key=lambda lead: abs(found[lead]), default="")
    return float(found.get(worst, np.nan)), worst


def filled(signal_mv: np.ndarray) -> np.ndarray:
    """float64 [leads, samples] with straight lines over missing samples, for measuring only; zeros where a lead has none."""
    whole = signal_mv.astype(np.float64)
    at = np.arange(whole.shape[1])
    for row in whole:  # a view: written in place
        there = ~np.isnan(row)
        if not there.all():
            row[:] = np.interp(at, at[there], row[there]) if there.any() else 0.0
    return whole


def split_wander(whole_mv: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """What is left, and the wander below 0.5 Hz, both [leads, samples]; the mean belongs to neither."""
    spectrum = np.fft.rfft(whole_mv, axis=1)
    slow = np.fft.rfftfreq(whole_mv.shape[1], 1 / rate_hz) < WANDER_BELOW_HZ
    spectrum[:, ~slow] = 0
    spectrum[:, 0] = 0
    wander_mv = np.fft.irfft(spectrum, whole_mv.shape[1], axis=1)
    return whole_mv - whole_mv.mean(axis=1, keepdims=True) - wander_mv, wander_mv


def mains_noise_mv(whole_mv: np.ndarray, rate_hz: float) -> float:
    """Root mean square of the hum at 50 or 60 Hz in the worst lead, above the floor of the frequencies beside it.

    NaN where the sampling rate does not reach that far: half of it must be 51 Hz or more.
    """
    frequencies = np.fft.rfftfreq(whole_mv.shape[1], 1 / rate_hz)
    power = 2 * np.abs(np.fft.rfft(whole_mv, axis=1) / whole_mv.shape[1]) ** 2  # mV² a frequency, by Parseval
    found = []
    for mains_hz in MAINS_HZ:
        away_hz = np.abs(frequencies - mains_hz)
        band, beside = away_hz <= MAINS_HALF_WIDTH_HZ, (away_hz > MAINS_HALF_WIDTH_HZ) & (away_hz <= 5)
        if rate_hz / 2 >= mains_hz + MAINS_HALF_WIDTH_HZ and band.any() and beside.any():
            floor = np.median(power[:, beside], axis=1, keepdims=True)
            found.append(np.maximum(power[:, band] - floor, 0).sum(axis=1).max(initial=0.0))
    return float(np.sqrt(max(found))) if found else np.nan


def problem_stretches(recording: Recording) -> pd.DataFrame:
    """Where a lead is "missing", "flat" or "clipped": one row a stretch, with lead, kind, start_s and end_s."""
    signal_mv, leads = in_millivolt(recording)
    rate_hz, found = recording.sampling_rate_hz, []
    for lead, row in zip(leads, signal_mv, strict=True):
        found += [(lead, "missing", *run) for run in _runs(np.isnan(row))]
        flat_s = COARSE_FLAT_S if _step_mv(row) >= COARSE_STEP_MV else FLAT_S
        flat = [run for run in _runs(np.diff(row) == 0) if (run[1] + 1 - run[0]) >= flat_s * rate_hz]
        found += [(lead, "flat", start, stop + 1) for start, stop in flat]  # n equal steps are n + 1 equal samples
        if not np.isnan(row).all() and not flat:
            found += [(lead, "clipped", *run) for run in _clipped(row, rate_hz)]
    table = pd.DataFrame(found, columns=["lead", "kind", "start_s", "end_s"])
    table[["start_s", "end_s"]] = table[["start_s", "end_s"]].astype(float) / rate_hz
    return table


def _step_mv(row: np.ndarray) -> float:
    """The smallest step between two values of a lead [samples]: that of its converter. 0 where there is one value, or none."""
    values = np.unique(row[~np.isnan(row)])  # sorted
    return float(np.diff(values).min()) if len(values) > 1 else 0.0


def _clipped(row: np.ndarray, rate_hz: float) -> list[tuple[int, int]]:
    """Runs at the highest or the lowest value of a lead [samples] that no peak has."""
    low, middle, high = np.nanmin(row), np.nanmedian(row), np.nanmax(row)
    least, long = max(PLATEAU_SAMPLES, PLATEAU_S * rate_hz), LONG_PLATEAU_S * rate_hz
    found = []
    for end in (low, high):
        plateaus = [run for run in _runs(row == end) if run[1] - run[0] >= least]
        far = abs(end - middle) >= PLATEAU_SHARE * (high - low) > 0
        if far and (len(plateaus) > 1 or any(stop - start >= long for start, stop in plateaus)):
            found += plateaus
    return found


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]  # [runs, 2]


def r_peaks(recording: Recording) -> tuple[np.ndarray, str]:
    """The samples of the R peaks that neurokit2 finds, and a reason where they are fewer than two.

    It is given the length of the vector of all sound leads without wander, because it looks for upright peaks and QRS points
    down or vanishes in some lead of many people: with lead II alone, 2 % of recordings lose beats; so, 0.2 % differ from
    what most leads say. Below 30 beats a minute it counts T waves too, above 195 every other beat.
    """
    if recording.seconds < SHORTEST_RHYTHM_S:
        return np.array([], int), f"shorter than {SHORTEST_RHYTHM_S:g} s"
    if recording.sampling_rate_hz < SLOWEST_RHYTHM_HZ:
        return np.array([], int), f"sampled below {SLOWEST_RHYTHM_HZ:g} Hz"
    signal_mv, _ = in_millivolt(recording)
    sound_mv = filled(signal_mv[[_is_sound(row) for row in signal_mv]])
    if not len(sound_mv):
        return np.array([], int), "no lead is whole and alive"
    import neurokit2 as nk  # here, because it takes three seconds to import

    steady_mv, _ = split_wander(sound_mv, recording.sampling_rate_hz)  # [sound leads, samples]
    length_mv = nk.ecg_clean(np.linalg.norm(steady_mv, axis=0), sampling_rate=recording.sampling_rate_hz)
    _, info = nk.ecg_peaks(length_mv, sampling_rate=recording.sampling_rate_hz)
    peaks = np.asarray(info["ECG_R_Peaks"], int)
    return peaks, "" if len(peaks) > 1 else "fewer than two R peaks found"


def _is_sound(row: np.ndarray) -> bool:
    """Nearly whole, and swinging as a lead on a body does."""
    if np.isnan(row).mean() >= 0.1:
        return False
    return LEAST_SWING_MV <= np.nanmax(row) - np.nanmin(row) <= LARGEST_SWING_MV
