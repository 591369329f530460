"""When the ventricles beat: sinus rhythm that breathes, atrial fibrillation, and extra beats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SINUS, ATRIAL_EXTRA, VENTRICULAR_EXTRA = 0, 1, 2
_LEAD_IN_MS = 1500.0  # beats start before the recording does, so that its first sample is mid-rhythm


@dataclass(frozen=True)
class Rhythm:
    """Beats of one recording: onset_ms [beats] of each QRS, kind [beats], breathing rate, and whether the atria fibrillate."""

    onset_ms: np.ndarray
    kind: np.ndarray
    breaths_hz: float
    fibrillating: bool


def draw_rhythm(
    rng: np.random.Generator,
    rate_bpm: float,
    variability: float,
    extra_beats: tuple[float, float],
    fibrillating: bool,
    duration_s: float,
) -> Rhythm:
    """Beat times of one recording.

    rate_bpm is the mean rate; variability is about the standard deviation of RR as a fraction
    of its mean; extra_beats are the chances that a beat comes early from the atria, or from the
    ventricles.
    """
    mean_ms = 60_000 / rate_bpm
    beats = int((1000 * duration_s + 2 * _LEAD_IN_MS) / (0.4 * mean_ms)) + 2
    breaths_hz = rng.uniform(0.18, 0.33)
    ratio = _fibrillating_rr(rng, beats) if fibrillating else _sinus_rr(rng, beats, variability, breaths_hz * mean_ms / 1000)
    kind = rng.choice(3, size=beats, p=[1 - sum(extra_beats), *extra_beats])
    kind[np.flatnonzero(kind[1:] * kind[:-1]) + 1] = SINUS  # no two extra beats in a row
    rr_ms = _shift_extra_beats(rng, mean_ms * ratio, kind)
    # rr_ms[k] ends in beat k: an early beat shortens its own interval.
    onset_ms = np.cumsum(rr_ms) - _LEAD_IN_MS - rng.uniform() * mean_ms
    kept = onset_ms < 1000 * duration_s + _LEAD_IN_MS
    return Rhythm(onset_ms[kept], kind[kept], breaths_hz, fibrillating)


def _sinus_rr(rng: np.random.Generator, beats: int, variability: float, breaths_per_beat: float) -> np.ndarray:
    """RR over its mean, [beats]: it follows the breath (respiratory sinus arrhythmia) and drifts a little."""
    breath = np.sin(2 * np.pi * (breaths_per_beat * np.arange(beats) + rng.uniform()))
    drift = np.cumsum(rng.normal(0, 0.15, beats))
    return np.clip(1 + variability * (1.2 * breath + 0.3 * (drift - drift.mean()) + 0.2 * rng.normal(size=beats)), 0.6, 1.6)


def _fibrillating_rr(rng: np.random.Generator, beats: int) -> np.ndarray:
    """RR over its mean, [beats]: successive intervals know nothing of each other (Bootsma et al. 1970)."""
    return np.clip(np.exp(rng.normal(0, 0.22, beats)), 0.5, 1.9)


def _shift_extra_beats(rng: np.random.Generator, rr_ms: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """RR intervals [beats] with the extra beats a quarter to four tenths early, and the pause after them.

    After a ventricular extra beat the sinus node keeps its schedule, so the pause makes up for
    all that was lost; an atrial one resets the node, and the pause hardly does.
    """
    early = np.flatnonzero(kind[:-1])
    advance = rng.uniform(0.25, 0.42, len(early)) * rr_ms[early]
    shifted = rr_ms.copy()
    shifted[early] -= advance
    shifted[early + 1] += np.where(kind[early] == VENTRICULAR_EXTRA, 1, 0.15) * advance
    return shifted


def fibrillation_waves(rng: np.random.Generator, samples: int, sampling_rate_hz: float, amplitude_mv: float) -> np.ndarray:
    """The f waves' dipole [samples, 3]: 5 to 8 Hz and a harmonic, of wandering rate and size, clearest from the right front."""
    time_s = np.arange(samples) / sampling_rate_hz
    wander = np.cumsum(rng.normal(0, 0.12, (2, samples)), axis=1) / np.sqrt(sampling_rate_hz)
    phase = 2 * np.pi * (rng.uniform(5, 8) * time_s + wander[0])
    size = amplitude_mv * (1 + 0.4 * np.sin(2 * np.pi * (0.3 * time_s + wander[1])))
    direction = np.array([-0.3, 0.5, 0.8]) + rng.normal(0, 0.25, 3)
    harmonic = 0.4 * (direction + rng.normal(0, 0.2, 3))
    return size[:, None] * (np.sin(phase)[:, None] * direction + np.sin(2 * phase + 1)[:, None] * harmonic)  # [samples, 3]
