"""A WFDB header, read strictly: a line that is not as the format has it is refused, never guessed at.

The format: header(5) and signal(5) of the WFDB Applications Guide, Moody et al., https://physionet.org/physiotools/wag/.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from selfdana_lite.recording import RecordingError

# Bytes a sample; of 310 and 311 three samples share four bytes. FLAC takes what it needs.
BYTES = {"8": 1, "16": 2, "24": 3, "32": 4, "61": 2, "80": 1, "160": 2, "212": 1.5, "310": 4 / 3, "311": 4 / 3}
FLAC = ("508", "516", "524")
_MAX_HEADER_BYTES, _MAX_LINE, _MAX_SIGNALS = 1_000_000, 1000, 512

_WHOLE, _NUMBER = r"-?\d{1,10}", r"-?(?:\d{1,15}\.?\d{0,15}|\.\d{1,15})"
# name[/segments] signals [frames a second[/counter rate[(base counter)]] [frames [time and date, in whatever form]]]
_RECORD = re.compile(
    rf"([\w-]+)(?:/(\d{{1,7}}))?\s+(\d{{1,7}})(?:\s+({_NUMBER})(?:/{_NUMBER}(?:\({_NUMBER}\))?)?(?:\s+(\d{{1,15}})(\s.*)?)?)?",
    re.ASCII,
)
# file format[xsamples a frame][:skew][+byte offset] [gain[(baseline)][/unit] [resolution [zero [first [checksum [block [name]
_SIGNAL = re.compile(
    rf"(?P<file>\S+)\s+(?P<fmt>\d{{1,4}})(?:x(?P<spf>\d{{1,10}}))?(?::(?P<skew>\d{{1,10}}))?(?:\+(?P<offset>\d{{1,15}}))?"
    rf"(?:\s+(?P<gain>{_NUMBER}(?:[eE][-+]?\d{{1,3}})?)(?:\((?P<baseline>{_WHOLE})\))?(?:/(?P<unit>\S+))?"
    rf"(?:\s+{_WHOLE}(?:\s+(?P<zero>{_WHOLE})(?:\s+(?P<first>{_WHOLE})(?:\s+{_WHOLE}(?:\s+{_WHOLE}(?:\s+(?P<name>.*))?"
    r")?)?)?)?)?)?",
    re.ASCII,
)
_SEGMENT = re.compile(r"([\w-]+|~)\s+(\d{1,15})", re.ASCII)
_COMMENT = re.compile(r"(\w[\w ()/-]{0,60}?)\s*:\s*(.+)")  # "Age: 74", "Dx: 59118001"


@dataclass(frozen=True)
class Signal:
    """One signal line. gain: converter steps per unit, None where the header has none or 0, which means uncalibrated."""

    file: str
    fmt: str
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float | None
    baseline: int
    unit: str
    first_value: int
    name: str


@dataclass(frozen=True)
class Header:
    """One header file. A record of several segments has their names and lengths, and its signals stand in theirs."""

    path: Path
    n_signals: int
    frames_per_s: float | None
    frames: int | None
    signals: tuple[Signal, ...]
    segments: tuple[tuple[str, int], ...]
    notes: dict[str, str]


def read_header(path: Path) -> Header:
    """The header at path. RecordingError names the line that is not as the format has it."""
    with path.open("rb") as file:
        content = file.read(_MAX_HEADER_BYTES + 1)
    if len(content) > _MAX_HEADER_BYTES:
        raise RecordingError(f"{path} is longer than {_MAX_HEADER_BYTES} bytes; no WFDB header is.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # where older programs wrote the µ of µV
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    comments = [line.lstrip("# \t") for line in lines if line.startswith("#")]
    lines = [line for line in lines if not line.startswith("#")]
    record = _parse(_RECORD, lines[0] if lines else "", "record line", path)
    segments, signals, rate, frames = record[2], int(record[3]), record[4], record[5]
    expected = signals if segments is None else int(segments)
    if len(lines) - 1 != expected or not expected or signals > _MAX_SIGNALS:
        raise RecordingError(
            f"{path} promises {expected} {'signals' if segments is None else 'segments'} and has lines for {len(lines) - 1}; "
            f"expected as many lines, at least one, and no more than {_MAX_SIGNALS} signals."
        )
    if rate is not None and not float(rate) > 0:
        raise RecordingError(f"{path} states {rate} frames a second; expected a number above 0.")
    return Header(
        path,
        signals,
        None if rate is None else float(rate),
        None if frames is None else int(frames),
        () if segments else tuple(_signal(line, path) for line in lines[1:]),
        tuple(_segment(line, path) for line in lines[1:]) if segments else (),
        _notes(comments, (record[6] or "").strip()),
    )


def _parse(pattern: re.Pattern, line: str, what: str, path: Path) -> re.Match:
    found = pattern.fullmatch(line) if len(line) <= _MAX_LINE else None
    if found is None:
        raise RecordingError(f"{path}: {line[:100]!r} is no {what} of a WFDB header; expected what header(5) describes.")
    return found


def _signal(line: str, path: Path) -> Signal:
    found = _parse(_SIGNAL, line, "signal line", path)
    gain = float(found["gain"] or 0)
    signal = Signal(
        found["file"],
        found["fmt"],
        int(found["spf"] or 1),
        int(found["skew"] or 0),
        int(found["offset"] or 0),
        gain or None,
        int(found["baseline"] or found["zero"] or 0),
        found["unit"] or "mV",  # the format's own default
        int(found["first"] or 0),
        (found["name"] or "").strip(),
    )
    known = signal.fmt in BYTES or signal.fmt in FLAC or (signal.file, signal.fmt) == ("~", "0")
    if not known or not signal.samples_per_frame or not math.isfinite(gain):
        raise RecordingError(
            f"{path}: {line[:100]!r} has an unknown format, no samples a frame, or no finite gain; known formats are "
            f"{', '.join([*BYTES, *FLAC])}."
        )
    return signal


def _segment(line: str, path: Path) -> tuple[str, int]:
    found = _parse(_SEGMENT, line, "segment line", path)
    return found[1], int(found[2])


def _notes(comments: list[str], start: str) -> dict[str, str]:
    """{"age": "74", "dx": "59118001"} from "# Age: 74" and the like; keys in lower case, and what has none as "comments"."""
    notes: dict[str, list[str]] = {"start": [start]}
    for comment in (" ".join(comment.split()) for comment in comments):
        found = _COMMENT.fullmatch(comment)
        key, text = (found[1].lower(), found[2]) if found else ("comments", comment)
        notes.setdefault(key, []).append(text)
    return {key: "\n".join(filter(None, texts)) for key, texts in notes.items() if any(texts)}
