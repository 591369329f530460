"""Many recordings: int16 microvolt on disk, float32 millivolt in a batch, a table beside them."""

import json
import os
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from selfdana_lite.leads import LeadError, parse_leads

SAMPLES = Path(__file__).parent.parent / "data_samples"
MV_PER_MICROVOLT = 1e-3
_REQUIRED = ("leads", "records", "samples", "sampling_rate_hz", "label_names")


class DatasetError(ValueError):
    """A dataset is missing a part, or its parts disagree; the message names the part and the remedy."""


class FlatLeadWarning(UserWarning):
    """A lead never changes: probably an electrode that was off, or an absent lead written as zeros."""


class EcgDataset:
    """Recordings of equal length with the same leads, their labels, folds and patients.

    stored: int16 microvolt [leads, records, samples]. Lead-major, so that reading one lead of
        many recordings touches a twelfth of the bytes; usually a memory map.
    table: one row a recording, with record_id, patient_id, fold and one 0/1 column a label.
    """

    def __init__(
        self,
        stored: np.ndarray,
        table: pd.DataFrame,
        leads: Sequence[str],
        sampling_rate_hz: float,
        label_names: Sequence[str],
        source: str = "",
        rows: np.ndarray | None = None,
    ):
        self.leads = parse_leads(leads)
        self.label_names = tuple(label_names)
        self.sampling_rate_hz = float(sampling_rate_hz)
        self.source = source
        if stored.dtype != np.int16 or stored.ndim != 3 or stored.shape[:2] != (len(self.leads), len(table)):
            raise DatasetError(
                f"Signals are {stored.dtype} {stored.shape}; with {len(self.leads)} leads and {len(table)} rows in the "
                f"table they must be int16 microvolt ({len(self.leads)}, {len(table)}, samples)."
            )
        missing = {"record_id", "patient_id", "fold", *self.label_names} - set(table.columns)
        if missing:
            raise DatasetError(f"The table lacks the columns {', '.join(sorted(missing))}; found {', '.join(table.columns)}.")
        self._stored, self._table = stored, table
        self._rows = np.arange(len(table)) if rows is None else rows  # positions in the store, one a recording of this view

    @classmethod
    def open(cls, path: str | os.PathLike = SAMPLES) -> "EcgDataset":
        """A dataset folder in the kit's own format, or an .npz archive; without a path, the embedded samples.

        Raises DatasetError where a file is missing, truncated, or of another format.
        """
        path = Path(path)
        if path.is_dir():
            return _open_folder(path)
        if path.suffix == ".npz" and path.is_file():
            return _open_npz(path)
        raise DatasetError(f"No dataset at {path}: expected a folder with dataset.json, signals.npy and table.csv, or an .npz.")

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
        return by_record if len(self) == len(self._table) else by_record[self._rows]

    @property
    def table(self) -> pd.DataFrame:
        """The rows of the table that belong to this view, numbered from 0."""
        return self._table.iloc[self._rows].reset_index(drop=True)

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

    def where(self, folds: Iterable[int] | None = None, rows: np.ndarray | Sequence[int] | None = None) -> "EcgDataset":
        """The recordings in the given folds, or the given rows (numbers or a boolean mask); nothing is copied.

        Raises DatasetError where nothing is left, naming the folds that exist.
        """
        kept = np.arange(len(self)) if rows is None else self._check_rows(rows)
        if folds is not None:
            folds = list(folds)
            kept = kept[np.isin(self.folds[kept], folds)]
        if len(kept) == 0:
            raise DatasetError(
                f"No recording in folds {folds} and rows {rows}; this dataset has folds {np.unique(self.folds)}."
            )
        view = (self._stored, self._table, self.leads, self.sampling_rate_hz, self.label_names, self.source)
        return EcgDataset(*view, rows=self._rows[kept])

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
        if rows.dtype.kind not in "iu" or rows.ndim != 1 or (rows.size and (rows.min() < 0 or rows.max() >= len(self))):
            raise DatasetError(
                f"Rows must be whole numbers from 0 to {len(self) - 1}, or a mask of {len(self)} booleans; "
                f"found {rows.dtype} {rows.shape}" + (f" from {rows.min()} to {rows.max()}." if rows.size else ".")
            )
        return rows

    def _warn_if_flat(self, microvolt: np.ndarray, rows: np.ndarray, leads: Sequence[str]) -> None:
        flat = microvolt.max(axis=2) == microvolt.min(axis=2)  # [leads, batch]
        if flat.any():
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
) -> EcgDataset:
    """Write int16 microvolt [records, leads, samples] and its table as a dataset folder, and open it.

    The folder appears whole or not at all. Raises FileExistsError rather than overwrite.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; choose another place, or move it away first.")
    stored = np.ascontiguousarray(np.asarray(signals_uv).transpose(1, 0, 2))  # [leads, records, samples]
    EcgDataset(stored, table, leads, sampling_rate_hz, label_names)  # refuses parts that disagree before a byte is written
    facts = {
        "format": 1,
        "source": source,
        "licence": licence,
        "sampling_rate_hz": sampling_rate_hz,
        "leads": list(leads),
        "label_names": list(label_names),
        "records": len(table),
        "samples": stored.shape[2],
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
        parts = Path(unfinished) / "parts"
        parts.mkdir()
        np.save(parts / "signals.npy", stored)
        table.to_csv(parts / "table.csv", index=False)
        (parts / "dataset.json").write_text(json.dumps(facts, indent=2) + "\n")
        parts.rename(folder)
    return EcgDataset.open(folder)


def _open_folder(folder: Path) -> EcgDataset:
    for name in ("dataset.json", "signals.npy", "table.csv"):
        if not (folder / name).is_file():
            raise DatasetError(f"{folder} lacks {name}; a dataset folder holds dataset.json, signals.npy and table.csv.")
    try:
        facts = json.loads((folder / "dataset.json").read_text())
        stored = np.load(folder / "signals.npy", mmap_mode="r", allow_pickle=False)
        table = pd.read_csv(folder / "table.csv")
    except (ValueError, EOFError) as error:  # bad JSON, a pickle, a short memory map or an unreadable table
        raise DatasetError(f"{folder} holds a damaged or truncated file ({error}); write or download it again.") from error
    missing = [name for name in _REQUIRED if not isinstance(facts, dict) or name not in facts]
    if missing:
        raise DatasetError(f"{folder / 'dataset.json'} lacks {', '.join(missing)}; write the dataset again.")
    if stored.shape != (len(facts["leads"]), facts["records"], facts["samples"]) or len(table) != facts["records"]:
        raise DatasetError(
            f"{folder} disagrees with itself: dataset.json says {len(facts['leads'])} leads, {facts['records']} records, "
            f"{facts['samples']} samples; signals.npy is {stored.shape} and table.csv has {len(table)} rows. Write it again."
        )
    return EcgDataset(
        stored, table, facts["leads"], facts["sampling_rate_hz"], facts["label_names"], source=facts.get("source", str(folder))
    )


def _open_npz(path: Path) -> EcgDataset:
    """The archive format of the real recordings: signals [records, leads, samples] with labels beside them."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            part = {name: archive[name] for name in archive.files}
        if str(part["units"]) not in ("uV", "microvolt"):
            raise DatasetError(f"{path} is in {part['units']}; expected microvolt (uV): convert it before opening.")
        names = part["superclass_names"].tolist()
        table = pd.DataFrame({"record_id": part["record_id"], "patient_id": part["patient_id"], "fold": part["strat_fold"]})
        table[names] = part["y_super"]
        for extra in ("age", "sex"):
            if extra in part:
                table[extra] = part[extra]
        stored = part["signals"].transpose(1, 0, 2)  # [leads, records, samples]
        return EcgDataset(stored, table, part["lead_names"].tolist(), float(part["fs"]), names, source=str(path))
    except KeyError as error:
        raise DatasetError(f"{path} lacks the array {error}; it is not an archive of ECGs in the expected form.") from error
    except (OSError, EOFError, ValueError) as error:
        if isinstance(error, DatasetError | LeadError):
            raise
        raise DatasetError(f"{path} is damaged or truncated ({error}); copy or download it again.") from error
