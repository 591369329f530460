"""Wrong labels break the laws of the limb leads, exchanged electrodes do not; each is found by its own trace."""

from itertools import combinations

import numpy as np
import pytest
from beating import changed, heart, lead_mv

from selfdana_lite.dataset import EcgDataset
from selfdana_lite.electrodes import check_limb_leads
from selfdana_lite.faults import split_wander
from selfdana_lite.leads import LEAD_SETS, derive_limb_leads

HEART = heart()
LIMB = LEAD_SETS["6-lead"]
# Where each of RA, LA, LL is connected when two are exchanged; lead I is LA - RA, II is LL - RA, III is LL - LA.
EXCHANGED = {"right and left arm": (1, 0, 2), "right arm and left leg": (2, 1, 0), "left arm and left leg": (0, 2, 1)}


def check(recording):
    steady_mv, _ = split_wander(recording.signal_mv.astype(float), recording.sampling_rate_hz)
    return check_limb_leads(recording.signal_mv, steady_mv, recording.leads)


def exchange(signals_mv, connected):
    """What the six limb leads [..., 6, samples] become, from potentials at the electrodes with that of RA set to 0."""
    potentials = [np.zeros_like(signals_mv[..., 0, :]), signals_mv[..., 0, :], signals_mv[..., 1, :]]  # RA, LA, LL
    ra, la, ll = (potentials[place] for place in connected)
    return derive_limb_leads(la - ra, ll - ra)


def test_a_sound_recording_is_not_suspected():
    found = check(HEART)
    assert found.suspicion == ""
    assert found.residual_mv < 1e-5
    assert found.residual_share < 1e-5


@pytest.mark.parametrize(("a", "b"), list(combinations(LIMB, 2)))
def test_two_labels_that_were_swapped_are_named(a, b):
    found = check(changed(HEART, **{a: lead_mv(HEART, b), b: lead_mv(HEART, a)}))
    assert f"{a} and {b} bear each other's label" in found.suspicion
    assert found.residual_share > 0.1


@pytest.mark.parametrize("lead", LIMB)
def test_a_lead_upside_down_is_named(lead):
    assert f"{lead} is upside down" in check(changed(HEART, **{lead: -lead_mv(HEART, lead)})).suspicion


def test_a_lead_from_elsewhere_is_foreign():
    assert "do not belong together" in check(changed(HEART, III=lead_mv(HEART, "V2"))).suspicion


@pytest.mark.parametrize("offset_mv", [0.3, -100.0])
def test_an_offset_breaks_no_law(offset_mv):
    assert check(changed(HEART, III=lead_mv(HEART, "III") + offset_mv)).residual_mv < 1e-4


def test_gaps_are_left_out():
    gappy = lead_mv(HEART, "aVF")
    gappy[200:900] = np.nan
    found = check(changed(HEART, aVF=gappy))
    assert (found.suspicion, found.residual_mv < 1e-5) == ("", True)
    found = check(changed(HEART, aVF=gappy, III=-lead_mv(HEART, "III"), aVL=np.nan))
    assert "III is upside down" in found.suspicion


@pytest.mark.parametrize("pair", EXCHANGED)
def test_exchanged_electrodes_keep_every_law(pair):
    limb = exchange(HEART.signal_mv, EXCHANGED[pair])
    exchanged = changed(HEART, **dict(zip(LIMB, limb, strict=True)))
    found = check(exchanged)
    assert found.residual_mv < 1e-5
    expected = "" if pair == "left arm and left leg" else f"the electrodes of {pair} may be exchanged"
    assert found.suspicion.startswith(expected)
    assert bool(found.suspicion) == bool(expected)


@pytest.mark.parametrize("leads", ["I, II", "I", "V1, V2", "II, III, aVF", "I, II, V5"])
def test_without_the_leads_it_takes_nothing_is_said(leads):
    found = check(HEART.select(leads))
    assert (np.isnan(found.residual_mv), np.isnan(found.residual_share), found.suspicion) == (True, True, "")


def test_flat_and_missing_leads_are_not_judged():
    for value in (0.0, np.nan):
        flat = changed(HEART, **dict.fromkeys(HEART.leads, value))
        assert check(flat).suspicion == ""


def test_on_real_recordings_few_are_suspected_and_most_exchanges_found(real_archive):
    dataset = EcgDataset.open(real_archive).where(folds=range(1, 9))
    rows = np.arange(0, len(dataset), 12)
    signals_mv = dataset.batch(rows).numpy().astype(float)  # [recordings, 12, samples]
    suspected = {}
    for pair, connected in {"none": (0, 1, 2), **EXCHANGED}.items():
        limb = exchange(signals_mv, connected)
        found = [
            check_limb_leads(whole, split_wander(whole, 100.0)[0], dataset.leads).suspicion
            for whole in np.concatenate([limb, signals_mv[:, 6:]], axis=1)
        ]
        suspected[pair] = np.mean([bool(said) for said in found]), np.mean([f"of {pair} may" in said for said in found])
    assert suspected["none"][0] < 0.02
    assert suspected["left arm and left leg"][0] < 0.02  # which cannot be seen
    assert suspected["right and left arm"][1] > 0.65
    assert suspected["right arm and left leg"][1] > 0.65
