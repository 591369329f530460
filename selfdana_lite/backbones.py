"""The networks inside an encoder: strided convolutions, residual blocks, and a small transformer.

What runs along time is computed on pictures [B, C, rows, T], a lead a row, with kernels one row high. Only for pictures can
PyTorch keep the channels of one moment side by side in memory ("channels last"), and the same convolutions, batch norms and
whatever else has a number a channel are then about one and a half times as fast.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AlongTime(nn.Sequential):
    """Layers for pictures, applied to maps without rows: [B, C_in, T] -> [B, C_out, T']."""

    def forward(self, maps: Tensor) -> Tensor:
        pictures = maps[:, :, None].contiguous(memory_format=torch.channels_last)  # [B, C_in, 1, T]
        return super().forward(pictures).squeeze(2)


def convolution(channels_in: int, channels_out: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """A convolution along time, every row of a picture on its own: [B, C_in, rows, T] -> [B, C_out, rows, T / stride]."""
    return nn.Conv2d(channels_in, channels_out, (1, kernel), (1, stride), (0, kernel // 2), bias=bias)


def convolutions(channels_in: int, channels: Iterable[int], kernels: Iterable[int], strides: Iterable[int]) -> nn.Sequential:
    """A plain stack of strided convolutions, each with batch norm and ReLU."""
    layers = []
    for width, kernel, stride in zip(channels, kernels, strides, strict=True):
        # In place, because batch norm's backward pass needs what went into it, not what came out.
        layers += [convolution(channels_in, width, kernel, stride), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels_in = width
    return nn.Sequential(*layers)


class ResidualBlock(nn.Module):
    """Two convolutions and a way around them (He et al. 2016, along time): [B, C_in, 1, T] -> [B, C_out, 1, T / stride]."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            *convolutions(channels_in, [channels_out], [kernel], [stride]),
            convolution(channels_out, channels_out, kernel),
            nn.BatchNorm2d(channels_out),
        )
        same = channels_in == channels_out and stride == 1
        self.around = (
            nn.Identity()
            if same
            else nn.Sequential(
                nn.AvgPool2d((1, stride), ceil_mode=True) if stride > 1 else nn.Identity(),
                convolution(channels_in, channels_out, kernel=1),
                nn.BatchNorm2d(channels_out),
            )
        )

    def forward(self, maps: Tensor) -> Tensor:
        return self.body(maps).add_(self.around(maps)).relu_()  # in place: nothing here is needed for the backward pass


def one_layer_trunk(channels_in: int, channels_out: int, kernel: int) -> AlongTime:
    """A convolution with stride 2, batch norm and ReLU: [B, channels_in, T / 16] -> [B, channels_out, T / 32]."""
    trunk = AlongTime(*convolutions(channels_in, [channels_out], [kernel], [2]))
    trunk.channels = channels_out
    return trunk


def residual_trunk(channels_in: int, channels: Sequence[int], kernel: int) -> AlongTime:
    """A residual block for each width, the first with stride 2: [B, channels_in, T / 16] -> [B, channels[-1], T / 32]."""
    widths = (channels_in, *channels)
    blocks = [ResidualBlock(i, o, kernel, stride=2 if n == 0 else 1) for n, (i, o) in enumerate(pairwise(widths))]
    trunk = AlongTime(*blocks)
    trunk.channels = widths[-1]
    return trunk


class Transformer(nn.Module):
    """wav2vec 2.0's trunk, small (Baevski et al. 2020): frames [B, C, F] -> context [B, channels, F].

    Positions come from a depthwise convolution, so recordings of any length fit. Where masked
    [B, F] is true, a learned vector takes the frame's place (only in masked pre-training).
    """

    channels = 128

    def __init__(self, channels_in: int, layers: int = 3, heads: int = 4):
        super().__init__()
        self.project = nn.Linear(channels_in, self.channels)
        self.mask_vector = nn.Parameter(torch.randn(self.channels) * 0.1)
        self.position = nn.Conv1d(self.channels, self.channels, kernel_size=15, padding=7, groups=self.channels)
        layer = nn.TransformerEncoderLayer(
            self.channels, heads, 2 * self.channels, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(self.channels), enable_nested_tensor=False)

    def forward(self, frames: Tensor, masked: Tensor | None = None) -> Tensor:
        tokens = self.project(frames.transpose(1, 2))  # [B, F, channels]
        if masked is not None:
            tokens = torch.where(masked[..., None], self.mask_vector.to(tokens.dtype), tokens)
        tokens = tokens + F.gelu(self.position(tokens.transpose(1, 2))).transpose(1, 2)
        return self.layers(tokens).transpose(1, 2)  # [B, channels, F]
