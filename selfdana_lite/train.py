"""Pre-training from the command line, for what takes longer than a lesson.

python -m selfdana_lite.train DATASET FOLDER --folds 1 2 3 4 5 6 7 8
"""

import argparse
from pathlib import Path

import torch

from selfdana_lite.checkpoint import save_encoder
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.encoders import BACKBONES, KINDS, EncoderConfig, build_encoder
from selfdana_lite.loop import TrainingError
from selfdana_lite.pretraining import PretrainConfig, pretrain


def main(arguments: list[str] | None = None) -> None:
    """Pre-train an encoder without labels and save it. Killed, the same command goes on where it was."""
    parser = argparse.ArgumentParser(
        prog="python -m selfdana_lite.train", description=main.__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("dataset", help="a dataset folder, or an .npz archive")
    parser.add_argument("folder", type=Path, help="where to save the encoder; must not exist yet")
    parser.add_argument("--folds", type=int, nargs="+", help="train on these folds alone")
    parser.add_argument("--kind", choices=KINDS, default=EncoderConfig.kind, help="how leads come together")
    parser.add_argument("--backbone", choices=BACKBONES, default=EncoderConfig.backbone, help="the trunk")
    parser.add_argument("--epochs", type=int, default=PretrainConfig.epochs, help="passes over the recordings")
    parser.add_argument("--seed", type=int, default=PretrainConfig.seed, help="of all random draws")
    options = parser.parse_args(arguments)

    if options.folder.exists():
        parser.error(f"{options.folder} exists already; choose another place, or move it away first.")
    checkpoint = options.folder.with_name(f"{options.folder.name}.checkpoint.safetensors")
    try:
        dataset = EcgDataset.open(options.dataset)
        dataset = dataset.where(folds=options.folds) if options.folds else dataset
        torch.manual_seed(options.seed)
        encoder = build_encoder(options.kind, backbone=options.backbone)
        history = pretrain(encoder, dataset, PretrainConfig(epochs=options.epochs, seed=options.seed), checkpoint=checkpoint)
    except (ValueError, TrainingError) as error:  # each says what was found and what to do: no traceback needed
        parser.error(str(error))
    if len(history) < options.epochs:
        parser.exit(1, "Stopped before the last epoch; nothing saved but the checkpoint that the same command goes on from.\n")
    save_encoder(encoder, options.folder)
    checkpoint.unlink()


if __name__ == "__main__":
    main()
