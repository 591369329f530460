"""What electrodes pick up beside the heart. All of it enters at electrodes, so the lead laws survive it."""

from __future__ import annotations

import numpy as np


def shaped_noise(rng: np.random.Generator, channels: int, samples: int, sampling_rate_hz: float, gain) -> np.ndarray:
    """Gaussian noise [channels, samples] of unit standard deviation whose spectrum follows gain(frequencies_hz)."""
    spectrum = np.fft.rfft(rng.normal(size=(channels, samples)))
    noise = np.fft.irfft(spectrum * gain(np.fft.rfftfreq(samples, 1 / sampling_rate_hz)), samples)
    return noise / noise.std(axis=1, keepdims=True)


def _wander(frequency_hz: np.ndarray) -> np.ndarray:
    """Skin and breath: falls with frequency above 0.1 Hz; the recorder's 0.05 Hz high-pass removes what is slower."""
    return np.where(frequency_hz > 0, 1, 0) / (1 + (frequency_hz / 0.15) ** 2)


def _muscle(frequency_hz: np.ndarray) -> np.ndarray:
    """Muscle: broad, from some 10 Hz up to the recorder's 40 Hz or so."""
    return (frequency_hz / 15) ** 2 / (1 + (frequency_hz / 15) ** 2) / (1 + (frequency_hz / 42) ** 8) ** 0.5


def _motion(rng: np.random.Generator, samples: int, sampling_rate_hz: float, size_mv: float) -> np.ndarray:
    """One electrode is touched: a jump of its potential that decays within a second or so, [samples]."""
    time_s = np.arange(samples) / sampling_rate_hz - rng.uniform(0, samples / sampling_rate_hz)
    rise, decay = rng.uniform(0.02, 0.15), rng.uniform(0.2, 1.5)
    return (
        np.where(time_s > 0, (1 - np.exp(-time_s.clip(0) / rise)) * np.exp(-time_s.clip(0) / decay), 0)
        * size_mv
        * rng.choice([-1, 1])
    )


def draw_noise(
    rng: np.random.Generator, electrodes: int, samples: int, sampling_rate_hz: float, breaths_hz: float
) -> np.ndarray:
    """Noise potentials [electrodes, samples] in mV: baseline wander, breath, muscle, mains residue and touched electrodes.

    The first three electrodes are on the limbs, where muscle is worst. Sizes are drawn anew for each recording.
    """
    shape, time_s = (electrodes, samples), np.arange(samples) / sampling_rate_hz
    wander = _sizes(rng, 0.017, 0.7, 0.5, electrodes) * shaped_noise(rng, *shape, sampling_rate_hz, _wander)
    breath = _sizes(rng, 0.008, 0, 0.8, electrodes) * np.sin(2 * np.pi * (breaths_hz * time_s + rng.uniform()))
    limbs = np.where(np.arange(electrodes) < 3, 1.2, 0.5)[:, None]
    tension = 1 + 0.5 * np.sin(2 * np.pi * (rng.uniform(0.05, 0.4) * time_s + rng.uniform()))
    muscle = _sizes(rng, 0.0016, 0.9, 0.5, electrodes) * limbs * tension * shaped_noise(rng, *shape, sampling_rate_hz, _muscle)
    # 50 Hz lies at the Nyquist frequency of a 100 Hz recording; the mains' own drift makes the residue beat slowly.
    hum = np.cos(2 * np.pi * (rng.uniform(49.8, 50.2) * time_s + rng.uniform()))
    noise = wander + breath + muscle + _sizes(rng, 0.0007, 0.8, 0.7, electrodes) * hum  # [electrodes, samples]
    for _ in range(rng.poisson(0.25)):
        noise[rng.integers(electrodes)] += _motion(rng, samples, sampling_rate_hz, 0.135 * np.exp(rng.normal(0, 0.6)))
    return noise


def _sizes(rng: np.random.Generator, median_mv: float, between_visits: float, between_electrodes: float, electrodes: int):
    """Log-normal noise sizes [electrodes, 1] in mV, given the spreads of their logarithm."""
    return median_mv * np.exp(rng.normal(0, between_visits) + rng.normal(0, between_electrodes, (electrodes, 1)))
