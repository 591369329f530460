"""Two processes on this machine do together what one does alone, and end together."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import differing, small_dataset, weights
from torch import nn
from train_together import CASES, pretrained

from selfdana_lite import many_devices
from selfdana_lite.checkpoint import load_encoder, read_tensors
from selfdana_lite.dataset import write_dataset
from selfdana_lite.many_devices import average_gradients, from_first, gather, own_part, shared_batch_norm

HERE = Path(__file__).resolve().parent
# Of losses, relative. Sums over 8 + 8 rows are rounded otherwise than over 16, in the seventh digit; Adam, which divides by
# the size of a gradient, makes more of it from step to step. bfloat16 rounds in the third digit.
FIRST_EPOCH, LATER = {"bfloat16": 0.01}, {"bfloat16": 0.02}
pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of torch knows no other processes")


def torchrun(*arguments) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *map(str, arguments)]


@pytest.fixture(scope="module")
def surroundings():
    """Loopback alone; torchrun's own warnings go to its stderr, which nobody reads."""
    return os.environ | {"GLOO_SOCKET_IFNAME": loopback(), "OMP_NUM_THREADS": "1", "PYTHONPATH": path_with(HERE)}


def loopback() -> str:
    return next(name for name, addresses in psutil.net_if_addrs().items() if any(a.address == "127.0.0.1" for a in addresses))


def path_with(folder: Path) -> str:
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(scope="module")
def together(tmp_path_factory, surroundings):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("together")
    subprocess.run(torchrun(HERE / "train_together.py", folder), env=surroundings, check=True, timeout=600)
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """The name of a training, and what one process makes of it."""
    return request.param, pretrained(**CASES[request.param])


def test_two_processes_give_the_loss_curve_of_one(together, case):
    name, (alone, its_weights) = case
    history, found = together[0]["runs"][name]
    assert history["loss"][0] == pytest.approx(alone["loss"][0], rel=FIRST_EPOCH.get(name, 1e-5))
    for curve in ("loss", "validation_loss"):
        assert history[curve] == pytest.approx(alone[curve], rel=LATER.get(name, 1e-3))
    assert history["epoch"] == alone["epoch"]
    assert history["learning_rate"] == alone["learning_rate"]
    if name != "bfloat16":
        assert max((found[key].float() - its_weights[key].float()).abs().max().item() for key in found) < 0.01


def test_with_batch_norms_apart_the_curve_is_another(together):
    """So that the tolerance above is known to tell."""
    alone, _ = pretrained()
    apart, _ = together[0]["runs"]["batch norm apart"]
    assert abs(apart["loss"][0] / alone["loss"][0] - 1) > 100 * 1e-5


def test_all_processes_have_the_same_weights_and_the_same_history(together):
    first, second = (one["runs"] for one in together)
    for name in CASES:
        assert first[name][0] == second[name][0], "seconds too: one process tells them"
        assert differing(first[name][1], second[name][1]) == set()


def test_each_process_reads_its_own_rows_alone(together):
    read = [one["read"] for one in together]
    assert sum(map(sum, read)) == 3 * 47
    assert all(abs(one - other) <= 1 for one, other in zip(*read, strict=True))


def test_layers_of_all_processes_are_torchs_own_over_all_rows(together):
    for one in together:
        assert {name: gap for name, gap in one["layers"].items() if gap > 1e-6} == {}


# In one process


@given(st.integers(1, 12), st.integers(0, 500))
def test_the_parts_of_a_batch_are_all_of_it_and_nearly_equal(processes, more):
    n_rows, parts = processes + more, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many_devices, "processes", lambda: processes)
        for rank in range(processes):
            patch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
            parts.append(np.arange(n_rows)[own_part(n_rows)])
    assert np.concatenate(parts).tolist() == list(range(n_rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert min(map(len, parts)) >= 1


def test_a_batch_that_is_too_small_for_all_is_refused(monkeypatch):
    monkeypatch.setattr(many_devices, "processes", lambda: 4)
    with pytest.raises(ValueError, match=r"batch of 3 recordings for 4 processes.*raise batch_size, or start fewer"):
        own_part(3)


def test_alone_nothing_is_done():
    rows, model = torch.randn(3, 2), nn.BatchNorm1d(2)
    assert gather(rows) is rows
    assert own_part(5) == slice(0, 5)
    assert from_first(lambda: rows) is rows
    with shared_batch_norm(model):
        assert "forward" not in vars(model)
        model(rows).sum().backward()
    before = model.bias.grad.clone()
    average_gradients(model)
    assert model.bias.grad.equal(before)


# The command, and its end


@pytest.fixture
def recordings(tmp_path):
    few = small_dataset([1, 2], 48)
    facts = {"leads": few.leads, "sampling_rate_hz": 100, "label_names": few.label_names, "source": "test", "licence": "CC0"}
    write_dataset(tmp_path / "recordings", few.signals, few.table, **facts)
    return tmp_path / "recordings"


def test_a_killed_process_ends_the_job_and_the_same_command_goes_on_exactly(recordings, surroundings, together, tmp_path):
    checkpoint = tmp_path / "encoder.checkpoint.safetensors"
    command = torchrun("-m", "selfdana_lite.train", recordings, tmp_path / "encoder", "--epochs", 12, "--batch-size", 16)
    job = psutil.Popen(command, env=surroundings, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for(lambda: len(job.children()) == 2, job)
    workers = job.children()
    wait_for(checkpoint.exists, job)
    next(one for one in workers if one.environ()["RANK"] == "1").kill()
    assert job.wait(timeout=120) != 0
    assert psutil.wait_procs(workers, timeout=30)[1] == [], "one lives on"
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("recordings", checkpoint.name)] == []
    assert 0 < len(json.loads(read_tensors(checkpoint)[1]["history"])) < 12

    done = subprocess.run(command, env=surroundings, check=True, capture_output=True, text=True, timeout=600)
    assert done.stdout == ""
    assert done.stderr.count("<?, ? recordings/s]") == 1, "each process begins a bar of its own"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["encoder", "recordings"]
    assert len(pd.read_csv(tmp_path / "encoder" / "history.csv")) == 12
    assert differing(weights(load_encoder(tmp_path / "encoder")), together[0]["command"]) == set()


def wait_for(condition, job):
    end = time.monotonic() + 600
    while not condition():
        assert job.poll() is None, "it ended by itself"
        assert time.monotonic() < end, "no epoch in ten minutes"
        time.sleep(0.02)
