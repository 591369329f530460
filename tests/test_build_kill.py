"""A build that is killed at any moment goes on from there and ends with the same bytes."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from small_archives import write_wfdb

from selfdana_lite import EcgDataset
from selfdana_lite.simulate import simulate_recordings

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")


def write_recordings(folder, signals_uv):
    folder.mkdir()
    for row, signal_uv in enumerate(signals_uv):
        write_wfdb(folder / f"r{row}", signal_uv / 1000, 100)


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    signals_uv = simulate_recordings(6)[0][:7]
    write_recordings(folder / "source", signals_uv)
    write_wfdb(folder / "source" / "r3", signals_uv[3, :, :500] / 1000, 100)  # too short: signals.npy is to have no hole
    write_wfdb(folder / "source" / "r4", signals_uv[4, :2] / 1000, 100, ("I", "II"))  # present.npy is needed
    subprocess.run([sys.executable, HERE / "kill_builds.py", folder], check=True)
    results = json.loads((folder / "results.json").read_text())
    print(results["lines"], *results["kills"], sep="\n")  # shown by pytest -s
    return results["kills"]


def test_every_kill_hit_a_build_that_was_running(kills):
    assert len(kills) == 20
    assert all(kill["killed"] for kill in kills)


def test_kills_hit_every_stage(kills):
    assert any(kill["blocks"] == 0 for kill in kills)
    assert any(0 < kill["blocks"] < 4 for kill in kills)
    assert any(kill["finishing"] for kill in kills)
    assert any(kill["done"] for kill in kills)  # killed between the move to its place and the tidying up
    assert len({kill["function"] for kill in kills}) >= 8


def test_the_same_bytes_come_out_whenever_it_was_killed(kills):
    assert [kill for kill in kills if not (kill["went_on"] and kill["same"])] == []


BUILD = """
import sys, time
from selfdana_lite.reading import read_recording
from selfdana_lite.build import build
from selfdana_lite.building import blocks, pool
import pandas as pd
blocks._BLOCK_RECORDINGS, pool._START_S = 2, -1.0  # other processes at once
blocks.read_recording = lambda path: time.sleep(0.05) or read_recording(path)  # slow enough to be killed half way
if __name__ == "__main__":
    build("source", sys.argv[1], labels=pd.read_csv("labels.csv"), workers=2, progress=False)
"""


def test_workers_end_with_their_parent_and_the_work_goes_on(tmp_path):
    signals_uv = np.tile(simulate_recordings(8)[0][:10], (20, 1, 1))
    write_recordings(tmp_path / "source", signals_uv)
    pd.DataFrame({"path": [f"r{row}.hea" for row in range(len(signals_uv))]}).to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "script.py").write_text(BUILD)
    parent = psutil.Popen([sys.executable, "script.py", "dataset"], cwd=tmp_path)
    journal = tmp_path / "dataset.partial" / "journal.jsonl"
    wait_for(lambda: len(parent.children(recursive=True)) > 2 and journal.read_bytes().count(b"\n") > 2)
    workers = parent.children(recursive=True)  # two, and what Python starts to tidy up after them
    parent.send_signal(signal.SIGKILL)
    assert parent.wait() == -signal.SIGKILL
    psutil.wait_procs(workers, timeout=60)
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    assert not (tmp_path / "dataset").exists()
    done = journal.read_bytes().count(b"\n")
    assert done < 100  # it was killed half way

    labels = pd.read_csv(tmp_path / "labels.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("selfdana_lite.building.blocks._BLOCK_RECORDINGS", 2)
        patch.chdir(tmp_path)
        dataset = EcgDataset.build("source", "dataset", labels=labels, workers=1, progress=False)
    np.testing.assert_array_equal(dataset.signals, signals_uv)


def wait_for(condition, patience_s: float = 120):
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, "It took too long."
        time.sleep(0.01)
