"""What a source holds, recording by recording, before any signal is read; and which of it is refused already."""

import hashlib
import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from selfdana_lite.parts import DatasetError, spread_over_folds

FOLDS = 10
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # the last are bytes of names that are not UTF-8
_LARGEST_WHOLE = 2**53  # up to here a float64 tells any two whole numbers apart
STATED = ("gain", "sampling_rate_hz")
_KEYS = ("record_id", "patient_id", "fold")


class Sought(NamedTuple):
    """A recording to be read: its file, relative to the folder, and what read_recording is to be told about it."""

    file: str
    stated: dict[str, float]


@dataclass(frozen=True, eq=False)
class Listing:
    """The recordings of a source, in the order in which the dataset will have them.

    rows: path as the source writes it, file (relative, with slashes), record_id, patient_id, fold, one 0/1 column a label,
        and what else the source says; gain and sampling_rate_hz, if there are any, for files that do not say them.
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

    def files(self, rows: np.ndarray) -> list[Sought]:
        """How to read the recordings in these rows."""
        stated = self.rows.iloc[rows].reindex(columns=list(STATED))  # NaN where the source has no such column
        stated = stated.apply(pd.to_numeric, errors="coerce").astype(float).to_dict("records")
        stated = [{name: value for name, value in some.items() if not np.isnan(value)} for some in stated]
        return [Sought(file, some) for file, some in zip(self.rows["file"].iloc[rows], stated, strict=True)]

    def digest(self) -> str:
        """Changes with the recordings, their labels, and the size or time of any of their files."""
        told = hashlib.sha256(self.rows.to_csv(index=False).encode())
        for text in (
            *self.reasons,
            *self.remarks,
            *self.unlisted,
            *_files_beside(self.folder, self.rows["file"].iloc[self.sought]),
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

    rows: at least path and the labels; file where path is not the name of the file already. reasons, remarks: what the
    layout itself has to say about each row. unlisted: paths of recordings that the source says nothing about.

    Raises DatasetError where a patient's recordings lie in several folds.
    """
    rows = rows if "file" in rows else rows.assign(file=rows["path"])
    files = zip(rows["file"], reasons or [""] * len(rows), strict=True)
    found = [_path_fault(folder, file) or reason for file, reason in files]
    rows, assumed = _fill_keys(_writable(rows.reset_index(drop=True)))
    remarks = [join_remarks(remark, assumed) for remark in remarks or [""] * len(rows)]
    reasons, unlisted = _reasons(rows, label_names, found), map(_without_controls, unlisted)
    if fault := spread_over_folds(rows[[reason == "" for reason in reasons]]):
        raise DatasetError(f"{fault} Deal patients, not recordings, into folds, or leave the column fold out.")
    order = [*_KEYS, *(name for name in rows.columns if name not in (*_KEYS, "path", "file")), "path", "file"]
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


def _without_controls(text: str) -> str:
    """A name that any table can hold: what cannot be printed, and bytes that are no letters, as \\x0d."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def _writable(rows: pd.DataFrame) -> pd.DataFrame:
    """Texts as a CSV file can hold them: line ends of one kind, and nothing that is no letter of Unicode."""
    rows = rows.copy()
    for name in rows.select_dtypes(object).columns:
        lines_of = _without_controls if name in ("path", "file", "record_id", "patient_id") else _one_kind_of_line_end
        rows[name] = [lines_of(cell) if isinstance(cell, str) else cell for cell in rows[name]]
    return rows


def _one_kind_of_line_end(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").encode(errors="backslashreplace").decode()


def _fill_keys(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """record_id from the path, a patient of its own for each recording, folds by patient, each where there is none."""
    rows, assumed = rows.copy(), ""
    if "record_id" not in rows:
        rows["record_id"] = [os.path.splitext(PurePosixPath(str(file)))[0] for file in rows["file"]]
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
    """Whole numbers, texts that look like numbers among them; but all texts where that would take 007 for 7."""
    ids = ids.astype(object).map(lambda name: name.strip() or None if isinstance(name, str) else name)
    found = pd.read_csv(io.StringIO(pd.DataFrame({"id": ids}).to_csv(index=False)), skip_blank_lines=False)["id"]
    if found.dtype.kind == "f" and ((found.dropna() % 1 == 0) & (found.dropna().abs() < _LARGEST_WHOLE)).all():
        found = found.astype("Int64")
    if any(isinstance(name, str) and name != str(again) for name, again in zip(ids, found, strict=True)):
        return ids.map(str, na_action="ignore")
    return found


def _reasons(rows: pd.DataFrame, label_names: Sequence[str], found: Sequence[str]) -> list[str]:
    """Nothing or why not, one a row; of two rows with one record_id or one path the first stays."""
    reasons = np.array(found, dtype=object)
    for name in _KEYS:
        bad = rows[name].isna() if name != "fold" else ~((rows[name] % 1 == 0) & (rows[name].abs() < _LARGEST_WHOLE))
        _refuse(reasons, bad, f"its row has no {name}" if name != "fold" else "its fold is no whole number")
    for name in label_names:
        numbers = pd.api.types.is_numeric_dtype(rows[name])
        hint = "" if numbers else "; make a 0/1 column of each of its values, as pandas.get_dummies does"
        _refuse(reasons, ~rows[name].isin([0, 1]), f"its label {name} is neither 0 nor 1{hint}")
    for name in (name for name in STATED if name in rows):
        given = rows[name].notna() & (rows[name] != "")
        good = pd.to_numeric(rows[name], errors="coerce").between(0, np.inf, inclusive="neither")
        _refuse(reasons, given & ~good, f"its {name} is no number above 0")
    for name in ("record_id", "file"):
        usable = rows[name].where(reasons == "")
        _refuse(reasons, usable.notna() & usable.duplicated(), f"an earlier row has the same {name}")
    return reasons.tolist()


def _refuse(reasons: np.ndarray, bad: pd.Series, why: str) -> None:
    reasons[bad.to_numpy(bool) & (reasons == "")] = why


def _path_fault(folder: Path, path: object) -> str:
    if not isinstance(path, str) or not path:
        return "its row names no file"
    if _CONTROLS.search(path):
        return "its path holds characters that cannot be printed"
    if PurePosixPath(path).is_absolute() or Path(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return "its path leads out of the folder"
    if os.path.isfile(folder / path):  # False too for names that no file can have
        return ""
    name = folder.resolve().name
    return f"there is no such file; paths are relative to {name}" if path.startswith(f"{name}/") else "there is no such file"


def _files_beside(folder: Path, paths: Iterable[str]) -> Iterable[str]:
    """For each recording the names, sizes and times of the files that share its stem: header and signals."""
    found: dict[str, dict[str, list[tuple]]] = {}
    for path in paths:
        parent, _, name = path.rpartition("/")
        if parent not in found:
            found[parent] = {}
            for entry in sorted(os.scandir(folder / parent), key=lambda entry: entry.name):
                if os.path.isfile(entry):  # False for circles of links
                    facts = entry.stat()
                    stem = os.path.splitext(entry.name)[0]
                    found[parent].setdefault(stem, []).append((entry.name, facts.st_size, facts.st_mtime_ns))
        yield str(found[parent].get(os.path.splitext(name)[0]))
