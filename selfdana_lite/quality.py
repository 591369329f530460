"""How good recordings are: what is missing, flat, clipped, off scale, noisy or mislabelled; one row a recording.

A report to decide what to look at, no judgement on a heart. Each bound is a constant with its reason; shares of recordings
that pass it are those of folds 1 to 8 of a part of PTB-XL at 100 Hz (2,322 recordings).
"""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from selfdana_lite.dataset import EcgDataset, FlatLeadWarning
from selfdana_lite.electrodes import check_limb_leads
from selfdana_lite.faults import (
    LARGEST_OFFSET_MV,
    LARGEST_SWING_MV,
    LEAST_SWING_MV,
    filled,
    in_millivolt,
    largest_offset,
    mains_noise_mv,
    problem_stretches,
    r_peaks,
    split_wander,
)
from selfdana_lite.leads import LeadError
from selfdana_lite.reading import read_recording
from selfdana_lite.recording import Recording, RecordingError

LARGEST_WANDER_MV = 0.5  # root mean square: wander as high as the R wave of many limb leads; 4 % exceed it
LARGEST_MAINS_MV = 0.05  # root mean square: hum that fills a small square of the paper from top to bottom
RATE_RANGE_BPM = (35.0, 180.0)  # below, neurokit2 counts T waves or has missed beats; above 195 it finds every other beat

COLUMNS = (
    *("source", "seconds", "sampling_rate_hz", "leads", "missing_share", "flat_leads", "clipped_leads", "off_scale_leads"),
    *("limb_residual_mv", "limb_residual_share", "suspicion", "offset_mv", "baseline_wander_mv", "mains_noise_mv"),
    *("heart_rate_bpm", "r_peaks", "no_rhythm", "verdict", "remarks"),
)
TEXTS = ("source", "leads", "flat_leads", "clipped_leads", "off_scale_leads", "suspicion", "no_rhythm", "verdict", "remarks")
SUFFIXES = (".hea", ".edf", ".bdf", ".csv", ".tsv", ".txt", ".npz", ".dat", ".mat")  # what is looked for in a folder

Source = Recording | EcgDataset | str | os.PathLike


def quality_report(recordings: Source | Iterable[Recording | str | os.PathLike]) -> pd.DataFrame:
    """One row a recording, in their order: recordings, files, or both; a folder is all files in it, by name.

    An EcgDataset is read record by record, each with the leads that it has. Better is the report on the files that it was
    built from: at 100 Hz mains hum is gone, and the plateaus of clipping are smoothed away. A file that cannot be read is a
    row, "unusable" with the reason in remarks; for one that does not say its unit, rate or leads, give the recording that
    read_recording makes of it.

    source, seconds, sampling_rate_hz, leads: which recording. missing_share: of all samples. flat_leads, clipped_leads,
    off_scale_leads: their names. limb_residual_mv, limb_residual_share: how far the limb leads break their laws, also as a
    share of the largest of them; NaN unless I, II and a third are there. suspicion: labels or electrodes that look
    exchanged (see electrodes.py for what this can and cannot see). offset_mv: the largest absolute median of a standard
    lead. baseline_wander_mv, mains_noise_mv: root mean square in the worst lead; mains cannot be seen below 102 Hz (NaN).
    heart_rate_bpm, r_peaks: by neurokit2; NaN with the reason in no_rhythm. verdict: "usable", "look at it" with the reasons
    in remarks, or "unusable" where no lead has a signal.

    Raises RecordingError for what is neither recording nor file, and for a folder without a file.
    """
    return pd.DataFrame([_row_of(source) for source in _each(recordings)], columns=list(COLUMNS))


def _each(recordings: Source | Iterable[Recording | str | os.PathLike]) -> Iterator[Recording | Path]:
    if isinstance(recordings, EcgDataset):
        yield from _of_dataset(recordings)
        return
    alone = isinstance(recordings, Recording | str | os.PathLike) or not isinstance(recordings, Iterable)
    for source in [recordings] if alone else recordings:
        if isinstance(source, Recording):
            yield source
        elif isinstance(source, str | os.PathLike):
            yield from _of_path(Path(source))
        else:
            raise RecordingError(
                f"Found a {type(source).__name__}; expected recordings, names of files or folders, or an EcgDataset."
            )


def _of_path(path: Path) -> Iterator[Recording | Path]:
    """A file is itself; a folder is the dataset that it holds, or all its files that may be recordings, by name."""
    if (path / "dataset.json").is_file():
        yield from _of_dataset(EcgDataset.open(path))
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        kept = [file for file in files if file.suffix.lower() not in (".dat", ".mat") or not file.with_suffix(".hea").is_file()]
        if not kept:
            raise RecordingError(f"The folder {path} has no file with a name in {', '.join(SUFFIXES)}; give the files' folder.")
        yield from kept
    else:
        yield path


def _of_dataset(dataset: EcgDataset) -> Iterator[Recording]:
    for row, (name, present) in enumerate(zip(dataset.table["record_id"], dataset.present, strict=True)):
        leads = tuple(lead for lead, there in zip(dataset.leads, present, strict=True) if there)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FlatLeadWarning)  # the report says it
            signal_mv = dataset.batch([row], leads)[0].numpy()  # [leads, samples]
        yield Recording(signal_mv, dataset.sampling_rate_hz, leads, source=str(name))


