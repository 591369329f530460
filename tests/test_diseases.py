"""Each disease is tried on the same healthy hearts, and must change them where a textbook says it does."""

import numpy as np
import pytest

from selfdana_lite.leads import LEADS
from selfdana_lite.simulation import conduction, diseases
from selfdana_lite.simulation.dipole import electrode_vectors, leads_from_electrodes
from selfdana_lite.simulation.heart import healthy_heart

TIME_MS = np.arange(0, 560.0, 2)  # from QRS onset
PEOPLE = 30
WALL_LEADS = {  # wall: (leads that face it, leads that see it from behind)
    "inferior": (("III", "aVF", "II"), ("aVL",)),
    "anteroseptal": (("V1", "V2", "V3"), ()),
    "anterior": (("V2", "V3", "V4"), ("aVR",)),
    "anterolateral": (("V3", "V4", "V5", "I", "aVL"), ("III",)),
    "lateral": (("I", "aVL", "V6"), ("III", "aVR")),
    "inferolateral": (("II", "aVF", "V6"), ("aVR",)),
    "posterior": ((), ("V1", "V2", "V3")),
}


def hearts(effect=None, severity=1.0, **options):
    """The same people, healthy or after the effect."""
    people = []
    for seed in range(PEOPLE):
        rng = np.random.default_rng(seed)
        heart = healthy_heart(rng, age=55, female=bool(seed % 2))
        people.append(effect(heart, rng, severity, **options) if effect else heart)
    return people


def beats(people):
    """One noiseless beat each, seen from the average chest, {lead: [people, time]} in mV."""
    loops = [(heart.ventricles + heart.repolarisation(rr_ms=900)).at(TIME_MS) for heart in people]
    leads = np.stack([leads_from_electrodes(electrode_vectors() @ loop.T) for loop in loops], axis=1)  # [12, people, time]
    return dict(zip(LEADS, leads, strict=True))


def at(beat, start_ms, end_ms):
    """Mean over the people and the time between start and end."""
    return beat[:, (start_ms <= TIME_MS) & (end_ms > TIME_MS)].mean()


@pytest.fixture(scope="module")
def healthy():
    return beats(hearts())


def test_r_grows_and_s_shrinks_across_the_chest(healthy):
    r = [np.median(healthy[f"V{k}"].max(axis=1)) for k in range(1, 7)]
    s = [np.median(healthy[f"V{k}"][:, TIME_MS < 110].min(axis=1)) for k in range(1, 7)]
    assert r[0] < r[1] < r[2] < r[3]
    assert r[5] < r[3]
    assert -s[0] > 2 * r[0]  # rS in V1
    assert r[4] > 3 * -s[4]  # Rs in V5


def test_the_healthy_axis_points_down_and_left_and_T_goes_with_it(healthy):
    assert all(at(healthy[name], 30, 55) > 0.2 for name in ("I", "II", "V4", "V5", "V6"))
    assert at(healthy["aVR"], 30, 55) < -0.3
    assert all(at(healthy[name], 280, 340) > 0.05 for name in ("I", "II", "V2", "V3", "V4", "V5", "V6"))
    assert at(healthy["aVR"], 280, 340) < -0.1


@pytest.mark.parametrize("wall", list(WALL_LEADS))
def test_a_scar_takes_early_forces_from_the_leads_that_face_it_and_gives_them_to_those_behind(wall, healthy):
    scarred = beats(hearts(diseases.infarct, wall=wall, stage="old"))
    facing, behind = WALL_LEADS[wall]
    assert all(at(scarred[name], 15, 50) < at(healthy[name], 15, 50) - 0.1 for name in facing)
    assert all(at(scarred[name], 15, 50) > at(healthy[name], 15, 50) + 0.05 for name in behind)


