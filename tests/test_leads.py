"""Leads: every spelling met in the wild has one name, and six limb leads hold two leads' information."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdana_lite import LEAD_SETS, LEADS, LeadError, parse_leads
from selfdana_lite.leads import LIMB_FROM_I_II, canonical_lead, canonical_leads, derive_limb_leads, lead_ids, limb_lead_residual

SUBSETS = st.lists(st.sampled_from(LEADS), min_size=1, unique=True)
SPELLINGS = {name: [name] for name in LEADS} | {
    "I": ["I", "DI", "MLI"],
    "II": ["II", "DII", "MLII"],
    "III": ["III", "DIII", "MLIII"],
}
DRESSES = [
    "{}",
    " {} ",
    "ECG {}",
    "ecg_{}",
    "Lead {}",
    "lead-{}",
    "{}.",
    "EKG:{}",
    "ECG lead {}",
    "MDC_ECG_LEAD_{}",
    "Abl. {}",
    "Ableitung {}",
]
CASES = [str, str.lower, str.upper, str.swapcase]


def test_names_are_the_twelve_of_every_textbook():
    assert LEADS == ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def test_lead_sets_are_those_of_the_2021_challenge_and_one_more():
    assert {name: len(leads) for name, leads in LEAD_SETS.items()} == {f"{n}-lead": n for n in (12, 6, 4, 3, 2, 1)}
    sets = list(LEAD_SETS.values())
    assert sets[1] == LEADS[:6]
    assert (sets[2], sets[3], sets[4], sets[5]) == (("I", "II", "III", "V2"), ("I", "II", "V2"), ("I", "II"), ("I",))


@pytest.mark.parametrize("name", LEADS)
def test_every_spelling_in_every_case_and_dress_finds_its_lead(name):
    for spelling, dress, case in itertools.product(SPELLINGS[name], DRESSES, CASES):
        assert canonical_lead(case(dress.format(spelling))) == name, (spelling, dress, case)


@given(SUBSETS, st.sampled_from([", ", ",", " ", ";", "; ", "\n", "\t"]), st.sampled_from(CASES))
@settings(deadline=None)
def test_text_and_sequences_round_trip_in_the_order_given(names, separator, case):
    assert parse_leads(separator.join(map(case, names))) == tuple(names)
    assert parse_leads(map(case, names)) == tuple(names)  # any iterable, once through
    assert parse_leads(parse_leads(names)) == tuple(names)


# these letters spell many leads and many near misses
@given(st.text("iIvVaArRlLfFmMdD126 ,;-_.", max_size=12))
@settings(deadline=None)
def test_whatever_is_read_is_a_lead_or_refused(text):
    try:
        found = parse_leads(text)
    except LeadError:
        return
    assert set(found) <= set(LEADS)
    assert len(set(found)) == len(found) >= 1


def test_a_lead_set_stands_for_its_leads():
    for name, leads in LEAD_SETS.items():
        assert parse_leads(name) == parse_leads(f" {name} ") == leads


def test_text_may_say_lead_and_ecg():
    assert parse_leads("Lead II, ECG V1 mlIII") == ("II", "V1", "III")
    assert parse_leads("Abl. I, Ableitung II") == ("I", "II")


@pytest.mark.parametrize("dress", ["{}", "ECG {}", "Abl. {}", "mdc_ecg_lead_{}"])
@pytest.mark.parametrize("case", CASES)
def test_all_of_c1_to_c6_beside_a_limb_lead_are_the_chest_leads(dress, case):
    names = ["C6", "C5", "C4", "C3", "C2", "C1", "II", "Resp"]
    spellings = [case(dress.format(name)) for name in names]
    assert canonical_leads(spellings) == ["V6", "V5", "V4", "V3", "V2", "V1", "II", None]


@pytest.mark.parametrize(
    "spellings",
    [
        ["C3", "C4", "II"],  # of a sleep recording: two electrodes on the head
        ["C1", "C2", "C3", "C4", "C5", "I"],
        ["C1", "C2", "C3", "C4", "C5", "C6", "I", "V1"],  # what C1 means is open
        ["C5", "C3", "C1", "Cz", "C2", "C4", "C6"],  # a row of a cap
    ],
)
def test_other_c_are_no_chest_leads(spellings):
    assert canonical_leads(spellings) == [canonical_lead(name) for name in spellings]
    assert not any(
        lead and lead.startswith("V")
        for name, lead in zip(spellings, canonical_leads(spellings), strict=True)
        if name[0] == "C"
    )


@pytest.mark.parametrize("spelling", ["V9", "", "x", "aV", "ECG", "V7", "VI", "Ⅳ", "1", "V-", "lead"])
def test_what_is_no_lead_is_none(spelling):
    assert canonical_lead(spelling) is None


def test_roman_numeral_characters_are_letters_too():
    assert parse_leads("Ⅱ, ⅲ") == ("II", "III")


@pytest.mark.parametrize("spelling", ["-aVR", " -aVR", "lead -aVR", "ECG_-aVR", "−aVR"])
def test_an_inverted_lead_is_not_taken_for_the_lead(spelling):
    """Cabrera's order shows -aVR; read as aVR it would turn every wave upside down."""
    with pytest.raises(LeadError, match=r"aVR'.*known leads are I, II"):
        parse_leads([spelling])


