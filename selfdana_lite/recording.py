"""One recording: millivolt, hertz and lead names that can be trusted, whatever file it came from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from selfdana_lite.leads import LEADS


class RecordingError(ValueError):
    """A recording cannot be read or used as asked; the message says what was found and what to do."""


@dataclass(frozen=True, eq=False)
class Recording:
    """A signal and what is needed to understand it.

    signal_mv: float32 millivolt [leads, samples]; NaN where the file says that a sample is missing.
    leads: one name a row, all different; canonical ("II") where the file's spelling is known, else
        the file's own ("vx", "PLETH"). None is dropped.
    source: the file that it was read from.
    notes: what else the file says (age, sex, diagnosis codes, comments), as text.
    """

    signal_mv: np.ndarray
    sampling_rate_hz: float
    leads: tuple[str, ...]
    source: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return self.signal_mv.shape[1] / self.sampling_rate_hz

    @property
    def standard_leads(self) -> tuple[str, ...]:
        """Those of its leads that are among the twelve of LEADS, in that order: what an encoder can be given."""
        return tuple(name for name in LEADS if name in self.leads)

    def select(self, leads: str | Iterable[str]) -> "Recording":
        """Only these leads, in this order; LeadError names what is absent and what there is."""
        raise NotImplementedError

    def rename(self, names: Mapping[str, str]) -> "Recording":
        """The same with other lead names: {"ch1": "II"}."""
        raise NotImplementedError

    def window(self, start_s: float, length_s: float) -> "Recording":
        """A part of it; RecordingError where it does not reach that far: nothing is padded."""
        raise NotImplementedError

    def resample(self, sampling_rate_hz: float) -> "Recording":
        """The same at another rate, by polyphase filtering."""
        raise NotImplementedError
