"""A folder of recordings in any format that the kit reads, with a table of labels: a row a recording."""

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from selfdana_lite.building.listing import STATED, Listing, files_below, make_listing
from selfdana_lite.parts import DatasetError, read_table
from selfdana_lite.readers.text import decoded

_TEXTS = ("path", "record_id", "patient_id")  # as they stand: 007 is not 7
_NO_LABELS = (*_TEXTS, "fold", "file", *STATED)
_DECIMAL_COMMA = re.compile(r"\d,\d")


def list_table(
    folder: Path, labels: str | os.PathLike | pd.DataFrame, label_names: Sequence[str] | None, suffixes: Sequence[str]
) -> Listing:
    """The table's rows; recordings in the folder that it does not name are refused one by one.

    labels: a CSV file or a DataFrame. Column path: relative to the folder, or absolute within it; a WFDB record with or
    without .hea. Columns record_id, patient_id and fold if there are any, and gain and sampling_rate_hz for files that do
    not say them; label_names says which others are labels (0 or 1), and what remains is kept as it is. The file that a path
    stands for is in column file.
    """
    named = not isinstance(labels, pd.DataFrame)
    table = _read(Path(labels)) if named else labels.copy()
    if "path" not in table:
        raise DatasetError(f"The label table has no column path; found {', '.join(map(str, table.columns))}. Name the files.")
    names = _label_names(table, label_names)
    files = [_file_of(folder, path) for path in table["path"]]
    if "file" in table and table["file"].tolist() != files:
        raise DatasetError("The label table has a column file, which the dataset needs for the files found; name it otherwise.")
    rows = table.assign(file=files)
    known = set(files) | ({Path(labels).name} if named and Path(labels).resolve().parent == folder.resolve() else set())
    return make_listing(
        folder,
        rows,
        names,
        source=f"Recordings in {folder.name}, with a table of labels",
        unlisted=files_below(folder, suffixes) - known,
    )


def _read(path: Path) -> pd.DataFrame:
    """A CSV file as any office program saves it: parted by comma, semicolon or tab, as UTF-8, UTF-16 or Latin-1."""
    if not path.exists():
        raise DatasetError(f"There is no {path.name} (looked in {path.absolute().parent}); give the path of the label table.")
    try:
        content, encoding = decoded(path.read_bytes())
        text = content.decode(encoding)
        separator = max(",;\t", key=text.partition("\n")[0].count)  # the comma where there is none at all
        decimal = "," if separator != "," and _DECIMAL_COMMA.search(text) else "."
        return read_table(io.StringIO(text), sep=separator, decimal=decimal, dtype=dict.fromkeys(_TEXTS, str))
    except (OSError, ValueError) as error:
        raise DatasetError(f"The label table {path} cannot be read as CSV ({error}).") from error


def _label_names(table: pd.DataFrame, label_names: Sequence[str] | None) -> tuple[str, ...]:
    binary = [str(name) for name in table.columns if name not in _NO_LABELS and table[name].isin([0, 1]).all()]
    if label_names is None and binary:
        raise DatasetError(
            f"The label table has the 0/1 columns {', '.join(binary)}; say with label_names= which of them are labels, "
            f"label_names=() for none."
        )
    names = (label_names,) if isinstance(label_names, str) else tuple(label_names or ())
    wrong = [name for name in names if name not in table.columns or name in _NO_LABELS]
    if wrong or len(set(names)) < len(names):
        raise DatasetError(f"label_names {names} must name columns of the label table once each; it has {', '.join(binary)}.")
    return names


def _file_of(folder: Path, path: object) -> object:
    """The file, relative to the folder, for a path with blanks, with separators of Windows, from the root, or without .hea."""
    if not isinstance(path, str) or "\0" in path:
        return path
    name = path.strip()
    if not os.path.isfile(folder / name):
        name = name.replace("\\", "/")
    return _with_suffix(folder, _inside(folder, name)) if name else name


def _inside(folder: Path, name: str) -> str:
    """Relative to the folder, where it lies within; else as it is."""
    for real in (os.path.abspath, os.path.realpath):
        inside = Path(os.path.relpath(real(folder / name), real(folder)))
        if ".." not in inside.parts:
            return inside.as_posix()
    return name


def _with_suffix(folder: Path, name: str) -> str:
    """WFDB's own tables name records without .hea."""
    header = f"{name}.hea"
    return header if not os.path.isfile(folder / name) and os.path.isfile(folder / header) else name
