"""Lesson 11: its checks say what is wrong, it compares fairly, and what it claims of strategies and few labels holds."""

import math

import numpy as np
import pandas as pd
import pytest
from course import adapt_lab, lesson_11
from small import seeded_encoder, small_dataset

import selfdana_lite as sd
from selfdana_lite.fine_tuning import LEARNING_RATES, STRATEGIES
from selfdana_lite.leads import limb_lead_residual

CONTENDERS = ("full", "head alone", "from scratch", "untrained, head alone")
CLASSES = ("NORM", "MI", "STTC", "CD", "HYP")


@pytest.fixture(scope="module")
def recordings():
    return small_dataset([1, 2, 3], 120, 128)


@pytest.fixture(scope="module")
def clf(recordings):
    return sd.Classifier(seeded_encoder(), recordings.label_names, "any").eval()


def few_table() -> pd.DataFrame:
    """Scores of two draws at 1 % and one at 100 %, all different."""
    rows = []
    for share, draw, scores in (
        (0.01, 0, (0.70, 0.68, 0.55, 0.60)),
        (0.01, 1, (0.74, 0.70, 0.57, 0.63)),
        (1.0, 0, (0.85, 0.82, 0.80, 0.7)),
    ):
        for contender, score in zip(CONTENDERS, scores, strict=True):
            facts = {"contender": contender, "share": share, "draw": draw, "recordings": int(400 * share) + 10 + draw}
            rows.append(facts | {"macro_auroc": score} | dict.fromkeys(CLASSES, score))
    return pd.DataFrame(rows)


FEW = few_table()
TRIED = pd.DataFrame(
    {
        "contender": ["full", "full", "from scratch", "from scratch", "from scratch"],
        "learning_rate": [0.01, 0.02, 0.0003, 0.001, 0.003],
        "validation": [0.8, 0.81, 0.62, 0.70, 0.68],
        "test": [0.8, 0.79, 0.60, 0.66, 0.69],
    }
)


# The checks


def test_check_count(clf):
    encoder, head = dict(clf.encoder.named_parameters()), sum(p.numel() for p in clf.head.parameters())
    biases = sum(p.numel() for name, p in encoder.items() if name.endswith("bias"))
    tensors = sum(name.endswith("bias") for name in encoder)
    everything = sum(p.numel() for p in clf.parameters())
    said = {
        biases + head: f"Right: {biases:,} biases and {head:,} numbers of the head",
        None: "No answer yet",
        biases: "Not yet: these are the encoder's biases alone",
        biases + clf.head.bias.numel(): "Not yet: of the head only the biases are in",
        tensors: "Not yet: this counts tensors",
        tensors + 2: "Not yet: this counts tensors",
        everything: "Not yet: this is everything",
        everything - biases: "Not yet: these are the weights",
        head: "Not yet: this is the head alone",
        7: "Not yet: sum p.numel() over names",
        "many": "Not yet: one number is wanted",
    }
    for count, words in said.items():
        assert lesson_11.check_count(count, clf).startswith(words)


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.001, "Right: 0.001. Choosing by the test recordings would have shown 0.030 more"),
        (None, "No answer yet"),
        (0.003, "Not yet: this rate was chosen by the test recordings"),
        (0.0003, "Not yet: this rate has the lowest validation score"),
        (0.70, "Not yet: this is a score"),
        (0.02, "Not yet: this rate is another contender's"),
        (0.5, "Not yet: this is no rate that was tried"),
        ("0.001", "Not yet: one learning rate is wanted"),
    ],
)
def test_check_rate(rate, said):
    assert lesson_11.check_rate(rate, TRIED, "from scratch").startswith(said)


def test_the_rate_that_both_choose_is_right():
    both = TRIED.assign(test=TRIED["validation"])
    assert lesson_11.check_rate(0.001, both, "from scratch").startswith("Right: 0.001. Choosing by the test recordings would")


@pytest.mark.parametrize(
    ("worth", "said"),
    [
        (0.16, "Right: +0.160 of AUROC at 1% of the labels"),
        (None, "No answer yet"),
        (-0.16, "Not yet: the sign is turned round"),
        (0.05, "Not yet: this is the gain at 100%"),
        (0.13, "Not yet: this is the head alone less scratch"),
        (0.03, "Not yet: both of these are pre-trained"),
        (0.72, "Not yet: this is a score"),
        (0.22, "Not yet: this compares with chance"),
        (0.105, "Not yet: this is the mean over all shares"),
        (0.15, "Not yet: this is one draw alone"),
        (0.4, "Not yet: from few"),
        ([0.16], "Not yet: one number is wanted"),
    ],
)
def test_check_worth(worth, said):
    assert lesson_11.check_worth(worth, FEW, 0.01).startswith(said)


# What the lesson computes with


@pytest.mark.parametrize("backbone", ["conv", "conv-transformer"])
def test_the_counts_are_ordered_and_are_what_fine_tuning_moves(recordings, backbone):
    clf = sd.Classifier(seeded_encoder(backbone=backbone), recordings.label_names, "any")
    counts = lesson_11.trainable_table(clf).set_index("strategy")
    assert set(counts.index) == set(STRATEGIES)
    assert counts["parameters"].is_monotonic_increasing
    assert counts.index[0] == "linear"
    assert counts.index[-1] == "full"
    assert counts.loc["full", "share"] == 1
    config = sd.FineTuneConfig(epochs=1, batch_size=60)
    for strategy in STRATEGIES:
        tuned = sd.fine_tune(clf, recordings, "I", strategy, config, progress=False)
        assert sum(p.numel() for p in tuned.parameters() if p.requires_grad) == counts.loc[strategy, "parameters"]


