"""One recording: what it refuses to be, and select, rename, window and resample against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import selfdana_lite as sd
from selfdana_lite.recording import name_leads, offsets_mv


def recording(leads=("I", "II", "vx"), samples=1000, rate_hz=500, **others) -> sd.Recording:
    """Each lead is its place in the header plus a slow ramp, so that rows and samples can be told apart."""
    signal = np.arange(len(leads))[:, None] + np.linspace(0, 0.5, samples)
    return sd.Recording(signal.astype(np.float32), rate_hz, tuple(leads), **others)


def sine(hz, seconds, rate_hz, amplitude_mv=1.0):
    return amplitude_mv * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def test_it_is_shown_in_one_line():
    made = recording(("I",), 15360, 512, source="/home/somebody/apple_de.csv")
    assert repr(made) == "Recording(30 s of I at 512 Hz from apple_de.csv)"
    assert repr(recording(("I", "vx"), 625, 250)) == "Recording(2.5 s of I, vx at 250 Hz)"
    many = repr(recording([f"EEG {n}" for n in range(64)], source="night.edf"))
    assert many.endswith("EEG 10, EEG 11 and 52 more at 500 Hz from night.edf)")


# What a recording must be


def test_parts_are_settled_as_float32_float_and_tuple():
    made = sd.Recording(np.zeros((2, 5)), 250, ["I", "vx"])
    assert made.signal_mv.dtype == np.float32
    assert isinstance(made.sampling_rate_hz, float)
    assert made.leads == ("I", "vx")
    assert made.seconds == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("signal", "rate_hz", "leads", "found"),
    [
        (np.zeros(5), 100, ("I",), r"float64 \(5,\)"),
        (np.zeros((1, 5), np.int16), 100, ("I",), "int16"),  # converter steps are no millivolts
        (np.zeros((1, 0)), 100, ("I",), r"\(1, 0\)"),
        (np.zeros((0, 5)), 100, (), r"\(0, 5\)"),
        (np.zeros((2, 5)), 100, ("I",), "2 rows"),
        (np.zeros((2, 5)), 100, ("I", "I"), "all different"),
        (np.zeros((1, 5)), 100, ("",), "one name a row"),
        (np.zeros((1, 5)), 0, ("I",), "0 Hz"),
        (np.zeros((1, 5)), float("nan"), ("I",), "nan Hz"),
        (np.zeros((1, 5)), float("inf"), ("I",), "inf Hz"),
        (np.full((1, 5), np.inf), 100, ("I",), "Lead I holds an infinite value"),
        (np.full((1, 5), 1e39), 100, ("I",), "infinite"),  # beyond float32
    ],
)
def test_parts_that_contradict_each_other_are_refused(signal, rate_hz, leads, found):
    with pytest.raises(sd.RecordingError, match=found):
        sd.Recording(signal, rate_hz, leads)


def test_missing_samples_may_be_there():
    assert np.isnan(sd.Recording(np.full((1, 3), np.nan), 100, ("I",)).signal_mv).all()


def test_standard_leads_come_in_the_usual_order():
    assert recording(("V6", "vx", "II", "aVR")).standard_leads == ("II", "aVR", "V6")


# select


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ("II", [1]),
        ("ii, i", [1, 0]),
        ("MLII", [1]),
        (["lead_ii", "vx"], [1, 2]),
        ("vx", [2]),
        ("I vx", [0, 2]),
        ("2-lead", [0, 1]),
        ("Resp rate, I", [3, 0]),
        (["Resp rate"], [3]),
    ],
)
def test_select_takes_any_spelling_and_keeps_the_order_asked_for(asked, places):
    whole = recording(("I", "II", "vx", "Resp rate"))
    part = whole.select(asked)
    assert part.leads == tuple(whole.leads[place] for place in places)
    np.testing.assert_array_equal(part.signal_mv, whole.signal_mv[places])


@pytest.mark.parametrize("asked", ["V1", "I, V1", "12-lead", ["nonsense"], "", [], "I, I", "II, MLII"])
def test_select_refuses_what_is_absent_empty_or_doubled(asked):
    with pytest.raises(sd.LeadError):
        recording().select(asked)


def test_the_refusal_names_what_there_is():
    with pytest.raises(sd.LeadError, match=r"a\.hea: no lead 'V1'; it has I, II, vx"):
        recording(source="a.hea").select("V1")


# rename


def test_rename_makes_names_canonical_and_keeps_the_rest():
    renamed = recording(("ch1", "ch2", "vx")).rename({"ch1": "lead ii", "vx": " my lead "})
    assert renamed.leads == ("II", "ch2", "my lead")


def test_rename_can_swap():
    assert recording(("I", "II")).rename({"I": "II", "II": "I"}).leads == ("II", "I")


@pytest.mark.parametrize("names", [{"ch9": "I"}, {"vx": "MLII"}, {"vx": ""}, {"I": "x", "II": "x"}])
def test_rename_refuses_unknown_taken_and_empty_names(names):
    with pytest.raises(sd.LeadError):
        recording().rename(names)


def test_a_channel_that_is_not_in_millivolt_cannot_become_a_lead():
    raw = recording(("I", "ch2"), notes={"units ch2": "adu", "age": "74"})
    with pytest.raises(sd.LeadError, match=r"'adu', not in millivolt.*gain="):
        raw.rename({"ch2": "II"})
    assert raw.rename({"ch2": "PLETH"}).notes == {"units PLETH": "adu", "age": "74"}  # the unit goes with its channel


# window


@given(start=st.integers(0, 99), length=st.integers(1, 100), rate=st.sampled_from([100, 250.5, 333.3]))
def test_a_window_is_a_slice_or_a_refusal(start, length, rate):
    whole = recording(samples=100, rate_hz=rate)
    if start + length > 100:
        with pytest.raises(sd.RecordingError, match="does not fit"):
            whole.window(start / rate, length / rate)
    else:
        part = whole.window(start / rate, length / rate)
        np.testing.assert_array_equal(part.signal_mv, whole.signal_mv[:, start : start + length])


@pytest.mark.parametrize(("start_s", "length_s"), [(-0.01, 1), (0, 0), (0, 2.01), (1.5, 0.6), (0, float("nan"))])
def test_nothing_is_padded(start_s, length_s):
    with pytest.raises(sd.RecordingError, match=r"2 s long \(1000 samples at 500 Hz\)|finite seconds"):
        recording().window(start_s, length_s)


# resample


@pytest.mark.parametrize(("rate_hz", "to_hz"), [(500, 100), (250, 100), (360, 100), (257, 100), (128, 100), (100, 250)])
def test_a_slow_sine_stays_what_it_is(rate_hz, to_hz):
    resampled = sd.Recording(sine(5, 4, rate_hz)[None], rate_hz, ("I",)).resample(to_hz)
    assert resampled.sampling_rate_hz == to_hz
    expected = sine(5, 4, to_hz)
    assert resampled.signal_mv.shape == (1, len(expected))
    middle = slice(to_hz // 2, -to_hz // 2)  # the filter reaches ten samples of the slower rate to either side
    np.testing.assert_allclose(resampled.signal_mv[0, middle], expected[middle], atol=2e-3)


def test_what_is_too_fast_for_the_new_rate_is_gone_and_not_folded_back():
    resampled = sd.Recording(sine(70, 4, 500)[None], 500, ("I",)).resample(100)  # plain decimation gives 30 Hz in full
    assert np.abs(resampled.signal_mv[0, 50:-50]).max() < 0.01


@pytest.mark.parametrize("offset_mv", [300.0, -5.0])
def test_neither_an_offset_nor_a_drift_rings_at_the_edges(offset_mv):
    drift = np.linspace(0, 3, 1000)
    resampled = sd.Recording(np.stack([np.full(1000, offset_mv), offset_mv + drift]), 500, ("I", "II")).resample(100)
    np.testing.assert_allclose(resampled.signal_mv[0], offset_mv, rtol=1e-6)
    np.testing.assert_allclose(resampled.signal_mv[1], offset_mv + drift[::5], rtol=1e-6, atol=1e-5)


@settings(max_examples=30)  # an odd ratio takes a filter of a hundred thousand taps
@given(rate_hz=st.floats(50, 2000), to_hz=st.floats(50, 2000))
def test_odd_rates_keep_their_duration_to_a_sample(rate_hz, to_hz):
    resampled = sd.Recording(np.ones((1, 400)), rate_hz, ("I",)).resample(to_hz)
    assert abs(resampled.signal_mv.shape[1] - 400 * to_hz / rate_hz) <= 1
    np.testing.assert_allclose(resampled.signal_mv, 1, rtol=1e-6)


def test_the_same_rate_changes_nothing():
    np.testing.assert_array_equal(recording().resample(500).signal_mv, recording().signal_mv)


def test_resample_refuses_gaps_and_rates_that_are_none():
    signal = np.zeros((2, 100))
    signal[1, 3:5] = np.nan
    with pytest.raises(sd.RecordingError, match="2 samples are missing \\(first in lead II\\)"):
        sd.Recording(signal, 500, ("I", "II")).resample(100)
    for rate_hz in (0, -100, float("nan"), float("inf"), 1e9):
        with pytest.raises(sd.RecordingError, match="Cannot resample"):
            recording().resample(rate_hz)
    with pytest.raises(sd.RecordingError, match="two or more"):
        recording(samples=1).resample(100)


# Names of a file's channels


@pytest.mark.parametrize(
    ("spellings", "names"),
    [
        (["i", "MLII", "v1", "vx"], ("I", "II", "V1", "vx")),
        (["MLII", "II"], ("MLII", "II")),  # the exact spelling gets the name, wherever it stands
        (["MLII", "ii"], ("II", "ii")),  # else the first
        (["II", "II", "II"], ("II", "II (2)", "II (3)")),
        (["ecg", "ecg"], ("ecg", "ecg (2)")),
        (["ecg", "ecg", "ecg (2)"], ("ecg", "ecg (2)", "ecg (2) (2)")),
        (["", "I", "  "], ("channel 1", "I", "channel 3")),
        (["Resp   rate"], ("Resp rate",)),
    ],
)
def test_channels_get_one_name_each(spellings, names):
    assert name_leads(spellings) == names


def test_iec_names_of_the_chest_leads_are_understood_together():
    limb = ("I", "II", "III", "aVR", "aVL", "aVF")
    assert name_leads([*limb, "C1", "C2", "C3", "C4", "C5", "C6"]) == sd.LEADS
    assert name_leads(["C3", "C4", "ECG"]) == ("C3", "C4", "ECG")


@given(st.lists(st.sampled_from(["I", "i", "DI", "II", "MLII", "ii", "vx", "", "II (2)", "vx (2)", "channel 2"]), max_size=9))
def test_names_always_differ_and_no_known_lead_goes_nameless(spellings):
    names = name_leads(spellings)
    assert len(names) == len(spellings) == len(set(names))
    assert {"I"} <= set(names) or not {"I", "i", "DI"} & set(spellings)
    assert all(names)


# An amplifier's offset


@given(st.lists(st.floats(-30, 30, width=16), min_size=3, max_size=3))
def test_without_its_offset_a_lead_is_what_it_was(offset_mv):
    beats = np.zeros((3, 1001), np.float32)
    beats[:, ::10] = [[1.0], [-2.0], [0.5]]  # a tenth of the samples: the mean would be 0.1 mV off, the median is not
    offset = np.array(offset_mv, np.float32)[:, None]
    lifted = sd.Recording(beats + offset, 100, ("I", "II", "V1"), "lifted")
    bare = lifted.without_offset()
    np.testing.assert_allclose(bare.signal_mv, beats, atol=1e-5)
    assert (bare.leads, bare.sampling_rate_hz, bare.source) == (lifted.leads, 100, "lifted")
    np.testing.assert_array_equal(lifted.signal_mv, beats + offset)  # the recording itself is left alone
    np.testing.assert_allclose(offsets_mv(lifted.signal_mv), offset[:, 0], atol=1e-6)


def test_missing_samples_and_what_is_no_voltage_keep_their_values():
    signal = np.array([[5.0, np.nan, 5.0, 6.0], [np.nan] * 4, [97.0, 98.0, 97.0, 97.0]], np.float32)
    made = sd.Recording(signal, 4, ("I", "II", "SpO2"), notes={"units SpO2": "%"}).without_offset()
    np.testing.assert_array_equal(made.signal_mv, [[0, np.nan, 0, 1], [np.nan] * 4, signal[2]])
