"""How recordings lie on disk: a folder of the kit's own, or the .npz archive of the real recordings.

    folder/dataset.json   lead and label names, sampling rate, counts, source, licence
    folder/signals.npy    int16 microvolt [leads, records, samples]
    folder/present.npy    bool [leads, records], which leads each recording has; no such file: all of them. What lies in
                          signals.npy for a lead that is absent is zeros, and nobody gets to see them.
    folder/table.csv      one row a recording: record_id, patient_id, fold, a 0/1 column for each label

Nothing here can run code: pickled arrays are refused. Every fault is a DatasetError.
"""

import json
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from selfdana_lite.leads import LeadError, parse_leads
from selfdana_lite.packed_arrays import DAMAGE, read_npy, unpack
from selfdana_lite.parts import DatasetError, read_table, refuse_signals_of_absent_leads
from selfdana_lite.signal_file import SignalFile

SIGNALS_FILE, PRESENT_FILE, TABLE_FILE, FACTS_FILE = "signals.npy", "present.npy", "table.csv", "dataset.json"
_LARGEST = 1e15  # of numbers in dataset.json; beyond, they are neither counts nor hertz
_NPZ_TIMES_PACKED, _NPZ_AT_LEAST_BYTES = 20, 100_000_000  # ECGs shrink to a half or a third; a bomb, to a thousandth
_NPZ_ARRAYS = ("signals", "units", "lead_names", "fs", "superclass_names", "y_super", "record_id", "patient_id", "strat_fold")
_NPZ_KINDS = {"lead_names": "U", "superclass_names": "U", "y_super": "iufb", "record_id": "iuU", "patient_id": "iuU"}
_NPZ_KINDS |= {"strat_fold": "iuf", "age": "iuf", "sex": "iuf"}  # numbers and texts, of NumPy's kinds


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) < _LARGEST


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_FACTS = {"leads": _is_list_of_texts, "records": _is_number, "samples": _is_number, "sampling_rate_hz": _is_number}
_FACTS |= {"label_names": _is_list_of_texts}
FORMAT = 1  # of a dataset folder


def dataset_facts(
    *,
    leads: Sequence[str],
    sampling_rate_hz: float,
    label_names: Sequence[str],
    source: str,
    licence: str,
    records: int,
    samples: int,
    mixed_leads: bool,
) -> dict[str, Any]:
    """What dataset.json holds. mixed_leads: whether present.npy belongs to the folder, so that its loss is noticed."""
    facts = {
        "format": FORMAT,
        "source": source,
        "licence": licence,
        "sampling_rate_hz": sampling_rate_hz,
        "leads": list(leads),
        "label_names": list(label_names),
        "records": records,
        "samples": samples,
    }
    return facts | {"mixed_leads": True} if mixed_leads else facts


def read_parts(path: str | os.PathLike) -> dict[str, Any]:
    """What EcgDataset is made of (stored, table, leads, ...), from a folder or an .npz; DatasetError says what is wrong."""
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if path.suffix == ".npz" and path.is_file():
        return _read_npz(path)
    raise DatasetError(f"No dataset at {path}: expected a folder with dataset.json, signals.npy and table.csv, or an .npz.")


def _read_folder(folder: Path) -> dict[str, Any]:
    for name in (FACTS_FILE, SIGNALS_FILE, TABLE_FILE):
        if not (folder / name).is_file():
            raise DatasetError(
                f"{folder} lacks {name}; a dataset folder holds dataset.json, signals.npy and table.csv. EcgDataset.build "
                f"makes one of a folder of recordings."
            )
    try:
        facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
        stored = SignalFile(folder / SIGNALS_FILE)
        present = read_npy(folder / PRESENT_FILE) if _is_there(folder / PRESENT_FILE) else None
        with (folder / TABLE_FILE).open("rb") as file:  # not by name, which pandas might take for a URL
            table = read_table(file, converters=dict.fromkeys(_text_columns(facts), str))
    except (*DAMAGE, RecursionError) as error:  # bad JSON, a pickle, a short memory map or an unreadable table
        raise DatasetError(f"{folder} holds a damaged or truncated file ({error}); write or download it again.") from error
    if not isinstance(facts, dict):
        raise DatasetError(f"{folder / FACTS_FILE} holds a {type(facts).__name__}, not a JSON object; write it again.")
    if facts.get("format") != FORMAT:
        raise DatasetError(f"{folder} is written in format {facts.get('format')!r}; this version of the kit reads {FORMAT}.")
    wrong = [f"{name} ({facts.get(name)!r:.100})" for name, good in _FACTS.items() if not good(facts.get(name))]
    if wrong:
        raise DatasetError(f"{folder / FACTS_FILE} lacks or garbles {', '.join(wrong)}; write the dataset again.")
    if stored.shape != (len(facts["leads"]), facts["records"], facts["samples"]) or len(table) != facts["records"]:
        raise DatasetError(
            f"{folder} disagrees with itself: dataset.json says {len(facts['leads'])} leads, {facts['records']} records, "
            f"{facts['samples']} samples; signals.npy is {stored.shape} and table.csv has {len(table)} rows. Write it again."
        )
    if facts.get("mixed_leads") and present is None:
        raise DatasetError(f"{folder} lacks {PRESENT_FILE}, which says which leads each recording has; copy it there too.")
    leads = _leads_of(folder, facts["leads"])
    named = {name: facts[name] for name in ("sampling_rate_hz", "label_names")}
    parts = {"stored": stored, "present": present, "table": table, "leads": leads}
    return parts | {"source": facts.get("source", str(folder)), **named}


