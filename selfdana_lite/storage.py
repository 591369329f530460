"""How recordings lie on disk: a folder of the kit's own, or the .npz archive of the real recordings.

    folder/dataset.json   lead and label names, sampling rate, counts, source, licence
    folder/signals.npy    int16 microvolt [leads, records, samples]
    folder/table.csv      one row a recording: record_id, patient_id, fold, a 0/1 column for each label

Nothing here can run code: pickled arrays are refused. Every fault is a DatasetError.
"""

import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from selfdana_lite.leads import LeadError, parse_leads

_FACTS = {"leads": list, "records": int, "samples": int, "sampling_rate_hz": int | float, "label_names": list}
_NPZ_ARRAYS = ("signals", "units", "lead_names", "fs", "superclass_names", "y_super", "record_id", "patient_id", "strat_fold")


class DatasetError(ValueError):
    """A dataset is missing a part, or its parts disagree; the message names the part and the remedy."""


FORMAT = 1  # of a dataset folder


def check_parts(
    stored: np.ndarray, table: pd.DataFrame, leads: Sequence[str], sampling_rate_hz: float, label_names: Sequence[str]
) -> None:
    """Raise DatasetError unless signals, table and facts belong together and nothing in them is missing."""
    expected = (len(leads), len(table))
    if stored.dtype != np.int16 or stored.ndim != 3 or stored.shape[:2] != expected or stored.size == 0:
        raise DatasetError(
            f"Signals are {stored.dtype} {stored.shape}; with {len(leads)} leads and {len(table)} rows in the "
            f"table they must be int16 microvolt ({len(leads)}, {len(table)}, samples), with at least one sample."
        )
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
    _check_column(table["fold"], pd.to_numeric(table["fold"], errors="coerce").mod(1) == 0, "a whole number")
    for name in label_names:
        _check_column(table[name], table[name].isin([0, 1]), "0 or 1")


def _check_column(column: pd.Series, good: pd.Series, wanted: str) -> None:
    if not good.all():
        row = int(np.argmin(good.to_numpy()))
        raise DatasetError(
            f"Column {column.name} of the table must hold {wanted} in every row; row {row} holds {column.iloc[row]!r} "
            f"({(~good).sum()} of {len(good)} rows are wrong). Mend the table, or leave those recordings out."
        )


def read_parts(path: str | os.PathLike) -> dict[str, Any]:
    """What EcgDataset is made of (stored, table, leads, ...), from a folder or an .npz; DatasetError says what is wrong."""
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".npz" and path.is_file():
        return _read_npz(path)
    raise DatasetError(f"No dataset at {path}: expected a folder with dataset.json, signals.npy and table.csv, or an .npz.")


def _read_folder(folder: Path) -> dict[str, Any]:
    for name in ("dataset.json", "signals.npy", "table.csv"):
        if not (folder / name).is_file():
            raise DatasetError(f"{folder} lacks {name}; a dataset folder holds dataset.json, signals.npy and table.csv.")
    try:
        facts = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        stored = np.lib.format.open_memmap(folder / "signals.npy", mode="r")
        table = pd.read_csv(folder / "table.csv")
    except (ValueError, EOFError) as error:  # bad JSON, a pickle, a short memory map or an unreadable table
        raise DatasetError(f"{folder} holds a damaged or truncated file ({error}); write or download it again.") from error
    if not isinstance(facts, dict):
        raise DatasetError(f"{folder / 'dataset.json'} holds a {type(facts).__name__}, not a JSON object; write it again.")
    if facts.get("format") != FORMAT:
        raise DatasetError(f"{folder} is written in format {facts.get('format')!r}; this version of the kit reads {FORMAT}.")
    wrong = [f"{name} ({facts.get(name)!r})" for name, kind in _FACTS.items() if not isinstance(facts.get(name), kind)]
    if wrong:
        raise DatasetError(f"{folder / 'dataset.json'} lacks or garbles {', '.join(wrong)}; write the dataset again.")
    if stored.shape != (len(facts["leads"]), facts["records"], facts["samples"]) or len(table) != facts["records"]:
        raise DatasetError(
            f"{folder} disagrees with itself: dataset.json says {len(facts['leads'])} leads, {facts['records']} records, "
            f"{facts['samples']} samples; signals.npy is {stored.shape} and table.csv has {len(table)} rows. Write it again."
        )
    leads = _leads_of(folder, facts["leads"])
    named = {name: facts[name] for name in ("sampling_rate_hz", "label_names")}
    return {"stored": stored, "table": table, "leads": leads, "source": facts.get("source", str(folder)), **named}


def _read_npz(path: Path) -> dict[str, Any]:
    """Signals int16 microvolt [records, leads, samples], with labels, folds and patients beside them."""
    try:
        part = _npz_arrays(path)
        names = part["superclass_names"].tolist()
        table = pd.DataFrame({"record_id": part["record_id"], "patient_id": part["patient_id"], "fold": part["strat_fold"]})
        table[names] = part["y_super"]
        for extra in ("age", "sex"):
            if extra in part:
                table[extra] = part[extra]
        stored = part["signals"].transpose(1, 0, 2)  # [leads, records, samples]
        facts = {"sampling_rate_hz": float(part["fs"]), "label_names": names, "source": str(path)}
    except DatasetError:
        raise
    except (OSError, EOFError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DatasetError(
            f"{path} is damaged or truncated, or holds what an archive of ECGs does not ({error}); copy or download it again."
        ) from error
    return {"stored": stored, "table": table, "leads": _leads_of(path, part["lead_names"].tolist()), **facts}


def _npz_arrays(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise DatasetError(f"{path} is no .npz archive, or is truncated: its end is missing; copy or download it again.")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:  # numpy leaves a damaged file open
        missing = [name for name in _NPZ_ARRAYS if name not in archive.files]
        if missing:
            raise DatasetError(f"{path} lacks the arrays {', '.join(missing)}; it is not an archive of ECGs as expected.")
        part = {name: archive[name] for name in (*_NPZ_ARRAYS, "age", "sex") if name in archive.files}
    if str(part["units"]) not in ("uV", "microvolt"):
        raise DatasetError(f"{path} is in {part['units']}; expected microvolt (uV): convert it before opening.")
    return part


def _leads_of(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    try:
        return parse_leads(names)
    except LeadError as error:
        raise DatasetError(f"The lead names in {path} cannot be used: {error} Write it again with such names.") from error


def write_folder(folder: Path, stored: np.ndarray, table: pd.DataFrame, facts: dict[str, Any]) -> None:
    """Write the three files; the folder appears whole or not at all. Raises FileExistsError rather than overwrite."""
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; choose another place, or move it away first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
        parts = Path(unfinished) / "parts"
        parts.mkdir()
        np.save(parts / "signals.npy", stored)
        table.to_csv(parts / "table.csv", index=False)
        (parts / "dataset.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        parts.rename(folder)
