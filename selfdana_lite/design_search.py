"""Which small encoder knows most for its cost? The designs that were tried before one became the default.

    python -m selfdana_lite.design_search ARCHIVE RESULTS.csv --readme README.md

Every design is pre-trained without labels on folds 1 to 8, with the same data, epochs and seed, at the learning rate that
suits the default (the mixing networks at theirs). It is scored by linear probes that are trained on six of these folds and
asked about the two others, four times over: fold 9 is not looked at.
Beside it stands what a training step keeps in memory and computes, which is counted and so the same on any machine.
Two mixing networks stand for the usual way. A run that was stopped goes on where it was.
"""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from selfdana_lite.adapter import LeadAttentionPooling, LeadNames
from selfdana_lite.augment import RandomLeadMasking, RandomLeadSelection
from selfdana_lite.backbones import AlongTime, ResidualBlock, convolution, convolutions
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.downstream import Classifier, evaluate, linear_probe
from selfdana_lite.encoders import PER_LEAD_KINDS, Encoder, build_encoder
from selfdana_lite.leads import LEAD_SETS
from selfdana_lite.long_tables import fill_table, refuse_unfinished
from selfdana_lite.loop import TrainConfig
from selfdana_lite.markdown import markdown_table, write_section
from selfdana_lite.meter import count_work
from selfdana_lite.pretraining import PretrainConfig, pretrain

DEFAULT = "default"
TRIED = Path(__file__).with_name("designs.csv")  # the results by which the default was chosen
FOLD_PAIRS = ((1, 2), (3, 4), (5, 6), (7, 8))


@dataclass(frozen=True)
class Design:
    """A per-lead stem, a number for each of its convolutions, and a trunk, a width for each of its layers."""

    widths: tuple[int, ...] = (16, 48)
    kernels: tuple[int, ...] = (17, 9)
    strides: tuple[int, ...] = (4, 4)
    trunk_widths: tuple[int, ...] = (96,)
    trunk_kernel: int = 3
    trunk_stride: int = 2  # of the first layer; the others have 1
    blocks: bool = False  # residual blocks, of two convolutions each, for layers of one
    norms: str = "last"  # batch norm after the stem's "last" convolution, or after "all"


# What each asks: is it the trunk, the time resolution, the width or the norms that matters?
DESIGNS = {
    DEFAULT: Design(),
    "layer of 64": Design(trunk_widths=(64,)),
    "layer of 128": Design(trunk_widths=(128,)),
    "longer kernel in the layer": Design(trunk_kernel=5),
    "layer shorter in time": Design(trunk_kernel=5, trunk_stride=4),
    "two layers": Design(trunk_widths=(96, 96)),
    "residual block of 64": Design(trunk_widths=(64,), blocks=True),
    "two wider blocks": Design(trunk_widths=(96, 128), blocks=True),
    "narrower first convolution": Design(widths=(8, 48)),
    "wider first convolution": Design(widths=(24, 48)),
    "narrower second convolution": Design(widths=(16, 32)),
    "wider second convolution": Design(widths=(16, 64)),
    "three convolutions": Design(widths=(16, 48, 96), kernels=(17, 9, 3), strides=(4, 4, 2)),
    "half the frames": Design(widths=(16, 64), kernels=(17, 17), strides=(4, 8)),
    "batch norm everywhere": Design(norms="all"),
}
MIXING = ("zero-pad", "zero-pad-lean")


def build(name: str) -> Encoder:
    """The encoder of a design, or of a mixing kind."""
    if name in MIXING:
        return build_encoder(name)
    design, encoder = DESIGNS[name], build_encoder("lead-attention")
    join, channels = encoder.join_leads, design.widths[-1]
    join.channels, join.stem = channels, _stem(design)
    join.names, join.pooling = LeadNames(channels), LeadAttentionPooling(channels)
    encoder.trunk = AlongTime(*_trunk(design))
    encoder.trunk.channels, encoder.embedding_size = design.trunk_widths[-1], 2 * design.trunk_widths[-1]
    return encoder


def _stem(design: Design) -> nn.Sequential:
    layers, channels_in = [], 1
    for i, (width, kernel, stride) in enumerate(zip(design.widths, design.kernels, design.strides, strict=True), 1):
        last = i == len(design.widths)
        normed = last or design.norms == "all"
        layers.append(convolution(channels_in, width, kernel, stride, bias=not normed))
        layers += [nn.BatchNorm2d(width)] * normed + [nn.ReLU(inplace=True)] * (not last)  # after the last, the lead names do
        channels_in = width
    return nn.Sequential(*layers)


def _trunk(design: Design) -> Iterable[nn.Module]:
    widths, kernel = (design.widths[-1], *design.trunk_widths), design.trunk_kernel
    strides = (design.trunk_stride, *[1] * (len(design.trunk_widths) - 1))
    if design.blocks:
        return [ResidualBlock(*pair, kernel, stride) for pair, stride in zip(pairwise(widths), strides, strict=True)]
    return convolutions(widths[0], widths[1:], [kernel] * len(strides), strides)


def held_out_auroc(encoder: Encoder, dataset: EcgDataset, leads: tuple[str, ...]) -> float:
    """Macro AUROC of a linear probe, mean over the four pairs of folds that it was not trained on."""
    scores = []
    for pair in FOLD_PAIRS:
        others = sorted(set(range(1, 9)) - set(pair))
        clf = linear_probe(encoder, dataset.where(folds=others), leads)
        scores.append(evaluate(clf, dataset.where(folds=pair), leads, bootstrap=0).macro_auroc)
    return float(np.mean(scores))


