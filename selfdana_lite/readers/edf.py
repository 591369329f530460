"""European Data Format: EDF, EDF+ and the 24-bit BDF, read by edfio once the header has been held against the file.

The format: Kemp et al. 1992, Electroenceph. Clin. Neurophysiol. 82:391. EDF+: Kemp and Olivan 2003, Clin. Neurophysiol.
114:1755.
"""

import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import edfio
import numpy as np

from selfdana_lite.leads import LeadError
from selfdana_lite.readers.limits import MAX_LEADS, check_extent
from selfdana_lite.readers.stated import agreed_rate_hz, chosen_rows
from selfdana_lite.readers.units import to_millivolt, unit_notes
from selfdana_lite.recording import Recording, RecordingError, name_leads

_EDF, _BDF = b"0       ", b"\xffBIOSEMI"
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_END_OF_TEXT, _MAX_TEXTS = 0x14, 1_000_000  # a day has 86,400 seconds; each text takes a few microseconds and 400 bytes
_BEFORE_COUNTS = 16 + 80 + 8 + 4 * 8 + 80  # bytes a signal before the counts of samples: label to prefiltering
# What edfio raises on a header or on annotations that are damaged in a way that _reader_for does not look for.
_DAMAGE = (ValueError, ArithmeticError, IndexError)


