"""Pre-training on a few simulated recordings: it learns, it can be repeated, and it survives accidents."""

import contextlib
import json
import math
import random

import numpy as np
import pandas as pd
import pytest
import torch
from small import PowerCut, cut_power, differing, in_memory, on_batch, seeded_encoder, small_dataset, stop_by_hand, weights

from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.batches import shuffled_batches
from selfdana_lite.checkpoint import CheckpointError, load_encoder, read_tensors
from selfdana_lite.dataset import write_dataset
from selfdana_lite.downstream import embed
from selfdana_lite.draws import epoch_generator
from selfdana_lite.leads import LEADS, LeadError
from selfdana_lite.loop import TrainingError
from selfdana_lite.objectives import hide_spans
from selfdana_lite.pretraining import PretrainConfig, draw_views, pretrain
from selfdana_lite.train import main

OBJECTIVES = [("nt-xent", "conv"), ("vicreg", "conv"), ("masked", "conv-transformer")]


@pytest.fixture(scope="module")
def recordings():
    return small_dataset(folds=[1, 2], records=48)


@pytest.fixture(scope="module")
def others():
    return small_dataset(folds=[9], records=24)


def config(**settings) -> PretrainConfig:
    return PretrainConfig(**{"epochs": 3, "batch_size": 16, "precision": "float32"} | settings)


def quietly(encoder, dataset, settings=None, **options):
    return pretrain(encoder, dataset, settings or config(), progress=False, **options)


# It learns


@pytest.mark.parametrize(("objective", "backbone"), OBJECTIVES)
def test_pretraining_lowers_the_loss(objective, backbone):
    dataset = small_dataset(folds=[1, 2], records=96)
    history = quietly(
        seeded_encoder(backbone=backbone),
        dataset,
        config(epochs=8, objective=objective, lead_augmentation=RandomLeadSelection(min_leads=6)),
    )
    assert history["loss"].iloc[-2:].mean() < history["loss"].iloc[0]
    chance = {"nt-xent": math.log(2 * 16 - 1), "masked": math.log(8)}  # 128 samples are 8 frames
    if objective in chance:
        assert history["loss"].iloc[-1] < 0.95 * chance[objective], "no better than guessing"


def test_pretraining_teaches_to_recognise_a_heart_by_other_leads_a_moment_later():
    """On recordings never seen: whose second half, in leads V1 to V6, goes with this first half in limb leads?"""
    unseen = small_dataset(folds=[9, 10], records=60, samples=1000)

    def found(encoder) -> float:
        whole = unseen.batch(range(60))
        with torch.no_grad():
            first = encoder.eval()(whole[:, :6, :500], LEADS[:6])
            second = encoder(whole[:, 6:, 500:], LEADS[6:])
        standard = [(z - z.mean(0)) / (z.std(0) + 1e-6) for z in (first, second)]
        similar = torch.nn.functional.cosine_similarity(standard[0][:, None], standard[1][None], dim=2)  # [60, 60]
        return (similar.argsort(dim=1, descending=True)[:, :6] == torch.arange(60)[:, None]).any(dim=1).float().mean().item()

    encoder = seeded_encoder()
    untrained = found(encoder)
    quietly(encoder, small_dataset(folds=[1, 2, 3], records=160, samples=1000), config(epochs=8, batch_size=32))
    assert found(encoder) > 2 * 6 / 60, "no better than twice chance"
    assert found(encoder) > untrained


def test_labels_are_never_read(recordings):
    signals, table = recordings.signals, recordings.table[["record_id", "patient_id", "fold"]]
    with_labels, without = seeded_encoder(), seeded_encoder()
    quietly(with_labels, recordings)
    quietly(without, in_memory(signals, table, recordings.leads, []))
    assert differing(weights(with_labels), weights(without)) == set()


def test_leads_are_known_by_name_whatever_their_order_in_the_file(recordings):
    backwards = in_memory(recordings.signals[:, ::-1], recordings.table, LEADS[::-1], recordings.label_names)
    usual, turned = seeded_encoder(), seeded_encoder()
    losses = quietly(usual, recordings, config(patience=2), validation=recordings)
    turned_losses = quietly(turned, backwards, config(patience=2), validation=backwards)
    columns = ["loss", "validation_loss"]
    assert losses[columns].equals(turned_losses[columns])
    assert differing(weights(usual), weights(turned)) == set()


