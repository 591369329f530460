"""What is exported computes what the encoder computes, for any number of recordings, and says what it wants."""

import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from small import differing, seeded_encoder, weights

from selfdana_lite.encoders import Encoder
from selfdana_lite.export import export_encoder
from selfdana_lite.leads import LeadError

LEAD_SET, SAMPLES = "I, V2", 100
FORMATS = [".pt2", ".onnx"]


def experienced(**options) -> Encoder:
    """An encoder whose batch norms have statistics of their own, so that training mode would give other numbers."""
    encoder = seeded_encoder(**options)
    encoder.train()(torch.randn(4, 12, SAMPLES), torch.arange(12))
    return encoder


def recordings(batch: int, leads: int = 2) -> torch.Tensor:
    return torch.randn(batch, leads, SAMPLES, generator=torch.Generator().manual_seed(batch))


def run(path, signals_mv: torch.Tensor) -> np.ndarray:
    """The embeddings, by a program that this kit has no part in."""
    if path.suffix == ".pt2":
        return torch.export.load(path).module()(signals_mv).detach().numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["embeddings"], {"signals_mv": signals_mv.numpy()})[0]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("kind", "backbone"),
    [("lead-attention", "conv"), ("dap", "conv-transformer"), ("lead-max", "conv"), ("zero-pad", "conv")],
)
def test_the_file_computes_what_the_encoder_does_for_any_number_of_recordings(tmp_path, suffix, kind, backbone):
    encoder, path = experienced(kind=kind, backbone=backbone), tmp_path / f"encoder{suffix}"
    before = weights(encoder)
    export_encoder(encoder, path, LEAD_SET, SAMPLES)
    assert [file.name for file in tmp_path.iterdir()] == [path.name], "one file, with its weights in it"
    assert encoder.training, "exporting is none of the encoder's business"
    assert differing(before, weights(encoder)) == set()
    for batch in (1, 2, 5):
        with torch.no_grad():
            expected = encoder.eval()(recordings(batch), LEAD_SET).numpy()
        assert run(path, recordings(batch)) == pytest.approx(expected, abs=1e-5, rel=1e-4)


def test_leads_are_those_asked_for_in_the_order_asked_for(tmp_path):
    encoder, signals_mv = experienced().eval(), recordings(3, leads=3)
    for name, leads in (("one", ("V2", "I", "aVR")), ("other", ("II", "I", "V6"))):
        path = tmp_path / f"{name}.pt2"
        export_encoder(encoder, path, leads, SAMPLES)
        with torch.no_grad():
            assert run(path, signals_mv) == pytest.approx(encoder(signals_mv, leads).numpy(), abs=1e-5)


def test_the_file_says_what_it_wants(tmp_path):
    for suffix in FORMATS:
        export_encoder(experienced(), tmp_path / f"encoder{suffix}", LEAD_SET, SAMPLES)
    told = {"selfdana_lite": ""}
    torch.export.load(tmp_path / "encoder.pt2", extra_files=told)
    model = onnx.load(tmp_path / "encoder.onnx")
    facts = {entry.key: entry.value for entry in model.metadata_props}
    for text in (told["selfdana_lite"], facts["selfdana_lite"]):
        assert json.loads(text) == {"leads": ["I", "V2"], "samples": SAMPLES, "sampling_rate_hz": 100.0, "unit": "mV"}
    (wanted,) = model.graph.input
    assert wanted.name == "signals_mv"
    batch, leads, samples = wanted.type.tensor_type.shape.dim
    assert batch.dim_param, "any number of recordings"
    assert (leads.dim_value, samples.dim_value) == (2, SAMPLES)


@pytest.mark.parametrize(
    ("leads", "samples", "name", "error", "words"),
    [
        ("I", SAMPLES, "encoder.pt", ValueError, r"'encoder.pt'; end it in .pt2 .* or .onnx"),
        ("I, V9", SAMPLES, "encoder.pt2", LeadError, "V9"),
        ("I", 10, "encoder.pt2", ValueError, "1 leads of 10 samples; an encoder needs"),
        ("I", SAMPLES, "taken.onnx", FileExistsError, "taken.onnx exists already; choose another place"),
    ],
)
def test_what_cannot_be_exported_is_refused_and_nothing_is_written(tmp_path, leads, samples, name, error, words):
    (tmp_path / "taken.onnx").write_text("mine")
    with pytest.raises(error, match=words):
        export_encoder(seeded_encoder(), tmp_path / name, leads, samples)
    assert [file.name for file in tmp_path.iterdir()] == ["taken.onnx"]
    assert (tmp_path / "taken.onnx").read_text() == "mine"


def test_a_sliced_kernel_is_refused_with_its_equal(tmp_path):
    with pytest.raises(ValueError, match="zero-pad-sliced encoder cannot be exported; load its weights into a zero-pad one"):
        export_encoder(seeded_encoder(kind="zero-pad-sliced"), tmp_path / "encoder.pt2", "I", SAMPLES)
    sliced, padded = experienced(kind="zero-pad-sliced").eval(), seeded_encoder(kind="zero-pad").eval()
    padded.load_state_dict(sliced.state_dict())
    with torch.no_grad():
        assert padded(recordings(3), LEAD_SET).numpy() == pytest.approx(sliced(recordings(3), LEAD_SET).numpy(), abs=1e-5)


def test_without_the_extra_onnx_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"pip install 'selfdana_lite\[onnx\]'"):
        export_encoder(seeded_encoder(), tmp_path / "encoder.onnx", "I", SAMPLES)
    assert list(tmp_path.iterdir()) == []
