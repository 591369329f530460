"""The same network, faster: in eval mode batch norm is a scale and a shift for each channel, which the convolution before it
can do in passing. Nothing is approximated."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(network: nn.Module) -> nn.Module:
    """A copy, in eval mode, without the batch norms that follow a convolution."""
    network = copy.deepcopy(network).eval()
    for chain in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for i in range(len(chain) - 1):
            if isinstance(chain[i], nn.Conv2d) and isinstance(chain[i + 1], nn.BatchNorm2d):
                chain[i], chain[i + 1] = fuse_conv_bn_eval(chain[i], chain[i + 1]), nn.Identity()
    return network.to(memory_format=torch.channels_last)  # kernels laid out as the pictures are
