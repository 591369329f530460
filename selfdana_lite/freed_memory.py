"""Freed memory is kept for the next step of a loop, which asks for the same blocks as the step before.

glibc, the C library of most Linux systems, hands large blocks back when they are freed. Whoever asks again gets pages that the
system must first clear, one at a time, and a step of ours spends more time on that than on its optimiser.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_BLOCK = 32 * 2**20  # what is larger is handed back all the same: glibc takes no higher threshold
KEPT, USUAL = 2**30, 2 * LARGEST_BLOCK  # so much free memory may lie at the end of the heap
_depth = 0  # of blocks within blocks: scoring subsets between two epochs must not end what training began


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, this process keeps what it frees; at the end of the outermost block it hands it back. Does nothing without glibc.

    Afterwards the thresholds are what glibc's own adaptation reaches at most; that adaptation cannot be switched on again.
    """
    global _depth
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)
    libc.mallopt(M_TRIM_THRESHOLD, KEPT)
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if _depth == 0:
            libc.mallopt(M_TRIM_THRESHOLD, USUAL)
            libc.malloc_trim(0)
