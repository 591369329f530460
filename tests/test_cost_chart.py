"""The cost chart shows the table's own numbers, divides by the baseline asked for, and says what was not measured."""

import numpy as np
import pandas as pd
import pytest
from small import small_dataset

import selfdana_lite as sd
from selfdana_lite.dataset import write_dataset
from selfdana_lite.explore import CostChart, cost_figure, describe_costs
from selfdana_lite.explore.cost_chart import COSTS
from selfdana_lite.meter import measure_row

SETS = ("12-lead", "2-lead", "1-lead")


@pytest.fixture
def table():
    """Two models at three lead sets: ours costs in proportion to the leads, the rival always the same."""
    rows = [
        {"model": model, "lead_set": name, "n_leads": len(sd.LEAD_SETS[name]), "peak_cpu_mb": cost(len(sd.LEAD_SETS[name]))}
        for model, cost in (("mix+zero-pad", lambda n: 240.0), ("lead-attention", lambda n: 20.0 * n))
        for name in SETS
    ]
    return pd.DataFrame(rows).assign(peak_gpu_mb=np.nan, tensor_mb=5.0)


def test_a_line_has_each_model_s_own_numbers(table):
    rival, ours = cost_figure(table).data
    assert (rival.name, ours.name) == ("mix+zero-pad", "lead-attention")
    assert list(ours.x) == [1, 2, 12]
    assert list(ours.y) == [20, 40, 240]
    assert list(rival.y) == [240, 240, 240]
    assert rival.line.color != ours.line.color
    assert rival.marker.symbol != ours.marker.symbol  # not by colour alone


def test_a_ratio_is_taken_at_the_same_leads(table):
    shuffled = table.sample(frac=1, random_state=0)
    lines = {line.name: line for line in cost_figure(shuffled, baseline="mix+zero-pad").data}
    np.testing.assert_allclose(lines["lead-attention"].y, [1 / 12, 1 / 6, 1])
    np.testing.assert_allclose(lines["mix+zero-pad"].y, 1)
    assert "lead-attention 1 with 12-lead, 0.0833 with 1-lead" in describe_costs(shuffled, baseline="mix+zero-pad")


def test_the_words_say_the_cost_and_its_unit(table):
    said = "Peak CPU memory of training, MB: mix+zero-pad 240 with 12-lead, 240 with 1-lead; lead-attention 240"
    assert describe_costs(table).startswith(said)


def test_what_was_not_measured_is_said(table):
    assert describe_costs(table, "peak_gpu_mb").endswith("not measured, for want of a GPU.")
    figure = cost_figure(table, "peak_gpu_mb")
    assert [note.text for note in figure.layout.annotations] == ["not measured"]
    assert len(cost_figure(table).layout.annotations) == 0


@pytest.mark.parametrize(
    ("cost", "baseline", "words"),
    [
        ("price", None, "No cost 'price' here; choose of peak_cpu_mb, peak_gpu_mb, tensor_mb"),
        ("epoch_cpu_s", None, "No cost 'epoch_cpu_s' here"),
        ("tensor_mb", "ours", "No model 'ours' in the table; it has mix.zero-pad, lead-attention"),
    ],
)
def test_what_is_not_in_the_table_is_refused(table, cost, baseline, words):
    with pytest.raises(ValueError, match=words):
        cost_figure(table, cost, baseline)
    with pytest.raises(ValueError, match=words):
        describe_costs(table, cost, baseline)


def test_both_controls_change_the_figure_and_the_words(table):
    chart = CostChart(table)
    chart.baseline.value = "mix+zero-pad"
    assert "divided by mix+zero-pad's" in chart.figure.text
    chart.cost.value = "tensor_mb"
    assert chart.figure.text == describe_costs(table, "tensor_mb", "mix+zero-pad")
    chart.baseline.value = ""
    assert chart.figure.figure["layout"]["title"]["text"] == COSTS["tensor_mb"]
    assert describe_costs(table, "tensor_mb") in chart.static_html()
    assert set(dict(chart.cost.options).values()) == {"peak_cpu_mb", "peak_gpu_mb", "tensor_mb"}


def test_an_error_stands_beside_the_controls(table):
    chart = CostChart(table)
    chart.table = table.drop(columns="tensor_mb")
    with pytest.raises(ValueError, match="No cost 'tensor_mb'"):
        chart.cost.value = "tensor_mb"
    assert 'role="alert"' in chart.error.value


def test_it_reads_what_the_meter_writes(tmp_path):
    few = small_dataset(folds=[9], records=8)
    facts = {name: getattr(few, name) for name in ("leads", "sampling_rate_hz", "label_names", "source")}
    write_dataset(tmp_path / "few", few.signals, few.table, **facts, licence="")
    job = {"model": "lead-attention", "kind": "lead-attention", "phase": "fine-tune", "device": "cpu", "repeats": 1}
    measured = pd.DataFrame([measure_row(job | {"lead_set": "1-lead", "precision": "float32", "dataset": tmp_path / "few"})])
    assert all(COSTS[cost] in describe_costs(measured, cost) for cost in COSTS)
    assert "not measured" in describe_costs(measured, "epoch_gpu_s")
    assert np.isfinite(cost_figure(measured, "gflop_per_recording").data[0].y).all()
