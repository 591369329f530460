"""Probes and fine-tuning: held against scikit-learn and algebra; what is frozen stays; what is absent is not read."""

import contextlib
import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from small import PowerCut, cut_power, differing, in_memory, on_batch, seeded_encoder, small_dataset, stop_by_hand, weights
from torch import nn
from torch.nn import functional as F

from selfdana_lite import downstream, fine_tuning
from selfdana_lite.checkpoint import CheckpointError
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import (
    Classifier,
    embed,
    evaluate,
    fit_logistic,
    linear_probe,
    settle_batch_norm,
)
from selfdana_lite.fine_tuning import LEARNING_RATES, STRATEGIES, FineTuneConfig, fine_tune
from selfdana_lite.leads import LEADS, LeadError
from selfdana_lite.recording import Recording

FROZEN = ("bitfit", "layernorm", "linear")


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[1, 2, 3], records=120, samples=128)


@pytest.fixture(scope="module")
def others():
    return small_dataset(folds=[9], records=40, samples=128)


def config(**settings) -> FineTuneConfig:
    return FineTuneConfig(**{"epochs": 2, "batch_size": 40, "precision": "float32"} | settings)


def tuned(encoder, dataset, leads="I, II", strategy="full", settings=None, **options) -> Classifier:
    return fine_tune(encoder, dataset, leads, strategy, settings or config(), progress=False, **options)


def relabelled(dataset, labels, names=None):
    table = dataset.table[["record_id", "patient_id", "fold"]].copy()
    names = names or list(dataset.label_names)
    table[names] = labels
    return in_memory(dataset.signals, table, dataset.leads, names)


# The logistic regression


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6))
    return x, (x @ rng.normal(size=(6, 3)) + rng.normal(size=(200, 3)) > [0, 1, -2]).astype(np.float64)


@pytest.mark.parametrize("l2", [0.1, 0.003])
def test_fit_logistic_finds_what_scikit_learn_finds(problem, l2):
    x, labels = problem
    weight, bias = fit_logistic(torch.from_numpy(x).float(), torch.from_numpy(labels).float(), l2)
    for c in range(3):
        reference = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-8, max_iter=1000).fit(x, labels[:, c])
        assert weight[c].numpy() == pytest.approx(reference.coef_[0], rel=2e-3, abs=2e-3)
        assert bias[c].item() == pytest.approx(reference.intercept_[0], rel=2e-3, abs=2e-3)


def test_fit_logistic_without_features_that_help_predicts_how_often_a_class_occurs():
    labels = torch.tensor([[1.0], [0], [0], [0]])
    weight, bias = fit_logistic(torch.zeros(4, 2), labels, l2=0.01)
    assert torch.sigmoid(bias).item() == pytest.approx(0.25, abs=1e-4)
    assert weight.abs().max() == 0


@pytest.mark.parametrize(("enough", "quarters"), [(12, 1), (13, 2), (25, 3), (250, 4)])
def test_regularisation_is_chosen_on_patients_that_the_fit_has_not_seen(problem, monkeypatch, enough, quarters):
    x, labels = problem
    patients = np.arange(200) // 4
    x = np.column_stack([x, patients])  # so that each row says whose it is
    seen, asked, chosen, n = [], [], [], len(downstream.L2_PENALTIES)
    best = {3: 0.8, n + 1: 0.95}  # by call: the fourth penalty in every quarter, another one in the second quarter alone

    def spy_fit(rows, labels, l2):
        seen.append(set(rows[:, 6].tolist()))
        chosen.append(l2)
        return torch.zeros(3, 7), torch.zeros(3)

    def spy_score(labels, predictions, names, patient_ids, bootstrap):
        asked.append(set(patient_ids.tolist()))
        call = len(asked) - 1
        return type("", (), {"macro_auroc": best.get(call, best[3] if call % n == 3 else 0.5)})

    monkeypatch.setattr(downstream, "fit_logistic", spy_fit)
    monkeypatch.setattr(downstream, "score", spy_score)
    monkeypatch.setattr(downstream, "HELD_OUT_PATIENTS", enough)
    downstream._choose_logistic(torch.from_numpy(x).float(), torch.from_numpy(labels).float(), patients, "abc", seed=0)
    everyone = set(range(50))
    assert len(asked) == quarters * n
    assert all(len(held_out) == 12 for held_out in asked)
    assert len(set.union(*asked)) == quarters * 12, "no patient judges twice"
    assert chosen[-1] == downstream.L2_PENALTIES[3], "the best in the mean, not of one quarter"
    assert all(fitted | held_out == everyone for fitted, held_out in zip(seen, asked, strict=False))
    assert not any(fitted & held_out for fitted, held_out in zip(seen, asked, strict=False))
    assert seen[-1] == everyone, "the last fit uses all"


