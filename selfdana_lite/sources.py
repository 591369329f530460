"""Three layouts in which recordings and their labels come, found by what lies in the folder or named.

"table"      any recordings, and a table of labels: labels= is a CSV file or a DataFrame
"ptbxl"      ptbxl_database.csv, scp_statements.csv and records100/
"challenge"  .hea with "# Dx:" lines, beside .mat
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from selfdana_lite.building.challenge_layout import header_comments, list_challenge
from selfdana_lite.building.listing import Listing
from selfdana_lite.building.ptbxl_layout import DATABASE, list_ptbxl
from selfdana_lite.building.table_layout import list_table
from selfdana_lite.parts import DatasetError

LAYOUTS = ("table", "ptbxl", "challenge")
SUFFIXES = (".hea", ".edf", ".bdf", ".csv", ".tsv", ".npz")  # of recordings; .dat and .mat belong to their .hea

Labels = str | os.PathLike | pd.DataFrame | Mapping[str, Iterable[str]]


def list_recordings(
    folder: Path, layout: str | None, labels: Labels | None, label_names: Sequence[str] | None, sampling_rate_hz: float
) -> Listing:
    """The recordings of a folder with their labels, in one of the layouts above; EcgDataset.build says what labels may be."""
    if not os.path.isdir(folder):  # False too where it may not be looked at
        raise DatasetError(f"{folder} is no folder; give the folder that holds the recordings.")
    layout = layout or _find_layout(folder, labels)
    if layout not in LAYOUTS:
        raise DatasetError(f"Unknown layout {layout!r}; known are {', '.join(LAYOUTS)}.")
    if layout == "table":
        if not _is_table(labels):
            raise DatasetError("The layout 'table' needs labels=, a CSV file or a DataFrame with a column path.")
        return list_table(folder, labels, label_names, SUFFIXES)
    codes_of = _check_codes(layout, labels, label_names)
    return list_challenge(folder, codes_of) if layout == "challenge" else list_ptbxl(folder, codes_of, sampling_rate_hz)


def _is_table(labels: Labels | None) -> bool:
    return isinstance(labels, str | os.PathLike | pd.DataFrame)


def _find_layout(folder: Path, labels: Labels | None) -> str:
    if _is_table(labels):
        return "table"
    if (folder / DATABASE).is_file():
        return "ptbxl"
    header = next(iter(folder.rglob("*.hea")), None)
    if header is not None and "dx" in header_comments(header):
        return "challenge"
    raise DatasetError(
        f"{folder} has neither {DATABASE} nor headers with '# Dx:' lines; give the labels of its recordings with labels= (a "
        f"CSV file or DataFrame with a column path), or name the layout: {', '.join(LAYOUTS)}."
    )


def _check_codes(layout: str, labels: Labels | None, label_names: Sequence[str] | None) -> Mapping[str, Iterable[str]] | None:
    if label_names is not None:
        raise DatasetError(f"label_names goes with a label table; in the layout {layout!r} give labels={{name: [codes]}}.")
    taken = {"path", "record_id", "patient_id", "fold", "age", "sex", "scp_codes", "dx_codes"}
    good = labels is None or (
        isinstance(labels, Mapping)
        and len(labels) > 0
        and taken.isdisjoint(labels)
        and all(isinstance(name, str) and not isinstance(codes, str) for name, codes in labels.items())
    )
    if not good:
        raise DatasetError(f"In the layout {layout!r} labels must be {{name: [codes]}}, such as {{'AF': ['164889003']}}.")
    return None if labels is None else {name: [str(code) for code in codes] for name, codes in labels.items()}
