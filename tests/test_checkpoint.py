"""Weights on disk: the same bits come back, damage is named, nothing runs, nothing on disk is lost."""

import contextlib
import hashlib
import json
import pickle
import resource
import stat

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import save_file
from small import differing, seeded_encoder, weights

from selfdana_lite.checkpoint import CheckpointError, load_encoder, read_tensors, save_encoder, write_tensors


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """An encoder and the folder that it was saved in; copy the folder before spoiling it."""
    encoder = seeded_encoder(kind="dap", op="mean")
    encoder.train()(torch.randn(4, 12, 128), torch.arange(12))  # batch norm has something to remember
    folder = tmp_path_factory.mktemp("saved") / "encoder"
    save_encoder(encoder, folder)
    return encoder.eval(), folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy to spoil."""
    copy = tmp_path / "encoder"
    copy.mkdir()
    for file in saved[1].iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def digests(folder) -> dict[str, str]:
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("kind", ["lead-attention", "lead-max", "dap", "zero-pad", "zero-pad-sliced"])
@pytest.mark.parametrize("backbone", ["conv", "conv-transformer"])
def test_what_is_saved_comes_back_bit_for_bit(tmp_path, kind, backbone):
    encoder = seeded_encoder(kind=kind, backbone=backbone)
    encoder.train()(torch.randn(4, 12, 128), torch.arange(12))
    save_encoder(encoder, tmp_path / "new" / "encoder")
    loaded = load_encoder(tmp_path / "new" / "encoder")
    assert loaded.config == encoder.config
    assert differing(weights(encoder), weights(loaded)) == set()
    assert not loaded.training
    signals_mv = torch.randn(2, 3, 100)
    with torch.no_grad():
        assert loaded(signals_mv, "I, II, V2").equal(encoder.eval()(signals_mv, "I, II, V2"))


def test_a_folder_holds_weights_and_json_and_nothing_else_and_others_may_read_it(saved):
    encoder, folder = saved
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert json.loads((folder / "config.json").read_text())["kind"] == encoder.config.kind
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert all(file.stat().st_mode & stat.S_IRGRP for file in folder.iterdir())
    assert [file.name for file in folder.parent.iterdir()] == ["encoder"], "stray files beside it"


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, 5000, -1000, -1])
def test_a_truncated_file_is_called_so(folder, length):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    before = digests(folder)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged or truncated.*expected safetensors"):
        load_encoder(folder)
    assert digests(folder) == before


def test_a_truncated_file_that_begins_like_a_pickle_is_still_called_truncated(tmp_path):
    path = tmp_path / "half"
    for length in range(1000, 1152, 8):  # of a header that is padded to a multiple of 8
        write_tensors(path, {"a": torch.zeros(100)}, {"note": "x" * length})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[:2] == b"\x80\x04"  # the header's length, 0x480; and what pickle's protocol 4 begins with
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="damaged or truncated"):
        read_tensors(path)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_wrong_byte_in_the_header_is_refused_or_does_no_harm(saved, place, mask):
    encoder, intact = saved
    content = bytearray((intact / "model.safetensors").read_bytes())
    end = 8 + int.from_bytes(content[:8], "little")
    content[int(place * end)] ^= mask
    broken = intact.parent.parent / "broken"
    broken.mkdir(exist_ok=True)
    (broken / "config.json").write_bytes((intact / "config.json").read_bytes())
    (broken / "model.safetensors").write_bytes(content)
    with contextlib.suppress(CheckpointError):
        assert differing(weights(encoder), weights(load_encoder(broken))) == set()


class Trap:
    """Unpickling this would call for attention."""

    def __reduce__(self):
        return (pytest.fail, ("A pickle was executed.",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_in_disguise_is_not_executed(folder, protocol):
    (folder / "model.safetensors").write_bytes(pickle.dumps({"stem": Trap()}, protocol))
    words = "is a pickle, which could run code and is never loaded" if protocol >= 2 else "damaged"  # 0 and 1 are plain text
    with pytest.raises(CheckpointError, match=words):
        load_encoder(folder)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_save_writes_is_called_a_pickle(folder, saved, zipped):
    torch.save(saved[0].state_dict(), folder / "model.safetensors", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match="is a pickle"):
        load_encoder(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=rf"lacks {name}; an encoder's folder holds"):
        load_encoder(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere lacks config\.json"):
        load_encoder(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('{"kind": "dap", "backbone": "conv", "slots": 4', "does not describe an encoder"),  # cut short
        ("[1, 2]", "does not describe an encoder"),
        ('{"kind": "transformer-xl"}', "Unknown encoder kind 'transformer-xl'"),
        ('{"kind": "dap", "leads": 12}', "leads"),  # a field that this kit does not know
        ('{"kind": "dap", "slots": 0}', "slots"),
        ("\udcff", "does not describe an encoder"),
    ],
)
def test_a_config_that_describes_no_encoder_is_refused(folder, config, words):
    (folder / "config.json").write_bytes(config.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckpointError, match=words) as refusal:
        load_encoder(folder)
    assert "config.json" in str(refusal.value)


@pytest.mark.parametrize(
    "config", [{"kind": "zero-pad"}, {"kind": "dap", "slots": 2}, {"kind": "dap", "backbone": "conv-transformer"}]
)
def test_the_config_of_another_network_is_refused(folder, config):
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"weights of another network: \d+ of \d+ tensors differ.*first: \w"):
        load_encoder(folder)


def test_the_weights_of_another_network_are_refused(folder):
    save_file(torch.nn.Linear(3, 2).state_dict(), folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="another network"):
        load_encoder(folder)


def test_weights_of_another_type_are_refused(folder, saved):
    halves = {name: tensor.half() for name, tensor in saved[0].state_dict().items()}
    save_file(halves, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="name, shape or type"):
        load_encoder(folder)


@pytest.mark.parametrize("make", ["folder", "file"])
def test_nothing_is_overwritten(folder, make):
    if make == "file":
        target = folder / "config.json"
    else:
        target = folder
        (folder / "notes.txt").write_text("mine")
    before = digests(folder.parent)
    with pytest.raises(FileExistsError, match=rf"{target.name} exists already; choose another place"):
        save_encoder(seeded_encoder(seed=1), target)
    assert digests(folder.parent) == before


@contextlib.contextmanager
def largest_file(size: int):
    """A real fault of the disk: the system refuses to let a file grow further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_leaves_no_half_encoder(tmp_path):
    with largest_file(50_000), pytest.raises((SafetensorError, OSError), match="too large"):
        save_encoder(seeded_encoder(), tmp_path / "encoder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("accident", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("part", ["checkpoint.save", "checkpoint.json.dumps", "checkpoint.Path.rename"])
def test_an_accident_at_any_point_of_saving_leaves_nothing(tmp_path, monkeypatch, part, accident):
    def fail(*_, **__):
        raise accident

    encoder = seeded_encoder()
    with monkeypatch.context() as patch:
        patch.setattr(f"selfdana_lite.{part}", fail)
        with pytest.raises(type(accident)):
            save_encoder(encoder, tmp_path / "encoder")
    assert list(tmp_path.iterdir()) == []
    save_encoder(encoder, tmp_path / "encoder")  # and it works when the cause is gone


def test_replacing_a_checkpoint_keeps_the_old_one_whole_when_the_disk_is_full(tmp_path):
    path = tmp_path / "run.safetensors"
    write_tensors(path, {"a": torch.arange(10.0)}, {"epoch": "1"})
    with largest_file(50_000), pytest.raises((SafetensorError, OSError), match="too large"):
        write_tensors(path, {"a": torch.zeros(100_000)}, {"epoch": "2"})
    tensors, metadata = read_tensors(path)
    assert tensors["a"].tolist() == list(range(10))
    assert metadata["epoch"] == "1"
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


@pytest.mark.parametrize("accident", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("part", ["save", "os.replace"])
def test_an_accident_while_replacing_leaves_the_old_checkpoint(tmp_path, monkeypatch, part, accident):
    def fail(*_, **__):
        raise accident

    path = tmp_path / "run.safetensors"
    write_tensors(path, {"a": torch.arange(10.0)}, {})
    before = digests(tmp_path)
    monkeypatch.setattr(f"selfdana_lite.checkpoint.{part}", fail)
    with pytest.raises(type(accident)):
        write_tensors(path, {"a": torch.zeros(10)}, {})
    assert digests(tmp_path) == before


def test_what_a_kill_left_of_an_encoder_does_not_hinder_the_next_save(tmp_path):
    unfinished = tmp_path / ".encoder.unfinished"
    unfinished.mkdir()
    (unfinished / "model.safetensors").write_bytes(b"half an enc")
    (unfinished / "other").write_bytes(b"")
    save_encoder(seeded_encoder(), tmp_path / "encoder")
    assert [file.name for file in tmp_path.iterdir()] == ["encoder"]
    assert sorted(file.name for file in (tmp_path / "encoder").iterdir()) == ["config.json", "model.safetensors"]


def test_what_a_kill_left_behind_does_not_hinder_the_next_save(tmp_path):
    path = tmp_path / "run.safetensors"
    (tmp_path / ".run.safetensors.unfinished").write_bytes(b"half a check")
    write_tensors(path, {"a": torch.zeros(3)}, {"note": "é"})
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]
    assert read_tensors(path)[1] == {"note": "é"}


def test_tensors_that_are_views_are_written_as_they_look(tmp_path):
    grid = torch.arange(12.0).reshape(3, 4)
    write_tensors(tmp_path / "views", {"turned": grid.T, "scalar": torch.tensor(2.0)}, {})
    tensors, _ = read_tensors(tmp_path / "views")
    assert tensors["turned"].equal(grid.T)
    assert tensors["scalar"].equal(torch.tensor(2.0))
