"""A table's column of time: seconds from clock times, and the sampling rate that it means."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from selfdana_lite.recording import RecordingError

# No ECG is recorded more slowly or faster (late potentials take 2,000 Hz, pacing spikes some 32,000): what seems to be is a
# time column in another unit, such as hours or a spreadsheet's days.
SLOWEST_HZ, FASTEST_HZ = 20.0, 50_000.0
_SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "ms": 1e-3, "msec": 1e-3, "millisecond": 1e-3, "us": 1e-6, "μs": 1e-6}
_SECONDS |= {"milli": 1e-3, "micro": 1e-6}  # plurals too: the clocks of Arduino are millis and micros
_SECONDS |= {"microsecond": 1e-6, "ns": 1e-9, "nanosecond": 1e-9, "min": 60.0, "minute": 60.0, "hh:mm:ss.mmm": 1.0}
# How far, in samples, a time stamp may lie from where its rate puts it. Stamps in whole milliseconds are off by a quarter
# at 500 Hz; a row that is missing puts some stamp off by a half even at the rate that fits best.
_OFF_WHOLE_RATE, _OFF_ANY_RATE = 0.5, 0.3


def seconds_per(unit: str) -> float | None:
    """Seconds in such a unit ("ms", "[s]", "seconds"); None where it is no unit of time."""
    unit = unit.strip(" []()").lower().replace("µ", "μ")
    return _SECONDS.get(unit, _SECONDS.get(unit.removesuffix("s")))


def clock_to_seconds(lines: Sequence[str], delimiter: str | None, column: int, first_line: int, source: str) -> Sequence[str]:
    """The same lines with "0:01.004" or "2026-01-31 10:00:01.004" in the column of time written in seconds."""
    cells = lines[0].split(delimiter)
    if len(cells) <= column or ":" not in cells[column]:
        return lines
    rewritten = []
    for number, line in enumerate(lines, start=first_line):
        cells = line.split(delimiter)
        try:
            clock_s = _clock_s(cells[column].strip(" []").replace(",", "."))
            cells[column] = f"{round(clock_s * 1e9)}e-9"  # no decimal mark: it suits commas and points beside it
        except (ValueError, OverflowError, IndexError) as error:
            raise RecordingError(f"{source}, line {number}: no time of day is found in {line[:40]!r}; mend it.") from error
        rewritten.append(delimiter.join(cells) if delimiter else cells[0])
    return rewritten


def _clock_s(cell: str) -> float:
    if "-" in cell:
        stamp = datetime.fromisoformat(cell)
        return stamp.replace(tzinfo=stamp.tzinfo or UTC).timestamp()
    return sum(float(part) * 60**place for place, part in enumerate(reversed(cell.split(":"))))


def rate_hz_of(time: np.ndarray, unit: str, first_line: int, source: str) -> float:
    """The rate at which every time stamp [rows] lies near its place: a whole number of hertz where one does.

    A stamp without a unit is in seconds. Raises RecordingError, with the line, for time that stands still, goes back or
    leaps, and for a rate that no ECG has.
    """
    time_s = time * (seconds_per(unit) or 1.0)
    steps_s = np.diff(time_s)  # [rows - 1]
    back = np.flatnonzero(~(steps_s >= 0))  # an empty cell is NaN, which is not >= anything
    if back.size or not len(steps_s) or time_s[-1] <= time_s[0]:
        line = first_line + 1 + (back[0] if back.size else 0)
        raise RecordingError(f"{source}, line {line}: the time does not increase; sort the rows, or mend that cell.")
    rate_hz = len(steps_s) / (time_s[-1] - time_s[0])
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        limit = f"fewer than {SLOWEST_HZ:g}" if rate_hz < SLOWEST_HZ else f"more than {FASTEST_HZ:g}"
        raise RecordingError(
            f"{source} has {rate_hz:g} rows a second{'' if unit else ' if its time is in seconds'}, and no ECG has {limit}; "
            f"say the unit in the column's name ('time (ms)'), or remove it and give sampling_rate_hz=."
        )
    for hz, allowed in ((float(round(rate_hz)), _OFF_WHOLE_RATE), (rate_hz, _OFF_ANY_RATE)):
        if np.abs((time_s - time_s[0]) * hz - np.arange(len(time_s))).max() <= allowed:
            return hz
    raise RecordingError(_uneven(steps_s, first_line, source))


def _uneven(steps_s: np.ndarray, first_line: int, source: str) -> str:
    usual_s = np.median(steps_s)
    leaps = np.flatnonzero(steps_s > 1.5 * usual_s)
    if usual_s == 0 or not leaps.size:
        return (
            f"{source}: the steps of time run from {steps_s.min():g} to {steps_s.max():g} s, too unevenly for one sampling "
            f"rate; write the time with more digits, or remove the column and give sampling_rate_hz=."
        )
    return (
        f"{source}, line {first_line + 1 + leaps[0]}: the time leaps by {steps_s[leaps[0]]:g} s where {usual_s:g} s are usual "
        f"({leaps.size} such leaps); cut the file there, or fill in rows with empty cells."
    )
