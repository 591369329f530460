"""The shipped encoder is what its card says, and the card is written from measurements."""

import hashlib
import re
from dataclasses import asdict

import pandas as pd
import pytest
import torch
from small import small_dataset

import selfdana_lite as sd
from selfdana_lite import model_card
from selfdana_lite.checkpoint import SHIPPED_ENCODER
from selfdana_lite.fine_tuning import fine_tune
from selfdana_lite.leads import LEAD_SETS


def test_the_shipped_encoder_is_small_and_takes_any_leads():
    encoder = sd.load_encoder()
    assert (SHIPPED_ENCODER / "model.safetensors").stat().st_size < 2_000_000
    assert sum(parameter.numel() for parameter in encoder.parameters()) < 1_000_000
    assert asdict(encoder.config) == asdict(sd.EncoderConfig())
    assert not encoder.training
    for leads in LEAD_SETS.values():
        assert encoder(torch.randn(2, len(leads), 1000), leads).shape == (2, encoder.embedding_size)


def test_the_card_names_the_weights_that_are_shipped():
    card = (SHIPPED_ENCODER / "README.md").read_text()
    assert hashlib.sha256((SHIPPED_ENCODER / "model.safetensors").read_bytes()).hexdigest() in card
    for said in ("not for diagnosis", "CC BY 4.0", "PTB-XL", "Untrained", "python -m selfdana_lite.train"):
        assert said in card


def test_a_card_is_written_from_what_is_measured(tmp_path, monkeypatch):
    torch.manual_seed(0)
    encoder = sd.build_encoder("dap")
    sd.save_encoder(encoder, tmp_path / "mine")
    history = pd.DataFrame(
        {"epoch": range(1, 8), "learning_rate": [0.001, 0.004, 0.003, 0.002, 0.001, 0.0005, 0], "seconds": 15.0}
    )
    history.to_csv(tmp_path / "mine" / "history.csv", index=False)
    dataset = small_dataset(list(range(1, 10)), records=500)
    monkeypatch.setattr(sd.EcgDataset, "open", lambda path: dataset)
    monkeypatch.setattr(model_card, "LEAD_SETS", {"2-lead": ("I", "II")})
    for name in ("FROM_SCRATCH", "TUNED", "ONE_SET", "TAUGHT"):
        monkeypatch.setattr(model_card, name, sd.FineTuneConfig(epochs=1))
    asked = []
    monkeypatch.setattr(
        model_card, "fine_tune", lambda *args, **kwargs: asked.append((args, kwargs)) or fine_tune(*args, **kwargs)
    )
    model_card.write_card(tmp_path / "mine", "archive")

    card = (tmp_path / "mine" / "README.md").read_text()
    train, test = dataset.where(folds=range(1, 9)), dataset.where(folds=9)
    assert f"{len(train)} recordings of {len(set(train.patient_ids))} patients" in card
    expected = sd.evaluate(sd.linear_probe(sd.load_encoder(tmp_path / "mine"), train, "I, II"), test, "I, II")
    row = re.search(r"\| pre-trained, a head a set \| (\S+) \[(\S+), (\S+)\] \|", card)
    assert [float(number) for number in row.groups()] == pytest.approx([expected.macro_auroc, *expected.interval], abs=6e-4)
    assert "--epochs 7`" in card
    assert "learning rates up to 0.004; 1.8 minutes" in card
    for way in ("pre-trained and fine-tuned", "from scratch", "pre-trained and taught", "from scratch and taught"):
        assert len(re.findall(rf"\| {way} \| 0\.\d+ \[", card)) == 1
        assert len(re.findall(rf"\| {way}, 10% of the labels \| 0\.\d+ ± 0\.\d+ \|", card)) == 1
    assert card.count("| untrained, ") == card.count(", a network a set |") == 2
    words = f"about {len(sd.few_labels(train, 0.1))} recordings, mean ± standard deviation over 3 draws"
    assert words in " ".join(card.split())
    taught = [(args[1], kwargs["teacher"]) for args, kwargs in asked if "teacher" in kwargs]
    assert [len(dataset) for dataset, _ in taught] == [len(train)] * 8, "all signals, whatever the share of the labels"
    assert {teacher.leads for _, teacher in taught} == {sd.LEADS}
    started = [type(args[0]) for args, kwargs in asked if args[2:] == (sd.LEADS,)]
    assert sorted(kind.__name__ for kind in started) == ["Classifier"] * 4 + ["Encoder"] * 4, (
        "half of the teachers are controls"
    )
    assert len({id(teacher) for _, teacher in taught}) == 8
    costs = sd.count_costs(train, "dap", lead_sets=["2-lead"], batch_size=64).set_index("model").loc["dap"]
    assert f"| dap | {costs.tensor_mb:.1f} MB, {1000 * costs.gflop_per_recording:.0f} MFLOP |" in card


def test_the_shipped_encoder_scores_on_real_recordings_what_its_card_says(real_archive):
    """And more than the quick probes that came before the kit: .862 .841 .846 .846 .841 .803, a head a set."""
    dataset = sd.EcgDataset.open(real_archive)
    train, test, encoder = dataset.where(folds=range(1, 9)), dataset.where(folds=9), sd.load_encoder()
    row = re.search(r"\| pre-trained, a head a set \|(.*)\|", (SHIPPED_ENCODER / "README.md").read_text()).group(1)
    said = [float(cell.split()[0]) for cell in row.split("|")]
    assert all(score > probe for score, probe in zip(said, (0.862, 0.841, 0.846, 0.846, 0.841, 0.803), strict=True))
    for lead_set in ("2-lead", "1-lead"):
        scores = sd.evaluate(sd.linear_probe(encoder, train, lead_set), test, lead_set, bootstrap=0)
        assert scores.macro_auroc == pytest.approx(said[list(LEAD_SETS).index(lead_set)], abs=0.005)