def test_bfloat16_learns_what_float32_learns(recordings):
    losses = {
        precision: quietly(seeded_encoder(), recordings, config(precision=precision))["loss"].to_numpy()
        for precision in ("float32", "bfloat16")
    }
    assert (losses["bfloat16"] != losses["float32"]).any(), "nothing was rounded"
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.03)


def test_after_each_epoch_the_encoder_can_be_probed_without_changing_what_is_learnt(recordings):
    probed, alone, seen = seeded_encoder(), seeded_encoder(), []
    history = quietly(probed, recordings, after_epoch=lambda row: seen.append((row["loss"], embed(probed, recordings, "I"))))
    quietly(alone, recordings)
    assert [loss for loss, _ in seen] == history["loss"].tolist()
    assert not np.array_equal(seen[0][1], seen[1][1]), "each epoch's own encoder"
    assert np.array_equal(seen[-1][1], embed(alone, recordings, "I"))
    assert differing(weights(probed), weights(alone)) == set()


# What a view is


@pytest.mark.parametrize("augmentation", [RandomLeadSelection(), RandomLeadMasking()])
@pytest.mark.parametrize("views", ["halves", "crops"])
def test_same_leads_gives_both_views_the_same_leads_and_otherwise_each_draws_its_own(recordings, augmentation, views):
    signals_mv = recordings.batch(range(48))

    def kept(seed: int, same_leads: bool) -> list[list[tuple[int, ...]]]:
        settings = config(lead_augmentation=augmentation, same_leads=same_leads, views=views)
        drawn = draw_views(signals_mv, settings, torch.Generator().manual_seed(seed))
        present = [(ids.sort(dim=1).values, (signals != 0).any(dim=2)) for signals, ids in drawn]
        return [[tuple(row[there].tolist()) for row, there in zip(ids, on, strict=True)] for ids, on in present]

    for seed in range(5):
        first, second = kept(seed, same_leads=True)
        assert first == second
    pairs = [kept(seed, same_leads=False) for seed in range(5)]
    different = [a != b for first, second in pairs for a, b in zip(first, second, strict=True)]
    assert np.mean(different) > 0.8
    assert kept(0, same_leads=True) != kept(1, same_leads=True)


def test_views_hold_the_leads_that_their_ids_name(recordings):
    signals_mv = recordings.batch(range(48))
    (first, first_ids), (second, second_ids) = draw_views(signals_mv, config(), torch.Generator().manual_seed(0))
    rows = torch.arange(48)[:, None]
    assert first.equal(signals_mv[rows, first_ids, :128])
    assert second.equal(signals_mv[rows, second_ids, 128:])


def test_gain_and_noise_are_drawn_for_each_view_and_only_when_asked_for(recordings):
    signals_mv = recordings.batch(range(48))

    def views(**settings):
        return draw_views(signals_mv, config(same_leads=True, **settings), torch.Generator().manual_seed(0))

    plain, louder, noisy = views(), views(gain_spread=0.2), views(noise_mv=0.05)
    for (before, _), (gained, _), (noised, _) in zip(plain, louder, noisy, strict=True):
        factor = gained.norm(dim=(1, 2)) / before.norm(dim=(1, 2))
        assert gained.numpy() == pytest.approx((before * factor[:, None, None]).numpy(), abs=1e-5)
        assert 0.1 < factor.log().std() < 0.3
        assert 0 < (noised - before).std(dim=(1, 2)).max() < 0.06
    assert (
        not louder[0][0]
        .norm(dim=(1, 2))
        .div(plain[0][0].norm(dim=(1, 2)))
        .allclose(louder[1][0].norm(dim=(1, 2)).div(plain[1][0].norm(dim=(1, 2))))
    )


@pytest.mark.parametrize("samples", [32, 33, 47, 128, 500])
def test_frames_to_hide_are_as_many_as_the_encoder_makes(samples):
    encoder = seeded_encoder(backbone="conv-transformer")
    frames = encoder.frames(torch.randn(2, 1, samples), torch.tensor([[0], [1]])).shape[2]
    assert frames == math.ceil(samples / 16)
    assert hide_spans(2, frames, torch.Generator()).shape == (2, frames)


# It can be repeated