@pytest.mark.parametrize("spelling", ["I-II", "I II", "I_I", "II I", "I.II", "V1-V2"])
def test_two_leads_in_one_name_are_not_glued_into_a_third(spelling):
    """Take the separator out of "I-II" and III is left, which is its negative."""
    assert canonical_lead(spelling) is None


def test_an_unknown_lead_is_quoted_beside_the_known_ones():
    with pytest.raises(LeadError, match=r"Unknown lead 'V9', 'x'; known leads are I, II, III, aVR.*V6"):
        parse_leads("I, V9, x")


def test_a_repeat_under_another_alias_is_still_a_repeat():
    with pytest.raises(LeadError, match=r"Lead II is named more than once .*'MLII'.*name each lead once"):
        parse_leads(["II", "I", "MLII"])


@pytest.mark.parametrize("nothing", ["", " ,; ", "lead", [], ()])
def test_no_lead_at_all_is_refused(nothing):
    with pytest.raises(LeadError, match=r"No lead found in .*; name at least one of I, II"):
        parse_leads(nothing)


@given(SUBSETS)
@settings(deadline=None)
def test_ids_are_positions_in_leads(names):
    assert [LEADS[position] for position in lead_ids(names)] == names


# --- the algebra of the limb leads: three electrodes, two independent voltages ---

ELECTRODES_MV = st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3)


@given(ELECTRODES_MV)
@settings(deadline=None)
def test_limb_leads_follow_from_the_electrodes(voltages):
    """Oracle: Einthoven's and Goldberger's own definitions, from right arm, left arm and left leg."""
    right, left, foot = voltages
    i, ii, iii = left - right, foot - right, foot - left
    avr, avl, avf = right - (left + foot) / 2, left - (right + foot) / 2, foot - (right + left) / 2
    found = derive_limb_leads(np.array([i]), np.array([ii]))[:, 0]
    np.testing.assert_allclose(found, [i, ii, iii, avr, avl, avf], atol=1e-5)


def test_six_limb_leads_hold_the_information_of_two():
    assert np.linalg.matrix_rank(LIMB_FROM_I_II) == 2
    for pair in itertools.combinations(range(6), 2):  # any two of the six will do
        assert np.linalg.matrix_rank(LIMB_FROM_I_II[list(pair)]) == 2, pair


def test_closed_sums_of_einthoven_and_goldberger():
    i, ii, iii, avr, avl, avf = derive_limb_leads(*np.random.default_rng(0).normal(size=(2, 100)))
    np.testing.assert_allclose(i + iii, ii, atol=1e-6)
    np.testing.assert_allclose(avr + avl + avf, 0, atol=1e-6)


def test_leading_axes_are_kept():
    i_mv, ii_mv = np.random.default_rng(0).normal(size=(2, 3, 5, 40))
    limb = derive_limb_leads(i_mv, ii_mv)
    assert limb.shape == (3, 5, 6, 40)
    np.testing.assert_allclose(limb[1, 2], derive_limb_leads(i_mv[1, 2], ii_mv[1, 2]))


def sound_recordings():
    chest = np.random.default_rng(1).normal(size=(4, 6, 50))
    limb = derive_limb_leads(*np.random.default_rng(0).normal(size=(2, 4, 50)))
    return np.concatenate([limb, chest], axis=1)  # [4 recordings, 12 leads, 50 samples]


@given(st.permutations(LEADS))
@settings(deadline=None)
def test_sound_recordings_obey_the_laws_in_any_order(order):
    shuffled = sound_recordings()[:, lead_ids(order)]
    np.testing.assert_allclose(limb_lead_residual(shuffled, order), np.zeros(4), atol=1e-6)


def test_a_fault_shows_in_its_recording_alone():
    signals = sound_recordings()
    signals[2, LEADS.index("aVL"), 7] += 0.25
    np.testing.assert_allclose(limb_lead_residual(signals, LEADS), [0, 0, 0.25, 0], atol=1e-6)


def test_swapped_names_show():
    swapped = ("II", "I", *LEADS[2:])
    assert (limb_lead_residual(sound_recordings(), swapped) > 0.5).all()


@pytest.mark.parametrize("leads", ["I, II", "I, III, aVF", "I, II, V1", "V1"])
def test_without_a_third_limb_lead_nothing_can_be_checked(leads):
    with pytest.raises(LeadError, match=r"needs I, II and one more of III, aVR, aVL, aVF; found"):
        limb_lead_residual(np.zeros((1, len(parse_leads(leads)), 10)), leads)


def test_leads_that_disagree_with_the_signals_are_counted():
    with pytest.raises(LeadError, match=r"3 leads are named for signals \(4, 12, 50\); expected \[..., 3, samples\]"):
        limb_lead_residual(sound_recordings(), "I, II, III")
