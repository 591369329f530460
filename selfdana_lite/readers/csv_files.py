"""Tables of text: one column a lead, with or without a column of time; and the export of a watch.

The delimiter is the first of tab, semicolon and comma that the first line holds, and where it is not the comma, commas in
numbers are decimal. A header names lead and unit ("II (mV)", "V1 [uV]", "lead_ii_uV"); a second line may hold units, as
PhysioNet's exports do. A column that only numbers the rows is checked to do so, and is no lead.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfdana_lite.readers.stated import agreed_rate_hz, chosen_rows, stated_names
from selfdana_lite.readers.text import is_number, number_table, read_lines
from selfdana_lite.readers.time_column import clock_to_seconds, rate_hz_of, seconds_per
from selfdana_lite.readers.units import millivolt_per, to_millivolt, unit_notes
from selfdana_lite.readers.watch_export import is_export, read_export
from selfdana_lite.recording import Recording, RecordingError, name_leads

_TIME_NAMES = {"time", "t", "elapsed time", "timestamp", "zeit", "temps", "tiempo", "tempo", "tijd"}
_LONGEST_CELL = 300  # of a header
_COUNTER_NAMES = {"", "index", "sample", "samples", "sample number", "sample #", "unnamed: 0"}


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]  # one a column
    units: tuple[str, ...]
    lines: int  # how many lines it takes, blank ones before it included


def read(
    path: Path,
    *,
    gain: float | Sequence[float] | None = None,
    sampling_rate_hz: float | None = None,
    leads: str | Iterable[str] | None = None,
) -> Recording:
    """One table of numbers, or the ECG of a watch; empty cells are NaN.

    gain: where the header has no units. sampling_rate_hz: where there is no column of time. leads: the columns' names
    where there is no header, else which of them to read. Raises RecordingError with the line where a cell is no number
    or the time makes a leap, and where unit, rate or names are neither in the file nor given; LeadError for absent leads.
    """
    lines = read_lines(path)
    if is_export(lines):
        return read_export(lines, str(path), gain, sampling_rate_hz, leads)
    delimiter, header = _header(lines, leads, str(path))
    time_at, counter_at, lead_at = _kinds(header, str(path))
    body, first_line = lines[header.lines :], header.lines + 1
    if not body:
        raise RecordingError(f"{path} has a header and no rows of numbers; export it again.")
    if time_at is not None:
        body = clock_to_seconds(body, delimiter, time_at, first_line, str(path))
    columns = [name or "(unnamed)" for name in header.names]
    table = number_table(body, delimiter, columns, first_line, str(path))  # [columns, rows]
    if counter_at is not None:
        _check_counter(table[counter_at], columns[counter_at], first_line, str(path))
    found_hz = None if time_at is None else rate_hz_of(table[time_at], header.units[time_at], first_line, str(path))
    rate_hz = agreed_rate_hz(found_hz, sampling_rate_hz, str(path))
    names = name_leads([header.names[column] for column in lead_at])
    rows = chosen_rows(names, leads, str(path))
    names, lead_at = tuple(names[row] for row in rows), [lead_at[row] for row in rows]
    units = [header.units[column] for column in lead_at]
    signal_mv = to_millivolt(table[lead_at], units, names, str(path), gain)
    return Recording(signal_mv, rate_hz, names, str(path), unit_notes(units, names, gain))


def _header(lines: Sequence[str], leads: str | Iterable[str] | None, source: str) -> tuple[str | None, _Header]:
    """The delimiter, and what each column is called; from `leads` where the first line is numbers already."""
    skipped = next((place for place, line in enumerate(lines) if line), None)
    if skipped is None:
        raise RecordingError(f"{source} is empty; expected a table of numbers.")
    first = lines[skipped]
    delimiter = next((mark for mark in "\t;," if mark in first), None)
    cells = [cell.strip() for cell in first.split(delimiter)] if delimiter else [first]
    if not all(is_number(cell) or not cell for cell in cells):
        return delimiter, _named(cells, lines, skipped, delimiter)
    if leads is None or cells == [str(place) for place in range(len(cells))] or not cells[0]:
        raise RecordingError(
            f"{source}, line {skipped + 1}: numbers where the names of the columns should be ({first[:60]}); write a line "
            f"such as 'time (s),II (mV)' in its place, or before it, or give leads= if it holds samples."
        )
    names = stated_names(leads)
    if len(names) == 1 and delimiter == ",":
        delimiter, cells = None, [first]  # one lead and two numbers a line: a decimal comma
    if len(names) != len(cells):
        raise RecordingError(f"{source} has {len(cells)} columns without a header, and leads= names {len(names)}.")
    return delimiter, _Header(names, ("",) * len(names), skipped)


def _named(cells: Sequence[str], lines: Sequence[str], skipped: int, delimiter: str | None) -> _Header:
    names, units = zip(*map(_name_and_unit, cells), strict=True)
    below = lines[skipped + 1].split(delimiter) if len(lines) > skipped + 1 else []
    below = [cell.strip() for cell in below]
    if len(below) == len(cells) and any(below) and not any(map(is_number, below)) and all(map(_is_unit, below)):
        return _Header(names, tuple(below), skipped + 2)
    return _Header(names, units, skipped + 1)


def _name_and_unit(cell: str) -> tuple[str, str]:
    """ "II (mV)", "V1 [uV]", "lead_ii_uV", "ms" -> the name, and the unit or "" where there is none."""
    if len(cell) > _LONGEST_CELL:  # the patterns below would try every way to part it
        return cell, ""
    if bracketed := re.fullmatch(r"(.*?)[\s_]*[\(\[]([^\(\)\[\]]*)[\)\]]", cell):
        return bracketed[1], bracketed[2].strip()
    name, unit = re.fullmatch(r"(.*?)[\s_,/]*([^\s_,/]*)", cell).groups()
    if seconds_per(unit) is not None and (not name or name.lower() in _TIME_NAMES):
        return name or "time", unit
    return (name, unit) if name and millivolt_per(unit) is not None else (cell, "")


def _is_unit(text: str) -> bool:
    return millivolt_per(text) is not None or seconds_per(text) is not None


def _kinds(header: _Header, source: str) -> tuple[int | None, int | None, list[int]]:
    """Which column is the time, which numbers the rows, and which are leads."""
    names = [name.lower().strip().replace("_", " ") for name in header.names]
    times = [place for place, name in enumerate(names) if name in _TIME_NAMES]
    counters = [place for place, name in enumerate(names) if name in _COUNTER_NAMES]
    lead_at = [place for place in range(len(names)) if place not in times + counters]
    if len(times) > 1 or len(counters) > 1 or not lead_at:
        raise RecordingError(
            f"{source} has the columns {', '.join(header.names)}: {len(times)} of time, {len(counters)} that number rows and "
            f"{len(lead_at)} leads; expected at most one, at most one, and at least one: rename or remove the others."
        )
    return times[0] if times else None, counters[0] if counters else None, lead_at


def _check_counter(count: np.ndarray, column: str, first_line: int, source: str) -> None:
    wrong = np.flatnonzero(np.diff(count) != 1)
    if wrong.size or np.isnan(count[0]):
        line = first_line + 1 + wrong[0] if wrong.size else first_line
        raise RecordingError(
            f"{source}, line {line}: column {column} should count the rows one by one and does not; samples are missing, or "
            f"the column is a lead that needs another name."
        )
