"""What is counted: the meter's own numbers, flat for zeros, a straight line in the leads for a per-lead encoder."""

import numpy as np
import pytest
import torch
from small import in_memory, small_dataset

import selfdana_lite as sd
from selfdana_lite.counted_costs import COUNTED
from selfdana_lite.meter import count_work, training_step


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[9], records=16)


@pytest.fixture(scope="module")
def counts(recordings):
    return sd.count_costs(recordings, lead_sets=("12-lead", "6-lead", "3-lead", "1-lead"), batch_size=8)


def of(counts, model, cost):
    return counts[counts["model"] == model].set_index("n_leads")[cost]


def test_each_row_is_what_the_meter_counts(counts, recordings):
    job = {"model": "mix+sliced", "kind": "zero-pad-sliced", "lead_set": "3-lead", "phase": "fine-tune", "precision": "float32"}
    work = count_work(training_step(job, recordings, torch.device("cpu"))[1], np.arange(8))
    row = counts[(counts["model"] == "mix+sliced") & (counts["n_leads"] == 3)].iloc[0]
    assert {cost: row[cost] for cost in COUNTED} == pytest.approx(work, rel=1e-6)
    assert len(counts) == 5 * 4


@pytest.mark.parametrize("cost", COUNTED)
def test_zeros_cost_as_much_as_leads(counts, cost):
    for model in ("mix+zero-pad", "per-lead+zero-pad", "lean-mix+zero-pad"):
        assert of(counts, model, cost).to_numpy() == pytest.approx(of(counts, model, cost)[12], rel=1e-3)


@pytest.mark.parametrize("cost", COUNTED)
def test_ours_is_a_straight_line_over_the_leads(counts, cost):
    ours = of(counts, "lead-attention", cost)
    each = (ours[12] - ours[1]) / 11
    assert each > 0
    assert ours[[3, 6]].to_numpy() == pytest.approx([ours[1] + 2 * each, ours[1] + 5 * each], rel=0.05)


def test_ours_with_all_leads_is_ours_with_zeros(counts):
    for cost in COUNTED:
        assert of(counts, "lead-attention", cost)[12] == pytest.approx(of(counts, "per-lead+zero-pad", cost)[12], rel=1e-3)


def test_slicing_saves_only_in_the_first_convolution(counts):
    saved = of(counts, "mix+zero-pad", "gflop_per_recording") - of(counts, "mix+sliced", "gflop_per_recording")
    assert saved[12] == pytest.approx(0, abs=1e-9)
    assert np.all(np.diff(saved[[12, 6, 3, 1]]) > 0)
    samples, channels, kernel = 256, 64, 15
    forward = 2 * 11 * channels * kernel * samples / 2 / 1e9  # multiply and add, eleven leads, stride 2
    assert saved[1] == pytest.approx(2 * forward, rel=0.01)  # and once more for the kernel's gradient: signals need none


def test_nobody_else_s_draws_change(recordings):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    sd.count_costs(recordings, lead_sets=["1-lead"], batch_size=4)
    assert torch.rand(1) == expected


def test_what_measuring_refuses_is_refused(recordings):
    with pytest.raises(ValueError, match="Unknown encoder 'zero-pad'; choose of"):
        sd.count_costs(recordings, "zero-pad")
    with pytest.raises(ValueError, match="Unknown phase 'nap'; choose of fine-tune, pretrain"):
        sd.count_costs(recordings, phase="nap")
    with pytest.raises(ValueError, match="Unknown lead set '5-lead'"):
        sd.count_costs(recordings, lead_sets=["5-lead"])
    with pytest.raises(sd.LeadError, match="this dataset lacks III, aVR"):
        sd.count_costs(few_leads(recordings))


def few_leads(recordings):
    return in_memory(recordings.signals[:, :2], recordings.table, recordings.leads[:2], recordings.label_names)