@pytest.mark.parametrize(("wall", "leads"), [("inferior", ("III", "aVF")), ("anteroseptal", ("V1", "V2"))])
def test_a_large_scar_gives_q_waves_that_healthy_hearts_do_not_have(wall, leads, healthy):
    """Q: the beat starts downwards, instead of with the small r that the septum gives."""
    scarred = beats(hearts(diseases.infarct, wall=wall, stage="old"))
    for name in leads:
        has_q = lambda beat: np.mean(beat[:, (TIME_MS > 10) & (TIME_MS < 26)].mean(axis=1) < -0.03)  # noqa: E731
        assert has_q(scarred[name]) > 0.5
        assert has_q(healthy[name]) < 0.3


@pytest.mark.parametrize("wall", list(WALL_LEADS))
def test_acute_injury_lifts_st_over_the_wall_and_lowers_it_behind(wall, healthy):
    injured = beats(hearts(diseases.infarct, wall=wall, stage="acute"))
    facing, behind = WALL_LEADS[wall]
    assert all(at(injured[name], 120, 180) > at(healthy[name], 120, 180) + 0.03 for name in facing)
    assert all(at(injured[name], 120, 180) < at(healthy[name], 120, 180) - 0.02 for name in behind)


@pytest.mark.parametrize("wall", ["lateral", "inferior", "inferolateral", "anteroseptal"])
def test_ischaemia_lowers_st_and_turns_t_over_the_wall(wall, healthy):
    starved = beats(hearts(diseases.ischaemia, wall=wall))
    for name in WALL_LEADS[wall][0]:
        assert at(starved[name], 120, 180) < at(healthy[name], 120, 180) - 0.01
        assert at(starved[name], 280, 340) < min(0, at(healthy[name], 280, 340))


def test_recent_infarcts_turn_t_more_than_old_ones():
    recent, old = (beats(hearts(diseases.infarct, wall="inferior", stage=stage)) for stage in ("recent", "old"))
    assert at(recent["aVF"], 280, 340) < at(old["aVF"], 280, 340) - 0.05


def test_non_specific_changes_flatten_t_and_leave_qrs_alone(healthy):
    flat = beats(hearts(diseases.flat_t))
    assert abs(at(flat["V5"], 280, 340)) < 0.35 * at(healthy["V5"], 280, 340)
    np.testing.assert_allclose(at(flat["V5"], 0, 60), at(healthy["V5"], 0, 60), atol=0.05)
    low = beats(hearts(diseases.low_st))
    assert at(low["V5"], 120, 180) < at(healthy["V5"], 120, 180) - 0.05


def test_digitalis_shortens_qt_and_a_long_qt_is_long():
    usual = np.mean([heart.qtc_ms for heart in hearts()])
    assert np.mean([heart.qtc_ms for heart in hearts(diseases.digitalis)]) < usual - 20
    assert all(heart.qtc_ms > 460 for heart in hearts(diseases.long_qt, severity=0.0))


def test_left_bundle_block_is_wide_negative_in_v1_positive_and_without_q_in_v6_and_t_opposes_it(healthy):
    people = hearts(conduction.left_bundle_block, complete=True)
    blocked = beats(people)
    assert all(heart.qrs_ms >= 120 for heart in people)
    assert at(blocked["V1"], 30, 130) < -0.6
    assert min(at(blocked[name], 30, 130) for name in ("I", "aVL", "V6")) > 0.1
    assert at(blocked["V6"], 0, 25) > 0 > at(healthy["V6"], 5, 20) - 0.1
    assert at(blocked["V1"], 280, 340) > 0.2
    assert at(blocked["V6"], 280, 340) < 0.05


def test_right_bundle_block_ends_late_to_the_right_and_front(healthy):
    people = hearts(conduction.right_bundle_block, complete=True)
    blocked = beats(people)
    assert all(heart.qrs_ms >= 120 for heart in people)
    assert at(blocked["V1"], 80, 125) > 0.3  # R'
    assert max(at(blocked[name], 80, 125) for name in ("I", "V6")) < -0.15  # slurred S
    assert at(blocked["V1"], 280, 340) < at(healthy["V1"], 280, 340) - 0.05
    for name in ("I", "V6"):  # the left ventricle is activated as ever: R stays
        np.testing.assert_allclose(at(blocked[name], 20, 36), at(healthy[name], 20, 36), atol=0.1)


