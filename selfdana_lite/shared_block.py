"""The trunk's first layer is shared by all subsets, too: it need not wait until the leads have met.

What attention hands to the trunk is a weighted sum of the leads' maps, and a convolution of a weighted sum is the weighted sum
of the convolutions. So the leads' maps are convolved once, and what a subset still asks for is, at every frame that comes out,

    the weights of 3 frames x 12 leads  [subsets, 36]  @  the convolved maps  [36, C']

where its own map would have asked for 3 frames x 48 channels. Batch norms must be folded into the convolutions (folded.py).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.backbones import AlongTime, ResidualBlock

TAPS, STRIDE = 3, 2  # the only block known here; others see each subset's frames


def can_share_block(trunk: nn.Module) -> bool:
    """Whether a trunk is one residual block with this kernel and stride, the default's."""
    if not (isinstance(trunk, AlongTime) and len(trunk) == 1 and isinstance(trunk[0], ResidualBlock)):
        return False
    enter = trunk[0].body[0]
    return (enter.kernel_size, enter.stride) == ((1, TAPS), (1, STRIDE))


def block_of_subsets(block: ResidualBlock, maps: Tensor) -> Callable[[Tensor], Tensor]:
    """From the leads' maps [R, C, k, T] a function: weights of the leads [subsets, R, T, k] -> [subsets * R, C', frames].

    The function is block(weighted sum of the maps). At every moment the weights of a subset must add up to 1.
    """
    enter, leave, around = block.body[0], block.body[-2], block.around[-2]
    windows = F.pad(maps, (1, 1 + maps.shape[3] % 2)).unfold(3, TAPS, STRIDE)  # [R, C, k, frames, 3]
    into = _by_lead(windows, enter.weight.squeeze(2))  # [frames, R, 36, C']
    past = _by_lead(windows[..., -STRIDE:], around.weight[..., 0].expand(-1, -1, STRIDE) / STRIDE)  # [frames, R, 24, C']
    if maps.shape[3] % 2:
        past[-1] *= STRIDE  # the last frame has no neighbour to be averaged with
    into[:, :, maps.shape[2] : 2 * maps.shape[2]] += enter.bias  # the weights of the middle tap add up to 1 bias
    bias = leave.bias + around.bias

    def block_of(weights: Tensor) -> Tensor:
        weights = F.pad(weights, (0, 0, 1, 1)).unfold(2, TAPS, STRIDE)  # [subsets, R, frames, k, 3]
        weights = weights.transpose(3, 4).flatten(3).permute(2, 1, 0, 3)  # [frames, R, subsets, 36], a view
        entered = _weighted_sums(weights, into).relu_()
        left = _weighted_sums(weights[..., -past.shape[2] :], past)
        pictures = entered[:, :, None].contiguous(memory_format=torch.channels_last)  # [subsets * R, C', 1, frames]
        return F.conv2d(pictures, leave.weight, bias, padding=leave.padding).squeeze(2).add_(left).relu_()

    return block_of


def _by_lead(windows: Tensor, kernel: Tensor) -> Tensor:
    """What a kernel [C', C, 3] makes of each lead's map, tap by tap: windows [R, C, k, frames, 3] -> [frames, R, 3 * k, C']."""
    return torch.einsum("rckfj,ocj->frjko", windows, kernel).flatten(2, 3)


def _weighted_sums(weights: Tensor, terms: Tensor) -> Tensor:
    """[frames, R, subsets, 36] and [frames, R, 36, C'] -> [subsets * R, C', frames]."""
    sums = torch.bmm(weights.flatten(0, 1), terms.flatten(0, 1)).unflatten(0, terms.shape[:2])
    return sums.permute(2, 1, 3, 0).flatten(0, 1)
