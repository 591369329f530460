"""A file of one's own: from an upload to a path, from a path to a recording, from a recording to what an encoder takes."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from selfdana_lite.building.blocks import Wanted, bring
from selfdana_lite.building.listing import join_remarks
from selfdana_lite.faults import LARGEST_OFFSET_MV, largest_offset
from selfdana_lite.leads import LEADS, LeadError
from selfdana_lite.reading import read_recording
from selfdana_lite.recording import Recording, RecordingError

SUFFIXES = (".hea", ".dat", ".mat", ".edf", ".bdf", ".csv", ".tsv", ".txt", ".npz")
WINDOW_S, LEAST_S = 10.0, 2.0  # what the samples have; below, there may be no beat to look at
REFUSALS = (RecordingError, LeadError, FileNotFoundError)  # a sentence for the person, no fault of the program


@dataclass(frozen=True)
class Asked:
    """A file, and what a person says that it does not say itself: texts of fields, empty where it is to be believed."""

    path: Path
    gain: str = ""  # file units per millivolt
    sampling_rate_hz: str = ""
    leads: str = ""  # names for a file without any


def read_as_asked(asked: Asked) -> Recording:
    """The recording, named by its file alone; raises REFUSALS, also for a field that is no number."""
    gain, rate_hz = _number(asked.gain, "gain"), _number(asked.sampling_rate_hz, "sampling rate")
    try:
        recording = read_recording(asked.path, gain=gain, sampling_rate_hz=rate_hz, leads=asked.leads.strip() or None)
    except REFUSALS as refusal:
        raise type(refusal)(str(refusal).replace(f"{asked.path.parent}{os.sep}", "")) from refusal
    return replace(recording, source=asked.path.name)


def _number(text: str, what: str) -> float | None:
    try:
        return float(text.replace(",", ".")) if text.strip() else None
    except ValueError:
        raise RecordingError(f"The {what} is {text!r}; write one number, or nothing to believe the file.") from None


def for_encoder(recording: Recording, start_s: float, rate_hz: float = 100.0) -> tuple[Recording, str]:
    """Its standard leads, ten seconds from start_s on (all of it where it is shorter), at rate_hz; and what was done, in words.

    Where a lead's offset in them is above LARGEST_OFFSET_MV, all leads are taken without theirs.

    Raises LeadError where none of its leads is one of the twelve, RecordingError below two seconds, for a window that does
    not fit and for samples that are missing in it.
    """
    if not recording.standard_leads:
        raise LeadError(f"None of {', '.join(recording.leads)} is one of the twelve leads; say which leads they are.")
    if recording.seconds < LEAST_S:
        raise RecordingError(
            f"The recording is {recording.seconds:g} s long; {LEAST_S:g} s or more are needed for a beat or two."
        )
    seconds = min(WINDOW_S, recording.seconds)
    part, remarks = bring(recording, Wanted(LEADS, rate_hz, start_s, seconds))
    offset_mv, lead = largest_offset(part)
    if abs(offset_mv) > LARGEST_OFFSET_MV:
        part = part.without_offset()
        remarks = join_remarks(remarks, f"offset of {offset_mv:.2f} mV in {lead} taken away: each lead less its median")
    shorter = f" The samples have {WINDOW_S:g} s; nothing is padded." if seconds < WINDOW_S else ""
    done = f" ({remarks})" if remarks else ""
    return part, f"Used: {start_s:g} to {start_s + seconds:g} of {recording.seconds:g} s{done}.{shorter}"


def save_uploads(uploads: Iterable[Mapping], folder: Path) -> Path:
    """Write uploaded files ({"name", "content"}) into an empty folder under safe names, and return the one to read.

    Raises RecordingError where it is not clear which that is: one file, or a .hea with the files that it names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for upload in uploads:
        path = folder / _safe_name(upload["name"])
        if path.exists():
            raise RecordingError(f"Two of the files would be called {path.name}; rename one and drop them again.")
        path.write_bytes(upload["content"])
        paths.append(path)
    headers = [path for path in paths if path.suffix.lower() == ".hea"]
    signals = [path.name for path in paths if path.suffix.lower() in (".dat", ".mat")]
    if signals and not headers:
        raise RecordingError(
            f"{', '.join(signals)} holds numbers alone; drop it together with its .hea, which says what they are."
        )
    if len(headers or paths) != 1:
        raise RecordingError(
            f"Found {', '.join(path.name for path in paths)}; drop one recording at a time: a file, or a .hea with its .dat."
        )
    return (headers or paths)[0]


def _safe_name(name: str) -> str:
    """The last part of a name, in plain characters: a browser may send anything."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", re.split(r"[/\\]", name)[-1]).lstrip(".")
    return plain[-100:] or "file"
