"""An epoch of training under the meter: one row of the table of costs, in a process that does nothing else.

    import, open, build, one smallest step | two warm-up steps | an epoch, in equal parts
                                           |-- growth of the resident set: its peak ----|
                                                               |-- seconds: their median|

What the process holds before (the libraries alone take some 180 MB) would hide what is measured.
"""

import gc
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import psutil
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from selfdana_lite.backbones import ResidualBlock, convolution
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier
from selfdana_lite.encoders import build_encoder
from selfdana_lite.leads import LEAD_SETS, LEADS, lead_ids
from selfdana_lite.loop import TrainConfig, adamw, shuffled_batches
from selfdana_lite.objectives import NTXent, TwoViews, two_halves

COSTS = ("peak_cpu_mb", "peak_gpu_mb", "epoch_cpu_s", "epoch_gpu_s", "epoch_wall_s")


def answer() -> None:
    """One job as JSON from standard input; its row as JSON to standard output."""
    json.dump(measure_row(json.load(sys.stdin)), sys.stdout)


def measure_row(job: dict) -> dict:
    """One row of the table, from its job: model, kind, lead_set, phase, device, precision, repeats, dataset."""
    torch.manual_seed(0)
    dataset, device = EcgDataset.open(job["dataset"]), torch.device(job["device"])
    load_libraries(device)
    encoder, step = training_step(job, dataset, device)
    step(np.arange(1 if job["phase"] == "fine-tune" else 2))  # a contrast needs two recordings
    batches = shuffled_batches(len(dataset), TrainConfig.batch_size, torch.Generator().manual_seed(0))
    count = min(job["repeats"], len(batches))
    with PeakMemory() as memory:
        for rows in (batches[0], batches[-1]):  # libraries choose kernels for a shape when they first meet it
            step(rows)
        parts = [measure_part(step, batches[part::count], memory, device) for part in range(count)]
    parts = pd.DataFrame(parts)
    for name in ("epoch_cpu_s", "epoch_gpu_s", "epoch_wall_s"):
        parts[name] *= len(dataset) / parts["recordings"]  # a part's seconds, had it been the whole epoch
    median, largest = parts.median(), parts.max()
    leads = len(LEAD_SETS[job["lead_set"]])
    slots = len(LEADS) if job["model"].endswith("zero-pad") else leads
    return {
        "model": job["model"],
        "lead_set": job["lead_set"],
        "n_leads": leads,
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        "bytes_read": 2 * leads * dataset.n_samples,  # int16
        "input_bytes": 4 * slots * dataset.n_samples,  # float32
        **count_work(step, batches[0]),
        **{cost: float(largest[cost] if cost.startswith("peak") else median[cost]) for cost in COSTS},
        **{f"{cost}_spread": float(largest[cost] - parts[cost].min()) for cost in COSTS},
    }


def load_libraries(device: torch.device) -> None:
    """Have the code loaded that every model's steps run through.

    PyTorch computes small convolutions of a single recording itself and hands all others to oneDNN. Some 10 MB of its
    code would be counted against the models so small that their smallest step does not load it.
    """
    network = nn.Sequential(convolution(16, 16, kernel=9, stride=4), ResidualBlock(16, 32, kernel=3, stride=2), nn.Softmax(1))
    pictures = torch.randn(2, 16, 1, 256, device=device).contiguous(memory_format=torch.channels_last)
    network.to(device)(pictures).sum().backward()


def training_step(job: dict, dataset: EcgDataset, device: torch.device) -> tuple[nn.Module, Callable[[np.ndarray], float]]:
    """The encoder of a job, and one plain step of training it on the given rows, which returns the loss."""
    leads, config = LEAD_SETS[job["lead_set"]], TrainConfig(precision=job["precision"])
    encoder = build_encoder(job["kind"])
    encoder = TwelveSlots(encoder) if job["model"] == "per-lead+zero-pad" else encoder
    supervised = job["phase"] == "fine-tune"
    model = Classifier(encoder, dataset.label_names, leads, frozen=False) if supervised else TwoViews(encoder, NTXent())
    model.to(device).train()
    optimizer = adamw(model, config)

    def step(rows: np.ndarray) -> float:
        signals_mv = dataset.batch(rows, leads).to(device)  # [B, k, T]
        with config.autocast(device):
            if supervised:
                labels = torch.from_numpy(dataset.labels[rows]).float().to(device)  # [B, classes]
                loss = F.binary_cross_entropy_with_logits(model(signals_mv, leads), labels)
            else:
                loss = model(*((half, leads) for half in two_halves(signals_mv)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return encoder, step


class TwelveSlots(nn.Module):
    """A per-lead encoder fed as most networks are today: twelve leads, those that are absent all zeros."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder, self.embedding_size = encoder, encoder.embedding_size

    def forward(self, signals_mv: Tensor, leads: Sequence[str]) -> Tensor:
        batch, _, samples = signals_mv.shape
        twelve = signals_mv.new_zeros(batch, len(LEADS), samples)
        twelve[:, lead_ids(leads)] = signals_mv
        return self.encoder(twelve, LEADS)


def measure_part(step: Callable, batches: list[np.ndarray], memory: "PeakMemory", device: torch.device) -> dict[str, float]:
    """What some steps cost, not yet scaled to an epoch."""
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    for rows in batches:
        step(rows)
    if on_gpu:
        end.record()
        end.synchronize()
    return {
        "recordings": sum(map(len, batches)),
        "epoch_cpu_s": time.process_time() - cpu_s,
        "epoch_wall_s": time.perf_counter() - wall_s,
        "epoch_gpu_s": begin.elapsed_time(end) / 1000 if on_gpu else math.nan,
        "peak_cpu_mb": memory.take_mb(),
        "peak_gpu_mb": torch.cuda.max_memory_allocated(device) / 1e6 if on_gpu else math.nan,
    }


class PeakMemory:
    """How far this process's resident set has grown, looked at every 2 ms: shorter peaks may be missed.

    The steps under the meter do without freed_memory_kept: what is kept for the next step would look as if it were in use.

    with PeakMemory() as memory: ...; memory.take_mb()   # works alike on Linux, macOS and Windows
    """

    def __enter__(self) -> "PeakMemory":
        gc.collect()
        self._process, self._done = psutil.Process(), threading.Event()
        self._start = self._peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def take_mb(self) -> float:
        """The peak since the last call, in MB above the beginning."""
        now = self._process.memory_info().rss
        peak, self._peak = max(self._peak, now), now
        return (peak - self._start) / 1e6


def count_work(step: Callable[[np.ndarray], float], rows: np.ndarray) -> dict[str, float]:
    """Counted in one step, not measured: what waits for its backward pass; operations in convolutions and matrix products."""
    kept: dict[int, int] = {}  # one entry a block of memory, however many tensors look at it

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with FlopCounterMode(display=False) as flops, torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step(rows)
    return {"tensor_mb": sum(kept.values()) / 1e6, "gflop_per_recording": flops.get_total_flops() / len(rows) / 1e9}
