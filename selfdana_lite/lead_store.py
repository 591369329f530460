"""The signals of a dataset, and which leads each recording has: nothing is read that was not asked for or is not there."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from selfdana_lite.leads import LEADS, LeadError, lead_ids
from selfdana_lite.signal_file import SignalFile

MV_PER_MICROVOLT = 1e-3


class FlatLeadWarning(UserWarning):
    """A lead never changes: probably an electrode that was off, or an absent lead written as zeros."""


class LeadStore:
    """int16 microvolt [leads, recordings, samples], and bool [leads, recordings]: which of them are there (all where None).

    Below, rows are what the caller calls the recordings, and what messages name.
    """

    def __init__(self, stored: np.ndarray | SignalFile, leads: tuple[str, ...], present: np.ndarray | None):
        self.stored, self.leads = stored, leads
        self._present = None if present is None or present.all() else present
        self._known_flat: set[int] = set()  # recordings already warned of

    @property
    def array(self) -> np.ndarray:
        """The signals as one array, which a file only maps."""
        return self.stored.mapped if isinstance(self.stored, SignalFile) else self.stored

    def present(self, recordings: np.ndarray) -> np.ndarray:
        """bool [recordings, leads]."""
        if self._present is None:
            return np.broadcast_to(True, (len(recordings), len(self.leads)))
        return self._present[:, recordings].T

    def present_of_twelve(self, recordings: np.ndarray) -> np.ndarray:
        """bool [recordings, 12], in the order of LEADS whatever the order in the store."""
        of_twelve = np.zeros((len(recordings), len(LEADS)), dtype=bool)
        of_twelve[:, lead_ids(self.leads)] = self.present(recordings)
        return of_twelve

    def columns(self, leads: Sequence[str]) -> np.ndarray:
        """Positions of the leads in the store; LeadError for one that no recording has."""
        if unknown := [name for name in leads if name not in self.leads]:
            raise LeadError(f"This dataset has no lead {', '.join(unknown)}; it has {', '.join(self.leads)}.")
        return np.array([self.leads.index(name) for name in leads])

    def require(self, leads: Sequence[str], rows: np.ndarray, recordings: np.ndarray) -> np.ndarray:
        """The positions of the leads; LeadError unless each of the recordings has them."""
        columns = self.columns(leads)
        lacking = ~self.present(recordings)[:, columns]  # [recordings, leads wanted]
        if lacking.any():
            first = int(np.argmax(lacking.any(axis=1)))
            raise LeadError(
                f"Row {rows[first]} lacks {', '.join(np.array(leads)[lacking[first]])}, and {lacking.any(axis=1).sum()} of "
                f'{len(rows)} recordings lack some; keep those that have them with where(has="{", ".join(leads)}"), or ask '
                f"for other leads."
            )
        return columns

    def batch(self, leads: Sequence[str], rows: np.ndarray, recordings: np.ndarray) -> Tensor:
        """float32 millivolt [batch, leads, samples]."""
        columns, batch = self.require(leads, rows, recordings), len(rows)
        pieces = self._read(np.repeat(columns, batch), np.tile(rows, len(columns)), np.tile(recordings, len(columns)))
        return pieces.unflatten(0, (len(columns), batch)).transpose(0, 1)  # [leads * batch, samples] -> [batch, leads, samples]

    def batch_with_gaps(self, present: np.ndarray, rows: np.ndarray, recordings: np.ndarray) -> Tensor:
        """float32 millivolt [batch, 12, samples] as in LEADS, NaN wherever present [batch, 12] is False."""
        lead, row = np.nonzero(present.T)  # lead by lead, as they lie on disk
        column_of = np.array([self.leads.index(name) if name in self.leads else -1 for name in LEADS])
        signals_mv = torch.full((len(LEADS), len(rows), self.stored.shape[2]), torch.nan)
        signals_mv[lead, row] = self._read(column_of[lead], rows[row], recordings[row])
        return signals_mv.transpose(0, 1)  # [batch, 12, samples]

    def _read(self, columns: np.ndarray, rows: np.ndarray, recordings: np.ndarray) -> Tensor:
        """One piece for each column and recording [n]: float32 millivolt [n, samples]."""
        microvolt = self.stored[columns, recordings]
        flat = microvolt.max(axis=1) == microvolt.min(axis=1)  # [n]
        if flat.any():
            self._warn_once(flat, microvolt, columns, rows, recordings)
        return torch.from_numpy(microvolt).float().mul_(MV_PER_MICROVOLT)

    def _warn_once(self, flat: np.ndarray, microvolt: np.ndarray, columns, rows, recordings) -> None:
        news = set(recordings[flat].tolist()) - self._known_flat  # one warning for each recording, not one for each epoch
        if news:
            self._known_flat |= news
            first, how_many = int(np.argmax(flat)), f"{len(np.unique(rows[flat]))} of {len(np.unique(rows))}"
            warnings.warn(
                f"{how_many} recordings have a flat lead (first: row {rows[first]}, lead {self.leads[columns[first]]}, always "
                f"{microvolt[first, 0]} microvolt), as an electrode that is off leaves it; leave such rows out with "
                f"where(rows=...) or ask for other leads.",
                FlatLeadWarning,
                stacklevel=5,
            )
