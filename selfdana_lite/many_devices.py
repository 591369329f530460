"""The same training by many processes, one a device: each takes its part of every batch, and all of them step alike.

torchrun starts the processes and tells each its rank. Together they compute what one process would of the whole batch:

    rows of a batch    process 0 has 0..31, process 1 has 32..63    own_part
    batch norm         mean and variance over all 64                shared_batch_norm
    embeddings         everybody sees all 64: one contrast          gather
    gradients          averaged: everybody takes the same step      average_gradients

Up to the order in which numbers are added, that is. In one process, without torchrun, all of this does nothing.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

Value = TypeVar("Value")
PATIENCE = timedelta(minutes=10)  # how long a process waits for the others before it takes them for dead


@contextmanager
def process_group() -> Iterator[torch.device]:
    """The device of this process; under torchrun, the processes know each other until the end of the block.

    A GPU each (nccl) where this machine has one, else the CPU (gloo).
    """
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if not distributed.is_torchelastic_launched():  # no torchrun
        yield device
        return
    distributed.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def processes() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this is the process that writes files and shows progress."""
    return processes() == 1 or distributed.get_rank() == 0


def own_part(n_rows: int) -> slice:
    """Which rows of a batch this process takes; ValueError where there are not enough for all."""
    if n_rows < processes():
        raise ValueError(
            f"Found a batch of {n_rows} recordings for {processes()} processes, each of which needs at least one; raise "
            f"batch_size, or start fewer processes."
        )
    rank = 0 if processes() == 1 else distributed.get_rank()
    return slice(rank * n_rows // processes(), (rank + 1) * n_rows // processes())


class _Stack(torch.autograd.Function):
    """What every process has, in all of them: [...] -> [processes, ...]. Backwards, each gets what all found for its own."""

    @staticmethod
    def forward(ctx, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(processes())]
        distributed.all_gather(parts, own.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(gradient)
        return gradient[distributed.get_rank()]


def gather(rows: Tensor) -> Tensor:
    """The rows of all processes, in their order: [own rows, ...] -> float32 [all rows, ...]; gradients find their way back."""
    if processes() == 1:
        return rows
    rows = rows.float()  # gradients are summed on their way back, which bfloat16 has too few digits for
    counts = _Stack.apply(torch.tensor(len(rows), device=rows.device)).tolist()
    filling = rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])  # all_gather wants equal shapes
    parts = _Stack.apply(torch.cat([rows, filling]))  # [processes, most rows, ...]
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def average_gradients(model: nn.Module) -> None:
    """The mean over the processes, in place. Each has the loss of all, so that the sum would count it as often."""
    if processes() == 1:
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])  # one message instead of one a layer
    distributed.all_reduce(flat)
    for gradient, mean in zip(gradients, (flat / processes()).split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


@contextmanager
def shared_batch_norm(model: nn.Module) -> Iterator[None]:
    """Inside, every batch norm of the model takes its statistics over the batches of all processes, on any device.

    torch's SyncBatchNorm does the same, but only on GPUs.
    """
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)] if processes() > 1 else []
    for norm in norms:
        norm.forward = partial(_normalise, norm)
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward  # the class's own is there again


def _normalise(norm: nn.modules.batchnorm._BatchNorm, maps: Tensor) -> Tensor:
    """Batch norm of maps [own rows, C, ...] by mean and variance over all rows."""
    if not norm.training:
        return type(norm).forward(norm, maps)
    all_but_channels = [0, *range(2, maps.ndim)]
    own_variance, own_mean = torch.var_mean(maps.float(), all_but_channels, correction=0)  # each [C]
    own_count = torch.full_like(own_mean, maps.numel() / maps.shape[1])
    count, means, variances = _Stack.apply(torch.stack([own_count, own_mean, own_variance])).unbind(1)  # each [processes, C]
    total = count.sum(0)
    mean = (count * means).sum(0) / total
    variance = (count * (variances + (means - mean).square())).sum(0) / total  # within the parts, and between them
    with torch.no_grad():
        norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * total / (total - 1), norm.momentum)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    shape = [1, -1] + [1] * (maps.ndim - 2)  # [C] -> [1, C, 1]
    return ((maps - mean.view(shape)) * scale.view(shape) + norm.bias.view(shape)).to(maps.dtype)


def from_first(make: Callable[[], Value]) -> Value:
    """What make() gives in the first process, in all of them."""
    if processes() == 1:
        return make()
    box = [make() if is_first() else None]
    distributed.broadcast_object_list(box)
    return box[0]


def copy_first(model: nn.Module) -> None:
    """Give the model in every process the weights that it has in the first."""
    if processes() > 1:
        for tensor in model.state_dict().values():
            distributed.broadcast(tensor, 0)
