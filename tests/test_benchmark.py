"""The benchmark's book-keeping on made-up results, and a whole run on a few recordings."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from small import on_batch, small_dataset, stop_by_hand

from selfdana_lite import benchmark
from selfdana_lite.benchmark import MODELS, STAGES, gap_to_rivals, main, tables, verdicts, wanted_runs
from selfdana_lite.dataset import write_dataset
from selfdana_lite.downstream import linear_probe
from selfdana_lite.fine_tuning import FineTuneConfig
from selfdana_lite.leads import LEAD_SETS, LEADS
from selfdana_lite.pretraining import pretrain

KINDS = ("lead-attention", "dap", "zero-pad", "zero-pad-lean")
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
RECORDINGS = 120  # to train on, in `cheap`


def made_up(seeds=(0, 1)) -> pd.DataFrame:
    """Every run: 0.5 + a hundredth a lead + a tenth where pre-trained + a thousandth of the model's number and the seed."""
    rows = []
    for model, stage, seed in wanted_runs(max(seeds) + 1):
        for head in ("one for any leads", "one a set")[: 1 if stage == "supervised" else 2]:
            for lead_set, leads in LEAD_SETS.items():
                gain = 0.1 * (stage == "self-supervised") + 0.001 * (len(model) % 7) + 0.02 * seed
                facts = {"model": model, "stage": stage, "seed": seed, "parameters": 240_000, "training_s": 100 + 10 * seed}
                facts |= {"epochs": 1, "recordings": RECORDINGS}
                rows.append(facts | {"head": head, "lead_set": lead_set, "macro_auroc": 0.5 + 0.01 * len(leads) + gain})
    return pd.DataFrame(rows)


def test_each_run_is_wanted_once_and_kinds_share_their_controls():
    runs = wanted_runs(seeds=3)
    assert len(runs) == len(set(runs)) == 3 * (len(MODELS) + 2 * len(KINDS))
    assert {model for model, stage, _ in runs if stage == "self-supervised"} == set(MODELS)
    for stage in ("untrained", "supervised"):
        assert {model for model, of, _ in runs if of == stage} == set(KINDS)
    seeds = [seed for *_, seed in runs]
    assert seeds == sorted(seeds), "a whole seed first, so that an early look compares like with like"


def cells(text: str) -> dict[tuple[str, str], list[str]]:
    """(title, model) -> the cells of its row."""
    rows, title = {}, ""
    for line in text.splitlines():
        title = line if line.startswith("**") else title
        if line.startswith("| ") and not line.startswith(("| model", "| ---")):
            name, *values = (cell.strip() for cell in line.strip("|").split("|"))
            rows[title, name] = values
    return rows


def test_tables_hold_mean_and_deviation_over_seeds_in_the_order_of_the_lead_sets():
    results = made_up()
    text = tables(results.sample(frac=1, random_state=0))  # whatever the order of the runs
    assert f"| model | {' | '.join(LEAD_SETS)} |" in text
    found = cells(text)
    for (model, stage, head), rows in results.groupby(["model", "stage", "head"]):
        title = f"**{stage.capitalize()}**, {'' if stage == 'supervised' else 'linear '}head: {head}"
        by_set = rows.groupby("lead_set")["macro_auroc"]
        expected = [f"{by_set.mean()[name]:.3f} ± {by_set.std()[name]:.3f}" for name in LEAD_SETS]
        assert found[title, model] == expected
    assert list(dict.fromkeys(title.split("*")[2] for title, _ in found)) == ["Supervised", "Self-supervised", "Untrained"]
    assert "dap, RLS 240,000; " in text
    width = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert width == {len(LEAD_SETS) + 2}, "a ragged table"


def test_one_seed_has_no_deviation():
    text = tables(made_up(seeds=(0,)))
    assert "nan" not in text
    assert "±" not in text


def test_the_gap_to_each_rival_is_taken_seed_by_seed():
    results = made_up()
    ours = (results["model"] == "lead-attention, RLS") & (results["seed"] == 1)
    results.loc[ours, "macro_auroc"] += 0.03
    gaps = gap_to_rivals(results)
    assert set(gaps["stage"]) == {"self-supervised"}, "elsewhere the two are not told apart by their pre-training"
    assert set(gaps["rival"]) == {name for name in MODELS if name.startswith("zero-pad")}
    for rival, gap in gaps.groupby("rival"):
        same = 0.001 * (len("lead-attention, RLS") % 7 - len(rival) % 7)
        assert gap.query("seed == 0")["macro_auroc"].to_numpy() == pytest.approx(np.full(12, same))
        assert gap.query("seed == 1")["macro_auroc"].to_numpy() == pytest.approx(np.full(12, same + 0.03))
    assert gap_to_rivals(results[~results["model"].str.startswith("lead-attention")]).empty


