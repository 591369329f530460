"""Signals that stay on the device are the same signals; a GPU is played by the CPU here."""

import numpy as np
import pytest
import torch
from small import differing, in_memory, seeded_encoder, small_dataset, weights

from selfdana_lite import resident
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.pretraining import PretrainConfig, pretrain
from selfdana_lite.resident import batch_reader, fits

CPU = torch.device("cpu")


@pytest.fixture
def mixed():
    """Forty recordings, of which some have no chest leads."""
    few = small_dataset(folds=[1, 2], records=40)
    signals, present = few.signals.copy(), np.ones((40, 12), dtype=bool)
    present[::3, 6:] = False
    signals[~present] = 0
    return EcgDataset(signals.transpose(1, 0, 2), few.table, few.leads, 100, few.label_names, present=present.T)


def counted(dataset) -> list[int]:
    """The numbers of recordings that are read from the dataset at once, from now on."""
    read, whole = [], dataset.batch_with_gaps
    dataset.batch_with_gaps = lambda rows: (read.append(len(rows)), whole(rows))[1]
    return read


@pytest.mark.parametrize("chunk", [7, 40, 1024])
def test_what_stays_is_what_is_read_each_time_gaps_included(mixed, monkeypatch, chunk):
    from_disk = batch_reader(mixed, CPU)
    monkeypatch.setattr(resident, "_CHUNK_RECORDINGS", chunk)
    monkeypatch.setattr(resident, "fits", lambda n_bytes, device: n_bytes == 40 * 12 * 256 * 4)
    read = counted(mixed)
    from_memory = batch_reader(mixed, CPU)
    for rows in ([0], [39, 3, 3, 0], np.arange(40)[::-1].copy()):
        for one, other in zip(from_memory(np.array(rows)), from_disk(np.array(rows)), strict=True):
            assert one.equal(other) or ((one.isnan() == other.isnan()).all() and one.nan_to_num().equal(other.nan_to_num()))
    before_asking = -(-40 // chunk)
    assert sum(read[:before_asking]) == 40


def test_training_on_signals_that_stay_is_the_same_and_reads_each_recording_once(mixed, monkeypatch):
    config = PretrainConfig(epochs=3, batch_size=16, precision="float32")
    usual, resident_one = seeded_encoder(), seeded_encoder()
    losses = pretrain(usual, mixed, config, progress=False)["loss"].tolist()
    monkeypatch.setattr(resident, "fits", lambda *_: True)
    read = counted(mixed)
    assert pretrain(resident_one, mixed, config, progress=False)["loss"].tolist() == losses
    assert differing(weights(usual), weights(resident_one)) == set()
    assert sum(read) == 40


def test_each_process_reads_its_own_rows_and_knows_of_all_which_leads_they_have(mixed, monkeypatch):
    rows = np.array([0, 1, 2, 3, 5])
    whole, present = batch_reader(mixed, CPU)(rows)
    monkeypatch.setattr(resident, "own_part", lambda n_rows: slice(2, 4))
    read = counted(mixed)
    part, its_present = batch_reader(mixed, CPU)(rows)
    assert read == [2]
    assert its_present.equal(present)
    assert part[2:4].nan_to_num().equal(whole[2:4].nan_to_num())
    assert not part[[0, 1, 4]].any()


def test_a_gpu_keeps_what_is_less_than_half_of_its_free_memory_and_the_cpu_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    gpu = torch.device("cuda", 0)
    assert [fits(n_bytes, gpu) for n_bytes in (0, 499, 500, 4000)] == [True, True, False, False]
    assert not fits(1, CPU)


def test_leads_in_another_order_and_fewer_of_them_land_where_they_belong(monkeypatch):
    few = small_dataset(folds=[1], records=6)
    turned = in_memory(few.signals[:, [7, 0]], few.table, ("V2", "I"), few.label_names)
    monkeypatch.setattr(resident, "own_part", lambda n_rows: slice(0, 3))
    signals_mv, present = batch_reader(turned, CPU)(np.arange(6))
    assert present[:, [0, 7]].all()
    assert present.sum() == 12
    assert signals_mv[:3, [7, 0]].equal(turned.batch([0, 1, 2]))
