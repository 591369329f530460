"""Faults put in on purpose are found where they were put, and nowhere else."""

import numpy as np
import pytest
from beating import changed, heart, lead_mv
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdana_lite import faults
from selfdana_lite.leads import LEADS
from selfdana_lite.recording import Recording

HEART = heart()
RATE_HZ, SAMPLES = 250, 2500


def stretches(recording):
    return [tuple(row) for row in faults.problem_stretches(recording).itertuples(index=False)]


def test_a_sound_recording_has_no_stretch():
    assert stretches(HEART) == []


@given(st.sampled_from(HEART.leads), st.integers(0, SAMPLES - 200), st.integers(130, 200), st.sampled_from(["flat", "missing"]))
@settings(max_examples=30)
def test_a_stretch_is_found_exactly_where_it_was_put(lead, start, length, kind):
    values = lead_mv(HEART, lead)
    values[start : start + length] = np.nan if kind == "missing" else values[start]
    found = stretches(changed(HEART, **{lead: values}))
    assert found == [(lead, kind, pytest.approx(start / RATE_HZ), pytest.approx((start + length) / RATE_HZ))]


def test_a_value_held_for_less_than_half_a_second_is_not_flat():
    values = lead_mv(HEART, "V1")
    values[1000:1124] = values[1000]
    assert stretches(changed(HEART, V1=values)) == []


@pytest.mark.parametrize(("step_mv", "held_s", "is_flat"), [(0.005, 1.2, False), (0.005, 2.1, True), (0.001, 0.6, True)])
def test_coarse_steps_hold_a_value_between_beats_and_not_through_them(step_mv, held_s, is_flat):
    """A small chest lead of a monitor with steps of 5 µV: its noise is lower than a step."""
    values = np.round(lead_mv(HEART, "V5") / step_mv) * step_mv
    stop = 1000 + round(held_s * RATE_HZ)
    values[1000:stop] = values[1000]
    found = stretches(changed(HEART, V5=values))
    assert [(lead, kind) for lead, kind, *_ in found if kind == "flat"] == [("V5", "flat")] * is_flat
    assert all(end - start > held_s - 0.5 / RATE_HZ for _, kind, start, end in found if kind == "flat")


def test_a_quiet_lead_of_a_slow_heart_in_coarse_steps_is_not_flat():
    slow = heart(360.0, seconds=60, bpm=40, noise_mv=0.0)
    values = np.round(0.2 * lead_mv(slow, "V5") / 0.005) * 0.005
    still = np.diff(values) == 0
    longest = max(len(run) for run in "".join("x" if same else " " for same in still).split())
    assert longest / 360 > faults.FLAT_S  # the case is the one that was wrongly marked
    assert stretches(changed(slow, V5=values)) == []


def test_the_largest_offset_is_that_of_a_standard_lead_in_millivolt():
    lifted = changed(HEART, II=lead_mv(HEART, "II") + 0.2, V6=lead_mv(HEART, "V6") - 1.5)
    offset_mv, lead = faults.largest_offset(lifted)
    assert (offset_mv, lead) == (pytest.approx(-1.5, abs=0.01), "V6")
    others = Recording(lifted.signal_mv[:2] + 90, RATE_HZ, ("SpO2", "vx"), notes={"units SpO2": "%"})
    offset_mv, lead = faults.largest_offset(others)
    assert (np.isnan(offset_mv), lead) == (True, "")
    assert faults.offsets_mv(lifted.signal_mv)[LEADS.index("V6")] == pytest.approx(offset_of(lifted, "V6"))


def offset_of(recording, lead):
    return np.median(lead_mv(recording, lead))


def test_a_lead_that_is_off_is_flat_from_end_to_end():
    assert stretches(changed(HEART, V4=0.0)) == [("V4", "flat", 0.0, 10.0)]
    assert stretches(changed(HEART, V4=np.nan)) == [("V4", "missing", 0.0, 10.0)]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_amplifier_at_its_end_is_clipped_at_every_beat(sign):
    values = sign * np.minimum(lead_mv(HEART, "V4"), 0.6)
    found = stretches(changed(HEART, V4=values))
    assert {(lead, kind) for lead, kind, _, _ in found} == {("V4", "clipped")}
    assert len(found) == 12  # one a beat
    middle_s = [(start + end) / 2 for *_, start, end in found]
    np.testing.assert_allclose(middle_s, 0.4 + np.arange(12) / 1.2, atol=0.012)


def test_the_turn_of_a_slow_wander_is_not_clipped_and_a_long_plateau_is():
    time_s = np.arange(SAMPLES) / RATE_HZ
    wander = np.round(2 * np.sin(2 * np.pi * 0.1 * time_s), 3).astype(np.float32)
    assert stretches(Recording(wander[None], RATE_HZ, ("II",))) == []  # its top is some 17 samples long, and there once
    assert [kind for _, kind, _, _ in stretches(Recording(np.minimum(wander, 1.95)[None], RATE_HZ, ("II",)))] == ["flat"]
    short = lead_mv(HEART, "II")
    short[1000:1060] = 5.0
    assert stretches(changed(HEART, II=short)) == [("II", "clipped", 4.0, 4.24)]


