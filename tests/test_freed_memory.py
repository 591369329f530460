"""Freed memory is kept inside, and handed back afterwards: told by the pages cleared, and by the process's size."""

import subprocess
import sys

import pytest

from selfdana_lite import freed_memory
from selfdana_lite.freed_memory import freed_memory_kept

# In a process of its own: the settings hold for the whole process, and other tests' memory would blur the counts.
PROBE = """
import resource
import psutil
import torch
from selfdana_lite.freed_memory import freed_memory_kept

def steps():  # blocks of 8 MB, freed after each step
    for _ in range(50):
        (torch.ones(2_000_000) + 1).sum()

def pages_cleared(work):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident_mb():
    return psutil.Process().memory_info().rss / 1e6

with freed_memory_kept():
    with freed_memory_kept():  # a block within a block ends nothing
        steps()
    kept = pages_cleared(steps)
    many = [torch.ones(1_000_000) for _ in range(50)]  # 200 MB
    del many
    inside = resident_mb()
print(kept, inside - resident_mb())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's settings are for Linux")
def test_steps_find_their_memory_where_the_last_one_left_it_and_the_end_hands_it_back():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    kept, handed_back_mb = map(float, done.stdout.split())
    assert kept < 500, "one step alone fills 3,900 pages"
    assert handed_back_mb > 150


def test_an_error_inside_comes_out_and_what_is_not_glibc_is_left_alone(monkeypatch):
    with pytest.raises(KeyError), freed_memory_kept():
        raise KeyError
    monkeypatch.setattr(freed_memory.sys, "platform", "darwin")
    monkeypatch.setattr(freed_memory.ctypes, "CDLL", lambda name: pytest.fail("no library is looked at"))
    with freed_memory_kept():
        pass
