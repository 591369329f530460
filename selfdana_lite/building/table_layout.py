"""A folder of recordings in any format that the kit reads, with a table of labels: a row a recording."""

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from selfdana_lite.building.listing import Listing, files_below, make_listing
from selfdana_lite.parts import DatasetError

_NO_LABELS = ("path", "record_id", "patient_id", "fold")


def list_table(
    folder: Path, labels: str | os.PathLike | pd.DataFrame, label_names: Sequence[str] | None, suffixes: Sequence[str]
) -> Listing:
    """The table's rows; recordings in the folder that it does not name are refused one by one.

    labels: a CSV file or a DataFrame. Column path: relative to the folder, with slashes; a WFDB record with or without
    .hea. Columns record_id, patient_id and fold if there are any; label_names says which others are labels (0 or 1), and
    what remains is kept as it is.
    """
    table, named = _read(labels), isinstance(labels, str | os.PathLike)
    if "path" not in table:
        raise DatasetError(f"The label table has no column path; found {', '.join(map(str, table.columns))}. Name the files.")
    names = _label_names(table, label_names)
    rows = table.assign(path=[_with_suffix(folder, path) for path in table["path"]])
    known = set(rows["path"]) | ({Path(labels).name} if named and Path(labels).resolve().parent == folder.resolve() else set())
    return make_listing(
        folder,
        rows,
        names,
        source=f"Recordings in {folder.name}, with a table of labels",
        unlisted=files_below(folder, suffixes) - known,
    )


def _read(labels: str | os.PathLike | pd.DataFrame) -> pd.DataFrame:
    if isinstance(labels, pd.DataFrame):
        return labels.copy()
    try:
        return pd.read_csv(labels, dtype={"path": str})
    except (OSError, ValueError) as error:
        raise DatasetError(f"The label table {labels} cannot be read as CSV ({error}).") from error


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


def _with_suffix(folder: Path, path: object) -> object:
    """WFDB's own tables name records without .hea."""
    header = f"{path}.hea"
    return header if isinstance(path, str) and not (folder / path).is_file() and (folder / header).is_file() else path
