"""Text files of numbers: their lines whatever the encoding, and tables of cells where each bad one is named by its line."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from selfdana_lite.recording import RecordingError

MAX_MEGABYTES = 100  # an hour of twelve leads at 250 Hz; a table of text needs about eight times its size to be read
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MISSING = ("", "nan", "NaN", "NAN")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without quotes and the spaces around them: UTF-8 or UTF-16 where that fits, else Latin-1."""
    if path.stat().st_size > MAX_MEGABYTES * 1e6:
        raise RecordingError(
            f"{path} holds {path.stat().st_size / 1e6:.0f} MB of text, more than {MAX_MEGABYTES}; cut it into parts, or "
            f"write it as EDF, WFDB or .npz."
        )
    content = path.read_bytes()
    encoding = "utf-16" if content.startswith(_UTF16_MARKS) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # takes any byte, and has the µ of older Windows programs
    if "\0" in text:
        raise RecordingError(f"{path} is no text: it holds zero bytes; name the file by its true format, or export it again.")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace('"', "").replace("'", "")
    return [line.strip(" ") for line in text.rstrip("\n ").split("\n")]


def is_number(cell: str) -> bool:
    """Would a table of this kit take the cell as a number? A decimal comma counts."""
    try:
        return np.isfinite(float(cell.replace(",", "."))) and "_" not in cell
    except ValueError:
        return False


def number_table(
    lines: Sequence[str], delimiter: str | None, columns: Sequence[str], first_line: int, source: str
) -> np.ndarray:
    """float64 [columns, rows] from lines of cells; NaN for empty cells. None for a delimiter: one cell a line.

    A comma that does not part cells is a decimal comma. Raises RecordingError, with the line counted from first_line, for
    a line with more or fewer cells than columns, and for a cell that is no number.
    """
    for number, line in enumerate(lines, start=first_line):
        cells = line.count(delimiter) + 1 if delimiter else 1
        if cells != len(columns) or (cells == 1 and not line):
            raise RecordingError(
                f"{source}, line {number}: found {cells if line else 'no'} cells where there should be {len(columns)} "
                f"({', '.join(columns)}); mend that line."
            )
    text = "\n".join(lines)
    decimal = "," if delimiter != "," and "," in text else "."
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=delimiter or "\t",
            decimal=decimal,
            header=None,
            dtype=np.float64,
            na_values=list(_MISSING),
            keep_default_na=False,
            skipinitialspace=True,
            skip_blank_lines=False,
            quoting=3,  # csv.QUOTE_NONE: there are no quotes any more
        ).to_numpy()
    except (ValueError, OverflowError) as error:  # a cell that is no number; pandas does not say where
        raise RecordingError(_bad_cell(lines, delimiter, columns, first_line, source) or f"{source}: {error}.") from error
    if np.isinf(table).any():
        raise RecordingError(_bad_cell(lines, delimiter, columns, first_line, source) or f"{source} holds infinite numbers.")
    return table.T  # [rows, columns] -> [columns, rows]


def _bad_cell(lines: Sequence[str], delimiter: str | None, columns: Sequence[str], first_line: int, source: str) -> str | None:
    for number, line in enumerate(lines, start=first_line):
        for cell, column in zip(line.split(delimiter) if delimiter else [line], columns, strict=True):
            if cell.strip() not in _MISSING and not is_number(cell):
                return (
                    f"{source}, line {number}: {cell.strip()[:40]!r} in column {column} is not a number; mend the cell, or "
                    f"leave it empty where a sample is missing."
                )
    return None
