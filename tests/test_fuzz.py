"""A slice of the fuzzing of `make fuzz`, and proof that its guard and its watch would tell."""

import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import fuzz_readers
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the guard looks at /proc, and limits of memory hold on Linux")
HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize(
    ("name", "cases"), {"wfdb": 250, "edf": 150, "csv": 100, "npz": 100, "places": 60, "datasets": 60, "builds": 25}.items()
)
def test_a_slice_of_the_fuzzing_finds_nothing(name, cases):
    first = len(fuzz_readers.kinds()[name].bombs)  # which take seconds, and are for `make fuzz`
    found = fuzz_readers.fuzz(name, seed=1, first=first, last=first + cases)
    print(fuzz_readers.report(name, found, 0))
    assert found["faults"] == []
    assert found["tried"] == cases
    assert found["peak_mb"] < 300
    assert name == "places" or 0.1 < found["outcomes"]["parsed"] / cases < 0.98  # else the cases are too wild, or too tame


def test_cases_are_the_same_wherever_they_are_made(tmp_path):
    import random

    import fuzz_wfdb

    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        fuzz_wfdb.make(random.Random("wfdb 0 77"), folder)
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert made[0] == made[1]


# The guard, in a process of its own, as an audit hook stays for ever

NAUGHTY = {
    "nothing": "pass",
    "inside": "(folder / 'inside').read_bytes()",
    "outside": "(folder.parent / 'secret').read_bytes()",
    "through a link": "(folder / 'link').read_bytes()",
    "writing": "(folder / 'new').write_bytes(b'')",
    "a pickle": "pickle.loads(b'N.')",
    "a class in a pickle": "_pickle.loads(pickle_of_a_class)",
    "network": "socket.create_connection(('127.0.0.1', 9), timeout=1)",
    "a name on the network": "socket.getaddrinfo('physionet.org', 443)",
    "a program": "subprocess.run(['true'])",
    "a shell": "os.system('true')",
    "a process": "os.fork() or os._exit(0)",
    "a thread": "threading.Thread(target=time.sleep, args=(2,), daemon=True).start()",
    "a file left open": "kept.append(open(folder / 'inside'))",
    "a file forgotten": "open(folder / 'inside')",
    "a warning": "warnings.warn('look out')",
}
SCRIPT = """
import _pickle, collections, json, os, pickle, socket, subprocess, sys, threading, time, warnings
from pathlib import Path
from fuzz_guard import Guard
folder, kept, told = Path(sys.argv[1]), [], {}
pickle_of_a_class = pickle.dumps(collections.OrderedDict)
guard = Guard()
for what, action in json.loads(sys.argv[2]).items():
    with guard.watching(folder) as faults:
        try:
            exec(action)
        except Exception as error:
            faults.append(f"raised {type(error).__name__}")
    told[what] = faults
print(json.dumps(told))
"""


def test_the_guard_tells_of_all_that_no_file_may_bring_about(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    for path in (folder / "inside", tmp_path / "secret"):
        path.touch()
    (folder / "link").symlink_to("../secret")
    run = [sys.executable, "-c", SCRIPT, str(folder), json.dumps(NAUGHTY)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(HERE)})
    told = json.loads(done.stdout.splitlines()[-1])
    assert {what for what, faults in told.items() if not faults} == {"nothing", "inside"}


# The watch over the children


def child(tmp_path, body):
    """A script in place of the fuzzer's own child: it may print what one case came to, and then misbehave."""
    path = tmp_path / "child.py"
    path.write_text(
        textwrap.dedent(f"""
        import json, sys, time, os
        case = int(sys.argv[sys.argv.index("--case") + 1])
        last = int(sys.argv[sys.argv.index("--cases") + 1])
        tell = lambda **told: print(json.dumps(told), flush=True)
        tell(base_bytes=1)
        for number in range(case, last):
            {body}
            tell(case=number, outcome="parsed", faults=[], cpu_s=0.5 * number, wall_s=0, peak_bytes=1_000_001)
        """)
    )
    return path


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("os.kill(os.getpid(), 11) if number == 2 else None", "it ended with -11"),
        ("sys.exit('no more') if number == 2 else None", "no more"),
        ("time.sleep(60) if number == 2 else None", "waited for more than 1 s"),
        ("os._exit(0) if number == 2 else None", "it ended with 0"),
    ],
)
def test_a_child_that_dies_or_hangs_costs_its_case_and_is_told_of(tmp_path, monkeypatch, body, told):
    monkeypatch.setattr(fuzz_readers, "_WAIT_S", 1.0)
    found = fuzz_readers.fuzz("wfdb", 0, 0, 5, script=child(tmp_path, body))
    assert [case for case, _ in found["faults"]] == [2]
    assert told in found["faults"][0][1]
    assert (found["tried"], found["outcomes"]["parsed"], found["slowest"]) == (5, 4, (2.0, 4))
    assert found["peak_mb"] == 1


def test_the_report_groups_what_is_the_same():
    found = {
        "tried": 4,
        "outcomes": {"parsed": 1},
        "faults": [(1, "x"), (2, "x"), (3, "y")],
        "slowest": (1.0, 2),
        "peak_mb": 3.0,
    }
    lines = fuzz_readers.report("edf", found, 1.0).splitlines()
    assert "25% good" in lines[0]
    assert [line.strip() for line in lines[1:]] == ["2x, as in case 1: x", "1x, as in case 3: y"]


def test_what_a_recording_promises_is_held():
    import numpy as np

    ecg = np.sin(np.arange(100) / 9)
    fuzz_readers._hold_plausible(np.stack([ecg, np.full(100, np.nan)]))
    fuzz_readers._hold_plausible(np.zeros((1, 100)))
    for scale in (1e3, 1e-3):
        with pytest.raises(AssertionError):
            fuzz_readers._hold_plausible(scale * ecg[None])


def test_the_attack_would_work_if_a_pickle_were_loaded(tmp_path, monkeypatch):
    import fuzz_npz

    monkeypatch.setattr(fuzz_npz, "_MARK", str(tmp_path / "loaded"))
    pickle.loads(pickle.dumps(fuzz_npz.Attack())).close()
    assert (tmp_path / "loaded").exists()
