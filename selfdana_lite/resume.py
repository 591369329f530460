"""What a run of training leaves behind after each epoch, and how it goes on from there as if it had never stopped."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from selfdana_lite.checkpoint import CheckpointError, load_tensors, read_tensors, write_tensors
from selfdana_lite.many_devices import from_first, is_first


class Run:
    """What outlives an epoch: the history, the best weights, and the file that training can go on from."""

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, patience: int | None, settings: dict, path: Path | None
    ):
        self.model, self.optimizer, self.patience, self.path = model, optimizer, patience, path
        self.settings = {name: repr(value) for name, value in settings.items()}
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}

    def stalled(self) -> bool:
        """Whether the validation loss has not improved for `patience` epochs."""
        losses = [row.get("validation_loss", math.inf) for row in self.history]
        return self.patience is not None and bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= self.patience

    def finish_epoch(self, row: dict[str, float]) -> None:
        better = row.get("validation_loss", math.inf) < min(
            (old.get("validation_loss", math.inf) for old in self.history), default=math.inf
        )
        self.history.append(row)
        if self.patience is not None and better:
            self.best = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        if self.path is not None and is_first():
            self._save()

    def take_best(self) -> None:
        if self.best:
            self.model.load_state_dict(self.best)

    def _save(self) -> None:
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in self.best.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items()}
        write_tensors(self.path, tensors, {"settings": json.dumps(self.settings), "history": json.dumps(self.history)})

    def resume(self) -> None:
        """Go on from the file, if it is there; in several processes, all from what the first finds in it."""
        if self.path is None:
            return
        tensors, metadata = from_first(lambda: read_tensors(self.path) if self.path.exists() else ({}, {}))
        if not tensors:
            return
        try:
            found, history = json.loads(metadata["settings"]), json.loads(metadata["history"])
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{self.path} holds no training to go on with ({error!r}); name another file.") from error
        differing = [
            f"{name} was {found.get(name, 'not there')} and is {self.settings.get(name, 'not there')} now"
            for name in {**self.settings, **found}
            if found.get(name) != self.settings.get(name)
        ]
        if differing:
            raise CheckpointError(
                f"{self.path} was made with other settings: {'; '.join(differing)}. Name another file, or use those settings "
                f"again."
            )
        load_tensors(self.model, _under("model/", tensors), self.path)
        self.best = _under("best/", tensors)
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimizer/", tensors).items():
            index, _, field = name.partition("/")
            state.setdefault(int(index), {})[field] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self.history = history


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
