"""800,000 recordings, about the largest public collection: opened, filtered and read without filling the memory.

The signals are a sparse file: 19.2 GB of zeros that take no room, but are read as any others are.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from selfdana_lite.leads import LEADS
from selfdana_lite.storage import FACTS_FILE, PRESENT_FILE, SIGNALS_FILE, TABLE_FILE, dataset_facts

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="memory and bytes read are counted in Linux's /proc"
)

RECORDS, SAMPLES, BATCHES, BATCH = 800_000, 1000, 1000, 64
LABELS = ["NORM", "MI", "STTC", "CD", "HYP"]
WITH_ALL, WITH_LIMB = RECORDS // 2, RECORDS // 4  # so many recordings have twelve leads, so many six, and the rest lead I
TWELVE_AT_THE_END = np.arange(12)[:, None] + np.arange(SAMPLES)  # microvolt, of the last recording with twelve leads

CHILD = """
import json, sys, time, warnings
import numpy as np
import selfdana_lite as sd

def status():  # MB
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return {name: int(lines[name].split()[0]) / 1e3 for name in ("VmRSS", "VmHWM", "RssAnon")}

def bytes_read():
    return int(dict(line.split(":") for line in open("/proc/self/io"))["rchar"])

warnings.simplefilter("ignore", sd.FlatLeadWarning)  # zeros, as far as the eye can see
path, batches, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
before, rng, found = status(), np.random.default_rng(0), {}

def timed(name, do):
    start, read = time.perf_counter(), bytes_read()
    result = do()
    found[name] = {"seconds": time.perf_counter() - start, "bytes": bytes_read() - read}
    return result

def draw(read, dataset):
    return [None for _ in range(batches) if read(rng.integers(0, len(dataset), size)) is None]

ds = timed("open", lambda: sd.EcgDataset.open(path))
found["repr"] = timed("repr_s", lambda: repr(ds))
full = timed("where", lambda: ds.where(folds=range(1, 10)).where(has="12-lead"))
timed("1-lead", lambda: draw(lambda rows: full.batch(rows, "I"), full))
timed("12-lead", lambda: draw(full.batch, full))
rows = rng.integers(0, len(ds), size)
found["pieces"] = int(ds.present[rows].sum())
timed("gaps", lambda: ds.batch_with_gaps(rows))
found["last"] = (ds.where(has="V6").batch([-1 + int(sys.argv[4])]) * 1000)[0].round().tolist()
after = status()
found["grown_mb"] = {"peak": after["VmHWM"] - before["VmRSS"], "anonymous": after["RssAnon"] - before["RssAnon"]}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    signals = np.lib.format.open_memmap(folder / SIGNALS_FILE, "w+", np.int16, (12, RECORDS, SAMPLES))
    signals[:, WITH_ALL - 1] = TWELVE_AT_THE_END
    del signals
    if os.stat(folder / SIGNALS_FILE).st_blocks * 512 > 100e6:
        (folder / SIGNALS_FILE).unlink()
        pytest.skip("this file system has no sparse files")
    present = np.ones((12, RECORDS), bool)
    present[6:, WITH_ALL:], present[1:, WITH_ALL + WITH_LIMB :] = False, False
    np.save(folder / PRESENT_FILE, present)
    row = np.arange(RECORDS)
    table = pd.DataFrame({"record_id": [f"HR{n:06d}" for n in row], "patient_id": row // 3, "fold": row // 3 % 10 + 1})
    table[LABELS] = np.random.default_rng(0).integers(0, 2, (RECORDS, len(LABELS)))
    table.to_csv(folder / TABLE_FILE, index=False)
    facts = {"leads": LEADS, "sampling_rate_hz": 100, "label_names": LABELS, "source": "zeros", "licence": "none"}
    facts = dataset_facts(records=RECORDS, samples=SAMPLES, mixed_leads=True, **facts)
    (folder / FACTS_FILE).write_text(json.dumps(facts))
    yield folder
    (folder / SIGNALS_FILE).unlink()


@pytest.fixture(scope="module")
def found(large):
    """What a fresh process measured."""
    command = [sys.executable, "-c", CHILD, str(large), str(BATCHES), str(BATCH), str(WITH_ALL)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(json.dumps({name: value for name, value in found.items() if name != "last"}, indent=1))  # shown by pytest -rP
    return found


def test_memory_stays_flat(found):
    """Peak, shared pages included: with a memory map the very same draws grow it by more than 6 GB."""
    assert found["grown_mb"]["peak"] < 500
    assert found["grown_mb"]["anonymous"] < 500


def test_one_lead_is_a_twelfth_of_the_reading(found):
    one, twelve = found["1-lead"]["bytes"], found["12-lead"]["bytes"]
    asked = 2 * SAMPLES * BATCH * BATCHES  # int16
    assert asked <= one < 1.01 * asked
    assert 12 * asked <= twelve < 1.01 * 12 * asked
    assert twelve > 5 * one


def test_of_mixed_recordings_only_the_leads_that_are_there_are_read(found):
    assert BATCH < found["pieces"] < 12 * BATCH
    assert 2 * SAMPLES * found["pieces"] <= found["gaps"]["bytes"] < 2 * SAMPLES * found["pieces"] + 10_000


def test_the_far_end_of_the_file_is_where_it_should_be(found):
    """Its last lead lies beyond 17 GB: an offset of 32 bits would land elsewhere."""
    np.testing.assert_array_equal(found["last"], TWELVE_AT_THE_END)


def test_opening_and_filtering_take_seconds(found):
    assert found["open"]["seconds"] < 20  # one or two, on a machine with nothing else to do
    assert found["where"]["seconds"] < 20
    assert found["repr"].startswith("EcgDataset(800000 recordings of 266667 patients, 12 leads, of which 1 to 12 a recording")
    assert found["repr_s"]["seconds"] < 20
