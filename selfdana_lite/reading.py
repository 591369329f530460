"""One recording out of a file, whatever its format."""

import contextlib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from selfdana_lite.readers import csv_files, edf, npz, wfdb_records
from selfdana_lite.recording import Recording, RecordingError

_READERS = {
    ".hea": wfdb_records,
    ".dat": wfdb_records,
    ".mat": wfdb_records,
    ".edf": edf,
    ".bdf": edf,
    ".csv": csv_files,
    ".tsv": csv_files,
    ".txt": csv_files,
    ".npz": npz,
}
_FIRST_BYTES = {b"0       ": edf, b"\xffBIOSEMI": edf}  # for a file whose name says nothing
_READ = "WFDB (.hea with .dat or .mat), EDF and BDF (.edf, .bdf), tables of text (.csv, .tsv, .txt) and .npz"
_OTHERS = {".xml": "XML, of which every maker has a kind of his own,", ".dcm": "DICOM", ".scp": "SCP-ECG"}


def read_recording(
    path: str | os.PathLike,
    *,
    gain: float | Sequence[float] | None = None,
    sampling_rate_hz: float | None = None,
    leads: str | Iterable[str] | None = None,
) -> Recording:
    """The recording in a file: WFDB (also the Challenges' .mat + .hea), EDF or BDF, a table of text, or .npz.

    gain: file units per millivolt, one number or one a lead, for a file without a unit or with a wrong one.
    sampling_rate_hz: for a file that does not say it; refused where it contradicts the file.
    leads: names for a file that has none; else which of its leads to read.

    Raises FileNotFoundError, LeadError for a lead that is not there, and RecordingError for everything else that is wrong
    with the file, whatever its bytes.
    """
    path = Path(path)
    try:
        _refuse_what_is_no_file(path)
        return _reader(path).read(path, gain=gain, sampling_rate_hz=sampling_rate_hz, leads=leads)
    except FileNotFoundError:
        raise
    except OSError as error:  # no permission, a name that is too long, a circle of links, a disk that fails
        raise RecordingError(f"{str(path)[:300]} cannot be read: {error.strerror or error}; mend that, or copy it.") from error


def _refuse_what_is_no_file(path: Path) -> None:
    """A folder, a pipe, which would be waited on for ever, or a device. What is not there may be the name of a WFDB record."""
    if "\0" in str(path):
        raise RecordingError(f"{str(path)[:300]!r} holds a zero byte, and no file's name does.")
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise RecordingError(_about_folder(path))
        if not stat.S_ISREG(mode):
            raise RecordingError(f"{path} is a pipe, a socket or a device; give the name of a file.")


def _reader(path: Path):
    """The module that reads this file: by its suffix, by a header beside it, or by its first bytes."""
    suffix = path.suffix.lower()
    if suffix in _READERS:
        return _READERS[suffix]
    if any(header.is_file() for header in (Path(f"{path}.hea"), path.with_suffix(".hea"))):
        return wfdb_records  # a bare record name, or a signal file with a suffix of its own
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}, and no WFDB header {path}.hea.")
    with path.open("rb") as file:
        start = file.read(8)
    if start in _FIRST_BYTES and suffix not in _OTHERS:
        return _FIRST_BYTES[start]
    what = f"{path} is {_OTHERS[suffix]} which" if suffix in _OTHERS else f"{path} is of a format that"
    raise RecordingError(f"{what} is not read here; read are {_READ}. Export or convert it to one of them.")


def _about_folder(path: Path) -> str:
    if (path / "dataset.json").is_file():
        return f"{path} is a folder of many recordings; open it with EcgDataset.open."
    headers = sorted(file.name for file in path.glob("*.hea"))
    example = f", such as {headers[0]} of the {len(headers)} WFDB headers there" if headers else ""
    return f"{path} is a folder; give one file of it{example}."
