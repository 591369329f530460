"""Signals that stay in their file: only the leads and rows asked for are read.

A small file is mapped into memory, which is quickest. Of a large one that would go wrong: every page ever touched counts
as the process's memory, the system maps some 64 KiB around each 2 KiB wanted and reads more ahead from a disk, so that
random batches soon have the whole archive in memory. There the pieces are read one by one, and none of it lingers.
"""

import os
import warnings
import weakref
from pathlib import Path

import numpy as np

from selfdana_lite.packed_arrays import check_npy
from selfdana_lite.parts import DatasetError

MAPPED_UP_TO_BYTES = 2**24


class SignalFile:
    """The array [leads, records, samples] of a signals.npy; `file[leads, rows]` with index arrays reads those pieces alone.

    Reading names its place in the file each time, so that threads and forked processes may share the file. Raises
    ValueError, as numpy does, where the file is no array or shorter than it says.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        check_npy(self.path)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Reading `.npy`")  # by a Python 2, which wrote 60L: all is well
            self.mapped = np.lib.format.open_memmap(path, mode="r")  # costs no memory until somebody looks at it
        self.dtype, self.shape, self.ndim, self.size = (getattr(self.mapped, n) for n in ("dtype", "shape", "ndim", "size"))
        self._descriptor = None
        by_pieces = hasattr(os, "preadv") and self.mapped.flags.c_contiguous  # Windows has no preadv: there the map must do
        if by_pieces and self.mapped.nbytes > MAPPED_UP_TO_BYTES:
            self._descriptor = os.open(path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._descriptor)

    def __reduce__(self):
        return SignalFile, (self.path.absolute(),)  # another process opens the file itself

    def __getitem__(self, index: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """What an array would give for [leads, rows], the two broadcast together: [..., samples]."""
        leads, rows = np.broadcast_arrays(*index)
        if self._descriptor is None:
            return np.asarray(self.mapped[leads, rows])
        pieces = np.empty((*leads.shape, self.shape[2]), self.dtype)
        self._read((leads * self.shape[1] + rows).ravel(), memoryview(pieces.reshape(-1)).cast("B"))
        return pieces

    def _read(self, places: np.ndarray, into: memoryview) -> None:
        """The pieces at these places, counted along the file [n], one after the other; neighbours in one go."""
        size = self.shape[2] * self.dtype.itemsize
        starts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
        ends = np.append(starts, len(places))[1:]
        offsets = self.mapped.offset + places[starts] * size
        for start, end, offset in zip((starts * size).tolist(), (ends * size).tolist(), offsets.tolist(), strict=True):
            self._fill(into[start:end], offset)

    def _fill(self, into: memoryview, offset: int) -> None:
        while into:  # one call reads 2 GiB at most
            read = os.preadv(self._descriptor, [into], offset)
            if read == 0:
                raise DatasetError(f"{self.path} has become shorter since it was opened; write or download it again.")
            into, offset = into[read:], offset + read
