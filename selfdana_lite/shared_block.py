"""The trunk's first layer is shared by all subsets, too: it need not wait until the leads have met.

What attention hands to the trunk is a mean of the leads' maps x, each weighted with w = exp(score); a convolution of it is a
mean of convolutions. For subset S, output frame t, tap j of the kernel W (-1, 0 or 1) and moment u = 2 t + j:

    conv(mean)[t]  =  sum over j of   1 / D[u] * N_j[t],   D[u]   = sum over the leads l in S of  w_l[u]
                                                           N_j[t] = sum over the leads l in S of  w_l[u] W_j x_l[u]

D and N are sums over a subset of the leads, which partial_sums.py shares; only the quotients are each subset's own.
So the leads' maps are convolved once, tap by tap. Batch norms must be folded into the convolutions (folded.py).
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


def block_of_subsets(block: ResidualBlock, maps: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [subsets] to block(weighted mean of the leads in each): [subsets * R, C', frames].

    maps: [R, C, k, T]. weights: [k, R, T], above 0, not yet divided by their sum over a subset.
    """
    enter, leave, around = block.body[0], block.body[-2], block.around[-2]
    odd = maps.shape[3] % 2
    body, shortcut = _by_tap(block, _taps(maps, odd))
    if odd:
        shortcut[:, :, -1] *= STRIDE  # the last frame has no neighbour to be averaged with
    body[..., TAPS // 2, :] += enter.bias  # a mean of equal biases is the bias, and this tap is never outside
    of_taps = _taps(weights, odd)[..., None]  # [k, R, frames, 3, 1]
    body_sums = weighted_partial_sums((body * of_taps).flatten(1, 2))
    shortcut_sums = weighted_partial_sums((shortcut * of_taps[..., -STRIDE:, :]).flatten(1, 2))
    weight_sums, bias = partial_sums(weights), leave.bias + around.bias

    def by_frame(sums: Tensor) -> Tensor:  # [subsets, R * frames, C'] -> [subsets * R, C', frames]
        return sums.unflatten(1, (len(maps), -1)).flatten(0, 1).transpose(1, 2)

    def block_of(masks: Tensor) -> Tensor:
        inverse = _taps(weight_sums(masks).reciprocal_(), odd).flatten(1, 2)  # 1 / D: [subsets, R * frames, 3]
        entered = by_frame(body_sums(masks, inverse).relu_())
        passed = by_frame(shortcut_sums(masks, inverse[..., -STRIDE:]))
        return F.conv2d(entered[:, :, None], leave.weight, bias, padding=leave.padding).squeeze(2).add_(passed).relu_()

    return block_of


def _taps(signal: Tensor, odd: int) -> Tensor:
    """What the kernel sees at each frame: [..., T] -> [..., frames, 3], zeros outside."""
    return F.pad(signal, (1, 1 + odd)).unfold(-1, TAPS, STRIDE)


def _by_tap(block: ResidualBlock, windows: Tensor) -> tuple[Tensor, Tensor]:
    """What each tap makes of each lead, in the body [k, R, frames, 3, C'] and around it [k, R, frames, 2, C'].

    windows: [R, C, k, frames, 3]. The way around is an average of the last two taps and a convolution with one tap.
    """
    body = torch.einsum("rckfj,ocj->krfjo", windows, block.body[0].weight.squeeze(2))
    shortcut = torch.einsum("rckfj,oc->krfjo", windows[..., -STRIDE:], block.around[-2].weight[..., 0, 0] / STRIDE)
    return body, shortcut
