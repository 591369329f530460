"""WFDB records, of one segment or several, and the .mat + .hea pairs of the PhysioNet Challenges.

Moody, Pollard and Moody, WFDB Software Package, https://doi.org/10.13026/gjvw-1m31. wfdb decodes the samples; but it guesses
where a header is silent (a gain of 200), reads past what it cannot parse, and opens URLs, so headers are read strictly first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfdana_lite.readers.limits import check_extent
from selfdana_lite.readers.stated import agreed_rate_hz, chosen_rows, stated_names
from selfdana_lite.readers.units import gain_per_lead, to_millivolt, unit_notes
from selfdana_lite.readers.wfdb_files import check_files, inside, read_steps
from selfdana_lite.readers.wfdb_header import Header, Signal, read_header
from selfdana_lite.recording import Recording, RecordingError, name_leads

# A gap is stated, not stored: without a bound, a header of a few bytes could ask for any amount of memory.
_MOST_STATED_PER_STORED = 100

_Key = tuple[str, int]  # what tells a segment's signals apart: the name and, for one that comes again, which one it is


@dataclass(frozen=True)
class _Piece:
    """A stretch of the record, with the header and signals of its own; a gap has none."""

    frames: int
    header: Header | None = None
    signals: Mapping[_Key, Signal] | None = None


def read(
    path: Path,
    *,
    gain: float | Sequence[float] | None = None,
    sampling_rate_hz: float | None = None,
    leads: str | Iterable[str] | None = None,
) -> Recording:
    """The record whose header, signal file or bare name is path.

    gain: converter steps per millivolt, in place of the header's. leads: which signals to read, where not all: needed
    where they have several sampling rates; the names of all, for a header that names none. Samples marked as missing, gaps
    between segments and leads that a segment lacks are NaN. Notes hold what the comments say, with keys in lower case
    ("age", "sex", "dx").

    Raises FileNotFoundError, LeadError for absent leads, and RecordingError for a record that is damaged, truncated,
    uncalibrated without gain=, or that names files outside its own folder.
    """
    header = read_header(_header_path(path))
    source = str(header.path)
    signals, pieces, notes = _pieces(header)
    parts = [piece for piece in pieces if piece.header]
    names, rows = _names_and_rows(signals, leads, source)
    keys = [list(signals)[row] for row in rows]
    units, per_frame = _agreed(parts, keys, names, signals, source)
    check_extent(len(keys), len(keys) * per_frame * sum(piece.frames for piece in pieces), source)
    frame_rate = _frame_rate(header, parts)
    rate_hz = agreed_rate_hz(None if frame_rate is None else frame_rate * per_frame, sampling_rate_hz, source)
    stated = [factor is not None for factor in gain_per_lead(gain, units, names)]
    signal_mv = to_millivolt(_values(pieces, keys, per_frame, stated), units, names, source, gain)
    return Recording(signal_mv, rate_hz, names, source, notes | unit_notes(units, names, gain))


def _header_path(path: Path) -> Path:
    """The header of x.hea, x.dat, x.mat or x."""
    candidates = [path] if path.suffix == ".hea" else [Path(f"{path}.hea"), path.with_suffix(".hea")]
    for candidate in candidates:
        if candidate.is_file():
            if "::" in str(candidate.absolute()):
                raise RecordingError(f"wfdb takes the '::' in {candidate} for a chain of file systems; rename that folder.")
            return candidate
    if path.is_file():
        raise RecordingError(
            f"{path} holds samples, but what they mean stands in its header {candidates[-1].name}, which is not beside it; put "
            f"it there."
        )
    raise FileNotFoundError(f"There is no WFDB record at {path}: no {candidates[-1]}.")


def _by_key(signals: Sequence[Signal]) -> dict[_Key, Signal]:
    seen: Counter[str] = Counter()
    keyed = {}
    for signal in signals:
        keyed[signal.name, seen[signal.name]] = signal
        seen[signal.name] += 1
    return keyed


def _pieces(header: Header) -> tuple[Mapping[_Key, Signal], list[_Piece], dict[str, str]]:
    """The record's signals, its stretches in order of time, and its notes; all held against the files."""
    if header.signals:
        frames, notes = check_files(header)
        signals = _by_key(header.signals)
        return signals, [_Piece(frames, header, signals)], header.notes | notes
    names = [name for name, _ in header.segments if name != "~"]
    if len(set(names)) < len(names):
        raise RecordingError(f"{header.path} has a segment twice; a record has each of its segments once.")
    variable = header.segments[0][1] == 0  # a first segment of no length only lists the signals
    if not all(frames for _, frames in header.segments[variable:]):
        raise RecordingError(f"{header.path} has a segment of no length, which only the first may be; mend the header.")
    pieces = [_piece(header, name, frames) for name, frames in header.segments]
    listed = next((piece for piece in pieces if piece.header), None)
    parts = [piece for piece in pieces[variable:] if piece.header]
    if not parts:
        raise RecordingError(f"{header.path} has no segment with samples; copy the record again.")
    for part in parts:
        if part.signals.keys() - listed.signals.keys() or (not variable and len(part.signals) != len(listed.signals)):
            raise RecordingError(f"{part.header.path} has other signals than {listed.header.path} lists; mend the headers.")
    _check_extent(header, len(listed.signals), sum(piece.frames for piece in pieces), parts)
    return listed.signals, pieces[variable:], header.notes