def _text_columns(facts: object) -> list[str]:
    """Columns of table.csv that hold texts, of which some may look like numbers."""
    named = facts.get("text_columns") if isinstance(facts, dict) else None
    return named if _is_list_of_texts(named) else []


def _is_there(path: Path) -> bool:
    """DatasetError for a pipe, a folder or a link to nothing: that it was meant to be there is clear, what it says is not."""
    if os.path.lexists(path) and not path.is_file():
        raise DatasetError(f"{path} is no file; write or download the dataset again.")
    return path.exists()


def _read_npz(path: Path) -> dict[str, Any]:
    """Signals int16 microvolt [records, leads, samples], with labels, folds and patients beside them."""
    try:
        part = _npz_arrays(path)
        names = np.atleast_1d(part["superclass_names"]).tolist()
        table = pd.DataFrame({"record_id": part["record_id"], "patient_id": part["patient_id"], "fold": part["strat_fold"]})
        table[names] = part["y_super"]
        for extra in ("age", "sex"):
            if extra in part:
                table[extra] = part[extra]
        stored = part["signals"].transpose(1, 0, 2)  # [leads, records, samples]
        facts = {"sampling_rate_hz": float(part["fs"].item()), "label_names": names, "source": str(path)}
    except DatasetError:
        raise
    except DAMAGE as error:
        raise DatasetError(
            f"{path} is damaged or truncated, or holds what an archive of ECGs does not ({error}); copy or download it again."
        ) from error
    return {"stored": stored, "table": table, "leads": _leads_of(path, np.atleast_1d(part["lead_names"]).tolist()), **facts}


def _npz_arrays(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise DatasetError(f"{path} is no .npz archive, or is truncated: its end is missing; copy or download it again.")
    left_bytes = max(_NPZ_AT_LEAST_BYTES, _NPZ_TIMES_PACKED * path.stat().st_size)
    part = {}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:  # so that a damaged file is closed too
        held = [name.removesuffix(".npy") for name in archive.namelist()]
        missing = [name for name in _NPZ_ARRAYS if name not in held]
        if missing:
            raise DatasetError(f"{path} lacks the arrays {', '.join(missing)}; it is not an archive of ECGs as expected.")
        for name in (*_NPZ_ARRAYS, "age", "sex"):
            if name in held:
                part[name] = _native(unpack(archive, name, left_bytes), name)
                left_bytes -= part[name].nbytes
    if str(part["units"]) not in ("uV", "microvolt"):
        raise DatasetError(f"{path} is in {part['units']}; expected microvolt (uV): convert it before opening.")
    return part


def _native(values: np.ndarray, name: str) -> np.ndarray:
    """In this machine's byte order, which pandas asks for; ValueError for what a column of a table or a name cannot be."""
    if values.dtype.kind not in _NPZ_KINDS.get(name, values.dtype.kind):
        raise ValueError(f"array {name} is {values.dtype}")
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _leads_of(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    try:
        return parse_leads(names)
    except LeadError as error:
        raise DatasetError(f"The lead names in {path} cannot be used: {error} Write it again with such names.") from error


def write_folder(folder: Path, stored: np.ndarray, table: pd.DataFrame, present: np.ndarray | None, **facts: Any) -> None:
    """Write the files; the folder appears whole or not at all. facts: those of dataset_facts that the parts do not tell.

    Raises FileExistsError rather than overwrite, and DatasetError where a lead that is not present has signals.
    """
    mixed = present is not None and not present.all()
    if mixed:
        refuse_signals_of_absent_leads(stored, present)
    facts = dataset_facts(records=len(table), samples=stored.shape[2], mixed_leads=mixed, **facts)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; choose another place, or move it away first.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
        parts = Path(unfinished) / "parts"
        parts.mkdir()
        np.save(parts / SIGNALS_FILE, stored)
        if mixed:
            np.save(parts / PRESENT_FILE, present)
        table.to_csv(parts / TABLE_FILE, index=False)
        (parts / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        parts.rename(folder)