def test_the_same_seed_gives_the_same_weights_another_seed_others_and_nobody_elses_draws_change(recordings, monkeypatch):
    encoders = [seeded_encoder() for _ in range(3)]
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeded the GPUs, which nothing puts back"))
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    runs = []
    for encoder, seed in zip(encoders, (0, 0, 1), strict=True):
        losses = quietly(encoder, recordings, config(seed=seed, gain_spread=0.1, noise_mv=0.01))["loss"].tolist()
        runs.append((losses, weights(encoder)))
    (first, w0), (again, w1), (other, w2) = runs
    assert first == again
    assert differing(w0, w1) == set()
    assert set(first).isdisjoint(other)
    assert "join_leads.stem.0.weight" in differing(w0, w2)
    assert torch.get_rng_state().equal(before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert random.getstate() == before[2]


@pytest.mark.parametrize(("objective", "backbone"), OBJECTIVES)
@pytest.mark.parametrize("watched", [False, True])
def test_a_run_cut_off_and_resumed_ends_as_if_it_had_never_stopped(recordings, others, tmp_path, objective, backbone, watched):
    settings = config(objective=objective, learning_rate=0.01, patience=2 if watched else None)
    options = {"validation": others} if watched else {}
    whole, broken, revived = (seeded_encoder(backbone=backbone) for _ in range(3))
    expected = quietly(whole, recordings, settings, **options)

    path = tmp_path / "run.safetensors"
    with contextlib.suppress(PowerCut):  # in the second epoch of three
        quietly(broken, on_batch(recordings, 6, cut_power), settings, checkpoint=path, **options)
    history = quietly(revived, recordings, settings, checkpoint=path, **options)
    columns = ["epoch", "loss", "learning_rate", *(["validation_loss"] if watched else [])]
    assert history[columns].equals(expected[columns])
    assert differing(weights(revived), weights(whole)) == set()


# Accidents and refusals


def not_a_number(signals_mv):
    """Samples that are missing."""
    signals_mv[3, :, 100:] = math.nan
    return signals_mv


@pytest.mark.parametrize(("objective", "backbone"), OBJECTIVES)
def test_missing_samples_name_the_very_row_and_spoil_nothing(recordings, objective, backbone):
    encoder, twin = (seeded_encoder(backbone=backbone) for _ in range(2))
    settings, rows = config(objective=objective), shuffled_batches(48, 16, epoch_generator(0, epoch=1))[1]
    with pytest.raises(
        TrainingError, match=f"Row {rows[3]} holds NaN or infinite samples, as 1 of the 16 rows of this batch do"
    ):
        quietly(encoder, on_batch(recordings, 4, not_a_number), settings)
    with pytest.warns(UserWarning, match="Stopped by hand"):
        quietly(twin, on_batch(recordings, 4, stop_by_hand), settings)
    assert differing(weights(encoder), weights(twin)) == set()
    assert np.isfinite(embed(encoder, recordings, "I, II")).all()


def test_a_disk_that_is_full_stops_training_and_the_epochs_before_are_safe(recordings, tmp_path):
    """A real full device: what is written to it fails as it does on a real disk."""
    path, encoder, whole = tmp_path / "run", seeded_encoder(), seeded_encoder()

    def fill_the_disk(row):
        (tmp_path / ".run.unfinished").symlink_to("/dev/full")

    with pytest.raises(OSError, match=r"No space left on device: .*run was not written, and what was there before is whole"):
        quietly(encoder, recordings, checkpoint=path, after_epoch=fill_the_disk)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    assert len(json.loads(read_tensors(path)[1]["history"])) == 1
    assert np.isfinite(embed(encoder, recordings, "I")).all()
    history = quietly(encoder, recordings, checkpoint=path)  # when there is room again
    assert history["loss"].tolist() == quietly(whole, recordings)["loss"].tolist()
    assert differing(weights(whole), weights(encoder)) == set()


def test_stopped_by_hand_the_encoder_is_usable_and_a_checkpoint_goes_on_exactly(recordings, tmp_path):
    encoder, whole = seeded_encoder(), seeded_encoder()
    with pytest.warns(UserWarning, match="Stopped by hand in epoch 2"):
        history = quietly(encoder, on_batch(recordings, 5, stop_by_hand), checkpoint=tmp_path / "run")
    assert history["epoch"].tolist() == [1]
    assert not encoder.training
    assert differing(weights(seeded_encoder()), weights(encoder)), "nothing was learnt"
    assert np.isfinite(embed(encoder, recordings, "V2")).all()
    quietly(encoder, recordings, checkpoint=tmp_path / "run")
    quietly(whole, recordings)
    assert differing(weights(whole), weights(encoder)) == set()


def test_a_checkpoint_of_an_encoder_that_pools_otherwise_is_refused(recordings, tmp_path):
    """Maximum and mean have the same weights, so that only the settings can tell them apart."""
    quietly(seeded_encoder(kind="dap", op="max"), recordings, config(epochs=1), checkpoint=tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"encoder was .*op='max'.* and is .*op='mean'.* now"):
        quietly(seeded_encoder(kind="dap", op="mean"), recordings, config(epochs=1), checkpoint=tmp_path / "run")


def test_the_masked_objective_refuses_a_convolutional_trunk_before_anything_happens(recordings, tmp_path):
    with pytest.raises(ValueError, match=r"needs the backbone 'conv-transformer'.*'conv'"):
        quietly(seeded_encoder(), recordings, config(objective="masked"), checkpoint=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["dataset", "validation"])
def test_fewer_leads_than_the_augmentation_keeps_are_refused_before_training(recordings, where):
    three = in_memory(recordings.signals[:, :3], recordings.table, LEADS[:3], recordings.label_names)
    parts = {"dataset": recordings, "validation": recordings, where: three}
    encoder, at_least_four = seeded_encoder(), config(lead_augmentation=RandomLeadSelection(min_leads=4))
    with pytest.raises(LeadError, match=r"keeps at least 4 leads, and 48 of 48 .*row 0, which has 3\); lower min_leads, or"):
        quietly(encoder, parts["dataset"], at_least_four, validation=parts["validation"])
    assert differing(weights(seeded_encoder()), weights(encoder)) == set()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"objective": "byol"}, "objective 'byol'.*nt-xent, vicreg, masked"),
        ({"views": "thirds"}, "views 'thirds'.*halves, crops"),
        ({"precision": "half"}, "precision 'half'.*float32"),
        ({"epochs": 0}, "epochs 0"),
    ],
)
def test_unknown_settings_are_refused_with_the_known_ones(wrong, words):
    with pytest.raises(ValueError, match=words):
        PretrainConfig(**wrong)


