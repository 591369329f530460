"""Dimension-Adaptive Pooling and its kin: from any number of leads to a fixed number of slots.

All poolings here take feature maps that still know their leads, [B, C, leads, T] (batch, channels,
leads, time), and return [B, C, slots, T], whatever the number of leads.

Dimension-Adaptive Pooling is from DANA (Malekzadeh et al. 2021), and Self-DANA (Monachino et al.
2025) puts it into self-supervised ECG encoders. Poolings that know which lead is which, and the
conversion of networks that others wrote, are ours.
"""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from selfdana_lite.leads import LEADS


def slot_bounds(leads: int, slots: int) -> list[tuple[int, int]]:
    """Which leads each slot pools, as [start, stop): with these floor/ceil bounds no slot is ever empty."""
    return [(j * leads // slots, math.ceil((j + 1) * leads / slots)) for j in range(slots)]


class DimensionAdaptivePooling(nn.Module):
    """Pool the lead axis into a fixed number of slots: [B, C, leads, T] -> [B, C, slots, T].

    More leads than slots: neighbours are merged by op ("max", DANA's default, or "mean"), so the
    order of the leads matters unless slots is 1. Fewer leads than slots: they are repeated beside
    themselves (fill "repeat": 0 0 1 1) or cyclically (fill "tile": 0 1 0 1, the original's way).
    The original formula pools over nothing for some pairs of counts; neither fill here can.
    """

    def __init__(self, slots: int, op: str = "max", fill: str = "repeat"):
        super().__init__()
        if slots < 1:
            raise ValueError(f"slots is {slots}; pooling needs at least one slot.")
        if op not in ("max", "mean") or fill not in ("repeat", "tile"):
            raise ValueError(f"op {op!r} and fill {fill!r}: choose op 'max' or 'mean', fill 'repeat' or 'tile'.")
        self.slots, self.op, self.fill = slots, op, fill

    def forward(self, maps: Tensor) -> Tensor:
        if maps.ndim != 4 or maps.shape[2] == 0:
            raise ValueError(f"Expected feature maps [B, C, leads, T] with at least one lead; found {tuple(maps.shape)}.")
        leads = maps.shape[2]
        if self.fill == "tile" and leads < self.slots:
            maps = maps[:, :, [j % leads for j in range(self.slots)]]  # [B, C, slots, T]
        pool = Tensor.amax if self.op == "max" else Tensor.mean
        return torch.stack([pool(maps[:, :, lo:hi], 2) for lo, hi in slot_bounds(maps.shape[2], self.slots)], dim=2)

    def extra_repr(self) -> str:
        return f"slots={self.slots}, op={self.op!r}, fill={self.fill!r}"


class LeadNames(nn.Module):
    """Tell feature maps which lead they came from: a learned scale and shift for every lead and channel.

    [B, C, leads, T] and lead_ids int64 [B, leads] -> [B, C, leads, T]. The field's
    name is FiLM (Perez et al. 2018). Starts near a scale of 1 and a shift of 0, with noise (deviation
    0.3) so that the leads start out different; a ReLU follows.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.scale_shift = nn.Embedding(len(LEADS), 2 * channels)
        nn.init.normal_(self.scale_shift.weight, std=0.3)

    def forward(self, maps: Tensor, lead_ids: Tensor) -> Tensor:
        scale, shift = self.scale_shift(lead_ids)[:, :, None].chunk(2, dim=3)  # each [B, leads, 1, C]
        maps = maps.permute(0, 2, 3, 1).to(scale.dtype)  # [B, leads, T, C], as they lie in memory; sums in bfloat16 are slow
        maps = (maps * (1 + scale)).add_(shift).relu_()  # in place: no product is kept for the backward pass
        return maps.permute(0, 3, 1, 2)


class LeadAttentionPooling(nn.Module):
    """Let every slot choose its leads, at every moment: [B, C, leads, T] and lead_ids -> [B, C, slots, T].

    A slot's weight for a lead is a softmax over the leads that are there, from what the lead shows
    at that moment and from a learned liking for its name. Order never matters.
    """

    def __init__(self, channels: int, slots: int = 1):
        super().__init__()
        self.score = nn.Linear(channels, slots)
        self.liking = nn.Embedding(len(LEADS), slots)
        nn.init.normal_(self.liking.weight, std=0.5)

    def forward(self, maps: Tensor, lead_ids: Tensor) -> Tensor:
        if maps.shape[2] == 1:  # nothing to choose from: every weight would be 1
            return maps.expand(-1, -1, self.score.out_features, -1)
        weights = self.scores(maps, lead_ids).softmax(dim=2).permute(0, 2, 3, 1)  # [B, leads, T, slots]
        weighted = weights[..., None] * maps.permute(0, 2, 3, 1)[:, :, :, None]  # [B, leads, T, slots, C]
        return weighted.sum(dim=1).permute(0, 3, 2, 1)  # [B, C, slots, T]

    def scores(self, maps: Tensor, lead_ids: Tensor) -> Tensor:
        """How much each slot is drawn to each lead, before the softmax: [B, slots, leads, T]."""
        shown = self.score(maps.movedim(1, 3)).movedim(3, 1)  # [B, leads, T, C] -> [B, slots, leads, T]
        return shown + self.liking(lead_ids).transpose(1, 2)[..., None]


class PerLeadConv1d(nn.Module):
    """A drop-in for a first Conv1d that mixes twelve leads: [B, 1..12, T] -> [B, C, T'].

    Every lead goes through the same convolution, DAP brings the leads to slots, and a 1x1
    convolution mixes the slots into the channels that the rest of the network expects. It starts
    from the old kernel summed over its leads and an average over the slots, so for twelve equal
    leads it computes what the old convolution did.
    """

    def __init__(self, mixing: nn.Conv1d, pooling: DimensionAdaptivePooling):
        super().__init__()
        if "weight" not in dict(mixing.named_parameters(recurse=False)):
            raise ValueError(
                "The weight of this convolution is computed from others (weight normalisation, say), so its leads cannot be "
                "summed; remove the parametrization first."
            )
        self.pooling = pooling
        self.per_lead = copy.deepcopy(mixing)  # with its stride, padding, bias, and whatever a subclass does besides
        self.per_lead.in_channels = self.per_lead.groups = 1
        self.per_lead.weight = nn.Parameter(mixing.weight.detach().sum(1, keepdim=True))  # [C, 12, K] -> [C, 1, K]
        self.mix_slots = nn.Conv1d(mixing.out_channels * pooling.slots, mixing.out_channels, 1, bias=False)
        with torch.no_grad():
            average = torch.eye(mixing.out_channels).repeat_interleave(pooling.slots, 1) / pooling.slots
            self.mix_slots.weight.copy_(average[..., None])  # [C, C * slots, 1]
        self.to(mixing.weight.device, mixing.weight.dtype)

    def forward(self, signals: Tensor) -> Tensor:
        if signals.ndim != 3 or not 1 <= signals.shape[1] <= len(LEADS):
            raise ValueError(f"Expected signals [batch, 1..12 leads, samples]; found {tuple(signals.shape)}.")
        batch, leads, samples = signals.shape
        maps = self.per_lead(signals.reshape(batch * leads, 1, samples))  # [B * leads, C, T']
        maps = maps.unflatten(0, (batch, leads)).transpose(1, 2)  # [B, C, leads, T']
        return self.mix_slots(self.pooling(maps).flatten(1, 2))  # [B, C * slots, T'] -> [B, C, T']


def make_channel_adaptive(
    model: nn.Module, slots: int = 4, op: str = "max", fill: str = "repeat", convolutions: Sequence[str] | None = None
) -> nn.Module:
    """A copy of any torch model whose first Conv1d expects 12 leads, that takes any 1..12 of them.

    model: takes signals [batch, 12, samples]; it is left as it was. The copy keeps its weights, gains a convolution that
        mixes the slots, and needs training again: only twelve equal leads give what they gave before.
    convolutions: names (as in named_modules) of the convolutions that see the leads; found by
        themselves where None, also where several do, as in an Inception stem.

    Leads are known by order here, not by name: keep them in the order of LEADS. Raises ValueError
    where no convolution expects 12 leads, or where several do and a trial run cannot tell which.
    """
    found = [name for name, m in model.named_modules() if isinstance(m, nn.Conv1d) and m.in_channels == len(LEADS)]
    if not found:
        raise ValueError(
            f"No Conv1d in {type(model).__name__} expects 12 channels; make_channel_adaptive replaces the Conv1d "
            f"through which twelve leads enter."
        )
    if isinstance(convolutions, str) or not set(convolutions or ()) <= set(found):
        raise ValueError(
            f"convolutions={convolutions!r} must be a list out of {found}, the Conv1d layers of {type(model).__name__} "
            f"that expect 12 channels."
        )
    first = next(name for name, module in model.named_modules() if isinstance(module, nn.Conv1d))
    chosen = convolutions or (found if found == [first] else _convolutions_that_see_leads(model, found))
    adaptive = copy.deepcopy(model)
    for name in chosen:
        adaptive = _replace(
            adaptive, name, PerLeadConv1d(adaptive.get_submodule(name), DimensionAdaptivePooling(slots, op, fill))
        )
    return adaptive


def _replace(model: nn.Module, name: str, layer: nn.Module) -> nn.Module:
    if name == "":  # the model is itself the convolution
        return layer
    parent, _, attribute = name.rpartition(".")
    setattr(model.get_submodule(parent), attribute, layer)
    return model


def _convolutions_that_see_leads(model: nn.Module, candidates: Sequence[str]) -> list[str]:
    """Of the convolutions with 12 inputs, those that the leads themselves enter: 11 leads in, 11 channels seen."""
    trial, seen = copy.deepcopy(model).eval(), {}
    for name in candidates:
        layer = PerLeadConv1d(trial.get_submodule(name), DimensionAdaptivePooling(1))
        # update() returns None: whatever else a pre-hook returns would take the place of the layer's input.
        layer.register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: inputs[0].shape[1]}))
        trial = _replace(trial, name, layer)
    like = next(model.parameters())
    try:
        with torch.no_grad():
            trial(torch.zeros(2, len(LEADS) - 1, 1000, device=like.device, dtype=like.dtype))
    except Exception as error:
        raise ValueError(
            f"A trial run on [2, 11, 1000] failed ({error}), so which of {', '.join(candidates)} sees the leads is not clear; "
            f"name them: make_channel_adaptive(model, convolutions=[...])."
        ) from error
    entered = [name for name in candidates if seen.get(name) == len(LEADS) - 1]
    if not entered:
        raise ValueError(f"None of {', '.join(candidates)} sees the leads themselves; name one: convolutions=[...].")
    return entered
