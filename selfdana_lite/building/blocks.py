"""From files to int16 microvolt: some recordings at a time are read, converted and put where they belong in the big file."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from selfdana_lite.building.listing import Sought, join_remarks
from selfdana_lite.faults import LARGEST_OFFSET_MV
from selfdana_lite.leads import LeadError
from selfdana_lite.reading import read_recording
from selfdana_lite.recording import Recording, RecordingError, offsets_mv

MICROVOLT_PER_MV = 1000
_LIMIT_MV = np.iinfo(np.int16).max / MICROVOLT_PER_MV
_BLOCK_BYTES, _BLOCK_RECORDINGS = 16_000_000, 128  # what a process holds at a time, and what a kill can cost


@dataclass(frozen=True)
class Wanted:
    """What every recording is brought to."""

    leads: tuple[str, ...]
    sampling_rate_hz: float
    start_s: float
    seconds: float

    @property
    def samples(self) -> int:
        return round(self.seconds * self.sampling_rate_hz)

    @property
    def block(self) -> int:
        """How many recordings make a block; it depends on nothing but their size, so that a build can go on anywhere."""
        return max(1, min(_BLOCK_RECORDINGS, _BLOCK_BYTES // (2 * len(self.leads) * self.samples)))


class Outcome(NamedTuple):
    """What became of one recording: why it is not used ("" if it is), remarks, and "1" or "0" for each lead wanted."""

    reason: str
    remarks: str
    present: str


class Place(NamedTuple):
    """Where a block lies in signals [leads, records, samples]: the file, where its numbers begin, how many records it has."""

    path: Path
    offset: int
    records: int


def bring(recording: Recording, wanted: Wanted) -> tuple[Recording, str]:
    """Those of the wanted leads that it has, in the wanted window and at the wanted rate; and remarks on what was done.

    A lead with samples missing in the window is left out. Raises RecordingError where nothing remains: no such lead, none
    without gaps, too short.
    """
    there = tuple(name for name in wanted.leads if name in recording.leads)
    if not there:
        raise RecordingError(f"it has none of the leads {', '.join(wanted.leads)}; found {', '.join(recording.leads)}")
    part = (recording if there == recording.leads else recording.select(there)).window(wanted.start_s, wanted.seconds)
    gaps = [name for name, missing in zip(there, np.isnan(part.signal_mv).any(axis=1), strict=True) if missing]
    if len(gaps) == len(there):
        raise RecordingError(f"samples are missing in this window in every lead: {', '.join(gaps)}")
    part = part.select([name for name in there if name not in gaps]) if gaps else part
    extra, flat = [name for name in recording.leads if name not in there], flat_leads(part)
    raised = [name for name, mv in zip(part.leads, offsets_mv(part.signal_mv), strict=True) if abs(mv) > LARGEST_OFFSET_MV]
    remarks = join_remarks(
        f"extra leads {', '.join(extra)}" if extra else "",
        f"lacks {', '.join(name for name in wanted.leads if name not in there)}" if len(there) < len(wanted.leads) else "",
        *(f"{name} has gaps and is left out" for name in gaps),
        f"flat: {', '.join(flat)}" if flat else "",
        f"offset above {LARGEST_OFFSET_MV:g} mV: {', '.join(raised)}" if raised else "",
    )
    if part.sampling_rate_hz == wanted.sampling_rate_hz:
        return part, remarks
    resampled = part.resample(wanted.sampling_rate_hz).window(0, wanted.seconds)
    return resampled, join_remarks(f"resampled from {part.sampling_rate_hz:g} Hz", remarks)


def flat_leads(recording: Recording) -> tuple[str, ...]:
    """The leads that never change: an electrode that was off, or a lead that was not recorded; the file does not say which."""
    flat = np.ptp(recording.signal_mv, axis=1) == 0  # [leads]; False where a sample is missing
    return tuple(name for name, still in zip(recording.leads, flat, strict=True) if still)


def to_microvolt(recording: Recording, wanted: Wanted) -> np.ndarray:
    """int16 microvolt [leads, samples], zeros where a wanted lead is absent; RecordingError beyond ±32.767 mV."""
    largest = np.abs(recording.signal_mv).max()
    if largest > _LIMIT_MV:
        raise RecordingError(
            f"its largest value is {largest:.1f} mV; int16 microvolt holds up to {_LIMIT_MV} mV: check its units"
        )
    microvolt = np.zeros((len(wanted.leads), wanted.samples), np.int16)
    rows = [wanted.leads.index(name) for name in recording.leads]
    microvolt[rows] = np.rint(recording.signal_mv * MICROVOLT_PER_MV)
    return microvolt


def do_block(folder: Path, sought: list[Sought], wanted: Wanted, place: Place, first: int) -> list[Outcome]:
    """Read these recordings and write them from record number `first` on; on disk when this returns.

    The signals go from this process straight into the file: no pipe carries them.
    """
    block = np.zeros((len(wanted.leads), len(sought), wanted.samples), np.int16)
    outcomes = [_do_recording(folder, one, wanted, block[:, row]) for row, one in enumerate(sought)]
    with open(place.path, "r+b") as file:  # writes say when the disk is full; a memory map would kill the process
        for lead, signals in enumerate(block):
            file.seek(place.offset + 2 * (lead * place.records + first) * wanted.samples)
            file.write(signals.tobytes())
        file.flush()
        os.fsync(file.fileno())
    return outcomes


def _do_recording(folder: Path, sought: Sought, wanted: Wanted, into: np.ndarray) -> Outcome:
    try:
        recording, remarks = bring(read_recording(folder / sought.file, **sought.stated), wanted)
        if flat_leads(recording) == recording.leads:
            raise RecordingError(f"nothing but flat lines in this window, in {', '.join(recording.leads)}")
        into[:] = to_microvolt(recording, wanted)
    except (RecordingError, LeadError, OSError) as error:
        return Outcome(_without_folder(error, folder), "", "0" * len(wanted.leads))
    return Outcome("", remarks, "".join("1" if name in recording.leads else "0" for name in wanted.leads))


def _without_folder(error: Exception, folder: Path) -> str:
    """The report must not depend on where the recordings lie, nor break a line."""
    return " ".join(str(error).replace(f"{folder}{os.sep}", "").split())
