"""The search for learning rates: the same for all kinds, and the defaults are what it found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import small_dataset

import selfdana_lite as sd
from selfdana_lite import design_search, downstream, tuning
from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.dataset import write_dataset
from selfdana_lite.pretraining import LEARNING_RATES, suited_learning_rate
from selfdana_lite.train_config import TrainConfig
from selfdana_lite.tuning import GRID, TRIED, best_rates, main, next_rate, table

RESULTS = pd.read_csv(TRIED)


def test_the_defaults_are_the_best_that_were_tried_and_their_neighbours_were_tried_too():
    assert best_rates(RESULTS) == LEARNING_RATES
    assert RESULTS["epochs"].nunique() == 1
    for kind, rate in LEARNING_RATES.items():
        assert {*GRID, rate / 2, rate, 2 * rate} <= set(RESULTS.loc[RESULTS["kind"] == kind, "learning_rate"])


@given(st.integers(-20, 20))
def test_the_search_climbs_to_the_top_of_a_hill_and_stops(top):
    def height(rate):
        return -abs(np.log2(rate / GRID[0]) - top)

    tried = {rate: height(rate) for rate in GRID}
    while rate := next_rate(tried):
        assert rate not in tried
        tried[rate] = height(rate)
    assert max(tried, key=tried.get) == GRID[0] * 2.0**top
    last = len(GRID) - 1
    assert len(tried) == len(GRID) + max(0, 1 - top, top - last + 1), "no more than it takes"


@pytest.mark.parametrize("kind", LEARNING_RATES)
def test_what_was_not_searched_has_the_loop_s_rate(kind):
    assert suited_learning_rate(sd.EncoderConfig(kind)) == LEARNING_RATES[kind]
    assert suited_learning_rate(sd.EncoderConfig(kind, backbone="conv-transformer")) == TrainConfig.learning_rate
    assert suited_learning_rate(sd.EncoderConfig(kind), "vicreg") == TrainConfig.learning_rate
    assert suited_learning_rate(sd.EncoderConfig("lead-max")) == TrainConfig.learning_rate


def test_the_table_has_the_best_of_each_kind_in_bold_type():
    rows = [("ours", 0.1, 0.8), ("ours", 0.2, 0.9), ("usual", 0.1, 0.7), ("usual", 0.2, 0.6)]
    results = pd.DataFrame([{"kind": k, "learning_rate": r} | dict.fromkeys(sd.LEAD_SETS, s) for k, r, s in rows])
    head, _, ours, usual = table(results).splitlines()
    assert head == "| kind | 0.1 | 0.2 |"
    assert ours == "| ours | 0.800 | **0.900** |"
    assert usual == "| usual | **0.700** | 0.600 |"


def test_a_search_trains_each_kind_with_its_own_augmentation_and_is_written(tmp_path, monkeypatch, capsys):
    data = small_dataset(range(1, 9), 96, 128)
    facts = {"leads": data.leads, "sampling_rate_hz": 100, "label_names": data.label_names, "source": "test", "licence": "CC0"}
    write_dataset(tmp_path / "archive", data.signals, data.table, **facts)
    monkeypatch.setattr(tuning, "LEARNING_RATES", dict.fromkeys(("dap", "zero-pad-lean")))
    monkeypatch.setattr(downstream, "HELD_OUT_PATIENTS", 1)  # one quarter chooses a probe's penalty: a fourth of the time
    trained, pretrain = [], design_search.pretrain

    def watched(encoder, dataset, config):
        trained.append((encoder.config.kind, type(config.lead_augmentation), config.learning_rate))
        return pretrain(encoder, dataset, config)

    monkeypatch.setattr(design_search, "pretrain", watched)
    (tmp_path / "README.md").write_text("<!-- tuning:begin --><!-- tuning:end -->")
    arguments = [str(tmp_path / name) for name in ("archive", "results.csv")] + ["--epochs", "1"]
    main([*arguments, "--readme", str(tmp_path / "README.md")])
    augmentations = {"dap": RandomLeadSelection, "zero-pad-lean": RandomLeadMasking}
    assert {(kind, augmentation) for kind, augmentation, _ in trained} == set(augmentations.items())
    assert len(trained) == len(set(trained)) >= 2 * 3
    results = pd.read_csv(tmp_path / "results.csv")
    assert results[list(sd.LEAD_SETS)].apply(lambda scores: scores.between(0, 1)).all(axis=None)
    assert table(results) in (tmp_path / "README.md").read_text()
    with pytest.raises(SystemExit):
        main([*arguments[:2], "--epochs", "2"])
    assert "was made with epochs 1, not 2" in capsys.readouterr().err
