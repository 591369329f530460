"""A made-up recording with R peaks at known places, whose limb leads obey their laws: what tests of quality start from."""

import numpy as np

from selfdana_lite.leads import LEADS, derive_limb_leads
from selfdana_lite.recording import Recording

HEIGHTS_MV = {"I": 0.7, "II": 1.1, "V1": -0.9, "V2": -1.1, "V3": 0.5, "V4": 1.3, "V5": 1.2, "V6": 0.9}


def beat_mv(time_s: np.ndarray, at_s: np.ndarray) -> np.ndarray:
    """P, QRS and T as bumps around each beat, the R peak 1 mV high."""
    bumps = [(-0.16, 0.02, 0.12), (0.0, 0.012, 1.0), (0.035, 0.012, -0.2), (0.28, 0.04, 0.3)]  # s, s, mV
    after_s = time_s[:, None] - at_s  # [samples, beats]
    return sum(mv * np.exp(-(((after_s - shift) / width) ** 2) / 2) for shift, width, mv in bumps).sum(axis=1)


def heart(rate_hz: float = 250.0, seconds: float = 10.0, bpm: float = 72.0, noise_mv: float = 0.004) -> Recording:
    """Twelve leads; II has a P wave of its own shape, so that leads are alike and not the same."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    at_s = np.arange(0.4, seconds - 0.05, 60 / bpm)
    beat, turned = beat_mv(time_s, at_s), beat_mv(time_s, at_s + 0.012)
    noise = np.random.default_rng(0).normal(0, noise_mv, (8, len(time_s)))
    drawn = {
        lead: height * (0.8 * beat + 0.2 * turned * (lead != "I")) + noise[row]
        for row, (lead, height) in enumerate(HEIGHTS_MV.items())
    }
    limb = derive_limb_leads(drawn["I"], drawn["II"])  # [6, samples]
    signal_mv = np.stack([*limb, *(drawn[lead] for lead in LEADS[6:])])
    return Recording(signal_mv.astype(np.float32), rate_hz, LEADS, "made up")


def changed(recording: Recording, **leads_mv) -> Recording:
    """The same with some leads replaced, by name."""
    signal_mv = recording.signal_mv.copy()
    for lead, values in leads_mv.items():
        signal_mv[recording.leads.index(lead)] = values
    return Recording(signal_mv, recording.sampling_rate_hz, recording.leads, recording.source)


def lead_mv(recording: Recording, lead: str) -> np.ndarray:
    """One lead [samples], a copy."""
    return recording.signal_mv[recording.leads.index(lead)].copy()
