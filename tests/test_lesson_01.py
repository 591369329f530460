"""Lesson 01: its self-checks, what it claims, and the heart that it lets a hand turn."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_runner import ROOT
from sklearn.linear_model import LinearRegression

import selfdana_lite as sd
from selfdana_lite import explore
from selfdana_lite.leads import LIMB_FROM_I_II, lead_ids
from selfdana_lite.simulation.dipole import electrode_vectors, lead_vectors, leads_from_electrodes
from selfdana_lite.simulation.heart import healthy_heart

sys.path.append(str(ROOT / "notebooks"))
from course import lesson_01

TIME_MS = np.arange(0, 700, 5.0)


@pytest.fixture(scope="module")
def beat_mv():
    return healthy_heart(np.random.default_rng(0), 30, False).beat(TIME_MS, rr_ms=850)


@pytest.fixture(scope="module")
def signals_mv(samples_path):
    """All twelve leads of folds 9 and 10, each about its mean: [records, 12, samples]."""
    dataset = sd.EcgDataset.open(samples_path).where(folds=[9, 10])
    signals_mv = dataset.batch(range(len(dataset)), sd.LEADS).numpy()
    return signals_mv - signals_mv.mean(axis=2, keepdims=True)


# The checks


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        ("aVR", "Right: aVR"),
        ("avr", "Right: aVR"),
        (None, "No answer yet"),
        ("III", "Not yet: III is II - I"),
        ("aVL", "Not yet: aVL takes half of one"),
        ("aVF", "Not yet: aVF takes half of one"),
        ("II", "Not yet: II is one of the two"),
        ("V1", "Not yet: V1 has an electrode on the chest"),
        ("aVR, aVL", "Not yet: 2 leads are named"),
        ("X", "Not yet: Unknown lead 'X'"),
        (-0.5, "Not yet: 'float' object"),
    ],
)
def test_check_lead(lead, said):
    assert lesson_01.check_lead(lead).startswith(said)


AXIS = 137.0  # of a heart whose I and aVF these are, in a triangle of equal sides
I_MV, AVF_MV = math.cos(math.radians(AXIS)), math.sin(math.radians(AXIS)) * math.sqrt(3) / 2


@pytest.mark.parametrize(
    ("degrees", "said"),
    [
        (AXIS, "Right: 137 degrees (beyond 90"),
        (AXIS + 0.4, "Right"),  # rounded to whole degrees
        (None, "No answer yet"),
        (math.radians(AXIS), "radians"),
        (math.degrees(math.atan2(AVF_MV, I_MV)), "shorter ruler"),
        (AXIS - 180, "the other way"),
        (90 - AXIS, "exchanged"),
        (-AXIS, "sign"),
        (math.degrees(math.atan2(AVF_MV * math.sqrt(3) / 2, I_MV)), "must grow, not shrink"),
        (12.0, "lead I points to 0 degrees"),
        ("137", "one number"),
    ],
)
def test_check_axis(degrees, said):
    answer = lesson_01.check_axis(degrees, I_MV, AVF_MV)
    assert said in answer
    assert answer.startswith("Right") == (degrees in (AXIS, AXIS + 0.4))


@pytest.mark.parametrize(("i_mv", "avf_mv", "side"), [(1, 0.5, "normal"), (0.2, -1, "to the left"), (-1, 0.2, "to the right")])
def test_the_axis_is_named(i_mv, avf_mv, side):
    assert side in lesson_01.check_axis(math.degrees(math.atan2(avf_mv * 2 / math.sqrt(3), i_mv)), i_mv, avf_mv)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (4, "Right: 4: 2 from 3 limb leads, and 2 chest leads"),
        (None, "No answer yet"),
        (5, "how many there are"),
        (2, "limb leads alone"),
        (3, "a single arrow"),
        (6, "two limb leads give all six"),
        ("4", "one number"),
    ],
)
def test_check_independent(count, said):
    answer = lesson_01.check_independent(count, "II, aVR, aVF, V1, V5")
    assert said in answer
    assert answer.startswith("Right") == (count == 4)


@given(leads=st.sets(st.sampled_from(sd.LEADS), min_size=1))
def test_the_rule_is_the_rank_of_recordings(signals_mv, leads):
    few = signals_mv[:8, lead_ids(leads)]
    assert lesson_01.check_independent(lesson_01.independent_leads(few), leads).startswith("Right")


def test_what_is_predictable_agrees_with_a_second_opinion(signals_mv):
    train, test = signals_mv[:20, :, ::5], signals_mv[20:30, :, ::5]
    found = lesson_01.predictable(train, test, "I, II, V2")
    wide = [part.transpose(0, 2, 1).reshape(-1, 12).astype(float) for part in (train, test)]
    fitted = LinearRegression(fit_intercept=False).fit(wide[0][:, [0, 1, 7]], wide[0])
    error = wide[1] - fitted.predict(wide[1][:, [0, 1, 7]])
    assert found.to_numpy() == pytest.approx(1 - (error**2).sum(0) / (wide[1] ** 2).sum(0), abs=1e-6)
    assert found["V2"] == pytest.approx(1)


# What the lesson claims


def value(results, section, quantity, lead_set=None):
    found = results[(results["section"] == section) & (results["quantity"] == quantity)]
    (only,) = (found if lead_set is None else found[found["lead_set"] == lead_set])["value"]
    return only


def test_the_lesson_runs(lesson):
    assert lesson("01").errors == ()


def test_leads_are_projections_of_one_dipole(lesson):
    results = lesson("01").results
    assert value(results, "projection", "largest_gap_mv") < 1e-12  # float64
    assert value(results, "rank", "of_one_arrow") == 3
    assert value(results, "one torso", "largest_gap_mv") < 1e-9  # three leads fix the arrow


def test_six_limb_leads_carry_the_information_of_two(lesson):
    results = lesson("01").results
    # Three leads are each rounded to a whole microvolt: at most half a microvolt times |1| + |1| + |-1| for III.
    assert value(results, "residual", "largest_mv") <= 0.0015 + 1e-6
    assert value(results, "residual", "median_with_II_and_III_exchanged_mv") > 0.1
    ranks = results[results["quantity"] == "independent_leads"].set_index("lead_set")["value"]
    assert ranks.to_dict() == {"12-lead": 8, "6-lead": 2, "4-lead": 3, "3-lead": 3, "2-lead": 2, "1-lead": 1}
    assert value(results, "sets", "distinct") == 4


def test_chest_leads_add_what_limb_leads_do_not_know(lesson):
    results = lesson("01").results
    r2 = results[results["quantity"] == "r2"].pivot(index="lead", columns="lead_set", values="value")
    assert (r2.loc[list(sd.LEAD_SETS["6-lead"]), "2-lead"] > 0.999).all()  # but for rounding
    assert (r2["6-lead"] - r2["2-lead"]).abs().max() < 0.0001
    assert (r2["4-lead"] - r2["3-lead"]).abs().max() < 0.0001
    assert r2.loc["V2", "2-lead"] < 0.2  # front and back are not in the frontal plane
    assert r2.loc["V3", "3-lead"] > r2.loc["V3", "2-lead"] + 0.2
    assert (r2.loc[[f"V{n}" for n in (1, 3, 4, 5, 6)], "3-lead"] < 0.99).all()  # no chest lead is free of charge


def test_on_real_recordings_the_counts_are_the_same(real_archive):
    dataset = sd.EcgDataset.open(real_archive).where(folds=[8]).where(rows=range(100))
    signals_mv = dataset.batch(range(100), sd.LEADS).numpy()
    for name, independent in {"12-lead": 8, "6-lead": 2, "4-lead": 3, "3-lead": 3}.items():
        few = signals_mv[:, lead_ids(name)]
        assert lesson_01.independent_leads(few - few.mean(axis=2, keepdims=True)) == independent


# The heart that turns


def test_lead_vectors_are_what_the_recorder_makes_of_unit_dipoles(beat_mv):
    assert lead_vectors().shape == (12, 3)
    assert lead_vectors() @ beat_mv.T == pytest.approx(leads_from_electrodes(electrode_vectors() @ beat_mv.T))
    assert lead_vectors()[:6] == pytest.approx(LIMB_FROM_I_II @ lead_vectors()[:2])


def test_a_beat_has_its_waves_in_order():
    heart = healthy_heart(np.random.default_rng(0), 30, False)
    length_mv = np.linalg.norm(heart.beat(TIME_MS, rr_ms=850), axis=1)
    p, qrs = length_mv[TIME_MS < heart.pr_ms].max(), length_mv.max()
    t_wave = length_mv[TIME_MS > heart.pr_ms + heart.qrs_ms + 60].max()
    assert p < t_wave < qrs
    assert heart.pr_ms < TIME_MS[length_mv.argmax()] < heart.pr_ms + heart.qrs_ms
    assert length_mv[-1] < 0.02  # rest, until the next beat


@given(frontal=st.integers(-180, 180), horizontal=st.integers(-180, 180))
def test_a_turn_keeps_every_length(beat_mv, frontal, horizontal):
    after = explore.turned(beat_mv, explore.Pose(frontal, horizontal))
    assert np.linalg.norm(after, axis=1) == pytest.approx(np.linalg.norm(beat_mv, axis=1))


def test_which_way_the_sliders_turn():
    left, feet, front = np.eye(3)
    assert explore.turned(left, explore.Pose(frontal_deg=90)) == pytest.approx(feet)
    assert explore.turned(front, explore.Pose(horizontal_deg=90)) == pytest.approx(left)
    assert explore.turned(front, explore.Pose(frontal_deg=70)) == pytest.approx(front)
    assert [explore.frontal_angle(arrow) for arrow in (left, feet, -feet)] == [0, 90, -90]


def test_the_drawing_shows_what_the_words_say(beat_mv):
    pose = explore.Pose(frontal_deg=30, sample=34, lead="V2")
    figure, words = explore.draw_heart(pose, TIME_MS, beat_mv), explore.describe_heart(pose, TIME_MS, beat_mv)
    arrow_mv = explore.turned(beat_mv, pose)[34]
    read_mv = lead_vectors() @ arrow_mv
    assert f"Turned by 30° in the frontal plane and 0° round the long axis; {TIME_MS[34]:.0f} ms after" in words
    assert all(f"{lead} {value:.2f}" in words for lead, value in zip(sd.LEADS, read_mv, strict=True))
    traces = {}
    for trace in figure.data:
        traces.setdefault(trace.name, []).append(trace)
    assert [(t.x[1], t.y[1]) for t in traces["arrow"]] == [tuple(arrow_mv[[0, 1]]), tuple(arrow_mv[[0, 2]])]
    for place, lead in enumerate(sd.LEADS):
        axis, curve = traces[lead]
        assert axis.line.color == curve.line.color == explore.LEAD_COLOURS[lead]
        assert curve.y[34] == pytest.approx(read_mv[place] - 4 * (place // 6))
    (shadow,), (plumb,) = traces["shadow"], traces["plumb line"]  # on V2 alone, in the plane of the chest
    assert np.dot([shadow.x[1], shadow.y[1]], np.subtract([plumb.x[0], plumb.y[0]], [plumb.x[1], plumb.y[1]])) == pytest.approx(
        0
    )


def test_every_control_changes_figure_and_words(beat_mv):
    heart = explore.TurningHeart(TIME_MS, beat_mv)
    assert heart.pose == explore.Pose()
    assert heart.figure.text in heart.static_html()
    for control, setting in ((heart.frontal, 40), (heart.horizontal, -35), (heart.sample, 12), (heart.lead, "V4")):
        before = heart.figure.figure, heart.figure.text
        control.value = setting
        assert heart.figure.figure != before[0]
        assert heart.figure.text != before[1]
    assert heart.pose == explore.Pose(40, -35, 12, "V4")
    assert heart.figure.text == explore.describe_heart(heart.pose, TIME_MS, beat_mv)


def test_an_error_is_shown_beside_the_sliders(beat_mv):
    heart = explore.TurningHeart(TIME_MS, beat_mv)
    heart.beat_mv = beat_mv[:, :2]
    with pytest.raises(ValueError, match="matmul"):
        heart.frontal.value = 10
    assert "ValueError" in heart.error.value
