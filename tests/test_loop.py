"""The loop on a problem that has nothing to do with ECGs: a small regression whose answer is known."""

import contextlib
import json
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from small import PowerCut, differing, weights
from torch import nn
from torch.nn import functional as F

from selfdana_lite.batches import shuffled_batches
from selfdana_lite.checkpoint import CheckpointError, read_tensors
from selfdana_lite.draws import epoch_generator
from selfdana_lite.loop import VALIDATION, TrainingError, fit
from selfdana_lite.train_config import TrainConfig, computes_bfloat16, learning_rate

ROWS, TRUTH = range(20), torch.tensor([[2.0], [-1.0], [0.5]])
X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
FEW = TrainConfig(epochs=5, batch_size=6, precision="float32")


def network(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


def noisy_rows(rows_of, rows, generator):
    """A batch, with noise from the epoch's own generator as augmentation."""
    return X[rows] + 0.1 * torch.randn(len(rows), 3, generator=generator), X[rows] @ TRUTH


def train(model, config=FEW, prepare=noisy_rows, loss_of=None, rows=ROWS, **options):
    loss_of = loss_of or (lambda batch: F.mse_loss(model(batch[0]), batch[1]))
    return fit(model, rows, prepare, loss_of, config, progress=False, **options)


def at_step(step: int, do, function=noisy_rows):
    """The function, except that its step-th call (counted from 0) first calls do()."""
    calls = iter(range(10**9))

    def wrapped(*arguments):
        if next(calls) == step:
            do()
        return function(*arguments)

    return wrapped


def stop():
    raise KeyboardInterrupt


def power_cut():
    raise PowerCut


# What a step is made of


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(2, 500), st.integers(3, 80), st.integers(0, 2**31))
def test_every_row_once_in_batches_of_nearly_equal_size(n_rows, batch_size, seed):
    batches = shuffled_batches(n_rows, batch_size, torch.Generator().manual_seed(seed))
    assert sorted(np.concatenate(batches)) == list(range(n_rows))
    sizes = [len(rows) for rows in batches]
    assert 2 <= min(sizes), "a recording alone has nothing to be compared with"
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert len(batches) == math.ceil(n_rows / batch_size), "more steps than needed"


NUMBERS = st.lists(st.integers(1, 12), min_size=2, max_size=300).map(np.array)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(NUMBERS, st.integers(3, 40), st.integers(0, 2**31))
def test_rows_of_one_number_share_batches(alike, batch_size, seed):
    batches = shuffled_batches(len(alike), batch_size, torch.Generator().manual_seed(seed), alike)
    plain = shuffled_batches(len(alike), batch_size, torch.Generator().manual_seed(seed))
    assert sorted(np.concatenate(batches)) == list(range(len(alike)))
    assert sorted(map(len, batches)) == sorted(map(len, plain)), "no batch smaller than usual, not one more of them"
    numbers = [set(alike[rows].tolist()) for rows in batches]
    known = sorted(set(alike.tolist()))
    assert sum(len(some) - 1 for some in numbers) <= len(known) - 1, "each number runs out once"
    for some in numbers:  # what shares a batch is next to each other
        assert sorted(some) == [one for one in known if min(some) <= one <= max(some)]


