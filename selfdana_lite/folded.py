"""The same network, laid out for speed: batch norm folded into convolutions, channels beside each other in memory.

Nothing is approximated. In eval mode batch norm is a scale and a shift for each channel, which the
convolution before it can do in passing; and a CPU convolves faster where the channels of one moment
lie side by side, which PyTorch does for pictures only: so time becomes the width of a picture of height 1.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(network: nn.Module) -> nn.Module:
    """A copy, in eval mode, that maps pictures [B, C_in, 1, T] to [B, C_out, 1, T'] as `network` maps [B, C_in, T].

    network: convolutions, batch norms, ReLUs and average poolings, and modules that put them together.
    """
    network = copy.deepcopy(network).eval()
    for chain in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for i in range(len(chain) - 1):
            if isinstance(chain[i], nn.Conv1d) and isinstance(chain[i + 1], nn.BatchNorm1d):
                chain[i], chain[i + 1] = fuse_conv_bn_eval(chain[i], chain[i + 1]), nn.Identity()
    return _as_picture(network)


def as_pictures(maps: Tensor) -> Tensor:
    """Maps [B, T, C] as pictures [B, C, 1, T] whose channels lie side by side; nothing is copied."""
    return maps.transpose(1, 2)[:, :, None]


def _as_picture(layer: nn.Module) -> nn.Module:
    """The layer for pictures of height 1; a module made of others keeps its forward, and its parts are exchanged."""
    if isinstance(layer, nn.Conv1d):
        return _wide_convolution(layer)
    if isinstance(layer, nn.BatchNorm1d):
        wide = nn.BatchNorm2d(layer.num_features, layer.eps).eval()
        wide.load_state_dict(layer.state_dict())
        return wide
    if isinstance(layer, nn.AvgPool1d):
        return nn.AvgPool2d((1, *layer.kernel_size), (1, *layer.stride), ceil_mode=layer.ceil_mode)
    for name, part in layer.named_children():
        setattr(layer, name, _as_picture(part))
    return layer


def _wide_convolution(layer: nn.Conv1d) -> nn.Conv2d:
    kernel, stride, padding = (1, *layer.kernel_size), (1, *layer.stride), (0, *layer.padding)
    wide = nn.Conv2d(layer.in_channels, layer.out_channels, kernel, stride, padding, bias=layer.bias is not None)
    wide.load_state_dict(
        {name: values[:, :, None] if name == "weight" else values for name, values in layer.state_dict().items()}
    )
    return wide.to(layer.weight.device, memory_format=torch.channels_last)
