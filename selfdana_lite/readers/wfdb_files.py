"""The signal files of a WFDB record: inside its folder, as long as the header says, and only then decoded."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selfdana_lite.readers.limits import check_extent
from selfdana_lite.readers.wfdb_header import BYTES, FLAC, Header, Signal
from selfdana_lite.recording import RecordingError

if TYPE_CHECKING:
    import wfdb

# What this matches cannot leave the folder, nor be a URL, which wfdb would open.
_PLAIN_NAME = re.compile(r"[\w-]{1,200}(?:\.\w{1,20})?", re.ASCII)
# Blocks of 4,096 samples that never change come to four bytes a channel: no honest FLAC file holds more than this.
_MOST_FLAC_SAMPLES_A_BYTE = 1000
# Plain integers, as PTB-XL and the Challenges have them, are read by NumPy: wfdb takes three times as long. Its part is
# to unpack the others. The lowest integer marks a sample that is missing.
_INTEGERS = {"16": "<i2", "61": ">i2", "32": "<i4"}
# What fuzzing found wfdb to raise: ValueError for times, samples and FLAC of another kind than the header says,
# OverflowError for first values beyond 32 bit, and soundfile's RuntimeError for damaged FLAC.
_DAMAGE = (ValueError, ArithmeticError, RuntimeError)


def inside(header_path: Path, name: str) -> Path:
    """The file called so beside the header. RecordingError for a name that is no plain file in that very folder."""
    folder = header_path.parent.resolve()
    path = folder / name
    if not _PLAIN_NAME.fullmatch(name) or path.resolve().parent != folder:
        raise RecordingError(
            f"{header_path} names the file {name[:100]!r}, which is no plain name in its own folder; it is not opened."
        )
    if not path.is_file():
        raise RecordingError(f"{header_path} names the file {name}, which is not beside it; put it there.")
    return path


def check_files(header: Header) -> tuple[int, dict[str, str]]:
    """Frames in this one-segment record, and notes on bytes left over; every signal file is there, inside, and long enough.

    RecordingError where the header claims more than the files hold, or where a claim cannot be held against them.
    """
    notes: dict[str, str] = {}
    frames, in_all = header.frames, 0
    for name, group in _groups(header).items():
        first, samples_a_frame = group[0], sum(signal.samples_per_frame for signal in group)
        size = _size(header, name)
        if frames is None and first.fmt in BYTES:
            frames = max(0, int((size - first.byte_offset) / (BYTES[first.fmt] * samples_a_frame)))
        if not frames:
            raise RecordingError(f"{header.path} does not say how many samples there are, or says none; mend the header.")
        samples = frames * samples_a_frame
        if first.fmt in FLAC:  # where an offset counts samples, not bytes
            fits = samples + first.byte_offset * len(group) <= size * _MOST_FLAC_SAMPLES_A_BYTE
        else:
            left = size - first.byte_offset - _stored_bytes(first.fmt, samples)
            fits = left >= 0
            if left >= _stored_bytes(first.fmt, samples_a_frame):
                notes[f"not read of {name}"] = f"{left} bytes after the {frames} frames that the header states"
        if not fits or max(signal.skew for signal in group) >= frames:
            raise RecordingError(
                f"{header.path} claims {frames} frames of {samples_a_frame} samples in {name}, which has {size} bytes in all; "
                f"the file is truncated or the header wrong: copy both again."
            )
        in_all += samples
    check_extent(len(header.signals), in_all, header.path)
    return frames, notes


def read_steps(header: Header, frames: int) -> list[np.ndarray]:
    """The converter's steps of each signal, float64 [frames * samples a frame], NaN where one is marked as missing.

    The files must have been checked. RecordingError where they are damaged.
    """
    if all(signal.fmt in _INTEGERS for signal in header.signals):
        return [steps for name, group in _groups(header).items() for steps in _integers(header, name, group, frames)]
    import wfdb  # here, because it brings scipy's signal processing, a second to import

    name = str(header.path.absolute().with_suffix(""))
    try:
        _check_agreement(header, wfdb.rdheader(name))
        record = wfdb.rdrecord(name, physical=False, smooth_frames=False, ignore_skew=True, return_res=32)
    except RecordingError:
        raise
    except _DAMAGE as error:
        raise RecordingError(f"{header.path} or its signal files are damaged ({error}); copy them again.") from error
    record.adc_gain, record.baseline = [1.0] * record.n_sig, [0] * record.n_sig  # so that dac() only marks what is missing
    steps = record.dac(expanded=True)
    if any(len(row) != frames * signal.samples_per_frame for row, signal in zip(steps, header.signals, strict=True)):
        raise RecordingError(f"{header.path}: wfdb reads another number of samples than the header states; copy it again.")
    return steps


def _groups(header: Header) -> dict[str, list[Signal]]:
    """The signals of each file, in the header's order; those of one file are one block of lines, of one format and offset."""
    groups: dict[str, list[Signal]] = {}
    for before, signal in zip((None, *header.signals), header.signals, strict=False):
        group = groups.setdefault(signal.file, [])
        again = group and (before.file, before.fmt, before.byte_offset) != (signal.file, signal.fmt, signal.byte_offset)
        if again or signal.fmt not in (*BYTES, *FLAC):
            raise RecordingError(
                f"{header.path}: the signals of {signal.file} are not one block of one format and byte offset; mend the header."
            )
        group.append(signal)
    return groups


def _size(header: Header, name: str) -> int:
    path = inside(header.path, name)
    with path.open("rb") as file:
        if path.suffix == ".mat" and file.read(6) == b"MATLAB":
            raise RecordingError(f"{path} is MATLAB's format of version 5 or later; a WFDB record has version 4.")
    return path.stat().st_size


def _stored_bytes(fmt: str, samples: int) -> int:
    if fmt in ("310", "311"):  # the last one or two samples need not fill their four bytes
        return 4 * (samples // 3) + (0, 2, 4 if fmt == "310" else 3)[samples % 3]
    return math.ceil(BYTES[fmt] * samples)


def _integers(header: Header, name: str, group: Sequence[Signal], frames: int) -> list[np.ndarray]:
    ends = np.cumsum([signal.samples_per_frame for signal in group])
    dtype = np.dtype(_INTEGERS[group[0].fmt])
    found = np.fromfile(header.path.with_name(name), dtype, frames * ends[-1], offset=group[0].byte_offset)
    steps = found.astype(np.float64)
    steps[found == np.iinfo(dtype).min] = np.nan
    by_frame = steps.reshape(frames, ends[-1])  # [frames * samples a frame] -> [frames, samples a frame]
    return [columns.reshape(-1) for columns in np.split(by_frame, ends[:-1], axis=1)]


def _check_agreement(header: Header, theirs: "wfdb.Record") -> None:
    """wfdb must have understood where the samples are as we have: it passes over letters such as é, and what it cannot read."""
    if theirs.file_name is None:  # it parts lines at other signs than we do
        raise RecordingError(f"{header.path} can be understood in two ways; write it as header(5) describes.")
    understood = zip(theirs.file_name, theirs.fmt, theirs.samps_per_frame, theirs.byte_offset, theirs.init_value, strict=True)
    ours = [(s.file, s.fmt, s.samples_per_frame, s.byte_offset, s.first_value) for s in header.signals]
    if ours != [(*found[:3], found[3] or 0, found[4] or 0) for found in understood] or theirs.sig_len != header.frames:
        raise RecordingError(f"{header.path} can be understood in two ways; write it as header(5) describes.")
