"""What each process does in test_many_devices.py: torchrun starts it as `train_together.py FOLDER`; the test does it alone.

Each process leaves FOLDER/RANK.pt: the histories and weights of some short trainings, and layers held against torch's own.
"""

import sys
from pathlib import Path
from unittest import mock

import torch
from small import seeded_encoder, small_dataset, weights
from torch import distributed, nn

from selfdana_lite import many_devices
from selfdana_lite.many_devices import average_gradients, gather, own_part, process_group, processes, shared_batch_norm
from selfdana_lite.pretraining import PretrainConfig, pretrain

RECORDINGS = 47  # odd: in some batches one process has more rows than the other
CASES = {
    "nt-xent": {},
    "vicreg": {"objective": "vicreg"},
    "masked": {"objective": "masked"},
    "crops, noise and patience": {"views": "crops", "noise_mv": 0.02, "gain_spread": 0.1, "same_leads": True, "patience": 1},
    "bfloat16": {"precision": "bfloat16"},
}


def pretrained(read: list | None = None, **settings) -> tuple[dict, dict]:
    """The history and the weights of a short training; read takes the numbers of recordings that were read at once."""
    backbone = "conv-transformer" if settings.get("objective") == "masked" else "conv"
    # The first process's weights count; a seed of its own for each shows that.
    encoder = seeded_encoder(seed=0 if processes() == 1 else distributed.get_rank(), backbone=backbone)
    train, watched = small_dataset([1, 2], RECORDINGS), small_dataset([9], 21)
    whole, train.batch = train.batch, lambda rows, leads: (read.append(len(rows)), whole(rows, leads))[1]
    read = [] if read is None else read
    # Small steps: now and then rounding turns a ReLU on that was off, and in a batch as small as this that moves a gradient by
    # a tenth. With large steps the two trainings would go apart from there, each as right as the other.
    config = PretrainConfig(**{"epochs": 3, "batch_size": 16, "precision": "float32", "learning_rate": 2e-4} | settings)
    return pretrain(encoder, train, config, validation=watched, progress=False).to_dict("list"), weights(encoder)


def as_the_command(epochs: int = 12) -> dict:
    """The weights that `python -m selfdana_lite.train --epochs 12 --batch-size 16` ends with."""
    encoder = seeded_encoder()
    pretrain(encoder, small_dataset([1, 2], 48), PretrainConfig(epochs=epochs, batch_size=16), progress=False)
    return weights(encoder)


def differences_of_layers() -> dict[str, float]:
    """Largest differences between layers of all processes together and torch's own, which sees all rows at once."""
    torch.manual_seed(0)
    maps, goal = torch.randn(9, 4, 5, requires_grad=True), torch.randn(9, 4, 5)
    alone, together = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    for norm in (alone, together):
        nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    own = own_part(9)
    expected, shifted = alone(3 + maps), 3 + maps
    (expected - goal).pow(2).mean().backward()
    wanted, maps.grad = maps.grad, None
    with shared_batch_norm(together):
        found = gather(together(shifted[own]))
    (found - goal).pow(2).mean().backward()
    average_gradients(together)
    pairs = {
        "output": (found, expected),
        "gradient of the input": (maps.grad[own] / processes(), wanted[own]),
        "gradient of the scale": (together.weight.grad, alone.weight.grad),
        "running mean": (together.running_mean, alone.running_mean),
        "running variance": (together.running_var, alone.running_var),
        "eval": (together.eval()(maps), alone.eval()(maps)),
    }
    return {name: (one - other).abs().max().item() for name, (one, other) in pairs.items()}


def main(folder: Path) -> None:
    with process_group():
        read = []
        result = {name: pretrained(read if name == "nt-xent" else None, **case) for name, case in CASES.items()}
        with mock.patch.object(many_devices, "_normalise", lambda norm, maps: type(norm).forward(norm, maps)):
            result["batch norm apart"] = pretrained()
        found = {"runs": result, "read": read, "layers": differences_of_layers(), "command": as_the_command()}
        torch.save(found, folder / f"{distributed.get_rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
