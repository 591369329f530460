"""The meter is held against costs known beforehand; then models and rivals are put under it."""

import json
import math
import mmap
import time

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from selfdana_lite import meter, resources
from selfdana_lite.dataset import EcgDataset, write_dataset
from selfdana_lite.encoders import build_encoder
from selfdana_lite.leads import LEADS, LeadError
from selfdana_lite.meter import COSTS, PeakMemory, TwelveSlots, count_work, measure_part, measure_row, training_step
from selfdana_lite.resources import BASELINES, MeasurementError, add_ratios, measure_resources

CPU = torch.device("cpu")
KINDS = {"mix+zero-pad": "zero-pad", "mix+sliced": "zero-pad-sliced", "lean-mix+zero-pad": "zero-pad-lean"}


@pytest.fixture(scope="module")
def folder(samples_path, tmp_path_factory):
    """Two batches of recordings, in a folder that jobs can name."""
    few, folder = EcgDataset.open(samples_path).where(rows=range(80)), tmp_path_factory.mktemp("few") / "dataset"
    facts = {name: getattr(few, name) for name in ("leads", "sampling_rate_hz", "label_names", "source")}
    write_dataset(folder, few.signals, few.table, **facts, licence="")
    return folder


@pytest.fixture(scope="module")
def dataset(folder):
    return EcgDataset.open(folder)


@pytest.fixture(scope="module")
def table(dataset):
    """Four fresh processes, each with one lead."""
    return measure_resources(dataset, lead_sets=["1-lead"], device="cpu", repeats=2, progress=False).set_index("model")


@pytest.fixture
def job(folder):
    """A measurement that can also be done in this process."""

    def make(model="lead-attention", lead_set="1-lead", phase="fine-tune", repeats=2):
        kind = KINDS.get(model, "lead-attention")
        names = {"model": model, "kind": kind, "lead_set": lead_set, "phase": phase, "precision": "float32"}
        return names | {"device": "cpu", "repeats": repeats, "dataset": str(folder)}

    return make


def hold(megabytes, seconds=0.05):
    """Take memory straight from the system, touch every page, and give it back after a while."""
    with mmap.mmap(-1, megabytes * 10**6) as block:
        block[:: mmap.PAGESIZE] = b"\1" * math.ceil(len(block) / mmap.PAGESIZE)
        time.sleep(seconds)


def burn(cpu_seconds):
    begin = time.thread_time()
    while time.thread_time() - begin < cpu_seconds:
        pass


# The meter, against costs known beforehand


@pytest.mark.parametrize("megabytes", [20, 100])
def test_memory_held_for_a_moment_is_seen_after_it_was_given_back(megabytes):
    with PeakMemory() as memory:
        hold(megabytes)
        assert memory.take_mb() == pytest.approx(megabytes, abs=3)
        assert memory.take_mb() < 5  # what was given back is not counted again


def test_each_part_has_a_peak_of_its_own():
    with PeakMemory() as memory:
        parts = [measure_part(lambda rows: hold(len(rows)), [np.arange(size)], memory, CPU) for size in (60, 20)]
    assert [part["peak_cpu_mb"] for part in parts] == pytest.approx([60, 20], abs=3)


def test_working_and_waiting_are_told_apart():
    batches = [np.arange(3), np.arange(2)]
    with PeakMemory() as memory:
        waiting = measure_part(lambda rows: time.sleep(0.1), batches, memory, CPU)
        working = measure_part(lambda rows: burn(0.1), batches, memory, CPU)
    assert waiting["recordings"] == working["recordings"] == 5
    assert waiting["epoch_cpu_s"] < 0.1
    assert 0.2 <= working["epoch_cpu_s"] < 0.3
    assert waiting["epoch_wall_s"] >= 0.2
    assert working["epoch_wall_s"] >= 0.2


@pytest.mark.parametrize("repeats", [1, 3, 99])
def test_parts_are_scaled_to_the_whole_epoch(job, dataset, monkeypatch, repeats):
    def burn_a_millisecond_a_recording(rows):
        burn(len(rows) / 1000)
        return torch.ones((), requires_grad=True).exp().item()

    monkeypatch.setattr(meter, "training_step", lambda *_: (nn.Identity(), burn_a_millisecond_a_recording))
    monkeypatch.setattr(meter.EcgDataset, "open", lambda path: dataset.where(rows=range(70)))
    row = measure_row(job(repeats=repeats))
    assert row["epoch_cpu_s"] == pytest.approx(0.07, rel=0.3)
    assert row["epoch_cpu_s_spread"] < 0.05
    assert row["epoch_cpu_s_spread"] > 0 or repeats == 1


