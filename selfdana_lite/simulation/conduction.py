"""Conduction delays: the same muscle, activated late or another way round, so that QRS widens and turns and T follows.

Each takes a heart, a generator and a severity from 0 (barely there) to 1 (plain to see).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from selfdana_lite.simulation.dipole import Waves, rotation
from selfdana_lite.simulation.heart import Heart

# Activation in left bundle branch block, times as shares of QRS: from the right through the septum, then round to the base.
_LEFT_BLOCK = Waves.of(
    (0.18, 0.09, (0.22, 0.12, 0.00)),
    (0.36, 0.12, (0.40, 0.32, -0.75)),
    (0.55, 0.12, (0.25, 0.28, -1.20)),
    (0.75, 0.10, (0.38, -0.10, -0.75)),
)


def long_pr(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """First-degree block: the atrioventricular node is slow, and nothing else changes."""
    return replace(heart, pr_ms=rng.uniform(206, 230) + 70 * severity)


def right_bundle_block(heart: Heart, rng: np.random.Generator, severity: float, complete: bool) -> Heart:
    """The right ventricle comes late: a slow last vector to the right and front (R' in V1, S in I and V6)."""
    qrs_ms = rng.uniform(122, 140) + 18 * severity if complete else rng.uniform(98, 118)
    size = (0.40 + 0.35 * severity if complete else 0.16 + 0.22 * severity) * rng.uniform(0.8, 1.2)
    late = rotation(rng.normal(0, 12, 3)) @ np.array([-0.58, -0.30, 0.80]) * size
    width = 0.115 * qrs_ms if complete else 10
    terminal = Waves.of((qrs_ms - 4.6 * width, width, 0.8 * late), (qrs_ms - 2.5 * width, width, late))
    # The right ventricle starts to show while the left one's back wall still fires, which takes from the S in V1 and V2.
    onset_mv = np.linalg.norm(late) * np.array([-0.25, -0.35, 0.75])
    onset = (qrs_ms - 6.0 * width, 0.6 * width, onset_mv) if complete else (0.62 * qrs_ms, 9, 0.9 * onset_mv)
    return heart.with_ventricles(heart.ventricles + terminal + Waves.of(onset), qrs_ms, rng.uniform(0.7, 1.2))


def left_bundle_block(heart: Heart, rng: np.random.Generator, severity: float, complete: bool) -> Heart:
    """The left ventricle is reached through the septum from the right: no septal q, slow and notched, to the left and back."""
    qrs_ms = rng.uniform(124, 145) + 25 * severity if complete else rng.uniform(104, 118)
    size = (0.8 + np.linalg.norm(heart.ventricles.area_mv_ms()) / 60) * rng.uniform(0.8, 1.25)
    own = _LEFT_BLOCK.vector_mv * rng.uniform(0.75, 1.25, _LEFT_BLOCK.vector_mv.shape)
    slow = replace(_LEFT_BLOCK, vector_mv=own).stretched(qrs_ms).transformed(size * rotation(rng.normal(0, [10, 12, 22])))
    if not complete:  # some of the left ventricle is still reached in time
        slow = slow.scaled(0.45) + heart.ventricles.stretched(qrs_ms / heart.qrs_ms).scaled(0.4)
    return heart.with_ventricles(slow, qrs_ms, rng.uniform(0.5, 0.9))


def fascicle_block(heart: Heart, rng: np.random.Generator, severity: float, anterior: bool) -> Heart:
    """Half of the left ventricle comes 20 ms late and unopposed: last vector up and left (LAFB) or down and right (LPFB)."""
    qrs_ms = min(heart.qrs_ms + rng.uniform(6, 14), 119)
    size = (0.75 + 0.40 * severity) * rng.uniform(0.7, 1.1)  # an axis beyond -45 degrees is what the diagnosis asks for
    first, last = (0.10, 0.45, 0.0), (-0.35, -1.00, -0.10)
    if not anterior:
        first, last = (0.20, -0.40, 0.1), (-0.85, 0.80, -0.05)
    turned = Waves.of((20, 8, 0.35 * np.array(first)), (46, 10, 0.7 * np.array(last)), (62, 11, 0.55 * np.array(last)))
    usual = heart.ventricles.scaled(0.9).stretched(qrs_ms / heart.qrs_ms)
    return heart.with_ventricles(usual + turned.scaled(size).stretched(qrs_ms / 90), qrs_ms, rng.uniform(0.2, 0.6))


def slow_muscle(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """Intraventricular delay of no named pattern: QRS wide, slurred and notched."""
    qrs_ms = rng.uniform(111, 122) + 22 * severity
    stretched = heart.ventricles.stretched(qrs_ms / heart.qrs_ms).transformed(rotation(rng.normal(0, 15, 3)))
    centres = rng.uniform(0.35, 0.8, 2) * qrs_ms
    notches = Waves(centres, np.full(2, 9.0), rng.normal(0, 0.3, (2, 3)))
    return heart.with_ventricles(stretched + notches, qrs_ms, rng.uniform(0.5, 1.0))


def preexcitation(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """An extra pathway: PR short, and a slow delta wave before QRS."""
    delta_ms = rng.uniform(25, 45)
    direction = rotation(rng.normal(0, 40, 3)) @ np.array([0.5, 0.2, 0.4])
    delayed = replace(heart.ventricles, centre_ms=heart.ventricles.centre_ms + delta_ms)
    waves = delayed + Waves.of((0.55 * delta_ms + 8, 0.4 * delta_ms, (0.4 + 0.5 * severity) * direction))
    early = heart.with_ventricles(waves, heart.qrs_ms + delta_ms, rng.uniform(0.6, 1.0))
    p_ms = min(heart.p_ms, 84)
    return replace(early, pr_ms=rng.uniform(88, 115), p_ms=p_ms, atria=heart.atria.stretched(p_ms / heart.p_ms))