def test_one_recording_is_too_few(recordings):
    with pytest.raises(ValueError, match=r"Found 1 recording.*at least 2"):
        quietly(seeded_encoder(), recordings.where(rows=[0]))


# The command line


@pytest.fixture
def folder_of_recordings(recordings, tmp_path):
    facts = {"leads": LEADS, "sampling_rate_hz": 100, "label_names": recordings.label_names, "source": "test", "licence": "CC0"}
    write_dataset(tmp_path / "recordings", recordings.signals, recordings.table, **facts)
    return tmp_path / "recordings"


def test_the_command_line_saves_what_pretrain_makes(folder_of_recordings, recordings, tmp_path, capsys):
    with torch.random.fork_rng(devices=[]):
        main([str(folder_of_recordings), str(tmp_path / "encoder"), "--epochs", "1", "--seed", "3", "--folds", "1"])
    expected = seeded_encoder(seed=3)
    pretrain(expected, recordings.where(folds=[1]), PretrainConfig(epochs=1, seed=3), progress=False)
    assert differing(weights(expected), weights(load_encoder(tmp_path / "encoder"))) == set()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["encoder", "recordings"], "the checkpoint is still there"
    assert pd.read_csv(tmp_path / "encoder" / "history.csv")["epoch"].tolist() == [1]
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main([str(folder_of_recordings), str(tmp_path / "encoder")])
    assert "encoder exists already" in capsys.readouterr().err


def test_the_command_line_stopped_by_hand_saves_no_half_trained_encoder(folder_of_recordings, tmp_path, monkeypatch, capsys):
    arguments = [str(folder_of_recordings), str(tmp_path / "encoder"), "--epochs", "2"]

    def stopped(encoder, dataset, *rest, **options):
        return pretrain(encoder, on_batch(dataset, 1, stop_by_hand), *rest, **options)

    with torch.random.fork_rng(devices=[]), monkeypatch.context() as patch:
        patch.setattr("selfdana_lite.train.pretrain", stopped)
        with pytest.warns(UserWarning, match="by hand"), pytest.raises(SystemExit, match="1"):
            main(arguments)
    assert "the same command goes on" in capsys.readouterr().err
    assert not (tmp_path / "encoder").exists()
    with torch.random.fork_rng(devices=[]):
        main(arguments)
    assert load_encoder(tmp_path / "encoder").config.kind == "lead-attention"
