"""A training that is killed at any moment, also while it saves, ends with the same bytes when it is gone on with.

A slice of `python tests/kill_training.py FOLDER`, which kills thirty times.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")
KILLS = 9


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    one_core = os.environ | {"OMP_NUM_THREADS": "1"}  # threads do not survive a fork
    subprocess.run([sys.executable, HERE / "kill_training.py", folder, str(KILLS)], check=True, env=one_core)
    return json.loads((folder / "results.json").read_text())["kills"]


def test_every_kill_hit_a_training_that_was_running(kills):
    assert len(kills) == KILLS
    assert all(kill["killed"] for kill in kills)


def test_kills_hit_training_and_saving(kills):
    assert {kill["function"] for kill in kills} >= {None, "write_tensors"}
    assert any(kill["unfinished"] for kill in kills), "none hit a file half way"
    assert len({kill["epochs"] for kill in kills}) >= 3


def test_the_same_bytes_come_out_whenever_it_was_killed(kills):
    assert [kill for kill in kills if not (kill["went_on"] and kill["same"])] == []
