"""Pre-training from the command line, for what takes longer than a lesson, and on many devices.

python -m selfdana_lite.train DATASET FOLDER --folds 1 2 3 4 5 6 7 8
"""

import argparse
from pathlib import Path

import torch

from selfdana_lite.checkpoint import save_encoder
from selfdana_lite.dataset import EcgDataset
from selfdana_lite.encoders import BACKBONES, KINDS, EncoderConfig, build_encoder
from selfdana_lite.loop import TrainingError
from selfdana_lite.many_devices import is_first, process_group
from selfdana_lite.pretraining import PretrainConfig, pretrain

MANY_DEVICES = """
many devices:
  torchrun starts a process for each GPU (or on the CPU, as many as it is told). They share every batch, so that the loss
  is that of one process with the same --batch-size, up to rounding.

    torchrun --nproc-per-node 4 -m selfdana_lite.train DATASET FOLDER --batch-size 256

  On two machines, the same on both, which see DATASET under the same name:

    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint FIRST_MACHINE:29400 -m selfdana_lite.train ...

  If one process dies, all of them stop. The same command goes on from the last epoch; with --max-restarts 3 before -m,
  torchrun gives it by itself. To the last bit as if nothing had happened, with as many processes as before. Each process
  computes with one CPU core unless OMP_NUM_THREADS says otherwise.
"""


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and leaves the lines of the examples alone."""


def main(arguments: list[str] | None = None) -> None:
    """Pre-train an encoder without labels and save it. Killed, the same command goes on where it was."""
    parser = argparse.ArgumentParser(
        prog="python -m selfdana_lite.train", description=main.__doc__, epilog=MANY_DEVICES, formatter_class=_Help
    )
    parser.add_argument("dataset", help="a dataset folder, or an .npz archive")
    parser.add_argument("folder", type=Path, help="where to save the encoder and history.csv; must not exist yet")
    parser.add_argument("--folds", type=int, nargs="+", help="train on these folds alone")
    parser.add_argument("--kind", choices=KINDS, default=EncoderConfig.kind, help="how leads come together")
    parser.add_argument("--backbone", choices=BACKBONES, default=EncoderConfig.backbone, help="the trunk")
    parser.add_argument("--epochs", type=int, default=PretrainConfig.epochs, help="passes over the recordings")
    parser.add_argument("--batch-size", type=int, default=PretrainConfig.batch_size, help="most recordings in a step, of all")
    parser.add_argument("--learning-rate", type=float, help="the highest, where it is not to be the kind's own")
    parser.add_argument("--seed", type=int, default=PretrainConfig.seed, help="of all random draws")
    options = parser.parse_args(arguments)
    if options.folder.exists():
        parser.error(f"{options.folder} exists already; choose another place, or move it away first.")
    try:
        with process_group() as device:
            finished = _pretrain_and_save(options, device)
    except (ValueError, TrainingError, OSError) as error:  # each says what was found and what to do: no traceback needed
        parser.error(str(error))
    if not finished:
        parser.exit(1, "Stopped before the last epoch; nothing saved but the checkpoint that the same command goes on from.\n")


def _pretrain_and_save(options: argparse.Namespace, device: torch.device) -> bool:
    """Whether it came to the last epoch."""
    checkpoint = options.folder.with_name(f"{options.folder.name}.checkpoint.safetensors")
    dataset = EcgDataset.open(options.dataset)
    dataset = dataset.where(folds=options.folds) if options.folds else dataset
    settings = {name: getattr(options, name) for name in ("epochs", "batch_size", "learning_rate", "seed")}
    torch.manual_seed(options.seed)
    encoder = build_encoder(options.kind, backbone=options.backbone).to(device)
    history = pretrain(encoder, dataset, PretrainConfig(**settings), checkpoint=checkpoint)
    if len(history) < options.epochs:
        return False
    if is_first():
        save_encoder(encoder, options.folder)
        history.to_csv(options.folder / "history.csv", index=False)
        checkpoint.unlink()
    return True


if __name__ == "__main__":
    main()
