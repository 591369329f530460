"""Many recordings: int16 microvolt on disk, float32 millivolt in a batch, a table beside them."""

import copy
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from selfdana_lite.lead_store import FlatLeadWarning, LeadStore
from selfdana_lite.leads import LEADS, parse_leads
from selfdana_lite.parts import DatasetError, check_parts
from selfdana_lite.signal_file import SignalFile
from selfdana_lite.storage import read_parts, write_folder

__all__ = ["SAMPLES", "DatasetError", "EcgDataset", "FlatLeadWarning", "write_dataset"]

SAMPLES = Path(__file__).parent.parent / "data_samples"


class EcgDataset:
    """Recordings of equal length, their labels, folds and patients; not every recording need have every lead.

    stored: int16 microvolt [leads, records, samples]. Lead-major, so that reading one lead of
        many recordings touches a twelfth of the bytes; a folder's file stays on disk, an .npz is
        in memory as a whole. Zeros lie where a lead is absent; no method ever hands them out.
    table: one row a recording, with record_id, patient_id, fold and one 0/1 column a label.
    present: bool [leads, records], which leads each recording has; every one where None.
    """

    def __init__(
        self,
        stored: np.ndarray | SignalFile,
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
        self._store, self._table = LeadStore(stored, self.leads, present), table
        self._rows = np.arange(len(table))  # positions in the store, one a recording of this view

    @classmethod
    def open(cls, path: str | os.PathLike = SAMPLES) -> "EcgDataset":
        """A dataset folder in the kit's own format, or an .npz archive; without a path, the embedded samples.

        Raises DatasetError where a file is missing, truncated, or of another format.
        """
        return cls(**read_parts(path))

    @staticmethod
    def build(
        source: str | os.PathLike,
        dest: str | os.PathLike,
        *,
        layout: str | None = None,
        labels: str | os.PathLike | pd.DataFrame | Mapping[str, Iterable[str]] | None = None,
        label_names: Sequence[str] | None = None,
        leads: str | Sequence[str] = LEADS,
        sampling_rate_hz: float = 100.0,
        start_s: float = 0.0,
        seconds: float = 10.0,
        workers: int | None = None,
        progress: bool = True,
    ) -> "EcgDataset":
        """Make the dataset folder dest of a folder of recordings: PTB-XL, a Challenge's, or any with labels=table.csv.

        help("selfdana_lite.build.build") says what each option means, which columns the table may have, and what is raised.
        """
        from selfdana_lite.build import build  # it stands above this file in the stack

        what = {"layout": layout, "labels": labels, "label_names": label_names, "leads": leads}
        window = {"sampling_rate_hz": sampling_rate_hz, "start_s": start_s, "seconds": seconds}
        return build(source, dest, **what, **window, workers=workers, progress=progress)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        counts, patients = np.unique(self.present.sum(axis=1)), pd.unique(self.patient_ids)
        fewest_to_most = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
        mixed = f", of which {fewest_to_most} a recording" if counts[0] < len(self.leads) else ""
        return (
            f"EcgDataset({len(self)} recordings of {len(patients)} patients, {len(self.leads)} leads{mixed}, "
            f"{self.n_samples / self.sampling_rate_hz:g} s at {self.sampling_rate_hz:g} Hz, "
            f"labels {', '.join(self.label_names)})"
        )

    @property
    def n_samples(self) -> int:
        """Samples in each recording."""
        return self._store.stored.shape[2]

    @property
    def signals(self) -> np.ndarray:
        """int16 microvolt [records, leads, samples]; a view of the store where this is the whole dataset, else a copy.

        Raises LeadError where recordings lack leads: their zeros would pass for a flat line that nobody recorded. Ask
        batch() for the leads that are there.
        """
        self.require(self.leads)
        by_record = self._store.array.transpose(1, 0, 2)
        whole = np.array_equal(self._rows, np.arange(len(self._table)))
        return by_record if whole else by_record[self._rows]

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the table that belong to this view, numbered from 0."""
        return self._table.iloc[self._rows].reset_index(drop=True)

    @cached_property
    def present(self) -> np.ndarray:
        """bool [records, leads]: which of the dataset's leads each recording has."""
        return self._store.present(self._rows)

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
        """Eight characters that tell which recordings these are, with which leads, and in which order.

        A run of training must not go on with others.
        """
        record_ids = self._table["record_id"].to_numpy()[self._rows]
        found = hashlib.sha256(",".join(map(str, record_ids)).encode())
        if not (present := self._store.present_of_twelve(self._rows)).all():
            found.update(np.packbits(present).tobytes())
        return found.hexdigest()[:8]

    def where(
        self,
        folds: int | Iterable[int] | None = None,
        rows: np.ndarray | Sequence[int] | None = None,
        has: str | Iterable[str] | None = None,
    ) -> "EcgDataset":
        """The recordings in the given folds, of the given rows (numbers or a boolean mask), that have the given leads.

        Nothing is copied, and no recording loses its other leads. Raises DatasetError where nothing is left, naming the
        folds that exist, and LeadError for a lead that the dataset does not know.
        """
        kept = np.arange(len(self)) if rows is None else self._check_rows(rows)
        if folds is not None:
            folds = [folds] if np.isscalar(folds) else list(folds)
            kept = kept[np.isin(self.folds[kept], folds)]
        if has is not None:
            has = parse_leads(has)
            kept = kept[self.present[kept][:, self._store.columns(has)].all(axis=1)]
        if len(kept) == 0:
            asked = [f"in folds {folds}"] * (folds is not None) + [f"of rows {rows}"] * (rows is not None)
            asked += [f"with {', '.join(has or ())}"] * (has is not None)
            raise DatasetError(f"No recording {' and '.join(asked)}; this dataset has folds {np.unique(self.folds)}.")
        view = copy.copy(self)
        view._rows = self._rows[kept]
        for cached in ("present", "labels", "folds", "patient_ids"):  # they belong to the rows of this view
            view.__dict__.pop(cached, None)
        return view

    def require(self, leads: str | Iterable[str]) -> None:
        """LeadError, naming the first row that falls short, unless every recording has these leads."""
        self._store.require(parse_leads(leads), np.arange(len(self)), self._rows)

    def batch(self, rows: np.ndarray | Sequence[int], leads: str | Iterable[str] | None = None) -> torch.Tensor:
        """float32 millivolt [batch, leads, samples], reading only the rows and leads asked for.

        leads: names in the order wanted; all of the dataset's when None. Raises LeadError for a lead that the dataset,
        or one of these recordings, does not have; warns (FlatLeadWarning) where a lead never changes.
        """
        rows = self._check_rows(rows)
        return self._store.batch(self.leads if leads is None else parse_leads(leads), rows, self._rows[rows])

    def batch_with_gaps(self, rows: np.ndarray | Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """All leads that the recordings have: millivolt [batch, 12, samples] as in LEADS, and present bool [batch, 12].

        For augmentations, which choose from what is there. An absent lead is not read and is NaN here, so that one chosen
        by mistake is refused by the encoder; zeros would pass for a flat line.
        """
        rows = self._check_rows(rows)
        present = self._store.present_of_twelve(self._rows[rows])
        whole = present.all()
        signals_mv = self.batch(rows, LEADS) if whole else self._store.batch_with_gaps(present, rows, self._rows[rows])
        return signals_mv, torch.from_numpy(present)

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
    leads = parse_leads(leads)
    if signals_uv.ndim != 3 or signals_uv.shape[:2] != (len(table), len(leads)):
        raise DatasetError(
            f"Signals have shape {signals_uv.shape}; expected int16 microvolt [records, leads, samples], which is "
            f"[{len(table)}, {len(leads)}, samples] with {len(table)} rows in the table and {len(leads)} leads."
        )
    stored = np.ascontiguousarray(signals_uv.transpose(1, 0, 2))  # [leads, records, samples]
    present = None if present is None else np.ascontiguousarray(np.asarray(present).T)  # [leads, records]
    check_parts(stored, table, leads, sampling_rate_hz, label_names, present)  # before a byte is written
    facts = {"leads": leads, "sampling_rate_hz": sampling_rate_hz, "label_names": label_names}
    write_folder(Path(folder), stored, table, present, source=source, licence=licence, **facts)
    return EcgDataset.open(folder)
