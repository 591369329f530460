"""Text files of numbers: their lines whatever the encoding, and tables of cells where each bad one is named by its line."""

import contextlib
import io
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from selfdana_lite.recording import RecordingError

MAX_MEGABYTES = 100  # an hour of twelve leads at 250 Hz; a table of text needs about eight times its size to be read
_MAX_LINES = 4_000_000  # two hours at 512 Hz; each takes some 150 bytes while it is read
_MAX_LINE_BYTES = 20_000
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MISSING = ("", "nan", "NaN", "NAN")


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without quotes and the spaces around them: UTF-8 or UTF-16 where that fits, else Latin-1."""
    if path.stat().st_size > MAX_MEGABYTES * 1e6:
        raise RecordingError(
            f"{path} holds {path.stat().st_size / 1e6:.0f} MB of text, more than {MAX_MEGABYTES}; cut it into parts, or "
            f"write it as EDF, WFDB or .npz."
        )
    content, encoding = decoded(path.read_bytes())
    if b"\0" in content:
        raise RecordingError(f"{path} is no text: it holds zero bytes; name the file by its true format, or export it again.")
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").translate(None, b"\"'").rstrip(b"\n ")
    if content.count(b"\n") > _MAX_LINES:
        raise RecordingError(f"{path} has more than {_MAX_LINES} lines; cut it into parts, or write it as EDF, WFDB or .npz.")
    lines = content.split(b"\n")
    longest = max(map(len, lines))
    if longest > _MAX_LINE_BYTES:
        raise RecordingError(
            f"{path}, line {1 + list(map(len, lines)).index(longest)}: {longest} bytes in one line; expected a table of one "
            f"line a sample, one column a lead, and at most {_MAX_LINE_BYTES} bytes a line."
        )
    return [line.decode(encoding).strip(" ") for line in lines]


def decoded(content: bytes) -> tuple[bytes, str]:
    """The text in an encoding that has one byte for each of the signs that part lines and cells, and which one that is."""
    if content.startswith(_UTF16_MARKS):
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode("utf-16").encode(), "utf-8"
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content, "latin-1"  # takes any byte, and has the µ of older Windows programs
    return content, "utf-8"


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
    a line with more or fewer cells than columns, for a cell that is no number, and where some have decimal commas and others
    decimal points.
    """
    separator = delimiter or "\t"  # no line should hold one then; where one does, there is a cell too many
    for number, line in enumerate(lines, start=first_line):
        cells = line.count(separator) + 1
        if cells != len(columns) or (cells == 1 and not line):
            raise RecordingError(
                f"{source}, line {number}: found {cells if line else 'no'} cells where there should be {len(columns)} "
                f"({', '.join(columns)}); mend that line."
            )
    text = "\n".join(lines)
    decimal = "," if delimiter != "," and "," in text else "."
    try:
        table = pd.read_csv(
            io.BytesIO(text.encode()),
            sep=separator,
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
        cells = partial(_cells, lines, delimiter, columns, first_line)
        raise RecordingError(_bad_cell(cells(), source) or _mixed_marks(cells(), source) or f"{source}: {error}.") from error
    if np.isinf(table).any():
        bad_cell = _bad_cell(_cells(lines, delimiter, columns, first_line), source)
        raise RecordingError(bad_cell or f"{source} holds infinite numbers.")
    return table.T  # [rows, columns] -> [columns, rows]


def _cells(
    lines: Sequence[str], delimiter: str | None, columns: Sequence[str], first_line: int
) -> Iterator[tuple[int, str, str]]:
    """Line number, column and text of each cell that is not empty."""
    for number, line in enumerate(lines, start=first_line):
        for column, cell in zip(columns, line.split(delimiter) if delimiter else [line], strict=True):
            if cell.strip() not in _MISSING:
                yield number, column, cell.strip()


def _bad_cell(cells: Iterable[tuple[int, str, str]], source: str) -> str | None:
    for number, column, cell in cells:
        if not is_number(cell):
            return (
                f"{source}, line {number}: {cell[:40]!r} in column {column} is not a number; mend the cell, or leave it empty "
                f"where a sample is missing."
            )
    return None


def _mixed_marks(cells: Iterable[tuple[int, str, str]], source: str) -> str | None:
    """Beside 0,5 the cell 1.234 may be a thousand or one: nobody is to guess."""
    first = {}  # mark -> column
    for number, column, cell in cells:
        first |= {mark: column for mark in ",." if mark in cell and mark not in first}
        if len(first) == 2:
            return (
                f"{source}, line {number}: decimal comma in column {first[',']}, decimal point in column {first['.']}; write "
                f"all numbers with one of the two."
            )
    return None
