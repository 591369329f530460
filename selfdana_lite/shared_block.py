"""The trunk's first layer is shared by all subsets, too: it need not wait until the leads have met.

What attention hands to the trunk is a weighted sum of the leads' maps, and a convolution of a weighted sum is the weighted sum
of the convolutions. So the leads' maps are convolved once, tap by tap. A lead's weight is its own number, the same in every
subset, over the sum of these numbers in the subset. So what the leads add up to before the division is shared as well
(partial_sums.py), and a subset asks for three quotients a frame. Batch norms must be folded into the convolutions (folded.py).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.backbones import AlongTime, ResidualBlock
from selfdana_lite.partial_sums import partial_sums, weighted_partial_sums

TAPS, STRIDE = 3, 2  # the only block known here; others see each subset's frames


def can_share_block(trunk: nn.Module) -> bool:
    """Whether a trunk is one residual block with this kernel and stride, the default's."""
    if not (isinstance(trunk, AlongTime) and len(trunk) == 1 and isinstance(trunk[0], ResidualBlock)):
        return False
    enter = trunk[0].body[0]
    return (enter.kernel_size, enter.stride) == ((1, TAPS), (1, STRIDE))


def block_of_subsets(block: ResidualBlock, maps: Tensor, raw: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [subsets] to block(the mean of the leads in each): [subsets * R, C', frames].

    maps: [R, C, k, T]. raw: [k, R, T], above 0; at every moment, a lead counts with this number over the subset's sum of them.
    """
    enter, leave, around = block.body[0], block.body[-2], block.around[-2]
    odd = maps.shape[3] % 2

    def taps(signal: Tensor) -> Tensor:  # [..., T] -> [..., frames, 3]
        return F.pad(signal, (1, 1 + odd)).unfold(-1, TAPS, STRIDE)

    windows = taps(maps)  # [R, C, k, frames, 3]
    into = torch.einsum("rckfj,ocj->krfjo", windows, enter.weight.squeeze(2))
    into[..., TAPS // 2, :] += enter.bias  # a subset's weights add up to 1 at this tap, which is never outside
    past = torch.einsum("rckfj,oc->krfjo", windows[..., -STRIDE:], around.weight[..., 0, 0] / STRIDE)
    if odd:
        past[:, :, -1] *= STRIDE  # the last frame has no neighbour to be averaged with
    heard = taps(raw)[..., None]  # [k, R, frames, 3, 1]
    sums = partial_sums(raw)
    sums_into, sums_past = (
        weighted_partial_sums((terms * heard[..., -terms.shape[3] :, :]).flatten(1, 2)) for terms in (into, past)
    )
    bias = leave.bias + around.bias

    def block_of(masks: Tensor) -> Tensor:
        weights = taps(sums(masks).reciprocal_()).flatten(1, 2)  # [subsets, R * frames, 3]
        entered, left = (
            found.unflatten(1, (len(maps), -1)).flatten(0, 1).transpose(1, 2)  # [subsets * R, C', frames]
            for found in (sums_into(masks, weights).relu_(), sums_past(masks, weights[..., -STRIDE:]))
        )
        return F.conv2d(entered[:, :, None], leave.weight, bias, padding=leave.padding).squeeze(2).add_(left).relu_()

    return block_of
