"""What diseases do to the heart's muscle, one short function a mechanism; statements bear PTB-XL's names.

Each takes a healthy (or already diseased) heart, a generator and a severity from 0 (barely
there) to 1 (plain to see). Physics over pattern: what happens in V1 or aVF follows from vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from selfdana_lite.simulation.conduction import (
    fascicle_block,
    left_bundle_block,
    long_pr,
    preexcitation,
    right_bundle_block,
    slow_muscle,
)
from selfdana_lite.simulation.dipole import Waves, rotation
from selfdana_lite.simulation.heart import Heart

# Where each wall lies, seen from the middle of the ventricles, (left, down, front); the length says how much muscle is there.
WALLS = {
    "anteroseptal": (0.38, 0.16, 1.00),
    "anterior": (0.55, 0.10, 0.85),
    "anterolateral": (0.85, -0.15, 0.50),
    "lateral": (0.85, -0.30, -0.05),
    "inferior": (0.05, 0.72, -0.05),
    "inferolateral": (0.50, 0.62, -0.20),
    "posterior": (0.20, 0.28, -0.75),
    "inner layer": (0.75, 0.40, -0.35),  # of the whole left ventricle: what does not cancel points to its free wall
}


def _towards(wall: str, rng: np.random.Generator) -> np.ndarray:
    """The vector [3] of this patient's wall, which lies a little different in everybody."""
    return rotation(rng.normal(0, 9, 3)) @ np.array(WALLS[wall])