def test_a_verdict_needs_every_seed():
    results = made_up()
    ours = (results["model"] == "lead-attention, RLS") & (results["head"] == "one a set")
    results.loc[ours & (results["lead_set"] == "1-lead"), "macro_auroc"] += 0.05
    results.loc[ours & (results["lead_set"] == "2-lead"), "macro_auroc"] -= 0.05
    split = ours & (results["lead_set"] == "3-lead")
    results.loc[split, "macro_auroc"] += np.where(results.loc[split, "seed"] == 0, 0.05, -0.05)
    (text,) = [text for text in verdicts(results) if "Beside zero-pad, RLM, head one a set" in text]
    ahead, behind = text.split(";")
    assert "1-lead" in ahead
    assert "2-lead" in behind
    assert "3-lead" not in text
    assert verdicts(results[results["model"] == "dap"]) == [], "no rival, no verdict"


@pytest.fixture
def cheap(tmp_path, monkeypatch):
    """Two models, two lead sets, one epoch, short recordings: what main() needs, in a second or two."""
    train, test = small_dataset([1, 2, 3], RECORDINGS, 128), small_dataset([9], 40, 128)
    signals, table = np.concatenate([train.signals, test.signals]), pd.concat([train.table, test.table])
    facts = {"leads": LEADS, "sampling_rate_hz": 100, "label_names": train.label_names, "source": "test", "licence": "CC0"}
    write_dataset(tmp_path / "archive", signals, table, **facts)
    monkeypatch.setattr(benchmark, "MODELS", {name: MODELS[name] for name in ("lead-attention, RLS", "zero-pad, RLS as zeros")})
    monkeypatch.setattr(benchmark, "LEAD_SETS", {name: LEAD_SETS[name] for name in ("2-lead", "1-lead")})
    monkeypatch.setattr(benchmark, "linear_probe", functools.partial(linear_probe, draws=2))
    monkeypatch.setattr(benchmark, "FROM_SCRATCH", FineTuneConfig(epochs=1))
    (tmp_path / "README.md").write_text(f"# Kit\n{BEGIN}\n{END}\n")
    arguments = ["archive", "results.csv", "--seeds", "1", "--epochs", "1", "--readme", "README.md"]
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng(devices=[]):
        yield arguments, tmp_path


def test_an_interrupted_benchmark_goes_on_and_ends_as_if_it_had_never_stopped(cheap, monkeypatch, capsys):
    arguments, folder = cheap
    run, done = benchmark.run, []

    def interrupted(model, stage, *rest):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append((model, stage))
        return run(model, stage, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(benchmark, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            main(arguments)
    saved = pd.read_csv(folder / "results.csv")
    assert list(dict.fromkeys(zip(saved["model"], saved["stage"], strict=True))) == done
    assert (folder / "README.md").read_text() == f"# Kit\n{BEGIN}\n{END}\n", "tables before all is measured"

    capsys.readouterr()
    main(arguments)
    printed = capsys.readouterr().out
    assert not any(f"{model}, {stage}, seed" in printed for model, stage in done), "measured twice"
    results = pd.read_csv(folder / "results.csv")
    assert results.iloc[: len(saved)].equals(saved)
    assert set(results["stage"]) == set(STAGES)
    assert len(results) == 2 * (4 + 4 + 2)  # two models: two heads untrained and pre-trained, one supervised; two lead sets
    assert (results["low"] <= results["macro_auroc"]).all()
    assert (results["macro_auroc"] <= results["high"]).all()
    readme = (folder / "README.md").read_text()
    assert "fold 9 (40 recordings), 1 seeds" in readme
    assert "`python -m selfdana_lite.benchmark ARCHIVE RESULTS.csv --seeds 1 --epochs 1 --readme README.md`" in readme
    assert tables(results) in readme
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "archive", "results.csv"]

    with pytest.raises(SystemExit):
        main([*arguments, "--epochs", "2"])
    assert "results.csv was made with epochs 1, not 2" in capsys.readouterr().err

    (folder / "results.csv").unlink()
    main(arguments)
    numbers = ["model", "stage", "seed", "parameters", "head", "lead_set", "macro_auroc", "low", "high"]
    assert pd.read_csv(folder / "results.csv")[numbers].equals(results[numbers])


def test_stopped_by_hand_in_the_middle_of_training_nothing_half_trained_is_counted(cheap, monkeypatch):
    arguments, folder = cheap
    monkeypatch.setattr(benchmark, "pretrain", lambda encoder, data, c: pretrain(encoder, on_batch(data, 1, stop_by_hand), c))
    with pytest.warns(UserWarning, match="Stopped by hand"), pytest.raises(KeyboardInterrupt, match="after 0 of 1 epochs"):
        main(arguments)
    assert not (folder / "results.csv").exists()


def test_a_full_disk_leaves_the_results_of_the_runs_before(cheap, monkeypatch):
    arguments, folder = cheap
    results = made_up(seeds=(0,)).query("model == 'zero-pad'")
    results.to_csv(folder / "results.csv", index=False)
    before = (folder / "results.csv").read_bytes()

    def half_written(table, path, **_):
        path.write_text("model,stage")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(benchmark, "run", lambda *_: results)
    monkeypatch.setattr(pd.DataFrame, "to_csv", half_written)
    with pytest.raises(OSError, match="No space left"):
        main(arguments)
    assert (folder / "results.csv").read_bytes() == before
