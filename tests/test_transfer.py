"""What is learnt from simulated hearts alone, asked about real ones; and that the card tells the measured figures."""

import numpy as np
import pandas as pd
import pytest
import torch
from small import differing, seeded_encoder, small_dataset, weights

from selfdana_lite import transfer
from selfdana_lite.dataset import EcgDataset, write_dataset
from selfdana_lite.downstream import evaluate
from selfdana_lite.leads import LEAD_SETS, LEADS
from selfdana_lite.simulate import SAMPLE_SEED
from selfdana_lite.simulation import visit
from selfdana_lite.simulation.patients import LABEL_NAMES
from selfdana_lite.simulation.transfer_figures import TRANSFER_CSV, transfer_section
from selfdana_lite.transfer import TRAINED_ON, main, score_rows, simulated_dataset, simulator_version, train_on


@pytest.fixture(scope="module")
def figures():
    return pd.read_csv(TRANSFER_CSV)


@pytest.fixture
def own_torch_seed():
    with torch.random.fork_rng(devices=[]):
        yield


def test_half_a_minute_of_simulated_training_holds_on_real_hearts(real_archive, own_torch_seed):
    """A third of the recordings and half of the epochs behind the card's figures, one seed; chance is .5."""
    test = EcgDataset.open(real_archive).where(folds=[9])
    simulated = simulated_dataset(1800, seed=1)
    trained, untrained = (train_on(source, simulated, None, epochs=7, seed=1) for source in ("simulation", "nothing"))
    twelve, one = (evaluate(trained, test, LEAD_SETS[name], bootstrap=0) for name in ("12-lead", "1-lead"))
    assert twelve.macro_auroc >= 0.75
    assert min(twelve.per_class.values()) >= 0.65
    assert one.macro_auroc >= 0.65
    assert evaluate(untrained, test, LEADS, bootstrap=0).macro_auroc == pytest.approx(0.5, abs=0.15)


def test_the_committed_figures_say_how_they_were_made(figures):
    (command,) = figures["command"].unique()
    seeds, patients, epochs = sorted(figures["seed"].unique()), *figures[["simulated_patients", "epochs"]].iloc[0]
    assert command.startswith("python -m selfdana_lite.transfer ARCHIVE --results ")
    assert command.endswith(f" --patients {patients} --epochs {epochs} --seeds {len(seeds)}")
    assert len(seeds) >= 3
    assert SAMPLE_SEED not in seeds
    assert not figures.duplicated(["trained_on", "seed", "lead_set"]).any()
    assert len(figures) == len(TRAINED_ON) * len(seeds) * len(LEAD_SETS)
    assert set(figures["trained_on"]) == set(TRAINED_ON)
    assert (figures["test_recordings"] > 300).all()
    assert figures["macro_on_samples"].between(0.3, 1).all()
    np.testing.assert_allclose(figures["macro"], figures[list(LABEL_NAMES)].mean(axis=1), atol=1e-4)
    for name in ("macro", *LABEL_NAMES):
        assert figures[name].between(figures[f"{name}_low"], figures[f"{name}_high"]).all()


def test_the_committed_figures_are_those_of_this_simulator(figures):
    assert set(figures["simulator"]) == {simulator_version()}, "measure again: python -m selfdana_lite.transfer"


def test_the_committed_figures_reach_what_the_kit_promises_and_the_controls_do_not(figures):
    mean = figures.groupby(["trained_on", "lead_set"])["macro"].mean()
    assert mean["simulation", "12-lead"] >= 0.75
    for lead_set in LEAD_SETS:
        assert mean["simulation", lead_set] > mean["simulation, head alone", lead_set] > mean["nothing", lead_set]
    assert mean["nothing"].between(0.35, 0.65).all()


def test_the_card_quotes_the_committed_figures(figures, samples_path):
    card = (samples_path / "README.md").read_text(encoding="utf-8")
    assert transfer_section(figures) in card
    ours = figures[(figures["trained_on"] == "simulation") & (figures["lead_set"] == "1-lead")]
    assert f"{ours['macro'].mean():.3f} [{ours['macro_low'].mean():.3f}, {ours['macro_high'].mean():.3f}]" in card


def made_up():
    """Two seeds; every number names its row: 0.5 + a hundredth a lead + a tenth a source + a thousandth a seed."""
    rows = []
    for k, source in enumerate(TRAINED_ON):
        for seed in (1, 2):
            for lead_set, leads in LEAD_SETS.items():
                row = {"trained_on": source, "seed": seed, "lead_set": lead_set, "command": "python -m this"}
                row |= {"simulated_patients": 6, "simulated_recordings": 9, "epochs": 3}
                row |= {"test_recordings": 7, "test_patients": 5, "real_recordings": 8, "macro_on_samples": 0.9 + 0.01 * seed}
                for name in ("macro", *LABEL_NAMES):
                    value = 0.3 + 0.01 * len(leads) + 0.1 * k + 0.002 * seed
                    row |= {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}
                rows.append(row)
    return pd.DataFrame(rows)


