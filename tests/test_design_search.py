"""The search over designs: each is built as it says, and the front holds what no other design beats."""

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import small_dataset

import selfdana_lite as sd
from selfdana_lite import design_search
from selfdana_lite.dataset import write_dataset
from selfdana_lite.design_search import DEFAULT, DESIGNS, MIXING, build, counted_costs, held_out_auroc, main, table, unbeaten
from selfdana_lite.downstream import linear_probe


def test_the_default_design_is_the_default_encoder():
    torch.manual_seed(0)
    of_design, of_kit = build(DEFAULT).state_dict(), sd.build_encoder().state_dict()
    assert {name: values.shape for name, values in of_design.items()} == {name: v.shape for name, v in of_kit.items()}


@pytest.mark.parametrize("name", [*DESIGNS, *MIXING])
def test_every_design_takes_any_leads_in_any_order(name):
    torch.manual_seed(0)
    encoder = build(name).eval()
    signals = torch.randn(2, 3, 320, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        embedding = encoder(signals, "I, V2, V6")
        assert embedding.shape == (2, encoder.embedding_size)
        torch.testing.assert_close(encoder(signals.flip(1), "V6, V2, I"), embedding)


def test_a_design_has_the_frames_and_norms_that_it_says():
    frames = {name: build(name).frames(torch.zeros(2, 1, 1280), torch.zeros(2, 1, dtype=torch.int64)).shape for name in DESIGNS}
    for name, design in DESIGNS.items():
        assert frames[name][2] == 1280 // int(np.prod(design.strides))
        norms = [module for module in build(name).join_leads.stem if isinstance(module, torch.nn.BatchNorm2d)]
        assert len(norms) == (len(design.widths) if design.norms == "all" else 1)


def test_costs_are_those_of_a_step_and_those_of_mixing_stay_when_leads_go():
    dataset = small_dataset([1, 2], 100, 320)
    for name in (DEFAULT, "zero-pad-lean"):
        one, twelve = (np.array(list(counted_costs(build(name), dataset, s).values())) for s in ("1-lead", "12-lead"))
        assert (one > 0).all()
        if name == DEFAULT:
            assert (one < 0.7 * twelve).all()
        else:
            np.testing.assert_allclose(one, twelve, rtol=1e-3)


def test_the_score_is_of_folds_that_the_probe_did_not_see(monkeypatch):
    seen = []

    def probe(encoder, dataset, leads):
        seen.append(set(dataset.folds))
        return dataset

    def asked(trained_on, dataset, leads, bootstrap):
        assert set(dataset.folds) == set(range(1, 9)) - set(trained_on.folds)
        return sd.Scores(0.5 + 0.1 * len(seen), (0, 0), {}, {}, 1, 1)

    monkeypatch.setattr(design_search, "linear_probe", probe)
    monkeypatch.setattr(design_search, "evaluate", asked)
    assert held_out_auroc(None, small_dataset(range(1, 9), 64, 64), ("I",)) == pytest.approx(0.5 + 0.25)
    assert len(seen) == 4
    assert set.intersection(*seen) == set(), "every fold is held out once"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9))
def test_the_front_is_what_no_other_row_beats(rows):
    points = pd.DataFrame(rows, columns=["cost", "score"])
    beaten = {
        i
        for i, j in itertools.permutations(range(len(rows)), 2)
        if rows[j][0] <= rows[i][0] and rows[j][1] >= rows[i][1] and rows[j] != rows[i]
    }
    assert set(np.flatnonzero(~unbeaten(points["cost"], points["score"]))) == beaten


def test_a_search_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    data = small_dataset(range(1, 9), 96, 128)
    facts = {"leads": data.leads, "sampling_rate_hz": 100, "label_names": data.label_names, "source": "test", "licence": "CC0"}
    write_dataset(tmp_path / "archive", data.signals, data.table, **facts)
    monkeypatch.setattr(design_search, "DESIGNS", {name: DESIGNS[name] for name in (DEFAULT, "layer of 64")})
    monkeypatch.setattr(design_search, "MIXING", ())
    monkeypatch.setattr(design_search, "LEAD_SETS", {name: sd.LEAD_SETS[name] for name in ("12-lead", "1-lead")})
    monkeypatch.setattr(design_search, "linear_probe", functools.partial(linear_probe, seed=0))
    path = tmp_path / "designs.csv"
    arguments = [str(tmp_path / "archive"), str(path), "--epochs", "1"]
    main(arguments)
    results = pd.read_csv(path)
    assert results["design"].tolist() == [DEFAULT, "layer of 64"]
    assert results["1-lead"].between(0, 1).all()
    results[:1].to_csv(path, index=False)
    capsys.readouterr()
    main(arguments)
    assert capsys.readouterr().out.startswith("layer of 64\n")
    pd.testing.assert_frame_equal(pd.read_csv(path), results, atol=1e-6)
    with pytest.raises(SystemExit):
        main([*arguments[:2], "--epochs", "2"])


def test_the_table_says_who_is_unbeaten_at_which_count_of_leads():
    facts = {
        "parameters": [1000, 2000, 3000],
        "tensor_mb, 12-lead": [50.0, 20.0, 90.0],
        "tensor_mb, 1-lead": [10.0, 20.0, 30.0],
    }
    facts |= {f"gflop_per_recording, {name}": [0.06, 0.05, 0.1] for name in ("12-lead", "1-lead")}
    results = pd.DataFrame({"design": ["default", "zero-pad-lean", "wider stem"], **facts})
    results = results.assign(**{name: [0.85, 0.84, 0.85] for name in sd.LEAD_SETS})
    default, lean, wider = (line.split(" | ") for line in table(results).splitlines()[2:])
    assert default[1:4] == ["1,000", "50 / 10", "60 / 60"]
    assert [row[-1] for row in (default, lean, wider)] == ["12 and 1 |", "12 |", " |"]
