"""One recording in an .npz: np.savez(path, signal_mv=..., sampling_rate_hz=..., leads=...), and a few kindred spellings.

    signal_mv                  numbers [leads, samples] in millivolt; or signal, signals with units ("uV"), one or one a lead
    sampling_rate_hz, or fs    one number
    leads, or lead_names       text, one a row

Pickles are refused, as they can run code. The sizes that members declare are checked before anything is unpacked.
"""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from selfdana_lite.packed_arrays import DAMAGE, PackedArrayError, declared, unpack
from selfdana_lite.readers.limits import MAX_SAMPLES, check_extent
from selfdana_lite.readers.stated import agreed_rate_hz, chosen_rows, stated_names
from selfdana_lite.readers.units import to_millivolt, unit_notes
from selfdana_lite.recording import Recording, RecordingError, name_leads

_MAX_TEXT_BYTES = 4_000_000  # names and units
_SIGNALS, _RATES, _LEADS = ("signal_mv", "signal", "signals"), ("sampling_rate_hz", "fs"), ("leads", "lead_names")


def read(
    path: Path,
    *,
    gain: float | Sequence[float] | None = None,
    sampling_rate_hz: float | None = None,
    leads: str | Iterable[str] | None = None,
) -> Recording:
    """One recording. gain, sampling_rate_hz, leads: for what the file does not say; leads may also choose among its own.

    Raises RecordingError for a damaged file, a pickle, many recordings, missing or contradicting parts; LeadError for
    absent leads.
    """
    parts = _parts(path)
    signal_name = next(name for name in _SIGNALS if name in parts)
    values = _checked_signal(parts[signal_name], signal_name, path)  # [leads, samples]
    units = ["mV"] * len(values) if signal_name == "signal_mv" else _texts(parts.get("units", ""), len(values), "units", path)
    names = _names(parts, leads, len(values), path)
    rows = chosen_rows(names, leads, str(path))
    names, units = tuple(names[row] for row in rows), [units[row] for row in rows]
    rate_hz = agreed_rate_hz(_found_rate_hz(parts, path), sampling_rate_hz, str(path))
    signal_mv = to_millivolt(values[rows], units, names, str(path), gain)
    return Recording(signal_mv, rate_hz, names, str(path), unit_notes(units, names, gain))


def _parts(path: Path) -> dict[str, np.ndarray]:
    """The arrays that make a recording, by name."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:  # so that a damaged file is closed too
            held = [name.removesuffix(".npy") for name in archive.namelist()]
            if not set(_SIGNALS) & set(held):
                raise RecordingError(
                    f"{path} holds the arrays {', '.join(held)[:200]}; expected signal_mv, sampling_rate_hz and leads."
                )
            return {name: _array(archive, name, path) for name in (*_SIGNALS, *_RATES, *_LEADS, "units") if name in held}
    except (FileNotFoundError, RecordingError):
        raise
    except PackedArrayError as error:
        raise RecordingError(f"{path}: {error}.") from error
    except DAMAGE as error:
        raise RecordingError(f"{path} is damaged or no .npz archive of arrays ({error}); save or copy it again.") from error


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> np.ndarray:
    if name in _SIGNALS and len(shape := declared(archive, name)) == 3:
        raise RecordingError(f"{path} holds many recordings ({name} is {shape}); open it with EcgDataset.open.")
    return unpack(archive, name, 8 * MAX_SAMPLES if name in _SIGNALS else _MAX_TEXT_BYTES)


def _checked_signal(values: np.ndarray, name: str, path: Path) -> np.ndarray:
    if values.ndim != 2 or values.dtype.kind not in "iuf" or not values.size:
        raise RecordingError(
            f"{path}: {name} is {values.dtype} {values.shape}; expected numbers [leads, samples], at least one."
        )
    check_extent(len(values), values.size, path)
    return values


def _texts(values: np.ndarray | str, n_leads: int, what: str, path: Path) -> list[str]:
    """Text, one a lead, from one for all or one for each."""
    values = np.asarray(values)
    if values.dtype.kind != "U" or values.shape not in ((), (n_leads,)):
        raise RecordingError(f"{path}: {what} is {values.dtype} {values.shape}; expected text, one for each of {n_leads} rows.")
    return np.broadcast_to(values, n_leads).tolist()


def _names(parts: dict[str, np.ndarray], leads: str | Iterable[str] | None, n_leads: int, path: Path) -> tuple[str, ...]:
    """The file's own names, or where it has none those that the caller states."""
    if found := [name for name in _LEADS if name in parts]:
        spellings = np.atleast_1d(parts[found[0]])
        if len(spellings) == n_leads:
            return name_leads(_texts(spellings, n_leads, found[0], path))
        raise RecordingError(f"{path}: {found[0]} has {len(spellings)} names for {n_leads} rows; save one name for each row.")
    if leads is None:
        raise RecordingError(f"{path} does not name its {n_leads} leads; give leads= with one name a row.")
    names = stated_names(leads)
    if len(names) != n_leads:
        raise RecordingError(f"{path} has {n_leads} rows, and leads= names {len(names)}: {', '.join(names)}.")
    return names


def _found_rate_hz(parts: dict[str, np.ndarray], path: Path) -> float | None:
    found = [name for name in _RATES if name in parts]
    if not found:
        return None
    rate_hz = parts[found[0]]
    if rate_hz.size != 1 or rate_hz.dtype.kind not in "iuf":
        raise RecordingError(f"{path}: {found[0]} is {rate_hz.dtype} {rate_hz.shape}; expected one number of hertz.")
    return float(rate_hz.item())