def test_the_section_holds_means_over_seeds_in_the_order_of_the_lead_sets():
    text = transfer_section(made_up())
    cells = [f"{0.3 + 0.01 * len(leads) + 0.003:.3f} [{0.203 + 0.01 * len(leads):.3f}, {0.403 + 0.01 * len(leads):.3f}]"
             for leads in LEAD_SETS.values()]  # fmt: skip
    assert f"| simulation | {' | '.join(cells)} |" in text
    assert f"| 12-lead | {' | '.join([cells[0]] * 6)} |" in text
    assert f"| 1-lead | {' | '.join([cells[-1]] * 6)} |" in text
    assert f"| simulation, scored on this folder | {' | '.join(['0.915'] * 6)} |" in text
    assert "between 0.422 and 0.424" in text
    assert "`python -m this`" in text
    assert "nan" not in transfer_section(made_up().query("seed == 1"))


def test_the_samples_of_the_kit_stay_unseen_in_training():
    with pytest.raises(ValueError, match=f"Seed {SAMPLE_SEED} made the samples that come with the kit"):
        transfer.transfer(small_dataset([1, 9]), 4, 1, SAMPLE_SEED)
    few = simulated_dataset(8, 1)
    assert few.leads == LEADS
    assert few.label_names == LABEL_NAMES
    assert len(few) == 12


def test_every_control_starts_from_the_same_network(own_torch_seed):
    simulated, real = small_dataset([1, 2, 3]), small_dataset([9], 40)
    fresh = weights(seeded_encoder(3))
    learnt = {name for name in fresh if "running" not in name and "num_batches" not in name}
    for source in TRAINED_ON:
        clf = train_on(source, simulated, real, epochs=1, seed=3)
        changed = differing(fresh, weights(clf.encoder)) & learnt
        assert bool(changed) == (source in ("simulation", "real recordings")), source


def test_what_is_trained_on_simulation_never_meets_a_real_recording(own_torch_seed):
    for source in set(TRAINED_ON) - {"real recordings"}:
        train_on(source, small_dataset([1, 2, 3]), None, epochs=1, seed=0)


def test_scores_are_those_of_evaluate(own_torch_seed):
    data = small_dataset([9], 40)
    clf = train_on("nothing", data, None, epochs=1, seed=0)
    (row,) = score_rows(clf, data, ["2-lead"])
    scores = evaluate(clf, data, LEAD_SETS["2-lead"])
    assert (row["macro"], row["macro_low"], row["macro_high"]) == (scores.macro_auroc, *scores.interval)
    assert (row["MI"], row["MI_low"], row["MI_high"]) == (scores.per_class["MI"], *scores.per_class_interval["MI"])


def test_the_version_changes_with_the_simulator(monkeypatch):
    before = simulator_version()
    assert simulator_version() == before
    monkeypatch.setattr(visit, "draw_noise", lambda rng, electrodes, samples, *_: np.zeros((electrodes, samples)))
    assert simulator_version() != before


def test_the_command_line_writes_what_it_prints_and_overwrites_nothing(tmp_path, monkeypatch, capsys, own_torch_seed):
    train, test = small_dataset([1, 2, 3], 120, 128), small_dataset([9], 40, 128)
    facts = {"leads": LEADS, "sampling_rate_hz": 100, "label_names": LABEL_NAMES, "source": "test", "licence": "CC0"}
    signals, table = np.concatenate([train.signals, test.signals]), pd.concat([train.table, test.table])
    write_dataset(tmp_path / "archive", signals, table, **facts)
    monkeypatch.setattr(transfer, "simulated_dataset", lambda n_patients, seed: train)
    monkeypatch.setattr(transfer, "TRAINED_ON", ("simulation", "nothing"))
    arguments = [str(tmp_path / "archive"), "--results", str(tmp_path / "new.csv")]
    main([*arguments, "--patients", "80", "--epochs", "1", "--seeds", "2"])
    results = pd.read_csv(tmp_path / "new.csv")
    assert len(results) == 2 * 2 * len(LEAD_SETS)
    assert sorted(results["seed"].unique()) == [1, 2]
    assert set(results["command"]) == {
        "python -m selfdana_lite.transfer ARCHIVE --results RESULTS.csv --patients 80 --epochs 1 --seeds 2"
    }
    assert (results["test_recordings"] == 40).all()
    assert transfer_section(results) in capsys.readouterr().out

    before = (tmp_path / "new.csv").read_bytes()
    with pytest.raises(SystemExit):
        main(arguments)
    assert "new.csv exists already" in capsys.readouterr().err
    assert (tmp_path / "new.csv").read_bytes() == before