def test_tensors_that_share_memory_are_counted_once():
    weights = torch.randn(250_000, requires_grad=True)  # 1 MB

    def step(rows):
        y = weights.exp()  # exp keeps its result ...
        (y * y.view(500, 500).flatten()).sum().backward()  # ... and a product keeps both factors: here all the same memory

    assert count_work(step, np.arange(4)) == {"tensor_mb": 1.0, "gflop_per_recording": 0.0}


def test_operations_of_a_matrix_product_are_counted():
    a, b = torch.randn(100, 50, requires_grad=True), torch.randn(50, 20)
    work = count_work(lambda rows: (a @ b).sum().backward(), np.arange(4))
    assert work["gflop_per_recording"] == 2 * (2 * 100 * 50 * 20) / 4 / 1e9  # forward, and backward to a alone


# Models and rivals under the meter


@pytest.mark.parametrize("phase", resources.PHASES)
@pytest.mark.parametrize("model", [*BASELINES, "lead-attention"])
def test_what_is_measured_is_training(job, dataset, model, phase):
    torch.manual_seed(0)
    _, step = training_step(job(model, "2-lead", phase), dataset, CPU)
    losses = [step(np.arange(8)) for _ in range(10)]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_twelve_slots_write_zeros_for_what_is_absent():
    encoder, signals_mv = build_encoder().eval(), torch.randn(2, 12, 200)
    slots = TwelveSlots(encoder)
    assert torch.equal(slots(signals_mv, LEADS), encoder(signals_mv, LEADS))
    zeros = torch.zeros_like(signals_mv)
    zeros[:, [1, 7]] = signals_mv[:, :2]
    assert torch.equal(slots(signals_mv[:, :2], ("II", "V2")), encoder(zeros, LEADS))


@pytest.mark.parametrize("phase", resources.PHASES)
def test_only_a_per_lead_encoder_without_zeros_gets_cheaper(job, dataset, phase):
    def work(model, lead_set):
        return count_work(training_step(job(model, lead_set, phase), dataset, CPU)[1], np.arange(16))

    few, many = work("lead-attention", "1-lead"), work("lead-attention", "12-lead")
    assert few["tensor_mb"] < many["tensor_mb"] / 2
    assert few["gflop_per_recording"] < many["gflop_per_recording"]
    for padded in ("mix+zero-pad", "per-lead+zero-pad", "lean-mix+zero-pad"):
        assert work(padded, "1-lead") == pytest.approx(work(padded, "12-lead"), rel=1e-3)


def test_zeros_cost_exactly_their_multiplications(job, dataset):
    zeros, sliced = (training_step(job(model), dataset, CPU) for model in ("mix+zero-pad", "mix+sliced"))
    mix = zeros[0].join_leads.mix
    outputs = math.ceil(dataset.n_samples / mix.stride[1])
    absent = 2 * 11 * mix.out_channels * mix.kernel_size[1] * outputs  # multiply and add, eleven leads, forward
    saved = [count_work(step, np.arange(8))["gflop_per_recording"] for _, step in (zeros, sliced)]
    assert (saved[0] - saved[1]) * 1e9 == pytest.approx(2 * absent)  # and backward to the kernel; signals need no gradient


def test_time_of_the_zero_padded_network_is_flat_in_leads(job):
    one, twelve = (measure_row(job("mix+zero-pad", name))["epoch_cpu_s"] for name in ("1-lead", "12-lead"))
    assert 0.5 < one / twelve < 2


def test_pretraining_is_measured_too(job):
    row = measure_row(job(phase="pretrain"))
    assert row["epoch_cpu_s"] > 0
    assert row["tensor_mb"] > 0


# The table


def test_every_model_has_its_row_and_every_cost_its_spread(table):
    assert list(table.index) == [*BASELINES, "lead-attention"]
    for cost in ("peak_cpu_mb", "epoch_cpu_s", "epoch_wall_s"):
        assert (table[cost] > 0).all()
        assert (table[f"{cost}_spread"] >= 0).all()
    assert table.filter(like="gpu").isna().all(axis=None)  # costs, spreads and ratios
    assert not table.drop(columns=[name for name in table if "gpu" in name]).isna().any(axis=None)


