"""A healthy heart in numbers: the loops of P, QRS and T, and how T follows from QRS.

Activation follows Durrer et al. 1970: septum, apex and front, free wall, back, base. Axes as
in dipole.py: x to the left arm, y to the feet, z to the front; millivolt and milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from selfdana_lite.simulation.dipole import Waves, rotation

# (centre_ms, width_ms, vector_mv) of a QRS that lasts 90 ms.
_SEQUENCE = (
    (16, 6, (-0.11, -0.03, 0.17)),  # septum, from left to right
    (30, 6.3, (0.50, 0.15, 0.20)),  # apex and front wall
    (42, 6.3, (0.97, 0.43, -0.30)),  # free wall of the left ventricle, unopposed by the thin right one
    (54, 7, (0.22, 0.27, -0.66)),  # back wall
    (67, 8.5, (-0.12, 0.02, -0.30)),  # base
)
_T_MV = np.array([0.25, 0.13, 0.22])
_T_WIDTH, _T_TAIL = 0.082, 2.3  # width as a share of QT; widths from the peak of T to its end
_RAMP, _RAMP_WIDTH = 0.5, 1.7  # T rises more slowly than it falls: a wide Gaussian ahead of the narrow one


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
        """ST segment and T wave at this RR, counted from QRS onset."""
        qt_ms = self.qt_ms(rr_ms)
        width = _T_WIDTH * qt_ms
        peak = qt_ms - _T_TAIL * width
        gap = max(peak - self.qrs_ms, 60)
        return Waves.of(
            (self.qrs_ms + 0.15 * gap, 0.22 * gap, self.st_mv),
            (self.qrs_ms + 0.60 * gap, 0.22 * gap, self.st_mv),
            (peak - 1.6 * width, _RAMP_WIDTH * width, _RAMP * self.t_mv + self.t_opening_mv),
            (peak, width, self.t_mv),
        )

    def beat(self, time_ms: np.ndarray, rr_ms: float) -> np.ndarray:
        """The dipole [..., 3] in mV at times [...] from the onset of P: one beat of this RR, still and without noise."""
        ventricles = self.ventricles + self.repolarisation(rr_ms)
        return self.atria.at(time_ms) + ventricles.at(np.asarray(time_ms) - self.pr_ms)

    def with_ventricles(self, ventricles: Waves, qrs_ms: float, secondary: float) -> Heart:
        """The same muscle, activated another way.

        What one cell repolarises does not depend on when it was activated, so the areas of QRS
        and T sum to the same vector (Wilson's ventricular gradient): what QRS gains, ST and T
        lose. secondary is the share of this change that shows (1 in theory).
        """
        lost = -secondary * (ventricles.area_mv_ms() - self.ventricles.area_mv_ms())  # mV ms
        t_ms = np.sqrt(2 * np.pi) * _T_WIDTH * self.qtc_ms * (1 + _RAMP * _RAMP_WIDTH)
        st_ms = np.sqrt(2 * np.pi) * 2 * 0.22 * 200
        return replace(
            self,
            ventricles=ventricles,
            qrs_ms=qrs_ms,
            t_mv=self.t_mv + 0.7 * lost / t_ms,
            st_mv=self.st_mv + 0.3 * lost / st_ms,
        )


def healthy_heart(rng: np.random.Generator, age: float, female: bool) -> Heart:
    """A healthy adult's heart. With age voltage falls, the axis turns up, PR grows; women have less voltage and longer QT."""
    decades = (age - 50) / 10
    lie_degrees = rng.normal([0, 0, -2.5 * decades], [11, 16, 16])  # how the heart lies in the chest
    qrs_ms = drawn_within(rng, 72, 108, 92 - 6 * female, 7)
    p_ms = drawn_within(rng, 80, 119, 104 + decades, 9)
    t_mv = _healthy_t(rng, lie_degrees, female)
    return Heart(
        p_ms=p_ms,
        pr_ms=drawn_within(rng, 120, 200, 155 + 2.5 * decades, 20),
        qrs_ms=qrs_ms,
        qtc_ms=drawn_within(rng, 355, 455, 400 + 10 * female, 16),
        atria=_healthy_atria(rng).stretched(p_ms / 100).transformed(rotation(lie_degrees)),
        ventricles=_healthy_ventricles(rng, decades, female).stretched(qrs_ms / 90).transformed(rotation(lie_degrees)),
        st_mv=0.1 * t_mv + [0, 0, rng.uniform(0, 0.05 if female else 0.1)] + rng.normal(0, 0.012, 3),
        t_mv=t_mv,
        t_opening_mv=rng.normal(0, 0.03, 3),
    )


def drawn_within(rng: np.random.Generator, low: float, high: float, mean: float, deviation: float) -> float:
    """A normal number, drawn again until it lies between low and high."""
    while True:
        number = rng.normal(mean, deviation)
        if low <= number <= high:
            return float(number)


def _healthy_atria(rng: np.random.Generator) -> Waves:
    """P: the right atrium first (down and forward), the left one 30 ms later (left and back); a P of 100 ms."""
    gain = 1.15 * np.exp(rng.normal(0, 0.3))
    right = gain * (np.array([0.03, 0.07, 0.035]) + rng.normal(0, 0.012, 3))
    left = gain * (np.array([0.05, 0.04, -0.035]) + rng.normal(0, 0.012, 3))
    return Waves.of((36, 15, right), (66, 15, left))


def _healthy_ventricles(rng: np.random.Generator, decades: float, female: bool) -> Waves:
    """A QRS of 90 ms: the usual sequence, each part of it a little different in everybody."""
    centre, width, vector = (np.array(column) for column in zip(*_SEQUENCE, strict=True))
    own = Waves(
        centre + rng.normal(0, 1.5, len(centre)),
        width * rng.uniform(0.85, 1.15, len(width)),
        vector * rng.normal(1, 0.25, vector.shape) + rng.normal(0, 0.13, vector.shape),
    )
    return own.scaled(np.exp(rng.normal(0.06, 0.24)) * (1 - 0.10 * female) * (1 - 0.035 * decades))


def _healthy_t(rng: np.random.Generator, lie_degrees: np.ndarray, female: bool) -> np.ndarray:
    """The dipole [3] at the peak of T: it follows the lie of the heart less than QRS does; women's is lower in front."""
    turn = rotation(0.3 * lie_degrees + rng.normal(0, 11, 3))
    return np.exp(rng.normal(0, 0.28)) * turn @ (_T_MV * ([0.85, 0.85, 0.65] if female else [1, 1, 1.1]))