def _piece(header: Header, name: str, frames: int) -> _Piece:
    if name == "~":
        return _Piece(frames)
    part = read_header(inside(header.path, f"{name}.hea"))
    if not part.signals:
        raise RecordingError(f"{part.path} is a segment of {header.path} and has segments itself; a record has no such levels.")
    if frames and check_files(part)[0] != frames:
        raise RecordingError(
            f"{header.path} promises {frames} frames of {part.path}, which has {part.frames}; mend the headers."
        )
    return _Piece(frames, part, _by_key(part.signals))


def _check_extent(header: Header, n_signals: int, frames: int, parts: Sequence[_Piece]) -> None:
    stored = sum(part.frames * len(part.signals) for part in parts)
    agree = header.n_signals == n_signals and header.frames in (None, frames)
    if not agree or frames * n_signals > _MOST_STATED_PER_STORED * stored:
        raise RecordingError(
            f"{header.path} promises {header.n_signals} signals of {header.frames} frames; its segments add up to {n_signals} "
            f"signals of {frames} frames, of which {stored} samples are stored: the record is damaged."
        )


def _names_and_rows(
    signals: Mapping[_Key, Signal], leads: str | Iterable[str] | None, source: str
) -> tuple[tuple[str, ...], list[int]]:
    """The names of the leads to read, and where they stand in the header."""
    spellings = [name for name, _ in signals]
    if leads is not None and not any(spellings) and len(names := stated_names(leads)) == len(signals):
        return names, list(range(len(names)))
    names = name_leads(spellings)
    rows = chosen_rows(names, leads, source)
    return tuple(names[row] for row in rows), rows


def _agreed(
    parts: Sequence[_Piece], keys: Sequence[_Key], names: Sequence[str], listed: Mapping[_Key, Signal], source: str
) -> tuple[list[str], int]:
    """The unit of each lead, and the samples a frame of all: RecordingError where segments or leads differ."""
    units, counts = [], []
    for key, name in zip(keys, names, strict=True):
        found = [part.signals[key] for part in parts if key in part.signals] or [listed[key]]
        meant = {("uncalibrated" if signal.gain is None else signal.unit, signal.samples_per_frame) for signal in found}
        if len(meant) > 1:
            raise RecordingError(f"{source}: the segments differ in the unit or the rate of {name}; mend their headers.")
        ((unit, count),) = meant
        units.append(unit)
        counts.append(count)
    if len(set(counts)) > 1:
        usual, _ = Counter(counts).most_common(1)[0]
        same = ", ".join(name for name, count in zip(names, counts, strict=True) if count == usual)
        said = ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))
        raise RecordingError(
            f"{source} has signals of several rates ({said} samples a frame); read those of one: leads={same!r}."
        )
    return units, counts[0]


def _frame_rate(header: Header, parts: Sequence[_Piece]) -> float | None:
    rates = {part.frames_per_s for part in (header, *(part.header for part in parts)) if part.frames_per_s is not None}
    if len(rates) > 1:
        raise RecordingError(f"{header.path} and its segments state the frame rates {sorted(rates)}; mend the headers.")
    return rates.pop() if rates else None


def _values(pieces: Sequence[_Piece], keys: Sequence[_Key], per_frame: int, stated: Sequence[bool]) -> np.ndarray:
    """float64 [leads, samples] in the header's units, but in converter steps for leads whose gain the caller states."""
    values = np.full((len(keys), sum(piece.frames for piece in pieces) * per_frame), np.nan)
    begin = 0
    for piece in pieces:
        if piece.header:
            steps = dict(zip(piece.signals, read_steps(piece.header, piece.frames), strict=True))
            for row, key in enumerate(keys):
                if signal := piece.signals.get(key):
                    # A skewed signal was written that much later: it starts there, and its end is not in the file.
                    found = steps[key][signal.skew * per_frame :] - signal.baseline
                    values[row, begin : begin + len(found)] = found if stated[row] else found / (signal.gain or 1.0)
        begin += piece.frames * per_frame
    return values
