"""How good recordings are: what is missing, flat, clipped, off scale, noisy or mislabelled; one row a recording.

A report to decide what to look at, no judgement on a heart. Each bound is a constant with its reason; shares of recordings
that pass it are those of folds 1 to 8 of a part of PTB-XL at 100 Hz (2,322 recordings).
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from selfdana_lite.dataset import EcgDataset, FlatLeadWarning
from selfdana_lite.electrodes import check_limb_leads
from selfdana_lite.faults import (
    LARGEST_SWING_MV,
    LEAST_SWING_MV,
    filled,
    in_millivolt,
    mains_noise_mv,
    problem_stretches,
    r_peaks,
    split_wander,
)
from selfdana_lite.recording import Recording, RecordingError

LARGEST_WANDER_MV = 0.5  # root mean square: wander as high as the R wave of many limb leads; 4 % exceed it
LARGEST_MAINS_MV = 0.05  # root mean square: hum that fills a small square of the paper from top to bottom
RATE_RANGE_BPM = (35.0, 180.0)  # below, neurokit2 counts T waves or has missed beats; above 195 it finds every other beat

COLUMNS = (
    *("source", "seconds", "sampling_rate_hz", "leads", "missing_share", "flat_leads", "clipped_leads", "off_scale_leads"),
    *("limb_residual_mv", "limb_residual_share", "suspicion", "baseline_wander_mv", "mains_noise_mv"),
    *("heart_rate_bpm", "r_peaks", "no_rhythm", "verdict", "remarks"),
)


def quality_report(recordings: Recording | EcgDataset | Iterable[Recording]) -> pd.DataFrame:
    """One row a recording, in their order; an EcgDataset is read record by record, each with the leads that it has.

    source, seconds, sampling_rate_hz, leads: which recording. missing_share: of all samples. flat_leads, clipped_leads,
    off_scale_leads: their names. limb_residual_mv, limb_residual_share: how far the limb leads break their laws, also as a
    share of the largest of them; NaN unless I, II and a third are there. suspicion: labels or electrodes that look
    exchanged (see electrodes.py for what this can and cannot see). baseline_wander_mv, mains_noise_mv: root mean square
    in the worst lead; mains cannot be seen below 102 Hz (NaN). heart_rate_bpm, r_peaks: by neurokit2; NaN with the reason
    in no_rhythm. verdict: "usable", "look at it" with the reasons in remarks, or "unusable" where no lead has a signal.

    Raises RecordingError for what is no recording.
    """
    return pd.DataFrame([_row(recording) for recording in _each(recordings)], columns=list(COLUMNS))


def _each(recordings: Recording | EcgDataset | Iterable[Recording]) -> Iterator[Recording]:
    if isinstance(recordings, EcgDataset):
        yield from _of_dataset(recordings)
        return
    for recording in [recordings] if isinstance(recordings, Recording) else recordings:
        if not isinstance(recording, Recording):
            raise RecordingError(f"Found a {type(recording).__name__}; expected recordings: read files with read_recording.")
        yield recording


def _of_dataset(dataset: EcgDataset) -> Iterator[Recording]:
    for row, (name, present) in enumerate(zip(dataset.table["record_id"], dataset.present, strict=True)):
        leads = tuple(lead for lead, there in zip(dataset.leads, present, strict=True) if there)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FlatLeadWarning)  # the report says it
            signal_mv = dataset.batch([row], leads)[0].numpy()  # [leads, samples]
        yield Recording(signal_mv, dataset.sampling_rate_hz, leads, source=str(name))


def _row(recording: Recording) -> dict[str, object]:
    signal_mv, leads = in_millivolt(recording)
    whole_mv = filled(signal_mv)
    steady_mv, wander_mv = split_wander(whole_mv, recording.sampling_rate_hz)
    limb = check_limb_leads(signal_mv, np.where(np.isnan(signal_mv), np.nan, steady_mv), leads)
    peaks, no_rhythm = r_peaks(recording)
    row = {
        "source": recording.source,
        "seconds": recording.seconds,
        "sampling_rate_hz": recording.sampling_rate_hz,
        "leads": ", ".join(recording.leads),
        "missing_share": float(np.isnan(signal_mv).mean()) if signal_mv.size else np.nan,
        **_marked_leads(recording, np.ptp(whole_mv, axis=1), leads),
        "limb_residual_mv": limb.residual_mv,
        "limb_residual_share": limb.residual_share,
        "suspicion": limb.suspicion,
        "baseline_wander_mv": float(np.sqrt((wander_mv**2).mean(axis=1)).max(initial=0.0)),
        "mains_noise_mv": mains_noise_mv(steady_mv, recording.sampling_rate_hz),
        "heart_rate_bpm": np.nan if no_rhythm else float(60 * recording.sampling_rate_hz / np.median(np.diff(peaks))),
        "r_peaks": np.nan if no_rhythm else float(len(peaks)),
        "no_rhythm": no_rhythm,
    }
    remarks = _remarks(row)
    dead = not (np.ptp(whole_mv, axis=1) >= LEAST_SWING_MV).any()
    return row | {"verdict": "unusable" if dead else "look at it" if remarks else "usable", "remarks": "; ".join(remarks)}


def _marked_leads(recording: Recording, swing_mv: np.ndarray, leads: tuple[str, ...]) -> dict[str, str]:
    """Names of the flat, clipped and off-scale leads. swing_mv: of each lead, from its lowest sample to its highest."""
    stretches = problem_stretches(recording)
    marked = {kind: stretches.loc[stretches["kind"] == kind, "lead"].unique() for kind in ("flat", "clipped")}
    off = [lead for lead, swing in zip(leads, swing_mv, strict=True) if swing > LARGEST_SWING_MV or 0 < swing < LEAST_SWING_MV]
    return {f"{kind}_leads": ", ".join(found) for kind, found in (*marked.items(), ("off_scale", off))}


def _remarks(row: Mapping[str, object]) -> list[str]:
    """What a person should look at, in words; nothing for a sound recording."""
    least_bpm, most_bpm = RATE_RANGE_BPM
    found = {
        f"{row['missing_share']:.1%} of the samples are missing": row["missing_share"] > 0,
        f"flat: {row['flat_leads']}": row["flat_leads"],
        f"clipped: {row['clipped_leads']}": row["clipped_leads"],
        f"off scale: {row['off_scale_leads']}": row["off_scale_leads"],
        row["suspicion"]: row["suspicion"],
        f"baseline wanders by {row['baseline_wander_mv']:.2f} mV": row["baseline_wander_mv"] > LARGEST_WANDER_MV,
        f"mains hum of {row['mains_noise_mv']:.2f} mV": row["mains_noise_mv"] > LARGEST_MAINS_MV,
        f"no heart rate: {row['no_rhythm']}": row["no_rhythm"],
        f"heart rate {row['heart_rate_bpm']:.0f} bpm": row["heart_rate_bpm"] < least_bpm or row["heart_rate_bpm"] > most_bpm,
    }
    return [remark for remark, holds in found.items() if holds]