def counted_costs(encoder: Encoder, dataset: EcgDataset, lead_set: str) -> dict[str, float]:
    """What a step of supervised training keeps (MB a batch of 64) and computes (GFLOP a recording)."""
    leads = LEAD_SETS[lead_set]
    clf = Classifier(encoder, dataset.label_names, leads, frozen=False).train()
    rows = np.arange(TrainConfig.batch_size)
    work = count_work(lambda rows: clf(dataset.batch(rows, leads), leads).sum().backward(), rows)
    return {f"{what}, {lead_set}": value for what, value in work.items()}


def run(name: str, dataset: EcgDataset, epochs: int, seed: int = 0) -> pd.DataFrame:
    """One design: a row of its costs, its parameters, and its score at each lead set."""
    torch.manual_seed(seed)
    encoder = build(name)
    row = {"design": name, "epochs": epochs, "parameters": sum(p.numel() for p in encoder.parameters())}
    row |= counted_costs(encoder, dataset, "12-lead") | counted_costs(encoder, dataset, "1-lead")
    scores = pretrained_scores(encoder, dataset, PretrainConfig(epochs=epochs, seed=seed))
    return pd.DataFrame([row | scores])


def pretrained_scores(encoder: Encoder, dataset: EcgDataset, config: PretrainConfig) -> dict[str, float]:
    """Pre-train the encoder in place, with the lead augmentation of its kind; its held-out score at each lead set."""
    augmentation = RandomLeadSelection() if encoder.config.kind in PER_LEAD_KINDS else RandomLeadMasking()
    history = pretrain(encoder, dataset, replace(config, lead_augmentation=augmentation))
    refuse_unfinished(history, config.epochs)
    return {lead_set: held_out_auroc(encoder, dataset, leads) for lead_set, leads in LEAD_SETS.items()}


def unbeaten(costs: pd.Series, scores: pd.Series) -> pd.Series:
    """True for each row that no other beats: none costs as little and scores more, or scores as much and costs less."""
    cost, score = costs.to_numpy(), scores.to_numpy()
    no_worse = (cost[None] <= cost[:, None]) & (score[None] >= score[:, None])  # [row, rival]
    better = (cost[None] < cost[:, None]) | (score[None] > score[:, None])
    return pd.Series(~(no_worse & better).any(axis=1), index=costs.index)


def table(results: pd.DataFrame) -> str:
    """In Markdown, a row a design: its size, its costs, its scores, and whether another design beats it."""
    kept = [results[f"tensor_mb, {name}"] for name in ("12-lead", "1-lead")]
    work = [1000 * results[f"gflop_per_recording, {name}"] for name in ("12-lead", "1-lead")]
    mean = results[list(LEAD_SETS)].mean(axis=1)
    front = [unbeaten(costs, mean) for costs in kept]
    shown = pd.DataFrame(
        {
            "design": results["design"],
            "parameters": [f"{count:,.0f}" for count in results["parameters"]],
            "MB": [f"{twelve:.0f} / {one:.0f}" for twelve, one in zip(*kept, strict=True)],
            "MFLOP": [f"{twelve:.0f} / {one:.0f}" for twelve, one in zip(*work, strict=True)],
            **{name: [f"{score:.3f}" for score in results[name]] for name in LEAD_SETS},
            "mean": [f"{score:.3f}" for score in mean],
            "unbeaten for its MB at": [" and ".join(["12"] * twelve + ["1"] * one) for twelve, one in zip(*front, strict=True)],
        }
    )
    return markdown_table(shown)


def search(path: Path, dataset: EcgDataset, epochs: int) -> pd.DataFrame:
    """The table of all designs, made or gone on with at path."""
    wanted = [(name,) for name in (*DESIGNS, *MIXING)]
    return fill_table(path, ["design"], wanted, lambda name: run(name, dataset, epochs), same={"epochs": epochs})


def describe(results: pd.DataFrame, dataset: EcgDataset, epochs: int) -> str:
    """What was searched, and the table."""
    return (
        f"Pre-trained for {epochs} epochs on the {len(dataset)} recordings of folds 1 to 8, one seed; macro AUROC of "
        f"linear probes across these folds, mean over four pairs of folds held out. MB are kept for the backward pass of a "
        f"batch of 64, MFLOP are of a training step for one recording; both at 12 leads / at 1.\n\n{table(results)}"
    )


def search_command(
    name: str, what: str, section: str, search: Callable, describe: Callable, arguments: list[str] | None = None
) -> None:
    """The command line of a search, which writes its table into the README's section."""
    parser = argparse.ArgumentParser(prog=f"python -m selfdana_lite.{name}", description=what.splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("results", type=Path, help="CSV to write, or to go on with")
    parser.add_argument("--epochs", type=int, default=60, help="of pre-training")
    parser.add_argument("--readme", type=Path, help=f"where to write the table, between the markers for {section}")
    options = parser.parse_args(arguments)
    dataset = EcgDataset.open(options.archive).where(folds=range(1, 9))
    try:
        results = search(options.results, dataset, options.epochs)
    except ValueError as error:
        parser.error(str(error))
    text = describe(results, dataset, options.epochs)
    print(text)
    if options.readme:
        write_section(options.readme, section, text)


def main(arguments: list[str] | None = None) -> None:
    """The command line above."""
    search_command("design_search", __doc__, "designs", search, describe, arguments)


if __name__ == "__main__":
    main()
