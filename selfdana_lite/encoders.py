"""Small ECG encoders that differ in how the leads come together, and in the stem that this allows.

        signals [B, k, T]                          k of the 12 leads
           |
    +------+---------------------------------+
    | per-lead kinds                         | zero-pad kinds
    |   one narrow stem for every lead       |   the first convolution mixes the twelve; absent
    |   [B, C, k, T/16]                      |   leads are zeros, or their kernel columns are
    |   pooling over leads, late             |   left out ("zero-pad-sliced")
    +------+---------------------------------+
           |
        frames [B, C, T/16]
           |
        trunk: a convolution, residual blocks, or a transformer
           |
        mean and maximum over time -> embedding [B, D]

"dap" pools neighbours in the order of LEADS (Self-DANA's pooling, as far as it is known); "lead-max"
and "lead-attention" know each lead by name and are our choice, and so are all sizes. Pooling late,
over a narrow per-lead stem, is what makes the cost follow the number of leads. "zero-pad-lean" is
the fairest rival: it mixes leads as "zero-pad" does, in a network as narrow as the per-lead kinds'.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.adapter import DimensionAdaptivePooling, LeadAttentionPooling, LeadNames
from selfdana_lite.backbones import (
    AlongTime,
    ResidualBlock,
    Transformer,
    convolution,
    convolutions,
    one_layer_trunk,
    residual_trunk,
)
from selfdana_lite.leads import LEADS, lead_ids

PER_LEAD_KINDS = ("dap", "lead-max", "lead-attention")
KINDS = (*PER_LEAD_KINDS, "zero-pad", "zero-pad-sliced", "zero-pad-lean")
BACKBONES = ("conv", "conv-transformer")
LEAN_KINDS = (*PER_LEAD_KINDS, "zero-pad-lean")  # with the narrow trunk
SAMPLES_PER_FRAME = 16  # every stem here turns 16 samples (0.16 s at 100 Hz) into one frame


@dataclass(frozen=True)
class EncoderConfig:
    """All that is needed to build an encoder again; written beside its weights."""

    kind: str = "lead-attention"  # one of KINDS: the drawing above
    backbone: str = "conv"  # one of BACKBONES: the trunk, convolutions or a transformer
    slots: int = 1  # what the leads are pooled into; "dap" is built with 4 unless told otherwise
    op: str = "max"  # how "dap" merges neighbours
    fill: str = "repeat"  # how "dap" fills slots when leads are few
    sampling_rate_hz: float = 100.0  # of the recordings that it is trained on and takes

    def __post_init__(self):
        if self.kind not in KINDS or self.backbone not in BACKBONES:
            raise ValueError(
                f"Unknown encoder kind {self.kind!r} or backbone {self.backbone!r}; "
                f"choose a kind of {', '.join(KINDS)} and a backbone of {', '.join(BACKBONES)}."
            )
        if self.slots < 1 or not self.sampling_rate_hz > 0:
            raise ValueError(f"slots {self.slots} must be at least 1, sampling_rate_hz {self.sampling_rate_hz} above 0.")


def build_encoder(kind: str = "lead-attention", **options: str | int) -> "Encoder":
    """A fresh encoder, its weights drawn from torch's global generator. options: fields of EncoderConfig."""
    if kind == "dap":
        options = {"slots": 4} | options
    return Encoder(EncoderConfig(kind, **options))


