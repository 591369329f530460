"""The roofline: every recording is trained on once, all of the time is shared out, and the table says what was measured."""

import pandas as pd
import pytest
import torch
from small import small_dataset
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from selfdana_lite import roofline
from selfdana_lite.dataset import write_dataset
from selfdana_lite.loop import adamw
from selfdana_lite.roofline import PARTS, PRECISIONS, REST, copy_gb_per_s, main, matmul_gflops, measure, time_shares
from selfdana_lite.train_config import TrainConfig


def profiled(work):
    work()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        work()
    return time_shares(found)


@pytest.mark.parametrize(
    ("layer", "shape", "part"),
    [
        (nn.Conv1d(32, 64, 9), (64, 32, 500), "convolutions"),
        (nn.BatchNorm1d(64), (64, 64, 500), "batch norm"),
        (nn.Linear(512, 512, bias=False), (2048, 512), "matrix products"),
        (nn.ReLU(), (64, 64, 500), REST),
    ],
)
def test_the_time_of_a_layer_is_counted_as_its_part(layer, shape, part):
    signals = torch.randn(shape)
    shares = profiled(lambda: layer(signals))
    assert set(shares) == {*PARTS, REST}
    assert sum(shares.values()) == pytest.approx(1)
    assert max(shares, key=shares.get) == part


def test_the_limits_are_those_of_a_machine_and_a_larger_product_is_no_faster_than_the_best():
    assert 1 < copy_gb_per_s(megabytes=64) < 10_000
    small, large = matmul_gflops("float32", 8), matmul_gflops("float32", 512)
    assert 0 < small < large < 100_000, "a tiny product is mostly the calling of it"


def test_the_operations_of_the_convolution_are_counted_right(monkeypatch):
    with FlopCounterMode(display=False) as counted:
        monkeypatch.setattr(roofline, "_least_seconds", lambda work: work() is None or 1.0)
        billions = roofline.convolution_gflops("float32", channels=8, frames=20, records=3)
    assert billions == pytest.approx(counted.get_total_flops() / 1e9)


def test_the_optimisers_time_is_its_own_and_that_of_all_it_calls():
    weights = nn.Linear(1000, 1000)
    weights(torch.randn(2, 1000)).sum().backward()
    shares = profiled(adamw(weights, TrainConfig()).step)
    assert shares[roofline.OPTIMISER] > 0.9


def test_an_epoch_sees_every_recording_once_and_reaches_less_than_the_limit(monkeypatch):
    dataset, seen = small_dataset([1, 2], 100, 320), []
    draw_views = roofline.draw_views
    monkeypatch.setattr(roofline, "draw_views", lambda signals, *rest: seen.append(len(signals)) or draw_views(signals, *rest))
    threads = torch.get_num_threads()
    found = measure(dataset, "float32")
    assert sum(seen) == 3 * len(dataset), "counted, timed and profiled"
    assert torch.get_num_threads() == threads
    assert 0 < found["reached_gflops"] < found["limit_gflops"]
    assert sum(found[part] for part in (*PARTS, REST)) == pytest.approx(1)
    assert 0 < found["convolutions"] < 1


def test_the_readme_has_what_was_measured(tmp_path, monkeypatch, capsys):
    data = small_dataset([1, 2], 96, 128)
    facts = {"leads": data.leads, "sampling_rate_hz": 100, "label_names": data.label_names, "source": "test", "licence": "CC0"}
    write_dataset(tmp_path / "archive", data.signals, data.table, **facts)
    (tmp_path / "README.md").write_text("<!-- roofline:begin --><!-- roofline:end -->")
    made_up = {"limit_gflops": 99.6, "reached_gflops": 31.2, "recordings_per_s": 1234.4, "convolutions": 0.5}
    made_up |= dict.fromkeys([*list(PARTS)[1:], REST], 0.125)
    asked = []
    monkeypatch.setattr(roofline, "measure", lambda dataset, precision: asked.append((len(dataset), precision)) or made_up)
    main([str(tmp_path / "archive"), "--recordings", "40", "--readme", str(tmp_path / "README.md")])
    assert asked == [(40, precision) for precision in PRECISIONS]
    rows = [line.strip("| ").split(" | ") for line in (tmp_path / "README.md").read_text().splitlines() if line.startswith("|")]
    table = pd.DataFrame(rows[2:], columns=rows[0]).set_index("of one core")
    assert table["float32"].tolist() == ["100", "31", "1234", "50%", *["12%"] * 4]
    assert "40 recordings in batches of 64" in capsys.readouterr().out
