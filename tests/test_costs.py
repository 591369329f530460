"""The costs in a README: what the encoder saves beside each baseline, the tables and the picture."""

import numpy as np
import pandas as pd
import pytest

import selfdana_lite as sd
from selfdana_lite import costs
from selfdana_lite.costs import TITLES, draw, main, markdown, savings
from selfdana_lite.resources import BASELINES

LINEAR = {"mix+zero-pad": (10, 0), "mix+sliced": (8, 0.1), "per-lead+zero-pad": (13, 0), "lean-mix+zero-pad": (4, 0)}


def made_up(gpu: bool = False) -> pd.DataFrame:
    """Costs on straight lines over the leads: ours 1 + a unit a lead."""
    rows = []
    for model, (fixed, per_lead) in (LINEAR | {"lead-attention": (1, 1)}).items():
        for lead_set, leads in sd.LEAD_SETS.items():
            cost = fixed + per_lead * len(leads)
            row = {"model": model, "lead_set": lead_set, "n_leads": len(leads)} | dict.fromkeys(TITLES, cost)
            rows.append(row | {f"{name}_spread": 0.5 for name in TITLES})
    table = pd.DataFrame(rows)
    return table if gpu else table.assign(peak_gpu_mb=np.nan, epoch_gpu_s=np.nan)


def test_savings_are_ratios_less_one_whichever_way_they_fall():
    lines = savings(made_up()).splitlines()
    assert len(lines) == 2 + 2 * len(BASELINES), "two costs were measured"
    mix, lean = (next(line for line in lines if f"| {model} |" in line) for model in ("mix+zero-pad", "lean-mix+zero-pad"))
    assert mix.split(" | ")[2:5] == ["-80%", "-58%", "+30%"]  # 2 / 10; the mean of 7, 5, 4, 3 and 2 tenths; 13 / 10
    assert lean.split(" | ")[2:5] == ["-50%", "+5%", "+225%"], "dearer than the lean mixing network, and said so"
    assert "up to 69.3 % less" in mix
    assert len(savings(made_up(gpu=True)).splitlines()) == 2 + 4 * len(BASELINES)


def test_every_model_has_its_row_in_the_order_measured():
    text = markdown(made_up())
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[2:7] == [*LINEAR, "lead-attention"]
    assert "| 13 (0.5) | 7 (0.5) | 5 (0.5) | 4 (0.5) | 3 (0.5) | 2 (0.5) |" in text
    assert "**Peak GPU memory of training, MB**: not measured, for want of a GPU." in text


def test_the_picture_names_every_model(tmp_path):
    draw(made_up(), tmp_path / "made" / "costs.svg")
    picture = (tmp_path / "made/costs.svg").read_text()
    assert picture.count("<!-- lead-attention -->") == 1
    assert all(f"<!-- {model} -->" in picture for model in BASELINES)


def test_the_script_writes_tables_picture_and_section(tmp_path, monkeypatch, samples_path, capsys):
    asked = []
    monkeypatch.setattr(
        costs, "measure_resources", lambda dataset, *what: asked.append((set(dataset.folds), *what)) or made_up()
    )
    readme, results, picture = (tmp_path / name for name in ("README.md", "costs.csv", "costs.svg"))
    readme.write_text("Before\n<!-- pretraining-costs:begin -->\nof last year\n<!-- pretraining-costs:end -->\nAfter\n")
    arguments = [
        str(samples_path),
        "--folds",
        "1",
        "2",
        "--phase",
        "pretrain",
        "--results",
        str(results),
        "--readme",
        str(readme),
    ]
    main([*arguments, "--picture", str(picture)])
    assert asked == [({1, 2}, "lead-attention", "pretrain")]
    text = readme.read_text()
    assert text.startswith("Before\n<!-- pretraining-costs:begin -->\nTraining (pretrain) on ")
    assert text.endswith("<!-- pretraining-costs:end -->\nAfter\n")
    assert "of last year" not in text
    assert "`python -m selfdana_lite.costs ARCHIVE --folds 1 2 --phase pretrain`" in text
    assert text.split("begin -->\n")[1].split("\n<!--")[0] in capsys.readouterr().out
    assert len(pd.read_csv(results)) == 30
    assert picture.exists()
    with pytest.raises(SystemExit):
        main(arguments)
    assert "exists already; choose another place" in capsys.readouterr().err
