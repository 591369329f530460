"""What diseases do to the heart's loops, one short function a mechanism; names are PTB-XL's SCP statements.

Each takes a healthy (or already diseased) heart, a generator and a severity from 0 (barely
there) to 1 (plain to see). Physics over pattern: what happens in V1 or aVF follows from vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from selfdana_lite.dipole import Waves, rotation
from selfdana_lite.heart import Heart

# Where each wall lies, seen from the middle of the ventricles: (left, down, front).
WALLS = {
    "anteroseptal": (0.35, 0.15, 0.95),
    "anterior": (0.55, 0.10, 0.85),
    "anterolateral": (0.85, -0.15, 0.50),
    "lateral": (0.95, -0.35, -0.05),
    "inferior": (0.05, 1.00, -0.05),
    "inferolateral": (0.60, 0.80, -0.25),
    "posterior": (0.25, 0.35, -0.90),
}


def _towards(wall: str, rng: np.random.Generator) -> np.ndarray:
    """Unit vector [3] from the centre to the middle of the wall, which differs a little between patients."""
    vector = rotation(rng.normal(0, 9, 3)) @ np.array(WALLS[wall])
    return vector / np.linalg.norm(vector)


def infarct(heart: Heart, rng: np.random.Generator, severity: float, wall: str, stage: str) -> Heart:
    """Dead muscle gives no voltage: early QRS points away from it (Q waves). Injury lifts ST towards it, and T turns away.

    stage is "acute" (injury current, little Q), "recent" (Q and deep T inversion) or "old" (Q, T flat or still inverted).
    """
    wall_vector = _towards(wall, rng)
    dead_mv = (0.25 + 0.75 * severity) * rng.uniform(0.5, 0.9) * (0.4 if stage == "acute" else 1)
    scale = heart.qrs_ms / 90
    scar = Waves.of(
        (22, 8, -0.35 * dead_mv * wall_vector), (36, 10, -0.8 * dead_mv * wall_vector), (52, 9, -0.3 * dead_mv * wall_vector)
    )
    st = {"acute": (0.10, 0.35), "recent": (0.02, 0.12), "old": (-0.02, 0.05)}[stage]
    t = {"acute": (-0.10, 0.35), "recent": (-0.45, -0.2), "old": (-0.3, 0.0)}[stage]
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
    return replace(heart, t_mv=heart.t_mv * [kept, kept, rng.uniform(0.3, 1.0)], st_mv=heart.st_mv * kept)


def low_st(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """Non-specific: ST slightly depressed opposite the main QRS, T lower."""
    main = heart.ventricles.area_mv_ms() + np.array([15.0, 8.0, 0.0])
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


def long_pr(heart: Heart, rng: np.random.Generator, severity: float) -> Heart:
    """First-degree block: the atrioventricular node is slow, and nothing else changes."""
    return replace(heart, pr_ms=rng.uniform(206, 230) + 70 * severity)


def right_bundle_block(heart: Heart, rng: np.random.Generator, severity: float, complete: bool) -> Heart:
    """The right ventricle comes late: a slow last vector to the right and front (R' in V1, S in I and V6)."""
    qrs_ms = rng.uniform(122, 140) + 18 * severity if complete else rng.uniform(98, 118)
    size = (0.40 + 0.35 * severity if complete else 0.16 + 0.22 * severity) * rng.uniform(0.8, 1.2)
    late = rotation(rng.normal(0, 12, 3)) @ np.array([-0.65, -0.30, 0.70]) * size
    width = 0.115 * qrs_ms if complete else 10
    terminal = Waves.of((qrs_ms - 4.6 * width, width, 0.7 * late), (qrs_ms - 2.5 * width, width, late))
    return heart.with_ventricles(heart.ventricles + terminal, qrs_ms, rng.uniform(0.7, 1.1))


def left_bundle_block(heart: Heart, rng: np.random.Generator, severity: float, complete: bool) -> Heart:
    """The left ventricle is reached through the septum from the right: no septal q, slow and notched, to the left and back."""
    qrs_ms = rng.uniform(124, 145) + 25 * severity if complete else rng.uniform(104, 118)
    size = np.linalg.norm(heart.ventricles.area_mv_ms()) / 30
    size = (0.6 + 0.4 * size) * rng.uniform(0.8, 1.25) * (1 if complete else 0.75)
    rows = [
        (0.18, 0.09, (0.22, 0.12, 0.00)),
        (0.36, 0.12, (0.40, 0.32, -0.75)),
        (0.55, 0.12, (0.25, 0.28, -1.20)),
        (0.75, 0.10, (0.38, -0.10, -0.75)),
    ]
    turn = rotation(rng.normal(0, [10, 12, 22]))
    slow = Waves.of(*((c * qrs_ms, w * qrs_ms, size * turn @ (np.array(v) * rng.uniform(0.75, 1.25, 3))) for c, w, v in rows))
    if not complete:
        slow = slow.transformed(0.6) + heart.ventricles.stretched(qrs_ms / heart.qrs_ms).transformed(0.4)
    return heart.with_ventricles(slow, qrs_ms, rng.uniform(0.7, 1.1))


def fascicle_block(heart: Heart, rng: np.random.Generator, severity: float, anterior: bool) -> Heart:
    """Half of the left ventricle comes 20 ms late and unopposed: last vector up and left (LAFB) or down and right (LPFB)."""
    qrs_ms = min(heart.qrs_ms + rng.uniform(6, 14), 119)
    size = (0.45 + 0.55 * severity) * rng.uniform(0.7, 1.1)
    first, last = (0.05, 0.30, 0.0), (0.15, -0.95, -0.20)
    if not anterior:
        first, last = (0.20, -0.40, 0.1), (-0.65, 0.75, -0.05)
    scale = qrs_ms / 90
    turned = Waves.of(
        (20, 8, 0.35 * size * np.array(first)), (46, 10, 0.7 * size * np.array(last)), (62, 11, 0.55 * size * np.array(last))
    )
    return heart.with_ventricles(
        heart.ventricles.stretched(qrs_ms / heart.qrs_ms) + turned.stretched(scale), qrs_ms, rng.uniform(0.2, 0.6)
    )


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
    return replace(early, pr_ms=rng.uniform(85, 115), p_ms=min(heart.p_ms, 84))


def left_hypertrophy(heart: Heart, rng: np.random.Generator, severity: float, strain: bool) -> Heart:
    """More muscle on the left: forces grow to the left and back. With strain, ST and T oppose them."""
    left, down, front = 1.25 + 0.5 * severity, 1.05 + 0.25 * severity, 1.25 + 0.5 * severity
    qrs_ms = min(heart.qrs_ms * rng.uniform(1.02, 1.12), 118)
    grown = heart.ventricles.transformed(np.diag([left, down, front])).stretched(qrs_ms / heart.qrs_ms)
    scale = qrs_ms / 90
    grown = grown + Waves.of((50 * scale, 11 * scale, (0.1 + 0.25 * severity) * np.array([0.4, 0.1, -0.9])))
    if not strain:
        return replace(heart, ventricles=grown, qrs_ms=qrs_ms, t_mv=heart.t_mv * [rng.uniform(0.4, 1), rng.uniform(0.5, 1), 1])
    opposed = (0.5 + 0.7 * severity) * rng.uniform(0.6, 1.2) * np.array([-1.0, -0.45, 0.55])
    return replace(
        heart,
        ventricles=grown,
        qrs_ms=qrs_ms,
        st_mv=heart.st_mv + 0.10 * opposed,
        t_mv=heart.t_mv * [0.4, 0.5, 0.8] + 0.22 * opposed,
    )


def right_hypertrophy(heart: Heart, rng: np.random.Generator, severity: float, strain: bool) -> Heart:
    """More muscle on the right: a vector to the right and front grows (tall R in V1, right axis)."""
    scale = heart.qrs_ms / 90
    right = (0.5 + 0.8 * severity) * (rotation(rng.normal(0, 12, 3)) @ np.array([-0.8, 0.25, 0.55]))
    grown = heart.ventricles.transformed(0.75) + Waves.of((42, 11, 0.6 * right), (60, 11, 0.5 * right)).stretched(scale)
    opposed = (0.25 if strain else 0.08) * np.array([0.3, -0.3, -0.8])
    return replace(heart, ventricles=grown, st_mv=heart.st_mv + 0.2 * opposed, t_mv=heart.t_mv * 0.7 + opposed)


def large_atrium(heart: Heart, rng: np.random.Generator, severity: float, left: bool) -> Heart:
    """The left atrium adds a late vector to the left and back (wide P), the right one an early vector down and forward."""
    size = 0.05 + 0.09 * severity
    if left:
        p_ms = rng.uniform(121, 140)
        extra = Waves.of((0.68 * p_ms, 15, size * np.array([0.7, 0.25, -1.0])))
        return replace(
            heart, p_ms=p_ms, pr_ms=max(heart.pr_ms, p_ms + 35), atria=heart.atria.stretched(p_ms / heart.p_ms) + extra
        )
    return replace(heart, atria=heart.atria + Waves.of((40, 14, 1.3 * size * np.array([0.1, 0.9, 0.6]))))


def _with(effect: Callable, **fixed) -> Callable:
    return lambda heart, rng, severity: effect(heart, rng, severity, **fixed)


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
    "ISC_": "anterolateral",
    "ISCAL": "anterolateral",
    "ISCAS": "anteroseptal",
    "ISCIN": "inferior",
    "ISCIL": "inferolateral",
}

# Statement -> effect(heart, rng, severity), by PTB-XL superclass. Infarcts also need a stage.
EFFECTS: dict[str, Callable[[Heart, np.random.Generator, float], Heart]] = {
    "NDT": flat_t,
    "NST_": low_st,
    "DIG": digitalis,
    "LNGQT": long_qt,
    **{name: _with(ischaemia, wall=wall) for name, wall in ISCHAEMIA_WALLS.items()},
    "LAFB": _with(fascicle_block, anterior=True),
    "LPFB": _with(fascicle_block, anterior=False),
    "IRBBB": _with(right_bundle_block, complete=False),
    "CRBBB": _with(right_bundle_block, complete=True),
    "ILBBB": _with(left_bundle_block, complete=False),
    "CLBBB": _with(left_bundle_block, complete=True),
    "IVCD": slow_muscle,
    "1AVB": long_pr,
    "WPW": preexcitation,
    "LAO/LAE": _with(large_atrium, left=True),
    "RAO/RAE": _with(large_atrium, left=False),
}