class Encoder(nn.Module):
    """signals [B, k, T] in mV and their leads -> embedding [B, embedding_size], for any 1..12 leads.

    leads: names, or lead_ids int64 [k] or [B, k] (positions in LEADS). Their order in the signal
    never matters to the result. Raises ValueError (LeadError for names) where leads and signals
    disagree, a lead is unknown or repeated, a sample is not finite, or the recording is too short.
    """

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        per_lead = config.kind in PER_LEAD_KINDS
        self.join_leads = PerLead(config) if per_lead else MixedLeads(config)
        if config.backbone == "conv-transformer":
            self.trunk = Transformer(self.join_leads.channels)
        elif config.kind in LEAN_KINDS:
            self.trunk = one_layer_trunk(self.join_leads.channels, 96, kernel=3)
        else:
            self.trunk = residual_trunk(self.join_leads.channels, (128, 128), kernel=5)
        self.embedding_size = 2 * self.trunk.channels

    def forward(self, signals_mv: Tensor, leads: str | Iterable[str] | Tensor) -> Tensor:
        ids = as_lead_ids(signals_mv, leads)
        check_samples(signals_mv)
        return pool_time(self.trunk(self.frames(signals_mv, ids)))

    def refuse_other_rate(self, sampling_rate_hz: float) -> None:
        """ValueError where recordings have another sampling rate: the same beat would look slower or faster."""
        if sampling_rate_hz != self.config.sampling_rate_hz:
            raise ValueError(
                f"The recordings have {sampling_rate_hz:g} Hz, this encoder takes {self.config.sampling_rate_hz:g} Hz; "
                f"resample them, or build an encoder for them: build_encoder(sampling_rate_hz={sampling_rate_hz:g})."
            )

    def frames(self, signals_mv: Tensor, ids: Tensor) -> Tensor:
        """The leads joined, before the trunk: [B, C, T / 16]."""
        return self.join_leads(signals_mv, ids)


def pool_time(maps: Tensor) -> Tensor:
    """Mean and maximum over time: [B, C, frames] -> [B, 2 C]."""
    return torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1)


def as_lead_ids(signals_mv: Tensor, leads: str | Iterable[str] | Tensor) -> Tensor:
    """lead_ids int64 [B, k] for signals [B, k, T], from names or ids; ValueError where they disagree."""
    if signals_mv.ndim != 3 or not signals_mv.is_floating_point():
        raise ValueError(
            f"Expected floating-point signals [batch, leads, samples] in mV; found {signals_mv.dtype} "
            f"{tuple(signals_mv.shape)}."
        )
    ids = leads if isinstance(leads, Tensor) else torch.tensor(lead_ids(leads))
    if ids.ndim == 0 or ids.is_floating_point():
        raise ValueError(f"Expected lead ids int64 [leads] or [batch, leads]; found {ids.dtype} {tuple(ids.shape)}.")
    if ids.shape[-1] != signals_mv.shape[1] or (ids.ndim == 2 and len(ids) != len(signals_mv)) or ids.ndim not in (1, 2):
        raise ValueError(
            f"{ids.shape[-1]} leads are named (lead ids {tuple(ids.shape)}), but the signals {tuple(signals_mv.shape)} hold "
            f"{signals_mv.shape[1]}; name exactly the leads that are there, in their order."
        )
    ids = ids.to(signals_mv.device, torch.int64).expand(len(signals_mv), -1)
    in_order = ids.sort(dim=1).values
    if in_order.numel() and (in_order.min() < 0 or in_order.max() >= len(LEADS) or (in_order.diff(dim=1) == 0).any()):
        raise ValueError(f"Lead ids must be different numbers from 0 to 11 in every recording; found {ids[0].tolist()} first.")
    return ids


def check_samples(signals_mv: Tensor) -> None:
    """ValueError where recordings are too short, or hold samples that are not finite."""
    if signals_mv.shape[2] < 2 * SAMPLES_PER_FRAME or signals_mv.shape[1] == 0:
        raise ValueError(
            f"Found {signals_mv.shape[1]} leads of {signals_mv.shape[2]} samples; an encoder needs at least one lead of "
            f"{2 * SAMPLES_PER_FRAME} samples ({2 * SAMPLES_PER_FRAME / 100:g} s at 100 Hz)."
        )
    if signals_mv.sum().isfinite():  # a single NaN or infinity would spoil the sum, which takes a fraction of the time
        return
    finite = torch.isfinite(signals_mv).all(dim=2)  # [B, k]
    if not finite.all():  # else the sum was too large for its type
        row, lead = (~finite).nonzero()[0].tolist()
        raise ValueError(
            f"Row {row}, lead at position {lead}, holds NaN or infinite samples ({int((~finite).any(dim=1).sum())} of "
            f"{len(finite)} rows do); repair or leave out those recordings."
        )


