"""One recording: millivolt, hertz and lead names that can be trusted, whatever file it came from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import PurePath

import numpy as np

from selfdana_lite.leads import LEADS, LeadError, canonical_lead, canonical_leads, split_names

_LONGEST_NAME = 200


class RecordingError(ValueError):
    """A recording cannot be read or used as asked; the message says what was found and what to do."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A signal and what is needed to understand it.

    signal_mv: float32 millivolt [leads, samples]; NaN where the file says that a sample is missing. An extra channel that
        is no voltage (respiration, blood pressure) is in the unit that notes["units <its name>"] states.
    leads: one name a row, all different; canonical ("II") where the file's spelling is known, else
        the file's own ("vx", "PLETH"). None is dropped.
    source: the file that it was read from.
    notes: what else the file says (age, sex, diagnosis codes, comments), as text.

    Two lines from a file to an embedding [1, D], where the file has the encoder's sampling rate:

        recording = sd.read_recording("visit.edf")
        embedding = sd.embed(sd.load_encoder(), recording)

    Raises RecordingError where the parts contradict each other.
    """

    signal_mv: np.ndarray
    sampling_rate_hz: float
    leads: tuple[str, ...]
    source: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        signal = np.asarray(self.signal_mv)
        if signal.ndim != 2 or signal.dtype.kind != "f" or 0 in signal.shape:
            raise RecordingError(
                f"The signal is {signal.dtype} {signal.shape}; expected floating-point millivolt [leads, samples], at least "
                f"one of each."
            )
        leads = (self.leads,) if isinstance(self.leads, str) else tuple(self.leads)
        if len(leads) != len(signal) or len(set(leads)) != len(leads) or not all(isinstance(n, str) and n for n in leads):
            raise RecordingError(f"The leads are {leads} for {len(signal)} rows; expected one name a row, all different.")
        if not 0 < float(self.sampling_rate_hz) < np.inf:
            raise RecordingError(f"The sampling rate is {self.sampling_rate_hz} Hz; expected a finite number above 0.")
        with np.errstate(over="ignore"):  # what does not fit into float32 is infinite, and refused as such
            signal = signal.astype(np.float32, copy=False)
        if np.isinf(signal).any():
            raise RecordingError(
                f"Lead {leads[np.isinf(signal).any(axis=1).argmax()]} holds an infinite value; a sample that is missing is NaN."
            )
        for name, value in {"signal_mv": signal, "sampling_rate_hz": float(self.sampling_rate_hz), "leads": leads}.items():
            object.__setattr__(self, name, value)  # the one way to settle a field of a frozen dataclass

    def __repr__(self) -> str:
        """One line: "Recording(30 s of I at 512 Hz from watch.csv)"; the numbers are in signal_mv."""
        leads = ", ".join(self.leads[:12]) + (f" and {len(self.leads) - 12} more" if len(self.leads) > 12 else "")
        file = f" from {PurePath(self.source).name}" if self.source else ""
        return f"Recording({self.seconds:g} s of {leads} at {self.sampling_rate_hz:g} Hz{file})"

    @property
    def seconds(self) -> float:
        return self.signal_mv.shape[1] / self.sampling_rate_hz

    @property
    def standard_leads(self) -> tuple[str, ...]:
        """Those of its leads that are among the twelve of LEADS, in that order: what an encoder can be given."""
        return tuple(name for name in LEADS if name in self.leads)

    def select(self, leads: str | Iterable[str]) -> "Recording":
        """Only these leads, in this order: any spelling of a lead, the name of a lead set, or an extra channel's own name.

        Raises LeadError, naming what is absent and what there is, or a lead that is asked for twice.
        """
        asked_for = split_names(leads, self._find) if isinstance(leads, str) else [str(name) for name in leads]
        wanted = tuple(self._find(name) or name for name in asked_for)
        absent = [name for name in wanted if name not in self.leads]
        if absent or not wanted:
            asked = f"no lead {', '.join(map(repr, absent))}" if absent else f"no lead named in {leads!r}"
            raise LeadError(f"{self._named}: {asked}; it has {', '.join(self.leads)}.")
        if len(set(wanted)) < len(wanted):
            raise LeadError(f"A lead is asked for more than once in {leads!r}; name each lead once.")
        return replace(self, signal_mv=self.signal_mv[[self.leads.index(name) for name in wanted]], leads=wanted)

    def rename(self, names: Mapping[str, str]) -> "Recording":
        """The same with other lead names: {"ch1": "II"}. New names become canonical where their spelling is known.

        Raises LeadError for an old name that is not there, a new one that is taken or empty, and for a channel that is not
        in millivolt and would become a lead.
        """
        new = {}
        for old, name in names.items():
            found = self._find(old)
            if found is None:
                raise LeadError(f"{self._named}: no lead {old!r} to rename; it has {', '.join(self.leads)}.")
            new[found] = canonical_lead(name) or str(name).strip()
            unit = self.notes.get(f"units {found}")
            if unit is not None and new[found] in LEADS:
                raise LeadError(
                    f"{self._named}: {found} is in {unit!r}, not in millivolt, and so cannot become lead {new[found]}; read "
                    f"the file again with gain= in file units per millivolt."
                )
        leads = tuple(new.get(name, name) for name in self.leads)
        if len(set(leads)) < len(leads) or not all(leads):
            raise LeadError(f"{self._named}: renaming by {dict(names)} gives the leads {leads}; each needs a name of its own.")
        moved = {f"units {old}": f"units {name}" for old, name in new.items()}
        return replace(self, leads=leads, notes={moved.get(key, key): text for key, text in self.notes.items()})

    def window(self, start_s: float, length_s: float) -> "Recording":
        """The samples from start_s on, length_s of them, both to the nearest sample.

        Raises RecordingError where the recording does not reach that far: nothing is padded.
        """
        if not np.isfinite([start_s, length_s]).all():
            raise RecordingError(f"A window needs finite seconds; found a start of {start_s} s and a length of {length_s} s.")
        start, samples = (np.rint(float(s) * self.sampling_rate_hz) for s in (start_s, length_s))  # infinite for absurd rates
        if not (start >= 0 and samples >= 1 and start + samples <= self.signal_mv.shape[1]):
            raise RecordingError(
                f"{self._named}: a window of {length_s:g} s from {start_s:g} s on does not fit; the recording is "
                f"{self.seconds:g} s long ({self.signal_mv.shape[1]} samples at {self.sampling_rate_hz:g} Hz)."
            )
        return replace(self, signal_mv=self.signal_mv[:, int(start) : int(start + samples)])

    def without_offset(self) -> "Recording":
        """Each lead less its median; an extra channel that is no voltage stays as it is.

        An electrode and its amplifier add a constant voltage that no heart made, and an encoder takes it for one. The median
        is the baseline between beats, which last longer than the beats do; the mean would follow the beats' height.
        """
        offset_mv = offsets_mv(self.signal_mv)  # [leads]
        offset_mv[[f"units {lead}" in self.notes for lead in self.leads]] = 0.0
        return replace(self, signal_mv=self.signal_mv - offset_mv[:, None].astype(np.float32))

    def resample(self, sampling_rate_hz: float) -> "Recording":
        """The same at another rate, by polyphase filtering with SciPy's anti-aliasing filter.

        The ratio of the rates is taken as a fraction with a denominator up to 10,000: exact for the usual rates, and
        nearer than any crystal keeps time for odd ones. Before filtering, the straight line from the first sample to the
        last is taken away, so that neither an offset nor a drift rings at the edges or ripples with the filter's phases;
        it is put back afterwards.

        Raises RecordingError where samples are missing, because one NaN would spread over its surroundings, where there is
        only one sample, and for a rate that is not a number above 0 or 10,000 times away from this one.
        """
        if not 1e-4 < float(sampling_rate_hz) / self.sampling_rate_hz < 1e4:
            raise RecordingError(
                f"Cannot resample from {self.sampling_rate_hz:g} Hz to {sampling_rate_hz} Hz; expected a rate near it."
            )
        missing = np.isnan(self.signal_mv).sum(axis=1)  # [leads]
        if missing.any():
            raise RecordingError(
                f"{self._named}: {missing.sum()} samples are missing (first in lead {self.leads[missing.argmax()]}), and "
                f"filtering would spread them; choose a window or leads without gaps first."
            )
        if self.signal_mv.shape[1] < 2:
            raise RecordingError(f"{self._named}: one sample cannot be resampled; two or more are needed.")
        ratio = (Fraction(float(sampling_rate_hz)) / Fraction(self.sampling_rate_hz)).limit_denominator(10_000)
        if ratio == 1:
            return replace(self, sampling_rate_hz=float(sampling_rate_hz))
        from scipy.signal import resample_poly  # here, because it takes a second to import

        signal = self.signal_mv.astype(np.float64)  # [leads, samples]
        first, step = signal[:, :1], (signal[:, -1:] - signal[:, :1]) / (signal.shape[1] - 1)
        level = signal - (first + step * np.arange(signal.shape[1]))
        level = resample_poly(level, ratio.numerator, ratio.denominator, axis=1)
        signal = level + first + step * (np.arange(level.shape[1]) / float(ratio))
        return replace(self, signal_mv=signal, sampling_rate_hz=float(sampling_rate_hz))

    @property
    def _named(self) -> str:
        return self.source or "This recording"

    def _find(self, name: str) -> str | None:
        """The lead of this recording that a spelling means: its own spelling first, then the lead it is an alias of."""
        return next((found for found in (name, canonical_lead(name)) if found in self.leads), None)


def offsets_mv(signal_mv: np.ndarray) -> np.ndarray:
    """The median of each lead, [leads, samples] -> float64 [leads]; 0 for a lead without any sample."""
    there = ~np.isnan(signal_mv)
    return np.array([np.median(row[kept]) if kept.any() else 0.0 for row, kept in zip(signal_mv, there, strict=True)], float)


def name_leads(spellings: Sequence[str]) -> tuple[str, ...]:
    """One different name for each of a file's channels: canonical where the spelling is known, else the file's own.

    Where several mean the same lead ("MLII" and "II"), it goes to the one that is spelt exactly so, else to the first;
    the others keep their own spelling. C1 to C6 are V1 to V6 where canonical_leads says so. A spelling that comes again is
    numbered ("ecg", "ecg (2)"); an empty one becomes "channel 3", its place in the file.
    """
    if longest := [name for name in map(str, spellings) if len(name) > _LONGEST_NAME]:
        raise RecordingError(
            f"{longest[0][:60]!r}... is {len(longest[0])} letters long; a lead's name has {_LONGEST_NAME} at most."
        )
    own = [" ".join(str(name).split()) or f"channel {place}" for place, name in enumerate(spellings, start=1)]
    known = canonical_leads(own)
    names = list(own)
    for place, lead in enumerate(known):
        if lead and place == (own.index(lead) if lead in own else known.index(lead)):
            names[place] = lead
    taken, times = set(), Counter(dict.fromkeys(names, 1))  # a file may have thousands of one name
    for place, name in enumerate(names):
        while names[place] in taken:
            times[name] += 1
            names[place] = f"{name} ({times[name]})"
        taken.add(names[place])
    return tuple(names)