@pytest.mark.parametrize("block", [conduction.left_bundle_block, conduction.right_bundle_block])
def test_incomplete_blocks_lie_between_healthy_and_complete(block):
    usual, part, whole = hearts(), hearts(block, complete=False), hearts(block, complete=True)
    assert all(heart.qrs_ms < 120 for heart in part)
    late = [at(np.abs(beats(people)["V1"]), 90, 120) for people in (usual, part, whole)]
    assert late[0] < late[1] < late[2]


def test_measured_qrs_is_wider_in_blocks_and_matches_what_the_heart_says():
    """Where the dipole's length exceeds a twentieth of its peak, against qrs_ms."""
    for effect, options in ((None, {}), *[(f, {"complete": True}) for f in (conduction.left_bundle_block,)]):
        for heart in hearts(effect, **options):
            length = np.linalg.norm(heart.ventricles.at(TIME_MS), axis=1)
            present = TIME_MS[length > 0.05 * length.max()]
            assert present[-1] - present[0] == pytest.approx(heart.qrs_ms, rel=0.3)


def axis_degrees(people):
    """The frontal axis of each QRS, from its area: 0 is to the left, 90 to the feet."""
    x, y, _ = np.transpose([heart.ventricles.area_mv_ms() for heart in people])
    return np.degrees(np.arctan2(y, x))


def test_fascicle_blocks_turn_the_axis():
    usual = np.median(axis_degrees(hearts()))
    assert 0 < usual < 75
    for severity, axis in ((0.0, -30), (1.0, -45)):  # -45 by definition; these hearts are young and upright
        assert np.median(axis_degrees(hearts(conduction.fascicle_block, severity, anterior=True))) < axis
    assert np.median(axis_degrees(hearts(conduction.fascicle_block, anterior=False))) > 90


def test_first_degree_block_changes_pr_alone():
    for usual, slow in zip(hearts(), hearts(conduction.long_pr, severity=0.0), strict=True):
        assert slow.pr_ms > 200 >= usual.pr_ms
        np.testing.assert_array_equal(slow.ventricles.vector_mv, usual.ventricles.vector_mv)
        np.testing.assert_array_equal(slow.t_mv, usual.t_mv)


def test_preexcitation_shortens_pr_and_widens_qrs():
    for usual, early in zip(hearts(), hearts(conduction.preexcitation), strict=True):
        assert early.pr_ms < 120 <= usual.pr_ms
        assert early.pr_ms >= early.p_ms
        assert early.qrs_ms > usual.qrs_ms + 20


def test_slow_muscle_widens_qrs():
    assert all(heart.qrs_ms > 110 for heart in hearts(conduction.slow_muscle, severity=0.0))


def test_left_hypertrophy_raises_the_sokolow_lyon_voltage_and_strain_turns_t(healthy):
    sokolow = lambda beat: np.median(beat["V5"].max(axis=1) - beat["V1"].min(axis=1))  # noqa: E731
    thick = beats(hearts(diseases.left_hypertrophy, strain=False))
    strained = beats(hearts(diseases.left_hypertrophy, strain=True))
    assert sokolow(thick) > 1.4 * sokolow(healthy)
    assert sokolow(thick) > 3.5  # mV, the classic criterion
    assert at(thick["V5"], 280, 340) > 0 > at(strained["V5"], 280, 340)
    assert at(strained["V5"], 120, 180) < 0 < at(strained["V1"], 120, 180)


def test_right_hypertrophy_gives_a_tall_r_in_v1_and_a_right_axis(healthy):
    thick = beats(hearts(diseases.right_hypertrophy, strain=True))
    ratio = lambda beat: np.median(beat["V1"][:, TIME_MS < 120].max(axis=1) / -beat["V1"].min(axis=1))  # noqa: E731
    assert ratio(healthy) < 0.6 < 1 < ratio(thick)
    assert np.median(axis_degrees(hearts(diseases.right_hypertrophy, strain=True))) > 90


