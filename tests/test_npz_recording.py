"""One recording in an .npz: three arrays are enough, pickles are never opened, and sizes are checked before anything is."""

import contextlib
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfdana_lite.leads import LeadError
from selfdana_lite.readers import npz
from selfdana_lite.recording import RecordingError

TIME_S = np.arange(1000) / 100
WAVES_MV = np.stack([np.sin(TIME_S * 7), 0.4 * np.cos(TIME_S * 8)]).astype(np.float32)
WHOLE = {"signal_mv": WAVES_MV, "sampling_rate_hz": 100.0, "leads": ["II", "V1"]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.npz"


def saved(path, compressed=False, **arrays):
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def without(name, **more):
    return {key: value for key, value in (WHOLE | more).items() if key != name}


@pytest.mark.parametrize("compressed", [False, True])
def test_the_documented_form_comes_back_exactly(path, compressed):
    recording = npz.read(saved(path, compressed, **WHOLE))
    assert (recording.leads, recording.sampling_rate_hz, recording.source) == (("II", "V1"), 100.0, str(path))
    np.testing.assert_array_equal(recording.signal_mv, WAVES_MV)


@pytest.mark.parametrize(("unit", "per_mv"), [("mV", 1), ("uV", 1e3), ("µV", 1e3), ("nV", 1e6), ("V", 1e-3)])
@pytest.mark.parametrize("name", ["signal", "signals"])
def test_every_unit_and_the_names_of_an_archive(path, unit, per_mv, name):
    arrays = {name: WAVES_MV * per_mv, "units": unit, "fs": 100, "lead_names": ["mlii", "ecg v1"]}
    recording = npz.read(saved(path, **arrays))
    assert recording.leads == ("II", "V1")
    np.testing.assert_allclose(recording.signal_mv, WAVES_MV, atol=1e-6)


def test_microvolt_as_whole_numbers_within_half_a_step_and_a_unit_for_each_lead(path):
    steps = np.stack([np.round(WAVES_MV[0] * 1000), np.round(WAVES_MV[1] * 1e6)]).astype(np.int32)
    recording = npz.read(saved(path, **without("signal_mv", signals=steps, units=["uV", "nV"])))
    np.testing.assert_allclose(recording.signal_mv, WAVES_MV, rtol=0, atol=0.5e-3 + 1e-7)


def test_missing_samples_stay_missing(path):
    gappy = np.where(np.arange(1000) % 100 == 3, np.nan, WAVES_MV)
    np.testing.assert_array_equal(npz.read(saved(path, **WHOLE | {"signal_mv": gappy})).signal_mv, gappy)


def test_what_the_file_leaves_out_is_stated(path):
    saved(path, signal=WAVES_MV * 200)
    with pytest.raises(RecordingError, match="does not name its 2 leads; give leads="):
        npz.read(path)
    with pytest.raises(RecordingError, match="give sampling_rate_hz="):
        npz.read(path, leads="I, II")
    with pytest.raises(RecordingError, match="give gain="):
        npz.read(path, leads="I, II", sampling_rate_hz=100)
    with pytest.raises(RecordingError, match="has 2 rows, and leads= names 12"):
        npz.read(path, leads="12-lead", sampling_rate_hz=100)
    recording = npz.read(path, leads="I, II", sampling_rate_hz=100, gain=200)
    assert recording.leads == ("I", "II")
    np.testing.assert_allclose(recording.signal_mv, WAVES_MV, atol=1e-6)


def test_what_the_file_says_is_not_contradicted(path):
    saved(path, **WHOLE)
    with pytest.raises(RecordingError, match="says 100 Hz"):
        npz.read(path, sampling_rate_hz=200)
    with pytest.raises(LeadError, match="names its own leads, II, V1, and I is not among them"):
        npz.read(path, leads=["I"])
    with pytest.raises(LeadError, match="each once"):
        npz.read(path, leads=["V1", "v1"])
    np.testing.assert_array_equal(npz.read(path, leads="V1").signal_mv, WAVES_MV[1:])


def test_an_archive_of_many_is_sent_on(path):
    saved(path, signals=np.zeros((5, 12, 100), np.int16), units="uV", fs=100)
    with pytest.raises(RecordingError, match=r"many recordings .* open it with EcgDataset.open"):
        npz.read(path)


def test_the_real_archive_is_sent_on(real_archive):
    with pytest.raises(RecordingError, match=r"open it with EcgDataset.open"):
        npz.read(real_archive)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize("name", ["signal_mv", "leads", "sampling_rate_hz"])
def test_no_pickle_is_ever_opened(path, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    saved(path, **WHOLE | {name: np.array([Trap()], dtype=object)})
    with pytest.raises(RecordingError, match="pickle"):
        npz.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.npy", pickle.dumps(Trap()))
        archive.writestr("signal.npy", pickle.dumps(Trap()))
    with pytest.raises(RecordingError, match="damaged or no"):
        npz.read(path)
    assert not (tmp_path / "trapped").exists()


def header_of(shape, dtype="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def packed(path, *contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("signal_mv.npy", "w") as member:
        for content in contents:
            member.write(content)
    return path


def test_a_billion_samples_that_are_only_declared_are_refused(path):
    with pytest.raises(RecordingError, match=r"declares float32 \(12, 1000000000\), 4.8e\+04 MB"):
        npz.read(packed(path, header_of((12, 10**9)), bytes(1000)))
    with pytest.raises(RecordingError, match=r"declares float32 \(2, 50\), 0.0004 MB, and 0.000128 MB are packed"):
        npz.read(packed(path, header_of((2, 50))))


def test_a_bomb_is_not_unpacked(path):
    packed(path, header_of((12, 5 * 10**6)), *[bytes(10**7)] * 24)
    assert path.stat().st_size < 1e6
    with pytest.raises(RecordingError, match="240 MB, and 240 MB are packed; expected the same, and at most 200 MB"):
        npz.read(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"signal_mv": WAVES_MV[0]}, r"signal_mv is float32 \(1000,\); expected numbers \[leads, samples\]"),
        ({"signal_mv": WAVES_MV.astype(complex)}, "expected numbers"),
        ({"signal_mv": WAVES_MV.astype(str)}, "expected numbers"),
        ({"signal_mv": np.full((2, 9), np.inf)}, "infinite"),
        ({"signal_mv": np.zeros((2, 0))}, "at least one"),
        ({"leads": ["II"]}, "leads has 1 names for 2 rows"),
        ({"leads": [1, 2]}, r"leads is int64 \(2,\); expected text"),
        ({"sampling_rate_hz": [100, 200]}, "expected one number of hertz"),
        ({"sampling_rate_hz": "fast"}, "expected one number of hertz"),
        ({"sampling_rate_hz": 0}, "finite number above 0"),
        ({"sampling_rate_hz": np.nan}, "finite number above 0"),
    ],
)
def test_parts_that_make_no_recording_are_refused(path, change, said):
    with pytest.raises(RecordingError, match=said):
        npz.read(saved(path, **WHOLE | change))


def test_no_recording_in_it(path):
    with pytest.raises(RecordingError, match="holds the arrays weights; expected signal_mv, sampling_rate_hz and leads"):
        npz.read(saved(path, weights=np.zeros(3)))
    with pytest.raises(RecordingError, match="units is"):
        npz.read(saved(path, **without("signal_mv", signal=WAVES_MV, units=[1, 2])))


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), min_size=1, max_size=6), st.integers(0, 900))
@settings(max_examples=200)
def test_whatever_the_bytes_only_the_documented_errors_come_out(tmp_path_factory, changes, cut):
    path = tmp_path_factory.mktemp("npz") / "mine.npz"
    content = bytearray(saved(path, True, **WHOLE | {"signal_mv": WAVES_MV[:, :40]}).read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    path.write_bytes(content[: -cut or None] if cut % 3 == 0 else content)
    with contextlib.suppress(RecordingError, LeadError):
        assert npz.read(path).signal_mv.size