# The linear probe


def test_the_folded_head_is_standardise_then_regress(recordings, others, monkeypatch):
    encoder, generator = seeded_encoder(), torch.Generator().manual_seed(0)
    weight, bias = torch.randn(5, encoder.embedding_size, generator=generator), torch.randn(5, generator=generator)
    regressed_on = []

    def chosen(standardised, *_):
        regressed_on.append(standardised)
        return weight, bias

    monkeypatch.setattr(downstream, "_choose_logistic", chosen)
    clf = linear_probe(encoder, recordings, "I, V2")
    z = embed(encoder, recordings, "I, V2").astype(np.float64)
    standardised = (embed(encoder, others, "I, V2") - z.mean(0)) / (z.std(0) + 1e-6)
    expected = standardised @ weight.double().numpy().T + bias.double().numpy()
    with torch.no_grad():
        logits = clf(others.batch(range(40), "I, V2"), "I, V2").double().numpy()
    assert logits == pytest.approx(expected, rel=1e-3, abs=1e-2)
    assert regressed_on[0].mean(dim=0).abs().max() < 1e-3
    assert regressed_on[0].std(dim=0).max() == pytest.approx(1, abs=0.01)


def test_a_probe_finds_what_the_embedding_knows():
    """Labels made of the signal's own amplitude, which any encoder passes on, untrained ones too."""
    train, test = small_dataset([1, 2, 3], 160, 128), small_dataset([9], 50, 128)

    def by_amplitude(dataset):
        spread = dataset.signals[:, 1].std(axis=1)  # lead II
        return relabelled(dataset, (spread > 150)[:, None].astype(int), ["large"])

    clf = linear_probe(seeded_encoder(), by_amplitude(train), "II")
    assert evaluate(clf, by_amplitude(test), "II", bootstrap=0).macro_auroc > 0.9


@pytest.mark.parametrize("leads", ["any", "I, II"])
def test_a_probe_changes_nothing_but_its_own_head(recordings, leads):
    encoder = seeded_encoder().train()
    before, draws = weights(encoder), torch.get_rng_state()
    clf = linear_probe(encoder, recordings, leads)
    assert differing(before, weights(encoder)) == set()
    assert clf.encoder is encoder
    assert torch.get_rng_state().equal(draws)


def test_a_probe_for_any_leads_follows_its_seed(recordings):
    first, again, other = (linear_probe(seeded_encoder(), recordings, seed=seed, draws=2) for seed in (0, 0, 1))
    assert differing(weights(first), weights(again)) == set()
    assert differing(weights(first.head), weights(other.head)) == {"weight", "bias"}


class Echo(nn.Module):
    """An "encoder" whose embedding is the mean voltage and the number of leads."""

    embedding_size = 2

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def refuse_other_rate(self, sampling_rate_hz):
        pass

    def forward(self, signals_mv, ids):
        return torch.stack([signals_mv.mean(dim=(1, 2)), torch.full((len(signals_mv),), float(signals_mv.shape[1]))], dim=1)


def test_random_subsets_come_back_in_the_order_of_the_dataset(recordings):
    offset = np.arange(120, dtype=np.int16)[:, None, None] * 10 + np.zeros((12, 1), np.int16)
    tagged = in_memory(offset + np.tile(np.int16([-1, 1]), 64), recordings.table, LEADS, recordings.label_names)
    found = downstream._embed_random_subsets(Echo(), tagged, draws=5, seed=0)
    assert found[:, 0].reshape(5, 120) == pytest.approx(np.tile(np.arange(120) / 100, (5, 1)), abs=1e-5)
    assert len(np.unique(found[:, 1])) > 3, "the number of leads is drawn for each batch"