def _row_of(source: Recording | Path) -> dict[str, object]:
    """The row of a recording, read first if need be; one that says why where it cannot be read."""
    if isinstance(source, Recording):
        return _row(source)
    try:
        return _row(read_recording(source))
    except (RecordingError, LeadError, FileNotFoundError) as refusal:
        unknown = {column: "" if column in TEXTS else np.nan for column in COLUMNS}
        return unknown | {"source": str(source), "verdict": "unusable", "remarks": str(refusal)}


def _row(recording: Recording) -> dict[str, object]:
    signal_mv, leads = in_millivolt(recording)
    whole_mv = filled(signal_mv)
    steady_mv, wander_mv = split_wander(whole_mv, recording.sampling_rate_hz)
    limb = check_limb_leads(signal_mv, np.where(np.isnan(signal_mv), np.nan, steady_mv), leads)
    peaks, no_rhythm = r_peaks(recording)
    stretches = problem_stretches(recording)
    row = {
        "source": recording.source,
        "seconds": recording.seconds,
        "sampling_rate_hz": recording.sampling_rate_hz,
        "leads": ", ".join(recording.leads),
        "missing_share": float(np.isnan(signal_mv).mean()) if signal_mv.size else np.nan,
        **_marked_leads(stretches, np.ptp(whole_mv, axis=1), leads),
        "limb_residual_mv": limb.residual_mv,
        "limb_residual_share": limb.residual_share,
        "suspicion": limb.suspicion,
        "offset_mv": abs(largest_offset(recording)[0]),
        "baseline_wander_mv": float(np.sqrt((wander_mv**2).mean(axis=1)).max(initial=0.0)),
        "mains_noise_mv": mains_noise_mv(steady_mv, recording.sampling_rate_hz),
        "heart_rate_bpm": np.nan if no_rhythm else float(60 * recording.sampling_rate_hz / np.median(np.diff(peaks))),
        "r_peaks": np.nan if no_rhythm else float(len(peaks)),
        "no_rhythm": no_rhythm,
    }
    remarks = _remarks(row, recording, stretches)
    dead = not (np.ptp(whole_mv, axis=1) >= LEAST_SWING_MV).any()
    return row | {"verdict": "unusable" if dead else "look at it" if remarks else "usable", "remarks": "; ".join(remarks)}


def _marked_leads(stretches: pd.DataFrame, swing_mv: np.ndarray, leads: tuple[str, ...]) -> dict[str, str]:
    """Names of the flat, clipped and off-scale leads. swing_mv: of each lead, from its lowest sample to its highest."""
    marked = {kind: stretches.loc[stretches["kind"] == kind, "lead"].unique() for kind in ("flat", "clipped")}
    off = [lead for lead, swing in zip(leads, swing_mv, strict=True) if swing > LARGEST_SWING_MV or 0 < swing < LEAST_SWING_MV]
    return {f"{kind}_leads": ", ".join(found) for kind, found in (*marked.items(), ("off_scale", off))}


def _remarks(row: Mapping[str, object], recording: Recording, stretches: pd.DataFrame) -> list[str]:
    """What a person should look at, in words; nothing for a sound recording."""
    least_bpm, most_bpm = RATE_RANGE_BPM
    offset_mv, offset_lead = largest_offset(recording)
    found = {
        "no lead is among the twelve (rename those that are)": not recording.standard_leads,
        f"{row['missing_share']:.1%} of the samples are missing": row["missing_share"] > 0,
        f"flat: {_how_long(stretches, 'flat')}": row["flat_leads"],
        f"clipped: {row['clipped_leads']}": row["clipped_leads"],
        f"off scale: {row['off_scale_leads']}": row["off_scale_leads"],
        row["suspicion"]: row["suspicion"],
        f"offset of {offset_mv:.2f} mV in {offset_lead}: an amplifier's, not the heart's (take it away with "
        f"without_offset())": abs(offset_mv) > LARGEST_OFFSET_MV,
        f"baseline wanders by {row['baseline_wander_mv']:.2f} mV": row["baseline_wander_mv"] > LARGEST_WANDER_MV,
        f"mains hum of {row['mains_noise_mv']:.2f} mV": row["mains_noise_mv"] > LARGEST_MAINS_MV,
        f"no heart rate: {row['no_rhythm']}": row["no_rhythm"],
        f"heart rate {row['heart_rate_bpm']:.0f} bpm": row["heart_rate_bpm"] < least_bpm or row["heart_rate_bpm"] > most_bpm,
    }
    return [remark for remark, holds in found.items() if holds]


def _how_long(stretches: pd.DataFrame, kind: str) -> str:
    """The leads with stretches of a kind, and for how long in all: "V2 (10 s), V6 (0.6 s)"."""
    of_kind = stretches[stretches["kind"] == kind]
    lasting_s = (of_kind["end_s"] - of_kind["start_s"]).groupby(of_kind["lead"], sort=False).sum()
    return ", ".join(f"{lead} ({seconds:.3g} s)" for lead, seconds in lasting_s.items())
