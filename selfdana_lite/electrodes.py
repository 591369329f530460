"""Which limb leads do not fit each other, and which arm and leg electrodes look exchanged.

Two faults that leave different traces:

- A wrong **label**, an inverted lead or a lead from elsewhere breaks Einthoven's and Goldberger's laws: III is no longer
  II - I. The residual finds it, and the relabelling that mends it says what happened.
- Exchanged **electrodes** break no law, because each lead is still the difference of the two electrodes it was drawn from.
  Then the limb leads are mirrored while the chest leads (nearly) are not. In a heart that lies at the left, I, II and
  -aVR run alike with V6. If I or II runs opposite to it and aVR does not, and undoing an exchange makes both I and II run
  with V6, that exchange is suspected (the idea of comparing limb with chest leads: Kors and van Herpen 2001, J.
  Electrocardiol. 34 suppl., 69-74). Without the word of aVR every left axis would be suspected.

What this cannot see: exchanged left arm and left leg (the axis only turns within its normal range), electrodes exchanged
with the right leg, exchanged chest electrodes, and any exchange where I, II or V6 was not recorded. A heart at the right
(dextrocardia) or an old infarction can look like exchanged arms. So it is a suspicion, to be looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from selfdana_lite.leads import LEAD_SETS, limb_lead_residual

# Rounding and filters leave up to 0.4 % of the largest limb lead in 2,322 recordings of PTB-XL; a swapped label leaves
# tens of per cent. Below 0.05 mV (half a millimetre on paper) nobody would see it.
LARGEST_RESIDUAL_SHARE, LARGEST_RESIDUAL_MV = 0.1, 0.05
# Correlations with V6. Of those recordings 2 (0.1 %) are suspected; with right and left arm exchanged on purpose 76 % are,
# with right arm and left leg exchanged 79 %, each but for 1 % by its right name.
OPPOSITE, ALIKE = -0.5, 0.3
# How I and II come back from what was recorded, as weights of the recorded I and II (III = II - I).
_UNDO = {
    "right and left arm": np.array([[-1.0, 0.0], [-1.0, 1.0]]),  # I = -I', II = III'
    "right arm and left leg": np.array([[1.0, -1.0], [0.0, -1.0]]),  # I = -III', II = -II'
}


@dataclass(frozen=True)
class LimbCheck:
    """How far the limb leads break their laws, in mV and as a share of the largest of them; NaN where it cannot be told."""

    residual_mv: float
    residual_share: float
    suspicion: str  # a sentence, or "" where nothing is suspected


def check_limb_leads(signal_mv: np.ndarray, steady_mv: np.ndarray, leads: Sequence[str]) -> LimbCheck:
    """Judge millivolt [leads, samples]; samples that are NaN in a lead that is needed are left out.

    steady_mv: the same without baseline wander, which obeys the laws but hides how leads run with each other.
    """
    residual_mv = share = np.nan
    alive = [lead for lead, row in zip(leads, signal_mv, strict=True) if not np.isnan(row).all()]
    names = [name for name in LEAD_SETS["6-lead"] if name in alive]
    limb_mv = _complete(signal_mv, leads, names)
    if {"I", "II"} < set(names) and limb_mv.size and (swing_mv := np.ptp(limb_mv, axis=1).max()) > 0:
        residual_mv = float(limb_lead_residual(limb_mv, names))
        share = residual_mv / float(swing_mv)
        if residual_mv > LARGEST_RESIDUAL_MV and share > LARGEST_RESIDUAL_SHARE:
            return LimbCheck(residual_mv, share, _wrong_label(limb_mv, names, residual_mv))
    return LimbCheck(residual_mv, share, _exchanged_electrodes(steady_mv, leads))


def _complete(signal_mv: np.ndarray, leads: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """The named leads [names, samples], only where none of them is missing, each about its own mean: filters shift them.

    About the mean and not the median, because the mean of II - I is the difference of their means: laws stay laws.
    """
    wanted = signal_mv[[list(leads).index(name) for name in names]].astype(np.float64)
    wanted = wanted[:, np.isfinite(wanted).all(axis=0)]
    return wanted - wanted.mean(axis=1, keepdims=True) if wanted.size else wanted


def _relabellings(limb_mv: np.ndarray, names: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
    for a, b in combinations(range(len(names)), 2):
        order = list(range(len(names)))
        order[a], order[b] = b, a
        yield f"{names[a]} and {names[b]} bear each other's label", limb_mv[order]
    for row, name in enumerate(names):
        yield f"{name} is upside down", np.where(np.arange(len(names))[:, None] == row, -limb_mv, limb_mv)


def _wrong_label(limb_mv: np.ndarray, names: Sequence[str], residual_mv: float) -> str:
    """The one change of labels or sign that mends the limb leads; several where they do equally well."""
    left_mv = {what: float(limb_lead_residual(changed, names)) for what, changed in _relabellings(limb_mv, names)}
    mended = [what for what, left in left_mv.items() if left < 0.1 * residual_mv]
    if not mended:
        return "the limb leads do not belong together: a lead is foreign, or several are mislabelled"
    return f"the limb leads fit together if {' or '.join(mended)}"


def _exchanged_electrodes(steady_mv: np.ndarray, leads: Sequence[str]) -> str:
    if not {"I", "II", "V6"} <= set(leads):
        return ""
    i_ii_v6 = _complete(steady_mv, leads, ["I", "II", "V6"])  # [3, samples]
    if not i_ii_v6.size or not np.ptp(i_ii_v6, axis=1).all():
        return ""
    i_ii_mv, v6_mv = i_ii_v6[:2], i_ii_v6[2]
    minus_avr_mv = i_ii_mv.mean(axis=0, keepdims=True)  # [1, samples], as aVR = -(I + II) / 2
    if _least_alike(i_ii_mv, v6_mv) > OPPOSITE or _least_alike(minus_avr_mv, v6_mv) > 0:
        return ""
    alike = {pair: _least_alike(undo @ i_ii_mv, v6_mv) for pair, undo in _UNDO.items()}
    pair = max(alike, key=alike.get)
    return f"the electrodes of {pair} may be exchanged: I or II runs opposite to V6" if alike[pair] > ALIKE else ""


def _least_alike(leads_mv: np.ndarray, v6_mv: np.ndarray) -> float:
    """The smallest of the correlations of leads [leads, samples] with V6 [samples]; 0 for a lead that does not change."""
    return min(float(np.dot(row, v6_mv) / np.sqrt(np.dot(row, row) * np.dot(v6_mv, v6_mv) or 1.0)) for row in leads_mv)