def test_each_draw_of_a_recording_keeps_its_label_and_its_patient(recordings, monkeypatch):
    """The rows [draws * N] that the head learns from, in step with the embeddings of the test above."""
    given = []

    def chosen(standardised, labels, patients, *_):
        given.extend([labels.numpy(), patients])
        return torch.zeros(5, standardised.shape[1]), torch.zeros(5)

    monkeypatch.setattr(downstream, "_choose_logistic", chosen)
    linear_probe(seeded_encoder(), recordings, "any", draws=3)
    assert (given[0] == np.concatenate([recordings.labels] * 3)).all()
    assert (given[1] == np.concatenate([recordings.patient_ids] * 3)).all()


def test_a_class_missing_among_the_held_out_patients_is_left_to_the_others_to_judge(recordings):
    """Two patients with the diagnosis: in some quarters there is none."""
    frequent = np.arange(120) % 2
    rare = np.isin(recordings.patient_ids, np.unique(recordings.patient_ids)[:2]).astype(int)
    dataset = relabelled(recordings, np.column_stack([frequent, rare]), ["frequent", "rare"])
    for seed in range(3):
        assert linear_probe(seeded_encoder(), dataset, "I", seed=seed).head.weight.isfinite().all()
    one = (np.arange(120) == 0).astype(int)
    with pytest.raises(ValueError, match=r"No class \(rare\) is both present and absent among \d+ patients held out"):
        linear_probe(seeded_encoder(), relabelled(recordings, one[:, None], ["rare"]), "I", seed=0)


def test_settling_batch_norm_measures_statistics_and_moves_no_weight(recordings):
    first, again, other = (seeded_encoder() for _ in range(3))
    draws = torch.get_rng_state()
    for encoder, seed in ((first, 0), (again, 0), (other, 1)):
        assert settle_batch_norm(encoder, recordings, seed) is encoder
        assert not encoder.training
    parameters = {name for name, _ in first.named_parameters()}
    changed = differing(weights(seeded_encoder()), weights(first))
    assert not changed & parameters
    assert "join_leads.stem.3.running_mean" in changed
    assert differing(weights(first), weights(again)) == set()
    assert differing(weights(first), weights(other)) <= changed != set()
    assert torch.get_rng_state().equal(draws)


# Only the leads asked for


class Recorder:
    """A dataset that notes which leads are read."""

    def __init__(self, dataset):
        self.view, self.asked = dataset.where(rows=range(len(dataset))), set()
        read = self.view.batch

        def batch(rows, leads=None):
            self.asked |= set(dataset.leads if leads is None else leads)
            return read(rows, leads)

        self.view.batch = batch


@pytest.mark.parametrize("use", [linear_probe, tuned])
def test_one_lead_set_reads_only_its_leads(recordings, others, use):
    train, test = Recorder(recordings), Recorder(others)
    clf = use(seeded_encoder(), train.view, "I, V2")
    evaluate(clf, test.view, "V2", bootstrap=0)
    assert train.asked == {"I", "V2"}
    assert test.asked == {"V2"}


def test_a_dataset_of_those_leads_alone_is_enough_and_gives_the_same(recordings):
    two = in_memory(recordings.signals[:, [7, 0]], recordings.table, ["V2", "I"], recordings.label_names)
    for use in (linear_probe, tuned):
        assert (
            differing(weights(use(seeded_encoder(), recordings, "I, V2")), weights(use(seeded_encoder(), two, "I, V2")))
            == set()
        )
    with pytest.raises(LeadError, match="no lead II"):
        linear_probe(seeded_encoder(), two, "II")


@pytest.mark.parametrize("use", [linear_probe, tuned, lambda encoder, data, leads: embed(encoder, data, leads)])
def test_recordings_at_another_rate_are_refused(recordings, use):
    faster = copy.copy(recordings)
    faster.sampling_rate_hz = 500.0
    with pytest.raises(ValueError, match=r"recordings have 500 Hz, this encoder takes 100 Hz; resample them, or build"):
        use(seeded_encoder(), faster, "I, II")