def p_wave(people, lead):
    time_ms = np.arange(0, 180.0, 2)
    return np.mean(
        [leads_from_electrodes(electrode_vectors() @ h.atria.at(time_ms).T)[LEADS.index(lead)] for h in people], axis=0
    )


def test_a_large_left_atrium_lengthens_p_and_deepens_its_end_in_v1():
    large = hearts(diseases.large_atrium, left=True)
    assert all(heart.p_ms > 120 and heart.pr_ms > heart.p_ms for heart in large)
    assert p_wave(large, "V1").min() < p_wave(hearts(), "V1").min() - 0.04


def test_a_large_right_atrium_makes_p_tall_in_ii():
    assert p_wave(hearts(diseases.large_atrium, left=False), "II").max() > 1.5 * p_wave(hearts(), "II").max()


def test_severity_zero_is_milder_than_severity_one():
    for effect, options in (
        (diseases.infarct, {"wall": "inferior", "stage": "old"}),
        (diseases.left_hypertrophy, {"strain": False}),
        (conduction.fascicle_block, {"anterior": True}),
    ):
        change = [
            np.mean([np.linalg.norm(ill.ventricles.area_mv_ms() - well.ventricles.area_mv_ms()) for ill, well in pairs])
            for pairs in (list(zip(hearts(effect, s, **options), hearts(), strict=True)) for s in (0.0, 1.0))
        ]
        assert change[0] < change[1]


def test_what_qrs_gains_st_and_t_lose():
    """Wilson's ventricular gradient: the area of the whole beat hardly depends on the path of activation."""
    heart = hearts()[0]
    turned = heart.with_ventricles(heart.ventricles.scaled(-1), heart.qrs_ms, secondary=1)
    before, after = ((h.ventricles + h.repolarisation(1000)).area_mv_ms() for h in (heart, turned))
    moved = 2 * heart.ventricles.area_mv_ms()
    assert np.linalg.norm(before - after) < 0.25 * np.linalg.norm(moved)


def test_the_ill_differ_from_the_healthy_also_where_their_diagnosis_does_not_say_so(healthy):
    people = hearts(diseases.worn)
    worn = beats(people)
    assert at(worn["V5"], 280, 340) < 0.8 * at(healthy["V5"], 280, 340)
    assert at(worn["V5"], 120, 180) < at(healthy["V5"], 120, 180) - 0.02
    assert np.median(axis_degrees(people)) < np.median(axis_degrees(hearts())) - 10
    assert p_wave(people, "V1").min() < p_wave(hearts(), "V1").min() - 0.01


def test_a_thick_left_wall_leaves_no_deeper_s_in_lead_i(healthy):
    depth = lambda beat: np.median(-beat["I"][:, TIME_MS < 110].min(axis=1))  # noqa: E731
    assert depth(beats(hearts(diseases.left_hypertrophy, strain=False))) < depth(healthy) + 0.05


def test_right_hypertrophy_turns_t_in_v1_and_spares_it_in_v6(healthy):
    strained = beats(hearts(diseases.right_hypertrophy, strain=True))
    assert at(strained["V1"], 280, 340) < -0.1 < at(healthy["V1"], 280, 340)
    assert at(strained["V6"], 280, 340) > 0.8 * at(healthy["V6"], 280, 340)


def test_an_incomplete_right_block_takes_from_the_s_in_v1_and_v2(healthy):
    blocked = beats(hearts(conduction.right_bundle_block, complete=False))
    for name in ("V1", "V2"):
        assert np.median(blocked[name][:, TIME_MS < 110].min(axis=1)) > np.median(healthy[name][:, TIME_MS < 110].min(axis=1))


def test_slight_st_depression_does_not_lift_st_in_front(healthy):
    low = beats(hearts(diseases.low_st))
    assert at(low["V2"], 120, 180) < at(healthy["V2"], 120, 180) + 0.03