def test_bytes_follow_the_leads_read_and_the_slots_filled(table, dataset):
    assert (table["bytes_read"] == 2 * table["n_leads"] * dataset.n_samples).all()
    slots = table["input_bytes"] / (4 * dataset.n_samples)
    padded = {"mix+zero-pad": 12, "per-lead+zero-pad": 12, "lean-mix+zero-pad": 12}
    assert slots.to_dict() == padded | {"mix+sliced": 1, "lead-attention": 1}


def test_the_same_network_needs_less_memory_and_time_without_the_zeros(table):
    ours, padded = table.loc["lead-attention"], table.loc["per-lead+zero-pad"]
    assert ours["parameters"] == padded["parameters"]
    assert ours["peak_cpu_mb"] < padded["peak_cpu_mb"]
    assert ours["epoch_cpu_s"] < padded["epoch_cpu_s"]


def test_ratios_are_quotients_at_the_same_leads():
    rows = [{"model": m, "lead_set": s, **dict.fromkeys(COSTS, 2.0 * i + j)} for i, m in enumerate([*BASELINES, "ours"], 1)
            for j, s in enumerate(["12-lead", "1-lead"])]  # fmt: skip
    ratios = add_ratios(pd.DataFrame(rows)).set_index(["model", "lead_set"])
    for cost in ("cpu_mb", "gpu_mb", "cpu_s", "gpu_s", "wall_s"):
        assert ratios[f"{cost}_vs_mix_zero_pad"].tolist() == [
            2 / 2,
            3 / 3,
            4 / 2,
            5 / 3,
            6 / 2,
            7 / 3,
            8 / 2,
            9 / 3,
            10 / 2,
            11 / 3,
        ]
        assert ratios.loc[("ours", "12-lead"), f"{cost}_vs_mix_sliced"] == 10 / 4
        assert ratios.loc[("ours", "1-lead"), f"{cost}_vs_per_lead_zero_pad"] == 11 / 7
        assert ratios.loc[("ours", "1-lead"), f"{cost}_vs_lean_mix_zero_pad"] == 11 / 9


def test_measured_ratios_agree_with_their_columns(table):
    for name, column in (("cpu_mb", "peak_cpu_mb"), ("cpu_s", "epoch_cpu_s"), ("wall_s", "epoch_wall_s")):
        assert (table[f"{name}_vs_mix_zero_pad"] == table[column] / table.loc["mix+zero-pad", column]).all()


# Faults


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"encoder": "zero-pad"}, "Unknown encoder 'zero-pad'; choose of dap,"),
        ({"phase": "train"}, "Unknown phase 'train'; choose of fine-tune, pretrain"),
        ({"lead_sets": ["1-lead", "5-lead"]}, "Unknown lead set '5-lead'"),
        ({"precision": "float16"}, "Unknown precision 'float16'"),
        ({"repeats": 0}, "repeats is 0"),
    ],
)
def test_unknown_wishes_are_refused_before_anything_is_measured(dataset, monkeypatch, wrong, message):
    monkeypatch.setattr(resources, "_in_fresh_process", lambda job: pytest.fail("measured"))
    with pytest.raises(ValueError, match=message):
        measure_resources(dataset, **wrong)


def test_a_dataset_without_twelve_leads_is_refused(dataset):
    stored = np.zeros((2, len(dataset), 1000), np.int16)
    limbs = EcgDataset(stored, dataset.table, ("I", "II"), 100, dataset.label_names)
    with pytest.raises(LeadError, match="this dataset lacks III, aVR"):
        measure_resources(limbs)


def test_a_process_that_fails_says_why(job):
    with pytest.raises(MeasurementError, match=r"^Measuring lead-attention with 1-lead failed, exit status 1: .*No dataset at"):
        resources._in_fresh_process(job() | {"dataset": "nowhere"})


def test_a_process_that_vanishes_is_missed(job, monkeypatch):
    monkeypatch.setattr(resources, "_CHILD", "import os; os._exit(9)")
    with pytest.raises(MeasurementError, match="exit status 9: it left no message; was memory short"):
        resources._in_fresh_process(job())


# The command line


def test_a_row_survives_the_way_between_processes(job, monkeypatch, capsys):
    monkeypatch.setattr(meter.sys, "stdin", type("Stdin", (), {"read": lambda self: json.dumps(job())})())
    monkeypatch.setattr(meter, "measure_row", lambda job: {"model": job["model"], "epoch_gpu_s": math.nan})
    meter.answer()
    row = json.loads(capsys.readouterr().out)
    assert row["model"] == "lead-attention"
    assert math.isnan(row["epoch_gpu_s"])
