"""The parts of a dataset, and what must hold between them, wherever they come from."""

import os
from collections.abc import Sequence
from typing import IO

import numpy as np
import pandas as pd

_LARGEST_FOLD = 1_000_000


class DatasetError(ValueError):
    """A dataset is missing a part, or its parts disagree; the message names the part and the remedy."""


def read_table(source: str | os.PathLike | IO, **options) -> pd.DataFrame:
    """A CSV file, as pd.read_csv reads it; but a row that is longer than the header is a ValueError.

    pandas would take the first column for names of the rows, and move all others by one.
    """
    table = pd.read_csv(source, **options)
    if "index_col" not in options and not isinstance(table.index, pd.RangeIndex):
        raise ValueError("its rows have more cells than its first line")
    return table


def check_parts(
    stored: np.ndarray,
    table: pd.DataFrame,
    leads: Sequence[str],
    sampling_rate_hz: float,
    label_names: Sequence[str],
    present: np.ndarray | None = None,
) -> None:
    """Raise DatasetError unless signals, presence, table and facts belong together and nothing in them is missing."""
    expected = (len(leads), len(table))
    if stored.dtype != np.int16 or stored.ndim != 3 or stored.shape[:2] != expected or stored.size == 0:
        raise DatasetError(
            f"Signals are {stored.dtype} {stored.shape}; with {len(leads)} leads and {len(table)} rows in the "
            f"table they must be int16 microvolt ({len(leads)}, {len(table)}, samples), with at least one sample."
        )
    if present is not None:
        _check_present(present, expected)
    if not (np.isfinite(sampling_rate_hz) and sampling_rate_hz > 0):
        raise DatasetError(f"The sampling rate is {sampling_rate_hz}; give a positive number of hertz.")
    missing = [str(name) for name in ("record_id", "patient_id", "fold", *label_names) if name not in table.columns]
    if missing:
        raise DatasetError(
            f"The table lacks the columns {', '.join(missing)}; found {', '.join(map(str, table.columns))}. Add them; "
            f"where there are no official folds, deal patients (not recordings) into folds."
        )
    _check_column(table["record_id"], table["record_id"].notna(), "a name or number")
    _check_column(table["patient_id"], table["patient_id"].notna(), "a name or number")
    folds = pd.to_numeric(table["fold"], errors="coerce")
    _check_column(table["fold"], (folds.mod(1) == 0) & (folds.abs() < _LARGEST_FOLD), "a whole number")
    for name in label_names:
        _check_column(table[name], table[name].isin([0, 1]), "0 or 1")
    if fault := spread_over_folds(table):
        raise DatasetError(f"{fault} Deal patients, not recordings, into folds.")


def spread_over_folds(table: pd.DataFrame) -> str:
    """A sentence on the first patient whose recordings lie in several folds, "" where there is none.

    What is trained on one of them would be tested on another: a person recognised, not a disease.
    """
    pairs = table[["patient_id", "fold"]].drop_duplicates()
    spread = pairs["patient_id"].duplicated()
    if not spread.any():
        return ""
    patients = pairs["patient_id"][spread].unique()
    first = pairs["patient_id"].isin(patients).to_numpy().argmax()
    patient = pairs["patient_id"].iloc[first]
    folds = ", ".join(str(int(fold)) for fold in pairs["fold"][pairs["patient_id"] == patient].sort_values())
    everybody = table["patient_id"].nunique()
    return f"Patient {patient} has recordings in folds {folds} ({len(patients)} of {everybody} patients lie in several)."


def _check_present(present: np.ndarray, expected: tuple[int, int]) -> None:
    if present.dtype != np.bool_ or present.shape != expected:
        raise DatasetError(
            f"The presence of leads is {present.dtype} {present.shape}; it must be bool {expected}, one for each lead and "
            f"recording."
        )
    empty = np.flatnonzero(~present.any(axis=0))
    if len(empty):
        raise DatasetError(
            f"Row {empty[0]} has no lead at all ({len(empty)} of {expected[1]} rows have none); leave those recordings out."
        )


def refuse_signals_of_absent_leads(stored: np.ndarray, present: np.ndarray) -> None:
    """DatasetError where numbers [leads, records, samples] are given for leads that are said to be absent [leads, records]."""
    for lead, there in enumerate(present):  # one lead at a time: the copy stays small
        absent = np.flatnonzero(~there)
        filled = absent[stored[lead, absent].any(axis=1)]
        if len(filled):
            raise DatasetError(
                f"Lead number {lead} of row {filled[0]} is said to be absent but holds other numbers than 0 ({len(filled)} "
                f"rows do); say that it is present, or write zeros."
            )


def _check_column(column: pd.Series, good: pd.Series, wanted: str) -> None:
    if not good.all():
        row = int(np.argmin(good.to_numpy()))
        raise DatasetError(
            f"Column {column.name} of the table must hold {wanted} in every row; row {row} holds {column.iloc[row]!r} "
            f"({(~good).sum()} of {len(good)} rows are wrong). Mend the table, or leave those recordings out."
        )