def test_equal_numbers_change_nothing_and_different_ones_come_in_random_order():
    seeds = [torch.Generator().manual_seed(3) for _ in range(3)]
    plain, equal, halves = (
        shuffled_batches(400, 20, generator, alike)
        for generator, alike in zip(seeds, (None, np.full(400, 7), np.arange(400) // 200), strict=True)
    )
    assert np.array_equal(plain, equal)
    assert torch.equal(seeds[0].get_state(), seeds[1].get_state())
    order = [rows[0] // 200 for rows in halves]
    assert order not in (sorted(order), sorted(order)[::-1]), "first all of one number, then all of the other"
    assert [len(set(rows // 200)) for rows in halves] == [1] * 20
    assert not all((np.diff(rows) > 0).all() for rows in halves), "rows of one number are shuffled too"


def test_rows_are_shuffled_anew_in_every_epoch_and_the_same_for_the_same_seed():
    order = {
        (seed, epoch): np.concatenate(shuffled_batches(50, 8, epoch_generator(seed, epoch))).tolist()
        for seed in (0, 1)
        for epoch in (0, 1, VALIDATION)
    }
    assert len({tuple(rows) for rows in order.values()}) == 6
    assert order[0, 1] == np.concatenate(shuffled_batches(50, 8, epoch_generator(0, 1))).tolist()


def test_learning_rate_rises_in_a_line_peaks_and_falls_along_a_cosine():
    config = TrainConfig(learning_rate=0.4, warm_up=0.2)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:20] == pytest.approx(np.linspace(0.02, 0.4, 20))
    assert rates[20] == 0.4
    assert rates[60] == pytest.approx(0.2)  # half way down
    assert rates[20:] == pytest.approx(0.2 * (1 + np.cos(np.pi * np.arange(80) / 80)))
    assert 0 < rates[99] < 0.001


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(1, 300), st.floats(0, 1))
def test_learning_rate_never_exceeds_what_was_asked_for(steps, warm_up):
    config = TrainConfig(learning_rate=1.0, warm_up=warm_up)
    rates = np.array([learning_rate(step, steps, config) for step in range(steps)])
    assert (rates > 0).all()
    assert rates.max() == pytest.approx(1.0)
    peak = rates.argmax()
    assert (np.diff(rates[: peak + 1]) > 0).all()
    assert (np.diff(rates[peak:]) <= 1e-12).all()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"epochs": 0}, "epochs 0"),
        ({"batch_size": 2}, "batch_size 2.*at least 3"),
        ({"learning_rate": 0.0}, "learning_rate 0.0.*above 0"),
        ({"learning_rate": math.nan}, "learning_rate nan"),
        ({"warm_up": 1.5}, "warm_up 1.5.*0 to 1"),
        ({"patience": 0}, "patience 0.*at least 1"),
        ({"seed": -1}, "seed -1"),
        ({"precision": "float16"}, "'float16'; choose 'auto', 'float32' or 'bfloat16'"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(wrong, words):
    with pytest.raises(ValueError, match=words):
        TrainConfig(**wrong)


@pytest.mark.parametrize("native", [True, False])
def test_auto_takes_bfloat16_only_where_it_is_native(monkeypatch, native):
    monkeypatch.setattr("selfdana_lite.train_config.computes_bfloat16", lambda device: native)
    product = {}
    for precision in ("auto", "float32", "bfloat16"):
        with TrainConfig(precision=precision).autocast(torch.device("cpu")):
            product[precision] = (X @ TRUTH).dtype
    assert product["auto"] == (torch.bfloat16 if native else torch.float32)
    assert (product["float32"], product["bfloat16"]) == (torch.float32, torch.bfloat16)


def test_an_unknown_kind_of_device_gets_float32():
    assert computes_bfloat16(torch.device("cpu")) in (True, False)
    assert computes_bfloat16(torch.device("meta")) is False


# What the loop as a whole does


def test_fit_is_the_plain_loop_that_anyone_would_write():
    model, twin = network(), network()
    history = train(model)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=FEW.learning_rate, weight_decay=FEW.weight_decay, fused=True)
    losses, step = [], 0
    for epoch in range(5):
        generator = epoch_generator(FEW.seed, epoch)
        batches, total = shuffled_batches(20, 6, generator), 0.0
        for rows in batches:
            optimizer.param_groups[0]["lr"] = learning_rate(step, 5 * len(batches), FEW)
            x, y = noisy_rows(ROWS, rows, generator)
            loss = F.mse_loss(twin(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, step = total + loss.item() * len(rows), step + 1
        losses.append(total / 20)
    assert differing(weights(model), weights(twin)) == set()
    assert history["loss"].tolist() == losses


def test_fit_finds_the_known_answer():
    model = nn.Linear(3, 1)
    config = TrainConfig(epochs=150, batch_size=10, learning_rate=0.1, weight_decay=0, precision="float32")
    history = train(model, config, prepare=lambda _, rows, generator: (X[rows], X[rows] @ TRUTH))
    assert history["loss"].iloc[-1] < 1e-4 < history["loss"].iloc[0]
    assert model.weight.detach().T.numpy() == pytest.approx(TRUTH.numpy(), abs=0.01)


def test_history_has_a_row_an_epoch_and_adds_up():
    history = train(network(), validation=ROWS)
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert (history["recordings_per_s"] * history["seconds"]).to_numpy() == pytest.approx(np.full(5, 20.0))
    assert history["data_share"].between(0, 1).all()
    assert history["learning_rate"].iloc[-1] == learning_rate(19, 20, FEW)
    assert history["validation_loss"].notna().all()


def test_after_each_epoch_the_new_row_is_shown_and_nothing_that_is_done_with_it_matters():
    model, twin, rows = network(), network(), []

    def look(row):
        rows.append(dict(row))
        model.eval()(X)  # as a probe would; the next epoch trains in training mode all the same
        row.clear()

    history = train(model, validation=ROWS, after_epoch=look)
    train(twin, validation=ROWS)
    assert rows == history.to_dict("records")
    assert differing(weights(model), weights(twin)) == set()


def test_after_epoch_sees_the_checkpoint_of_that_epoch_and_only_the_epochs_that_are_still_to_do(tmp_path):
    path, seen = tmp_path / "run", []

    def look(row):
        assert len(json.loads(read_tensors(path)[1]["history"])) == row["epoch"]
        seen.append(row["epoch"])
        if row["epoch"] == 2:
            raise PowerCut

    with pytest.raises(PowerCut):
        train(network(), checkpoint=path, after_epoch=look)
    train(network(), checkpoint=path, after_epoch=look)
    assert seen == [1, 2, 3, 4, 5]


def test_batches_of_training_and_of_validation_hold_rows_that_are_alike():
    seen, alike = [], np.arange(20) % 2

    def prepare(rows_of, rows, generator):
        seen.append(set(alike[rows].tolist()))
        return noisy_rows(rows_of, rows, generator)

    config = TrainConfig(epochs=3, batch_size=5, precision="float32")
    train(network(), config, prepare, validation=ROWS, alike=lambda rows: alike[list(rows)])
    assert len(seen) == 3 * 2 * 4
    assert all(len(some) == 1 for some in seen)


def test_only_parameters_that_ask_for_gradients_are_trained():
    model = network()
    model[0].requires_grad_(False)
    before = weights(model)
    train(model)
    changed = differing(before, weights(model))
    assert {"3.weight", "3.bias", "1.weight"} <= changed
    assert not {"0.weight", "0.bias"} & changed


def test_validation_uses_the_same_draws_every_time_and_changes_nothing():
    with_it, without = network(), network()
    still = TrainConfig(epochs=4, batch_size=6, learning_rate=1e-12, weight_decay=0, precision="float32")
    model = nn.Linear(3, 1)
    losses = train(model, still, validation=ROWS)["validation_loss"]
    assert losses.to_numpy() == pytest.approx(np.full(4, losses[0]), rel=1e-6)
    train(with_it, validation=ROWS)
    train(without)
    assert differing(weights(with_it), weights(without)) == set()


def test_the_same_seed_gives_the_same_run_another_seed_another_and_no_global_draw_is_made():
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002 - to see that nobody touches it
    runs = {}
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        model = network()
        losses = train(model, TrainConfig(epochs=2, batch_size=6, seed=seed, precision="float32"))["loss"].tolist()
        runs[name] = losses, weights(model)
    assert runs["first"][0] == runs["again"][0]
    assert differing(runs["first"][1], runs["again"][1]) == set()
    assert runs["first"][0] != runs["other"][0]
    assert torch.get_rng_state().equal(before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


@pytest.mark.parametrize(("rows", "validation", "what"), [(range(1), None, "train on"), (ROWS, range(1), "validate with")])
def test_one_recording_is_too_few(rows, validation, what):
    with pytest.raises(ValueError, match=rf"1 recording to {what}.*at least 2"):
        train(network(), rows=rows, validation=validation)


# Patience


def scripted(model: nn.Module, validation_losses: list[float], seen: list[dict]):
    """A loss that is real in training, and read from a script in validation (one batch an epoch)."""
    script = iter(validation_losses)

    def loss_of(batch):
        if model.training:
            return F.mse_loss(model(batch[0]), batch[1])
        seen.append(weights(model))
        return torch.tensor(next(script))

    return loss_of


@pytest.mark.parametrize(
    ("script", "patience", "epochs_run", "best"),
    [
        ([5, 4, 3, 2, 1.0], 1, 5, 4),  # better every time: never stopped
        ([5, 4, 4, 4, 1.0], 2, 4, 1),  # as good is not better
        ([5, 3, 4, 2, 2.5], 2, 5, 3),  # one bad epoch is forgiven
        ([1, 2, 3, 4, 5.0], 1, 2, 0),
        ([1, 2, 3, 4, 5.0], None, 5, 4),  # without patience the last epoch is kept
    ],
)
def test_early_stop_gives_back_the_best_weights(script, patience, epochs_run, best):
    model, seen = network(), []
    config = TrainConfig(epochs=5, batch_size=20, patience=patience, precision="float32")
    history = train(model, config, loss_of=scripted(model, script, seen), validation=ROWS)
    assert history["validation_loss"].tolist() == script[:epochs_run]
    assert differing(weights(model), seen[best]) == set()


def test_patience_needs_something_to_watch():
    with pytest.raises(ValueError, match="patience is 3, but there are no validation recordings"):
        train(network(), TrainConfig(patience=3))


# Accidents


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training_and_leaves_the_model_as_before_that_step(value):
    model, twin, calls = network(), network(), iter(range(100))
    bad_rows = []

    def loss_of(batch):
        loss = F.mse_loss(model(batch[0] * (1e30 if (now := next(calls)) == 6 else 1)), batch[1])
        return loss * value if now == 6 else loss

    def prepare(rows_of, rows, generator):
        bad_rows[:] = rows.tolist()
        return noisy_rows(rows_of, rows, generator)

    words = rf"became {value} at step 6 \(epoch 2.*Lower learning_rate \(now 0.002\)"
    with pytest.raises(TrainingError, match=words) as stopped:
        train(model, prepare=prepare, loss_of=loss_of)
    assert str(bad_rows) in str(stopped.value)
    with pytest.warns(UserWarning, match="Stopped by hand in epoch 2"):  # the twin did the same six steps
        train(twin, prepare=at_step(6, stop))
    assert differing(weights(model), weights(twin)) == set(), "batch norm's running statistics count too"
    assert not model.training


def test_a_gradient_that_is_not_finite_stops_before_the_weights_take_it():
    """The loss of sqrt(x) at 0 is a fine number; its slope is not."""
    model, calls = network(), iter(range(100))

    def loss_of(batch):
        loss = F.mse_loss(model(batch[0]), batch[1])
        return loss + (model[0].weight.flatten()[0] * 0).abs().sqrt() if next(calls) == 6 else loss

    with pytest.raises(TrainingError, match=r"gradient's norm became nan at step 6 \(epoch 2.*those of the step before"):
        train(model, loss_of=loss_of)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_a_validation_loss_that_is_not_finite_stops_too():
    def loss_of(batch):
        return batch[0].sum() * math.nan if not model.training else F.mse_loss(model(batch[0]), batch[1])

    model = network()
    with pytest.raises(TrainingError, match="validation loss became nan after epoch 1"):
        train(model, loss_of=loss_of, validation=ROWS)


def test_stopped_by_hand_the_history_has_the_whole_epochs_and_a_warning_says_which_weights_these_are():
    model = network()
    with pytest.warns(UserWarning, match="in epoch 3; the weights are those of the last step"):
        history = train(model, prepare=at_step(9, stop))
    assert history["epoch"].tolist() == [1, 2]
    assert not model.training


def test_stopped_by_hand_with_patience_the_best_epoch_is_kept():
    model, seen = network(), []
    config = TrainConfig(epochs=5, batch_size=20, patience=4, precision="float32")
    prepare = at_step(4, stop)  # an epoch is a step of training and one of validation
    with pytest.warns(UserWarning, match="in epoch 3; the weights are those of the best epoch so far"):
        train(model, config, prepare, scripted(model, [1.0, 2.0], seen), validation=ROWS)
    assert differing(weights(model), seen[0]) == set()


# Going on


@pytest.mark.parametrize("accident", [power_cut, stop])
@pytest.mark.parametrize("step", [4, 11, 19])
@pytest.mark.parametrize("patience", [None, 2])
def test_resuming_is_exact_to_the_last_bit(tmp_path, accident, step, patience):
    config = TrainConfig(epochs=5, batch_size=6, learning_rate=0.05, patience=patience, precision="float32")
    options = {} if patience is None else {"validation": ROWS}
    whole, broken = network(), network()
    expected = train(whole, config, **options)

    path, at = tmp_path / "run.safetensors", step * (1 if patience is None else 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(PowerCut):
            train(broken, config, at_step(at, accident), checkpoint=path, **options)
    revived = network(seed=99)  # what it starts from does not matter: the checkpoint has it all
    history = train(revived, config, checkpoint=path, **options)
    results = ["epoch", "loss", "learning_rate", *(["validation_loss"] if options else [])]
    assert history[results].equals(expected[results])
    assert differing(weights(revived), weights(whole)) == set()
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


def test_going_on_with_a_finished_run_trains_nothing_and_gives_the_same(tmp_path):
    model, later = network(), network(seed=1)
    config = TrainConfig(epochs=4, batch_size=6, learning_rate=0.3, patience=1, precision="float32")
    first = train(model, config, validation=ROWS, checkpoint=tmp_path / "run")
    again = train(later, config, power_cut, validation=ROWS, checkpoint=tmp_path / "run")
    assert again.equals(first)
    assert differing(weights(later), weights(model)) == set()


def test_a_disk_that_fills_up_while_saving_leaves_the_checkpoint_of_the_epoch_before(tmp_path, monkeypatch):
    whole = network()
    train(whole)
    saves = iter(range(10))

    def full(source, target):
        if next(saves) == 2:
            raise OSError(28, "No space left on device")
        source.rename(target)

    monkeypatch.setattr("selfdana_lite.checkpoint.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        train(network(), checkpoint=tmp_path / "run")
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    assert len(json.loads(read_tensors(tmp_path / "run")[1]["history"])) == 2
    revived = network()
    train(revived, checkpoint=tmp_path / "run")
    assert differing(weights(revived), weights(whole)) == set()


@pytest.mark.parametrize(
    ("changed", "options", "words"),
    [
        ({"seed": 1}, {}, "seed was 0 and is 1 now"),
        ({"learning_rate": 0.5, "epochs": 9}, {}, "epochs was 5 and is 9 now; learning_rate was 0.002 and is 0.5 now"),
        ({}, {"rows": range(12)}, "recordings was 20 and is 12 now"),
        ({}, {"settings": {"leads": "I"}}, "leads was not there and is 'I' now"),
    ],
)
def test_other_settings_on_resuming_are_named_and_nothing_is_touched(tmp_path, changed, options, words):
    path = tmp_path / "run"
    train(network(), checkpoint=path)
    model, before, digest = network(seed=5), weights(network(seed=5)), path.read_bytes()
    settings = {"epochs": 5, "batch_size": 6, "precision": "float32"} | changed
    with pytest.raises(CheckpointError, match=rf"other settings: {words}\. Name another file") as refusal:
        train(model, TrainConfig(**settings), checkpoint=path, **options)
    assert "weight_decay" not in str(refusal.value), "names what is the same"
    assert differing(before, weights(model)) == set()
    assert path.read_bytes() == digest


def test_a_file_that_is_no_training_or_of_another_network_is_refused(tmp_path):
    path = tmp_path / "run"
    save_file(network().state_dict(), path)
    with pytest.raises(CheckpointError, match="holds no training to go on with"):
        train(network(), checkpoint=path)
    path.unlink()
    train(network(), checkpoint=path)
    wider = nn.Sequential(nn.Linear(3, 9), nn.Linear(9, 1))
    with pytest.raises(CheckpointError, match=r"another network.*first: 0\.bias"):
        train(wider, checkpoint=path)
    whole = path.read_bytes()
    for length in (0, 5, 8, 300, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="damaged or truncated"):
            train(network(), checkpoint=path)
        assert path.read_bytes() == whole[:length], "a damaged checkpoint must not be overwritten"
    with pytest.raises(CheckpointError, match="is not a file"):
        train(network(), checkpoint=tmp_path)


def test_the_bar_counts_recordings_and_goes_on_where_it_was(tmp_path, capsys):
    model = network()
    loss_of = lambda batch: F.mse_loss(model(batch[0]), batch[1])  # noqa: E731
    fit(model, ROWS, noisy_rows, loss_of, FEW)
    shown = capsys.readouterr()
    assert shown.out == "", "the bar belongs on stderr"
    assert "100/100" in shown.err
    assert "recordings/s" in shown.err
    assert "epoch=5/5" in shown.err
    train(model)
    assert capsys.readouterr().err == ""
