"""The layout of the PhysioNet/CinC Challenges 2020 and 2021: .mat + .hea pairs, diagnoses as SNOMED CT codes in the header."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from selfdana_lite.building.listing import Listing, files_below, make_listing
from selfdana_lite.building.superclasses import SNOMED_SUPERCLASSES, chosen_labels, snomed_superclasses

_COMMENT = re.compile(r"^[ \t]*#[ \t]*(Age|Sex|Dx)[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 1_000_000  # a header has about a thousand; whatever is larger is no header
_SEX = {"m": 0, "male": 0, "f": 1, "female": 1}  # as in PTB-XL


def list_challenge(folder: Path, codes_of: Mapping[str, Iterable[str]] | None) -> Listing:
    """Every header below the folder, with age, sex (1 is female), its codes in dx_codes, and labels.

    codes_of: the SNOMED CT codes of each label; without it the five superclasses by SNOMED_SUPERCLASSES. Codes that make no
    label are remarked upon. There are no patients: each recording counts as a patient of its own.
    """
    paths = sorted(files_below(folder, (".hea",)))
    said = [header_comments(folder / path) for path in paths]
    codes = [re.findall(r"[^\s,;]+", comments.get("dx", "")) for comments in said]
    labels = snomed_superclasses(codes) if codes_of is None else chosen_labels(codes, codes_of)
    known = {str(code) for some in (codes_of or SNOMED_SUPERCLASSES).values() for code in some}
    rows = pd.DataFrame(
        {
            "path": paths,
            "age": pd.to_numeric([comments.get("age") for comments in said], errors="coerce"),
            "sex": [_SEX.get(comments.get("sex", "").lower()) for comments in said],
            "dx_codes": [" ".join(found) for found in codes],
        }
    )
    rows["sex"] = rows["sex"].astype("Int64")
    rows[labels.columns] = labels
    reasons = ["" if found else "its header names no diagnosis (# Dx:)" for found in codes]
    remarks = ["; ".join(f"code {code} is in no class" for code in found if code not in known) for found in codes]
    source = f"Recordings in the layout of the PhysioNet/CinC Challenges, {folder.name}"
    return make_listing(folder, rows, labels.columns, source=source, reasons=reasons, remarks=remarks)


def header_comments(path: Path) -> dict[str, str]:
    """Age, sex and diagnosis codes of one header, by lower-case name; whatever the bytes, no error."""
    if not os.path.isfile(path):  # a pipe would be waited on for ever
        return {}
    with path.open("rb") as file:
        text = file.read(_HEADER_BYTES).decode("utf-8", errors="replace")
    return {name.lower(): value.strip() for name, value in _COMMENT.findall(text)}
