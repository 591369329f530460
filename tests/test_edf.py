"""EDF and its kin: what was written comes back in millivolt, and a header is believed only as far as the file bears it out."""

import contextlib
import datetime

import edfio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdana_lite.leads import LEADS, LeadError
from selfdana_lite.readers import edf
from selfdana_lite.recording import RecordingError

RATE_HZ, SECONDS = 250, 4
TIME_S = np.arange(RATE_HZ * SECONDS) / RATE_HZ
WAVE_MV = 0.8 * np.sin(2 * np.pi * 1.3 * TIME_S) + 0.1
PER_MILLIVOLT = {"mV": 1, "uV": 1e3, "µV": 1e3, "nV": 1e6, "V": 1e-3}


def signal(label="ECG II", unit="uV", wave_mv=WAVE_MV, rate_hz=RATE_HZ, kind=edfio.EdfSignal, **more):
    values = wave_mv * PER_MILLIVOLT.get(unit, 1)
    return kind(values, rate_hz, label=label, physical_dimension=unit, **more)


def written(path, *signals, **more):
    (edfio.Bdf if isinstance(signals[0], edfio.BdfSignal) else edfio.Edf)(signals, **more).write(path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "visit.edf"


def set_bytes(path, at, content):
    held = bytearray(path.read_bytes())
    held[at : at + len(content)] = content
    path.write_bytes(held)


@pytest.mark.parametrize(("kind", "bits"), [(edfio.EdfSignal, 16), (edfio.BdfSignal, 24)])
@pytest.mark.parametrize("unit", ["mV", "uV", "nV"])
def test_what_was_written_comes_back_within_half_a_step(path, kind, bits, unit):
    recording = edf.read(written(path, signal(unit=unit, kind=kind), signal("V1", unit, -WAVE_MV, kind=kind)))
    step_mv = np.ptp(WAVE_MV) / (2**bits - 1)
    half = step_mv / 2 + 1e-7  # and the rounding of float32
    if unit == "nV":
        half += 1e-5  # the header has eight characters for the ends of the scale
    assert (recording.leads, recording.sampling_rate_hz, recording.signal_mv.dtype) == (("II", "V1"), RATE_HZ, np.float32)
    np.testing.assert_allclose(recording.signal_mv, [WAVE_MV, -WAVE_MV], rtol=0, atol=half)


def test_the_micro_sign_of_old_programs_is_read(path):
    written(path, signal(unit="uV"))
    set_bytes(path, 256 + 16 + 80, "µV".encode("latin-1"))
    assert np.abs(edf.read(path).signal_mv - WAVE_MV).max() < 1e-3


@given(st.permutations(LEADS), st.sampled_from(["{}", "ECG {}", "EKG {}", "Lead {}", "ecg-{}"]))
@settings(max_examples=20)
def test_any_order_and_spelling_of_the_leads_is_kept(tmp_path_factory, order, spelling):
    path = tmp_path_factory.mktemp("edf") / "visit.edf"
    signals = [signal(spelling.format(name), wave_mv=WAVE_MV * (1 + place / 10)) for place, name in enumerate(order)]
    recording = edf.read(written(path, *signals))
    assert recording.leads == tuple(order)
    np.testing.assert_allclose(np.ptp(recording.signal_mv, axis=1) / np.ptp(WAVE_MV), 1 + np.arange(12) / 10, rtol=1e-3)


def test_unknown_channels_keep_their_name_and_the_unit_is_noted(path):
    recording = edf.read(written(path, signal(), signal("Resp chest", "%")))
    assert (recording.leads, recording.notes) == (("II", "Resp chest"), {"units Resp chest": "%"})


def test_annotations_are_notes_and_nobody_is_named(path):
    patient = edfio.Patient(code="4711", sex="F", birthdate=datetime.date(1950, 2, 3), name="Eve_Example")
    visit = edfio.Recording(equipment_code="Holter-3", investigator_technician_code="Dr_Who")
    marks = [edfio.EdfAnnotation(1.5, None, "walks"), edfio.EdfAnnotation(2, None, "sits")]
    recording = edf.read(written(path, signal(prefiltering="HP:0.05Hz"), patient=patient, recording=visit, annotations=marks))
    assert recording.leads == ("II",)
    assert recording.notes == {
        "sex": "F",
        "equipment": "Holter-3",
        "annotations": "1.5 s: walks; 2 s: sits",
        "prefiltering": "HP:0.05Hz",
    }


def test_signals_of_several_rates_must_be_chosen_from(path):
    written(path, signal(), signal("I"), signal("SpO2", "%", WAVE_MV[::RATE_HZ], 1))
    with pytest.raises(RecordingError, match=r"II 250 Hz, I 250 Hz, SpO2 1 Hz\); read those of one: leads='II, I'"):
        edf.read(path)
    chosen = edf.read(path, leads="I, ecg ii")
    assert (chosen.leads, chosen.signal_mv.shape) == (("I", "II"), (2, RATE_HZ * SECONDS))
    with pytest.raises(LeadError, match="V1 is not among them"):
        edf.read(path, leads=["V1"])


def test_a_stated_rate_may_agree_and_not_contradict(path):
    assert edf.read(written(path, signal()), sampling_rate_hz=250).sampling_rate_hz == RATE_HZ
    with pytest.raises(RecordingError, match="says 250 Hz, and sampling_rate_hz=500 contradicts"):
        edf.read(path, sampling_rate_hz=500)


def test_numbers_without_a_unit_need_a_gain(path):
    with pytest.raises(RecordingError, match="give gain= in file units per millivolt"):
        edf.read(written(path, signal(unit="")))
    np.testing.assert_allclose(edf.read(path, gain=2).signal_mv[0], WAVE_MV / 2, atol=1e-4)


def test_gaps_in_time_are_refused_and_a_whole_recording_in_parts_is_not(path):
    written(path, signal(), annotations=[])
    set_bytes(path, 192, b"EDF+D")
    assert edf.read(path).seconds == SECONDS  # its parts follow on each other
    set_bytes(path, path.read_bytes().rindex(b"+3\x14"), b"+9\x14")
    with pytest.raises(RecordingError, match=r"has gaps in time \(EDF\+D\)"):
        edf.read(path)


def test_a_recorder_that_was_switched_off_leaves_a_file_that_can_be_read(path):
    set_bytes(written(path, signal()), 236, b"-1      ")
    assert edf.read(path).seconds == SECONDS


@pytest.mark.parametrize(
    ("at", "content", "said"),
    [
        (0, b"RIFF", "is no EDF or BDF file"),
        (236, b"99999999", "truncated or damaged: its header promises 99999999 data records"),
        (236, b"many    ", "number of data records is 'many', not a whole number"),
        (252, b"9999", "has 9999 signals; expected 1 to 4096"),
        (252, b"4000", "not a whole number"),
        (252, b"0   ", "has 0 signals"),
        (252, b"-1  ", "has -1 signals"),
        (184, b"256     ", "truncated or damaged"),
        (244, b"nan     ", "lasts 'nan' s"),
        (244, b"0       ", "lasts '0' s"),
        (244, b"-1      ", "lasts '-1' s"),
        (244, b"1e-9-   ", "lasts '1e-9-' s"),
        (244, b"1e-320  ", "inf Hz; expected a finite number above 0"),
        (256 + 120, b"ten     ", "is damaged or no EDF"),
        (256 + 216, b"999999  ", "truncated or damaged"),
        (256 + 216, b"-500    ", r"has \[-500\] samples"),
        (256 + 104, b"1       1       ", "which is no scale"),
        (256 + 104, b"nan     ", "which is no scale"),
        (256 + 120, b"7       7       ", "which is no scale"),
    ],
)
def test_a_header_that_the_file_does_not_bear_out_is_refused(path, at, content, said):
    set_bytes(written(path, signal()), at, content)
    with pytest.raises(RecordingError, match=said):
        edf.read(path)


@pytest.mark.parametrize("kept", [0, 100, 256, 400, 600, -1])
def test_a_truncated_file_is_refused(path, kept):
    content = written(path, signal()).read_bytes()
    path.write_bytes(content[:kept])
    with pytest.raises(RecordingError, match=r"export it again"):
        edf.read(path)


def test_a_file_of_annotations_alone_has_no_ecg(path):
    edfio.Edf([], annotations=[edfio.EdfAnnotation(0, None, "nothing")]).write(path)
    with pytest.raises(RecordingError, match="no ECG to read"):
        edf.read(path)


@given(st.lists(st.tuples(st.integers(0, 1300), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=200)
def test_whatever_the_bytes_only_the_documented_errors_come_out(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("edf") / "visit.edf"
    annotations = [edfio.EdfAnnotation(1, None, "x")]
    content = bytearray(written(path, signal(), signal("V1"), annotations=annotations).read_bytes())
    for at, value in changes:
        content[at] = value
    path.write_bytes(content)
    with contextlib.suppress(RecordingError, LeadError):
        assert edf.read(path).signal_mv.size


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        edf.read(tmp_path / "none.edf")
