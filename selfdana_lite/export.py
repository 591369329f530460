"""An encoder for programs that know nothing of this kit: one lead set, one length, any number of recordings."""

import copy
import json
import os
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from selfdana_lite.encoders import Encoder, check_samples, pool_time
from selfdana_lite.leads import lead_ids, parse_leads


class _FixedLeads(nn.Module):
    """signals_mv [B, leads, samples] -> embedding [B, D], without a look at what the signals hold."""

    def __init__(self, encoder: Encoder, leads: tuple[str, ...]):
        super().__init__()
        self.encoder = copy.deepcopy(encoder).cpu()
        self.register_buffer("ids", torch.tensor(lead_ids(leads)))

    def forward(self, signals_mv: Tensor) -> Tensor:
        ids = self.ids.expand(signals_mv.shape[0], -1)  # [B, leads]; len() would freeze B to a number
        return pool_time(self.encoder.trunk(self.encoder.frames(signals_mv, ids)))


def export_encoder(encoder: Encoder, path: str | os.PathLike, leads: str | Iterable[str], samples: int) -> None:
    """Write the encoder into one file, for float32 millivolt [batch, leads, samples] with exactly these leads in this order.

    path: *.pt2 for PyTorch without this kit, torch.export.load(path).module()(signals_mv); or *.onnx for ONNX runtimes, which
        pip install 'selfdana_lite[onnx]' can write. Input "signals_mv", output "embeddings" [batch, embedding_size].
    samples: the length of each recording, at the encoder's sampling rate.

    The leads, the rate and the unit stand in the file's metadata ("selfdana_lite", a JSON text), but nothing checks them, nor
    that all samples are finite, as the encoder itself does. Raises FileExistsError rather than overwrite, LeadError for an
    unknown lead, and ValueError for another ending, too few samples, or a zero-pad-sliced encoder, whose kernel depends on
    the leads of a batch (zero-pad computes the same).
    """
    path, leads = Path(path), parse_leads(leads)
    if path.suffix not in (".pt2", ".onnx"):
        raise ValueError(f"Found the file name {path.name!r}; end it in .pt2 (torch.export) or .onnx (ONNX).")
    if encoder.config.kind == "zero-pad-sliced":
        raise ValueError("A zero-pad-sliced encoder cannot be exported; load its weights into a zero-pad one, its equal.")
    if path.exists():
        raise FileExistsError(f"{path} exists already; choose another place, or move it away first.")
    example = torch.zeros(2, len(leads), samples)
    check_samples(example)
    batch = {0: torch.export.Dim("batch")}
    with torch.no_grad():
        program = torch.export.export(_FixedLeads(encoder, leads).eval(), (example,), dynamic_shapes={"signals_mv": batch})
    facts = {"leads": leads, "samples": samples, "sampling_rate_hz": encoder.config.sampling_rate_hz, "unit": "mV"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as unfinished:
        whole = Path(unfinished) / path.name
        (_write_onnx if path.suffix == ".onnx" else _write_program)(program, whole, json.dumps(facts))
        whole.rename(path)


def _write_program(program: torch.export.ExportedProgram, path: Path, facts: str) -> None:
    torch.export.save(program, path, extra_files={"selfdana_lite": facts})


def _write_onnx(program: torch.export.ExportedProgram, path: Path, facts: str) -> None:
    try:
        import onnxscript  # noqa: F401 - torch's exporter needs it, and says so at length
    except ImportError as error:
        raise ImportError("Writing ONNX needs more packages: pip install 'selfdana_lite[onnx]'.") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's exporter itself calls what torch is giving up
        # Not "embedding", which is a lookup's name inside.
        model = torch.onnx.export(program, dynamo=True, verbose=False, output_names=["embeddings"])
    model.model.metadata_props["selfdana_lite"] = facts
    model.save(path, external_data=False)
