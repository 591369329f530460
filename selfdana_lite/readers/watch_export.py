"""The ECG that an Apple Watch writes: some lines about person and device, then one value a line.

Name,...                          The first words of these lines are in the language of the phone, and the numbers
Classification,Sinus Rhythm       have its decimal mark. So the second words tell what is what: a number of hertz, a
Device,"Watch6,2"                 unit of voltage, a lead. The person's name and birthday are not read.
Sample Rate,512 hertz

Lead,Lead I
Unit,µV

-12.345
"""

import re
from collections.abc import Iterable, Sequence

from selfdana_lite.leads import canonical_lead
from selfdana_lite.readers.stated import agreed_rate_hz, chosen_rows, stated_names
from selfdana_lite.readers.text import is_number, number_table
from selfdana_lite.readers.units import millivolt_per, to_millivolt, unit_notes
from selfdana_lite.recording import Recording, RecordingError

_PREAMBLE_LINES = 40  # an export has about a dozen
_RATE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:hertz|hz|herc|герц|赫|ヘルツ|헤르츠)", re.IGNORECASE)
_DEVICE = re.compile(r"watch\s?\d+[.,]\d+", re.IGNORECASE)
_CLASSIFICATION = re.compile(r"classifi|klassifi|clasific", re.IGNORECASE)  # in languages that took it from Latin


def is_export(lines: Sequence[str]) -> bool:
    """Does a line near the top state a number of hertz, as no table does?"""
    return any(_RATE.match(_value(line)) for line in lines[:_PREAMBLE_LINES])


def read_export(
    lines: Sequence[str],
    source: str,
    gain: float | Sequence[float] | None,
    sampling_rate_hz: float | None,
    leads: str | Iterable[str] | None,
) -> Recording:
    """One lead in millivolt. Raises RecordingError for a line that is no number, or without a unit or rate."""
    start = next((place for place, line in enumerate(lines) if is_number(line)), len(lines))
    if start == len(lines):
        raise RecordingError(f"{source} has the first lines of a watch's ECG and no values after them; export it again.")
    values = [_value(line) for line in lines[:start]]
    rate_at = next((place for place, value in enumerate(values) if _RATE.match(value)), None)
    rate_hz = None if rate_at is None else float(_RATE.match(values[rate_at])[1].replace(",", "."))
    after_rate = values[rate_at or 0 :]  # a person may be called "Anna V", so names are not looked at
    found = [lead for value in after_rate if value and (lead := canonical_lead(value.split()[-1]))]
    unit = next((value for value in after_rate if millivolt_per(value) is not None), "")
    names = _names(found, leads, source)
    numbers = number_table(lines[start:], None, names, start + 1, source)  # [1, samples]
    signal_mv = to_millivolt(numbers, [unit], names, source, gain)
    notes = _notes(lines[:start], values) | unit_notes([unit], names, gain)
    return Recording(signal_mv, agreed_rate_hz(rate_hz, sampling_rate_hz, source), names, source, notes)


def _value(line: str) -> str:
    """What stands after the key; a line without a separator has no value."""
    return re.split(r"[,;\t]", line, maxsplit=1)[-1].strip() if re.search(r"[,;\t]", line) else ""


def _names(found: Sequence[str], leads: str | Iterable[str] | None, source: str) -> tuple[str, ...]:
    if found:
        chosen_rows(found[:1], leads, source)
        return (found[0],)
    names = stated_names(leads) if leads is not None else ()
    if len(names) != 1:
        raise RecordingError(f"{source} does not say which lead it is; give leads= with its one name (a watch measures I).")
    return names


def _notes(lines: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    """Device, classification and rate; the rest may say who the person is."""
    notes = {}
    for line, value in zip(lines, values, strict=True):
        if _DEVICE.fullmatch(value):
            notes["device"] = value
        elif _CLASSIFICATION.match(line) and value:
            notes["classification"] = value
        elif _RATE.match(value):
            notes["sample rate"] = value
    return notes
