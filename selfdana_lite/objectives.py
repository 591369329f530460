"""What "the same" means without labels: losses over two views of each recording.

A loss takes two batches of projected embeddings, [B, D] each, row i of both from recording i, and
returns a scalar. Which two views these are is told by a function of the batch: `two_crops` (two
windows anywhere, SimCLR's way) or `two_halves` (CMSC of CLOCS, Kiyasseh et al. 2021: the first and
the second half of a recording are the same heart a moment later).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfdana_lite.augment import random_crop
from selfdana_lite.encoders import Encoder
from selfdana_lite.many_devices import gather


def _check_views(z1: Tensor, z2: Tensor) -> None:
    if z1.shape != z2.shape or z1.ndim != 2 or len(z1) < 2:
        raise ValueError(
            f"Expected two views [batch, features] of the same 2 or more recordings; found {tuple(z1.shape)} and "
            f"{tuple(z2.shape)}."
        )


def in_float32(z: Tensor) -> torch.autocast:
    """Products of embeddings need all their digits: near-parallel views differ in the third, which bfloat16 rounds away."""
    return torch.autocast(z.device.type, enabled=False)


class NTXent(nn.Module):
    """Normalised temperature-scaled cross-entropy (SimCLR, Chen et al. 2020).

    Each of the 2B embeddings must find its partner among the 2B - 1 others, by cosine similarity
    over temperature. All embeddings alike: the loss is log(2B - 1).
    """

    def __init__(self, temperature: float = 0.1):
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}; it must be above 0 (0.1 is usual).")
        self.temperature = temperature

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        _check_views(z1, z2)
        batch = len(z1)
        z = F.normalize(torch.cat([z1, z2]).float(), dim=1)  # [2B, D]
        with in_float32(z):
            similarity = z @ z.T / self.temperature  # [2B, 2B]
        itself = torch.eye(2 * batch, dtype=torch.bool, device=z.device)
        partner = torch.arange(2 * batch, device=z.device).roll(batch)  # i <-> i + B
        return F.cross_entropy(similarity.masked_fill(itself, -torch.inf), partner)


class VICReg(nn.Module):
    """Variance-invariance-covariance regularisation (Bardes et al. 2022): no negatives, no temperature.

    Views agree (invariance); every feature keeps a standard deviation of at least 1 over the batch
    (variance), so that agreeing on a constant does not pay; features do not repeat one another
    (covariance). The weights are the paper's.
    """

    def __init__(self, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0):
        super().__init__()
        self.invariance, self.variance, self.covariance = invariance, variance, covariance

    def forward(self, z1: Tensor, z2: Tensor) -> Tensor:
        _check_views(z1, z2)
        z1, z2 = z1.float(), z2.float()
        terms = self.invariance * F.mse_loss(z1, z2)
        for z in (z1, z2):
            too_narrow = F.relu(1 - (z.var(dim=0) + 1e-4).sqrt()).mean()
            with in_float32(z):
                covariance = z.T.cov()  # [D, D]
            repeated = (covariance.pow(2).sum() - covariance.diagonal().pow(2).sum()) / z.shape[1]
            terms = terms + self.variance * too_narrow / 2 + self.covariance * repeated
        return terms


def two_halves(signals_mv: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """CMSC: the first and the second half of each recording, [B, L, T] -> two of [B, L, T // 2]."""
    half = signals_mv.shape[2] // 2
    return signals_mv[..., :half], signals_mv[..., half : 2 * half]


def two_crops(signals_mv: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """SimCLR: two windows of half the length at random places, which may overlap, [B, L, T] -> two of [B, L, T // 2]."""
    half = signals_mv.shape[2] // 2
    return random_crop(signals_mv, half, generator), random_crop(signals_mv, half, generator)


VIEWS = {"halves": two_halves, "crops": two_crops}


class TwoViews(nn.Module):
    """An encoder with a projection head (dropped after pre-training) and a loss between two views.

    Views are pairs (signals [B, k, T], lead_ids [B, k]); they need not have the same leads. In several processes each
    embeds its own rows, and the loss is that of all rows.
    """

    def __init__(self, encoder: Encoder, loss: nn.Module, projection_size: int = 128):
        super().__init__()
        self.encoder, self.loss = encoder, loss
        self.project = nn.Sequential(
            nn.Linear(encoder.embedding_size, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, projection_size)
        )

    def forward(self, *views: tuple[Tensor, Tensor]) -> Tensor:
        z1, z2 = (gather(self.project(self.encoder(signals_mv, ids))) for signals_mv, ids in views)
        return self.loss(z1, z2)


class MaskedFrames(nn.Module):
    """wav2vec 2.0's game (Baevski et al. 2020): hide spans of frames, and pick each one out from the recording's other frames.

    Only for encoders with the transformer trunk, which can look around a gap. Simpler than the
    original: the frames themselves are the targets (no quantiser), the distractors are all frames
    of the same view. A view is (signals [B, k, T], lead_ids [B, k], hidden [B, frames]).
    """

    def __init__(self, encoder: Encoder, temperature: float = 0.1):
        super().__init__()
        if encoder.config.backbone != "conv-transformer":
            raise ValueError(
                f"The masked objective needs the backbone 'conv-transformer'; this encoder has {encoder.config.backbone!r}."
            )
        self.encoder, self.temperature = encoder, temperature
        self.predict = nn.Linear(encoder.trunk.channels, 64)
        self.target = nn.Linear(encoder.join_leads.channels, 64)

    def forward(self, *views: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        losses = []
        for signals_mv, ids, hidden in views:
            frames = self.encoder.frames(signals_mv, ids)  # [B, C, F]
            guess = F.normalize(self.predict(self.encoder.trunk(frames, hidden).transpose(1, 2)).float(), dim=2)  # [B, F, 64]
            truth = F.normalize(self.target(frames.transpose(1, 2)).float(), dim=2)  # [B, F, 64]
            with in_float32(guess):
                scores = guess @ truth.transpose(1, 2) / self.temperature  # [B, F, F]: frame i's guess, frame j's truth
            itself = torch.arange(frames.shape[2], device=frames.device).expand(hidden.shape)
            losses.append(gather(F.cross_entropy(scores[hidden], itself[hidden], reduction="none")).mean())
        return torch.stack(losses).mean()


def hide_spans(batch: int, frames: int, generator: torch.Generator | None = None, span: int = 5, share: float = 0.5) -> Tensor:
    """Frames to hide, bool [batch, frames]: spans that hide about the given share, never all and never none."""
    starts = 1 - (1 - share) ** (1 / span)  # then a frame escapes every span with probability 1 - share
    begins = torch.rand(batch, frames, generator=generator, device=generator.device if generator else None) < starts
    hidden = F.max_pool1d(F.pad(begins.float(), (span - 1, 0)), span, stride=1) > 0  # [batch, frames]
    hidden[:, 0], hidden[:, frames // 2] = False, True
    return hidden