def test_missing_samples_are_bridged_by_straight_lines():
    gappy = np.array([[np.nan, 1, np.nan, np.nan, 4, np.nan], [np.nan] * 6, [0, 1, 2, 3, 4, 5]], np.float32)
    expected = [[1, 1, 2, 3, 4, 4], [0] * 6, [0, 1, 2, 3, 4, 5]]
    np.testing.assert_allclose(faults.filled(gappy), expected)
    assert np.isnan(gappy).sum() == 10  # the recording itself is left alone


@given(st.floats(0.05, 2), st.sampled_from([0.1, 0.2, 0.3, 0.4]), st.floats(-5, 5))
def test_wander_is_parted_from_what_is_faster(height_mv, wander_hz, offset_mv):
    time_s = np.arange(SAMPLES) / RATE_HZ
    slow, fast = height_mv * np.sin(2 * np.pi * wander_hz * time_s), np.cos(2 * np.pi * 1.2 * time_s)
    steady_mv, wander_mv = faults.split_wander((slow + fast + offset_mv)[None], RATE_HZ)
    np.testing.assert_allclose(wander_mv[0], slow, atol=1e-9)
    np.testing.assert_allclose(steady_mv[0], fast, atol=1e-9)


@pytest.mark.parametrize("mains_hz", [50, 60])
def test_hum_is_measured_as_its_root_mean_square(mains_hz):
    hum = 0.2 * np.sin(2 * np.pi * mains_hz * np.arange(SAMPLES) / RATE_HZ)
    assert faults.mains_noise_mv(hum[None], RATE_HZ) == pytest.approx(0.2 / np.sqrt(2), rel=1e-6)
    quiet = faults.mains_noise_mv(HEART.signal_mv, RATE_HZ)
    humming = faults.mains_noise_mv(changed(HEART, V2=lead_mv(HEART, "V2") + hum).signal_mv, RATE_HZ)
    assert quiet < 0.01
    assert humming == pytest.approx(0.2 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(("rate_hz", "seen"), [(100, False), (101.9, False), (102, True), (122, True)])
def test_hum_cannot_be_seen_below_twice_its_frequency(rate_hz, seen):
    assert np.isfinite(faults.mains_noise_mv(heart(rate_hz).signal_mv, rate_hz)) == seen


@pytest.mark.parametrize("rate_hz", [50, 100, 250, 500])
@pytest.mark.parametrize("bpm", [45, 72, 120])
def test_every_beat_is_found_at_its_place(rate_hz, bpm):
    recording = heart(rate_hz, bpm=bpm)
    peaks, reason = faults.r_peaks(recording)
    expected_s = np.arange(0.4, recording.seconds - 0.05, 60 / bpm)
    inside = (expected_s > 0.5) & (expected_s < recording.seconds - 0.5)  # the first and last may be cut by the search
    assert reason == ""
    off_s = np.abs(expected_s[inside][:, None] - peaks / rate_hz).min(axis=1)
    assert off_s.max() < 0.05
    assert len(peaks) <= len(expected_s)


def test_beats_are_found_where_lead_ii_points_down_or_vanishes():
    for leads_mv in ({"II": -lead_mv(HEART, "II")}, {"II": 0.02 * lead_mv(HEART, "II")}, {"II": np.nan}):
        assert len(faults.r_peaks(changed(HEART, **leads_mv))[0]) >= 11


def test_one_lead_is_enough():
    assert len(faults.r_peaks(HEART.select("I"))[0]) >= 11


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (heart(seconds=3.9), "shorter than 4 s"),
        (heart(rate_hz=49.0), "sampled below 50 Hz"),
        (changed(HEART.select("I"), I=0.0), "no lead is whole and alive"),
        (changed(HEART.select("I"), I=np.nan), "no lead is whole and alive"),
        (changed(HEART.select("I"), I=100 * lead_mv(HEART, "I")), "no lead is whole and alive"),
        (changed(HEART.select("I"), I=np.sin(np.arange(SAMPLES) / 400)), "fewer than two R peaks found"),
    ],
)
def test_without_beats_there_is_a_reason(recording, reason):
    peaks, found = faults.r_peaks(recording)
    assert (len(peaks) < 2, found) == (True, reason)


def test_channels_that_are_no_voltage_are_left_out():
    two = Recording(HEART.signal_mv[:2], RATE_HZ, ("I", "SpO2"), notes={"units SpO2": "%"})
    signal_mv, leads = faults.in_millivolt(two)
    assert (leads, signal_mv.shape) == (("I",), (1, SAMPLES))
