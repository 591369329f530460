"""Units are read, not guessed: every spelling, every refusal, and the bounds held against real recordings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfdana_lite.leads import LEADS
from selfdana_lite.readers.units import gain_per_lead, millivolt_per, to_millivolt, unit_notes
from selfdana_lite.recording import RecordingError

SPELLINGS = {
    1e3: ["V", "v", "volt", "Volts"],
    1.0: ["mV", "mv", "millivolt", "Millivolts", "milliVolt", "mVolt", "[mV]", " (mV) "],
    1e-3: ["uV", "uv", "µV", "μV", "\u00b5V", "\u03bcV", "microvolt", "MicroVolts", "micro-volt", "uVolts"],
    1e-6: ["nV", "nv", "nanovolt", "Nanovolts"],
}
NOT_VOLTS = [
    "",
    "NU",
    "nd",
    "adu",
    "ADU",
    "a.u.",
    "counts",
    "raw",
    "uncalibrated",
    "mmHg",
    "%",
    "bpm",
    "MV",
    "UV",
    "NV",
    "kV",
    "mA",
]


def heart(leads=1, samples=1000, swing_mv=1.5):
    return swing_mv / 2 * np.sin(np.linspace(0, 60, samples))[None] * np.ones((leads, 1))


@pytest.mark.parametrize(("factor", "unit"), [(factor, unit) for factor, units in SPELLINGS.items() for unit in units])
def test_every_spelling_of_a_voltage_gives_the_same_millivolt(factor, unit):
    assert millivolt_per(unit) == factor
    found = to_millivolt(heart() / factor, [unit], ["II"], "a file")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, heart(), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("unit", NOT_VOLTS)
def test_a_lead_without_a_voltage_is_refused_with_its_amplitude(unit):
    assert millivolt_per(unit) is None
    with pytest.raises(RecordingError, match=rf"a file: the unit {unit!r} of lead II .* swing over 1\.499.*gain="):
        to_millivolt(np.vstack([heart(), heart()]), ["mV", unit], ["I", "II"], "a file")


def test_a_megavolt_is_not_a_millivolt():
    with pytest.raises(RecordingError, match="'MV'"):
        to_millivolt(heart(), ["MV"], ["I"], "a file")


def test_an_extra_channel_keeps_its_numbers_and_its_unit_is_noted():
    values = np.vstack([heart() * 1e3, heart() * 1e3, np.full((1, 1000), 97.0)])
    leads, units = ["I", "vx", "SpO2"], ["uV", "uV", "%"]
    found = to_millivolt(values, units, leads, "a file")
    np.testing.assert_allclose(found[:2], np.vstack([heart()] * 2), rtol=1e-6, atol=1e-7)  # a voltage becomes millivolt
    assert (found[2] == 97).all()
    assert unit_notes(units, leads) == {"units SpO2": "%"}
    assert unit_notes(["mV", " "], ["I", "ch2"]) == {"units ch2": "not stated"}


def test_missing_samples_stay_missing_and_do_not_hide_the_swing():
    values = heart()
    values[0, ::3] = np.nan
    found = to_millivolt(values, ["mV"], ["I"], "a file")
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    with pytest.raises(RecordingError, match=r"swings over more than 0\.0015 mV"):
        to_millivolt(values, ["uV"], ["I"], "a file")


# gain=


def test_one_gain_is_for_the_leads_and_takes_the_place_of_any_unit():
    values = np.vstack([heart(), heart(), np.full((1, 1000), 97.0)]) * [[200], [200], [1]]
    for unit in ("", "adu", "mV", "V"):
        found = to_millivolt(values, [unit, "NU", "mmHg"], ["II", "ch2", "ABP"], "a file", gain=200)
        np.testing.assert_allclose(found[:2], np.vstack([heart()] * 2), rtol=1e-6, atol=1e-7)
        assert (found[2] == 97).all()
    assert unit_notes(["", "NU", "mmHg"], ["II", "ch2", "ABP"], gain=200) == {"units ABP": "mmHg"}


def test_one_gain_a_lead():
    found = to_millivolt(np.vstack([heart() * 200, heart() * -400]), ["", "mmHg"], ["I", "vx"], "a file", gain=[200, -400])
    np.testing.assert_allclose(found, np.vstack([heart()] * 2), rtol=1e-6, atol=1e-7)
    assert unit_notes(["", "mmHg"], ["I", "vx"], gain=[200, -400]) == {}


@pytest.mark.parametrize("gain", [0, float("nan"), float("inf"), [200], [200, 0], [1, 2, 3]])
def test_a_gain_that_is_none_is_refused(gain):
    with pytest.raises(RecordingError, match="file units per millivolt"):
        gain_per_lead(gain, ["mV", "mV"], ["I", "II"])


def test_with_a_gain_no_amplitude_is_doubted():
    assert np.ptp(to_millivolt(heart() * 1e-3, ["mV"], ["I"], "a file", gain=1)) < 0.002


# Amplitudes


@pytest.mark.parametrize(("swing_mv", "found"), [(0.001, "no lead swings over more than"), (1500, "swing over 1499 mV")])
def test_a_wrong_scale_is_refused_with_the_amplitude(swing_mv, found):
    with pytest.raises(RecordingError, match=f"{found}.*an ECG swings over 0.02 to 100 mV.*gain="):
        to_millivolt(heart(3, swing_mv=swing_mv), ["mV"] * 3, ["I", "II", "V2"], "a file")


def test_one_bad_electrode_does_not_condemn_the_recording():
    values = heart(3)
    values[0] *= 400  # saturated
    values[1] *= 1e-3  # off
    assert to_millivolt(values, ["mV"] * 3, ["I", "II", "V2"], "a file").shape == (3, 1000)


def test_an_offset_is_no_amplitude():
    assert to_millivolt(heart() + 300, ["mV"], ["I"], "a file").mean() == pytest.approx(300, rel=1e-3)


@pytest.mark.parametrize("value", [0.0, -12.5, np.nan])
def test_leads_that_never_change_are_left_to_the_quality_report(value):
    assert to_millivolt(np.full((2, 100), value), ["mV"] * 2, ["I", "II"], "a file").shape == (2, 100)


def test_channels_that_are_no_leads_may_have_any_amplitude():
    assert to_millivolt(heart(swing_mv=1e-4), ["mV"], ["fetal"], "a file").shape == (1, 1000)


@given(st.floats(0.2, 40), st.sampled_from(["nV", "uV", "mV", "V"]), st.sampled_from(["nV", "uV", "mV", "V"]))
def test_the_true_unit_passes_and_one_a_thousand_times_off_does_not(swing_mv, true, stated):
    values = heart(swing_mv=swing_mv) / millivolt_per(true)
    if true == stated:
        np.testing.assert_allclose(np.ptp(to_millivolt(values, [stated], ["I"], "a file")), swing_mv, rtol=0.01)
    elif not (swing_mv > 18 and millivolt_per(true) > millivolt_per(stated)):  # 20 mV are a thousandth of what a spike can be
        with pytest.raises(RecordingError):
            to_millivolt(values, [stated], ["I"], "a file")


@pytest.mark.parametrize("rows", [range(12), [0], [7]], ids=["12 leads", "I", "V2"])
def test_no_real_recording_is_refused_and_a_thousandfold_error_nearly_always(real_archive, rows):
    with np.load(real_archive) as archive:
        signals = archive["signals"][::13]  # int16 microvolt [recordings, leads, samples]
    leads = [LEADS[row] for row in rows]
    refused = {unit: 0 for unit in ("uV", "mV", "nV")}
    for signal in signals:
        for unit in refused:
            try:
                to_millivolt(signal[list(rows)], [unit] * len(leads), leads, "archive")
            except RecordingError:
                refused[unit] += 1
    assert refused["uV"] == 0
    assert refused["mV"] == len(signals)  # a thousand times too large
    assert refused["nV"] >= 0.99 * len(signals)  # a thousand times too small
