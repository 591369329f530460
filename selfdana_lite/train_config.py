"""The settings of the training loop, and what follows from them: the learning rate of a step, the precision on a device."""

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class TrainConfig:
    """What the loop needs to know."""

    epochs: int = 30
    batch_size: int = 64
    learning_rate: float | None = 2e-3  # the highest, after the warm-up; None, in a child: what suits that which is trained
    weight_decay: float = 0.01
    warm_up: float = 0.1  # share of all steps
    precision: str = "auto"  # "float32" or "bfloat16"; "auto" takes bfloat16 where the device computes in it natively
    patience: int | None = None  # stop after so many epochs without a better validation loss, and keep the best weights
    seed: int = 0

    def __post_init__(self):
        if self.epochs < 1 or self.batch_size < 3 or (self.learning_rate is not None and not self.learning_rate > 0):
            raise ValueError(
                f"epochs {self.epochs}, batch_size {self.batch_size} and learning_rate {self.learning_rate} must be at least "
                f"1, at least 3 (a batch of 2 can leave a recording alone) and above 0."
            )
        if not 0 <= self.warm_up <= 1 or (self.patience is not None and self.patience < 1) or self.seed < 0:
            raise ValueError(
                f"warm_up {self.warm_up}, patience {self.patience} and seed {self.seed} must lie in 0 to 1, be None or at "
                f"least 1, and be at least 0."
            )
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise ValueError(f"Unknown precision {self.precision!r}; choose 'auto', 'float32' or 'bfloat16'.")

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which losses are computed on a device; weights stay float32."""
        native = computes_bfloat16(device) if self.precision == "auto" else self.precision == "bfloat16"
        return torch.autocast(device.type, torch.bfloat16, enabled=native)


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware: most GPUs since 2020; CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Up in a straight line during the warm-up, then down along half a cosine to zero."""
    warm_up_steps = round(config.warm_up * steps)  # whole steps, or the last of them would overshoot
    if step < warm_up_steps:
        return config.learning_rate * (step + 1) / warm_up_steps
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up_steps) / (steps - warm_up_steps)))
