"""Files as other people's devices write them, made of simulated recordings: no person's data, and every trap on purpose."""

from collections.abc import Sequence
from pathlib import Path

import edfio
import numpy as np
import pandas as pd
import wfdb

import selfdana_lite as sd

WATCH_PREAMBLE = """Name;Simulated
Geburtsdatum;
Aufzeichnungsdatum;2026-01-31 10:00:00 +0100
Klassifizierung;Sinusrhythmus
Softwareversion;2,0
Gerät;Watch6,2
Messrate;512 Hertz

Ableitung;Ableitung I
Einheit;µV

"""
STRAP_COUNTS_PER_MV = 250  # what the strap's data sheet would say


def make_foreign_files(folder: Path, samples: sd.EcgDataset) -> tuple[dict[str, Path], pd.DataFrame]:
    """Seven files in an empty folder, by what they are, and a table of which samples they hold, with their labels.

    samples: recordings of at least six people, one of whom has three; the files hold the first that fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    thrice, others = _people(samples)
    holder, monitor, strap, clinic, short = others
    makers = {
        "watch": (_watch, "watch.csv", thrice),
        "holter": (_holter, "holter.edf", [holder]),
        "archive": (_archive, "archive.hea", [monitor]),
        "strap": (_strap, "strap.csv", [strap]),
        "clinic": (_clinic, "clinic.csv", [clinic]),
        "unitless": (_unitless, "unitless.csv", [clinic]),
        "short": (_short, "short.csv", [short]),
    }
    files, rows = {}, []
    for name, (make, file, which) in makers.items():
        make(folder / file, _joined(samples, which))
        files[name] = folder / file
        labels = dict(zip(samples.label_names, samples.labels[which[0]], strict=True))
        ids = samples.table.loc[which[0], ["record_id", "patient_id"]].to_dict()
        rows.append({"path": file, "sample": ids["record_id"], "patient_id": ids["patient_id"]} | labels)
    return files, pd.DataFrame(rows)


def _people(samples: sd.EcgDataset) -> tuple[list[int], list[int]]:
    """Rows of one person with three recordings, and one row of each of five others with one label."""
    patients = pd.Series(samples.patient_ids)
    counts = patients.map(patients.value_counts())
    thrice = np.flatnonzero(patients == patients[(counts >= 3).idxmax()])[:3]
    others, seen = [], {patients[thrice[0]]}
    for label in (1, 2, 3, 0, 4):  # of the five, so that the map has something to tell apart
        alone = samples.labels.sum(axis=1) == 1
        row = next(
            r
            for r in np.flatnonzero(alone & (samples.labels[:, label % samples.labels.shape[1]] == 1))
            if patients[r] not in seen
        )
        others.append(int(row))
        seen.add(patients[row])
    return [int(row) for row in thrice], others


def _joined(samples: sd.EcgDataset, rows: Sequence[int]) -> sd.Recording:
    """The recordings one after the other, each about its mean: they meet without a step, and sums of leads stay sums."""
    signals_mv = samples.batch(rows).numpy()  # [rows, leads, samples]
    signals_mv = signals_mv - signals_mv.mean(axis=2, keepdims=True)
    return sd.Recording(np.concatenate(signals_mv, axis=1), samples.sampling_rate_hz, samples.leads)


def _watch(path: Path, recording: sd.Recording) -> None:
    """One lead in microvolt at 512 Hz, with a preamble and decimal commas."""
    microvolt = 1000 * recording.select("I").resample(512).signal_mv[0]
    numbers = "\n".join(f"{value:.3f}".replace(".", ",") for value in microvolt)
    path.write_text(f"{WATCH_PREAMBLE}{numbers}\n", encoding="utf-8")


def _holter(path: Path, recording: sd.Recording) -> None:
    """EDF at 200 Hz with labels of its own, and a channel of breathing that is no voltage."""
    part = recording.select("I, II, III, V2").resample(200)
    time_s = np.arange(part.signal_mv.shape[1]) / 200
    signals = [
        edfio.EdfSignal(1000.0 * row, 200, label=f"EKG {lead}", physical_dimension="uV", physical_range=(-20_000, 20_000))
        for lead, row in zip(part.leads, part.signal_mv, strict=True)
    ]
    breath = edfio.EdfSignal(
        50 + 40 * np.sin(2 * np.pi * time_s / 4), 200, label="Resp", physical_dimension="%", physical_range=(0, 100)
    )
    edfio.Edf([*signals, breath]).write(path)


def _archive(path: Path, recording: sd.Recording) -> None:
    """A WFDB record as the arrhythmia archives have it: MLII and V5 at 360 Hz."""
    part = recording.select("II, V5").resample(360)
    wfdb.wrsamp(
        path.stem, fs=360, units=["mV", "mV"], sig_name=["MLII", "V5"], p_signal=part.signal_mv.T.astype(float),
        fmt=["16", "16"], write_dir=str(path.parent),
    )  # fmt: skip


def _strap(path: Path, recording: sd.Recording) -> None:
    """Counts of a converter at 130 Hz, in columns that say neither lead nor unit."""
    part = recording.select("II, V2").resample(130)
    counts = np.rint(STRAP_COUNTS_PER_MV * part.signal_mv).astype(int)  # [2, samples]
    time_s = np.round(np.arange(counts.shape[1]) / 130, 5)
    pd.DataFrame({"time (s)": time_s, "ch1": counts[0], "ch2": counts[1]}).to_csv(path, index=False)


def _clinic(path: Path, recording: sd.Recording) -> None:
    """Twelve leads in millivolt, two of which bear each other's name."""
    names = {"II": "aVL", "aVL": "II"}
    _write_table(path, recording, {lead: f"{names.get(lead, lead)} (mV)" for lead in recording.leads}, per_mv=1)


def _unitless(path: Path, recording: sd.Recording) -> None:
    """Leads I and II as numbers of which nothing says the unit; they are nanovolt."""
    _write_table(path, recording.select("I, II"), {"I": "I", "II": "II"}, per_mv=1_000_000)


def _short(path: Path, recording: sd.Recording) -> None:
    """Six seconds of I, II and V1."""
    part = recording.select("I, II, V1").window(0, 6)
    _write_table(path, part, {lead: f"{lead} (mV)" for lead in part.leads}, per_mv=1)


def _write_table(path: Path, recording: sd.Recording, header: dict[str, str], per_mv: float) -> None:
    """A column of time, and one a lead, rounded to a microvolt."""
    columns = {"time (s)": np.arange(recording.signal_mv.shape[1]) / recording.sampling_rate_hz}
    for lead, row in zip(recording.leads, recording.signal_mv, strict=True):
        columns[header[lead]] = np.round(row.astype(float), 3) * per_mv
    pd.DataFrame(columns).to_csv(path, index=False, float_format="%.6g")
