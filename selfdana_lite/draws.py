"""Every random draw of training follows from a seed that the caller chose, and changes nobody else's."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, torch's global draws on the CPU (the first weights of a layer, above all) follow from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs, which nothing puts back
        yield


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """All random draws of one epoch follow from (seed, epoch): that is what makes resuming exact."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