@pytest.mark.parametrize(("records", "batch", "steps"), [(120, 40, 12), (30, 40, 12), (120, 50, 6)])
def test_every_contender_takes_the_same_number_of_steps(clf, recordings, monkeypatch, records, batch, steps):
    asked = []
    monkeypatch.setattr(sd, "fine_tune", lambda *options, **others: asked.append(options))
    lesson_11.adapt(clf, recordings.where(rows=range(records)), "full", 1e-3, steps, batch, seed=3)
    start, _, leads, strategy, config = asked[0]
    assert config.epochs * math.ceil(records / batch) == steps
    assert (start, leads, strategy, config.learning_rate, config.seed) == (clf, "any", "full", 1e-3, 3)


def test_poorer_electrodes_make_noise_and_break_no_law(samples_path):
    dataset = sd.EcgDataset.open(samples_path).where(folds=[9]).where(rows=range(12))
    noisy = lesson_11.poorer_electrodes(dataset, seed=0)
    assert noisy.table.equals(dataset.table)
    added_mv = (noisy.signals.astype(float) - dataset.signals) / 1000
    assert 0.02 < added_mv.std(axis=2).mean() < 0.5
    assert limb_lead_residual(noisy.signals / 1000, noisy.leads).max() < 0.005, "rounding to a microvolt, and no more"
    again, other = (lesson_11.poorer_electrodes(dataset, seed) for seed in (0, 1))
    assert np.array_equal(noisy.signals, again.signals)
    assert not np.array_equal(noisy.signals, other.signals)


def test_the_table_of_few_labels_says_how_many_recordings_and_how_far_draws_scatter():
    table = lesson_11.draws_of(FEW, [0.01, 1.0])
    assert list(table.columns) == ["1%: 14 recordings", "100%: 410 recordings"]
    assert table.loc["full"].tolist() == ["0.720 (0.700 to 0.740)", "0.850"]
    assert list(table.index) == list(CONTENDERS)


# The widget


@pytest.fixture
def lab(clf, recordings):
    fresh = {"pre-trained": clf, "from scratch": seeded_encoder(1)}
    return adapt_lab.AdaptLab(fresh, recordings, small_dataset([9], 60, 128), "2-lead", FEW, steps=2, batch_size=60)


def test_each_training_leaves_a_star_and_a_sentence(lab, monkeypatch):
    monkeypatch.setattr(sd, "few_labels", lambda dataset, share, seed: asked.append((share, seed)) or dataset)
    asked = []
    lab.share.value, lab.rate.value, lab.strategy.value = 0.3, 3.0, "bitfit"
    lab.button.click()
    lab.start.value = "from scratch"
    lab.button.click()
    assert asked == [(0.3, 1000), (0.3, 1001)], "other patients each time"
    assert lab.trials["strategy"].tolist() == ["bitfit", "bitfit"]
    assert lab.trials["learning_rate"].tolist() == [3 * LEARNING_RATES["bitfit"]] * 2
    assert lab.trials["macro_auroc"].between(0, 1).all()
    stars = [trace for trace in lab.figure.figure["data"] if trace.get("name") == "your trials"]
    assert stars[0]["text"] == ["1", "2"]
    assert "Trial 2: from scratch, bitfit, rate 0.03, 120 recordings: 0." in lab.figure.text
    assert not lab.button.disabled


def test_another_diagnosis_is_shown_on_request(lab):
    assert lab.figure.text.startswith("Macro AUROC: with 14 labelled recordings full 0.720, head alone 0.690")
    lab.score.value = "HYP"
    assert lab.figure.text.startswith("AUROC of HYP: with")
    assert lab.figure.text in lab.static_html()


def test_an_error_while_training_is_shown_beside_the_button(lab, monkeypatch):
    monkeypatch.setattr(sd, "few_labels", lambda *a, **k: 1 / 0)
    lab.button.click()  # ipywidgets logs what a button's callback raises, and goes on
    assert "ZeroDivisionError" in lab.error.value
    assert not lab.button.disabled


# What the lesson claims, on the samples


@pytest.fixture(scope="module")
def results(lesson):
    run = lesson("11")
    assert run.errors == ()
    return run.results


def test_the_head_alone_trains_fewest_and_full_everything(results):
    counts = results[results["section"] == "strategies"].groupby("contender")["parameters"].first()
    assert counts.idxmin() == "linear"
    assert counts["full"] == counts["from scratch"] == counts.max()
    of_encoder = counts - counts["linear"]  # all strategies train the head
    assert max(of_encoder["bitfit"], of_encoder["layernorm"]) < 0.02 * of_encoder["full"], "about a hundredth"
    assert counts["layernorm"] < counts["partial"] < counts["full"]


def test_with_the_same_labels_and_steps_pre_trained_beats_scratch(results):
    few = results[results["section"] == "few labels"].groupby(["share", "contender"])["macro_auroc"].mean().unstack()
    assert (few["full"] > few["from scratch"] + 0.03).all(), "measured +0.1 and more; draws scatter by less than 0.1"
    assert (few["head alone"] > few["untrained, head alone"]).all()
    assert few["head alone"].is_monotonic_increasing, "more labels, better head"


def test_all_five_strategies_know_something_at_every_lead_set(results):
    scores = results[results["section"] == "strategies"].set_index(["contender", "lead_set"])["macro_auroc"].unstack()
    assert set(scores.columns) == set(sd.LEAD_SETS)
    assert (scores.drop(index="from scratch") > 0.65).all(axis=None)


def test_poorer_electrodes_cost_everybody_something(results):
    across = results[results["section"] == "domains"].set_index(["contender", "domain"])["macro_auroc"].unstack()
    lost = across["as adapted"] - across["poorer electrodes"]
    assert lost.drop("from scratch").mean() > 0, "noise helps nobody on average"
    assert lost.max() < 0.3
