"""One visit to the recorder: a patient's heart beats for ten seconds under nine electrodes."""

from __future__ import annotations

import numpy as np

from selfdana_lite.simulation.dipole import Waves, add_waves, leads_from_electrodes, rotation
from selfdana_lite.simulation.heart import Heart, drawn_within
from selfdana_lite.simulation.noise import draw_noise
from selfdana_lite.simulation.patients import Patient, place_electrodes
from selfdana_lite.simulation.rhythm import ATRIAL_EXTRA, VENTRICULAR_EXTRA, Rhythm, draw_rhythm, fibrillation_waves

SAMPLING_RATE_HZ = 100
SAMPLES = 1000


def record(rng: np.random.Generator, patient: Patient) -> tuple[np.ndarray, dict]:
    """Twelve leads [12, samples] in mV in the order of LEADS, before rounding, and what is true of them.

    The truths are the simulated rhythm, heart_rate_bpm, pr_ms (NaN in fibrillation), qrs_ms and qt_ms.
    """
    rate_bpm = _draw_rate(rng, patient)
    rhythm = _draw_beats(rng, patient, rate_bpm)
    dipole = beating_dipole(rng, patient.heart, rhythm, rate_bpm)  # [samples, 3]
    potentials = place_electrodes(rng, patient.electrode_vectors) @ dipole.T  # [9, 3] @ [3, samples]
    noise = draw_noise(rng, len(potentials), SAMPLES, SAMPLING_RATE_HZ, rhythm.breaths_hz)
    truth = {
        "rhythm": "AFIB" if patient.fibrillating else "SR",
        "heart_rate_bpm": round(rate_bpm, 1),
        "pr_ms": np.nan if patient.fibrillating else round(patient.heart.pr_ms),
        "qrs_ms": round(patient.heart.qrs_ms),
        "qt_ms": round(patient.heart.qt_ms(60_000 / rate_bpm)),
    }
    return leads_from_electrodes(potentials + noise), truth


def _draw_rate(rng: np.random.Generator, patient: Patient) -> float:
    """Mean rate of this visit, beats a minute: higher and more varied in the ill, most so in fibrillation."""
    if patient.fibrillating:
        return drawn_within(rng, 48, 140, 84, 19)
    if "NORM" in patient.labels:
        return drawn_within(rng, 48, 100, 69, 11)
    return drawn_within(rng, 45, 125, 75, 15)


def _draw_beats(rng: np.random.Generator, patient: Patient, rate_bpm: float) -> Rhythm:
    """The young breathe with their sinus node more than the old do; one in twelve of the ill has extra beats of one kind."""
    variability = rng.gamma(2, 0.012) * np.clip(1.6 - patient.age / 100, 0.6, 1.5)
    chance = 0.02 if "NORM" in patient.labels else 0.08
    extra_beats = [rng.uniform(0.05, 0.25) if rng.uniform() < chance else 0.0 for _ in ("atrial", "ventricular")]
    return draw_rhythm(rng, rate_bpm, variability, tuple(extra_beats), patient.fibrillating, SAMPLES / SAMPLING_RATE_HZ)


def beating_dipole(rng: np.random.Generator, heart: Heart, rhythm: Rhythm, rate_bpm: float) -> np.ndarray:
    """The dipole [samples, 3] in mV: P, QRS and T of every beat at its time, f waves in fibrillation, and the breath."""
    dipole = np.zeros((SAMPLES, 3))
    rr_ms = 60_000 / rate_bpm
    usual = heart.ventricles + heart.repolarisation(rr_ms)
    extra = _ventricular_extra_beat(rng, heart, rr_ms)
    astray = heart.atria.transformed(rotation(rng.normal(0, 25, 3)))  # an early atrial beat starts elsewhere in the atria
    for onset_ms, kind in zip(rhythm.onset_ms, rhythm.kind, strict=True):
        beat = extra if kind == VENTRICULAR_EXTRA else usual
        add_waves(dipole, beat.scaled(1 + rng.normal(0, 0.02)), onset_ms, SAMPLING_RATE_HZ)
        if kind != VENTRICULAR_EXTRA and not rhythm.fibrillating:
            add_waves(dipole, astray if kind == ATRIAL_EXTRA else heart.atria, onset_ms - heart.pr_ms, SAMPLING_RATE_HZ)
    if rhythm.fibrillating:
        dipole += fibrillation_waves(rng, SAMPLES, SAMPLING_RATE_HZ, np.exp(rng.normal(-3.3, 0.5)))
    return _breathe(rng, dipole, rhythm.breaths_hz)


def _ventricular_extra_beat(rng: np.random.Generator, heart: Heart, rr_ms: float) -> Waves:
    """A beat that starts anywhere in the ventricles: wide, and its T opposite."""
    main = rotation(rng.normal(0, 60, 3)) @ np.array([0.7, 0.4, -0.5]) * rng.uniform(0.9, 1.8)
    qrs_ms = rng.uniform(130, 170)
    first = (0.30 * qrs_ms, 0.12 * qrs_ms, 0.5 * main + rng.normal(0, 0.35, 3))
    extra = heart.with_ventricles(Waves.of(first, (0.55 * qrs_ms, 0.13 * qrs_ms, main)), qrs_ms, secondary=1)
    return extra.ventricles + extra.repolarisation(rr_ms)


def _breathe(rng: np.random.Generator, dipole_mv: np.ndarray, breaths_hz: float) -> np.ndarray:
    """The diaphragm turns the heart a few degrees to and fro, and moves it nearer and farther."""
    time_s = np.arange(len(dipole_mv)) / SAMPLING_RATE_HZ
    breath = np.sin(2 * np.pi * (breaths_hz * time_s + rng.uniform()))[:, None]  # [samples, 1]
    axis = np.radians(rng.normal(0, 2, 3))
    return dipole_mv + breath * (np.cross(axis, dipole_mv) + rng.normal(0, 0.02) * dipole_mv)