def read(
    path: Path,
    *,
    gain: float | Sequence[float] | None = None,
    sampling_rate_hz: float | None = None,
    leads: str | Iterable[str] | None = None,
) -> Recording:
    """One EDF, EDF+C or BDF file. Annotations go to the notes; the patient's name, code and birthday go nowhere.

    leads: which signals to read, where not all: needed where they have several sampling rates, because a Recording has
    one. Raises RecordingError for a file that is damaged, truncated or has gaps (EDF+D), and LeadError for absent leads.
    """
    read_signals = _reader_for(path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*Updating header")  # an unfinished file, whose records were counted
            edf = read_signals(path, header_encoding="latin-1")  # where the µ of µV is found
        if edf.reserved[3:5] == "+D" and not edf.is_continuous:
            raise RecordingError(f"{path} has gaps in time (EDF+D); write its stretches as files of their own.")
        found = edf.signals  # which is put together anew each time it is asked for
        names = name_leads([signal.label for signal in found])
        rows = chosen_rows(names, leads, str(path))
        signals, names = [found[row] for row in rows], tuple(names[row] for row in rows)
        rate_hz = agreed_rate_hz(_one_rate(signals, names, path), sampling_rate_hz, str(path))
        values = _physical(signals, edf.num_data_records, names, path)
        notes = _notes(edf)
    except (RecordingError, LeadError):
        raise
    except _DAMAGE as error:
        raise RecordingError(f"{path} is damaged or no EDF as the format has it ({error}); copy or export it again.") from error
    units = [signal.physical_dimension for signal in signals]
    signal_mv = to_millivolt(values, units, names, str(path), gain)
    return Recording(signal_mv, rate_hz, names, str(path), notes | unit_notes(units, names, gain))


def _reader_for(path: Path) -> Callable[..., edfio.Edf | edfio.Bdf]:
    """edfio's function for this file, once the header's promises are held against its length: nothing is allocated before."""
    with path.open("rb") as file:
        head = file.read(256)
        bdf = head[:8] == _BDF
        if len(head) < 256 or not (bdf or head[:8] == _EDF):
            raise RecordingError(f"{path} is no EDF or BDF file: it starts with {head[:8]!r}; copy or export it again.")
        n_signals = _whole(head[252:256], "number of signals", path)
        if not 1 <= n_signals <= MAX_LEADS:
            raise RecordingError(f"{path} says that it has {n_signals} signals; expected 1 to {MAX_LEADS}.")
        per_signal = file.read(256 * n_signals)
    counts = per_signal[_BEFORE_COUNTS * n_signals :][: 8 * n_signals]
    records, samples = _check_sizes(path, head, [counts[8 * row : 8 * row + 8] for row in range(n_signals)], 3 if bdf else 2)
    marks = [per_signal[16 * row : 16 * row + 15].endswith(b"DF Annotations") for row in range(n_signals)]
    _check_annotations(path, records, np.repeat(marks, np.multiply(samples, 3 if bdf else 2)))
    return edfio.read_bdf if bdf else edfio.read_edf


def _check_sizes(path: Path, head: bytes, counts: Sequence[bytes], sample_bytes: int) -> tuple[int, list[int]]:
    """How many data records there are, and samples of each signal in one: they and the header must fill the file exactly.

    counts: the header's fields for the latter.
    """
    samples = [_whole(field, "number of samples in a data record", path) for field in counts]
    records = _whole(head[236:244], "number of data records", path)
    header_bytes = _whole(head[184:192], "length of the header", path)
    seconds = head[244:252].decode("latin-1").strip()
    if min(samples) < 0 or not sum(samples) or not _NUMBER.fullmatch(seconds) or not float(seconds):
        raise RecordingError(
            f"{path} says that a data record lasts {seconds!r} s and has {samples[:20]} samples; with no time or samples in "
            f"it there is no ECG to read."
        )
    held, record_bytes = path.stat().st_size - 256 * (1 + len(counts)), sum(samples) * sample_bytes
    # A recorder writes -1 while it runs, and leaves it there when it is switched off.
    expected = held // record_bytes if records == -1 else records
    if header_bytes != 256 * (1 + len(counts)) or held != expected * record_bytes or expected < 1:
        raise RecordingError(
            f"{path} is truncated or damaged: its header promises {records} data records of {record_bytes} bytes after "
            f"{header_bytes} bytes, and there are {held} bytes after {256 * (1 + len(counts))}; copy or export it again."
        )
    return expected, samples


def _check_annotations(path: Path, records: int, of_annotations: np.ndarray) -> None:
    """Refuse more texts than could be of use. of_annotations: bool, for each byte of a data record."""
    if of_annotations.any():
        shape = (records, len(of_annotations))
        data = np.memmap(path, np.uint8, "r", offset=path.stat().st_size - records * len(of_annotations), shape=shape)
        texts = np.count_nonzero(data[:, of_annotations] == _END_OF_TEXT)
        if texts > _MAX_TEXTS:
            raise RecordingError(f"{path} holds {texts} texts of annotations; expected up to {_MAX_TEXTS}: export it without.")


def _whole(field: bytes, what: str, path: Path) -> int:
    text = field.decode("latin-1").strip()
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise RecordingError(f"{path}: the {what} is {text!r}, not a whole number; copy or export it again.")
    return int(text)


def _one_rate(signals: Sequence[edfio.EdfSignal], names: Sequence[str], path: Path) -> float:
    """The rate that all signals share; the refusal names the signals that have the most usual one."""
    rates = [signal.sampling_frequency for signal in signals]
    if not rates:
        raise RecordingError(f"{path} holds no signal, only annotations; there is no ECG to read.")
    if len(set(rates)) > 1:
        usual, _ = Counter(rates).most_common(1)[0]
        said = ", ".join(f"{name} {rate:g} Hz" for name, rate in zip(names, rates, strict=True))
        same = ", ".join(name for name, rate in zip(names, rates, strict=True) if rate == usual)
        raise RecordingError(f"{path} has signals of several sampling rates ({said}); read those of one: leads={same!r}.")
    return rates[0]


def _physical(signals: Sequence[edfio.EdfSignal], records: int, names: Sequence[str], path: Path) -> np.ndarray:
    """float64 [signals, samples] in each signal's own unit. records: how many data records the file has."""
    for signal, name in zip(signals, names, strict=True):
        scale = (*signal.digital_range, *signal.physical_range)
        if not all(map(math.isfinite, scale)) or scale[0] >= scale[1] or scale[2] == scale[3]:
            raise RecordingError(
                f"{path}: signal {name} maps {scale[0]} to {scale[1]} onto {scale[2]:g} to {scale[3]:g} "
                f"{signal.physical_dimension}, which is no scale; mend its header."
            )
    check_extent(len(signals), records * sum(signal.samples_per_data_record for signal in signals), path)
    return np.stack([signal.data for signal in signals])


def _notes(edf: edfio.Edf | edfio.Bdf) -> dict[str, str]:
    """Sex and equipment, which EDF+ keeps in fields of their own, and the annotations; nothing that names the patient."""
    notes = {}
    if edf.reserved[3:4] == "+":
        notes = {"sex": edf.patient.sex, "equipment": edf.recording.equipment_code}
        notes["annotations"] = "; ".join(f"{mark.onset:g} s: {mark.text}" for mark in edf.annotations if mark.text)
    notes["prefiltering"] = "; ".join(sorted({signal.prefiltering for signal in edf.signals} - {""}))
    return {key: text for key, text in notes.items() if text not in ("", "X")}
