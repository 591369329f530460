"""Units are read, not guessed: what a file's numbers mean in millivolt, or a refusal that says what was found."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from selfdana_lite.leads import LEADS
from selfdana_lite.recording import RecordingError

# The swing of a lead is the range between its 1st and 99th percentile, so that one spike does not count. In 2,652
# recordings of PTB-XL the largest lead of each swings 0.66 to 32 mV and the median lead 0.24 to 3.4 mV: a unit that is
# wrong by 1,000 falls outside these bounds, one that is wrong by 10 does not, and cannot be told from a small heart.
LEAST_SWING_MV = 0.02
LARGEST_SWING_MV = 100.0

_MILLIVOLT_PER = {"": 1e3, "m": 1.0, "milli": 1.0, "u": 1e-3, "μ": 1e-3, "micro": 1e-3, "n": 1e-6, "nano": 1e-6}
# A prefix of one letter keeps its case, because MV is a megavolt.
_VOLTAGE = re.compile(r"([muμn]?)(?:[vV]|(?i:volts?))|(?i:(milli|micro|nano)-?(?:v|volts?))")
# Spellings of "these are numbers, not volts": the output of a converter, or nothing said at all.
_UNITLESS = re.compile(
    r"(nu|nd|na|n/a|none|unitless|dimensionless|adu|adc|a\.?u\.?|counts?|lsb|raw|uncalibrated)?", re.IGNORECASE
)


def millivolt_per(unit: str) -> float | None:
    """How many millivolt one such unit is ("mV", "uV", "µV", "microvolt", "nV", "V"); None where it is no voltage we know."""
    found = _VOLTAGE.fullmatch(unicodedata.normalize("NFKC", str(unit)).strip(" []()"))  # both micro signs become one
    return _MILLIVOLT_PER[(found[1] or found[2] or "").lower()] if found else None


def gain_per_lead(gain: float | Sequence[float] | None, units: Sequence[str], leads: Sequence[str]) -> list[float | None]:
    """The file units per millivolt that the caller stated, one a lead; None for a lead whose own unit counts.

    One number is for the leads: an extra channel that is not in volts (mmHg, %) keeps its unit. RecordingError for a gain
    of 0, of another length, or not finite.
    """
    if gain is None:
        return [None] * len(leads)
    stated = np.asarray(gain, dtype=np.float64)
    if stated.shape not in ((), (len(leads),)) or not np.isfinite(stated).all() or not stated.all():
        raise RecordingError(
            f"gain={gain!r} is not one number other than 0, nor one for each of the {len(leads)} leads {', '.join(leads)}; "
            f"give file units per millivolt."
        )
    if stated.ndim:
        return stated.tolist()
    return [None if _is_other(unit, lead) else float(stated) for unit, lead in zip(units, leads, strict=True)]


def unit_notes(units: Sequence[str], leads: Sequence[str], gain: float | Sequence[float] | None = None) -> dict[str, str]:
    """What to note about the extra channels that stay in the file's unit: {"units PLETH": "NU"}."""
    gains = gain_per_lead(gain, units, leads)
    kept = [
        (lead, unit)
        for lead, unit, stated in zip(leads, units, gains, strict=True)
        if stated is None and lead not in LEADS and millivolt_per(unit) is None
    ]
    return {f"units {lead}": unit.strip() or "not stated" for lead, unit in kept}


def to_millivolt(
    values: np.ndarray,
    units: Sequence[str],
    leads: Sequence[str],
    source: str,
    gain: float | Sequence[float] | None = None,
) -> np.ndarray:
    """float32 millivolt [leads, samples] from the file's numbers [leads, samples], NaN kept.

    units: the file's spelling, one a lead. leads: canonical names where known. gain: file units per millivolt, one number
    or one a lead, which takes the place of the unit and of any doubt. An extra channel (not among LEADS) that is not in
    volts keeps its numbers; `unit_notes` names its unit.

    Raises RecordingError where one of the standard leads has no unit, one that is not a voltage, or an amplitude that no
    heart has; the message says how far the lead swings. Leads that never change are no business of this function.
    """
    millivolt = np.empty(np.shape(values), dtype=np.float32)
    gains = gain_per_lead(gain, units, leads)
    for row, (unit, lead, stated) in enumerate(zip(units, leads, gains, strict=True)):
        factor = millivolt_per(unit) if stated is None else 1 / stated
        if factor is None and lead in LEADS:
            raise RecordingError(_not_volts(values[row], unit, lead, source))
        with np.errstate(over="ignore"):  # a number too large for float32 becomes inf, which a Recording refuses
            millivolt[row] = np.multiply(values[row], 1.0 if factor is None else factor, dtype=np.float64)
    if gain is None:
        _check_amplitude(millivolt, leads, source)
    return millivolt


def _is_other(unit: str, lead: str) -> bool:
    """Is this an extra channel whose unit is neither a voltage nor missing, such as mmHg?"""
    return lead not in LEADS and millivolt_per(unit) is None and not _UNITLESS.fullmatch(unit.strip())


def _not_volts(values: np.ndarray, unit: str, lead: str, source: str) -> str:
    found = "says nothing about volts" if _UNITLESS.fullmatch(unit.strip()) else "is not a voltage known here"
    return (
        f"{source}: the unit {unit!r} of lead {lead} {found}, and its numbers swing over {_swings(values[None])[0]:.4g}; known "
        f"units are mV, uV, nV and V. If you know the scale, give gain= in file units per millivolt."
    )


def _swings(values: np.ndarray) -> np.ndarray:
    """The range between the 1st and the 99th percentile of what is there, one a row of [leads, samples]; NaN for nothing."""
    if np.isfinite(values).all():  # all rows at once is ten times as fast
        return np.ptp(np.percentile(values, [1, 99], axis=1), axis=0)
    there = [row[np.isfinite(row)] for row in values]
    return np.array([np.ptp(np.percentile(row, [1, 99])) if row.size else np.nan for row in there])


def _check_amplitude(millivolt: np.ndarray, leads: Sequence[str], source: str) -> None:
    rows = [row for row, lead in enumerate(leads) if lead in LEADS]
    swings = _swings(millivolt[rows])
    moving = swings[swings > 0]
    if not moving.size:
        return
    if moving.max() < LEAST_SWING_MV:
        found = f"no lead swings over more than {moving.max():.3g} mV"
    elif np.median(moving) > LARGEST_SWING_MV:
        found = f"the leads swing over {np.median(moving):.4g} mV (median)"
    else:
        return
    raise RecordingError(
        f"{source}: with the units that the file states, {found}; an ECG swings over {LEAST_SWING_MV:g} to "
        f"{LARGEST_SWING_MV:g} mV. If you know the scale, give gain= in file units per millivolt."
    )
