"""The papers that go with simulated samples: a data card whose figures are computed, and WFDB records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import wfdb

from selfdana_lite.leads import LEADS
from selfdana_lite.markdown import markdown_table
from selfdana_lite.simulation.patients import LABEL_NAMES
from selfdana_lite.simulation.transfer_figures import TRANSFER_CSV, transfer_section

LICENCE = "CC0 1.0"
WFDB_GAIN_PER_MV = 1000  # one step is one microvolt, as in signals.npy
_WFDB_RECORDS = 12
_INTERVALS = ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms")


def wfdb_rows(table: pd.DataFrame) -> list[int]:
    """Row numbers of a dozen records to read one by one: of each class two or three that carry no other label."""
    alone = table[list(LABEL_NAMES)].sum(axis=1) == 1
    groups = [np.flatnonzero(alone & (table[name] == 1))[:3] for name in LABEL_NAMES]
    turns = [group[turn] for turn in range(3) for group in groups if turn < len(group)]
    return sorted(int(row) for row in turns[:_WFDB_RECORDS])


def write_wfdb_records(folder: Path, signals_uv: np.ndarray, table: pd.DataFrame, sampling_rate_hz: int) -> None:
    """Write a dozen records as plain WFDB (.hea, .dat), 16 bit, mV; names are sim and the record_id."""
    folder.mkdir()
    for row in wfdb_rows(table):
        facts = table.iloc[row]
        wfdb.wrsamp(
            f"sim{facts['record_id']:05d}",
            fs=sampling_rate_hz,
            units=["mV"] * len(LEADS),
            sig_name=list(LEADS),
            d_signal=signals_uv[row].T.astype(np.int64),  # [12, samples] -> [samples, 12]
            fmt=["16"] * len(LEADS),
            adc_gain=[WFDB_GAIN_PER_MV] * len(LEADS),
            baseline=[0] * len(LEADS),
            comments=[
                f"age: {facts['age']}",
                f"sex: {'female' if facts['sex'] else 'male'}",
                f"labels: {' '.join(name for name in LABEL_NAMES if facts[name])}",
                f"statements: {facts['statements']}",
                "simulated by selfdana_lite; no person's data",
            ],
            write_dir=str(folder),
        )


def data_card(table: pd.DataFrame, seed: int, sampling_rate_hz: int, samples: int) -> str:
    """The data card in Markdown, every figure computed from the table or measured by transfer.py."""
    people = table.drop_duplicates("patient_id")
    return f"""# Simulated twelve-lead ECGs

Simulated; no person's data. {len(table)} recordings of {len(people)} simulated patients, 12 leads,
{samples / sampling_rate_hz:g} s at {sampling_rate_hz} Hz, int16 microvolt. For learning and testing, not for diagnosis.

## How they were made

`python -m selfdana_lite.simulate data_samples --replace` (or `make samples`) writes this folder again, byte for
byte (seed {seed}). Each patient has a heart dipole, three-dimensional loops for P, QRS and T made of Gaussians, seen by nine
electrodes (RA, LA, LL, V1..V6) through lead vectors of their own. Diseases act on the loops: a scar gives no
voltage, injured muscle drives a current, a blocked bundle delays a part of the heart, thick walls give more
voltage. Noise (baseline, breath, muscle, mains, touched electrodes) enters at the electrodes. Hence Einthoven's and
Goldberger's laws hold exactly, up to the rounding to one microvolt. Sources of the ideas: Dower et al. 1980,
McSharry et al. 2003, Sameni et al. 2007.

## Intended use and limits

- Meant for: lessons, tests, trying out code on a laptop without a network.
- Not meant for: any statement about people. A score on these recordings is not a score on real ones; how far training
  on simulation carries to real recordings was measured, see below.
- One dipole stands for the whole heart; real chest leads also see which wall is near.
- Labels are the diseases that were simulated, mild cases included; no reader has looked at the traces.
- Not simulated: pacemakers, flutter, higher-degree block, swapped or loose electrodes, children.

## Classes

The five PTB-XL superclasses; a recording may have more than one.

{markdown_table(_class_counts(table))}

Folds 1 to 10 by patient, each with every class (recordings per class):

{markdown_table(_fold_counts(table))}

## Intervals, as simulated

Median (5th to 95th percentile) per class; QTc after Fridericia. PR is absent in fibrillation.

{markdown_table(interval_table(table))}

## What training on simulation is worth on real recordings

{transfer_section(pd.read_csv(TRANSFER_CSV))}

## Files

- `dataset.json`, `signals.npy` (int16 [leads, records, samples]), `table.csv` (one row a recording):
  `selfdana_lite.EcgDataset.open("data_samples")` reads them.
- `wfdb/`: {len(wfdb_rows(table))} of the recordings as WFDB records, {WFDB_GAIN_PER_MV} steps per mV.
- `sex` is 1 for female, as in PTB-XL. `pr_ms`, `qrs_ms`, `qt_ms`, `heart_rate_bpm` are the simulated truth.

Licence: {LICENCE}, no rights reserved.
"""


def interval_table(table: pd.DataFrame) -> pd.DataFrame:
    """Median (5th to 95th percentile) of rate and intervals, one row a class."""
    with_qtc = table.assign(qtc_ms=table["qt_ms"] * (table["heart_rate_bpm"] / 60) ** (1 / 3))
    groups = {name: with_qtc.loc[with_qtc[name] == 1, list(_INTERVALS)].quantile([0.05, 0.5, 0.95]) for name in LABEL_NAMES}
    text = {name: [f"{q[c][0.5]:.0f} ({q[c][0.05]:.0f} to {q[c][0.95]:.0f})" for c in _INTERVALS] for name, q in groups.items()}
    return pd.DataFrame.from_dict(text, orient="index", columns=_INTERVALS).rename_axis("class").reset_index()


def _class_counts(table: pd.DataFrame) -> pd.DataFrame:
    people = table.drop_duplicates("patient_id")
    counts = [(name, table[name].sum(), f"{table[name].mean():.1%}", people[name].sum()) for name in LABEL_NAMES]
    return pd.DataFrame(counts, columns=["class", "recordings", "share", "patients"])


def _fold_counts(table: pd.DataFrame) -> pd.DataFrame:
    counts = table.groupby("fold")[list(LABEL_NAMES)].sum()
    return counts.assign(recordings=table.groupby("fold").size()).reset_index()