def worn(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """What the ill share whatever they are ill of, mostly years of high pressure.

    The left ventricle outweighs the right one (QRS up, left and back), ST and T are lower in the left leads, and the left
    atrium bears its share of the load (late P to the back).
    """
    lower = 1 - severity * rng.uniform(0.2, 0.8, 2)
    turn = rotation(severity * rng.normal([0, 10, -20], [6, 12, 14]))
    late_p = severity * rng.uniform(0.01, 0.05) * np.array([0.7, 0.1, -1.0])
    return replace(
        heart,
        atria=heart.atria + Waves.of((0.70 * heart.p_ms, 15, late_p)),
        ventricles=heart.ventricles.transformed(turn @ np.diag([1 + 0.25 * severity, 1, 1])),
        st_mv=heart.st_mv * (1 - 0.3 * severity) - severity * rng.uniform(0, 0.07) * np.array([1.0, 0.4, 0.1]),
        t_mv=heart.t_mv * [*lower, rng.uniform(0.7, 1.2)],
    )


def infarct(heart: Heart, rng: np.random.Generator, severity: float, wall: str, stage: str) -> Heart:
    """Dead muscle gives no voltage: early QRS points away from it (Q waves). Injury lifts ST towards it, and T turns away.

    stage is "acute" (injury current, little Q), "recent" (Q and deep T inversion) or "old" (Q, T flat or still inverted).
    """
    wall_vector = _towards(wall, rng)
    dead_mv = (0.25 + 0.65 * severity) * rng.uniform(0.5, 0.9) * (0.4 if stage == "acute" else 1)
    scale = heart.qrs_ms / 90
    scar = Waves.of((22, 8, -0.4 * dead_mv * wall_vector), (35, 9.5, -0.85 * dead_mv * wall_vector))
    st = {"acute": (0.08, 0.30), "recent": (0.01, 0.09), "old": (-0.01, 0.03)}[stage]
    t = {"acute": (-0.10, 0.30), "recent": (-0.40, -0.15), "old": (-0.12, 0.06)}[stage]
    weakened = heart.t_mv * (1 - 0.5 * severity * rng.uniform(0.3, 1))
    return replace(
        heart,
        ventricles=heart.ventricles + scar.stretched(scale),
        st_mv=heart.st_mv + (0.4 + 0.6 * severity) * rng.uniform(*st) * wall_vector,
        t_mv=weakened + (0.4 + 0.6 * severity) * rng.uniform(*t) * wall_vector,
    )


def ischaemia(heart: Heart, rng: np.random.Generator, severity: float, wall: str) -> Heart:
    """Starved inner layers: ST is pushed away from the wall (depression over it), and T turns away from it."""
    wall_vector = _towards(wall, rng)
    depressed_mv = rng.uniform(0.02, 0.06) + 0.14 * severity * rng.uniform()
    return replace(
        heart,
        st_mv=heart.st_mv - depressed_mv * wall_vector,
        t_mv=heart.t_mv * rng.uniform(0.4, 0.9) - (0.1 + 0.45 * severity) * rng.uniform(0.4, 1) * wall_vector,
    )


def flat_t(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """Non-specific: T low, flat or just inverted in the left leads."""
    kept = rng.uniform(0.15, 0.65) - 0.55 * severity
    return replace(heart, t_mv=heart.t_mv * [kept, kept, rng.uniform(0.4, 1.2)], st_mv=heart.st_mv * [kept, kept, 1])


def low_st(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """Non-specific: ST slightly depressed opposite the main QRS, T lower."""
    # Left and down, hardly to the front: ST falls in V5 without rising in V2. A small QRS has to point somewhere, too.
    main = heart.ventricles.area_mv_ms() * [1, 1, 0.2] + np.array([15, 8, 0])
    return replace(
        heart,
        st_mv=heart.st_mv - (0.025 + 0.06 * severity) * main / np.linalg.norm(main),
        t_mv=heart.t_mv * rng.uniform(0.3, 0.9),
    )


def digitalis(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """Sagging ST opposite QRS, low T and a short QT."""
    sagging = low_st(heart, rng, 0.5 + severity)
    return replace(sagging, qtc_ms=heart.qtc_ms - rng.uniform(20, 50), t_mv=sagging.t_mv * 0.7)


def long_qt(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """Repolarisation late everywhere, T often broad and low."""
    return replace(heart, qtc_ms=470 + 70 * severity, t_mv=heart.t_mv * rng.uniform(0.4, 1.2))


def left_hypertrophy(heart: Heart, rng: np.random.Generator, severity: float, strain: bool) -> Heart:
    """More muscle on the left: forces grow to the left and back. With strain, ST and T oppose them."""
    gains = np.diag([1.15 + 0.3 * severity, 1.2 + 0.3 * severity, 1.2 + 0.4 * severity])
    qrs_ms = min(heart.qrs_ms * rng.uniform(1.02, 1.12), 118)
    grown = heart.ventricles.transformed(gains).stretched(qrs_ms / heart.qrs_ms)
    scale = qrs_ms / 90
    # The thick wall outweighs septum and right ventricle from early on: R grows late or not at all from V1 to V3.
    early = (0.15 + 0.5 * severity) * rng.uniform(0.3, 1.3) * np.array([0.25, 0.25, -0.9])
    # The free wall fires longest and last: R grows in V5 and V6, and no S grows with it in I.
    free_wall = (0.2 + 0.35 * severity) * rng.uniform(0.5, 1.2) * np.array([1.0, 0.2, -0.1])
    grown = grown + Waves.of((28, 9, 0.7 * early), (44, 11, early), (52, 12, free_wall)).stretched(scale)
    heart = replace(heart, ventricles=grown, qrs_ms=qrs_ms)
    if not strain:
        return replace(heart, t_mv=heart.t_mv * [rng.uniform(0.4, 1), rng.uniform(0.5, 1), 1.1])
    opposed = (0.3 + 0.6 * severity) * rng.uniform(0.6, 1.2) * np.array([-1.0, -0.5, 0.6])
    return replace(heart, st_mv=heart.st_mv + 0.10 * opposed, t_mv=heart.t_mv * [0.5, 0.5, 1.0] + 0.2 * opposed)


def right_hypertrophy(heart: Heart, rng: np.random.Generator, severity: float, strain: bool) -> Heart:
    """More muscle on the right: a vector to the right and front grows (tall R in V1, right axis)."""
    scale = heart.qrs_ms / 90
    right = (0.5 + 0.8 * severity) * (rotation(rng.normal(0, 12, 3)) @ np.array([-0.8, 0.25, 0.55]))
    grown = heart.ventricles.scaled(0.85) + Waves.of((46, 11, 0.4 * right), (64, 12, 0.7 * right)).stretched(scale)
    opposed = (0.3 if strain else 0.15) * np.array([0.4, 0.0, -0.9])
    return replace(heart, ventricles=grown, st_mv=heart.st_mv + 0.3 * opposed, t_mv=heart.t_mv + opposed)


def large_atrium(heart: Heart, rng: np.random.Generator, severity: float, left: bool) -> Heart:
    """The left atrium adds a late vector to the left and back (wide P), the right one an early vector down and forward."""
    size = 0.05 + 0.09 * severity
    if not left:
        return replace(heart, atria=heart.atria + Waves.of((40, 14, 1.3 * size * np.array([0.1, 0.9, 0.6]))))
    p_ms = rng.uniform(121, 140)
    atria = heart.atria.stretched(p_ms / heart.p_ms) + Waves.of((0.68 * p_ms, 15, size * np.array([0.7, 0.25, -1.0])))
    return replace(heart, p_ms=p_ms, pr_ms=max(heart.pr_ms, p_ms + 35), atria=atria)


MI_WALLS = {
    "IMI": "inferior",
    "ASMI": "anteroseptal",
    "AMI": "anterior",
    "ILMI": "inferolateral",
    "ALMI": "anterolateral",
    "LMI": "lateral",
    "PMI": "posterior",
}
ISCHAEMIA_WALLS = {
    "ISC_": "inner layer",
    "ISCAL": "lateral",
    "ISCAS": "anteroseptal",
    "ISCIN": "inferior",
    "ISCIL": "inferolateral",
}

# Statement -> effect(heart, rng, severity), in the order in which they act on one heart: conduction comes last, as the T
# that it changes builds on the others. Infarcts also need a stage, thick ventricles whether there is strain.
EFFECTS: dict[str, Callable[[Heart, np.random.Generator, float], Heart]] = {
    "NDT": flat_t,
    "NST_": low_st,
    "DIG": digitalis,
    "LNGQT": long_qt,
    **{name: partial(ischaemia, wall=wall) for name, wall in ISCHAEMIA_WALLS.items()},
    "LAO/LAE": partial(large_atrium, left=True),
    "RAO/RAE": partial(large_atrium, left=False),
    "LAFB": partial(fascicle_block, anterior=True),
    "LPFB": partial(fascicle_block, anterior=False),
    "IRBBB": partial(right_bundle_block, complete=False),
    "CRBBB": partial(right_bundle_block, complete=True),
    "ILBBB": partial(left_bundle_block, complete=False),
    "CLBBB": partial(left_bundle_block, complete=True),
    "IVCD": slow_muscle,
    "1AVB": long_pr,
    "WPW": preexcitation,
}
