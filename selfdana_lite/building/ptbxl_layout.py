"""PTB-XL's own layout: ptbxl_database.csv, scp_statements.csv, records100/ and records500/ (Wagner et al. 2020)."""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from selfdana_lite.building.listing import Listing, files_below, make_listing
from selfdana_lite.building.superclasses import chosen_labels, label_columns, scp_superclasses
from selfdana_lite.parts import DatasetError, read_table

DATABASE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
SOURCE = "PTB-XL (Wagner et al. 2020, https://doi.org/10.1038/s41597-020-0495-6), as found in its own layout"
_FOLDERS = {"filename_lr": "records100", "filename_hr": "records500"}
_NEEDED = ("ecg_id", "patient_id", "scp_codes", "strat_fold", "filename_lr", "filename_hr")


def list_ptbxl(folder: Path, codes_of: Mapping[str, Iterable[str]] | None, sampling_rate_hz: float) -> Listing:
    """Its recordings with official folds, patients, age and sex (1 is female), scp_codes as they stand, and labels.

    codes_of: the SCP codes of each label; without it the five superclasses. Up to 100 Hz the records of records100 are
    taken, above those of records500; where only one of the two folders is there, that one.
    """
    database = _read(folder / DATABASE, _NEEDED)
    column = _column(folder, sampling_rate_hz)
    codes = [_codes(text) for text in database["scp_codes"]]
    found = [some or () for some in codes]
    if codes_of is None:
        codes_of = scp_superclasses(_read(folder / STATEMENTS, ("diagnostic", "diagnostic_class"), index_col=0))
        labels = label_columns(found, codes_of)
    else:
        labels = chosen_labels(found, codes_of)
    rows = pd.DataFrame(
        {
            "path": database[column].astype(str) + ".hea",
            "record_id": database["ecg_id"],
            "patient_id": database["patient_id"],
            "fold": database["strat_fold"],
            **{name: database[name] for name in ("age", "sex") if name in database},
            **labels,
            "scp_codes": database["scp_codes"],
        }
    )
    reasons = ["its scp_codes cannot be read" if some is None else "" for some in codes]
    there = {f"{_FOLDERS[column]}/{path}" for path in files_below(folder / _FOLDERS[column], (".hea",))}
    return make_listing(
        folder, rows, tuple(codes_of), source=SOURCE, licence="CC BY 4.0", reasons=reasons, unlisted=there - set(rows["path"])
    )


def _column(folder: Path, sampling_rate_hz: float) -> str:
    low, high = ((folder / name).is_dir() for name in _FOLDERS.values())
    return "filename_lr" if (low and sampling_rate_hz <= 100) or not high else "filename_hr"


def _codes(text: object) -> set[str] | None:
    """The codes of "{'NORM': 100.0, 'SR': 0.0}", or None where that is something else; literals only, nothing is run."""
    try:
        found = ast.literal_eval(str(text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return set(map(str, found)) if isinstance(found, dict) else None


def _read(path: Path, needed: Iterable[str], **options) -> pd.DataFrame:
    try:
        table = read_table(path, **options)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read ({error}); PTB-XL's layout has it beside records100/.") from error
    missing = [name for name in needed if name not in table.columns]
    if missing or not len(table):
        fault = f"lacks the columns {', '.join(missing)}" if missing else "has no rows"
        raise DatasetError(f"{path} {fault}; take it anew.")
    return table
