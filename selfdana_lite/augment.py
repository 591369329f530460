"""What a pre-training view may lose or gain: leads, time, amplitude, noise.

Random Lead Selection (RLS) is the augmentation of Self-DANA (Monachino et al. 2025): absent leads
are really absent, so the tensor gets smaller and the step cheaper. How the paper draws the number
of leads is not public; the uniform law is our choice. Random Lead Masking (RLM; Oh et al. 2022) is
the rival: every lead is set to zero with probability p, and the tensor keeps its twelve slots.

Recordings need not have the same leads: `present`, bool [batch, leads], says which are there (all where None), and
selection draws from those alone, while masking fills the others with zeros. What the signals hold for absent leads is
never looked at.

Everything here works on whole batches [batch, leads, samples] in millivolt, on their device, and
draws from the torch.Generator that the caller passes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from selfdana_lite.leads import LEADS


def _uniform(*shape: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws from [0, 1), made where the generator lives, used where the signals live."""
    return torch.rand(*shape, generator=generator, device=generator.device if generator else like.device).to(like.device)


def _normal(*shape: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draws of mean 0 and standard deviation 1, made where the generator lives, used where the signals live."""
    return torch.randn(*shape, generator=generator, device=generator.device if generator else like.device).to(like.device)


def _check_batch(signals_mv: Tensor) -> None:
    if signals_mv.ndim != 3 or not signals_mv.is_floating_point():
        raise ValueError(
            f"Expected floating-point signals [batch, leads, samples] in mV; found {signals_mv.dtype} "
            f"{tuple(signals_mv.shape)}."
        )


@dataclass(frozen=True)
class RandomLeadSelection:
    """Keep a random subset of the leads: signals [B, L, T] -> (signals [B, k, T], lead_ids int64 [B, k]).

    The count k is drawn once a batch (a tensor has one shape). law "uniform": every count from
    min_leads to max_leads equally often; "binomial": as if each lead were kept with probability
    1/2, which is the count that RLM leaves, within the same bounds. Which k leads stay is drawn
    for each recording, or once for the whole batch where per_recording is False (one ranking of
    the leads, of which each recording keeps the first k that it has).

    present: the counts go up to the leads of the recording that has fewest, so let batches hold
    recordings with equally many; ValueError where those are fewer than min_leads.
    """

    min_leads: int = 1
    max_leads: int = len(LEADS)
    law: str = "uniform"
    per_recording: bool = True

    def __post_init__(self):
        if not 1 <= self.min_leads <= self.max_leads <= len(LEADS):
            raise ValueError(
                f"min_leads {self.min_leads} and max_leads {self.max_leads} must satisfy 1 <= min_leads <= max_leads <= 12."
            )
        if self.law not in ("uniform", "binomial"):
            raise ValueError(f"Unknown law {self.law!r}; choose 'uniform' or 'binomial'.")

    def count_probabilities(self, n_leads: int = len(LEADS)) -> Tensor:
        """The law itself: probability of keeping 0, 1, ... n_leads leads, float64 [n_leads + 1]."""
        counts = torch.arange(n_leads + 1, dtype=torch.float64)
        if self.law == "uniform":
            weights = torch.ones_like(counts)
        else:  # n over k, up to a constant factor
            weights = torch.exp(-torch.lgamma(counts + 1) - torch.lgamma(n_leads - counts + 1))
        weights[(counts < self.min_leads) | (counts > self.max_leads)] = 0
        return weights / weights.sum()

    def draw(self, signals_mv: Tensor, generator: torch.Generator | None = None, present: Tensor | None = None) -> Tensor:
        """Which leads to keep: positions int64 [B, k] in the lead axis of signals_mv, none twice, none absent."""
        batch, n_leads, _ = signals_mv.shape
        fewest = n_leads if present is None else int(present.sum(dim=1).min())
        if fewest < self.min_leads:
            raise ValueError(f"Asked to keep at least {self.min_leads} leads; the signals have {fewest}.")
        device = generator.device if generator else "cpu"
        law = self.count_probabilities(fewest).float().to(device)
        k = int(torch.multinomial(law, 1, generator=generator))
        draws = _uniform(batch if self.per_recording else 1, n_leads, like=signals_mv, generator=generator)
        if present is not None:
            draws = draws.where(present, 2.0)  # behind all that are there
        return draws.argsort(dim=1)[:, :k].expand(batch, k)  # a random permutation a row, cut at k

    def __call__(
        self, signals_mv: Tensor, generator: torch.Generator | None = None, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        _check_twelve(signals_mv, present)
        kept = self.draw(signals_mv, generator, present)
        return select_leads(signals_mv, kept), kept


@dataclass(frozen=True)
class RandomLeadMasking:
    """Zero each lead with probability p: signals [B, 12, T] -> (signals [B, 12, T], lead_ids int64 [B, 12]).

    The number of leads left is Binomial(12, 1 - p), as published: with p = 0.5 one lead is left in
    0.3 % of the recordings, at most three in 7.3 %, and none at all in 0.02 %. A lead that is not
    present is zero too, so that of a recording with a single lead every other view is empty.
    """

    p: float = 0.5

    def __post_init__(self):
        if not 0 <= self.p < 1:
            raise ValueError(f"p is {self.p}; the probability of masking a lead must lie in [0, 1).")

    def draw(self, signals_mv: Tensor, generator: torch.Generator | None = None, present: Tensor | None = None) -> Tensor:
        """Which leads to keep: bool [B, 12]."""
        kept = _uniform(*signals_mv.shape[:2], like=signals_mv, generator=generator) >= self.p
        return kept if present is None else kept & present

    def __call__(
        self, signals_mv: Tensor, generator: torch.Generator | None = None, present: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        _check_twelve(signals_mv, present)
        kept = self.draw(signals_mv, generator, present)
        every_lead = torch.arange(len(LEADS), device=signals_mv.device).expand(kept.shape)
        return signals_mv.masked_fill(~kept[..., None], 0.0), every_lead  # a product would let NaN through


def _check_twelve(signals_mv: Tensor, present: Tensor | None) -> None:
    _check_batch(signals_mv)
    if signals_mv.shape[1] != len(LEADS):
        raise ValueError(f"Expected the twelve leads in the order of LEADS to choose from; found {signals_mv.shape[1]} leads.")
    if present is not None and (present.dtype != torch.bool or present.shape != signals_mv.shape[:2]):
        raise ValueError(
            f"Expected present bool {tuple(signals_mv.shape[:2])}, one for each lead of each recording; found {present.dtype} "
            f"{tuple(present.shape)}."
        )


def select_leads(signals_mv: Tensor, kept: Tensor) -> Tensor:
    """Each recording's own leads: signals [B, L, T], positions [B, k] -> [B, k, T]."""
    return signals_mv.gather(1, kept[..., None].expand(-1, -1, signals_mv.shape[2]))


def random_crop(signals_mv: Tensor, samples: int, generator: torch.Generator | None = None) -> Tensor:
    """A window of the given length, at a place of its own in every recording: [B, L, T] -> [B, L, samples]."""
    _check_batch(signals_mv)
    batch, n_leads, available = signals_mv.shape
    if not 1 <= samples <= available:
        raise ValueError(f"Cannot crop {samples} samples from a recording of {available}; ask for 1 to {available}.")
    start = (_uniform(batch, like=signals_mv, generator=generator) * (available - samples + 1)).long()
    window = start[:, None] + torch.arange(samples, device=signals_mv.device)  # [B, samples]
    return signals_mv.gather(2, window[:, None].expand(-1, n_leads, -1))


def random_gain(signals_mv: Tensor, spread: float, generator: torch.Generator | None = None) -> Tensor:
    """Scale each recording by a log-normal factor, all its leads alike: their ratios are the heart's axis.

    spread is the standard deviation of the factor's logarithm: .2 means about 20 % up or down.
    """
    _check_batch(signals_mv)
    return signals_mv * torch.exp(spread * _normal(len(signals_mv), 1, 1, like=signals_mv, generator=generator))


def random_noise(signals_mv: Tensor, most_mv: float, generator: torch.Generator | None = None) -> Tensor:
    """Add white noise of a level of its own in every recording, uniform from 0 to most_mv (standard deviation)."""
    _check_batch(signals_mv)
    level = _uniform(len(signals_mv), 1, 1, like=signals_mv, generator=generator) * most_mv
    return signals_mv + level * _normal(*signals_mv.shape, like=signals_mv, generator=generator)