class PerLead(nn.Module):
    """The same narrow stem for every lead, then pooling over the leads: [B, k, T] -> [B, C, T / 16]."""

    channels = 48

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.stem = nn.Sequential(  # it runs once a lead, so all that it computes and keeps is paid twelve times over
            convolution(1, 16, kernel=17, stride=4, bias=True),
            nn.ReLU(inplace=True),
            convolution(16, self.channels, kernel=9, stride=4),
            nn.BatchNorm2d(self.channels),
        )
        self.names = None if config.kind == "dap" else LeadNames(self.channels)
        if config.kind == "lead-attention":
            self.pooling = LeadAttentionPooling(self.channels, config.slots)
        else:
            self.pooling = DimensionAdaptivePooling(config.slots, config.op, config.fill)
        self.merge = nn.Identity()
        if config.slots > 1:
            self.merge = AlongTime(convolution(self.channels * config.slots, self.channels, kernel=1, bias=True))

    def forward(self, signals_mv: Tensor, ids: Tensor) -> Tensor:
        by_name = isinstance(self.pooling, LeadAttentionPooling)
        if not by_name and self.pooling.slots > 1:  # DAP merges neighbours: put the leads in the order of LEADS first
            ids, order = ids.sort(dim=1)
            signals_mv = signals_mv.gather(1, order[..., None].expand_as(signals_mv))
        maps = self.lead_maps(signals_mv, ids)
        pooled = self.pooling(maps, ids) if by_name else self.pooling(maps)
        return self.merge(pooled.flatten(1, 2))  # [B, C * slots, T / 16] -> [B, C, T / 16]

    def lead_maps(self, signals_mv: Tensor, ids: Tensor) -> Tensor:
        """Every lead on its own, before the leads meet: [B, k, T] -> [B, C, k, T / 16]."""
        pictures = signals_mv.contiguous()[..., None].movedim(3, 1)  # [B, k, T] -> [B, 1, k, T], channels last in memory
        maps = self.stem(pictures)  # [B, C, k, T / 16]
        return F.relu_(maps) if self.names is None else self.names(maps, ids)


class MixedLeads(nn.Module):
    """The usual way: a first convolution that expects all twelve leads, [B, k, T] -> [B, C, T / 16].

    The convolution has no bias, so a lead of zeros adds nothing: writing zeros for absent leads
    and leaving their columns out of the kernel are the same function. The zeros only cost.
    """

    channels = 64

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.sliced = config.kind == "zero-pad-sliced"
        if config.kind == "zero-pad-lean":
            width, kernel, stride = 48, 17, 4
            after = convolutions(width, [self.channels], kernels=[9], strides=[4])
        else:
            width, kernel, stride = self.channels, 15, 2
            after = [ResidualBlock(self.channels, self.channels, 7, stride=2) for _ in range(3)]
        self.mix = convolution(len(LEADS), width, kernel, stride)
        self.rest = AlongTime(nn.BatchNorm2d(width), nn.ReLU(inplace=True), *after)

    def forward(self, signals_mv: Tensor, ids: Tensor) -> Tensor:
        return self.rest(self._sliced(signals_mv, ids) if self.sliced else self._zero_padded(signals_mv, ids))

    def _zero_padded(self, signals_mv: Tensor, ids: Tensor) -> Tensor:
        batch, _, samples = signals_mv.shape
        twelve = signals_mv.new_zeros(batch, samples, len(LEADS)).transpose(1, 2)  # [B, 12, T], the leads side by side
        twelve = twelve.scatter(1, ids[..., None].expand(-1, -1, samples), signals_mv)
        return self.mix(twelve[:, :, None]).squeeze(2)

    def _sliced(self, signals_mv: Tensor, ids: Tensor) -> Tensor:
        settings = {"stride": self.mix.stride, "padding": self.mix.padding}
        if (ids == ids[0]).all():  # one lead set for the whole batch: one kernel [C, k, 1, 15]
            pictures = signals_mv[:, :, None].contiguous(memory_format=torch.channels_last)  # [B, k, 1, T]
            return F.conv2d(pictures, self.mix.weight[:, ids[0]], **settings).squeeze(2)
        kernels = self.mix.weight.transpose(0, 1)[ids].transpose(1, 2)  # one for each recording: [B, C, k, 1, 15]
        one_picture = signals_mv.flatten(0, 1)[None, :, None]  # [1, B * k, 1, T]
        grouped = F.conv2d(one_picture, kernels.flatten(0, 1), groups=len(ids), **settings)
        return grouped.unflatten(1, (len(ids), -1))[0, :, :, 0]  # [1, B * C, 1, T / 2] -> [B, C, T / 2]