# One recording


def recording_of(dataset, row, leads=LEADS, **changes):
    facts = {"sampling_rate_hz": dataset.sampling_rate_hz, "leads": leads, "source": "visit.edf"}
    return Recording(dataset.batch([row], leads)[0].numpy(), **(facts | changes))


@pytest.mark.parametrize("leads", [None, "I, V2", ("V6",)])
def test_a_recording_is_embedded_as_it_is_in_a_dataset(recordings, leads):
    alone = embed(seeded_encoder(), recording_of(recordings, 3), leads)
    np.testing.assert_allclose(alone, embed(seeded_encoder(), recordings, leads)[3:4], atol=1e-5)


def test_of_a_recording_the_standard_leads_are_used_in_whatever_order(recordings):
    mixed = recording_of(recordings, 0, ("V2", "II", "I")).rename({"II": "breath"})
    expected = embed(seeded_encoder(), recordings.where(rows=[0]), "I, V2")
    np.testing.assert_allclose(embed(seeded_encoder(), mixed), expected, atol=1e-5)


def test_what_is_no_recording_or_not_fit_for_the_encoder_is_refused(recordings):
    for wrong in ([recording_of(recordings, 0)], np.zeros((1, 12, 1000), np.float32), None, "visit.edf"):
        with pytest.raises(ValueError, match="expected an EcgDataset or a Recording"):
            embed(seeded_encoder(), wrong, "I")
    with pytest.raises(ValueError, match="recordings have 512 Hz, this encoder takes 100 Hz"):
        embed(seeded_encoder(), recording_of(recordings, 0, sampling_rate_hz=512))
    with pytest.raises(LeadError, match=r"None of ch1, ch2 is one of the twelve leads; say with rename\(\)"):
        embed(seeded_encoder(), recording_of(recordings, 0, ("I", "II")).rename({"I": "ch1", "II": "ch2"}))
    with pytest.raises(LeadError, match="no lead 'V1'"):
        embed(seeded_encoder(), recording_of(recordings, 0, ("I", "II")), "V1")


def test_partial_tuning_leaves_the_stem_alone_down_to_its_batch_statistics(recordings):
    encoder = seeded_encoder()
    clf = fine_tune(encoder, recordings, "I, II", "partial", FineTuneConfig(epochs=1, batch_size=16), progress=False)
    stem, before = clf.encoder.join_leads.state_dict(), encoder.join_leads.state_dict()
    assert all(torch.equal(stem[name], value) for name, value in before.items())
    moved = clf.encoder.trunk.state_dict()
    assert any(not torch.equal(moved[name], value) for name, value in encoder.trunk.state_dict().items() if "running" in name)


def test_predictions_are_the_sigmoid_of_the_logits_whatever_the_batch(recordings):
    clf = tuned(seeded_encoder(), recordings, "any", "linear").train()
    probabilities = clf.predict_proba(recordings, "I")
    with torch.no_grad():
        one_by_one = torch.cat([clf(recordings.batch([row], "I"), "I") for row in range(5)])
    assert probabilities.shape == (120, 5)
    assert probabilities.dtype == np.float32
    assert probabilities[:5] == pytest.approx(torch.sigmoid(one_by_one).numpy(), abs=1e-5)
    assert embed(clf.encoder, recordings, "I", batch_size=7) == pytest.approx(embed(clf.encoder, recordings, "I"), abs=1e-5)


# Fine-tuning


def expected_names(encoder, strategy: str) -> set[str]:
    names = [name for name, _ in encoder.named_parameters()]
    norms = [name for name, module in encoder.named_modules() if isinstance(module, nn.BatchNorm2d | nn.LayerNorm)]
    return {
        "full": set(names),
        "partial": {name for name in names if name.startswith("trunk.")},
        "bitfit": {name for name in names if name.split(".")[-1] in ("bias", "in_proj_bias")},
        "layernorm": {name for name in names if name.rpartition(".")[0] in norms},
        "linear": set(),
    }[strategy] - {"trunk.mask_vector"}  # stands for hidden frames, and fine-tuning hides none


