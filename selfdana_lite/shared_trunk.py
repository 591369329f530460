"""The default trunk is one convolution and a ReLU, and all of it but the ReLU is shared by all subsets, too.

What attention hands to the trunk is a mean of the leads' maps x, each weighted with w = exp(score); a convolution of it is a
mean of convolutions. For subset S, output frame t, tap j of the kernel W (-1, 0 or 1) and moment u = 2 t + j:

    conv(mean)[t]  =  bias + sum over j of   1 / D[u] * N_j[t],   D[u]   = sum over the leads l in S of  w_l[u]
                                                                  N_j[t] = sum over the leads l in S of  w_l[u] W_j x_l[u]

Outside the signal x is 0, and so is N. D and N are sums over a subset of the leads, which partial_sums.py shares; only the
quotients are each subset's own. So the leads' maps are convolved once, tap by tap. Batch norm must be folded into the
convolution (folded.py).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.backbones import AlongTime
from selfdana_lite.partial_sums import partial_sums, weighted_partial_sums

TAPS, STRIDE = 3, 2  # of the only trunk known here; all others are given the frames of each subset


def can_share_trunk(trunk: nn.Module) -> bool:
    """Whether a folded trunk is one convolution with this kernel and stride, then a ReLU: the default's."""
    if not isinstance(trunk, AlongTime):
        return False
    layers = [layer for layer in trunk if not isinstance(layer, nn.Identity)]
    if [type(layer) for layer in layers] != [nn.Conv2d, nn.ReLU]:
        return False
    shape = (layers[0].kernel_size, layers[0].stride, layers[0].padding, layers[0].dilation)
    return shape == ((1, TAPS), (1, STRIDE), (0, TAPS // 2), (1, 1))


def trunk_of_subsets(convolution: nn.Conv2d, maps: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from masks int64 [subsets] to what the trunk makes of their leads' weighted mean, [subsets * R, C', frames].

    maps: [R, C, k, T]. weights: [k, R, T], above 0, not yet divided by their sum over a subset.
    """
    by_tap = torch.einsum("rckfj,ocj->krfjo", _taps(maps), convolution.weight.squeeze(2))  # [k, R, frames, 3, C']
    by_tap[..., TAPS // 2, :] += convolution.bias  # a mean of equal biases is the bias, and this tap is never outside
    sums = weighted_partial_sums((by_tap * _taps(weights)[..., None]).flatten(1, 2))
    weight_sums = partial_sums(weights)

    def trunk_of(masks: Tensor) -> Tensor:
        inverse = _taps(weight_sums(masks).reciprocal_())  # 1 / D: [subsets, R, frames, 3]
        by_frame = sums(masks, inverse.flatten(1, 2)).relu_()  # [subsets, R * frames, C']
        return by_frame.unflatten(1, (len(maps), -1)).flatten(0, 1).transpose(1, 2)

    return trunk_of


def _taps(signal: Tensor) -> Tensor:
    """What the kernel sees at each frame: [..., T] -> [..., frames, 3], zeros outside."""
    return F.pad(signal, (1, 1)).unfold(-1, TAPS, STRIDE)
