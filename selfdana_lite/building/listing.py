"""What a source holds, recording by recording, before any signal is read; and which of it is refused already."""

import hashlib
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from selfdana_lite.parts import DatasetError

FOLDS = 10
_KEYS = ("record_id", "patient_id", "fold")


@dataclass(frozen=True, eq=False)
class Listing:
    """The recordings of a source, in the order in which the dataset will have them.

    rows: path (relative, with slashes), record_id, patient_id, fold, one 0/1 column a label, and what else the source says.
    reasons: for each row why it cannot be used, "" where nothing speaks against reading it.
    remarks: for each row what a person should know about it, "" where there is nothing.
    unlisted: paths of recordings that lie there and that the source says nothing about; they are not used.
    """

    folder: Path
    rows: pd.DataFrame
    reasons: np.ndarray
    remarks: np.ndarray
    unlisted: tuple[str, ...]
    label_names: tuple[str, ...]
    source: str
    licence: str
    sought: np.ndarray = field(init=False)  # positions of the rows to be read

    def __post_init__(self) -> None:
        object.__setattr__(self, "sought", np.flatnonzero(self.reasons == ""))
        if not len(self.sought):
            said = f": {self.rows['path'].iloc[0]}: {self.reasons[0]}" if len(self.rows) else ""
            raise DatasetError(f"None of the {len(self.rows)} recordings of {self.folder} can be used{said}. Mend that first.")

    def paths(self, first: int, end: int) -> list[str]:
        """Paths of some of the sought recordings."""
        return self.rows["path"].iloc[self.sought[first:end]].tolist()

    def digest(self) -> str:
        """Changes with the recordings, their labels, and the size or time of any of their files."""
        told = hashlib.sha256(self.rows.to_csv(index=False).encode())
        for text in (
            *self.reasons,
            *self.remarks,
            *self.unlisted,
            *_files_beside(self.folder, self.paths(0, len(self.sought))),
        ):
            told.update(f"{text}\n".encode())
        return told.hexdigest()


def make_listing(
    folder: Path,
    rows: pd.DataFrame,
    label_names: Sequence[str],
    *,
    source: str,
    licence: str = "not stated; as that of the recordings",
    reasons: Sequence[str] | None = None,
    remarks: Sequence[str] | None = None,
    unlisted: Iterable[str] = (),
) -> Listing:
    """A listing with ids and folds filled in where the source has none, and the reasons that can be known by now.

    rows: at least path and the labels. reasons, remarks: what the layout itself has to say about each row.
    unlisted: paths of recordings that the source says nothing about.
    """
    rows = rows.reset_index(drop=True)
    rows, assumed = _fill_keys(rows)
    remarks = [join_remarks(remark, assumed) for remark in remarks or [""] * len(rows)]
    reasons = _reasons(folder, rows, label_names, reasons or [""] * len(rows))
    order = [*_KEYS, *(name for name in rows.columns if name not in (*_KEYS, "path")), "path"]
    texts = (np.array(reasons, object), np.array(remarks, object), tuple(sorted(unlisted)))
    return Listing(folder, rows[order], *texts, tuple(label_names), source, licence)


def files_below(folder: Path, suffixes: Sequence[str]) -> set[str]:
    """Relative paths, with slashes, of the files whose names end so, in upper or lower case."""
    found = set()
    for parent, _, names in os.walk(folder):
        place = Path(parent).relative_to(folder).as_posix()
        found |= {name if place == "." else f"{place}/{name}" for name in names if name.lower().endswith(tuple(suffixes))}
    return found


def join_remarks(*remarks: str) -> str:
    """One text of several, of which some may be empty."""
    return "; ".join(filter(None, remarks))


def _fill_keys(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """record_id from the path, a patient of its own for each recording, folds by patient, each where there is none."""
    rows, assumed = rows.copy(), ""
    if "record_id" not in rows:
        rows["record_id"] = [str(PurePosixPath(str(path)).with_suffix("")) for path in rows["path"]]
    rows["record_id"] = _as_read_again(rows["record_id"])
    if "patient_id" not in rows:
        rows["patient_id"], assumed = rows["record_id"], "taken for a patient of its own"
    rows["patient_id"] = _as_read_again(rows["patient_id"])
    if "fold" not in rows:
        rows["fold"] = [fold_of(patient) for patient in rows["patient_id"]]
    rows["fold"] = pd.to_numeric(rows["fold"], errors="coerce")
    return rows, assumed


def fold_of(patient_id: object) -> int:
    """A fold 1..10 that depends on the patient alone: the same in every process, on every machine, in every corpus."""
    return int.from_bytes(hashlib.sha256(str(patient_id).encode()).digest()[:8], "big") % FOLDS + 1


def _as_read_again(ids: pd.Series) -> pd.Series:
    """As they will be found in table.csv, where 007 and 7 are the same number."""
    text = pd.DataFrame({"id": ids.astype(object)}).to_csv(index=False)
    found = pd.read_csv(io.StringIO(text), skip_blank_lines=False)["id"]
    return found.astype("Int64") if found.dtype.kind == "f" and (found.dropna() % 1 == 0).all() else found


def _reasons(folder: Path, rows: pd.DataFrame, label_names: Sequence[str], found: Sequence[str]) -> list[str]:
    """Nothing or why not, one a row; of two rows with one record_id or one path the first stays."""
    paths = zip(rows["path"], found, strict=True)
    reasons = np.array([_path_fault(folder, path) or reason for path, reason in paths], dtype=object)
    for name in _KEYS:
        bad = rows[name].isna() if name != "fold" else ~(rows[name] % 1 == 0)
        _refuse(reasons, bad, f"its row has no {name}" if name != "fold" else "its fold is no whole number")
    for name in label_names:
        _refuse(reasons, ~rows[name].isin([0, 1]), f"its label {name} is neither 0 nor 1")
    for name in ("record_id", "path"):
        usable = rows[name].where(reasons == "")
        _refuse(reasons, usable.notna() & usable.duplicated(), f"an earlier row has the same {name}")
    return reasons.tolist()


def _refuse(reasons: np.ndarray, bad: pd.Series, why: str) -> None:
    reasons[bad.to_numpy(bool) & (reasons == "")] = why


def _path_fault(folder: Path, path: object) -> str:
    if not isinstance(path, str) or not path:
        return "its row names no file"
    if PurePosixPath(path).is_absolute() or Path(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return "its path leads out of the folder"
    return "" if (folder / path).is_file() else "there is no such file"


def _files_beside(folder: Path, paths: list[str]) -> Iterable[str]:
    """For each recording the names, sizes and times of the files that share its stem: header and signals."""
    found: dict[str, dict[str, list[tuple]]] = {}
    for path in paths:
        parent, _, name = path.rpartition("/")
        if parent not in found:
            found[parent] = {}
            for entry in sorted(os.scandir(folder / parent), key=lambda entry: entry.name):
                if entry.is_file():
                    facts = entry.stat()
                    stem = os.path.splitext(entry.name)[0]
                    found[parent].setdefault(stem, []).append((entry.name, facts.st_size, facts.st_mtime_ns))
        yield str(found[parent].get(os.path.splitext(name)[0]))