@pytest.mark.parametrize("backbone", ["conv", "conv-transformer"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_strategy_trains_exactly_what_it_says(recordings, strategy, backbone):
    encoder = seeded_encoder(backbone=backbone).train()
    before = weights(encoder)
    clf = tuned(encoder, recordings, "I, II", strategy, config(learning_rate=0.01))
    assert differing(before, weights(encoder)) == set(), "the encoder handed in is not to change"
    assert encoder.training
    changed = differing(before, weights(clf.encoder))
    parameters = {name for name, _ in encoder.named_parameters()}
    unreached = changed ^ expected_names(encoder, strategy)
    assert changed & parameters == expected_names(encoder, strategy), f"wrong: {sorted(unreached & parameters)}"
    if strategy in FROZEN:
        assert changed <= parameters, "batch norm's running statistics are to stay"
    elif backbone == "conv":
        assert "trunk.1.running_mean" in changed


def test_all_strategies_train_the_head_and_start_from_the_same_one(recordings):
    heads = [
        weights(tuned(seeded_encoder(), recordings, "I", strategy, config(epochs=1)).head) for strategy in ("linear", "bitfit")
    ]
    tiny = config(epochs=1, learning_rate=1e-12, weight_decay=0)
    starts = [weights(tuned(seeded_encoder(), recordings, "I", strategy, tiny).head) for strategy in ("linear", "full")]
    assert starts[0]["weight"].numpy() == pytest.approx(starts[1]["weight"].numpy(), abs=1e-6)
    assert all("weight" in differing(starts[0], head) for head in heads)


@pytest.mark.parametrize("strategy", ["full", "bitfit"])
def test_from_a_probe_it_goes_on_with_the_probes_head_and_leaves_the_probe_alone(recordings, strategy):
    probe = linear_probe(seeded_encoder(), recordings, "I")
    before, tiny = weights(probe), config(epochs=1, learning_rate=1e-12, weight_decay=0)
    clf = tuned(probe, recordings, "I", strategy, tiny)
    assert differing(before, weights(probe)) == set()
    assert torch.allclose(clf.head.weight, probe.head.weight, atol=1e-6)
    if strategy == "bitfit":  # "full" measures batch norm's statistics anew
        assert clf.predict_proba(recordings, "I") == pytest.approx(probe.predict_proba(recordings, "I"), abs=1e-3)
    moved = tuned(probe, recordings, "I", strategy, config(epochs=1, learning_rate=0.01))
    assert {"weight", "bias"} == differing(weights(probe.head), weights(moved.head))


def test_from_a_classifier_with_other_labels_it_does_not_go_on(recordings):
    clf = Classifier(seeded_encoder(), ["NORM", "MI"], "any")
    with pytest.raises(
        ValueError, match=r"go on from knows NORM, MI; the recordings' labels are NORM, MI, STTC, CD, HYP\. Pass"
    ):
        tuned(clf, recordings)


def test_each_strategy_has_a_learning_rate_of_its_own_unless_one_is_given(recordings, monkeypatch):
    used = []

    def fit(clf, dataset, prepare, loss_of, config, **options):
        used.append(config.learning_rate)

    monkeypatch.setattr(fine_tuning, "fit", fit)
    for strategy in STRATEGIES:
        fine_tune(seeded_encoder(), recordings, strategy=strategy)
        fine_tune(seeded_encoder(), recordings, strategy=strategy, config=FineTuneConfig(epochs=3))
        fine_tune(seeded_encoder(), recordings, strategy=strategy, config=FineTuneConfig(learning_rate=0.5))
    rates = [LEARNING_RATES[strategy] for strategy in STRATEGIES]
    assert used == [rate for own in rates for rate in (own, own, 0.5)]
    assert LEARNING_RATES["bitfit"] > LEARNING_RATES["full"], "the fewer weights move, the farther each must go"
    with pytest.raises(ValueError, match="epochs 0"):
        FineTuneConfig(epochs=0)
    with pytest.raises(ValueError, match=r"learning_rate 0\.0"):
        FineTuneConfig(learning_rate=0.0)


def test_fine_tuning_learns_what_it_is_told():
    train = small_dataset([1, 2, 3], 160, 128)
    spread = train.signals[:, 1].std(axis=1)
    told = relabelled(train, (spread > np.median(spread))[:, None].astype(int), ["large"])
    clf = tuned(seeded_encoder(), told, "any", "full", config(epochs=8, learning_rate=3e-3, window=1.0))
    assert clf.history["loss"].iloc[-1] < clf.history["loss"].iloc[0]
    assert evaluate(clf, told, "II", bootstrap=0).macro_auroc > 0.85


def test_the_same_seed_gives_the_same_classifier_and_nobody_elses_draws_change(recordings, monkeypatch):
    encoders = [seeded_encoder() for _ in range(3)]
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeded the GPUs, which nothing puts back"))
    before = torch.get_rng_state()
    first, again, other = (
        tuned(encoder, recordings, "any", settings=config(seed=seed)) for encoder, seed in zip(encoders, (0, 0, 1), strict=True)
    )
    assert first.history["loss"].equals(again.history["loss"])
    assert differing(weights(first), weights(again)) == set()
    assert not first.history["loss"].equals(other.history["loss"])
    assert {"head.weight", "head.bias"} <= differing(weights(first), weights(other))
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(("strategy", "leads"), [("full", "any"), ("partial", "I"), ("bitfit", "any"), ("linear", "I, II")])
def test_cut_off_and_resumed_it_ends_as_if_it_had_never_stopped(recordings, others, tmp_path, strategy, leads):
    settings = config(epochs=3, patience=1, learning_rate=0.01)
    whole = tuned(seeded_encoder(), recordings, leads, strategy, settings, validation=others)
    path = tmp_path / "run.safetensors"
    with contextlib.suppress(PowerCut):
        broken = on_batch(recordings, 4, cut_power)
        tuned(seeded_encoder(), broken, leads, strategy, settings, validation=others, checkpoint=path)
    revived = tuned(seeded_encoder(), recordings, leads, strategy, settings, validation=others, checkpoint=path)
    columns = ["epoch", "loss", "validation_loss"]
    assert revived.history[columns].equals(whole.history[columns])
    assert differing(weights(revived), weights(whole)) == set()


def test_going_on_with_another_strategy_or_other_leads_is_refused_and_the_message_says_which(recordings, tmp_path):
    path = tmp_path / "run"
    tuned(seeded_encoder(), recordings, "I, II", "full", checkpoint=path)
    with pytest.raises(
        CheckpointError, match=r"leads was \('I', 'II'\) and is 'any' now; strategy was 'full' and is 'bitfit' now"
    ):
        tuned(seeded_encoder(), recordings, "any", "bitfit", checkpoint=path)


def test_stopped_by_hand_there_is_a_classifier_all_the_same(recordings):
    with pytest.warns(UserWarning, match="Stopped by hand in epoch 2"):
        clf = tuned(seeded_encoder(), on_batch(recordings, 4, stop_by_hand))
    assert clf.history["epoch"].tolist() == [1]
    assert np.isfinite(clf.predict_proba(recordings, "I")).all()


def test_the_loss_is_the_mean_cross_entropy_over_classes(recordings):
    """At a learning rate of nothing, the loss of the first epoch is that of the classifier handed back."""
    still = config(epochs=1, batch_size=120, learning_rate=1e-12, weight_decay=0, window=1.0)
    clf = tuned(seeded_encoder().eval(), recordings, "I, II", "linear", still)
    probabilities = torch.from_numpy(clf.predict_proba(recordings, "I, II"))
    expected = F.binary_cross_entropy(probabilities, torch.from_numpy(recordings.labels).float()).item()
    assert clf.history["loss"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("leads", "window", "expected"), [("I", 0.5, 64), ("any", 0.3, 39), ("I", 1.0, 128)])
def test_training_sees_windows_of_the_recordings_and_validation_sees_them_whole(
    recordings, others, leads, window, expected, monkeypatch
):
    prepared = {}

    def fit(clf, dataset, prepare, loss_of, config, *, validation, **options):
        generator = torch.Generator().manual_seed(0)
        prepared.update({source: prepare(source, np.arange(30), generator)[0] for source in (dataset, validation)})

    monkeypatch.setattr(fine_tuning, "fit", fit)
    fine_tune(seeded_encoder(), recordings, leads, config=config(window=window), validation=others)
    assert prepared[recordings].shape[2] == expected
    assert prepared[others].shape[2] == 128
    if leads == "I":
        whole = recordings.batch(np.arange(30), "I").unfold(2, expected, 1)  # every window: [30, 1, places, samples]
        places = (whole == prepared[recordings][:, :, None]).all(dim=3).float().argmax(dim=2)
        assert (whole == prepared[recordings][:, :, None]).all(dim=3).any(dim=2).all(), "pieces of the signal as it is"
        assert (len(places.unique()) > 10) == (window < 1), "each recording at a place of its own"


# Refusals


@pytest.mark.parametrize("window", [0, 1.1, -0.5, float("nan")])
def test_a_window_that_is_no_share_is_refused(window):
    with pytest.raises(ValueError, match=r"window is .*; expected a share of the recording, above 0 and up to 1"):
        FineTuneConfig(window=window)


def test_a_class_absent_from_training_or_test_is_named(recordings, others):
    def without_hyp(dataset):
        labels = dataset.labels.copy()
        labels[:, 4] = 0
        return relabelled(dataset, labels)

    for use in (linear_probe, tuned):
        with pytest.raises(ValueError, match=r"120 recordings HYP is present in all or in none"):
            use(seeded_encoder(), without_hyp(recordings), "I")
    clf = Classifier(seeded_encoder(), recordings.label_names, "any")
    with pytest.raises(ValueError, match=r"40 recordings HYP is present in all or in none.*take more"):
        evaluate(clf, without_hyp(others), "I")


def test_a_dataset_without_labels_is_told_what_to_do(recordings):
    bare = in_memory(recordings.signals, recordings.table[["record_id", "patient_id", "fold"]], recordings.leads, [])
    clf = Classifier(seeded_encoder(), recordings.label_names, "any")
    for use in (
        lambda: linear_probe(seeded_encoder(), bare),
        lambda: tuned(seeded_encoder(), bare),
        lambda: evaluate(clf, bare, "I"),
    ):
        with pytest.raises(ValueError, match=r"dataset has no labels.*give label_names= to build"):
            use()
    assert embed(seeded_encoder(), bare, "I").shape == (120, seeded_encoder().embedding_size)  # what needs no labels goes on


def test_one_recording_is_too_few(recordings):
    one = recordings.where(rows=[0])
    clf = Classifier(seeded_encoder(), recordings.label_names, "any")
    for use in (
        lambda: linear_probe(seeded_encoder(), one),
        lambda: tuned(seeded_encoder(), one),
        lambda: evaluate(clf, one, "I"),
    ):
        with pytest.raises(ValueError, match="1 recordings NORM, MI, STTC, CD, HYP"):
            use()


def test_labels_that_differ_are_refused_even_in_their_order_alone(recordings, others):
    turned = relabelled(others, others.labels[:, ::-1], list(others.label_names[::-1]))
    clf = Classifier(seeded_encoder(), recordings.label_names, "any")
    words = "NORM, MI, STTC, CD, HYP.*HYP, CD, STTC, MI, NORM.*same order"
    with pytest.raises(ValueError, match=words):
        evaluate(clf, turned, "I")
    with pytest.raises(ValueError, match=r"validation recordings have the labels HYP, CD, STTC, MI, NORM.*same order"):
        tuned(seeded_encoder(), recordings, validation=turned)


def test_an_unknown_strategy_or_lead_is_refused_with_the_known_ones(recordings):
    with pytest.raises(ValueError, match=r"strategy 'lora'; choose one of full, partial, bitfit, layernorm, linear"):
        tuned(seeded_encoder(), recordings, strategy="lora")
    for use in (linear_probe, tuned):
        with pytest.raises(LeadError, match="Unknown lead 'V9'"):
            use(seeded_encoder(), recordings, "I, V9")


# Distillation: a teacher instead of labels


class Oracle(Classifier):
    """A teacher that says of every recording what its labels say."""

    def predict_proba(self, dataset, leads):
        assert leads == dataset.leads
        return dataset.labels.astype(np.float32)


def teacher_of(dataset, kind=Classifier):
    return kind(seeded_encoder(seed=5), dataset.label_names, "any")


def without_labels(dataset):
    return in_memory(dataset.signals, dataset.table[["record_id", "patient_id", "fold"]], dataset.leads, [])


def test_from_a_teacher_that_knows_the_labels_it_learns_what_it_learns_from_labels(recordings, others):
    taught, told = (
        tuned(seeded_encoder(), recordings, "any", teacher=teacher, validation=others)
        for teacher in (teacher_of(recordings, Oracle), None)
    )
    assert differing(weights(taught), weights(told)) == set()
    assert taught.history["validation_loss"].tolist() == told.history["validation_loss"].tolist()


def test_one_lead_comes_closer_to_what_the_teacher_says_with_twelve_and_no_labels_are_needed(recordings, others):
    teacher = linear_probe(seeded_encoder(), recordings)
    start = Classifier(teacher.encoder, recordings.label_names, "any")
    bare, wanted = without_labels(recordings), teacher.predict_proba(recordings, LEADS)
    settings = config(epochs=8, learning_rate=0.01)
    student = tuned(start, bare, "any", settings=settings, teacher=teacher, validation=without_labels(others))
    assert student.label_names == recordings.label_names
    losses = student.history["validation_loss"]
    assert losses.iloc[-1] < losses.iloc[0], "how far the student is from its teacher"
    before, after = (np.abs(clf.predict_proba(recordings, "I") - wanted).mean() for clf in (start, student))
    assert after < 0.7 * before


def test_a_teacher_who_knows_other_labels_or_needs_absent_leads_is_refused(recordings):
    few = Classifier(seeded_encoder(), ["NORM", "MI"], "any")
    with pytest.raises(ValueError, match=r"go on from knows NORM, MI; the teacher's labels are NORM, MI, STTC, CD, HYP\. Pass"):
        tuned(few, recordings, teacher=teacher_of(recordings))
    present = np.ones((12, len(recordings)), bool)
    present[3, 7] = False
    gaps = EcgDataset(
        recordings.signals.transpose(1, 0, 2), recordings.table, recordings.leads, 100, recordings.label_names, present=present
    )
    with pytest.raises(LeadError, match="aVR"):
        tuned(seeded_encoder(), gaps, "any", teacher=teacher_of(recordings))
    with pytest.raises(ValueError, match="teacher is of type Encoder; expected a Classifier"):
        tuned(seeded_encoder(), recordings, "any", teacher=seeded_encoder())
    broken = teacher_of(recordings)
    nn.init.constant_(broken.head.bias, torch.nan)
    with pytest.raises(ValueError, match="teacher's probabilities are NaN"):
        tuned(seeded_encoder(), recordings, "any", teacher=broken)


def test_a_teacher_for_two_leads_is_asked_with_those_alone(recordings, monkeypatch):
    asked, teacher = [], linear_probe(seeded_encoder(), recordings, "I, II")
    answer = teacher.predict_proba
    monkeypatch.setattr(teacher, "predict_proba", lambda dataset, leads: asked.append(leads) or answer(dataset, leads))
    tuned(seeded_encoder(), recordings, "I", teacher=teacher)
    assert asked == [("I", "II")]


def test_training_does_not_go_on_with_another_teacher(recordings, tmp_path):
    path = tmp_path / "run.safetensors"
    teacher = teacher_of(recordings)
    for _ in range(2):
        tuned(seeded_encoder(), recordings, "any", teacher=teacher, checkpoint=path)
    for other in (teacher_of(recordings), None):  # a new head has new weights
        with pytest.raises(CheckpointError, match="other settings: teacher was"):
            tuned(seeded_encoder(), recordings, "any", teacher=other, checkpoint=path)
