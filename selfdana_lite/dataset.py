"""Many recordings: int16 microvolt on disk, float32 millivolt in a batch, a table beside them."""

import copy
import hashlib
import os
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from selfdana_lite.leads import LeadError, parse_leads
from selfdana_lite.storage import (
    DatasetError,
    check_parts,
    dataset_facts,
    read_parts,
    refuse_signals_of_absent_leads,
    write_folder,
)

SAMPLES = Path(__file__).parent.parent / "data_samples"
MV_PER_MICROVOLT = 1e-3


class FlatLeadWarning(UserWarning):
    """A lead never changes: probably an electrode that was off, or an absent lead written as zeros."""


class EcgDataset:
    """Recordings of equal length with the same leads, their labels, folds and patients.

    stored: int16 microvolt [leads, records, samples]. Lead-major, so that reading one lead of
        many recordings touches a twelfth of the bytes; a memory map of a folder's file, and of an
        .npz the whole archive in memory.
    table: one row a recording, with record_id, patient_id, fold and one 0/1 column a label.
    present: bool [leads, records], which leads each recording has; every one where None.
    """

    def __init__(
        self,
        stored: np.ndarray,
        table: pd.DataFrame,
        leads: Sequence[str],
        sampling_rate_hz: float,
        label_names: Sequence[str],
        source: str = "",
        present: np.ndarray | None = None,
    ):
        self.leads = parse_leads(leads)
        self.label_names = tuple(label_names)
        self.sampling_rate_hz = float(sampling_rate_hz)
        self.source = source
        check_parts(stored, table, self.leads, self.sampling_rate_hz, self.label_names, present)
        self._stored, self._table = stored, table
        self._present = None if present is None or present.all() else present
        self._flat_known: set[int] = set()  # rows of the store, shared by all views
        self._rows = np.arange(len(table))  # positions in the store, one a recording of this view

    @classmethod
    def open(cls, path: str | os.PathLike = SAMPLES) -> "EcgDataset":
        """A dataset folder in the kit's own format, or an .npz archive; without a path, the embedded samples.

        Raises DatasetError where a file is missing, truncated, or of another format.
        """
        return cls(**read_parts(path))

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return (
            f"EcgDataset({len(self)} recordings of {len(np.unique(self.patient_ids))} patients, {len(self.leads)} leads, "
            f"{self.n_samples / self.sampling_rate_hz:g} s at {self.sampling_rate_hz:g} Hz, "
            f"labels {', '.join(self.label_names)})"
        )

    @property
    def n_samples(self) -> int:
        """Samples in each recording."""
        return self._stored.shape[2]

    @property
    def signals(self) -> np.ndarray:
        """int16 microvolt [records, leads, samples]; a view of the store where this is the whole dataset, else a copy."""
        by_record = self._stored.transpose(1, 0, 2)
        whole = np.array_equal(self._rows, np.arange(len(self._table)))
        return by_record if whole else by_record[self._rows]

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the table that belong to this view, numbered from 0."""
        return self._table.iloc[self._rows].reset_index(drop=True)

    @cached_property
    def present(self) -> np.ndarray:
        """bool [records, leads]: which of the dataset's leads each recording has."""
        if self._present is None:
            return np.broadcast_to(True, (len(self), len(self.leads)))
        return self._present[:, self._rows].T

    @cached_property
    def labels(self) -> np.ndarray:
        """uint8 [records, classes], several classes may be 1."""
        return self._table[list(self.label_names)].to_numpy(np.uint8)[self._rows]

    @cached_property
    def folds(self) -> np.ndarray:
        """int64 [records]."""
        return self._table["fold"].to_numpy(np.int64)[self._rows]

    @cached_property
    def patient_ids(self) -> np.ndarray:
        """[records]; split by these, never by recording."""
        return self._table["patient_id"].to_numpy()[self._rows]

    @property
    def digest(self) -> str:
        """Eight characters that tell which recordings these are, and in which order: a run must not go on with others."""
        record_ids = self._table["record_id"].to_numpy()[self._rows]
        return hashlib.sha256(",".join(map(str, record_ids)).encode()).hexdigest()[:8]

    def where(self, folds: int | Iterable[int] | None = None, rows: np.ndarray | Sequence[int] | None = None) -> "EcgDataset":
        """The recordings in the given folds, or the given rows (numbers or a boolean mask); nothing is copied.

        Raises DatasetError where nothing is left, naming the folds that exist.
        """
        kept = np.arange(len(self)) if rows is None else self._check_rows(rows)
        if folds is not None:
            folds = [folds] if np.isscalar(folds) else list(folds)
            kept = kept[np.isin(self.folds[kept], folds)]
        if len(kept) == 0:
            raise DatasetError(
                f"No recording in folds {folds} and rows {rows}; this dataset has folds {np.unique(self.folds)}."
            )
        view = copy.copy(self)
        view._rows = self._rows[kept]
        for cached in ("present", "labels", "folds", "patient_ids"):  # they belong to the rows of this view
            view.__dict__.pop(cached, None)
        return view

    def batch(self, rows: np.ndarray | Sequence[int], leads: str | Iterable[str] | None = None) -> torch.Tensor:
        """float32 millivolt [batch, leads, samples], reading only the rows and leads asked for.

        leads: names in the order wanted; all of the dataset's when None. Raises LeadError for a
        lead that the dataset does not have; warns (FlatLeadWarning) where a lead never changes.
        """
        rows = self._check_rows(rows)
        wanted = self.leads if leads is None else parse_leads(leads)
        absent = [name for name in wanted if name not in self.leads]
        if absent:
            raise LeadError(f"This dataset has no lead {', '.join(absent)}; it has {', '.join(self.leads)}.")
        columns = [self.leads.index(name) for name in wanted]
        microvolt = self._stored[np.array(columns)[:, None], self._rows[rows]]  # [leads, batch, samples]
        self._warn_if_flat(microvolt, rows, wanted)
        return torch.from_numpy(microvolt).transpose(0, 1).float().mul_(MV_PER_MICROVOLT)  # [batch, leads, samples]

    def _check_rows(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        rows = np.atleast_1d(np.asarray(rows))
        if rows.dtype == bool and rows.shape == (len(self),):
            return np.flatnonzero(rows)
        whole = rows.dtype.kind in "iu" and rows.ndim == 1
        if not whole or (rows.size and (rows.min() < 0 or rows.max() >= len(self))):
            raise DatasetError(
                f"Rows must be whole numbers from 0 to {len(self) - 1}, or a mask of {len(self)} booleans; "
                f"found {rows.dtype} {rows.shape}" + (f" from {rows.min()} to {rows.max()}." if whole else ".")
            )
        return rows

    def _warn_if_flat(self, microvolt: np.ndarray, rows: np.ndarray, leads: Sequence[str]) -> None:
        flat = microvolt.max(axis=2) == microvolt.min(axis=2)  # [leads, batch]
        news = set(self._rows[rows[flat.any(axis=0)]]) - self._flat_known
        if news:
            self._flat_known |= news  # one warning for each recording, not one for each epoch
            lead, first = np.argwhere(flat)[0]
            warnings.warn(
                f"{flat.any(axis=0).sum()} of {len(rows)} recordings have a flat lead (first: row {rows[first]}, lead "
                f"{leads[lead]}, always {microvolt[lead, first, 0]} microvolt), as an electrode that is off leaves it; "
                f"leave such rows out with where(rows=...) or ask for other leads.",
                FlatLeadWarning,
                stacklevel=3,
            )


def write_dataset(
    folder: str | os.PathLike,
    signals_uv: np.ndarray,
    table: pd.DataFrame,
    *,
    leads: Sequence[str],
    sampling_rate_hz: float,
    label_names: Sequence[str],
    source: str,
    licence: str,
    present: np.ndarray | None = None,
) -> EcgDataset:
    """Write int16 microvolt [records, leads, samples] and its table as a dataset folder, and open it.

    present: bool [records, leads], which leads each recording has (every one where None); the signals of the others
        must be zeros. The folder appears whole or not at all. Raises FileExistsError rather than overwrite.
    """
    signals_uv = np.asarray(signals_uv)
    if signals_uv.ndim != 3:
        raise DatasetError(f"Signals have shape {signals_uv.shape}; expected int16 microvolt [records, leads, samples].")
    leads = parse_leads(leads)
    if signals_uv.shape[:2] != (len(table), len(leads)):
        raise DatasetError(
            f"Signals have shape {signals_uv.shape}; with {len(table)} rows in the table and {len(leads)} leads they must be "
            f"[{len(table)}, {len(leads)}, samples]."
        )
    stored = np.ascontiguousarray(signals_uv.transpose(1, 0, 2))  # [leads, records, samples]
    present = None if present is None else np.ascontiguousarray(np.asarray(present).T)  # [leads, records]
    # refuses parts that disagree before a byte is written
    EcgDataset(stored, table, leads, sampling_rate_hz, label_names, present=present)
    mixed = present is not None and not present.all()
    if mixed:
        refuse_signals_of_absent_leads(stored, present)
    facts = dataset_facts(
        leads=leads,
        sampling_rate_hz=sampling_rate_hz,
        label_names=label_names,
        source=source,
        licence=licence,
        records=len(table),
        samples=stored.shape[2],
        mixed_leads=mixed,
    )
    write_folder(Path(folder), stored, table, facts, present if mixed else None)
    return EcgDataset.open(folder)
