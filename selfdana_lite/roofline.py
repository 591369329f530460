"""Where the time of pre-training goes, and how far that is from what one core can do.

    python -m selfdana_lite.roofline ARCHIVE --readme README.md

The limit is measured, not taken from a data sheet: a product of two square matrices or a wide convolution, whichever library is
the faster here, is as fast as arithmetic gets, and a copy of a large array as fast as memory gets (the two roofs of Williams et
al. 2009). All in CPU time of one thread.
"""

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from selfdana_lite.backbones import convolution
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import one_thread
from selfdana_lite.encoders import build_encoder
from selfdana_lite.freed_memory import freed_memory_kept
from selfdana_lite.loop import adamw, shuffled_batches
from selfdana_lite.markdown import markdown_table, write_section
from selfdana_lite.objectives import NTXent, TwoViews
from selfdana_lite.pretraining import PretrainConfig, draw_views, suited_learning_rate

PRECISIONS = ("float32", "bfloat16")
# The parts of a step, by what PyTorch calls their operations; all else passes over arrays once and computes little.
OPTIMISER = "the optimiser"
PARTS = {"convolutions": "convolution", "batch norm": "batch_norm", "matrix products": "mm", OPTIMISER: "Optimizer."}
REST = "everything else: sums, products, copies, ReLU"
BEST_OF = 5


def matmul_gflops(precision: str, size: int = 1024) -> float:
    """Billions of operations a second in a product of two matrices [size, size]."""
    a = torch.randn(size, size, dtype=getattr(torch, precision))
    return 2 * size**3 / 1e9 / _least_seconds(lambda: a @ a)


def convolution_gflops(precision: str, channels: int = 128, frames: int = 512, records: int = 16) -> float:
    """The same in a convolution with as many channels in as out: oneDNN's arithmetic, on some processors the faster."""
    dtype = getattr(torch, precision)
    layer = convolution(channels, channels, kernel=3).to(dtype, memory_format=torch.channels_last)
    pictures = torch.randn(records, channels, 1, frames).to(dtype, memory_format=torch.channels_last)
    with torch.no_grad():
        return 2 * 3 * channels**2 * frames * records / 1e9 / _least_seconds(lambda: layer(pictures))


def copy_gb_per_s(megabytes: int = 256) -> float:
    """Billions of bytes a second, read and written, in copying an array that no cache holds."""
    source = torch.ones(megabytes * 250_000)
    target = torch.empty_like(source)
    return 2 * source.nbytes / 1e9 / _least_seconds(lambda: target.copy_(source))


def _least_seconds(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(1 + BEST_OF):  # the first is for warming up, and never the fastest
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def pretraining_steps(dataset: EcgDataset, precision: str) -> Iterator[Callable[[], float]]:
    """Steps of an epoch of pre-training as `pretrain` takes them, each yet to be called: from reading to the optimiser."""
    torch.manual_seed(0)
    encoder, generator = build_encoder(), torch.Generator().manual_seed(0)
    config = PretrainConfig(learning_rate=suited_learning_rate(build_encoder().config), precision=precision)
    model = TwoViews(encoder, NTXent(config.temperature)).train()
    optimizer = adamw(model, config)

    def step(rows: np.ndarray) -> float:
        views = draw_views(dataset.batch(rows), config, generator)
        with config.autocast(torch.device("cpu")):
            loss = model(*views)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    for rows in shuffled_batches(len(dataset), config.batch_size, generator):
        yield lambda rows=rows: step(rows)


def measure(dataset: EcgDataset, precision: str) -> dict[str, float]:
    """One precision: what the core can do, what an epoch of pre-training reaches, and the share of its time of each part."""

    def epoch() -> None:
        for step in pretraining_steps(dataset, precision):
            step()

    with one_thread(), freed_memory_kept():
        with FlopCounterMode(display=False) as counted:  # and the libraries choose their kernels
            epoch()
        start = time.process_time()
        epoch()
        seconds = time.process_time() - start
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            epoch()
        return {
            "limit_gflops": max(matmul_gflops(precision), convolution_gflops(precision)),
            "reached_gflops": counted.get_total_flops() / 1e9 / seconds,
            "recordings_per_s": len(dataset) / seconds,
            **time_shares(profiled),
        }


def time_shares(profiled: profile) -> dict[str, float]:
    """The share of the time that operations took themselves, by PARTS, the optimiser's with all that it calls; sums to 1."""
    seconds = dict.fromkeys((*PARTS, REST), 0.0)
    for operation in profiled.key_averages():
        part = next((part for part, word in PARTS.items() if word in operation.key), REST)
        seconds[part] += operation.self_cpu_time_total / 1e6
        if part == OPTIMISER:
            called = (operation.cpu_time_total - operation.self_cpu_time_total) / 1e6
            seconds[part], seconds[REST] = seconds[part] + called, seconds[REST] - called
    return {part: share / sum(seconds.values()) for part, share in seconds.items()}


def table(measured: dict[str, dict[str, float]]) -> str:
    """In Markdown, a row a figure, a column a precision."""
    rows = {
        "the limit: a large product or convolution, GFLOP/s": "{limit_gflops:.0f}",
        "pre-training, GFLOP/s": "{reached_gflops:.0f}",
        "pre-training, recordings/s": "{recordings_per_s:.0f}",
    }
    text = {what: [form.format(**one) for one in measured.values()] for what, form in rows.items()}
    text |= {f"time in {part}": [f"{one[part]:.0%}" for one in measured.values()] for part in (*PARTS, REST)}
    frame = pd.DataFrame.from_dict(text, orient="index", columns=list(measured))
    return markdown_table(frame.rename_axis("of one core").reset_index())


def main(arguments: list[str] | None = None) -> None:
    """The command line above."""
    parser = argparse.ArgumentParser(prog="python -m selfdana_lite.roofline", description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--recordings", type=int, default=1024, help="how many to take of the archive")
    parser.add_argument("--readme", type=Path, help="where to write the table, between the markers for roofline")
    options = parser.parse_args(arguments)
    dataset = EcgDataset.open(options.archive)
    dataset = dataset.where(rows=range(min(options.recordings, len(dataset))))
    measured = {precision: measure(dataset, precision) for precision in PRECISIONS}
    with one_thread():
        copied = copy_gb_per_s()
    text = (
        f"{len(dataset)} recordings in batches of {PretrainConfig.batch_size}, CPU time of one thread ({platform.machine()}); "
        f"copying memory: {copied:.0f} GB/s.\n\n{table(measured)}"
    )
    print(text)
    if options.readme:
        write_section(options.readme, "roofline", text)


if __name__ == "__main__":
    main()
