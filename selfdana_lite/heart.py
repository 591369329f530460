"""A healthy heart in numbers: the loops of P, QRS and T, and how T follows from QRS.

Activation follows Durrer et al. 1970: septum, apex and front, free wall, back, base. Axes as
in dipole.py: x to the left arm, y to the feet, z to the front; millivolt and milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from selfdana_lite.dipole import Waves, rotation

# (centre_ms, width_ms, vector_mv) of a QRS that lasts 90 ms.
_SEQUENCE = (
    (16, 7, (-0.10, -0.03, 0.20)),  # septum, from left to right
    (30, 8, (0.45, 0.15, 0.22)),  # apex and front wall
    (42, 8, (0.78, 0.38, -0.25)),  # free wall of the left ventricle, unopposed by the thin right one
    (54, 8, (0.22, 0.22, -0.55)),  # back wall
    (67, 8, (-0.08, 0.03, -0.30)),  # base
)
_T_MV = np.array([0.25, 0.13, 0.25])
_RAMP, _RAMP_WIDTH = 0.45, 1.7  # T rises more slowly than it falls: a wide Gaussian ahead of the narrow one


@dataclass(frozen=True)
class Heart:
    """One patient's heart: durations in ms, loops in mV.

    atria count from P onset, ventricles from QRS onset. st_mv [3] is the dipole between J point
    and T wave (zero unless there is injury or strain), t_mv [3] the dipole at the peak of T, and
    t_opening_mv [3] a part a little earlier, without which the T loop would be a line.
    """

    p_ms: float
    pr_ms: float
    qrs_ms: float
    qtc_ms: float
    atria: Waves
    ventricles: Waves
    st_mv: np.ndarray
    t_mv: np.ndarray
    t_opening_mv: np.ndarray

    def qt_ms(self, rr_ms: float) -> float:
        """QT at this RR: between Fridericia's cube root and Bazett's square root of RR in seconds."""
        return self.qtc_ms * (rr_ms / 1000) ** 0.4

    def repolarisation(self, rr_ms: float) -> Waves:
        """ST segment and T wave at this RR, counted from QRS onset; T ends 2.2 widths after its peak."""
        qt_ms = self.qt_ms(rr_ms)
        width = 0.075 * qt_ms
        peak = qt_ms - 2.2 * width
        gap = max(peak - self.qrs_ms, 60)
        return Waves.of(
            (self.qrs_ms + 0.15 * gap, 0.22 * gap, self.st_mv),
            (self.qrs_ms + 0.60 * gap, 0.22 * gap, self.st_mv),
            (peak - 1.6 * width, _RAMP_WIDTH * width, _RAMP * self.t_mv + self.t_opening_mv),
            (peak, width, self.t_mv),
        )

    def with_ventricles(self, ventricles: Waves, qrs_ms: float, secondary: float) -> Heart:
        """The same muscle, activated another way.

        What one cell repolarises does not depend on when it was activated, so the areas of QRS
        and T sum to the same vector (Wilson's ventricular gradient): what QRS gains, ST and T
        lose. secondary is the share of this change that shows (1 in theory).
        """
        lost = -secondary * (ventricles.area_mv_ms() - self.ventricles.area_mv_ms())  # mV ms
        t_ms = np.sqrt(2 * np.pi) * 0.075 * self.qtc_ms * (1 + _RAMP * _RAMP_WIDTH)
        st_ms = np.sqrt(2 * np.pi) * 2 * 0.22 * 200
        return replace(
            self,
            ventricles=ventricles,
            qrs_ms=qrs_ms,
            t_mv=self.t_mv + 0.7 * lost / t_ms,
            st_mv=self.st_mv + 0.3 * lost / st_ms,
        )

    def turned(self, matrix: np.ndarray) -> Heart:
        """The heart as it lies in this chest: every loop multiplied by matrix [3, 3]."""
        return replace(
            self,
            atria=self.atria.transformed(matrix),
            ventricles=self.ventricles.transformed(matrix),
            st_mv=matrix @ self.st_mv,
            t_mv=matrix @ self.t_mv,
            t_opening_mv=matrix @ self.t_opening_mv,
        )


def healthy_heart(rng: np.random.Generator, age: float, female: bool) -> Heart:
    """A healthy adult's heart. With age voltage and T fall, the axis turns up and PR grows; women have a longer QT."""
    qrs_ms = np.clip(rng.normal(92 - 6 * female, 7), 72, 108)
    rows = [
        (
            centre + rng.normal(0, 1.2),
            width * rng.uniform(0.85, 1.15),
            vector * (1 + rng.normal(0, 0.2, 3)) + rng.normal(0, 0.06, 3),
        )
        for centre, width, vector in ((c, w, np.array(v)) for c, w, v in _SEQUENCE)
    ]
    voltage = np.exp(rng.normal(0.08, 0.22)) * (1 - 0.10 * female) * (1 - 0.0035 * (age - 50))
    t_gain = np.exp(rng.normal(0.0, 0.35)) * (1 - 0.15 * female) * (1 - 0.004 * (age - 50))
    t_mv = t_gain * rotation(rng.normal(0, 16, 3)) @ (_T_MV * [1, 1, 0.75 if female else 1.1])
    heart = Heart(
        p_ms=np.clip(rng.normal(104 + 0.1 * (age - 50), 9), 80, 119),
        pr_ms=np.clip(rng.normal(155 + 0.25 * (age - 50), 20), 120, 200),
        qrs_ms=qrs_ms,
        qtc_ms=np.clip(rng.normal(408 + 10 * female, 16), 360, 460),
        atria=_healthy_atria(rng),
        ventricles=Waves.of(*rows).stretched(qrs_ms / 90).transformed(voltage),
        st_mv=0.15 * t_mv * rng.uniform(0, 1.5) * (0.5 if female else 1) + rng.normal(0, 0.008, 3),
        t_mv=t_mv,
        t_opening_mv=rng.normal(0, 0.03, 3),
    )
    lie = rotation(np.array([0, 0, -0.35 * (age - 50)]) + rng.normal(0, [10, 13, 20]))
    return heart.turned(lie)


def _healthy_atria(rng: np.random.Generator) -> Waves:
    """P: the right atrium first (down and forward), the left one 30 ms later (left and back); a P of 100 ms."""
    gain = np.exp(rng.normal(0, 0.3))
    right = gain * (np.array([0.03, 0.07, 0.035]) + rng.normal(0, 0.012, 3))
    left = gain * (np.array([0.05, 0.04, -0.035]) + rng.normal(0, 0.012, 3))
    return Waves.of((36, 15, right), (66, 15, left))
