"""The Hugging Face Hub's conventions: its own mixin reads what this kit saves, and the other way round. No network."""

import importlib
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from small import differing, seeded_encoder, weights

from selfdana_lite.checkpoint import load_encoder, save_encoder
from selfdana_lite.hub import HubEncoder


@pytest.fixture
def encoder():
    encoder = seeded_encoder(kind="dap", slots=2, op="mean")
    encoder.train()(torch.randn(4, 12, 128), torch.arange(12))
    return encoder.eval()


def test_from_pretrained_reads_what_save_encoder_writes(encoder, tmp_path):
    save_encoder(encoder, tmp_path / "encoder")
    found = HubEncoder.from_pretrained(tmp_path / "encoder")
    assert found.config == encoder.config, "not the defaults"
    assert differing(weights(found), weights(encoder)) == set()
    assert not found.training
    signals_mv = torch.randn(2, 1, 128)
    with torch.no_grad():
        assert found(signals_mv, "V2").equal(encoder(signals_mv, "V2"))


def test_load_encoder_reads_what_save_pretrained_writes(encoder, tmp_path):
    save_encoder(encoder, tmp_path / "first")
    HubEncoder.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    found = load_encoder(tmp_path / "second")
    assert found.config == encoder.config
    assert differing(weights(found), weights(encoder)) == set()


def test_weights_that_are_missing_are_no_small_matter(encoder, tmp_path):
    save_encoder(encoder, tmp_path / "encoder")
    path = tmp_path / "encoder" / "model.safetensors"
    kept = load_file(path)
    kept.pop("join_leads.stem.0.weight")
    save_file(kept, path)
    with pytest.raises(RuntimeError, match=r"join_leads\.stem\.0\.weight"):
        HubEncoder.from_pretrained(tmp_path / "encoder")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "selfdana_lite.hub")
    with pytest.raises(ImportError, match=r"pip install 'selfdana_lite\[hub\]'"):
        importlib.import_module("selfdana_lite.hub")
